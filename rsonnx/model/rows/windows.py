"""Operators that slide over the space axes of each row: convolutions, pooling, resizing."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from rsonnx.model.rows.call import MICROSOFT, Call, of_shape, rule
from rsonnx.model.rows.elementwise import broadcast
from rsonnx.model.rows.values import Coupled, Dim, Multiple, Tensor, UnprovedError, Value


def _slid(call: Call, space: Sequence[Dim], kernel: Sequence[Dim]) -> list[Dim]:
    """Return how many places a window has on each space axis, None where that is not known."""
    rank = len(space)
    strides, dilations, pads = _steps(call, rank)
    how = call.attribute("auto_pad", "NOTSET")
    if not len(kernel) == len(strides) == len(dilations) == rank == len(pads) // 2:
        raise UnprovedError("a window of another number of axes")
    if min(strides, default=1) < 1:
        raise UnprovedError("strides")
    sizes: list[Dim] = []
    for axis, (size, window) in enumerate(zip(space, kernel, strict=True)):
        free = None
        if isinstance(size, int) and isinstance(window, int) and not call.attribute("ceil_mode", 0):
            padding = pads[axis] + pads[axis + rank] if how == "NOTSET" else 0
            free = size + padding - dilations[axis] * (window - 1) - 1
        if free is None or free < 0 or (how != "NOTSET" and dilations[axis] > 1):
            sizes.append(None)  # or what runtimes do not agree about
        elif how in ("SAME_UPPER", "SAME_LOWER"):
            sizes.append(-(-size // strides[axis]))  # type: ignore[operator]
        else:
            sizes.append(free // strides[axis] + 1)
    return sizes


def _steps(call: Call, rank: int) -> tuple[list[int], list[int], list[int]]:
    """Return strides, dilations and pads."""
    strides, dilations = (call.integers(name) or [1] * rank for name in ("strides", "dilations"))
    return strides, dilations, call.integers("pads") or [0] * 2 * rank


def _convolution(call: Call, weights: int = 1, *, channels_last: bool = False) -> Tensor:
    """Return a convolution of the first input by another, which may hold no rows."""
    tensor, kernel = call.rows_first(least=3), call.tensor(weights)
    call.fixed(weights)
    if kernel.rank != tensor.rank:
        raise UnprovedError("weights of another number of axes")
    if channels_last:
        return of_shape(tensor.dims[0], *[None] * (tensor.rank - 2), kernel.dims[0])
    window = call.integers("kernel_shape") or kernel.dims[2:]
    return of_shape(tensor.dims[0], kernel.dims[0], *_slid(call, tensor.dims[2:], window))


@rule("Conv")
@rule("FusedConv", domain=MICROSOFT)
def _convolve(call: Call) -> Tensor:
    call.fixed(2)
    made = _convolution(call)
    if call.has(3):  # what onnxruntime adds in a fused convolution
        made = of_shape(*broadcast(made.dims, call.tensor(3).dims))
    return made


@rule("ConvInteger")
def _convolve_integers(call: Call) -> Tensor:
    call.scalar(2)
    call.fixed(3)
    return _convolution(call)


@rule("QLinearConv")
@rule("QLinearConv", domain=MICROSOFT)
def _convolve_quantised(call: Call) -> Tensor:
    call.scalar(1, 2, 6, 7)
    call.fixed(4, 5, 8)
    return _convolution(call, 3, channels_last=bool(call.attribute("channels_last", 0)))


@rule("ConvTranspose")
def _convolve_transposed(call: Call) -> Tensor:
    tensor, kernel = call.rows_first(least=3), call.tensor(1)
    call.fixed(1, 2)
    if kernel.rank != tensor.rank or not isinstance(kernel.dims[1], int):
        raise UnprovedError("weights of another number of axes")
    channels = kernel.dims[1] * call.attribute("group", 1)
    return of_shape(tensor.dims[0], channels, *_grown(call, tensor, kernel))


def _grown(call: Call, tensor: Tensor, kernel: Tensor) -> list[Dim]:
    rank = tensor.rank - 2
    if call.attribute("auto_pad", "NOTSET") != "NOTSET" or "output_shape" in call.attributes:
        return [None] * rank
    strides, dilations, pads = _steps(call, rank)
    more = call.integers("output_padding") or [0] * rank
    windows = call.integers("kernel_shape") or kernel.dims[2:]
    sizes: list[Dim] = []
    for i, (size, window) in enumerate(zip(tensor.dims[2:], windows, strict=True)):
        if not isinstance(size, int) or not isinstance(window, int):
            sizes.append(None)
        else:
            whole = strides[i] * (size - 1) + more[i] + (window - 1) * dilations[i] + 1
            sizes.append(whole - pads[i] - pads[i + rank])
    return sizes


@rule("AveragePool", "LpPool", "MaxPool")
@rule("NhwcMaxPool", "QLinearAveragePool", domain=MICROSOFT)
def _pool(call: Call) -> list[Value]:
    tensor, kernel = call.rows_first(least=3), call.integers("kernel_shape")
    if kernel is None:
        raise UnprovedError("no kernel_shape")
    call.fixed_from(1)
    is_last = call.operator == MICROSOFT + "NhwcMaxPool" or call.attribute("channels_last", 0)
    space = tensor.dims[1:-1] if is_last else tensor.dims[2:]
    # The indices of MaxPool count through the whole batch.
    indices = Coupled(f"the indices of {call.operator}")
    return [_pooled(tensor, _slid(call, space, kernel), is_last=bool(is_last)), indices]


@rule("GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool")
@rule("QLinearGlobalAveragePool", domain=MICROSOFT)
def _pool_all(call: Call) -> Tensor:
    tensor = call.rows_first(least=3)
    call.fixed_from(1)
    is_last = bool(call.attribute("channels_last", 0))
    return _pooled(tensor, [1] * (tensor.rank - 2), is_last=is_last)


def _pooled(tensor: Tensor, space: Sequence[Dim], *, is_last: bool) -> Tensor:
    rows, channels = tensor.dims[0], tensor.dims[-1 if is_last else 1]
    return of_shape(rows, *space, channels) if is_last else of_shape(rows, channels, *space)


@rule("Resize", "Upsample", sizes={3})
def _resize(call: Call) -> Tensor:
    """Resize the axes that hold no rows; the axis of the rows keeps its length."""
    tensor = call.tensor()
    policy = call.attribute("keep_aspect_ratio_policy", "stretch")
    if call.attribute("coordinate_transformation_mode", "").startswith("tf_"):
        raise UnprovedError("places that are moved along every axis")
    if call.attribute("mode", "nearest") != "nearest" and (tensor.rank < 4 or tensor.axis):
        raise UnprovedError("interpolation between rows")  # of weight 0, but 0 * NaN is NaN
    if policy != "stretch":
        raise UnprovedError(f"keep_aspect_ratio_policy {policy}")
    call.fixed(1, 2)
    axes = call.axes(call.integers("axes"), tensor.rank)
    sizes = call.numbers(3) if call.has(3) else None
    factors = sizes or _scales(call)
    if len(factors) != len(axes) or len(set(axes)) != len(axes):
        raise UnprovedError("scales and sizes that are not known")
    shape = list(tensor.dims)
    for axis, factor in zip(axes, factors, strict=True):
        size = shape[axis]
        if isinstance(size, Multiple):
            if factor != (size if sizes else 1):
                raise UnprovedError()
        elif isinstance(factor, Multiple):
            raise UnprovedError("a size that depends on the number of rows")
        else:
            shape[axis] = factor if sizes else _scaled(size, factor)
    return of_shape(*shape)


def _scaled(size: Dim, factor: float) -> Dim:
    """Return a size times a factor, None where that depends on how the product is rounded."""
    if not isinstance(size, int):
        return None
    rounded = math.floor(np.float32(size) * np.float32(factor))
    return rounded if rounded == math.floor(size * factor) else None


def _scales(call: Call) -> list[float]:
    if "scales" in call.attributes:
        return [float(v) for v in call.attribute("scales", list[float]())]
    index = 1 if call.operator == "Upsample" or call.version < 11 else 2
    return [float(v) for v in call.value(index).tolist()]


@rule("GridSample")
def _grid_sample(call: Call) -> Tensor:
    tensor, grid = call.rows_first(least=3), call.rows_first(1, least=3)
    if tensor.dims[0] != grid.dims[0]:
        raise UnprovedError("a grid without rows")
    return of_shape(*tensor.dims[:2], *grid.dims[1:-1])
