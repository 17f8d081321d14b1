"""Which values a label may take, where constants, look-ups and comparisons make it."""

from __future__ import annotations

import math
import operator as operators
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import onnx

from rsonnx.model.graph import ENCODING, READING, GraphView, attribute, stored, whole

PASSING = {"Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"}
COMPARING = {"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"}
LOGICAL = {"And", "Not", "Or", "Xor"}
_ARITHMETIC = {"Add": operators.add, "Mul": operators.mul, "Sub": operators.sub}
_MOST = 30_000
"""Values of a label, such as 1 - 2 * (score < 0), or a position + 1."""

_DEEPEST = 12
Values = tuple[int, ...] | tuple[str, ...]


@dataclass(frozen=True)
class Encoder:
    """What maps ``keys[i]`` to ``values[i]``, and anything else to ``default``."""

    keys: tuple[Any, ...]
    values: tuple[Any, ...]
    default: Any


def encoder_of(view: GraphView, node: onnx.NodeProto) -> Encoder | None:
    """Read a LabelEncoder of any version, or a CategoryMapper; None where it is damaged."""
    listed = strings(node, "classes_strings") or strings(node, "cats_strings")
    if listed:  # numbers to texts or texts to numbers; LabelEncoder has this in version 1
        spec, stated = view.specs.get(node.output[0]), attribute(node, "cats_int64s")
        numbers = tuple(range(len(listed)) if stated is None else stated.ints)
        if len(numbers) != len(listed):
            return None
        if spec is not None and spec.dtype == "string":
            return Encoder(numbers, listed, _default_text(node))
        return Encoder(listed, numbers, whole(node, "default_int64", -1))
    keys, values = _side(node, "keys"), _side(node, "values")
    if not keys or len(keys) != len(values):
        return None
    stated_default = _table(node, "default_tensor")
    real = attribute(node, "default_float")
    default: Any = whole(node, "default_int64", -1)
    if stated_default:
        default = stated_default[0]
    elif isinstance(values[0], str):
        default = _default_text(node)
    elif isinstance(values[0], float):
        default = -0.0 if real is None else real.f
    return Encoder(keys, values, default)


def _default_text(node: onnx.NodeProto) -> str:
    return (strings(node, "default_string") or ("_Unused",))[0]


def list_along(view: GraphView, tensor: str, axis: int) -> list[Any]:
    """Return the entries of a constant list that lies along an axis; empty for anything else."""
    table = view.constant(tensor)
    if table is None or not -table.ndim <= axis < table.ndim or table.shape[axis] != table.size:
        return []
    return list(table.ravel().tolist())


def possible_values(view: GraphView, tensor: str, depth: int = 0) -> Values:
    """Return all values that a label may take, each once; empty where that is not known.

    Texts are in the order of the table that has them. A damaged file may go round in a circle.
    """
    constant, node = view.constant(tensor), view.producer(tensor)
    if constant is not None or node is None or depth > _DEEPEST or not node.input:
        return () if constant is None else _each_once(constant.ravel().tolist())
    operator = node.op_type
    to_bool = operator == "Cast" and whole(node, "to", 0) == onnx.TensorProto.BOOL
    if to_bool or operator in {"Sign", *COMPARING, *LOGICAL}:
        return (-1, 0, 1) if operator == "Sign" else (0, 1)
    if operator in {"ArgMax", "ArgMin"}:  # along the axis that is reduced
        spec, axis = view.specs.get(node.input[0]), whole(node, "axis", 0)
        known = spec is not None and -len(spec.shape) <= axis < len(spec.shape)
        size = spec.shape[axis] if spec is not None and known else None
        return tuple(range(size)) if isinstance(size, int) and size <= _MOST else ()
    if operator in ENCODING:
        return _encoded(view, node, depth)
    if operator in {"Slice", "Split", "Transpose"} | READING | PASSING:
        return possible_values(view, node.input[0], depth + 1)
    names = node.input[operator == "Where" :] if operator in {"Where", *_ARITHMETIC} else []
    return _combined(operator, [possible_values(view, name, depth + 1) for name in names])


def _side(node: onnx.NodeProto, side: str) -> tuple[Any, ...]:
    """Return the keys or values of a LabelEncoder."""
    ints, floats = attribute(node, f"{side}_int64s"), attribute(node, f"{side}_floats")
    numbers = () if ints is None else tuple(ints.ints)
    reals = () if floats is None else tuple(floats.floats)
    return strings(node, f"{side}_strings") or _table(node, f"{side}_tensor") or numbers or reals


def strings(node: onnx.NodeProto, name: str) -> tuple[str, ...]:
    """Return the texts of an attribute; none where it is not there."""
    stated = attribute(node, name)
    if stated is None:
        return ()
    listed = list(stated.strings) or ([stated.s] if stated.type == stated.STRING else [])
    return tuple(map(decoded, listed))


def _table(node: onnx.NodeProto, name: str) -> tuple[Any, ...]:
    stated = attribute(node, name)
    if stated is None or stated.type != stated.TENSOR:
        return ()
    return tuple(map(decoded, stored(stated.t).ravel().tolist()))


def _encoded(view: GraphView, node: onnx.NodeProto, depth: int) -> Values:
    """Return what a LabelEncoder may answer, in the order of the keys or of what they are."""
    encoder = encoder_of(view, node)
    if encoder is None:
        return ()
    answers = dict(zip(encoder.keys, encoder.values, strict=True))
    asked: tuple[Any, ...] = possible_values(view, node.input[0], depth + 1)
    if asked:
        return _each_once([answers.get(key, encoder.default) for key in asked])
    by_number = not any(isinstance(key, str) for key in answers)
    ordered = sorted(answers) if by_number else list(answers)
    return _each_once([*(answers[key] for key in ordered), encoder.default])


def _combined(operator: str, operands: Sequence[Values]) -> Values:
    """Return what an operator makes of operands that may take these values."""
    sizes = [len(values) for values in operands]
    kinds = {type(value) for values in operands for value in values}
    if len(sizes) != 2 or not all(sizes) or len(kinds) > 1:
        return ()
    if operator == "Where":  # names, and one for what is none of them
        first, second = sorted(operands, key=lambda values: (-len(values), values))
        return _each_once([*first, *second])
    if str in kinds or math.prod(sizes) > _MOST:
        return ()
    pairs = product(*(map(int, values) for values in operands))
    return _each_once([_ARITHMETIC[operator](a, b) for a, b in pairs])


def _each_once(values: Sequence[Any]) -> Values:
    """Return texts or whole numbers without repetition; nothing where there are others."""
    distinct = [decoded(value) for value in dict.fromkeys(values)]
    if len(distinct) > _MOST:
        return ()
    if all(isinstance(value, str) for value in distinct):
        return tuple(distinct)
    if all(isinstance(value, bool | int | float) and value % 1 == 0 for value in distinct):
        return tuple(dict.fromkeys(map(int, distinct)))
    return ()


def decoded(value: Any) -> Any:
    """Return a value, a text as text: what is no UTF-8 in it is replaced."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value
