"""What the elements of an output come from: followed back while each of them stays one element.

Where that ends at the sorted values of a TopK, the place of an element names no class; where it
ends at the number of a class, its size does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx

from rsonnx.model.graph import ENCODING, READING, GraphView, TensorSpec, whole

_KEEPING = {
    *("Cast", "DequantizeLinear", "Dropout", "Flatten", "Identity", "QuantizeLinear", "Reshape"),
    *("Squeeze", "Unsqueeze", "Ceil", "Clip", "Elu", "Erf", "Exp", "Floor", "HardSigmoid"),
    *("LeakyRelu", "Log", "LogSoftmax", "Normalizer", "Relu", "Round", "Sigmoid", "Softmax"),
    *("Softplus", "Sqrt", "Tanh"),
}
"""Operators of one tensor that leave the largest element where it is."""

_OF_ONE = {"Abs", "Gather", "Neg", "Not", "Reciprocal", "Slice", "Split", "Transpose"}
"""Operators of one tensor that may move it, or make another element the largest."""

_OF_SEVERAL = {
    *("Add", "Concat", "Div", "Max", "Mean", "Min", "Mul", "Pow", "Sub", "Sum", "Where"),
    *("Greater", "GreaterOrEqual", "Less", "LessOrEqual"),
}
_SUMS = {"ReduceL1", "ReduceL2", "ReduceMax", "ReduceSum"}
_MOST = 200
"""Tensors looked at."""


@dataclass(frozen=True)
class Origin:
    """A tensor whose elements those of an output come from.

    Attributes:
        tensor: its name.
        node: what makes it.
        keeps_order: whether the largest of its elements is the largest of the output's.
    """

    tensor: str
    node: onnx.NodeProto
    keeps_order: bool


def sorted_values(view: GraphView, spec: TensorSpec, tensor: str) -> Origin | None:
    """Return the sorted values of a TopK that an output's elements come from; None for no such."""
    for origin in _origins(view, tensor):
        node = origin.node
        if node.op_type != "TopK" or origin.tensor != node.output[0] or not node.input:
            continue
        # The one largest of each channel is no sorted row.
        if by_rows(view, node) and not (spec.is_wide and length_of(view, node) == 1):
            return origin
    return None


def class_number(view: GraphView, tensor: str) -> Origin | None:
    """Return the position of a largest or smallest element that is among an output's elements."""
    for origin in _origins(view, tensor):
        kind = origin.node.op_type
        if kind in {"ArgMax", "ArgMin"} or (
            kind == "TopK" and origin.tensor in origin.node.output[1:2]
        ):
            return origin
    return None


def length_of(view: GraphView, top_k: onnx.NodeProto) -> int | None:
    """Return how many elements a TopK gives; None where that is not known."""
    if len(top_k.input) < 2:
        return whole(top_k, "k", 0) or None
    size = view.constant(top_k.input[1])
    return int(size.ravel()[0]) if size is not None and size.size == 1 else None


def by_rows(view: GraphView, top_k: onnx.NodeProto) -> bool:
    """Return whether a TopK orders the values of each input."""
    axis, known = whole(top_k, "axis", -1), view.specs.get(top_k.input[0])
    return axis in (1, -1) or (axis == 0 and known is not None and len(known.shape) == 1)


def _origins(view: GraphView, tensor: str) -> Iterator[Origin]:
    waiting, seen = [(tensor, True)], set[str]()
    while waiting and len(seen) < _MOST:
        name, in_order = waiting.pop()
        node = view.producer(name)
        if node is None or name in seen:
            continue
        seen.add(name)
        yield Origin(name, node, in_order)
        if node.op_type in _KEEPING:
            waiting += [(operand, in_order) for operand in node.input[:1]]
        elif positions := _read_at(view, node):
            waiting += [(position, False) for position in positions]
        elif node.op_type in ENCODING | _OF_ONE:
            waiting += [(operand, False) for operand in node.input[:1]]
        elif node.op_type in _OF_SEVERAL:
            joins, column = node.op_type == "Concat", view.is_column(name)
            waiting += [
                (operand, in_order and _keeps(view, node, operand))
                for operand in node.input[node.op_type == "Where" :]
                if view.depends_on_input(operand)
                and (joins or column or not view.is_column(operand))
            ]


def _read_at(view: GraphView, node: onnx.NodeProto) -> list[str]:
    """Return the positions that a constant list is read at; none where it is no list."""
    if node.op_type not in READING or not node.input:
        return []
    table = view.constant(node.input[0])
    is_list = table is not None and table.size == max(table.shape, default=1)
    return list(node.input[1:2]) if is_list else []


def _keeps(view: GraphView, node: onnx.NodeProto, operand: str) -> bool:
    """Return whether the largest element of one operand is where the result's is."""
    if len(node.input) != 2 or node.input[0] == node.input[1]:
        return False
    first = operand == node.input[0]
    other = node.input[first]
    constant = view.constant(other)
    uniform = constant is not None and bool(constant.size) and np.unique(constant).size == 1
    if node.op_type in {"Add", "Sub"}:
        return (first or node.op_type == "Add") and (uniform or view.is_column(other))
    if node.op_type in {"Max", "Min"}:
        return uniform
    if node.op_type not in {"Div", "Mul"} or not (first or node.op_type == "Mul"):
        return False
    if constant is not None:
        return uniform and float(constant.ravel()[0]) > 0
    total = view.maker(other)
    return node.op_type == "Div" and total is not None and total.op_type in _SUMS
