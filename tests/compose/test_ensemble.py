"""Ensembles and consensus: their answers are the rule's, written out in numpy on their members'."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx_models import (
    FLOAT,
    STRING,
    build,
    linear,
    linear_classifier,
    node,
    tensor,
    with_outputs,
)
from row_oracle import session

import rsonnx
from rsonnx.compose import consensus, ensemble
from rsonnx.data import open_dataset

NONE: dict[str, Any] = {"preprocess": "none", "bounds": (-4, 4)}


def answers(model: onnx.ModelProto, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Run a model as anybody does."""
    running = session(model)
    scores: NDArray[np.float32] = running.run(None, {running.get_inputs()[0].name: x})[0]
    return scores


def fixed(logits: Sequence[float]) -> onnx.ModelProto:
    """Make a model that gives every input the same scores."""
    classes = len(logits)
    weights = {"w": np.zeros((2, classes), np.float32), "b": np.array(logits, np.float32)}
    return build([node("Gemm", ["x", "w", "b"], "scores")], ("n", 2), ("n", classes), weights)


# expected values: 12 cases of label rules, the shared half of `ensembles.json` (FIELD.md, J), whose
# rules are those of arXiv 2106.06946; the lowest index wins a tie.
CASES: list[tuple[list[list[float]], int, int, int, int, int]] = [
    ([[-4, 0, -4], [-3, 0, 4], [0, 3, 4], [3, 1, -1], [0, -2, 0]], 2, 2, 0, 2, 2),
    ([[-4, 2, -2, -2], [-3, -3, 4, -1], [-4, -3, -1, -1], [-2, 4, 3, 1], [4, -1, -3, -2]],
     3, 2, 1, 1, 2),
    ([[-1, 4, 3], [-1, -1, 2], [4, -4, -4], [-2, -1, -3]], 3, 0, 1, 1, 0),
    ([[0, 1], [-1, -2], [-3, 4], [2, 0]], 3, 1, 0, 1, 1),
    ([[-2, 3, 0], [4, 1, 1], [-4, 1, -1], [3, -3, -3], [1, 2, 3]], 2, 1, 0, 1, 1),
    ([[-2, -2, 2, 0], [-3, 2, 1, 4], [1, -3, 3, -3], [-4, 3, 0, 1], [-3, 2, -1, 4]],
     2, 3, 2, 3, 3),
    ([[-1, -1], [0, -4], [-1, 3], [-1, 0]], 2, 1, 0, 1, 0),
    ([[3, 3], [4, 2], [3, 2], [-2, 3], [2, 2]], 4, 1, 0, 0, 1),
    ([[4, -1], [1, -1], [3, -4]], 2, 0, 0, 0, 0),
    ([[-4, 2, -2], [3, 2, -1], [0, 2, -1]], 2, 1, 1, 1, 1),
    ([[1, 4, 2, 0], [0, -1, -4, 2], [0, 0, 4, 2], [4, -4, 4, 1], [-1, 1, -4, 4]], 2, 3, 3, 3, 3),
    ([[-4, -3], [-2, 3], [0, -3], [2, 0]], 2, 1, 0, 0, 1),
]  # fmt: skip


@pytest.mark.parametrize(("logits", "k", "soft", "hard", "probabilities", "agreed"), CASES)
def test_labels_are_those_of_the_golden_cases(
    logits: list[list[float]], k: int, soft: int, hard: int, probabilities: int, agreed: int
) -> None:
    members = list(map(fixed, logits))
    x = np.zeros((3, 2), np.float32)
    for vote, label in {"soft": soft, "hard": hard, "probabilities": probabilities}.items():
        scores = answers(ensemble(*members, vote=vote, declared=NONE), x)
        assert scores.argmax(axis=1).tolist() == [label] * 3
    scores = answers(consensus(*members, k=k, declared=NONE), x)
    assert scores.argmax(axis=1).tolist() == [agreed] * 3


def half_space(axis: int) -> onnx.ModelProto:
    """Make a model that answers class 1 where one value is above 0, with scores (0, value)."""
    w = np.zeros((3, 2), np.float32)
    w[axis, 1] = 1
    return build([node("MatMul", ["x", "w"], "scores")], ("n", 3), ("n", 2), {"w": w})


# m, sigma, then p of class 1 by soft, hard, weighted (2, 1, 1) and consensus of the first 2: closed
# forms to 20 digits, consensus by Gauss-Legendre to 1e-12 (`ensembles.json`, shared half).
HALF_SPACES = [
    ([0.6, 0.4, -0.1], 0.5,
     0.85065122200251492163, 0.81448988677122428593, 0.88966431904007659943, 0.8824096685356),
    ([1.0, -0.5, 0.4], 1.0,
     0.69833411385406673678, 0.67296709741949815041, 0.78102858855001304126, 0.6875227086920),
    ([0.05, 0.1, 0.6], 0.25,
     0.95836774166822479622, 0.85112524115965992687, 0.90429078738119636261, 0.8440135536470),
]  # fmt: skip


@pytest.mark.parametrize(("m", "sigma", "soft", "hard", "weighted", "agreed"), HALF_SPACES)
def test_half_spaces_have_their_probabilities_and_never_more_than_their_radii(
    m: list[float], sigma: float, soft: float, hard: float, weighted: float, agreed: float
) -> None:
    members = [half_space(axis) for axis in range(3)]
    composed = {
        soft: ensemble(*members, declared=NONE),
        hard: ensemble(*members, vote="hard", declared=NONE),
        weighted: ensemble(*members, weights=(2, 1, 1), declared=NONE),
        agreed: consensus(*members, k=2, declared=NONE),
    }
    for p, model in composed.items():
        smooth = rsonnx.SmoothedClassifier(rsonnx.load(model, providers=["cpu"]), sigma=sigma)
        certificate = smooth.certify(np.array(m, np.float32), n0=100, n=20_000, seed=11)
        share = certificate.counts.estimation[1] / 20_000
        # 5 standard deviations: a false alarm in 1.7 million, 12 times.
        assert abs(share - p) < 5 * (p * (1 - p) / 20_000) ** 0.5
        assert certificate.label == 1
        assert 0 < certificate.radius < sigma * NormalDist().inv_cdf(p)


SAMPLES = Path(__file__).parents[2] / "sample_models"
MNIST = [
    SAMPLES / f"mnist_lenet_{how}_0.50.onnx" for how in ("gaussian", "consistency", "smoothadv")
]


def noisy_digits(sigma: float, seed: int) -> NDArray[np.float32]:
    """Return 300 digits of the sample with noise."""
    dataset = open_dataset(SAMPLES / "mnist_test_500")
    pixels = np.stack([dataset[at].values for at in range(300)]).reshape(-1, 1, 28, 28) / 255
    noise = np.random.default_rng(seed).standard_normal(pixels.shape)
    return np.asarray(pixels + sigma * noise, np.float32)


def test_consensus_of_digits_is_the_rule_in_full_for_every_batch_and_saves_calls() -> None:
    alone = [rsonnx.load(path, providers=["cpu"]) for path in MNIST]
    composed = consensus(*MNIST, k=2)
    classifier = rsonnx.load(composed, providers=["cpu"])
    assert classifier.rows == "proved"
    changed = False
    for sigma, seed in ((0.25, 1), (0.5, 2), (1.0, 3)):
        x = noisy_digits(sigma, seed)
        scores = [member.scores(x) for member in alone]
        labels = [member.classify(x) for member in alone]
        agree = labels[0] == labels[1]
        whole = (scores[0] + scores[1]) + scores[2]
        expected = np.where(agree, labels[0], whole.argmax(axis=1))
        for size in (1, 7, 300):
            parts = np.split(x, range(size, len(x), size))
            assert np.concatenate(list(map(classifier.classify, parts))).tolist() == (
                expected.tolist()
            )
        changed |= bool((expected != labels[0]).any())
        if sigma <= 0.5:
            # Of three calls an input the third is saved where the first two agree.
            assert agree.mean() / 3 >= 0.25
    assert changed


def fragile(limit: float) -> onnx.ModelProto:
    """Make a model of scores (0, first value) that fails where this is above a limit."""
    weights = {
        "first": np.array([0]),
        "limit": np.array([limit], np.float32),
        "far": np.array([1000]),
        "zero": np.array([[0.0]], np.float32),
        "w": np.array([[0, 1]], np.float32),
    }
    made = [
        node("Gather", ["x", "first"], "value", axis=1),
        node("Greater", ["value", "limit"], "above"),
        node("Cast", ["above"], "one", to=onnx.TensorProto.INT64),
        node("Mul", ["one", "far"], "place"),
        node("GatherND", ["zero", "places"], "nothing"),
        node("Add", ["value", "nothing"], "sum"),
        node("MatMul", ["sum", "w"], "scores"),
    ]
    made.insert(4, node("Concat", ["place", "place"], "places", axis=1))
    made[5] = node("GatherND", ["zero", "places"], "taken")
    made.insert(6, node("Unsqueeze", ["taken", "axis"], "nothing"))
    weights["axis"] = np.array([1])
    return build(made, ("n", 3), ("n", 2), weights)


def test_the_rest_runs_on_rows_alone_on_which_the_first_disagree() -> None:
    model = consensus(half_space(0), half_space(1), fragile(9), k=2, declared=NONE)
    agreed = np.array([[10, 1, 0], [-1, -1, 0], [-3, -2, 0]], np.float32)
    differing = np.array([[1, -2, 0], [3, -2, 0]], np.float32)
    assert answers(model, agreed).argmax(axis=1).tolist() == [1, 0, 0]
    assert answers(model, np.concatenate([agreed, differing])).argmax(axis=1).tolist() == [
        *(1, 0, 0),
        *(0, 1),
    ]
    with pytest.raises(Exception, match="invalid index"):
        answers(model, np.array([[1, 1, 0], [10, -1, 0]], np.float32))


@pytest.mark.parametrize("version", [1, 2, 3])
def test_labels_that_are_texts_vote_beside_scores(version: int) -> None:
    """Whatever version of the operator set for texts the one has, and the other has none."""
    names = ["cat", "dog"]
    outputs = [tensor("label", STRING, ["n"]), tensor("scores", FLOAT, ["n", 2])]
    labelled = with_outputs([linear_classifier(names, features=3)], outputs, shape=("n", 3))
    labelled.opset_import[0].version = version
    members = [labelled, half_space(0), half_space(1)]
    x = np.random.default_rng(3).standard_normal((50, 3)).astype(np.float32)
    labels = np.stack([rsonnx.load(m, **NONE, providers=["cpu"]).classify(x) for m in members])
    for order in ((0, 1, 2), (2, 0, 1)):
        model = ensemble(*(members[at] for at in order), vote="hard", declared=NONE)
        voted = rsonnx.load(model, providers=["cpu"])
        assert voted.class_names == tuple(names)
        assert voted.classify(x).tolist() == (labels.sum(axis=0) > 1).astype(int).tolist()


def test_an_input_that_is_no_class_to_a_member_is_none() -> None:
    root = build(
        [node("Sqrt", ["x"], "root"), node("MatMul", ["root", "w"], "scores")],
        ("n", 3),
        ("n", 2),
        {"w": np.array([[0, 1], [0, 0], [0, 0]], np.float32)},
    )
    x = np.array([[1, 1, 0], [1, -1, 0], [-1, 1, 0], [-1, -1, 0]], np.float32)
    for vote in ("soft", "hard", "probabilities"):
        model = ensemble(half_space(1), root, vote=vote, declared=NONE)
        none = rsonnx.load(model, providers=["cpu"]).classify(x) == -1
        assert none.tolist() == (x < 0).any(axis=1).tolist()
    # The first two agree on row 0 and 3; the root is asked of rows 1 and 2 alone.
    model = consensus(half_space(0), half_space(1), root, k=2, declared=NONE)
    assert rsonnx.load(model, providers=["cpu"]).classify(x).tolist() == [1, -1, -1, 0]


def test_each_part_keeps_its_own_preprocessing_layout_and_operator_set() -> None:
    shapes = {"NCHW": ("n", 3, 6, 5), "NHWC": ("n", 6, 5, 3), "flat": ("n", 90)}
    moved: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
        "NCHW": lambda x: x,
        "NHWC": lambda x: x.transpose(0, 2, 3, 1),
        "flat": lambda x: x.transpose(0, 2, 3, 1).reshape(len(x), -1),
    }
    members = {
        "NCHW": linear(shapes["NCHW"], seed=1, opset=9),
        "NHWC": linear(shapes["NHWC"], seed=2, opset=17, ir_version=8),
        "flat": linear(shapes["flat"], seed=3, opset=13, dtype="float16"),
    }
    declared = [
        {"preprocess": "mean=.5,std=.25,layout=NCHW"},
        {"preprocess": "scale=255,mean=10,std=20,layout=NHWC"},
        {"preprocess": "zero-one,layout=NHWC"},
    ]
    x = np.random.default_rng(4).random((9, 3, 6, 5)).astype(np.float32)
    fed = {"NCHW": (x - 0.5) / 0.25, "NHWC": (255 * x - 10) / 20, "flat": x}
    total = np.zeros((9, 5))
    for name, member in members.items():
        kind = np.float16 if name == "flat" else np.float32
        total += answers(member, moved[name](fed[name]).astype(kind))
    composed = ensemble(*members.values(), declared=declared)
    np.testing.assert_allclose(answers(composed, x), total, rtol=1e-3, atol=0.02)
    classifier = rsonnx.load(composed, providers=["cpu"])
    assert (classifier.shape, classifier.layout, classifier.rows) == ((3, 6, 5), "NCHW", "proved")
