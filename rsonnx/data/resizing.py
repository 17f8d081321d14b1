"""Resize and crop images before the noise, as the preprocessing of a model declares.

What is certified is then the resized image: it is still an 8-bit image, so exact noise applies, and
sigma and the radius are in its pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rsonnx.errors import DataError

INTERPOLATIONS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "box": Image.Resampling.BOX,
    "hamming": Image.Resampling.HAMMING,
    "lanczos": Image.Resampling.LANCZOS,
}
"""Pillow's filters by their usual names."""


CENTERS: dict[str, Callable[[int], int]] = {
    "round": lambda margin: round(margin / 2),
    "floor": lambda margin: margin // 2,
}
"""Where a centre crop begins in a margin: torchvision and timm take int(round(margin / 2.0)), half
to even, and Hugging Face margin // 2 (``center_crop`` of each)."""


def resized_shape(
    shape: tuple[int, ...],
    *,
    resize: int | tuple[int, int] | None = None,
    crop: tuple[int, int] | None = None,
) -> tuple[int, ...]:
    """Return the shape that :func:`resize_and_crop` gives an image of this shape.

    Raises:
        DataError: the shape is no image's, or the crop is larger than the resized image.
    """
    if resize is None and crop is None:
        return shape
    if len(shape) != 3:
        raise DataError(
            f"the preprocessing resizes or crops images, but the input has shape {list(shape)}"
        )
    height, width = _size(shape[0], shape[1], resize)
    if crop is not None:
        if crop[0] > height or crop[1] > width:
            raise DataError(
                f"the preprocessing crops {crop[0]}x{crop[1]} from an image of {height}x{width}, "
                "which is smaller; resize it first"
            )
        height, width = crop
    return (height, width, shape[2])


def resize_and_crop(
    image: NDArray[Any],
    *,
    resize: int | tuple[int, int] | None = None,
    crop: tuple[int, int] | None = None,
    interpolation: str = "bilinear",
    center: str = "round",
) -> NDArray[Any]:
    """Resize an image and cut out its centre.

    Args:
        image: uint8 (H, W, C), C = 1 or 3.
        resize: the length of the shorter side (the other keeps the proportion, rounded down, as
            torchvision's Resize does), or (height, width); None keeps the size.
        crop: (height, width) of the centre that is kept; None keeps all.
        interpolation: one of ``INTERPOLATIONS``; Pillow's filters, which smooth when they shrink.
        center: one of ``CENTERS``, which differ by a pixel where a margin is odd.

    Returns:
        uint8 (H', W', C).

    Raises:
        DataError: not an 8-bit image, or the crop is larger than the image.
    """
    shape = resized_shape(image.shape, resize=resize, crop=crop)
    if shape == image.shape and resize is None:
        return image
    if image.dtype != np.uint8:
        raise DataError(
            f"the preprocessing resizes or crops 8-bit images, but the input has type {image.dtype}"
        )
    height, width = _size(image.shape[0], image.shape[1], resize)
    if (height, width) != image.shape[:2]:
        grey = image.shape[2] == 1
        picture = Image.fromarray(image[:, :, 0] if grey else image)
        picture = picture.resize((width, height), INTERPOLATIONS[interpolation])
        image = np.asarray(picture).reshape(height, width, image.shape[2])
    if crop is not None:
        begin = CENTERS[center]
        top, left = begin(height - crop[0]), begin(width - crop[1])
        image = image[top : top + crop[0], left : left + crop[1]]
    return np.ascontiguousarray(image)


def _size(height: int, width: int, resize: int | tuple[int, int] | None) -> tuple[int, int]:
    if resize is None:
        return height, width
    if not isinstance(resize, int):
        return resize
    if height <= width:
        return resize, max(1, resize * width // height)
    return max(1, resize * height // width), resize
