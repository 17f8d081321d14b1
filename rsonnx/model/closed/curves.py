"""Softmax, sigmoid, exponentials and what is made of them, as far as it keeps sums in order.

onnxruntime computes exp, and the functions made of it, within a few units in the last place. 2^-18
is sixteen times as much: two results are in order where the sums are further apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import onnx

from rsonnx.model.closed.applying import MOVING, RESHAPING
from rsonnx.model.closed.linear import REALS, Linear
from rsonnx.model.closed.refusal import NotClosedError
from rsonnx.model.closed.runs import Tensors
from rsonnx.model.closed.values import Bounded, Fixed, Rising, Sums, Terms, Value
from rsonnx.model.graph import whole

CURVES = {"Exp", "LogSoftmax", "Sigmoid", "Softmax"}

_RESOLUTION = 2.0**-18
_LARGEST_EXPONENT = 40.0
"""Up to here neither exp nor a quotient of two leaves the range in which float32 is precise."""

_LARGEST = 2.0**126


class Curves:
    """The rules of rising functions, and of numbers of which only bounds are known, for one graph.

    Args:
        terms: of all sums in the graph.
        seen: its tensors.
        linear: the rules of linear operators.
    """

    def __init__(self, terms: Terms, seen: Tensors, linear: Linear) -> None:
        self._terms, self._seen, self._linear = terms, seen, linear

    def bounds(self, value: Value | None) -> Bounded | None:
        """Return between which numbers a value lies; None if that is not known."""
        if isinstance(value, Rising):
            return Bounded(value.low, value.high)
        if isinstance(value, Sums):
            most = min(float(value.reach(self._terms).max()), _LARGEST)
            return Bounded(-2 * most, 2 * most)  # however it is rounded
        if isinstance(value, Fixed) and value.array.dtype.kind in "fiub" and value.array.size:
            held = value.array.astype(np.float64)
            return Bounded(float(held.min()), float(held.max()))
        return value if isinstance(value, Bounded) else None

    def of_sums(self, node: onnx.NodeProto, sums: Sums) -> Value | None:
        """Return what one of ``CURVES`` makes of sums."""
        if node.op_type == "Exp":
            most = float(sums.reach(self._terms).max())
            bounds = _outward(math.exp(-most), math.exp(most)) if most < _LARGEST_EXPONENT else None
            return None if bounds is None else Rising(sums, _RESOLUTION, *bounds)
        if node.op_type == "Sigmoid":
            return sigmoid(sums)
        last = sums.coefficients.ndim - 1
        if whole(node, "axis", -1) not in (-1, last) or sums.axis == last:
            return None
        if node.op_type == "Softmax":
            return softmax(sums)
        # What is taken off all scores may be as large as they are, and is rounded as such.
        rounded = replace(sums, roundings=sums.roundings + 2, unit=0.0)
        return Rising(rounded, _RESOLUTION * (2 + math.log2(sums.elements)), -_LARGEST, 1.0)

    def of_rising(self, node: onnx.NodeProto, operands: Sequence[Value | None]) -> Value | None:
        """Return what a node makes of rising functions of sums."""
        kind, first = node.op_type, operands[0]
        keeps = kind in RESHAPING | MOVING or (kind == "Cast" and whole(node, "to", 0) in REALS)
        if kind == "Concat":
            return self._joined(node, operands)
        if keeps and isinstance(first, Rising):
            moved = self._linear.result(node, [first.sums, *operands[1:]])
            return None if moved is None else replace(first, sums=moved[0])
        if kind == "Sub" and isinstance(first, Fixed) and (first.array == 1).all():
            return _opposite(operands[1])
        if kind in {"Div", "Mul"}:
            return self._multiplied(node, operands)
        if kind in {"LpNormalization", "Normalizer"} and isinstance(first, Rising):
            is_share = first.low >= 0 and not first.is_sigmoid
            return (
                Rising(first.sums, first.resolution + _RESOLUTION, 0.0, 1.0) if is_share else None
            )
        return self.of_bounds(node, operands)

    def _multiplied(self, node: onnx.NodeProto, operands: Sequence[Value | None]) -> Value | None:
        """Multiply by a positive number a row, or divide by it."""
        names = list(node.input)
        if node.op_type == "Mul" and not isinstance(operands[0], Rising):
            operands, names = operands[::-1], names[::-1]
        rising, other = operands
        known, made = self.bounds(other), self.of_bounds(node, operands)
        if not isinstance(rising, Rising) or not isinstance(made, Bounded) or known is None:
            return None
        size = (
            other.array.size
            if isinstance(other, Fixed)
            else math.prod(self._seen.shape(names[1], 1))
        )
        if known.low <= 0 or size != 1:
            return None
        return Rising(rising.sums, rising.resolution + _RESOLUTION, made.low, made.high)

    def _joined(self, node: onnx.NodeProto, operands: Sequence[Value | None]) -> Value | None:
        """Join a sigmoid to that of the opposite sum, or to a half, that of 0."""
        sums: list[Value | None] = []
        for operand in operands:
            if isinstance(operand, Rising) and operand.is_sigmoid:
                sums.append(operand.sums)
            elif isinstance(operand, Fixed):
                if (operand.array != 0.5).any():
                    raise NotClosedError("its sigmoid has a threshold other than 0.5")
                sums.append(Fixed(np.zeros(operand.array.shape)))
            else:
                return None
        joined = self._linear.result(node, sums)
        if joined is None:
            return None
        with_half = len(operands) == 2 and any(isinstance(operand, Fixed) for operand in operands)
        whole_row = sigmoid(joined[0])
        if not with_half and not isinstance(whole_row, Rising):
            return whole_row
        resolution = sum(operand.resolution for operand in operands if isinstance(operand, Rising))
        return Rising(joined[0], resolution, 0.0, 1.0)

    def of_bounds(  # noqa: PLR0911 - one kind of operator after the other
        self, node: onnx.NodeProto, operands: Sequence[Value | None]
    ) -> Value | None:
        """Return the bounds of a result, from those of its operands."""
        kind, known = node.op_type, [self.bounds(operand) for operand in operands]
        first = known[0]
        if first is None:
            return None
        if kind == "Cast":
            return Bounded(math.floor(first.low), math.ceil(first.high))
        if kind in RESHAPING | MOVING - {"Concat"}:
            return first
        if kind in {"And", "Equal", "Not", "Or"}:
            return Bounded(0.0, 1.0)
        count = math.prod(self._seen.shape(node.input[0], 1)) if kind == "ReduceSum" else 1
        others = [bounds for bounds in known[1:] if bounds is not None]
        if kind == "ReduceSum":
            return Bounded(*_outward(count * first.low, count * first.high))
        if len(others) + 1 < len(known):
            return None
        if kind in {"Add", "Sum"}:
            low, high = (
                sum(ends) for ends in zip(*((b.low, b.high) for b in known if b), strict=True)
            )
            return Bounded(*_outward(low, high))
        if kind == "Concat":
            return Bounded(min(b.low for b in known if b), max(b.high for b in known if b))
        if kind in {"Div", "Mul"} and others[0].low > 0 <= first.low:
            low, high = others[0].low, others[0].high
            low, high = (1 / high, 1 / low) if kind == "Div" else (low, high)
            return Bounded(*_outward(first.low * low, first.high * high))
        return None


def softmax(sums: Sums) -> Rising:
    """Return the softmax of rows of sums, of which the largest is no less than its share of 1."""
    return Rising(sums, _RESOLUTION, 0.0, 1.0)


def sigmoid(sums: Sums) -> Value:
    """Return the sigmoids of sums; those of two different ones are both 1 where both are large."""
    rows = np.moveaxis(sums.coefficients, sums.axis, 0)
    rows = rows.reshape(len(rows), -1)
    if rows.shape[1] == 1 or (rows.shape[1] == 2 and (rows[:, 0] == -rows[:, 1]).all()):
        return Rising(sums, _RESOLUTION, 0.0, 1.0, is_sigmoid=True)
    return Bounded(0.0, 1.0)


def _opposite(value: Value | None) -> Value | None:
    """Return 1 - a sigmoid, which is that of the opposite sum."""
    if not isinstance(value, Rising) or not value.is_sigmoid:
        return None
    turned = replace(value.sums, coefficients=-value.sums.coefficients)
    return replace(value, sums=turned, resolution=2 * value.resolution)


def _outward(low: float, high: float) -> tuple[float, float]:
    """Return bounds with ample room for what float32 rounds."""
    return low * (0.5 if low > 0 else 2.0), high * (2.0 if high > 0 else 0.5)
