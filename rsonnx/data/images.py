"""One image file: bytes in, (H, W, C) out, and nothing that would change its pixels unseen.

Pictures are turned as their EXIF orientation says, as viewers show them, unless they are to be read
as stored. Colour profiles and gamma are not applied, which torchvision's `ImageFolder` does not do
either. What a picture holds becomes grey or RGB in :mod:`rsonnx.data.modes`.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from rsonnx.data.dataset import Header
from rsonnx.data.limits import check_fits
from rsonnx.data.modes import channels_of, plain, values_of
from rsonnx.data.settings import Exif
from rsonnx.errors import DataError, UnreadableInputError, first_line

IMAGE_SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".webp", ".gif",
    ".ppm", ".pgm", ".pbm", ".pnm", ".tif", ".tiff", ".apng", ".avif", ".jp2", ".j2k",
    ".heic", ".heif",
)  # fmt: skip
"""Endings (lower case) that make a file an image."""

# Named, so that a file cannot choose a decoder nobody expects here (EPS would start Ghostscript).
_FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "GIF", "PPM", "TIFF", "JPEG2000", "AVIF")

_HEIF = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
"""Brands of files that only the extra `heif` reads."""

_HEAD_BYTES = 4096
"""In which an AVIF, HEIF or JPEG 2000 picture says how deep it is."""

_CODESTREAM = b"\xff\x4f\xff\x51"
"""How the codestream of JPEG 2000 begins; boxes may stand before it."""

_BYTES_A_PIXEL = 16
"""What decoding needs: a copy as it is stored, one in RGB, one that is turned, and the array."""

_SMALL = 64 * 2**20
"""Bytes that need no look at how much memory there is."""

_UPRIGHT = 1
_FIRST_ON_ITS_SIDE = 5
_BACK = {6: 8, 8: 6}
"""The orientations whose turn another one undoes; the others undo themselves."""
_STORED_SIZE = (ExifTags.Base.ImageLength, ExifTags.Base.ImageWidth)
_PNG_TEXT = (b"eXIf", b"tEXt", b"zTXt", b"iTXt")
"""Chunks of a PNG that can hold EXIF, or XMP, which states an orientation too."""


def is_image_name(name: str) -> bool:
    """Tell whether a file name ends like an image, in upper or lower case."""
    return name.lower().endswith(IMAGE_SUFFIXES)


def image_header(
    file: io.BufferedIOBase, where: str, exif: Exif | None = "apply", background: str | None = None
) -> Header:
    """Read an image's header, with the shape (H, W, C); `where` names it in messages.

    Raises:
        UnreadableInputError: the header cannot be read, or already rules the image out.
        DataError: it needs more memory, or a package that is not installed.
    """
    with _opened(file, where, background) as (image, channels, converted):
        if image.format == "PNG" and _has_text_behind(file):
            image.load()  # which reads on to the end
        orientation = _orientation(image) if exif == "apply" else _UPRIGHT
        height, width = _stored_size(image)
    if orientation >= _FIRST_ON_ITS_SIDE:
        height, width = width, height
    return Header((height, width, channels), orientation != _UPRIGHT, converted)


def read_image(
    file: io.BufferedIOBase, where: str, exif: Exif | None = "apply", background: str | None = None
) -> NDArray[Any]:
    """Decode an image to a read-only array (H, W, C), C = 1 or 3.

    Args:
        file: the image's bytes.
        where: names it in messages.
        exif: "apply" turns and mirrors it as its EXIF orientation says; all else takes it as it
            is stored.
        background: what transparent pixels are seen on: "white", "black", "#rrggbb", or "ignore"
            for the colour that is stored beneath; None refuses them.

    Returns:
        uint8 levels of 255; uint16 levels of 65535 of a grey picture of 16 bits; float32 values of
        a grey TIFF of floats.

    Raises:
        UnreadableInputError: broken or truncated, larger than Pillow's pixel limit, several frames,
            a mode or a depth that is not read, or transparent without a background.
        DataError: as for :func:`image_header`.
    """
    with _opened(file, where, background) as (image, channels, _):
        if image.format == "PNG":
            image.load()  # EXIF may stand behind the pixels
        orientation = _orientation(image)
        picture = plain(image, channels, where, background)
        if image.format == "TIFF":  # Pillow turns TIFF images (and no others) as it loads them
            orientation = _UPRIGHT if exif == "apply" else _BACK.get(orientation, orientation)
        elif exif != "apply":
            orientation = _UPRIGHT
        pixels = values_of(_turned(picture, orientation))
    pixels.flags.writeable = False
    return pixels


@contextmanager
def _opened(
    file: io.BufferedIOBase, where: str, background: str | None
) -> Iterator[tuple[Image.Image, int, str | None]]:
    """Open an image whose header does not rule it out, with what `channels_of` says of it."""
    try:
        head = file.read(_HEAD_BYTES)
        file.seek(0)
        _check_depth(head, where)
        formats = _FORMATS + _extra_format(head, where)
        # Pillow needs no more than a buffered reader is; only its annotation asks for IO[bytes].
        with Image.open(cast("IO[bytes]", file), formats=formats) as image:
            _check_size(image, where)
            yield image, *channels_of(image, where, background)
    except DataError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(str(error), where) from error
    except UnidentifiedImageError:
        raise _broken(f"its bytes are none of {', '.join(_FORMATS)}", where) from None
    except Exception as error:  # a decoder may raise anything on hostile bytes
        raise _broken(f"{type(error).__name__}: {first_line(error)}", where) from error


def _check_depth(head: bytes, where: str) -> None:
    """Refuse what its decoder would cut to 8 bits or shift unseen, by the beginning of the file."""
    if head[4:8] == b"ftyp":
        _, _, pixels = head.partition(b"pixi")  # version and flags, channels, bits of each
        if any(bits > 8 for bits in pixels[5 : 5 + sum(pixels[4:5])]):
            raise UnreadableInputError(
                f"{where} has more than 8 bits a channel; convert it to 8 first"
            )
    elif head.startswith(_CODESTREAM) or head[4:6] == b"jP":
        _, _, stream = head.partition(_CODESTREAM)
        _, _, box = head.partition(b"ihdr")
        # Bits less 1 of each channel, behind their number; the highest bit is the sign.
        depths = stream[38::3][: stream[37]] if len(stream) > 37 else box[10:11] * sum(box[9:10])
        if set(depths) != {7} and depths != b"\x0f":
            raise UnreadableInputError(
                f"{where} is JPEG 2000 of other numbers than 8 bits a channel, or 16 of grey; "
                "convert it to 8 first"
            )


def _extra_format(head: bytes, where: str) -> tuple[str, ...]:
    """Return the format of a HEIF picture, which Pillow reads with a package of its own."""
    if head[4:8] != b"ftyp" or head[8:12] not in _HEIF:
        return ()
    try:
        importlib.import_module("pillow_heif").register_heif_opener()
    except ImportError:
        raise DataError(
            f"{where} is a HEIF picture, which needs pillow-heif: pip install 'rsonnx[heif]'"
        ) from None
    return ("HEIF",)


def _too_large(pixels: str, where: str) -> UnreadableInputError:
    return UnreadableInputError(
        f"{where} has more pixels than Pillow takes for safe ({pixels}); resize the image first"
    )


def _broken(reason: str, where: str) -> UnreadableInputError:
    return UnreadableInputError(
        f"{where} cannot be read as an image ({reason}); replace or remove the file"
    )


def _orientation(image: Image.Image) -> int:
    """Return the orientation that EXIF, or XMP in its place, states: 1 (upright) to 8.

    A block that is broken, or says something else, states none: as viewers have it.
    """
    try:
        # That of PngImageFile would decode every PNG without EXIF, to look behind its pixels.
        found = Image.Image.getexif(image).get(ExifTags.Base.Orientation)
        return next(known for known in range(1, 9) if known == found)
    except Exception:  # StopIteration, or whatever hostile bytes provoke
        return _UPRIGHT


def _turned(image: Image.Image, orientation: int) -> Image.Image:
    """Turn a picture as an orientation says."""
    # A copy without its metadata: Pillow would write them again, and fails where they are broken.
    bare = Image.frombytes(image.mode, image.size, image.tobytes())
    bare.getexif()[ExifTags.Base.Orientation] = orientation
    return ImageOps.exif_transpose(bare)


def _stored_size(image: Image.Image) -> tuple[int, int]:
    """Return the height and width of the pixels as they are stored."""
    if image.format != "TIFF":
        return image.height, image.width
    # The size that Pillow states of a TIFF image is in some versions that of the turned one.
    tags = cast("dict[int, int]", getattr(image, "tag_v2"))  # noqa: B009 - not of every Image
    height, width = (int(tags[tag]) for tag in _STORED_SIZE)
    return height, width


def _has_text_behind(file: io.BufferedIOBase) -> bool:
    """Tell whether a PNG has metadata behind its pixels, without decoding these."""
    at, pixels = file.tell(), False
    file.seek(8)
    while len(head := file.read(8)) == 8:
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        if pixels and kind in _PNG_TEXT:
            break
        pixels = pixels or kind == b"IDAT"
        file.seek(length + 4, io.SEEK_CUR)
    file.seek(at)
    return len(head) == 8


def _check_size(image: Image.Image, where: str) -> None:
    """Refuse an image of too many pixels or frames, by its header."""
    limit = Image.MAX_IMAGE_PIXELS  # Pillow only warns up to twice its limit
    if limit is not None and image.width * image.height > limit:
        raise _too_large(f"{image.width}x{image.height}, the limit is {limit}", where)
    needed = image.width * image.height * _BYTES_A_PIXEL
    if needed > _SMALL:
        check_fits(needed, where)
    # A JPEG with further pictures after it (MPO) is its first picture to every JPEG reader.
    if getattr(image, "is_animated", False) and image.format != "MPO":
        raise UnreadableInputError(
            f"{where} has several frames or pages; write the one that is meant to its own file"
        )
