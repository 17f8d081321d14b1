"""One example's values in the shape that a model takes: axes are moved, never guessed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsonnx.errors import DataError, UsageError

_LAYOUTS = ("NCHW", "NHWC")


def arrange(
    values: NDArray[Any],
    shape: tuple[int, ...],
    layout: str | None,
    *,
    what: str = "the example",
) -> NDArray[Any]:
    """Bring one example to the input shape of a model, or refuse.

    In this order:

    1. The same shape: unchanged. (But uint8 of shape (3, 3, 3) is an image and needs a layout.)
    2. The same axes but for axes of length 1: those are added or dropped.
    3. A picture, that is (H, W), (H, W, C) or, where the last axis is neither 1 nor 3, (C, H, W)
       with C = 1 or 3: moved to (C, H, W) or (H, W, C), whichever `layout` says, or without a
       layout the only one that fits. Grey is repeated where 3 channels are taken, and 3 equal
       channels are one where one is taken.
    4. A grey picture for a flat input such as (784,): row by row. A colour picture: the same
       after it was moved to `layout`, and refused without one.

    With a layout, rule 3 also moves arrays of any other number of channels.

    Args:
        values: one example without batch axis, of any dtype.
        shape: the model's input shape without batch axis, every length known.
        layout: "NCHW" or "NHWC" as the model takes it, or None where it is not known.
        what: names the example in messages.

    Returns:
        An array of exactly `shape`, C-contiguous, of the dtype of `values`; it may share their
        memory, and be read-only as they are.

    Raises:
        DataError: another size, too many channels, or more than one way to arrange the values.
        UsageError: an unknown layout or a shape with an unknown axis.
    """
    if layout is not None and layout not in _LAYOUTS:
        raise UsageError(f"the layout is {layout!r}, but must be NCHW, NHWC or None")
    target = tuple(shape)
    if not all(isinstance(length, int | np.integer) and length >= 1 for length in target):
        raise UsageError(f"the input shape {shape} has an axis of unknown length; state it")
    return np.asarray(_fit(values, target, layout, what), order="C")


def arranged_places(
    shape: tuple[int, ...], target: tuple[int, ...], layout: str | None
) -> NDArray[np.unsignedinteger[Any]] | None:
    """Return from which place of an example of uint8 each value comes that :func:`arrange` gives.

    Args:
        shape: of the example.
        target, layout: as the shape and the layout there.

    Returns:
        Places in row order, in the shape of ``target``; None where the example is refused, or where
        its values decide.
    """
    size = math.prod(shape)
    # Where they fit they are uint8, as the example is: few values are told apart by that.
    places = np.arange(size, dtype=np.min_scalar_type(max(0, size - 1))).reshape(shape)
    try:
        return arrange(places, target, layout)
    except DataError:
        return None


def _fit(
    values: NDArray[Any], target: tuple[int, ...], layout: str | None, what: str
) -> NDArray[Any]:
    if values.shape == target and not (values.dtype == np.uint8 and target == (3, 3, 3)):
        return values
    is_colour = values.ndim == 3 and values.shape[2] == 3
    if _long_axes(values.shape) == _long_axes(target) and not is_colour:
        return values.reshape(target)
    picture = _picture(values, layout)
    if picture is not None and picture.shape[2] == 3 and 3 * math.prod(target) == picture.size:
        grey = picture[:, :, :1]
        if (picture == grey).all():
            return _fit(grey, target, layout, what)
    if picture is not None and len(_long_axes(target)) <= 1:
        return _flatten(picture, target, layout, what)
    if picture is not None and len(target) == 3:
        height, width, channels = picture.shape
        fits = [
            tried
            for tried in (_LAYOUTS if layout is None else (layout,))
            if (wanted := _picture_size(target, tried))[:2] == (height, width)
            and (wanted[2] == channels or (wanted[2], channels) == (3, 1))
        ]
        if len(fits) > 1:
            raise DataError(
                f"{what} of shape {values.shape} fits the model's input {target} as NCHW and as "
                "NHWC; state the layout"
            )
        if fits:
            taken = _picture_size(target, fits[0])[2]
            return _laid_out(np.repeat(picture, taken // channels, axis=2), fits[0])
    raise _refusal(values, picture, target, layout, what)


def _long_axes(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(length for length in shape if length != 1)


def _picture(values: NDArray[Any], layout: str | None) -> NDArray[Any] | None:
    """Return the values as (H, W, C), or None where they are no picture."""
    if values.ndim == 2:
        return values[:, :, np.newaxis]
    if values.ndim != 3:
        return None
    if values.shape[2] in (1, 3):
        return values
    if values.shape[0] in (1, 3):
        return np.moveaxis(values, 0, -1)
    # Other numbers of channels tell no order. But the values do not have the model's shape, so
    # if they have its axes at all, it is in the other order.
    if layout is None:
        return None
    return values if layout == "NCHW" else np.moveaxis(values, 0, -1)


def _laid_out(picture: NDArray[Any], layout: str) -> NDArray[Any]:
    return np.moveaxis(picture, -1, 0) if layout == "NCHW" else picture


def _flatten(
    picture: NDArray[Any], target: tuple[int, ...], layout: str | None, what: str
) -> NDArray[Any]:
    height, width, channels = picture.shape
    if picture.size != math.prod(target):
        grey = height * width == math.prod(target)
        advice = "convert the images to grey first" if grey else "resize the images first"
        raise DataError(
            f"{what} is {height}x{width} with {channels} channel(s), {picture.size} values, but "
            f"the model takes {math.prod(target)}; {advice}"
        )
    if channels == 1:
        return picture.reshape(target)
    if layout is None or channels != 3:
        raise DataError(
            f"{what} has {channels} channels, but the model's flat input {target} does not say in "
            "which order; state the layout that was flattened, NCHW or NHWC, of images with 3"
        )
    return _laid_out(picture, layout).reshape(target)


def _picture_size(target: tuple[int, ...], layout: str) -> tuple[int, int, int]:
    """Return (H, W, C) of a model's input of three axes."""
    first, second, third = target
    return (second, third, first) if layout == "NCHW" else (first, second, third)


def _refusal(
    values: NDArray[Any],
    picture: NDArray[Any] | None,
    target: tuple[int, ...],
    layout: str | None,
    what: str,
) -> DataError:
    """Say what does not fit, as nearly as the model's shape can be understood."""
    wanted = (*target, 1)
    if len(target) == 3:
        layouts = [tried for tried in _LAYOUTS if _picture_size(target, tried)[2] in (1, 3)]
        layout = layout or (layouts[0] if len(layouts) == 1 else None)
        wanted = _picture_size(target, layout) if layout else target
    if picture is None or len(wanted) != 3 or (len(target) == 3 and layout is None):
        ordered = sorted(values.shape) == sorted(target)
        return DataError(
            f"{what} has shape {values.shape}, but the model takes {target}; save it in the "
            f"model's shape{', or state the layout' * ordered}"
        )
    (height, width, channels), (rows, columns, taken) = picture.shape, wanted
    advice = "use data with as many channels"
    if (height, width) != (rows, columns):
        advice = "resize the images first"
    elif (channels, taken) == (3, 1):
        advice = "convert the images to grey first"
    return DataError(
        f"{what} is {height}x{width} (height x width) with {channels} channel(s), but the model "
        f"takes {rows}x{columns} with {taken} (input {target}, {layout or 'no layout'}); "
        f"{advice}"
    )
