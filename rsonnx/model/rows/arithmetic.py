"""What small tensors hold that depend on no input: shapes, axes, conditions, with N as a symbol.

Only what is exact is computed; a number that two runtimes could round otherwise is not known.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from rsonnx.model.rows.call import Call
from rsonnx.model.rows.picking import slices
from rsonnx.model.rows.shapes import shown
from rsonnx.model.rows.values import (
    MOST_VALUES,
    Dim,
    Multiple,
    NonEmpty,
    Tensor,
    UnprovedError,
    count,
    known,
    product,
)

_MOST_COMPUTED = 1 << 14
"""Values of all operands of a node, so that no node takes long."""

Array = NDArray[Any]
Evaluate = Callable[[Call, list[Array], Tensor], Any]
"""Computes what an operator gives, from its inputs' values and the shape that follows from them."""


def evaluate(call: Call, made: Tensor) -> Tensor | None:
    """Return the first output of known inputs with what it holds, None where that is not computed.

    Raises:
        UnprovedError: it computes with the number of rows what is no multiple of it for every N.
    """
    compute = VALUES.get(call.operator)
    size = count(made.shape)
    bounded = (
        isinstance(size, int) and size <= MOST_VALUES and size * len(call.inputs) <= _MOST_COMPUTED
    )
    if compute is None or not (bounded or call.operator == "Range"):
        return None
    with np.errstate(all="ignore"):
        values = [t.value for t in call.given if t.value is not None]
        value = np.asarray(compute(call, values, made))
    if value.dtype.kind == "f" and (value.itemsize < 4 or not np.isfinite(value).all()):
        return None
    narrow = any(t.narrow for t in call.given)
    if call.operator == "Cast":
        narrow = call.attribute("to", 0) == TensorProto.INT32
    return known(value, narrow=narrow)


def _reshaped(_: Call, values: list[Array], made: Tensor) -> Array:
    return values[0].reshape(made.dims)  # type: ignore[arg-type]


def _pointwise(number: Callable[..., Any], symbol: Callable[..., Any] | None = None) -> Evaluate:
    """Compute place by place by ``number``, or with the number of rows among them by ``symbol``."""
    over_symbols = np.frompyfunc(symbol, 2, 1) if symbol is not None else None

    def compute(_: Call, values: list[Array], __: Tensor) -> Array:
        total = values[0]
        for value in values[1:]:
            if object not in (total.dtype, value.dtype):
                if total.dtype != value.dtype:
                    raise UnprovedError("types")
                total = np.asarray(number(total, value))
            elif over_symbols is None:
                raise UnprovedError("arithmetic with the number of rows")
            else:
                total = np.asarray(over_symbols(total, value), object)
        return total

    return compute


def _of_numbers(*values: Array) -> None:
    if any(value.dtype == object for value in values):
        raise UnprovedError("arithmetic with the number of rows")


def _one(compute: Callable[[Array], Any]) -> Evaluate:
    def rule(_: Call, values: list[Array], __: Tensor) -> Any:
        _of_numbers(values[0])
        return compute(values[0])

    return rule


def _sign(a: Any, b: Any) -> int:
    """Return the sign of a - b, if it is the same for every N >= 1."""
    if isinstance(a, Multiple) and isinstance(b, Multiple):
        if a == b or a.of is b.of is None:
            return int(np.sign(a.factor - b.factor))
    elif isinstance(a, Multiple):
        if b < a.least:
            return 1
    elif not isinstance(b, Multiple):
        return int(a > b) - int(a < b)
    elif a < b.least:
        return -1
    raise UnprovedError("a comparison with the number of rows")


def _divide(a: Array, b: Array) -> Array:
    return np.asarray(a / b if a.dtype.kind == "f" else _quotients(a, b), a.dtype)


def _quotient(a: Any, b: Any) -> Any:
    return a // b if isinstance(a, Multiple) else _natural(a, b)[0]


def _remainder(a: Any, b: Any) -> Any:
    return a % b if isinstance(a, Multiple) else _natural(a, b)[1]


def _natural(a: int, b: int) -> tuple[int, int]:
    """Divide numbers that every language divides alike."""
    if not isinstance(a, int) or not isinstance(b, int) or a < 0 or b < 1:
        raise UnprovedError("a division")
    return divmod(a, b)


_quotients, _remainders = (np.frompyfunc(f, 2, 1) for f in (_quotient, _remainder))


def _cast(call: Call, values: list[Array], _: Tensor) -> Array:
    value, kind = values[0], call.attribute("to", 0)
    if value.dtype == object:
        count = value[()] if value.shape == () else None
        if kind == TensorProto.BOOL and isinstance(count, Multiple) and count.of is not None:
            return _lone(NonEmpty(count.of))
        if isinstance(count, NonEmpty) or kind not in (TensorProto.INT32, TensorProto.INT64):
            raise UnprovedError("a number of rows that is made data")
        return value
    target = np.dtype(helper.tensor_dtype_to_np_dtype(kind))
    cast = value.astype(target)
    exact = cast == value if target.kind != "b" else np.full(value.shape, True)
    if value.dtype.kind == "f" and target.kind == "i":
        exact = (np.abs(value) < 2.0**31) & (np.abs(cast) < 2.0**31)
    elif value.dtype.kind == "f" and target.kind == "f":
        exact = np.full(value.shape, target.itemsize >= 4)
    if target.kind not in "bif" or not np.all(exact):
        raise UnprovedError("a cast")
    return cast


def _where(_: Call, values: list[Array], __: Tensor) -> Array:
    condition, yes, no = values
    if condition.dtype != bool:
        raise UnprovedError("a condition")
    return np.where(condition, yes, no)


def _constant(call: Call, _: list[Array], __: Tensor) -> Array:
    for name, attribute in call.attributes.items():
        if name == "value":
            return numpy_helper.to_array(attribute.t)
        if name in ("value_int", "value_ints"):
            return np.array(helper.get_attribute_value(attribute), np.int64)
        if name in ("value_float", "value_floats"):
            return np.array(helper.get_attribute_value(attribute), np.float32)
    raise UnprovedError("a constant of another type")


def _filled(call: Call, _: list[Array], made: Tensor) -> Array:
    stored = call.attributes.get("value")
    value = np.zeros(1, np.float32) if stored is None else numpy_helper.to_array(stored.t)
    return np.full(made.dims, value.reshape(()), value.dtype)  # type: ignore[arg-type]


def _gather(call: Call, values: list[Array], _: Tensor) -> Any:
    data, indices = values
    _of_numbers(indices)
    return np.take(data, indices, axis=call.axis(data.ndim, 0))


def _slice(call: Call, values: list[Array], _: Tensor) -> Array:
    _of_numbers(*values[1:])
    parts = slices(call)
    if any(part.step is not None and part.step < 0 for part in parts):
        raise UnprovedError("a slice that runs backwards")
    return values[0][tuple(parts)]


def _range(_: Call, values: list[Array], __: Tensor) -> Array:
    start, stop, step = (int(v.reshape(())) for v in values)
    if any(v.dtype.kind != "i" for v in values) or len(range(start, stop, step)) > MOST_VALUES:
        raise UnprovedError("a range")
    return np.array(range(start, stop, step), values[0].dtype)


def _shape(call: Call, _: list[Array], __: Tensor) -> Array:
    return np.array([*shown(call), None], object)[:-1]  # None keeps it an array of objects


def _size(call: Call, _: list[Array], __: Tensor) -> Array:
    return _lone(product(call.tensor().dims))


def _lone(number: Dim | NonEmpty) -> Array:
    value = np.empty((), object)
    value[()] = number
    return value


def _reduced(number: np.ufunc) -> Evaluate:
    def compute(call: Call, values: list[Array], made: Tensor) -> Array:
        value = values[0]
        if value.dtype.kind == "f":
            raise UnprovedError("a sum whose rounding is not known")
        axes = call.axes(call.numbers(1, "axes") or None, value.ndim)
        if value.dtype != object:
            # No partial result may overflow, in whatever order runtimes compute it.
            sizes = [max(1, abs(int(v))) for v in value.flat]
            if (math.prod(sizes) if number is np.multiply else sum(sizes)) >= 2**31:
                raise UnprovedError("a sum that may overflow")
        for axis in sorted(axes, reverse=True):
            value = np.asarray(number.reduce(value, axis=axis), value.dtype)
        return value.reshape(made.dims)  # type: ignore[arg-type]

    return compute


VALUES: dict[str, Evaluate] = {
    "Add": _pointwise(np.add, lambda a, b: a + b),
    "And": _pointwise(np.logical_and),
    "Cast": _cast,
    "Ceil": _one(np.ceil),
    "Concat": lambda call, values, _: np.concatenate(values, axis=call.axis(values[0].ndim)),
    "Constant": _constant,
    "ConstantOfShape": _filled,
    "Div": _pointwise(_divide, _quotient),
    "Equal": _pointwise(np.equal, lambda a, b: _sign(a, b) == 0),
    "Expand": lambda _, values, made: np.broadcast_to(values[0], made.dims),
    "Floor": _one(np.floor),
    "Gather": _gather,
    "Greater": _pointwise(np.greater, lambda a, b: _sign(a, b) > 0),
    "GreaterOrEqual": _pointwise(np.greater_equal, lambda a, b: _sign(a, b) >= 0),
    "Less": _pointwise(np.less, lambda a, b: _sign(a, b) < 0),
    "LessOrEqual": _pointwise(np.less_equal, lambda a, b: _sign(a, b) <= 0),
    "Max": _pointwise(np.maximum, lambda a, b: a if _sign(a, b) >= 0 else b),
    "Min": _pointwise(np.minimum, lambda a, b: a if _sign(a, b) <= 0 else b),
    "Mod": _pointwise(_remainders, _remainder),
    "Mul": _pointwise(np.multiply, lambda a, b: a * b),
    "Neg": _one(np.negative),
    "Not": _one(np.logical_not),
    "Or": _pointwise(np.logical_or),
    "Range": _range,
    "ReduceProd": _reduced(np.multiply),
    "ReduceSum": _reduced(np.add),
    "Shape": _shape,
    "Size": _size,
    "Slice": _slice,
    "Sub": _pointwise(np.subtract, lambda a, b: a - b),
    "Tile": lambda _, values, __: np.tile(values[0], values[1]),
    "Transpose": lambda call, values, _: values[0].transpose(call.integers("perm")),
    "Where": _where,
} | dict.fromkeys(("Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"), _reshaped)
