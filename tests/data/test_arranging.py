"""Values to a model's shape: exact element orders, and refusal of every guess."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rsonnx.data import arrange, arranged_places
from rsonnx.errors import DataError, UsageError

LAYOUTS = (None, "NCHW", "NHWC")


def counted(*shape: int, dtype: str = "uint8") -> np.ndarray:
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(4,), (3, 8, 8), (8, 8, 3), (2, 3, 4, 5), (), (3, 3, 3)])
def test_the_same_shape_is_unchanged(shape, layout):
    values = counted(*shape, dtype="float32")
    out = arrange(values, shape, layout)
    assert out.shape == shape
    assert np.array_equal(out, values)


@pytest.mark.parametrize("layout", [None, "NCHW"])
def test_colour_to_channels_first(layout):
    image = counted(4, 5, 3)
    out = arrange(image, (3, 4, 5), layout)
    assert out.flags.c_contiguous
    assert out.dtype == np.uint8
    assert np.array_equal(out, image.transpose(2, 0, 1))


@pytest.mark.parametrize("layout", [None, "NHWC"])
def test_colour_to_channels_last(layout):
    image = counted(4, 5, 3)
    assert np.array_equal(arrange(image, (4, 5, 3), layout), image)
    rows = counted(3, 4, 5, dtype="float32")
    assert np.array_equal(arrange(rows, (4, 5, 3), layout), rows.transpose(1, 2, 0))


def test_other_numbers_of_channels_move_only_with_a_layout():
    rows = counted(4, 5, 10, dtype="float64")
    assert np.array_equal(arrange(rows, (10, 4, 5), "NCHW"), rows.transpose(2, 0, 1))
    back = rows.transpose(2, 0, 1).copy()
    assert np.array_equal(arrange(back, (4, 5, 10), "NHWC"), rows)
    with pytest.raises(DataError, match=r"\(4, 5, 10\), but the model takes \(10, 4, 5\).*layout"):
        arrange(rows, (10, 4, 5), None)


def test_a_tiny_colour_image_needs_a_layout():
    image = counted(3, 3, 3)
    with pytest.raises(DataError, match=r"fits .* \(3, 3, 3\) as NCHW and as NHWC; state the lay"):
        arrange(image, (3, 3, 3), None)
    assert np.array_equal(arrange(image, (3, 3, 3), "NCHW"), image.transpose(2, 0, 1))
    assert np.array_equal(arrange(image, (3, 3, 3), "NHWC"), image)
    with pytest.raises(DataError, match="as NCHW and as NHWC"):
        arrange(counted(3, 3, 1), (3, 3, 3), None)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1), (1, 4, 5)])
@pytest.mark.parametrize("target", [(4, 5), (4, 5, 1), (1, 4, 5), (1, 4, 5, 1)])
def test_axes_of_length_1_come_and_go(shape, target, layout):
    values = counted(*shape, dtype="float16")
    out = arrange(values, target, layout)
    assert out.shape == target
    assert out.dtype == np.float16
    assert np.array_equal(out.ravel(), values.ravel())


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(28, 28, 1), (28, 28), (1, 28, 28), (784,), (784, 1)])
@pytest.mark.parametrize("target", [(784,), (784, 1), (1, 784), (1, 784, 1)])
def test_grey_to_flat_is_row_by_row(shape, target, layout):
    values = counted(*shape, dtype="float32")
    out = arrange(values, target, layout)
    assert out.shape == target
    assert np.array_equal(out.ravel(), np.arange(784))


@pytest.mark.parametrize("shape", [(4, 5, 1), (1, 4, 5), (4, 5)])
def test_grey_is_repeated_for_three_channels(shape):
    values = counted(*shape)
    plane = values.reshape(4, 5)
    for layout in (None, "NHWC"):
        assert np.array_equal(arrange(values, (4, 5, 3), layout), np.stack([plane] * 3, axis=2))
    for layout in (None, "NCHW"):
        out = arrange(values, (3, 4, 5), layout)
        assert np.array_equal(out, np.stack([plane] * 3))
        assert out.flags.c_contiguous


def test_colour_to_flat_needs_the_layout():
    image = counted(4, 5, 3)
    with pytest.raises(DataError, match=r"3 channels, but the model's flat input \(60,\).*state"):
        arrange(image, (60,), None)
    assert np.array_equal(arrange(image, (60,), "NHWC"), image.ravel())
    assert np.array_equal(arrange(image, (1, 60), "NCHW")[0], image.transpose(2, 0, 1).ravel())
    rows = counted(3, 4, 5, dtype="float32")
    assert np.array_equal(arrange(rows, (60,), "NCHW"), rows.ravel())
    assert np.array_equal(arrange(rows, (60,), "NHWC"), rows.transpose(1, 2, 0).ravel())
    with pytest.raises(DataError, match="10 channels, but the model's flat input"):
        arrange(counted(4, 5, 10), (200,), "NCHW")


@pytest.mark.parametrize(
    ("shape", "target", "layout", "message"),
    [
        ((32, 32, 3), (3, 28, 28), "NCHW", "32x32.*28x28.*resize"),
        ((32, 48, 3), (48, 32, 3), None, "32x48.*48x32"),
        ((32, 32, 1), (28, 28), None, "32x32.*28x28"),
        ((32, 32, 1), (1, 28, 28), None, "32x32.*28x28"),
        ((32, 32, 1), (784,), None, "1024.*784; resize"),
        ((28, 28, 1), (2352,), None, "784.*2352"),
        ((28, 28, 3), (784,), "NCHW", "2352.*784"),
        ((32, 32, 3), (1, 32, 32), "NCHW", "3 channel.*grey"),
        ((32, 32, 3), (32, 32, 1), None, "3 channel.*grey"),
        ((32, 32, 3), (32, 32), None, "3 channel.*grey"),
        ((32, 32, 3), (4, 32, 32), "NCHW", "3 channel.* with 4"),
        ((32, 32, 1), (4, 32, 32), "NCHW", "1 channel.* with 4"),
        ((32, 32, 3), (3, 32, 32), "NHWC", "32x32.*3x32.*NHWC"),
        ((784,), (1, 28, 28), "NCHW", r"\(784,\).*\(1, 28, 28\)"),
        ((784,), (100,), None, r"\(784,\).*\(100,\)"),
        ((2, 3, 4, 5), (5, 4, 3, 2), None, r"\(2, 3, 4, 5\)"),
        ((4, 5, 1), (1, 5, 4), "NCHW", "4x5.*5x4"),  # a transposed picture
        ((1, 5, 3), (3, 5, 1), "NHWC", "1x5.*3x5"),  # W and C are not C and H
    ],
)
def test_what_does_not_fit_is_refused(shape, target, layout, message):
    with pytest.raises(DataError, match=message) as e:
        arrange(counted(*shape), target, layout, what="'cat/1.png'")
    assert str(e.value).startswith("'cat/1.png' ")


def test_bad_arguments_are_usage_errors():
    with pytest.raises(UsageError, match="'CHW'"):
        arrange(counted(2, 2), (2, 2), "CHW")
    for shape in [(3, None, 8), (3, 0), (-1, 4), ("H", 4)]:
        with pytest.raises(UsageError, match="unknown length"):
            arrange(counted(3, 4), shape, None)


sides = st.integers(4, 9)
dtypes = st.sampled_from(["uint8", "float16", "float32", "float64"])


@given(data=st.data(), height=sides, width=sides, channels=st.sampled_from([1, 3]), dtype=dtypes)
def test_layouts_round_trip(data, height, width, channels, dtype):
    shape = (height, width, channels)
    elements = st.integers(0, 255)
    image = data.draw(hnp.arrays(dtype, shape, elements=elements))
    first = arrange(image, (channels, height, width), "NCHW")
    assert np.array_equal(first, np.moveaxis(image, 2, 0))
    assert np.array_equal(arrange(first, shape, "NHWC"), image)
    for target, layout in [((image.size,), "NHWC"), ((1, image.size), "NCHW")]:
        flat = arrange(image, target, layout)
        source = image if layout == "NHWC" else first
        assert np.array_equal(flat.ravel(), source.ravel())
    for out in (first, flat):
        assert out.dtype == image.dtype
        assert out.flags.c_contiguous


@given(
    shape=st.lists(st.integers(1, 4), max_size=4).map(tuple),
    target=st.lists(st.integers(1, 4), max_size=4).map(tuple),
    layout=st.sampled_from(LAYOUTS),
    dtype=dtypes,
)
def test_every_result_has_the_shape_and_every_value_as_often(shape, target, layout, dtype):
    values = counted(*shape, dtype=dtype)
    places = arranged_places(shape, target, layout)
    try:
        out = arrange(values, target, layout)
    except DataError as error:
        assert str(error).startswith("the example ")  # noqa: PT017 - either outcome is right
        assert places is None or dtype != "uint8"
        return
    if dtype == "uint8":
        assert places is not None
        assert np.array_equal(values.reshape(-1)[places], out)
    assert out.shape == target
    assert out.dtype == values.dtype
    assert out.flags.c_contiguous
    times, rest = divmod(out.size, values.size)
    assert (times, rest) in ((1, 0), (3, 0))
    assert np.array_equal(np.sort(out, axis=None), np.sort(np.repeat(values, times), axis=None))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(4, 5, 3), (3, 4, 5)])
@pytest.mark.parametrize("target", [(4, 5), (4, 5, 1), (1, 4, 5), (20,)])
def test_three_equal_channels_are_the_grey_picture(shape, target, layout):
    grey = counted(4, 5)
    values = np.repeat(grey[None], 3, 0) if shape[0] == 3 else np.repeat(grey[..., None], 3, 2)
    assert np.array_equal(arrange(values, target, layout).ravel(), grey.ravel())
    values[1, 1, 1] += 1
    with pytest.raises(DataError):
        arrange(values, target, layout)
