"""Gradient boosting of scikit-learn, LightGBM and XGBoost, exported to ONNX and certified.

    pip install 'rsonnx[gpu]' scikit-learn skl2onnx
    pip install lightgbm xgboost-cpu onnxmltools        (either may be missing: its row is left out)
    python tools/examples/gradient_boosting_breast_cancer.py --out cancer

The data are 30 measurements of 569 cell samples. Trees need no scaling, but noise does: the inputs
are standard deviations of the training rows, so that one sigma means the same in each measurement
(tools/examples/sklearn_pipeline_wine.py says more). Trees are trained on a fixed table, so each row
stands in it many times with noise of its own.

All three come as one TreeEnsembleClassifier of the ai.onnx.ml operators with a label beside the
scores. LightGBM's converter adds a ZipMap and declares its label for a batch of one; XGBoost's
names no version of the common operators. rsonnx takes the scores, cuts the ZipMap off, and chooses
a version for its own nodes. LightGBM compares in float64 and its export in float32, so a value that
lies on a threshold may fall to the other side: the certificate is for the file, which is why every
example first looks whether the file answers as the framework does. HistGradientBoostingClassifier
is left out: skl2onnx 1.20 does not write it with protobuf 7 ("Expected an int, got a boolean").
"""

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from example_steps import certify, declare, missing, output_folder, show
from numpy.typing import NDArray

INSTALL = "pip install 'rsonnx[gpu]' scikit-learn skl2onnx"
try:
    from example_data import breast_cancer, noisy_copies
    from skl2onnx import to_onnx
    from sklearn.ensemble import GradientBoostingClassifier
except ModuleNotFoundError as error:
    sys.exit(missing(error, INSTALL))

SIGMA = 0.5
RADII = (0.25, 0.5, 0.75, 1.0)
COPIES, SEED = 30, 0
FEATURES = 30

Rows = NDArray[np.float32]
Labels = NDArray[np.int64]
Trained = tuple[Any, onnx.ModelProto]


def with_scikit_learn(x: Rows, y: Labels) -> Trained:
    """Return a trained model and its export by skl2onnx."""
    model = GradientBoostingClassifier(
        n_estimators=80, subsample=0.5, max_features="sqrt", random_state=SEED
    ).fit(x, y)
    options = {id(model): {"zipmap": False}}
    return model, to_onnx(model, x[:1], options=options, target_opset={"": 17, "ai.onnx.ml": 3})


def with_lightgbm(x: Rows, y: Labels) -> Trained:
    """Return a trained model and its export by onnxmltools."""
    import lightgbm  # noqa: PLC0415 - may be missing
    from onnxmltools import convert_lightgbm  # noqa: PLC0415

    model = lightgbm.LGBMClassifier(
        n_estimators=80, num_leaves=8, random_state=SEED, n_jobs=1, deterministic=True, verbose=-1
    ).fit(x, y)
    return model, convert_lightgbm(model, initial_types=measurements(), target_opset=15)


def with_xgboost(x: Rows, y: Labels) -> Trained:
    """Return a trained model and its export by onnxmltools."""
    import xgboost  # noqa: PLC0415 - may be missing
    from onnxmltools import convert_xgboost  # noqa: PLC0415

    model = xgboost.XGBClassifier(
        n_estimators=80, max_depth=3, learning_rate=0.1, random_state=SEED, n_jobs=1
    ).fit(x, y)
    return model, convert_xgboost(model, initial_types=measurements(), target_opset=15)


def measurements() -> list[tuple[str, Any]]:
    """Return the one input of a model in the words of onnxmltools: float32, [batch, features]."""
    from onnxmltools.convert.common.data_types import FloatTensorType  # noqa: PLC0415

    return [("x", FloatTensorType([None, FEATURES]))]


FRAMEWORKS: dict[str, tuple[Callable[[Rows, Labels], Trained], str]] = {
    "scikit-learn": (with_scikit_learn, INSTALL),
    "lightgbm": (with_lightgbm, "pip install lightgbm onnxmltools"),
    "xgboost": (with_xgboost, "pip install xgboost-cpu onnxmltools"),
}


def main() -> None:
    """Train, export and certify with each framework that is installed."""
    split = breast_cancer()
    mean, std = split.train_x.mean(axis=0), split.train_x.std(axis=0)
    x, y = noisy_copies((split.train_x - mean) / std, split.train_y, SIGMA, COPIES)
    inputs = ((split.test_x - mean) / std).astype(np.float32)
    facts = {"method": "gaussian", "sigma": SIGMA, "dataset": "scikit-learn breast cancer"}
    found = []
    with output_folder("Gradient boosting to certificates.") as folder:
        for name, (train, install) in FRAMEWORKS.items():
            try:
                model, exported = train(x, y)
            except ModuleNotFoundError as error:
                print(missing(error, install), file=sys.stderr)
                continue
            path = Path(folder) / f"cancer_{name}.onnx"
            onnx.save(exported, path)
            declare(path, preprocess="none", bounds=(-math.inf, math.inf), training=facts)
            expected = model.predict(inputs)
            found.append(
                certify(
                    *(path, inputs, split.test_y),
                    sigma=SIGMA,
                    expected=expected,
                    target_radii=RADII,
                )
            )
    show(found, RADII, "standard deviations of each measurement in the training rows")


if __name__ == "__main__":
    main()
