"""Move the values of a composed model's input to where a part of another layout takes them."""

from __future__ import annotations

import math

from rsonnx.compose.graph import Builder
from rsonnx.compose.parts import Part
from rsonnx.errors import ModelError


def arranged(builder: Builder, data: str, first: Part, part: Part) -> str:
    """Return a tensor, shaped as the first part takes it, as another part takes it.

    Raises:
        ModelError: they take other numbers of values, or do not say in which order.
    """
    source, target = (p.plan.data for p in (first, part))
    layouts = {source.layout, target.layout} - {None}
    if source.shape == target.shape and (len(layouts) < 2 or len(source.shape) != 3):
        return data
    if _long(source.shape) == _long(target.shape) and len(layouts) < 2:
        return builder.add("Reshape", [data, builder.constant([-1, *target.shape], "int64")])
    sizes = [
        picture_size(data.shape, data.layout)
        for data in (source, target)
        if len(data.shape) == 3 and data.layout is not None
    ]
    same = len(set(sizes)) == 1 and math.prod(source.shape) == math.prod(target.shape)
    # One channel stands in the same order in every layout.
    order = None if not same else layouts.pop() if sizes[0][2] == 1 else None
    before, after = source.layout or order, target.layout or order
    if not same or before is None or after is None:
        raise ModelError(
            f"{part} takes inputs of shape {list(target.shape)} ({target.layout or 'no layout'}), "
            f"but {first} {list(source.shape)} ({source.layout or 'no layout'}); parts must take "
            "the same values, in layouts that are declared"
        )
    if len(source.shape) != 3:
        shape = builder.constant([-1, *_shape(sizes[0], before)], "int64")
        data = builder.add("Reshape", [data, shape])
    if before != after:
        perm = [0, 2, 3, 1] if after == "NHWC" else [0, 3, 1, 2]
        data = builder.add("Transpose", [data], perm=perm)
    if len(target.shape) != 3:
        data = builder.add("Reshape", [data, builder.constant([-1, *target.shape], "int64")])
    return data


def _long(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(length for length in shape if length != 1)


def picture_size(shape: tuple[int, ...], layout: str) -> tuple[int, ...]:
    """Return (height, width, channels)."""
    return shape if layout == "NHWC" else (*shape[1:], shape[0])


def _shape(size: tuple[int, ...], layout: str) -> tuple[int, ...]:
    return size if layout == "NHWC" else (size[2], *size[:2])
