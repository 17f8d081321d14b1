"""Resizing and cropping, against what torchvision and Pillow are documented to do."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from rsonnx.data import resize_and_crop, resized_shape
from rsonnx.data.resizing import INTERPOLATIONS
from rsonnx.errors import DataError


def picture(height: int, width: int, channels: int = 3, seed: int = 1) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def by_pillow(image: NDArray[np.uint8], height: int, width: int, name: str) -> NDArray[np.uint8]:
    """Resize each channel by itself."""
    channels = [
        np.asarray(Image.fromarray(image[:, :, c]).resize((width, height), INTERPOLATIONS[name]))
        for c in range(image.shape[2])
    ]
    return np.stack(channels, axis=2)


@pytest.mark.parametrize(
    ("height", "width", "resize", "expected"),
    [
        (375, 500, 256, (256, 341)),  # 256 * 500 / 375 = 341.3
        (500, 375, 256, (341, 256)),
        (333, 500, 256, (256, 384)),  # 384.4
        (500, 334, 256, (383, 256)),  # 383.2
        (10, 20, 7, (7, 14)),
        (28, 28, 32, (32, 32)),
        (3, 2, 1, (1, 1)),
        (1000, 3, 1, (333, 1)),
        (20, 30, 20, (20, 30)),
    ],
)
def test_one_number_is_the_shorter_side(
    height: int, width: int, resize: int, expected: tuple[int, int]
) -> None:
    """torchvision's Resize: the other side is int(size * long / short)."""
    assert resized_shape((height, width, 3), resize=resize) == (*expected, 3)
    assert resize_and_crop(picture(height, width), resize=resize).shape == (*expected, 3)


@given(st.integers(1, 400), st.integers(1, 400), st.integers(1, 300))
def test_the_longer_side_is_rounded_down(height: int, width: int, resize: int) -> None:
    found = resized_shape((height, width, 1), resize=resize)
    assert min(found[:2]) == resize
    assert max(found[:2]) == math.floor(resize * max(height, width) / min(height, width))
    assert (found[0] <= found[1]) == (height <= width) or found[0] == found[1]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", INTERPOLATIONS)
@pytest.mark.parametrize(("height", "width"), [(8, 6), (30, 40), (17, 23)])
def test_the_filters_are_pillow_s(name: str, channels: int, height: int, width: int) -> None:
    image = picture(17, 23, channels)
    found = resize_and_crop(image, resize=(height, width), interpolation=name)
    assert found.dtype == np.uint8
    assert found.shape == (height, width, channels)
    np.testing.assert_array_equal(found, by_pillow(image, height, width, name))


def test_bilinear_is_the_usual_filter() -> None:
    image = picture(17, 23)
    found = resize_and_crop(image, resize=(8, 8))
    np.testing.assert_array_equal(found, by_pillow(image, 8, 8, "bilinear"))


def test_the_mean_of_blocks_is_what_box_gives() -> None:
    image = picture(12, 8, 1)
    blocks = image[:, :, 0].reshape(3, 4, 2, 4).mean(axis=(1, 3))
    found = resize_and_crop(image, resize=(3, 2), interpolation="box")[:, :, 0]
    assert np.abs(found - blocks).max() <= 1  # rounded to whole levels twice, by axis


@pytest.mark.parametrize(
    ("height", "width", "crop", "top", "left"),
    [
        (256, 341, (224, 224), 16, 58),  # 58.5 goes to the even 58, as Python's round does
        (10, 10, (4, 6), 3, 2),
        (11, 11, (4, 4), 4, 4),  # 3.5 goes to 4
        (9, 9, (4, 4), 2, 2),  # 2.5 goes to 2
        (5, 5, (5, 5), 0, 0),
        (5, 8, (5, 1), 0, 4),  # 3.5 goes to 4
        (6, 6, (1, 1), 2, 2),  # 2.5 goes to 2
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_centre_is_kept(
    height: int, width: int, crop: tuple[int, int], top: int, left: int, channels: int
) -> None:
    """torchvision's center_crop: int(round((height - crop) / 2))."""
    image = picture(height, width, channels)
    found = resize_and_crop(image, crop=crop)
    expected = image[top : top + crop[0], left : left + crop[1]]
    np.testing.assert_array_equal(found, expected)
    assert found.flags.c_contiguous
    assert resized_shape(image.shape, crop=crop) == found.shape


@pytest.mark.parametrize("margin", range(13))
@pytest.mark.parametrize("crop", [1, 4, 5, 32])
def test_where_each_rule_lets_a_crop_begin(margin: int, crop: int) -> None:
    """Every column is its own number, so the crop shows where it begins.

    torchvision's center_crop and timm's begin at int(round((side - crop) / 2.0)), Hugging Face's
    at (side - crop) // 2.
    """
    side = crop + margin
    image = np.tile(np.arange(side, dtype=np.uint8), (side, 1))[:, :, np.newaxis]
    for upright in (image, image.swapaxes(0, 1)):
        for rule, begin in (
            ("round", int(round((side - crop) / 2.0))),  # noqa: RUF046 - as it stands there
            ("floor", (side - crop) // 2),
        ):
            found = resize_and_crop(upright, crop=(crop, crop), center=rule)
            assert found.shape == (crop, crop, 1)
            assert int(found.min()) == begin


def test_the_rules_part_at_every_fourth_margin() -> None:
    image = picture(1, 40)
    parted = [
        width
        for width in range(28, 41)
        if not np.array_equal(
            resize_and_crop(image[:, :width], crop=(1, 28), center="round"),
            resize_and_crop(image[:, :width], crop=(1, 28), center="floor"),
        )
    ]
    assert parted == [31, 35, 39]


def test_the_crop_follows_the_resizing() -> None:
    image = picture(375, 500)
    found = resize_and_crop(image, resize=256, crop=(224, 224), interpolation="bicubic")
    whole = by_pillow(image, 256, 341, "bicubic")
    np.testing.assert_array_equal(found, whole[16:240, 58:282])


@pytest.mark.parametrize("crop", [(11, 5), (5, 13), (11, 13)])
def test_a_crop_larger_than_the_image_is_refused(crop: tuple[int, int]) -> None:
    message = f"crops {crop[0]}x{crop[1]} from an image of 10x12, which is smaller; resize"
    with pytest.raises(DataError, match=message):
        resize_and_crop(picture(10, 12), crop=crop)
    with pytest.raises(DataError, match=message):
        resized_shape((10, 12, 3), crop=crop)


def test_a_crop_may_be_larger_than_the_image_before_it_is_resized() -> None:
    assert resize_and_crop(picture(10, 12), resize=20, crop=(20, 22)).shape == (20, 22, 3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint16, np.bool_])
@pytest.mark.parametrize("options", [{"resize": 5}, {"crop": (4, 4)}, {"resize": 10}])
def test_only_8_bit_images_are_resized(dtype: Any, options: dict[str, Any]) -> None:
    image = np.zeros((10, 12, 3), dtype)
    with pytest.raises(DataError, match=f"8-bit images, but the input has type {image.dtype}"):
        resize_and_crop(image, **options)


@pytest.mark.parametrize("shape", [(10,), (10, 12), (2, 10, 12, 3)])
def test_only_images_are_resized(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="resizes or crops images, but the input has shape"):
        resize_and_crop(np.zeros(shape, np.uint8), resize=5)


@pytest.mark.parametrize("values", [picture(5, 7), np.zeros(9, np.float32), picture(2, 3, 1)])
def test_without_a_declaration_nothing_happens(values: NDArray[Any]) -> None:
    assert resize_and_crop(values) is values
    assert resized_shape(values.shape) == values.shape


@pytest.mark.parametrize("resize", [10, (10, 12)])
def test_an_image_of_the_right_size_keeps_its_pixels(resize: Any) -> None:
    image = picture(10, 12)
    found = resize_and_crop(image, resize=resize, interpolation="lanczos")
    np.testing.assert_array_equal(found, image)


def test_the_image_itself_is_not_changed() -> None:
    image = picture(10, 12)
    image.setflags(write=False)
    before = image.copy()
    resize_and_crop(image, resize=5, crop=(3, 3))
    np.testing.assert_array_equal(image, before)
