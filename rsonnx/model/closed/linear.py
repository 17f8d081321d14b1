"""Linear operators: what they make of coefficients, and how often float32 rounds on the way."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from rsonnx.model.closed.applying import MOVING, RESHAPING, float_list, reshaped
from rsonnx.model.closed.refusal import NotClosedError
from rsonnx.model.closed.runs import Tensors
from rsonnx.model.closed.values import Fixed, Sums, Terms, Value, Values, unit_of
from rsonnx.model.graph import attribute, whole

LINEAR = (
    {"Add", "Cast", "Div", "Gemm", "LinearClassifier", "LinearRegressor", "MatMul", "Mean", "Mul"}
    | {"Neg", "ReduceMean", "ReduceSum", "Scaler", "Sub", "Sum"}
    | MOVING
    | RESHAPING
)

_TINY = 2.0**-125
"""What a product that underflows loses, 2^-150 at most, is less than a rounding of this."""

_MOST = 1 << 26
"""Coefficients of a tensor."""

REALS = (TensorProto.FLOAT, TensorProto.DOUBLE)
"""Types that sums are computed in."""


class Linear:
    """The rules of linear operators for one graph.

    Args:
        terms: of all sums in the graph.
        seen: its tensors.
    """

    def __init__(self, terms: Terms, seen: Tensors) -> None:
        self._terms, self._seen = terms, seen

    def result(self, node: onnx.NodeProto, operands: Sequence[Value | None]) -> list[Sums] | None:
        """Return what a node makes of sums; None if it is not linear in them."""
        kind = node.op_type
        if kind in MOVING or kind in {"ReduceMean", "ReduceSum"}:
            return self._moved(node, operands)
        first = self._as_sums(operands[0])
        made: Sums | None = None
        if kind in {"Gemm", "LinearClassifier", "LinearRegressor", "MatMul"}:
            made = self._product(node, operands)
        elif kind in {"Add", "Mean", "Sub", "Sum"}:
            made = self._added(kind, operands)
        elif kind in {"Div", "Mul"}:
            made = self._multiplied(node, operands)
        elif first is None:
            return None
        elif kind in RESHAPING:
            made = self._shaped(node, first)
        elif kind == "Cast":
            if whole(node, "to", 0) in REALS:
                made = first.rounded(1, first.unit, self._terms)
        elif kind == "Neg":
            made = self._scaled(first, np.array(-1.0), 0)
        elif kind == "Scaler":
            offset = Fixed(-float_list(node, "offset", default=0.0))
            shifted = self._added("Add", [first, offset])
            factor = float_list(node, "scale", default=1.0)
            made = None if shifted is None else self._scaled(shifted, factor, 1)
        return None if made is None else [made]

    def _as_sums(self, operand: Value | None) -> Sums | None:
        if isinstance(operand, Values) and self._terms.values and operand.scale is not None:
            return self._of_values(operand, operand.scale)
        return operand if isinstance(operand, Sums) else None

    def _of_values(self, values: Values, scale: NDArray[np.float64]) -> Sums:
        """Return values of the input as sums of them, in a batch of rows."""
        shape = (len(self._terms), *values.places.shape[1:])
        if np.prod(shape, dtype=float) > _MOST:
            raise NotClosedError("it has too many values to be added up one by one")
        linear = np.zeros((shape[0], values.places.size))
        linear[1 + values.places.ravel(), np.arange(values.places.size)] = scale.ravel()
        sizes = np.abs(linear)
        linear[0], sizes[0] = values.offset.ravel(), values.size.ravel() + _TINY
        return Sums(linear.reshape(shape), sizes.reshape(shape), 0, values.roundings)

    def _fixed(self, array: NDArray[np.float64], axis: int, ndim: int) -> NDArray[np.float64]:
        """Return a constant as coefficients, with the terms along an axis of so many."""
        wide = array.reshape((1,) * (ndim - array.ndim) + array.shape)
        if wide.shape[axis] != 1:
            raise NotClosedError("a constant differs from row to row")
        shape = list(wide.shape)
        shape[axis] = len(self._terms)
        made = np.zeros(shape)
        np.moveaxis(made, axis, 0)[0] = np.moveaxis(wide, axis, 0)[0]
        return made

    def _aligned(self, operands: Sequence[Value | None]) -> list[Sums] | None:
        """Return operands as sums of as many axes, which broadcast."""
        sums = [self._as_sums(operand) for operand in operands]
        of = [s for s in sums if s is not None]
        if not of:
            return None
        ndim = max(o.coefficients.ndim for o in of)
        ndim = max([ndim, *(o.array.ndim for o in operands if isinstance(o, Fixed))])
        from_end = {o.axis - o.coefficients.ndim for o in of}
        if len(from_end) != 1:
            return None
        axis = from_end.pop() + ndim
        made = []
        for operand, known in zip(operands, sums, strict=True):
            if known is not None:
                lead = (1,) * (ndim - known.coefficients.ndim)
                made.append(
                    Sums(
                        known.coefficients.reshape(lead + known.coefficients.shape),
                        known.sizes.reshape(lead + known.sizes.shape),
                        axis,
                        known.roundings,
                        known.unit,
                    )
                )
            elif isinstance(operand, Fixed) and operand.array.dtype.kind in "fiub":
                array = operand.array.astype(np.float64)
                fixed = self._fixed(array, axis, ndim)
                made.append(Sums(fixed, np.abs(fixed), axis, 0, unit_of(array)))
            else:
                return None
        return made

    def _added(self, kind: str, operands: Sequence[Value | None]) -> Sums | None:
        parts = self._aligned(operands)
        if parts is None:
            return None
        signs = [1.0, *[-1.0 if kind == "Sub" else 1.0] * (len(parts) - 1)]
        shape = np.broadcast_shapes(*(p.coefficients.shape for p in parts))
        coefficients, sizes = np.zeros(shape), np.zeros(shape)
        for sign, part in zip(signs, parts, strict=True):
            coefficients += sign * part.coefficients
            sizes += part.sizes
        total = Sums(coefficients, sizes, parts[0].axis, max(p.roundings for p in parts))
        added = total.rounded(len(parts) - 1, min(p.unit for p in parts), self._terms)
        if kind != "Mean":
            return added
        return self._scaled(added, np.array(1 / len(parts)), 2)

    def _multiplied(self, node: onnx.NodeProto, operands: Sequence[Value | None]) -> Sums | None:
        """Multiply by constants, or divide by them."""
        source, other = self._as_sums(operands[0]), operands[1]
        if node.op_type == "Mul" and source is None:
            source, other = self._as_sums(operands[1]), operands[0]
        if source is None or not isinstance(other, Fixed) or other.array.dtype.kind != "f":
            return None
        factor = other.array.astype(np.float64)
        if node.op_type == "Div":
            if (factor == 0).any():
                return None
            factor = 1 / factor
        place = source.axis - source.coefficients.ndim
        if factor.ndim >= -place and factor.shape[place] != 1:
            raise NotClosedError("a constant differs from row to row")
        if factor.ndim > source.coefficients.ndim:
            return None
        return self._scaled(source, factor, 1 if node.op_type == "Mul" else 2)

    def _scaled(self, source: Sums, factor: NDArray[np.float64], times: int) -> Sums:
        sizes = source.sizes * np.abs(factor)
        if times:
            np.moveaxis(sizes, source.axis, 0)[0] += _TINY
        made = Sums(source.coefficients * factor, sizes, source.axis, source.roundings, source.unit)
        return made.rounded(times, source.unit * unit_of(factor), self._terms) if times else made

    def _shaped(self, node: onnx.NodeProto, source: Sums) -> Sums | None:
        axis, rows = self._seen.axis(node.output[0]), len(self._terms)
        coefficients = reshaped(source.coefficients, node, self._seen, rows)
        sizes = reshaped(source.sizes, node, self._seen, rows)
        if axis is None or coefficients is None or sizes is None:
            return None
        return Sums(coefficients, sizes, axis, source.roundings, source.unit)

    def _moved(self, node: onnx.NodeProto, operands: Sequence[Value | None]) -> list[Sums] | None:
        sums = [self._as_sums(operand) for operand in operands]
        of = [s for s in sums if s is not None]
        axis = self._seen.axis(next(filter(None, node.output)))
        if not of or axis is None or len({s.axis for s in of}) != 1:
            return None
        joins = node.op_type == "Concat"
        constants = [o.array for o in operands if isinstance(o, Fixed)] if joins else []
        units = [s.unit for s in of] + [unit_of(c.astype(np.float64)) for c in constants]
        made = []
        for kind in ("coefficients", "sizes"):
            feeds: list[NDArray[np.float64] | None] = []
            for operand, known in zip(operands, sums, strict=True):
                if known is not None:
                    feeds.append(getattr(known, kind))
                elif isinstance(operand, Fixed) and joins:
                    held = operand.array.astype(np.float64)
                    held = held if kind == "coefficients" else np.abs(held)
                    feeds.append(self._fixed(held, of[0].axis, of[0].coefficients.ndim))
                elif isinstance(operand, Fixed):
                    feeds.append(operand.array)
                elif operand is None and not node.input[len(feeds)]:
                    feeds.append(None)
                else:
                    return None
            made.append(self._seen.applied(node, feeds))
        results = []
        for coefficients, sizes in zip(*made, strict=True):
            moved = Sums(coefficients, sizes, axis, max(s.roundings for s in of), min(units))
            if coefficients.shape[axis] != len(self._terms):
                return None
            if node.op_type in {"ReduceMean", "ReduceSum"}:
                count = of[0].coefficients.size // max(1, coefficients.size)
                moved = moved.rounded(count - 1, min(units), self._terms)
                if node.op_type == "ReduceMean":  # what was summed is divided, or each part is
                    moved = moved.rounded(2, 0.0, self._terms)
            results.append(moved)
        return results

    def _product(self, node: onnx.NodeProto, operands: Sequence[Value | None]) -> Sums | None:
        """Multiply rows by a constant matrix, and add a constant."""
        read = _matrix(node, operands)
        if read is None:
            return None
        weights, bias = read
        source, values = operands[0], operands[0]
        roundings = weights.shape[0] + 2  # with the bias, and alpha or beta
        if isinstance(values, Values):
            if values.scale is None or values.places.ndim != 2 or not self._terms.values:
                return None
            rows, scale = values.places[0], values.scale[0][:, None] * weights
            shape = (len(self._terms), weights.shape[1])
            if np.prod(shape, dtype=float) > _MOST:
                raise NotClosedError("it has too many weights")
            coefficients, sizes = np.zeros(shape), np.zeros(shape)
            np.add.at(coefficients, 1 + rows, scale)
            np.add.at(sizes, 1 + rows, np.abs(scale))
            coefficients[0] = values.offset[0] @ weights + bias
            sizes[0] = values.size[0] @ np.abs(weights) + np.abs(bias) + len(weights) * _TINY
            return Sums(coefficients, sizes, 0, values.roundings + roundings)
        if not isinstance(source, Sums) or source.axis != 0 or source.coefficients.ndim != 2:
            return None
        coefficients = source.coefficients @ weights
        sizes = source.sizes @ np.abs(weights)
        coefficients[0] += bias
        sizes[0] += np.abs(bias) + len(weights) * _TINY
        unit = min(source.unit * unit_of(weights), unit_of(bias))
        made = Sums(coefficients, sizes, 0, source.roundings, source.unit)
        return made.rounded(roundings, unit, self._terms)


def _matrix(
    node: onnx.NodeProto, operands: Sequence[Value | None]
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return the matrix, (values, scores), and the constant, (scores,), of a product of rows."""
    if node.op_type.startswith("Linear"):
        weights = float_list(node, "coefficients", default=0.0)
        bias = float_list(node, "intercepts", default=0.0)
        classes = len(bias)
        if node.op_type == "LinearRegressor":
            classes = whole(node, "targets", 1)
        if weights.size % classes or len(bias) not in (1, classes):
            return None
        return weights.reshape(classes, -1).T, np.broadcast_to(bias, (classes,))
    others = [operand.array if isinstance(operand, Fixed) else None for operand in operands[1:]]
    if any(other is None for other in others) or others[0] is None or others[0].ndim != 2:
        return None
    weights = others[0].astype(np.float64)
    bias = np.zeros(1)
    if node.op_type == "Gemm":
        if whole(node, "transA", 0):
            return None
        scale = {key: attribute(node, key) for key in ("alpha", "beta")}
        alpha, beta = (1.0 if a is None else float(a.f) for a in scale.values())
        weights = alpha * (weights.T if whole(node, "transB", 0) else weights)
        if len(others) > 1 and others[1] is not None:
            bias = beta * others[1].astype(np.float64).reshape(-1)
        if bias.size not in (1, weights.shape[1]):
            return None
    return weights, np.broadcast_to(bias, weights.shape[1:])
