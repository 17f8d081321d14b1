"""One image file: what its pixels are, and refusals of what would need a guess."""

from __future__ import annotations

import io
import struct
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from picture_files import (
    GREY,
    RGB,
    encoded,
    frames_of,
    jpeg2000,
    png_chunk,
    png_of_16_bits,
    tiff,
)
from PIL import Image

from rsonnx.data.dataset import Header
from rsonnx.data.images import image_header, read_image
from rsonnx.errors import DataError


def read(data: bytes, background: str | None = None, dtype: Any = np.uint8) -> np.ndarray:
    """Read an image, after checking that its header promises what comes out."""
    values = read_image(io.BytesIO(data), "pic", background=background)
    assert image_header(io.BytesIO(data), "pic", background=background).shape == values.shape
    assert values.dtype == dtype
    assert values.flags.c_contiguous
    assert not values.flags.writeable
    return values


def refused(data: bytes, message: str, *, by_header: bool = True) -> None:
    with pytest.raises(DataError, match=message) as e:
        read_image(io.BytesIO(data), "dir/pic.png")
    assert str(e.value).startswith("dir/pic.png ")
    if by_header:
        with pytest.raises(DataError, match=message):
            image_header(io.BytesIO(data), "dir/pic.png")


@pytest.mark.parametrize("form", ["PNG", "BMP", "PPM", "TIFF", "WEBP", "GIF", "JPEG"])
@pytest.mark.parametrize("stored", [RGB, GREY], ids=["rgb", "grey"])
def test_grey_and_rgb_come_as_stored(form, stored):
    options = {"lossless": True} if form == "WEBP" else {}
    data = encoded(Image.fromarray(stored), form, **options)
    values = read(data)
    if form in ("WEBP", "JPEG"):  # WebP holds grey as RGB, and JPEG loses some of it
        with Image.open(io.BytesIO(data)) as image:
            assert np.array_equal(values, np.asarray(image).reshape(values.shape))
    elif form != "GIF" or stored is GREY:  # a GIF has 256 colours
        assert np.array_equal(values[:, :, : stored.size // 20], stored.reshape(4, 5, -1))


def test_bilevel_becomes_grey_and_palette_becomes_rgb():
    bilevel = Image.fromarray((GREY % 2 * 255).astype(np.uint8)).convert("1")
    assert np.array_equal(read(encoded(bilevel))[:, :, 0], GREY % 2 * 255)
    palette = Image.fromarray(GREY % 4)
    palette.putpalette([9, 8, 7, 1, 2, 3, 200, 100, 50, 0, 0, 255])
    colours = np.array([[9, 8, 7], [1, 2, 3], [200, 100, 50], [0, 0, 255]], np.uint8)
    assert np.array_equal(read(encoded(palette)), colours[GREY % 4])


def test_opaque_alpha_is_dropped():
    full = np.full((4, 5, 1), 255, np.uint8)
    rgba = Image.fromarray(np.concatenate([RGB, full], axis=2))
    assert np.array_equal(read(encoded(rgba)), RGB)
    grey_alpha = Image.merge("LA", (Image.fromarray(GREY), Image.fromarray(full[:, :, 0])))
    assert np.array_equal(read(encoded(grey_alpha)), GREY[:, :, None])


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_alpha_is_refused(mode):
    image = Image.fromarray(RGB).convert(mode)
    alpha = Image.new("L", image.size, 255)
    alpha.putpixel((2, 1), 254)
    image.putalpha(alpha)
    refused(encoded(image), "transparent", by_header=False)


PALETTE = Image.fromarray((GREY // 3) % 3)
PALETTE.putpalette([1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4])


@pytest.mark.parametrize(
    ("image", "of_a_pixel", "of_none", "expected"),
    [
        (Image.fromarray(GREY), int(GREY[0, 0]), 255, GREY[:, :, None]),
        (Image.fromarray(RGB), (0, 1, 2), (9, 9, 9), RGB),
        (PALETTE, b"\xff\x00\xff\xff", b"\xff\xff\xff\x00",
         np.repeat((GREY[:, :, None] // 3) % 3 + 1, 3, axis=2)),
    ],
)  # fmt: skip
def test_a_transparent_colour_is_refused_where_a_pixel_has_it(image, of_a_pixel, of_none, expected):
    refused(encoded(image, transparency=of_a_pixel), "transparent", by_header=False)
    assert np.array_equal(read(encoded(image, transparency=of_none)), expected)


def transparent(mode: str) -> Image.Image:
    """A picture whose pixels are opaque, half transparent and transparent in turn."""
    image = Image.fromarray(RGB if mode != "LA" else GREY).convert(mode.replace("P", "RGB"))
    alpha = Image.fromarray(np.array([255, 128, 0], np.uint8)[np.arange(20) % 3].reshape(4, 5))
    image.putalpha(alpha)
    return image if mode != "P" else image.quantize(16, method=Image.Quantize.FASTOCTREE)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_pixels_are_seen_on_the_background_that_is_declared(mode):
    image = transparent(mode)
    data = encoded(image)
    for background, colour in (("white", 255), ("black", 0), ("#102030", (16, 32, 48))):
        values = read(data, background)
        pixels = np.asarray(image.convert("RGBA"), np.float64)
        share = pixels[..., 3:] / 255
        seen = share * pixels[..., :3] + (1 - share) * np.array(colour)
        assert np.abs(values - seen).max() <= 1  # which is how Pillow rounds
        assert values.shape[2] == (1 if mode == "LA" and isinstance(colour, int) else 3)
    beneath = np.asarray(image.convert("RGBA").convert("RGB"))
    assert np.array_equal(read(data, "ignore"), beneath[..., : 1 if mode == "LA" else 3])


MODES = [
    *(("RGB", form) for form in ("AVIF", "JPEG2000", "JPEG", "WEBP", "BMP", "TIFF", "PPM")),
    *(("L", form) for form in ("JPEG2000", "JPEG", "BMP", "TIFF", "GIF")),
    *(("CMYK", form) for form in ("JPEG", "TIFF")),
    *((mode, "TIFF") for mode in ("YCbCr", "RGBX", "1", "P")),
    *((mode, "PNG") for mode in ("1", "L", "P", "RGB")),
]


@pytest.mark.parametrize(("mode", "form"), MODES)
def test_a_picture_is_what_pillow_converts_it_to(mode, form):
    """As torchvision's ImageFolder has it: `convert("RGB")`."""
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    data = encoded(Image.fromarray(noise).convert(mode), form)
    with Image.open(io.BytesIO(data)) as image:
        kind, expected = image.mode, np.asarray(image.convert("RGB"))
    values = read(data)
    assert np.array_equal(np.broadcast_to(values, expected.shape), expected)
    converted = image_header(io.BytesIO(data), "pic").converted
    assert converted == (kind if kind in ("CMYK", "YCbCr") else None)


DEEP = (GREY.astype(np.uint16) * 1000 + 77)[:, :, None]


@pytest.mark.parametrize("form", ["PNG", "TIFF", "JPEG2000", "PGM"])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_grey_pictures_of_16_bits_are_read_whole(form, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    if form == "PGM":
        data, orientation = b"P5 5 4 65535\n" + DEEP.astype(">u2").tobytes(), 1
    elif form == "JPEG2000":
        data, orientation = encoded(Image.fromarray(DEEP[..., 0]), form), 1
    else:
        data = encoded(Image.fromarray(DEEP[..., 0]), form, exif=exif)
    values = read(data, dtype=np.uint16)
    assert np.array_equal(values, upright(DEEP, orientation))
    assert image_header(io.BytesIO(data), "pic").converted == "16-bit"


def test_a_tiff_of_floats_holds_values():
    numbers = DEEP[..., 0].astype(np.float32) / 65535
    data = encoded(Image.fromarray(numbers), "TIFF")
    assert np.array_equal(read(data, dtype=np.float32)[..., 0], numbers)
    assert image_header(io.BytesIO(data), "pic").converted == "float"


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP", "AVIF"])
def test_one_frame_is_a_picture(form):
    data = encoded(Image.fromarray(RGB), form, save_all=True)
    assert read(data).shape == (4, 5, 3)


def test_a_picture_of_10_bits_is_not_cut_to_8_unseen():
    data = encoded(Image.fromarray(RGB), "AVIF")
    boxes, of, bits = data.partition(b"pixi")
    assert bits[4:8] == bytes((3, 8, 8, 8))
    refused(boxes + of + bits[:5] + bytes((10, 10, 10)) + bits[8:], "8 bits")


def test_a_heif_picture_names_the_extra_that_reads_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    refused(b"\0\0\0\x18ftypheic" + bytes(40), r"rsonnx\[heif\]")


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (encoded(Image.fromarray(GREY.astype(np.int32)), "TIFF"), "signed"),
        (tiff({258: 32}), "'I'"),
        *((png_of_16_bits(*kind), "16 bits") for kind in ((2, 3), (6, 4), (4, 2))),
        (tiff({258: 12}), "12 bits"),
        (tiff({258: 16, 262: 0}), "white"),
        *((tiff({258: bits, 339: 2}), "signed") for bits in (8, 16)),
        (tiff({258: 16, 262: 2, 277: 3, 284: 2}), "16 bits"),
        *(
            (jpeg2000(image, depth, boxes=boxes), "JPEG 2000")
            for image, depth in ((RGB, 15), (RGB, 0x87), (GREY, 11), (GREY, 0x8F))
            for boxes in (True, False)
        ),
        (b"P6 1 1 65535\n" + bytes(6), "65535"),
        (b"P3 1 1 15\n1 2 3\n", r"\.15"),
        (b"P5 1 1 3\n\1", r"\.3"),
        *((frames_of(form), "several") for form in ("PNG", "GIF", "WEBP", "TIFF")),
        (b"", "none of PNG, JPEG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "none of PNG, JPEG"),
        (encoded(Image.fromarray(RGB), "TGA"), "none of PNG, JPEG"),
    ],
)
def test_what_is_no_grey_or_rgb_picture_of_8_bits_is_refused(data, named):
    refused(data, named)


def test_a_jpeg_with_a_second_picture_behind_it_is_its_first():
    first = Image.fromarray(RGB)
    data = encoded(first, "MPO", save_all=True, append_images=[Image.fromarray(255 - RGB)])
    assert Image.open(io.BytesIO(data)).format == "MPO"
    assert np.array_equal(read(data), read(encoded(first, "JPEG")))


def upright(stored: np.ndarray, orientation: int) -> np.ndarray:
    """How a picture stored under an EXIF orientation is meant (CIPA DC-008, 4.6.5.1.5)."""
    return {
        1: stored,
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: np.swapaxes(stored, 0, 1),
        6: np.rot90(stored, -1),
        7: np.swapaxes(stored[::-1, ::-1], 0, 1),
        8: np.rot90(stored),
    }[orientation]


def oriented(form: str, orientation: Any, stored: np.ndarray = RGB) -> bytes:
    exif = Image.Exif()
    exif[274] = orientation
    options = {"lossless": True} if form == "WEBP" else {}
    return encoded(Image.fromarray(stored), form, exif=exif, **options)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF", "JPEG"])
@pytest.mark.parametrize("stored", [RGB, GREY], ids=["rgb", "grey"])
def test_exif_orientation_is_applied_or_ignored(form, orientation, stored):
    data = oriented(form, orientation, stored)
    # What the file's pixels are before any turn: JPEG loses some of them.
    plain = read(oriented(form, 1, stored))
    if form not in ("JPEG", "WEBP"):
        assert np.array_equal(plain, stored.reshape(plain.shape))
    assert np.array_equal(read(data), upright(plain, orientation))
    assert image_header(io.BytesIO(data), "pic").turned == (orientation != 1)
    as_stored = read_image(io.BytesIO(data), "pic", "ignore")
    assert np.array_equal(as_stored, plain)
    header = image_header(io.BytesIO(data), "pic", "ignore")
    assert header == Header(plain.shape, turned=False)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_is_none_leaves_the_picture_as_it_is(orientation):
    data = oriented("PNG", orientation)
    assert np.array_equal(read(data), RGB)
    assert not image_header(io.BytesIO(data), "pic").turned


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize(
    "block", [b"", b"Exif\0\0", b"Exif\0\0junk", b"Exif\0\0II*\0\xff\xff\xff\xff"]
)
@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_a_broken_exif_block_states_no_orientation(form, block):
    data = encoded(Image.fromarray(RGB), form, exif=b"Exif\0\0" + block)
    assert read(data).shape == (4, 5, 3)
    assert not image_header(io.BytesIO(data), "pic").turned


def test_an_orientation_beside_a_broken_entry_is_applied():
    """Pillow fails to write such a block again, which nobody needs."""
    entry = struct.pack("<HHI4s", 274, 3, 1, b"\6\0\0\0")
    beyond = struct.pack("<HHII", 34665, 4, 1, 0xFFFFFF00)
    block = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + entry + beyond + bytes(4)
    assert np.array_equal(read(encoded(Image.fromarray(RGB), exif=block)), upright(RGB, 6))


@pytest.mark.parametrize("kind", [b"eXIf", b"tEXt", b"iTXt"])
def test_metadata_behind_the_pixels_of_a_png_count(kind):
    exif = Image.Exif()
    exif[274] = 6
    block = exif.tobytes()
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    chunk = {
        b"eXIf": block.removeprefix(b"Exif\0\0"),
        b"tEXt": b"Raw profile type exif\0\nexif\n%8d\n%s\n" % (len(block), block.hex().encode()),
        b"iTXt": b"XML:com.adobe.xmp\0\0\0\0\0" + xmp,
    }[kind]
    plain = encoded(Image.fromarray(RGB))
    data = plain[:-12] + png_chunk(kind, chunk) + plain[-12:]
    assert np.array_equal(read(data), upright(RGB, 6))
    assert image_header(io.BytesIO(data), "pic") == Header((5, 4, 3), turned=True)


def test_the_header_of_a_plain_png_decodes_no_pixel(monkeypatch):
    data = encoded(Image.fromarray(RGB))
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", None)
    assert image_header(io.BytesIO(data), "pic") == Header((4, 5, 3), turned=False)


def test_palette_and_bilevel_pictures_are_turned_too():
    exif = Image.Exif()
    exif[274] = 6
    bilevel = Image.fromarray((GREY % 2 * 255).astype(np.uint8)).convert("1")
    assert np.array_equal(read(encoded(bilevel, exif=exif))[..., 0], upright(GREY % 2 * 255, 6))
    palette = Image.fromarray(RGB).quantize(4)
    assert np.array_equal(read(encoded(palette, exif=exif)), upright(read(encoded(palette)), 6))


@pytest.mark.parametrize("limit", [19, 12, 9, 1])  # 20 pixels: Pillow warns, then raises
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_more_pixels_than_pillow_takes_for_safe_are_refused(monkeypatch, limit):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    refused(encoded(Image.fromarray(RGB)), f"pixels.*{limit if limit > 9 else 2 * limit}.*resize")


@pytest.mark.filterwarnings("error::PIL.Image.DecompressionBombWarning")
def test_more_pixels_are_refused_where_warnings_are_errors_too(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 12)
    refused(encoded(Image.fromarray(RGB)), "more pixels than Pillow takes for safe.*resize")


@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP", "TIFF"])
def test_truncated_images_are_refused(form):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), form)
    refused(data[: len(data) // 2], "cannot be read as an image", by_header=False)


SAMPLES = [
    *(encoded(Image.fromarray(RGB), form) for form in ("BMP", "GIF")),
    *(oriented(form, 6) for form in ("PNG", "JPEG", "TIFF", "WEBP")),
]


@given(
    data=st.sampled_from(SAMPLES),
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=6),
)
@settings(max_examples=150, deadline=None)
@pytest.mark.filterwarnings("ignore")
def test_damaged_bytes_are_an_image_or_a_data_error(data, changes):
    damaged = bytearray(data)
    for at, byte in changes:
        damaged[at % len(damaged)] = byte
    try:
        values = read_image(io.BytesIO(bytes(damaged)), "pic")
    except DataError as error:
        assert str(error).startswith("pic ")  # noqa: PT017 - either outcome is right
    else:
        assert values.ndim == 3
        assert values.shape[2] in (1, 3)
        assert image_header(io.BytesIO(bytes(damaged)), "pic").shape == values.shape
