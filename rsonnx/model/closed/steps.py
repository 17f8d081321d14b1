"""Steps from the input to where it is compared or added up: each acts on every value alone.

In float32 each keeps the order of numbers, or turns it: it does so in real numbers, and rounding
keeps order.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
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

STEPWISE = {"Ceil", "Clip", "Floor", "Max", "Min", "Relu", "Round"}
"""Which keep the order, and are not linear."""

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
    if kind in MOVING:
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
    elif kind == "Scaler":
        shifted = _affine(source, np.ones(1), -float_list(node, "offset", default=0.0), 1)
        made = _affine(shifted, float_list(node, "scale", default=1.0), np.zeros(1), 1)
    elif kind in {"Add", "Div", "Mul", "Neg", "Sub"} and not seen.is_real(node.output[0]):
        made = None  # whole numbers may leave the range of their type, and wrap around
    elif kind == "Neg":
        made = _affine(source, -np.ones(1), np.zeros(1), 0)
    elif kind in {"Add", "Div", "Mul", "Sub"}:
        made = _with_constant(
            source, kind, others[0].astype(np.float64), first=isinstance(operands[0], Values)
        )
    return None if made is None else [made]


def _with_constant(
    source: Values, kind: str, constant: NDArray[np.float64], *, first: bool
) -> Values | None:
    """Return values to which a constant is added and the like; ``first`` if they come first."""
    one, zero = np.ones(1), np.zeros(1)
    if kind == "Add":
        return _affine(source, one, constant, 1)
    if kind == "Sub":
        return _affine(source, one, -constant, 1) if first else _affine(source, -one, constant, 1)
    if kind == "Mul":
        return _affine(source, constant, zero, 1)
    return _affine(source, 1 / constant, zero, 1) if first and (constant != 0).all() else None


def _shaped(source: Values, node: onnx.NodeProto, seen: Tensors) -> Values | None:
    places = reshaped(source.places, node, seen, 1)
    if places is None:
        return None
    scale = None if source.scale is None else source.scale.reshape(places.shape)
    shape = places.shape
    return Values(
        places, scale, source.offset.reshape(shape), source.size.reshape(shape), source.roundings
    )


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
    scale = None if source.scale is None else np.broadcast_to(source.scale, shape)
    return Values(
        np.broadcast_to(source.places, shape),
        scale,
        np.broadcast_to(source.offset, shape),
        np.broadcast_to(source.size, shape),
        source.roundings,
    )


def _affine(
    source: Values, scale: NDArray[np.float64], offset: NDArray[np.float64], roundings: int
) -> Values:
    shape = np.broadcast_shapes(source.places.shape, scale.shape, offset.shape)
    wide = _spread(source, shape)
    return Values(
        wide.places,
        None if wide.scale is None else wide.scale * scale,
        wide.offset * scale + offset,
        wide.size * np.abs(scale) + np.abs(offset),
        source.roundings + roundings,
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
    offsets, sizes = moved([p.offset for p in parts]), moved([p.size for p in parts])
    scales = [part.scale for part in parts]
    known = [scale for scale in scales if scale is not None]
    made = moved(known) if len(known) == len(scales) else [None] * len(places)
    roundings = max(part.roundings for part in parts)
    return [
        Values(place.astype(np.intp), scale, offset, size, roundings)
        for place, scale, offset, size in zip(places, made, offsets, sizes, strict=True)
    ]
