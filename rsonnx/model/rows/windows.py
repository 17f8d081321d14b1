"""Operators that slide over the space axes of each row: convolutions, pooling, resizing."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from rsonnx.model.rows.call import Call, of_shape, positive
from rsonnx.model.rows.elementwise import broadcast
from rsonnx.model.rows.values import Coupled, Dim, Multiple, Tensor, UnprovedError, Value


def _slid(call: Call, space: Sequence[Dim], kernel: Sequence[Dim]) -> list[Dim]:
    """Return how many places a window has on each space axis, None where that is not known."""
    rank = len(space)
    strides = call.integers("strides") or [1] * rank
    dilations = call.integers("dilations") or [1] * rank
    pads = call.integers("pads") or [0] * (2 * rank)
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


def convolution(
    call: Call, data: int = 0, weights: int = 1, *, channels_last: bool = False
) -> Tensor:
    """Return a convolution of one input by another, which may hold no rows."""
    tensor, kernel = call.rows_first(data, least=3), call.tensor(weights)
    call.fixed(weights)
    if kernel.rank != tensor.rank:
        raise UnprovedError("weights of another number of axes")
    if channels_last:
        return of_shape(tensor.dims[0], *[None] * (tensor.rank - 2), kernel.dims[0])
    space = _slid(call, tensor.dims[2:], _kernel(call, kernel.dims[2:]))
    return of_shape(tensor.dims[0], kernel.dims[0], *space)


def _kernel(call: Call, stored: Sequence[Dim]) -> Sequence[Dim]:
    return call.integers("kernel_shape") or stored


def _convolve(call: Call) -> list[Value]:
    call.fixed(2)
    made = convolution(call)
    if call.has(3):  # what onnxruntime adds in a fused convolution
        made = of_shape(*broadcast(made.dims, call.tensor(3).dims))
    return [made]


def _convolve_integers(call: Call) -> list[Value]:
    call.scalar(2)
    call.fixed(3)
    return [convolution(call)]


def _convolve_quantised(call: Call) -> list[Value]:
    call.scalar(1, 2, 6, 7)
    call.fixed(4, 5, 8)
    last = bool(call.attribute("channels_last", 0))
    return [convolution(call, 0, 3, channels_last=last)]


def _convolve_transposed(call: Call) -> list[Value]:
    tensor, kernel = call.rows_first(least=3), call.tensor(1)
    call.fixed(1, 2)
    if kernel.rank != tensor.rank or not isinstance(kernel.dims[1], int):
        raise UnprovedError("weights of another number of axes")
    channels = kernel.dims[1] * call.attribute("group", 1)
    return [of_shape(tensor.dims[0], channels, *_grown(call, tensor, kernel))]


def _grown(call: Call, tensor: Tensor, kernel: Tensor) -> list[Dim]:
    rank = tensor.rank - 2
    if call.attribute("auto_pad", "NOTSET") != "NOTSET" or "output_shape" in call.attributes:
        return [None] * rank
    strides = call.integers("strides") or [1] * rank
    dilations = call.integers("dilations") or [1] * rank
    pads = call.integers("pads") or [0] * (2 * rank)
    more = call.integers("output_padding") or [0] * rank
    sizes: list[Dim] = []
    for i, (size, window) in enumerate(
        zip(tensor.dims[2:], _kernel(call, kernel.dims[2:]), strict=True)
    ):
        if not isinstance(size, int) or not isinstance(window, int):
            sizes.append(None)
        else:
            whole = strides[i] * (size - 1) + more[i] + (window - 1) * dilations[i] + 1
            sizes.append(whole - pads[i] - pads[i + rank])
    return sizes


def _pool(call: Call) -> list[Value]:
    tensor = call.rows_first(least=3)
    kernel = call.integers("kernel_shape")
    if kernel is None:
        raise UnprovedError("no kernel_shape")
    call.fixed_from(1)
    if call.attribute("channels_last", 0):
        space = _slid(call, tensor.dims[1:-1], kernel)
        made = of_shape(tensor.dims[0], *space, tensor.dims[-1])
    else:
        made = of_shape(*tensor.dims[:2], *_slid(call, tensor.dims[2:], kernel))
    # The indices of MaxPool count through the whole batch.
    return [made, Coupled(f"the indices of {call.operator}")]


def _pool_last(call: Call) -> list[Value]:
    tensor = call.rows_first(least=3)
    space = _slid(call, tensor.dims[1:-1], call.integers("kernel_shape") or ())
    return [of_shape(tensor.dims[0], *space, tensor.dims[-1])]


def _pool_all(call: Call) -> list[Value]:
    tensor = call.rows_first(least=3)
    call.fixed_from(1)
    ones = [1] * (tensor.rank - 2)
    if call.attribute("channels_last", 0):
        return [of_shape(tensor.dims[0], *ones, tensor.dims[-1])]
    return [of_shape(*tensor.dims[:2], *ones)]


def _resize(call: Call) -> list[Value]:
    """Resize the axes that hold no rows; the axis of the rows keeps its length."""
    tensor = call.tensor(0)
    policy = call.attribute("keep_aspect_ratio_policy", "stretch")
    if call.attribute("coordinate_transformation_mode", "").startswith("tf_"):
        raise UnprovedError("places that are moved along every axis")
    if call.attribute("mode", "nearest") != "nearest" and (tensor.rank < 4 or tensor.axis):
        raise UnprovedError("interpolation between rows")  # of weight 0, but 0 * NaN is NaN
    if policy != "stretch":
        raise UnprovedError(f"keep_aspect_ratio_policy {policy}")
    call.fixed(1, 2)
    asked = call.integers("axes")
    axes = [positive(a, tensor.rank) for a in (range(tensor.rank) if asked is None else asked)]
    sizes = call.numbers(3) if call.has(3) else None
    scales = _scales(call) if not sizes else None
    factors = sizes or scales
    if factors is None or len(factors) != len(axes) or len(set(axes)) != len(axes):
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
    return [of_shape(*shape)]


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


def _grid_sample(call: Call) -> list[Value]:
    tensor, grid = call.rows_first(least=3), call.rows_first(1, least=3)
    if tensor.dims[0] != grid.dims[0]:
        raise UnprovedError("a grid without rows")
    return [of_shape(*tensor.dims[:2], *grid.dims[1:-1])]


RULES = {
    "AveragePool": _pool,
    "Conv": _convolve,
    "ConvInteger": _convolve_integers,
    "ConvTranspose": _convolve_transposed,
    "GlobalAveragePool": _pool_all,
    "GlobalLpPool": _pool_all,
    "GlobalMaxPool": _pool_all,
    "GridSample": _grid_sample,
    "LpPool": _pool,
    "MaxPool": _pool,
    "QLinearConv": _convolve_quantised,
    "Resize": _resize,
    "Upsample": _resize,
    "com.microsoft.FusedConv": _convolve,
    "com.microsoft.NhwcMaxPool": _pool_last,
    "com.microsoft.QLinearAveragePool": _pool,
    "com.microsoft.QLinearConv": _convolve_quantised,
    "com.microsoft.QLinearGlobalAveragePool": _pool_all,
}

SIZES = {"Resize": {3}}
