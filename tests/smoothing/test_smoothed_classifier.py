from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from brightness import DRAW, Brightness, X, smooth
from numpy.typing import NDArray
from onnx_models import build, linear, node, save

from rsonnx import ABSTAIN, Counts, SmoothedClassifier, load
from rsonnx.errors import DataError, InferenceError, UsageError
from rsonnx.noise import Gaussian, Laplace, Splitting
from rsonnx.procedures import Adaptive, Fixed, certify_from_counts
from rsonnx.procedures.enumerated import Enumerated
from rsonnx.procedures.predict import Predict
from rsonnx.runtime import CountRequest, Progress

Batch = NDArray[np.float32]


class Nothing:
    """Answers no class, always."""

    num_classes = 3

    def classify(self, batch: Batch) -> NDArray[np.int64]:
        return np.full(len(batch), -1, np.int64)


class Answering:
    """Answers whatever it was given, once a row."""

    def __init__(self, label: Any) -> None:
        self.label = label

    def classify(self, batch: Batch) -> Any:
        return np.array([self.label] * len(batch))


def test_a_plain_object_is_certified() -> None:
    certificate = smooth().certify(X, seed=1, **DRAW)
    assert certificate.label == certificate.top_class == 1
    assert not certificate.abstained
    assert (certificate.n0, certificate.n) == (50, 1000)
    assert (certificate.arithmetic, certificate.seed, certificate.sigma) == ("exact", 1, 0.5)
    # The nearest point of the other class lies where the mean is one half; 6 = X.size.
    distance = (X.mean() / 255 - 0.5) * np.sqrt(6)
    assert 0 < certificate.radius < distance
    again = certify_from_counts(
        certificate.counts.selection, certificate.counts.estimation, sigma=0.5, alpha=0.001
    )
    assert (again.label, again.radius) == (certificate.label, certificate.radius)


def test_a_function_says_how_many_classes_it_has_by_an_attribute() -> None:
    def bright(batch: Batch) -> NDArray[np.int64]:
        return (batch.reshape(len(batch), -1).mean(axis=1) > 0.5).astype(np.int64)

    with pytest.raises(UsageError, match="num_classes"):
        SmoothedClassifier(bright, 0.5).certify(X, seed=1, radius="two-sided", **DRAW)
    bright.num_classes = 2  # type: ignore[attr-defined]
    certificate = SmoothedClassifier(bright, 0.5).certify(X, seed=1, radius="two-sided", **DRAW)
    assert certificate.label == 1


def test_a_seed_gives_the_same_result_whatever_runs_it() -> None:
    first = smooth().certify(X, seed=4, **DRAW)
    assert smooth(batch_size=7, workers=3).certify(X, seed=4, **DRAW) == first
    prediction = smooth().predict(X, n=500, seed=4)
    assert smooth(batch_size=13, workers=2).predict(X, n=500, seed=4) == prediction
    assert prediction.label == 1
    assert (prediction.seed, prediction.sigma, prediction.n) == (4, 0.5, 500)


def test_other_seeds_stages_and_inputs_draw_other_noise() -> None:
    def counted(x: NDArray[np.uint8], seed: int, stage: Any = "estimation") -> list[Counts]:
        """Count many short ranges, so that equal noise would be told from equal counts."""
        g = smooth()
        return [g.sample_counts(x, 8 * i, 8 * i + 8, stage=stage, seed=seed) for i in range(40)]

    other = X.copy()
    other[0, 0] += 1
    assert counted(X, 4) == counted(X, 4)
    drawn = [counted(X, 4), counted(X, 5), counted(other, 4)]
    drawn += [counted(X, 4, stage) for stage in ("selection", "prediction")]
    assert all(drawn.count(counts) == 1 for counts in drawn)


def test_without_a_seed_one_is_drawn_and_recorded() -> None:
    first, second = smooth().certify(X, **DRAW), smooth().certify(X, **DRAW)
    assert first.seed is not None
    assert first.seed != second.seed  # 128 bits: equal with probability 2^-128
    assert smooth().certify(X, seed=first.seed, **DRAW) == first


def test_sample_counts_add_up_to_the_certificate() -> None:
    found = smooth(batch_size=100)
    certificate = found.certify(X, seed=9, **DRAW)
    cuts = [0, 1, 250, 256, 700, 1000]
    parts = [found.sample_counts(X, a, b, stage="estimation", seed=9) for a, b in pairwise(cuts)]
    assert sum(parts[1:], parts[0]) == certificate.counts.estimation
    selection = found.sample_counts(X, 0, 50, stage="selection", seed=9)
    assert selection == certificate.counts.selection
    prediction = found.predict(X, n=200, seed=9)
    counted = found.sample_counts(X, 0, 200, stage="prediction", seed=9)
    assert counted == prediction.counts


def test_progress_adds_up_to_both_stages() -> None:
    seen: list[int] = []
    smooth().certify(X, seed=1, progress=seen.append, **DRAW)
    assert sum(seen) == 1050


def test_the_answer_without_noise() -> None:
    assert smooth().base_label(X) == 1
    assert smooth().base_label(255 - X) == 0
    assert smooth().base_label(X / 255) == 1
    assert smooth(Nothing()).base_label(X) == ABSTAIN


def test_answers_of_no_class_are_counted_and_never_certified() -> None:
    certificate = smooth(Nothing()).certify(X, seed=1, **DRAW)
    assert certificate.abstained
    assert (certificate.label, certificate.top_class, certificate.radius) == (ABSTAIN, ABSTAIN, 0.0)
    assert certificate.counts.estimation == Counts([0, 0, 0], 1000)
    assert certificate.counts.selection.no_class == 50
    assert "NaN" in str(certificate.explanation)
    prediction = smooth(Nothing()).predict(X, n=100, seed=1)
    assert (prediction.label, prediction.counts.no_class) == (ABSTAIN, 100)


def scoring_nan(folder: Path, bright: float) -> SmoothedClassifier:
    """Load a model with scores (mean, 0) + sqrt(bright - mean) * 0: NaN for a mean above bright."""
    made = [
        node("ReduceMean", ["x"], "mean", axes=[1], keepdims=1),
        node("Mul", ["mean", "axis"], "plain"),
        node("Sub", ["bright", "mean"], "room"),
        node("Sqrt", ["room"], "root"),
        node("Mul", ["root", "zero"], "nothing"),
        node("Add", ["plain", "nothing"], "scores"),
    ]
    weights = {
        "axis": np.array([1, 0], np.float32),
        "bright": np.array(bright, np.float32),
        "zero": np.array(0, np.float32),
    }
    path = save(build(made, ("n", 6), ("n", 2), weights), folder)
    return SmoothedClassifier(load(path, preprocess="none", providers="cpu"), 0.25)


def test_a_model_that_scores_nan_on_some_noise_loses_those_samples(tmp_path: Path) -> None:
    """The mean has standard deviation .25/sqrt(6) = .102, so about half lie above that of x."""
    x = X.reshape(6)
    certificate = scoring_nan(tmp_path, float(x.mean() / 255)).certify(x, seed=3, **DRAW)
    estimation = certificate.counts.estimation
    assert 400 < estimation.no_class < 600  # six standard deviations of Bin(1000, 1/2) are 95
    assert estimation.total == 1000
    assert certificate.abstained
    assert certificate.p_a_lower < 0.6


def test_a_model_that_scores_nothing_but_nan_abstains(tmp_path: Path) -> None:
    found = scoring_nan(tmp_path, -9.0)
    certificate = found.certify(X.reshape(6), seed=3, **DRAW)
    assert certificate.counts.estimation.no_class == 1000
    assert (certificate.label, certificate.radius) == (ABSTAIN, 0.0)
    assert found.base_label(X.reshape(6)) == ABSTAIN


def test_a_loaded_model_brings_its_shape_bounds_and_layout(tmp_path: Path) -> None:
    path = save(linear(), tmp_path)
    base = load(path, preprocess="none", providers="cpu", bounds=(0, 255))
    found = SmoothedClassifier(base, 64.0)
    assert found.bounds == (0.0, 255.0)
    x = np.random.default_rng(3).integers(0, 256, (1, 4, 4), np.uint8)
    point = found.point(x)
    assert (point.space.shape, point.space.layout) == ((1, 4, 4), "NCHW")
    assert found.batch_size == 128
    certificate = found.certify(x, seed=1, **DRAW)
    assert certificate == found.certify(x.astype(np.float32), seed=1, **DRAW)
    assert certificate == found.certify(point, seed=1, **DRAW)
    with pytest.raises(DataError, match=r"shape \(4, 4\), but \(1, 4, 4\) was expected"):
        found.certify(x[0], seed=1, **DRAW)


@pytest.mark.parametrize(
    ("x", "named"),
    [
        (np.array([0.5, np.nan]), "1 of 2 values"),
        (np.array([0.5, np.inf]), "1 of 2 values"),
        (np.array([0.5, 1.1]), "0.5 to 1.1"),
        (np.array([-0.2, 0.5]), "-0.2 to 0.5"),
        (np.array([200.0, 3.0]), "3 to 200"),
        (np.array([200, 3]), "3 to 200"),
        (np.ma.masked_greater(X, 150), "masked"),
        (np.array(["a"]), "U1"),
        (np.array([1j]), "complex128"),
    ],
)
def test_an_input_that_does_not_fit_is_refused(x: NDArray[Any], named: str) -> None:
    with pytest.raises(DataError, match=named):
        smooth().certify(x, seed=1, **DRAW)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"alpha": 0}, "alpha is 0"),
        ({"alpha": 1.0}, "alpha is 1.0"),
        ({"alpha": np.nan}, "alpha is nan"),
        ({"n0": 0}, "n0 is 0"),
        ({"n": -5}, "n is -5"),
        ({"n": 10.5}, "n is 10.5"),
        ({"n0": True}, "n0 is True"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 1.5}, "seed is 1.5"),
    ],
)
def test_numbers_out_of_range_are_refused(options: dict[str, Any], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        smooth().certify(X, **DRAW | options)
    if "n0" not in options:
        with pytest.raises(UsageError, match=named):
            smooth().predict(X, **{"n": 100} | options)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        *(({"sigma": value}, "sigma is") for value in (0, -1.0, np.nan, np.inf, "0.5")),
        ({"sigma": None}, "sigma"),
        ({"noise": Laplace(0.5)}, "sigma"),  # and a sigma
        ({"base": 3}, "int"),
        ({"arithmetic": "fuzzy"}, "'fuzzy'"),
        ({"bounds": (1, 0)}, "1 and 0"),
        ({"workers": 0}, "workers is 0"),
        ({"stream_version": 3}, "3"),
    ],
)
def test_what_makes_no_smoothed_classifier_is_refused(options: dict[str, Any], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        SmoothedClassifier(**{"base": Brightness(), "sigma": 0.5} | options)


@pytest.mark.parametrize(
    ("start", "stop", "stage"),
    [(-1, 5, "estimation"), (5, 5, "estimation"), (6, 5, "estimation"), (0, 5, "tuning")],
)
def test_a_range_or_stage_that_is_none_is_refused(start: int, stop: int, stage: Any) -> None:
    with pytest.raises(UsageError, match=f"{start}..{stop}|tuning"):
        smooth().sample_counts(X, start, stop, stage=stage, seed=1)
    with pytest.raises(UsageError, match="method"):
        smooth().predict(X, method="median")  # type: ignore[arg-type]


class Engine:
    """An engine that knows the answer, and loses all but one of so many samples."""

    def __init__(self, loses: int) -> None:
        self.loses = loses

    def count(
        self, requests: Sequence[CountRequest], progress: Progress | None = None
    ) -> list[Counts]:
        return [Counts([0, (r.stop - r.start) // self.loses]) for r in requests]

    def appetite(self, sample_shape: tuple[int, ...]) -> int:
        return 1000


def test_a_caller_s_own_engine_counts_and_must_lose_no_sample() -> None:
    g = smooth(engine=Engine(1))
    assert g.certify(X, seed=1, **DRAW).counts.estimation == Counts([0, 1000])
    assert g.batch_size is None
    with pytest.raises(InferenceError):
        smooth(engine=Engine(2)).certify(X, seed=1, **DRAW)


def test_bounds_that_contradict_the_model_s_are_refused(tmp_path: Path) -> None:
    """Its preprocessing was made for (0, 1): this is the mistake by a factor of 255."""
    base = load(save(linear(), tmp_path), preprocess="none", providers="cpu")
    with pytest.raises(UsageError):
        SmoothedClassifier(base, 64.0, bounds=(0, 255))


@pytest.mark.parametrize("label", [0.7, -2, True])
def test_an_answer_that_is_no_label_is_an_error_and_never_a_vote(label: Any) -> None:
    with pytest.raises(InferenceError):
        smooth(Answering(label)).base_label(X)
    with pytest.raises(InferenceError):
        smooth(Answering(label)).certify(X, seed=1, **DRAW)


@pytest.mark.parametrize("sigma", [np.float32(0.5), np.int64(1)])
def test_sigma_may_be_any_number_of_numpy(sigma: Any) -> None:
    assert Gaussian(sigma).sigma == float(sigma)


@pytest.mark.parametrize(
    "procedure",
    [
        Fixed(Gaussian(5.0), n0=10, n=100, alpha=0.01),
        Fixed(Laplace(0.5), n0=10, n=100, alpha=0.01),
        Adaptive(Gaussian(0.6), 10, 100, 0.01, (0.1,)),
        Enumerated(Splitting(1.0), X.shape),
        Predict(Gaussian(5.0), 100, 0.01, "majority"),
    ],
    ids=lambda procedure: type(procedure).__name__,
)
def test_a_procedure_for_other_noise_is_refused(procedure: Any) -> None:
    with pytest.raises(UsageError, match=re.escape(procedure.noise.label)):
        smooth(sigma=0.5).run(procedure, X, seed=1)


def test_counts_do_not_say_among_how_many_classes_alpha_is_shared() -> None:
    two_sided = Fixed(Gaussian(0.5), 10, 100, 0.01, radius_rule="two-sided")
    with pytest.raises(UsageError, match="num_classes"):
        smooth().run(two_sided, X, seed=1)
    assert smooth().run(replace(two_sided, num_classes=2), X, seed=1).label == 1


def test_masked_labels_are_no_votes() -> None:
    def half(batch: Batch) -> Any:
        return np.ma.masked_array(np.zeros(len(batch), int), np.arange(len(batch)) % 2)

    with pytest.raises(InferenceError, match="masked"):
        SmoothedClassifier(half, 0.5).certify(X, seed=1, **DRAW)


def test_an_input_without_values_is_refused() -> None:
    with pytest.raises(DataError, match="no value"):
        smooth(bounds=(0, 1)).certify(np.zeros((0, 3)), seed=1, **DRAW)
