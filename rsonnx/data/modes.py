"""What a picture holds becomes grey or RGB, as viewers see it; what would need a guess is refused.

An opaque alpha channel is dropped, and palettes are looked up, which loses nothing. Transparent
pixels need a background that was declared. CMYK and YCbCr become RGB by Pillow's conversion, as
torchvision's and everybody's `convert("RGB")` has it, and are counted for the run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageColor

from rsonnx.data.dataset import DEEP
from rsonnx.errors import UnreadableInputError

_CHANNELS = {
    **dict.fromkeys(("1", "L", "LA", "La", "I", "I;16", "I;16B", "F"), 1),
    **dict.fromkeys(("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr"), 3),
}
"""Pillow's modes that are read, with the channels that come out."""

_CONVERTED = {"CMYK": "CMYK", "YCbCr": "YCbCr", "F": "float"}

_STORED = "ignore"
"""In place of a background: transparent pixels have the colour that is stored beneath."""


def channels_of(image: Image.Image, where: str, background: str | None) -> tuple[int, str | None]:
    """Return the channels that a picture will have, and what it is converted from, by its header.

    Raises:
        UnreadableInputError: its mode is none that is read, or Pillow would cut its depth unseen.
    """
    deep = _is_deep(image, where)
    if image.mode not in _CHANNELS or (image.mode == "I" and not deep):
        raise UnreadableInputError(
            f"{where} has Pillow mode {image.mode!r}, which is not read; convert it to 8-bit grey "
            "or RGB first"
        )
    if deep and "transparency" in image.info and background != _STORED:
        raise UnreadableInputError(
            f"{where} has 16 bits a channel and a transparent colour; convert it to 8 bits"
        )
    channels = _CHANNELS[image.mode]
    if background not in (None, _STORED) and _may_be_transparent(image) and not deep:
        channels = 3 if len(set(_colour(background))) > 1 else channels
    return channels, DEEP if deep else _CONVERTED.get(image.mode)


def _is_deep(image: Image.Image, where: str) -> bool:
    """Tell a grey picture of 16 bits; refuse what Pillow cuts to 8 while its mode looks like 8."""
    _check_tags(image, where)
    deep = image.mode.startswith("I;16")
    for tile in image.tile if hasattr(image, "tile") else ():
        decoder, arguments = tile[0], tile[3]
        raw = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
        if isinstance(raw, str) and re.search(r";16[A-Z]+$", raw):
            if _CHANNELS.get(image.mode) != 1 or "A" in image.mode:
                raise _deep_colour(where)
            deep = True
        if raw == "I;12":  # whose white is not 65,535
            raise UnreadableInputError(
                f"{where} has 12 bits a channel; convert it to 8 or 16 first"
            )
        if decoder in ("ppm", "ppm_plain") and isinstance(arguments, tuple):
            highest = arguments[1]
            deep = image.mode == "I" and highest == 65535
            if highest != 255 and not deep:
                raise UnreadableInputError(
                    f"{where} has levels 0..{highest}; convert it to 0..255 first"
                )
    return deep


def _check_tags(image: Image.Image, where: str) -> None:
    """Refuse a TIFF whose numbers Pillow would take for others, by its tags."""
    tags: Mapping[int, Any] = getattr(image, "tag_v2", {})
    if 2 in tags.get(ExifTags.Base.SampleFormat, ()):
        raise UnreadableInputError(
            f"{where} has signed numbers; shift them so that black is 0, or save them as an array"
        )
    if max(tags.get(ExifTags.Base.BitsPerSample, (1,))) <= 8:
        return
    if tags.get(ExifTags.Base.SamplesPerPixel, 1) > 1:
        raise _deep_colour(where)
    if tags.get(ExifTags.Base.PhotometricInterpretation) == 0:
        raise UnreadableInputError(
            f"{where} has more than 8 bits and 0 as white; invert it, so that black is 0"
        )


def _deep_colour(where: str) -> UnreadableInputError:
    return UnreadableInputError(
        f"{where} has 16 bits a channel in colour or with alpha; convert it to 8 bits"
    )


def plain(image: Image.Image, channels: int, where: str, background: str | None) -> Image.Image:
    """Return a picture that :func:`channels_of` takes, in mode L, RGB, I, I;16 or F.

    Raises:
        UnreadableInputError: it is transparent in places, and no background is declared.
    """
    if image.mode == "F" or image.mode.startswith("I"):
        return image
    mode = "L" if channels == 1 else "RGB"
    if not _may_be_transparent(image):
        return image.convert(mode)
    opened = image.convert("LA" if image.mode == "La" else "RGBA").convert("RGBA")
    if background != _STORED and opened.getchannel("A").getextrema() != (255, 255):
        if background is None:
            raise UnreadableInputError(
                f"{where} is transparent in places; declare what the model sees there with "
                "--background: white, black, #rrggbb, or ignore for the colour stored beneath"
            )
        behind = Image.new("RGBA", opened.size, (*_colour(background), 255))
        opened = Image.alpha_composite(behind, opened)
    return opened.getchannel("R") if channels == 1 else opened.convert("RGB")


def values_of(image: Image.Image) -> NDArray[Any]:
    """Return (H, W, C) of a plain picture: uint8, uint16 (mode I or I;16) or float32 (mode F)."""
    dtype = {"F": np.float32, "L": np.uint8, "RGB": np.uint8}.get(image.mode, np.uint16)
    return np.array(image).astype(dtype).reshape(image.height, image.width, -1)


def _colour(background: str) -> tuple[int, ...]:
    return ImageColor.getrgb(background)[:3]


def _may_be_transparent(image: Image.Image) -> bool:
    return "a" in image.mode.lower() or "transparency" in image.info
