"""Operators that mix values along some axes: reductions, softmax, norms, sorting."""

from __future__ import annotations

from collections.abc import Sequence

from rsonnx.model.rows.call import MICROSOFT, Call, of_shape, positive, rule, spare
from rsonnx.model.rows.values import Coupled, Dim, Shape, Tensor, UnprovedError, Value

_REDUCTIONS = ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")


def reduced(shape: Shape, axes: Sequence[int], keep: bool) -> Tensor:
    """Return the tensor that is left of a shape when some axes are reduced."""
    if keep:
        return of_shape(*(1 if axis in axes else size for axis, size in enumerate(shape)))
    return of_shape(*(size for axis, size in enumerate(shape) if axis not in axes))


@rule("ArgMax", "ArgMin", *(f"Reduce{name}" for name in _REDUCTIONS))
def _reduction(call: Call) -> Tensor:
    tensor = call.tensor()
    if call.operator in ("ArgMax", "ArgMin"):
        axes = [call.axis(tensor.rank, 0)]
    else:
        asked = call.numbers(1, "axes")
        if not asked and call.attribute("noop_with_empty_axes", 0):
            raise UnprovedError("noop_with_empty_axes")  # which not every runtime heeds
        axes = call.axes(asked or None, tensor.rank)
    spare(tensor, *axes)
    return reduced(tensor.dims, axes, bool(call.attribute("keepdims", 1)))


@rule("Hardmax", "LogSoftmax", "LpNormalization", "Softmax")
def _along(call: Call) -> Tensor:
    is_old = call.version < 13 and call.operator != "LpNormalization"
    return _mixed(call, flattened=is_old)


def _mixed(call: Call, *, flattened: bool) -> Tensor:
    """Mix along one axis; before operator set 13 softmax did along all from ``axis`` on."""
    tensor = call.tensor()
    first = call.axis(tensor.rank, 1 if flattened else -1)
    spare(tensor, *range(first, tensor.rank if flattened else first + 1))
    return Tensor(tensor.dims)


@rule("QLinearSoftmax", domain=MICROSOFT)
def _quantised_softmax(call: Call) -> Tensor:
    call.scalar(1, 2, 3, 4)
    opset = call.attribute("opset", 0)
    if opset < 1:
        raise UnprovedError("opset")
    return _mixed(call, flattened=opset < 13)


@rule("CumProd", "CumSum")
def _cumulative(call: Call) -> Tensor:
    tensor = call.tensor()
    spare(tensor, positive(int(call.value(1).reshape(())), tensor.rank))
    return Tensor(tensor.dims)


@rule("TopK")
def _top_k(call: Call) -> list[Tensor]:
    tensor = call.tensor()
    axis = call.axis(tensor.rank, -1)
    spare(tensor, axis)
    call.fixed(1)
    size: Dim = None
    if not call.has(1):
        size = call.attribute("k", 0)
    elif call.tensor(1).value is not None:
        size = int(call.value(1).reshape(()))
    return [of_shape(*tensor.dims[:axis], size, *tensor.dims[axis + 1 :])] * 2


@rule("BatchNormalization", "GroupNormalization", "InstanceNormalization", "LRN")
def _channels(call: Call) -> Tensor:
    """Normalise each row by itself or by fixed statistics, with one weight a channel (axis 1)."""
    is_batch = call.operator == "BatchNormalization"
    if is_batch and (call.attribute("training_mode", 0) or call.outputs > 1):
        raise UnprovedError("training mode")
    tensor = call.rows_first(least=2)
    call.fixed_from(1)
    return Tensor(tensor.dims)


@rule("MeanVarianceNormalization")
def _mean_variance(call: Call) -> Tensor:
    tensor, asked = call.tensor(), call.integers("axes")
    spare(tensor, *call.axes([0, 2, 3] if asked is None else asked, tensor.rank))
    return Tensor(tensor.dims)


@rule("LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization")
def _layer_normalisation(call: Call) -> list[Tensor]:
    """Normalise over the last axes, with weights that have no more axes than these."""
    tensor = call.tensor()
    axis = call.axis(tensor.rank, -1)
    _last_axes(call, tensor, axis, 1)
    statistics = reduced(tensor.dims, range(axis, tensor.rank), keep=True)
    return [Tensor(tensor.dims), *[statistics] * (call.outputs - 1)]


@rule("SkipLayerNormalization", "SkipSimplifiedLayerNormalization", domain=MICROSOFT)
def _skip_layer_normalisation(call: Call) -> list[Value]:
    """Normalise the sum of two tensors, which is the fourth output, over the last axis."""
    tensor = call.tensor()
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
