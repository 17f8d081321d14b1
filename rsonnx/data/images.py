"""One image file: bytes in, uint8 (H, W, C) out, and nothing that would change its pixels unseen.

Pixels come out as they are stored. EXIF orientation, colour profiles and gamma are not applied,
which is what torchvision's `ImageFolder` does too. Conversions are only those that lose nothing:
bilevel to grey, palette to RGB, and dropping an alpha channel that is opaque everywhere.
"""

from __future__ import annotations

import io
import re
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from rsonnx.errors import DataError

IMAGE_SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif",
    ".ppm", ".pgm", ".pbm", ".pnm", ".tif", ".tiff",
)  # fmt: skip
"""Endings (lower case) that make a file an image."""

# Named, so that a file cannot choose a decoder nobody expects here (EPS would start Ghostscript).
_FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "GIF", "PPM", "TIFF")

_CHANNELS = {"1": 1, "L": 1, "LA": 1, "P": 3, "PA": 3, "RGB": 3, "RGBA": 3}
_TIFF_ORIENTATION = 274


def is_image_name(name: str) -> bool:
    """Tell whether a file name ends like an image, in upper or lower case."""
    return name.lower().endswith(IMAGE_SUFFIXES)


def image_shape(file: io.BufferedIOBase, where: str) -> tuple[int, int, int]:
    """Return (H, W, C) of an image from its header; `where` names it in messages.

    Raises:
        DataError: the header cannot be read, or already rules the image out.
    """
    try:
        with _open(file) as image:
            return image.height, image.width, _check_header(image, where)
    except DataError:
        raise
    except Exception as error:  # a decoder may raise anything on hostile bytes
        raise _broken(error, where) from error


def read_image(file: io.BufferedIOBase, where: str) -> NDArray[np.uint8]:
    """Decode an image to a read-only uint8 array (H, W, C), C = 1 or 3, as stored.

    Raises:
        DataError: broken or truncated, larger than Pillow's pixel limit, several frames, more
            than 8 bits a channel, CMYK or another mode that is neither grey nor RGB, or
            transparent anywhere.
    """
    try:
        with _open(file) as image:
            channels = _check_header(image, where)
            pixels = np.array(_without_alpha(image, channels, where), dtype=np.uint8)
    except DataError:
        raise
    except Exception as error:  # a decoder may raise anything on hostile bytes
        raise _broken(error, where) from error
    pixels = pixels.reshape(pixels.shape[0], pixels.shape[1], channels)
    pixels.flags.writeable = False
    return pixels


def _open(file: io.BufferedIOBase) -> Image.Image:
    # Pillow needs no more than a buffered reader is; only its annotation asks for IO[bytes].
    return Image.open(cast("IO[bytes]", file), formats=_FORMATS)


def _check_header(image: Image.Image, where: str) -> int:
    """Return the number of channels; DataError where the header rules the image out."""
    limit = Image.MAX_IMAGE_PIXELS  # Pillow only warns up to twice its limit
    if limit is not None and image.width * image.height > limit:
        raise DataError(
            f"{where} has {image.width}x{image.height} pixels, more than the {limit} that Pillow "
            "takes for safe; resize the image first"
        )
    # A JPEG with further pictures after it (MPO) is its first picture to every JPEG reader.
    if getattr(image, "is_animated", False) and image.format != "MPO":
        raise DataError(
            f"{where} has several frames or pages; write the one that is meant to its own file"
        )
    if image.mode not in _CHANNELS:
        raise DataError(
            f"{where} has Pillow mode {image.mode!r}, but 8-bit grey or RGB is needed; convert the "
            "image first"
        )
    _check_depth(image, where)
    tags: Any = getattr(image, "tag_v2", {})
    if image.format == "TIFF" and tags.get(_TIFF_ORIENTATION, 1) != 1:
        # Pillow turns TIFF images (and no others) while it loads them.
        raise DataError(f"{where} has a TIFF orientation tag; turn the image and remove the tag")
    return _CHANNELS[image.mode]


def _check_depth(image: Image.Image, where: str) -> None:
    """Refuse images that Pillow rescales to 8 bits while their mode looks like 8 bits."""
    for tile in image.tile if hasattr(image, "tile") else ():
        decoder, arguments = tile[0], tile[3]
        raw = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
        if isinstance(raw, str) and re.search(r";16[A-Z]+$", raw):
            raise DataError(f"{where} has 16 bits a channel; convert it to 8 bits first")
        if decoder in ("ppm", "ppm_plain") and isinstance(arguments, tuple):
            highest = arguments[1]
            if highest != 255:
                raise DataError(f"{where} has levels 0..{highest}; convert it to 0..255 first")


def _without_alpha(image: Image.Image, channels: int, where: str) -> Image.Image:
    """Return the image in mode L or RGB; DataError where that would lose transparency."""
    mode = "L" if channels == 1 else "RGB"
    if "A" not in image.mode and "transparency" not in image.info:
        return image.convert(mode)
    opened = image.convert("RGBA")
    if opened.getchannel("A").getextrema() != (255, 255):
        raise DataError(
            f"{where} is transparent in places; flatten it onto a background first, the model sees "
            "one"
        )
    return opened.getchannel("R") if channels == 1 else opened.convert("RGB")


def _broken(error: Exception, where: str) -> DataError:
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return DataError(
            f"{where} has more pixels than Pillow takes for safe ({error}); resize the image first"
        )
    if isinstance(error, UnidentifiedImageError):
        reason = f"its bytes are none of {', '.join(_FORMATS)}"
    else:
        reason = f"{type(error).__name__}: {error}"
    return DataError(f"{where} cannot be read as an image ({reason}); replace or remove the file")
