"""Operators that mix values along some axes: reductions, softmax, norms, sorting."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rsonnx.model.rows.call import Call, of_shape, positive, spare
from rsonnx.model.rows.values import Coupled, Dim, Shape, Tensor, UnprovedError, Value


def reduced(shape: Shape, axes: Sequence[int], keep: bool) -> Tensor:
    """Return the tensor that is left of a shape when some axes are reduced."""
    if keep:
        return of_shape(*(1 if axis in axes else size for axis, size in enumerate(shape)))
    return of_shape(*(size for axis, size in enumerate(shape) if axis not in axes))


def _reduction(call: Call) -> list[Value]:
    tensor, asked = call.tensor(0), call.numbers(1, "axes")
    if not asked and call.attribute("noop_with_empty_axes", 0):
        raise UnprovedError("noop_with_empty_axes")  # which not every runtime heeds
    axes = [positive(axis, tensor.rank) for axis in asked or range(tensor.rank)]
    spare(tensor, *axes)
    return [reduced(tensor.dims, axes, bool(call.attribute("keepdims", 1)))]


def _largest(call: Call) -> list[Value]:
    tensor = call.tensor(0)
    axis = call.axis(tensor.rank, 0)
    spare(tensor, axis)
    return [reduced(tensor.dims, [axis], bool(call.attribute("keepdims", 1)))]


def _softmax(call: Call) -> list[Value]:
    if call.version < 13:
        return flattened_softmax(call)
    return _along(-1)(call)


def flattened_softmax(call: Call) -> list[Value]:
    """Mix along all axes from ``axis`` on, as softmax did before operator set 13."""
    tensor = call.tensor(0)
    spare(tensor, *range(call.axis(tensor.rank, 1), tensor.rank))
    return [Tensor(tensor.dims)]


def _along(default: int | None) -> Callable[[Call], list[Value]]:
    """Mix along one axis and keep the shape."""

    def rule(call: Call) -> list[Value]:
        call.fixed_from(1)
        tensor = call.tensor(0)
        spare(tensor, call.axis(tensor.rank, default))
        return [Tensor(tensor.dims)]

    return rule


def _cumulative(call: Call) -> list[Value]:
    tensor = call.tensor(0)
    spare(tensor, positive(int(call.value(1).reshape(())), tensor.rank))
    return [Tensor(tensor.dims)]


def _top_k(call: Call) -> list[Value]:
    tensor = call.tensor(0)
    axis = call.axis(tensor.rank, -1)
    spare(tensor, axis)
    call.fixed(1)
    count: Dim = None
    if not call.has(1):
        count = call.attribute("k", 0)
    elif call.tensor(1).value is not None:
        count = int(call.value(1).reshape(()))
    shape = list(tensor.dims)
    shape[axis] = count
    return [of_shape(*shape)] * 2


def _channels(call: Call) -> list[Value]:
    """Normalise each row by itself or by fixed statistics, with one weight a channel (axis 1)."""
    tensor = call.rows_first(least=2)
    call.fixed_from(1)
    return [Tensor(tensor.dims)]


def _batch_normalisation(call: Call) -> list[Value]:
    if call.attribute("training_mode", 0) or call.outputs > 1:
        raise UnprovedError("training mode")
    return _channels(call)


def _mean_variance(call: Call) -> list[Value]:
    tensor = call.tensor(0)
    axes = call.integers("axes")
    spare(tensor, *(positive(a, tensor.rank) for a in ([0, 2, 3] if axes is None else axes)))
    return [Tensor(tensor.dims)]


def _layer_normalisation(call: Call) -> list[Value]:
    """Normalise over the last axes, with weights that have no more axes than these."""
    tensor = call.tensor(0)
    axis = call.axis(tensor.rank, -1)
    _last_axes(call, tensor, axis, 1)
    statistics = reduced(tensor.dims, range(axis, tensor.rank), keep=True)
    return [Tensor(tensor.dims), *[statistics] * (call.outputs - 1)]


def _skip_layer_normalisation(call: Call) -> list[Value]:
    """Normalise the sum of two tensors, which is the fourth output, over the last axis."""
    tensor = call.tensor(0)
    if call.tensor(1).dims != tensor.dims:
        raise UnprovedError("inputs of two shapes")
    _last_axes(call, tensor, tensor.rank - 1, 2)
    made, unused = Tensor(tensor.dims), Coupled(f"statistics of {call.operator}")
    return [made, unused, unused, made]


def _last_axes(call: Call, tensor: Tensor, axis: int, weights: int) -> None:
    spare(tensor, *range(axis, tensor.rank))
    call.fixed_from(weights)
    if any(weight.rank > tensor.rank - axis for weight in call.given[weights:]):
        raise UnprovedError("weights of more axes")


_REDUCTIONS = ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")

RULES = {f"Reduce{name}": _reduction for name in _REDUCTIONS} | {
    "ArgMax": _largest,
    "ArgMin": _largest,
    "BatchNormalization": _batch_normalisation,
    "CumProd": _cumulative,
    "CumSum": _cumulative,
    "GroupNormalization": _channels,
    "Hardmax": _softmax,
    "InstanceNormalization": _channels,
    "LRN": _channels,
    "LayerNormalization": _layer_normalisation,
    "LogSoftmax": _softmax,
    "LpNormalization": _along(-1),
    "MeanVarianceNormalization": _mean_variance,
    "RMSNormalization": _layer_normalisation,
    "SimplifiedLayerNormalization": _layer_normalisation,
    "Softmax": _softmax,
    "TopK": _top_k,
    "com.microsoft.SkipLayerNormalization": _skip_layer_normalisation,
    "com.microsoft.SkipSimplifiedLayerNormalization": _skip_layer_normalisation,
}
