"""Steps from the input to where it is compared or added up: each acts on every value alone.

In float32 each keeps the order of numbers, or turns it: it does so in real numbers, and rounding
keeps order.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from rsonnx.model.closed.applying import MOVING, RESHAPING, float_list, reshaped
from rsonnx.model.closed.linear import REALS
from rsonnx.model.closed.runs import Tensors
from rsonnx.model.closed.values import Fixed, Value, Values
from rsonnx.model.graph import attribute, whole
from rsonnx.model.possible import COMPARING, LOGICAL

CUTTING = COMPARING | {"Binarizer", "LabelEncoder", "OneHotEncoder"}
"""Operators that compare, or look values up."""

STEPWISE = {"Ceil", "Clip", "Floor", "Max", "Min", "Relu", "Round"}
"""Which keep the order, and are not linear."""

_AFFINE = {"Add", "Div", "Mul", "Neg", "Scaler", "Sub"}
_ELEMENTWISE = STEPWISE | CUTTING | LOGICAL | {"Add", "Cast", "Div", "Mul", "Neg", "Sub", "Where"}

_WHOLE: dict[int, type[np.signedinteger[Any] | np.unsignedinteger[Any]]] = {
    TensorProto.INT8: np.int8,
    TensorProto.INT32: np.int32,
    TensorProto.INT64: np.int64,
    TensorProto.UINT8: np.uint8,
}


def step(
    node: onnx.NodeProto,
    operands: Sequence[Value | None],
    seen: Tensors,
    fixed: Collection[int] = (),
) -> list[Values] | None:
    """Return what a node makes of the input's values one by one; None if it does more than that.

    Args:
        node: the node.
        operands: what is known of its inputs.
        seen: the tensors of the graph.
        fixed: places of the input's values that are whole numbers up to 2^24 in size.
    """
    kind = node.op_type
    if kind in MOVING and not _cuts(node, operands):
        return _moved(node, operands, seen)
    sources = [operand for operand in operands if isinstance(operand, Values)]
    others = [operand.array for operand in operands if isinstance(operand, Fixed)]
    needed = 1 if kind in RESHAPING else sum(name != "" for name in node.input)
    if len(sources) != 1 or len(others) + 1 < needed:
        return None
    source = sources[0]
    made: Values | None = None
    if kind in RESHAPING:
        made = _shaped(source, node, seen)
    elif _cuts(node, operands) or (kind in _ELEMENTWISE and source.steady.all()):
        places = source.places[..., None] if kind == "OneHotEncoder" else source.places
        shape = seen.shape(node.output[0], 1)
        made = Values.of(np.broadcast_to(places, shape), steady=True)
    elif kind in STEPWISE:
        shape = np.broadcast_shapes(source.places.shape, *(other.shape for other in others))
        made = replace(_spread(source, shape), scale=None)
    elif kind == "Cast":
        if whole(node, "to", 0) in REALS:
            made = replace(source, roundings=source.roundings + 1)
        elif _fits(node, source, seen, fixed):
            made = replace(source, scale=None)
    elif kind == "Imputer":
        replaced = attribute(node, "replaced_value_float")
        made = source if replaced is not None and np.isnan(replaced.f) else None
    elif kind in _AFFINE and seen.is_real(node.output[0]):  # whole numbers may wrap around
        made = _affine_step(node, operands, source)
    return None if made is None else [made]


def _affine_step(
    node: onnx.NodeProto, operands: Sequence[Value | None], source: Values
) -> Values | None:
    """Return values that are multiplied by constants, and to which constants are added."""
    kind, one, zero = node.op_type, np.ones(1), np.zeros(1)
    made: Values | None = None
    if kind == "Scaler":
        shifted = _affine(source, one, -float_list(node, "offset", default=0.0), 1)
        made = _affine(shifted, float_list(node, "scale", default=1.0), zero, 1)
    elif kind == "Neg":
        made = _affine(source, -one, zero, 0)
    if kind not in {"Add", "Div", "Mul", "Sub"}:
        return made
    first = isinstance(operands[0], Values)
    (constant,) = (o.array.astype(np.float64) for o in operands if isinstance(o, Fixed))
    if kind == "Add":
        made = _affine(source, one, constant, 1)
    elif kind == "Sub":
        made = _affine(source, one if first else -one, -constant if first else constant, 1)
    elif kind == "Mul":
        made = _affine(source, constant, zero, 1)
    elif first and (constant != 0).all():
        made = _affine(source, 1 / constant, zero, 1)
    return made


def _shaped(source: Values, node: onnx.NodeProto, seen: Tensors) -> Values | None:
    places = reshaped(source.places, node, seen, 1)
    return None if places is None else source.reshaped(lambda array: array.reshape(places.shape))


def _cuts(node: onnx.NodeProto, operands: Sequence[Value | None]) -> bool:
    """Return whether a node makes of each value what changes at some cuts of it alone."""
    first = operands[0]
    if node.op_type == "Gather" and isinstance(first, Fixed):
        return whole(node, "axis", 0) == 0 and first.array.ndim == 1
    return node.op_type in CUTTING and any(levels_of(node, operands))


def levels_of(
    node: onnx.NodeProto, operands: Sequence[Value | None]
) -> Iterator[tuple[NDArray[Any], bool]]:
    """Yield the numbers with which a node that cuts compares values, and whether equals are below.

    What is looked up by whole numbers, or by keys, changes at each of them and behind it.
    """
    kind, turned = node.op_type, isinstance(operands[0], Fixed)
    others = [operand.array for operand in operands if isinstance(operand, Fixed)]
    keys: Sequence[float] = ()
    if kind == "Binarizer":
        stated = attribute(node, "threshold")
        yield np.array(0.0 if stated is None else stated.f), True
    elif kind in COMPARING - {"Equal"} and others:
        asks_less = kind.startswith("Less") != turned
        yield others[0], kind.endswith("Equal") == asks_less
    elif kind == "Equal" and others:
        yield from ((others[0], or_equal) for or_equal in (False, True))
    elif kind == "Gather" and turned:  # a row number outside of the table fails
        yield from ((np.array(row), False) for row in range(1, len(others[0])))
    elif kind == "OneHotEncoder":
        stated = attribute(node, "cats_int64s")
        keys = () if stated is None else list(stated.ints)
    elif kind == "LabelEncoder":
        stated = attribute(node, "keys_int64s") or attribute(node, "keys_floats")
        keys = () if stated is None else [*stated.ints, *stated.floats]
    yield from ((np.array(key), or_equal) for key in keys for or_equal in (False, True))


def _fits(node: onnx.NodeProto, source: Values, seen: Tensors, fixed: Collection[int]) -> bool:
    """Return whether values are cast to whole numbers of a type that can hold them."""
    kind = _WHOLE.get(whole(node, "to", 0))
    if kind is None:
        return False
    low, high = seen.range(node.input[0])
    limits = np.iinfo(kind)
    held = limits.min <= low and high <= limits.max
    return held or bool(np.isin(source.places, list(fixed)).all())


def _spread(source: Values, shape: tuple[int, ...]) -> Values:
    """Return values repeated to a larger shape."""
    return source.reshaped(lambda array: np.broadcast_to(array, shape))


def _affine(
    source: Values, scale: NDArray[np.float64], offset: NDArray[np.float64], roundings: int
) -> Values:
    shape = np.broadcast_shapes(source.places.shape, scale.shape, offset.shape)
    wide = _spread(source, shape)
    return replace(
        wide,
        scale=None if wide.scale is None else wide.scale * scale,
        offset=wide.offset * scale + offset,
        size=wide.size * np.abs(scale) + np.abs(offset),
        roundings=source.roundings + roundings,
    )


def _moved(
    node: onnx.NodeProto, operands: Sequence[Value | None], seen: Tensors
) -> list[Values] | None:
    """Return values moved about by a node: their places, and what was done to them."""
    parts = [operand for operand in operands if isinstance(operand, Values)]
    joins = node.op_type == "Concat"
    if not all(isinstance(o, Values if joins else (Values, Fixed)) for o in operands if o):
        return None

    def moved(arrays: Sequence[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
        left = iter(arrays)
        feeds = [
            next(left) if isinstance(o, Values) else o.array if isinstance(o, Fixed) else None
            for o in operands
        ]
        return seen.applied(node, feeds)

    places = moved([part.places.astype(np.float64) for part in parts])
    steady = moved([part.steady.astype(np.float64) for part in parts])
    offsets, sizes = moved([p.offset for p in parts]), moved([p.size for p in parts])
    scales = [part.scale for part in parts]
    known = [scale for scale in scales if scale is not None]
    made = moved(known) if len(known) == len(scales) else [None] * len(places)
    roundings = max(part.roundings for part in parts)
    return [
        Values(place.astype(np.intp), flag > 0, scale, offset, size, roundings)
        for place, flag, scale, offset, size in zip(
            places, steady, made, offsets, sizes, strict=True
        )
    ]
