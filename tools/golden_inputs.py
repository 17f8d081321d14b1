"""The models and the data of the golden runs; ``make_golden_runs.py`` has them made."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

GOLDEN = Path(__file__).resolve().parents[1] / "tests" / "golden"
INPUTS = GOLDEN / "inputs"
CLASSES, SIDE, WIDE, COUNT = 3, 4, 5, 3


def make_inputs() -> None:
    """Write the models and the data: random weights, so that no score ties with another."""
    shutil.rmtree(INPUTS, ignore_errors=True)
    INPUTS.mkdir(parents=True)
    image, pair, codes = (_weights(size, seed) for size, seed in ((16, 1), (25, 2), (9, 3)))
    bits, both = _weights(12, 4), np.concatenate([pair, -pair])
    _save("image", _scores(image), (1, SIDE, SIDE), image)
    _save("pair", _scores(both), (2, WIDE, WIDE), both)
    _save("codes", _scores(codes), (9,), codes)
    _save("bits", _scores(bits), (12,), bits)
    _save(
        "fed", [*_scores(codes, "raw"), _node("Mul", "raw scale", "scores")], (9,), codes, "scale"
    )
    _save("nan", [*_scores(image, "raw"), *_nan_below(0.51)], (1, SIDE, SIDE), image)
    _save("coupled", _dimmed(), (1, SIDE, SIDE), image)
    _save("score", _scores(codes[:, :1]), (9,), codes[:, 1:2] - codes[:, :1])
    _save("stump", [_stump()], (9,), None)
    labels = np.arange(COUNT) % CLASSES
    grey = _towards(image, labels)
    np.savez(INPUTS / "grey.npz", x=grey.reshape(COUNT, SIDE, SIDE), y=labels)
    np.savez(INPUTS / "off.npz", x=grey.reshape(COUNT, 1, SIDE, SIDE) / 260 + 0.001, y=labels)
    wide = _towards(pair, labels).reshape(COUNT, WIDE, WIDE)
    np.savez(INPUTS / "wide.npz", x=wide, y=labels)
    table = np.rint(_towards(codes, labels) / 255 * 3).astype(np.float32)
    np.savez(INPUTS / "codes.npz", x=table, y=labels)
    np.savez(INPUTS / "table.npz", x=table * np.float32(0.9) + np.float32(0.0625), y=labels)
    np.savez(INPUTS / "binary.npz", x=table, y=labels % 2)
    np.savez(INPUTS / "bits.npz", x=(_towards(bits, labels) > 127).astype(np.float32), y=labels)
    _save_mixed()
    (INPUTS / "sigmas.txt").write_text("0.25\n0.5\n" * 8)
    (INPUTS / "names.txt").write_text("cat\ndog\nemu\n")
    for name, picture in zip(("cat/a", "dog/b", "emu/c"), grey, strict=False):
        path = INPUTS / "folder" / f"{name}.png"
        path.parent.mkdir(parents=True)
        Image.fromarray(picture.reshape(SIDE, SIDE)).save(path)


def _save_mixed() -> None:
    """Write a model with an input a column, one of text, and a table with these in another order.

    The score of class 0 has a, b and red, that of class 1 the others.
    """
    keys = {"keys_strings": ["red"], "values_floats": [1.0], "default_float": -1.0}
    nodes = [
        _node("LabelEncoder", "k", "red", domain="ai.onnx.ml", **keys),
        _node("Concat", "a b c red", "flat", axis=1),
        _node("MatMul", "flat w", "scores"),
    ]
    kinds = {"a": TensorProto.FLOAT, "b": TensorProto.FLOAT, "k": TensorProto.STRING}
    kinds["c"] = TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "mixed",
        [helper.make_tensor_value_info(name, kind, ["N", 1]) for name, kind in kinds.items()],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 2])],
        [numpy_helper.from_array(np.array([[1, 0], [1, 0], [0, 1], [1, 0]], np.float32), "w")],
    )
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("ai.onnx.ml", 2)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="")
    (INPUTS / "mixed.onnx").write_bytes(model.SerializeToString())
    rows = ["k,c,label,b,a", "red,0.5,0,0.25,2", "blue,2,1,0.125,0.5", "green,1,1,0.5,1.25"]
    (INPUTS / "mixed.csv").write_text("\n".join([*rows, ""]))


def _weights(size: int, seed: int) -> NDArray[np.float32]:
    """Return weights by which an input of one value everywhere has no class."""
    weights = np.random.default_rng(seed).standard_normal((size, CLASSES))
    return (weights - weights.mean(axis=0)).astype(np.float32)


def _towards(weights: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return inputs that are more and more of their class, from hardly to certainly."""
    lead = weights.T[labels] - weights.mean(axis=1)
    more = np.linspace(0.02, 0.9, len(labels))[:, np.newaxis]
    noise = np.random.default_rng(9).normal(0, 0.03, lead.shape)
    return np.rint(255 * np.clip(0.5 + more * np.sign(lead) / 2 + noise, 0, 1)).astype(np.uint8)


def _node(operator: str, inputs: str, outputs: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(operator, inputs.split(), outputs.split(), **attributes)


def _scores(weights: NDArray[np.float32], output: str = "scores") -> list[onnx.NodeProto]:
    del weights
    return [_node("Flatten", "x", "flat"), _node("MatMul", "flat w", output)]


def _nan_below(mean: float) -> list[onnx.NodeProto]:
    """Return nodes that make all scores NaN where the mean of an input is below a number."""
    level = helper.make_tensor("level", TensorProto.FLOAT, [], [mean])
    return [
        helper.make_node("Constant", [], ["least"], value=level),
        _node("ReduceMean", "flat", "mean", axes=[1], keepdims=1),
        _node("Sub", "mean least", "above"),
        _node("Log", "above", "log"),
        _node("Sub", "log log", "zero"),
        _node("Add", "raw zero", "scores"),
    ]


def _dimmed() -> list[onnx.NodeProto]:
    """Return nodes that dim a batch where any value of it is beyond what noise reaches here."""
    limit, dim = (
        helper.make_tensor(n, TensorProto.FLOAT, [], [v]) for n, v in (("l", 99), ("d", 9))
    )
    return [
        _node("Flatten", "x", "flat"),
        helper.make_node("Constant", [], ["limit"], value=limit),
        helper.make_node("Constant", [], ["dim"], value=dim),
        _node("ReduceMax", "flat", "most", keepdims=0),
        _node("Greater", "most limit", "large"),
        _node("Div", "flat dim", "dimmed"),
        _node("Where", "large dimmed flat", "chosen"),
        _node("MatMul", "chosen w", "scores"),
    ]


def _stump() -> onnx.NodeProto:
    """Return a tree of one decision: x0 <= 1.5 is class 0, else class 1."""
    return helper.make_node(
        "TreeEnsembleClassifier",
        ["x"],
        ["label", "scores"],
        domain="ai.onnx.ml",
        nodes_treeids=[0] * 3,
        nodes_nodeids=[0, 1, 2],
        nodes_featureids=[0] * 3,
        nodes_values=[1.5, 0.0, 0.0],
        nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"],
        nodes_truenodeids=[1, 0, 0],
        nodes_falsenodeids=[2, 0, 0],
        class_treeids=[0] * 2,
        class_nodeids=[1, 2],
        class_ids=[0, 1],
        class_weights=[1.0, 1.0],
        classlabels_int64s=list(range(CLASSES)),
        post_transform="NONE",
    )


def _save(
    name: str,
    nodes: Sequence[onnx.NodeProto],
    shape: Sequence[int],
    weights: NDArray[np.float32] | None,
    fed: str | None = None,
) -> None:
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *shape])]
    if fed is not None:
        inputs.append(helper.make_tensor_value_info(fed, TensorProto.FLOAT, [1]))
    classes = CLASSES if weights is None else weights.shape[1]
    outputs = [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", classes])]
    opsets = [helper.make_opsetid("", 13)]
    if weights is None:
        outputs.insert(0, helper.make_tensor_value_info("label", TensorProto.INT64, ["N"]))
        opsets.append(helper.make_opsetid("ai.onnx.ml", 1))
    stored = [] if weights is None else [numpy_helper.from_array(weights, "w")]
    graph = helper.make_graph(list(nodes), name, inputs, outputs, stored)
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="")
    (INPUTS / f"{name}.onnx").write_bytes(model.SerializeToString())
