"""The declared input space: grids, bounds, digests."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsonnx.errors import DataError, UsageError
from rsonnx.noise import InputSpace

IMAGE = np.arange(24, dtype=np.uint8).reshape(2, 3, 4) * 10
LAST = "12e0e0d3f17a7c6f47ac91969d4da42e04ba516bdac35be6c21c9ae62e55f203"
FIRST = "f556bbc227a9bf185fc4827d37f48f7f1c9fad5bf60d25135287e78b68307494"
"""Digests of IMAGE with and without a layout, as the first version made them."""
NOISE = "d319bb985886716094de9e8f0820c0fd2569c4c16317b858dcd6bf665e272c46"


def space(**changes: object) -> InputSpace:
    given_: dict[str, object] = {"shape": (2, 3, 4)} | changes
    return InputSpace(**given_)  # type: ignore[arg-type]


def test_levels_become_k_over_255() -> None:
    point = space().point(IMAGE)
    assert point.arithmetic == "exact"
    np.testing.assert_array_equal(point.values(), (IMAGE / 255).astype(np.float32))


@pytest.mark.parametrize("bounds", [(0.0, 255.0), (-1.0, 1.0), (0.0, 2.0), (-0.5, 0.5)])
def test_levels_are_mapped_to_the_bounds(bounds: tuple[float, float]) -> None:
    low, high = bounds
    values = space(bounds=bounds).point(IMAGE).values()
    # Two float32 roundings of values below 256: half a unit in the last place each.
    np.testing.assert_allclose(values, low + IMAGE / 255 * (high - low), rtol=2e-7, atol=2e-7)


@pytest.mark.parametrize(
    "as_floats",
    [
        lambda x: x / 255,
        lambda x: (x / 255).astype(np.float32),
        lambda x: x.astype(np.float32) * np.float32(1 / 255),
    ],
)
def test_floats_on_the_grid_are_the_same_point(as_floats) -> None:  # type: ignore[no-untyped-def]
    exact = space().point(IMAGE)
    found = space().point(as_floats(IMAGE))
    assert found.arithmetic == "exact"
    assert found.digest == exact.digest
    np.testing.assert_array_equal(found.data, exact.data)


def test_floats_between_levels_are_float() -> None:
    x = IMAGE / 255
    x[0, 0, 0] += 0.3 / 255
    assert space().point(x).arithmetic == "float"
    with pytest.raises(DataError, match="between levels"):
        space().point(x, "exact")


def test_float_can_be_insisted_on() -> None:
    point = space().point(IMAGE, "float")
    assert point.arithmetic == "float"
    assert point.digest == space().point(IMAGE).digest
    np.testing.assert_array_equal(point.values(), (IMAGE / 255).astype(np.float32))


def test_one_digest_in_both_layouts_and_flat() -> None:
    channels_last = np.ascontiguousarray(np.moveaxis(IMAGE, 0, -1))
    first = space(layout="NCHW").point(IMAGE)
    last = InputSpace((3, 4, 2), layout="NHWC").point(channels_last)
    assert first.digest == last.digest
    grey = IMAGE[:1]
    assert (
        InputSpace((1, 3, 4), layout="NCHW").point(grey).digest
        == InputSpace((12,)).point(grey.ravel()).digest
    )


def test_what_noise_is_derived_from_knows_no_layout_and_no_shape() -> None:
    alone = space().point(IMAGE)
    known = [space(layout=layout).point(IMAGE) for layout in ("NCHW", "NHWC")]
    flat = InputSpace((24,)).point(IMAGE.ravel())
    assert {point.noise_digest for point in (*known, flat)} == {alone.noise_digest}
    moved = InputSpace((3, 4, 2), layout="NHWC").point(np.moveaxis(IMAGE, 0, -1))
    assert moved.digest == known[0].digest  # the same picture
    assert moved.noise_digest != alone.noise_digest  # whose values come in another order


@pytest.mark.parametrize(
    ("layout", "digest"), [("NCHW", LAST), (None, FIRST)], ids=["known layout", "no layout"]
)
def test_digests_are_for_ever(layout: str | None, digest: str) -> None:
    point = space(layout=layout).point(IMAGE)
    assert point.digest == digest
    assert point.noise_digest == NOISE
    payload = b"rsonnx input 2 uint8 24\0" + IMAGE.tobytes()
    assert point.noise_digest == hashlib.sha256(payload).hexdigest()
    off = space(layout=layout).point(IMAGE / 255 * 0.99)
    payload = b"rsonnx input 2 float 24\0" + (IMAGE / 255 * 0.99).astype("<f8").tobytes()
    assert off.noise_digest == hashlib.sha256(payload).hexdigest()


def test_digest_depends_on_every_value() -> None:
    other = IMAGE.copy()
    other[1, 2, 3] += 1
    assert space().point(IMAGE).digest != space().point(other).digest
    assert space().point(IMAGE / 255 * 0.99).digest != space().point(IMAGE / 255 * 0.98).digest


@pytest.mark.parametrize(
    ("x", "named"),
    [
        (IMAGE[0], r"shape \(3, 4\).*\(2, 3, 4\)"),
        (IMAGE.astype(int), "values from 0 to 230, but the declared bounds"),
        (IMAGE * 1.0, r"from 0 to 230.*bounds are 0 to 1"),
        (IMAGE / -255, r"bounds are 0 to 1"),
        (np.full((2, 3, 4), np.nan), "24 of 24 values .* NaN or infinite"),
        (np.full((2, 3, 4), np.inf), "NaN or infinite"),
    ],
)
def test_inputs_that_do_not_fit(x: np.ndarray, named: str) -> None:
    with pytest.raises(DataError, match=named):
        space().point(x)


def test_unbounded_space_takes_any_float_but_no_levels() -> None:
    unbounded = InputSpace((3,), (-np.inf, np.inf))
    assert unbounded.point(np.array([1e6, -3.5, 0.0])).arithmetic == "float"
    with pytest.raises(DataError, match="no finite bounds"):
        unbounded.point(np.zeros(3, np.uint8))


@pytest.mark.parametrize("bounds", [(1, 0), (0, 0), (np.nan, 1), (0,), "ab", None])
def test_bad_bounds(bounds: object) -> None:
    with pytest.raises(UsageError, match="bounds are"):
        InputSpace((1,), bounds)  # type: ignore[arg-type]


@given(st.floats(-100, 100), st.floats(0.01, 300))
def test_a_grid_point_keeps_its_level_in_any_bounds(low: float, width: float) -> None:
    levels = np.arange(256, dtype=np.uint8)
    box = InputSpace((256,), (low, low + width))
    x = low + levels * ((low + width - low) / 255)
    np.testing.assert_array_equal(box.point(x).data, levels)
