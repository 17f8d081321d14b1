"""What a vector of numbers is where it is no vector of class scores, as far as the file tells.

The largest of them is a class of a kind all the same, so it may be certified where a user insists
on it by naming the output.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import onnx

from rsonnx.model.file import ModelFile
from rsonnx.model.graph import FLOATS, GraphView, TensorSpec, attribute, whole
from rsonnx.model.label import ml_classes

_MOVING = {
    *("Cast", "Clip", "DequantizeLinear", "Dropout", "Flatten", "Identity", "QuantizeLinear"),
    *("Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"),
}
"""Operators that leave what a vector is."""

_SIGMOIDS = {"HardSigmoid", "QLinearSigmoid", "Sigmoid"}
_REGRESSORS = {"LinearRegressor", "SVMRegressor", "TreeEnsembleRegressor"}
_TRANSFORMERS = {"Binarizer", "FeatureVectorizer", "Imputer", "OneHotEncoder", "Scaler"}
_GUARDS = {"Add", "Cast", "Clip", "Expand", "Identity", "Max", "Unsqueeze"}
"""Operators that keep a length from 0, or bring it to the vector's shape."""

_EMBEDDING = re.compile(
    r"(.*[_./:-])?((\w+_)?embed(ding)?s?|features?|feature_vector|descriptors?|last_hidden_state"
    r"|pooler_output)(:0|_?\d+)?",
    re.IGNORECASE,
)
_LONGEST_NAME = 200
_DETECTING = {"NonMaxSuppression", "EfficientNMS_TRT", "BatchedNMS_TRT", "RoiAlign", "MaxRoiPool"}
_DETECTING_TASKS = {"detect", "segment", "pose", "obb"}
_OTHER_TASK = re.compile("multi[-_ ]?label|regression|feature[-_ ]extraction|detection", re.I)

_BY_CONSTANTS = {
    *("Add", "And", "ArrayFeatureExtractor", "Ceil", "Div", "Floor", "Gather", "Log", "Max", "Min"),
    *("Mul", "Not", "Or", "Pow", "Round", "Sign", "Sub", "Where"),
}
_THRESHOLDS = {"Greater", "GreaterOrEqual", "Less", "LessOrEqual"}
_PICKING = {"ArrayFeatureExtractor", "Gather", "Slice", "Split"}
_MOST_STEPS = 32

SIGMOIDS = "independent sigmoids"
THRESHOLDS = "independent truth values"
INDEPENDENT = {SIGMOIDS, THRESHOLDS}


def kind_of_head(  # noqa: PLR0911 - one kind after the other
    model: ModelFile, spec: TensorSpec, tensor: str
) -> str | None:
    """Return in words what an output, by the tensor that answers, is in place of class scores."""
    view = model.view
    for key in ("task", "problem_type"):
        task = model.metadata.get(key, "")
        if task in _DETECTING_TASKS or _OTHER_TASK.search(task):
            return f"a model for {task[:40]!r}, by its metadata"
    if any(n.op_type in _DETECTING for n in view.needed([tensor])[1]):
        return "a detector's boxes or their scores"
    kind = independent(view, spec, tensor)
    node = view.producer(view.behind(tensor, _MOVING))
    if kind is not None or node is None:
        return kind
    if node.op_type in _REGRESSORS:
        return f"a regressor's values ({node.op_type})"
    if node.op_type in _TRANSFORMERS:
        return f"transformed features ({node.op_type})"
    if model.proto.producer_name == "skl2onnx" and re.fullmatch(r"variable\d*", spec.name):
        return "what skl2onnx calls the output of a regressor or a transformer"
    if any(_is_unit_vector(view, n) for _, n in _alone(view, tensor)):
        return "an embedding, scaled to length 1"
    is_embedding = len(spec.name) <= _LONGEST_NAME and _EMBEDDING.fullmatch(spec.name)
    return "an embedding, by its name" if is_embedding else None


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


def independent(view: GraphView, spec: TensorSpec, tensor: str) -> str | None:
    """Return in words what a vector is whose elements are each true or not; None for any other.

    The shape of the output may be unknown, or wrong.
    """
    if not spec.is_wide and any(n.op_type in _PICKING for _, n in _alone(view, tensor)):
        return None  # one of them
    # A lone axis is that of the batch for labels, and may be that of the classes for floats.
    axes = 1 if spec.dtype in FLOATS else 0
    made = _alone(view, tensor)
    return next(filter(None, (_truth(view, node, name, axes) for name, node in made)), None)


def _alone(view: GraphView, tensor: str) -> Iterator[tuple[str, onnx.NodeProto]]:
    """Yield what a vector is made of, element by element, by constants alone."""
    for _ in range(_MOST_STEPS):
        node = view.producer(tensor)
        if node is None:
            return
        yield tensor, node
        operands = [name for name in node.input if name and view.depends_on_input(name)]
        if node.op_type not in _MOVING | _BY_CONSTANTS or len(operands) != 1:
            return
        tensor = operands[0]


def _truth(view: GraphView, node: onnx.NodeProto, tensor: str, axes: int) -> str | None:
    known = view.specs.get(tensor)
    if known is not None and len(known.shape) > axes and not known.is_wide:
        return None  # one number an input
    if node.op_type in _SIGMOIDS or _is_written_out(view, node):
        return SIGMOIDS
    if node.op_type in {"Binarizer", "Sign"} or (
        node.op_type in _THRESHOLDS and any(view.constant(n) is not None for n in node.input)
    ):
        return THRESHOLDS
    if node.op_type == "Add" and any(  # (1 + tanh(x)) / 2
        step.op_type == "Tanh" for operand in node.input for _, step in _alone(view, operand)
    ):
        return SIGMOIDS
    chances = [_chance(view, name) for name in node.input] if node.op_type == "Concat" else [None]
    return None if None in chances or len(set(chances)) < len(chances) else SIGMOIDS


def _chance(view: GraphView, part: str) -> str | None:
    """Return what makes a part of a vector a chance of its own; None where it is no chance.

    That is a sigmoid, or a binary classifier of which it is a column. A chance and its rest, 1 - p,
    are made by the same.
    """
    picked = False
    for made, node in _alone(view, part):
        if node.op_type in _SIGMOIDS:
            known = view.specs.get(made)
            return part if known is not None and known.is_wide else made
        transform = attribute(node, "post_transform")
        is_logistic = transform is not None and transform.s == b"LOGISTIC"
        if picked and is_logistic and made in node.output[1:]:
            return made if len(ml_classes(node)) == 2 else None
        picked = picked or node.op_type in _PICKING
    return None


def _is_written_out(view: GraphView, node: onnx.NodeProto) -> bool:
    """Return whether a node ends 1 / (1 + exp(-x))."""
    divides = node.op_type == "Div" and len(node.input) == 2 and _is_one(view, node.input[0])
    if not divides and (node.op_type != "Reciprocal" or not node.input):
        return False
    below = view.maker(node.input[-1])
    if below is None or below.op_type != "Add" or len(below.input) != 2:
        return False
    makers = [view.maker(name) for name in below.input]
    is_exp = any(maker is not None and maker.op_type == "Exp" for maker in makers)
    return is_exp and any(_is_one(view, name) for name in below.input)


def _is_one(view: GraphView, tensor: str) -> bool:
    value = view.constant(tensor)
    return value is not None and value.dtype.kind == "f" and bool((value == 1).all())


def _is_unit_vector(view: GraphView, node: onnx.NodeProto) -> bool:
    """Return whether a vector is divided by its length, or multiplied by the inverse of it."""
    if node.op_type == "LpNormalization":
        return whole(node, "p", 2) == 2
    if node.op_type not in {"Div", "Mul"} or len(node.input) != 2:
        return False
    pairs = [tuple(node.input)] if node.op_type == "Div" else [node.input, node.input[::-1]]
    return any(_is_length_of(view, length, vector, node.op_type) for vector, length in pairs)


def _is_length_of(view: GraphView, length: str, vector: str, operator: str) -> bool:
    """Return whether a tensor is the root of a vector's sum of squares; for Mul, its inverse."""
    inverted, rooted = operator == "Div", False
    for _ in range(_MOST_STEPS):
        node = view.maker(length)
        if node is None or not node.input:
            return False
        exponent = view.constant(node.input[-1]) if node.op_type == "Pow" else None
        if node.op_type == "ReduceL2":
            return inverted and view.source(node.input[0]) == view.source(vector)
        if node.op_type in {"ReduceSum", "ReduceSumSquare"}:
            squared = view.maker(node.input[0])
            of_squares = node.op_type == "ReduceSumSquare" or (
                squared is not None
                and squared.op_type in {"Mul", "Pow"}
                and view.source(vector) in map(view.source, squared.input)
            )
            return inverted and rooted and of_squares
        if node.op_type == "Reciprocal" or (node.op_type == "Div" and _is_one(view, node.input[0])):
            inverted = True
        elif exponent is not None and exponent.size == 1 and abs(float(exponent.ravel()[0])) == 0.5:
            rooted, inverted = True, inverted or float(exponent.ravel()[0]) < 0
        elif node.op_type == "Sqrt":
            rooted = True
        elif node.op_type not in _GUARDS:
            return False
        length = next((n for n in node.input if view.depends_on_input(n)), node.input[0])
    return False
