"""Files of pictures as encoders write them, and as few do."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

RGB = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
GREY = RGB[:, :, 0].copy()


def encoded(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of_16_bits(colour: int, channels: int) -> bytes:
    """Pillow calls it RGB or RGBA all the same."""
    header = struct.pack(">IIBBBBB", 2, 1, 16, colour, 0, 0, 0)
    pixels = zlib.compress(b"\0" + bytes(2 * 2 * channels))
    data = b"\x89PNG\r\n\x1a\n"
    data += png_chunk(b"IHDR", header) + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND", b"")
    assert Image.open(io.BytesIO(data)).mode in ("RGB", "RGBA")
    return data


_TAGS = {256: 2, 257: 1, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 1, 279: 4}


def tiff(tags: dict[int, int]) -> bytes:
    """A TIFF of two pixels, which Pillow opens."""
    tags = dict(sorted((_TAGS | tags).items()))
    data = struct.pack("<2sHI4xH", b"II", 42, 12, len(tags))
    data += b"".join(struct.pack("<HHII", tag, 3, 1, value) for tag, value in tags.items())
    Image.open(io.BytesIO(data + bytes(20)))
    return data + bytes(20)


def jpeg2000(image: np.ndarray, depth: int, *, boxes: bool) -> bytes:
    """A picture whose codestream says another depth; its sign is the highest bit."""
    data = bytearray(encoded(Image.fromarray(image), "JPEG2000", no_jp2=not boxes))
    at = data.index(b"\xff\x51") + 38
    for channel in range(data[at + 1]):
        data[at + 2 + 3 * channel] = depth
    return bytes(data)


def frames_of(form: str) -> bytes:
    other = Image.fromarray(255 - RGB)
    return encoded(Image.fromarray(RGB), form, save_all=True, append_images=[other])
