"""What a vector of numbers is where it is no vector of class scores, as far as the file tells.

The largest of them is a class of a kind all the same, so it may be certified where a user insists
on it by naming the output.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import onnx

from rsonnx.model.graph import GraphView, whole
from rsonnx.model.label import behind
from rsonnx.model.read import ModelFile
from rsonnx.model.tensors import TensorSpec

_MOVING = {
    *("Cast", "Clip", "DequantizeLinear", "Dropout", "Flatten", "Identity", "QuantizeLinear"),
    *("Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze"),
}
"""Operators that leave what a vector is."""

_SIGMOIDS = {"HardSigmoid", "QLinearSigmoid", "Sigmoid"}
_REGRESSORS = {"LinearRegressor", "SVMRegressor", "TreeEnsembleRegressor"}
_TRANSFORMERS = {"Binarizer", "FeatureVectorizer", "Imputer", "OneHotEncoder", "Scaler"}
_NORMS = {"ReduceL2", "Sqrt"}
_EMBEDDING = re.compile(
    r"(.*[_./:-])?((\w+_)?embed(ding)?s?|features?|feature_vector|descriptors?|last_hidden_state"
    r"|pooler_output)(:0|_?\d+)?",
    re.IGNORECASE,
)
_LONGEST_NAME = 200
_DETECTING = {"NonMaxSuppression", "EfficientNMS_TRT", "BatchedNMS_TRT", "RoiAlign", "MaxRoiPool"}
_DETECTING_TASKS = {"detect", "segment", "pose", "obb"}
_OTHER_TASK = re.compile("multi[-_ ]?label|regression|feature[-_ ]extraction|detection", re.I)

SIGMOIDS = "independent sigmoids"


def kind_of_head(model: ModelFile, view: GraphView, spec: TensorSpec, tensor: str) -> str | None:
    """Return in words what an output is if it is no vector of class scores, else None.

    Args:
        model: the model.
        view: its graph.
        spec: the output.
        tensor: the tensor behind it that answers.
    """
    return next(_kinds_of_head(model, view, spec, tensor), None)


def _kinds_of_head(
    model: ModelFile, view: GraphView, spec: TensorSpec, tensor: str
) -> Iterator[str]:
    for key in ("task", "problem_type"):
        task = model.metadata.get(key, "")
        if task in _DETECTING_TASKS or _OTHER_TASK.search(task):
            yield f"a model for {task[:40]!r}, by its metadata"
    if any(n.op_type in _DETECTING for n in view.needed([tensor])[1]):
        yield "a detector's boxes or their scores"
    node = view.producer(behind(view, tensor, _MOVING))
    if node is None:
        return
    if _are_sigmoids(view, node):
        yield SIGMOIDS
    if node.op_type in _REGRESSORS:
        yield f"a regressor's values ({node.op_type})"
    if node.op_type in _TRANSFORMERS:
        yield f"transformed features ({node.op_type})"
    if model.proto.producer_name == "skl2onnx" and re.fullmatch(r"variable\d*", spec.name):
        yield "what skl2onnx calls the output of a regressor or a transformer"
    if _is_unit_vector(view, node):
        yield "an embedding, scaled to length 1"
    if len(spec.name) <= _LONGEST_NAME and _EMBEDDING.fullmatch(spec.name):
        yield "an embedding, by its name"


def is_detector(specs: tuple[TensorSpec, ...]) -> bool:
    """Return whether outputs are a detector's: boxes beside labels and scores."""
    names = [spec.name.lower() for spec in specs]
    return any("box" in name or "num_det" in name for name in names) and len(names) > 1


def are_anchors(spec: TensorSpec) -> bool:
    """Return whether an output has the shape of a detector's anchors: (N, anchors, 4 + classes)."""
    axes = spec.shape[1:]
    if len(axes) != 2 or not all(isinstance(d, int) for d in axes):
        return False
    few, many = sorted(int(d) for d in axes if isinstance(d, int))
    return few >= 5 and many >= 4 * few and many >= 100


def _are_sigmoids(view: GraphView, node: onnx.NodeProto) -> bool:
    """Return whether a vector is made of sigmoids, each of its own number."""
    if node.op_type in _SIGMOIDS:
        return True
    if node.op_type == "Concat":
        parts = [view.producer(behind(view, name, _MOVING)) for name in node.input]
        return bool(parts) and all(p is not None and p.op_type in _SIGMOIDS for p in parts)
    # 1 / (1 + exp(-x)), written out.
    if node.op_type == "Reciprocal":
        below = view.producer(view.source(node.input[0])) if node.input else None
    elif node.op_type == "Div" and len(node.input) == 2 and _is_one(view, node.input[0]):
        below = view.producer(view.source(node.input[1]))
    else:
        return False
    if below is None or below.op_type != "Add" or len(below.input) != 2:
        return False
    makers = [view.producer(view.source(name)) for name in below.input]
    is_exp = [maker is not None and maker.op_type == "Exp" for maker in makers]
    return any(is_exp) and any(_is_one(view, name) for name in below.input)


def _is_one(view: GraphView, tensor: str) -> bool:
    found = view.constant(view.source(tensor))
    return found is not None and found.dtype.kind == "f" and bool((found == 1).all())


def _is_unit_vector(view: GraphView, node: onnx.NodeProto) -> bool:
    """Return whether a vector is divided by its length."""
    if node.op_type == "LpNormalization":
        return whole(node, "p", 2) == 2
    if node.op_type != "Div" or len(node.input) != 2:
        return False
    guards = {"Add", "Cast", "Clip", "Expand", "Identity", "Max", "Unsqueeze"}
    length = view.producer(behind(view, node.input[1], guards))
    if length is None or length.op_type not in _NORMS or not length.input:
        return False
    if length.op_type == "ReduceL2":
        return view.source(length.input[0]) == view.source(node.input[0])
    total = view.producer(view.source(length.input[0]))
    if total is None or total.op_type not in {"ReduceSum", "ReduceSumSquare"} or not total.input:
        return False
    squared = view.producer(view.source(total.input[0]))
    sources = {view.source(name) for name in ([] if squared is None else squared.input)}
    square = squared is not None and squared.op_type in {"Mul", "Pow"}
    return total.op_type == "ReduceSumSquare" or (square and view.source(node.input[0]) in sources)
