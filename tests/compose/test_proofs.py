"""Every composition of parts whose rows are proved is proved, and answers each row as alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx_models import (
    FLOAT,
    INT64,
    batch_mean,
    build,
    linear,
    linear_classifier,
    node,
    tensor,
    tree_classifier,
    with_outputs,
)

import rsonnx
from rsonnx.compose import consensus, ensemble

SHAPE = ("n", 4)
BOX: dict[str, Any] = {"preprocess": "none", "bounds": (-2, 2)}
RANDOM = np.random.default_rng(20)


def _weights(*shape: int) -> NDArray[np.float32]:
    return RANDOM.standard_normal(shape).astype(np.float32)


def _net(opset: int, *middle: onnx.NodeProto, **weights: NDArray[Any]) -> onnx.ModelProto:
    """Make a net of two layers with nodes between them, from ``hidden`` to ``changed``."""
    made = [
        node("MatMul", ["x", "w1"], "hidden"),
        *middle,
        node("Gemm", ["changed", "w2", "b"], "scores"),
    ]
    stored = {"w1": _weights(4, 6), "w2": _weights(6, 3), "b": _weights(3)} | weights
    return build(made, SHAPE, ("n", 3), stored, opset=opset)


def _classical(*nodes: onnx.NodeProto) -> onnx.ModelProto:
    return with_outputs(
        nodes, [tensor("label", INT64, ["n"]), tensor("scores", FLOAT, ["n", 3])], shape=SHAPE
    )


LARGEST = [
    node("ReduceMax", ["hidden"], "most", axes=[1]),
    node("Sub", ["hidden", "most"], "changed"),
]
PARTS: dict[str, onnx.ModelProto] = {
    "old": _net(9, node("Relu", ["hidden"], "changed")),
    "new": _net(20, node("Gelu", ["hidden"], "changed")),
    "guarded": _net(13, *LARGEST),
    "softmax": _net(11, node("Softmax", ["hidden"], "changed", axis=1)),
    "reshaped": _net(
        17,
        node("Reshape", ["hidden", "apart"], "two"),
        node("LayerNormalization", ["two", "scale"], "norm", axis=-1),
        node("Flatten", ["norm"], "changed"),
        apart=np.array([0, 2, 3]),
        scale=_weights(3),
    ),
    "float16": linear(SHAPE, 3, dtype="float16"),
    "float64": linear(SHAPE, 3, dtype="float64", seed=2),
    "fixed batch": linear((5, 4), 3, seed=3),
    "labelled": _classical(linear_classifier(post_transform="NONE")),
    "trees": _classical(tree_classifier()),
}
JOINED = [
    ("old", "new", "guarded"),
    ("guarded", "softmax", "reshaped"),
    ("reshaped", "float16", "guarded"),
    ("float64", "labelled", "old"),
    ("fixed batch", "old", "softmax"),
    ("trees", "old", "labelled"),
    ("old", "reshaped", "trees"),
]


def test_a_part_that_couples_rows_is_not_proved_by_its_place() -> None:
    parts = [linear(("n", 4), 4, seed=1), linear(("n", 4), 4, seed=2), batch_mean()]
    for at in range(3):
        turned = parts[at:] + parts[:at]
        for model in (ensemble(*turned, declared=BOX), consensus(*turned, k=2, declared=BOX)):
            assert rsonnx.load(model, providers=["cpu"]).rows == "alone"


CLASSICAL = {"labelled", "trees"}
X = 2 * np.random.default_rng(5).standard_normal((40, 4)).astype(np.float32)
X[::9, 1] = np.nan


@pytest.mark.parametrize("names", JOINED, ids=", ".join)
@pytest.mark.parametrize("how", ["hard", "sum", "all", "two"])
def test_it_is_proved_and_answers_each_row_as_alone(names: tuple[str, ...], how: str) -> None:
    members = [PARTS[name] for name in names]
    declared = [
        BOX | ({"output_name": "scores"} if how != "hard" and name in CLASSICAL else {})
        for name in names
    ]
    alone = [
        rsonnx.load(part, **said, providers=["cpu"])
        for part, said in zip(members, declared, strict=True)
    ]
    assert {member.rows for member in alone} == {"proved"}
    labels = np.stack([member.classify(X) for member in alone])
    vote = "probabilities" if "trees" in names else "soft"
    if how == "hard":
        model = ensemble(*members, vote="hard", declared=declared)
        values = (labels[:, :, None] == np.arange(3)).sum(axis=0)
    else:
        scores = np.stack([member.scores(X).astype(np.float32) for member in alone])
        if vote == "probabilities":
            raised = np.exp(scores - scores.max(axis=2, keepdims=True))
            is_tree = np.array([name == "trees" for name in names])[:, None, None]
            scores = np.where(is_tree, scores, raised / raised.sum(axis=2, keepdims=True))
        values = scores.sum(axis=0)
        model = (
            ensemble(*members, vote=vote, declared=declared)
            if how == "sum"
            else consensus(*members, k=2 if how == "two" else 3, vote=vote, declared=declared)
        )
    expected = np.where((labels == -1).any(axis=0), -1, values.argmax(axis=1))
    if how in ("all", "two"):
        first = labels[: 2 if how == "two" else 3]
        expected = np.where((first == first[0]).all(axis=0), labels[0], expected)
    classifier = rsonnx.load(model, providers=["cpu"])
    assert classifier.rows == "proved", classifier.facts["batch"]
    for size in (1, 3, len(X)):
        made = [classifier.classify(X[at : at + size]) for at in range(0, len(X), size)]
        assert np.concatenate(made).tolist() == expected.tolist()
