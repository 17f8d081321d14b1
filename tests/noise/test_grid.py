"""What a stream tells a device; that the device then draws the same is tested in runtime/cuda."""

from __future__ import annotations

import numpy as np
import pytest

from rsonnx.grid import Scaling
from rsonnx.noise import Gaussian, InputSpace, NoisyStream


def stream(space: InputSpace, arithmetic: str | None = None) -> NoisyStream:
    levels = np.arange(space.size, dtype=np.uint8).reshape(space.shape)
    width = space.bounds[1] - space.bounds[0]
    point = space.point(levels, arithmetic)  # type: ignore[arg-type]
    return NoisyStream(point, Gaussian(width / 4), 7, "estimation")


def test_a_stream_on_the_grid_tells_all_a_device_must_know() -> None:
    what = stream(InputSpace((2, 3, 4)))
    noise = what.grid
    assert noise is not None
    assert noise.key[0] + (noise.key[1] << 64) == what.key
    assert max(noise.key) < 2**64
    assert (noise.block, noise.size) == (256, 24)
    assert noise.levels.tolist() == list(range(24))
    assert noise.table is what.distribution.table(what.point.space.step)
    assert np.shares_memory(noise.levels, what.point.data)


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ((0.0, 1.0), Scaling(255.0, None, None)),
        ((0.0, 255.0), Scaling(None, None, None)),
        ((-1.0, 1.0), Scaling(None, 2 / 255, -1.0)),
        ((0.0, 2.0), Scaling(None, 2 / 255, None)),
        ((-3.0, 252.0), Scaling(None, None, -3.0)),
    ],
)
def test_the_scale_is_that_of_the_input_space(
    bounds: tuple[float, float], expected: Scaling
) -> None:
    space = InputSpace((5,), bounds)
    noise = stream(space).grid
    assert noise is not None
    assert noise.scaling == expected
    level = np.arange(-600, 900).astype(np.float32)
    value = level.copy()
    space.scale_levels(value)
    if expected.divisor is not None:
        level /= np.float32(expected.divisor)
    if expected.factor is not None:
        level *= np.float32(expected.factor)
    if expected.offset is not None:
        level += np.float32(expected.offset)
    np.testing.assert_array_equal(level, value)


def test_only_exact_noise_is_drawn_on_the_device() -> None:
    assert stream(InputSpace((4,)), "float").grid is None


@pytest.mark.parametrize("bounds", [(0.0, 1e-30), (1e-33, 1.0), (-1e-32, 1.0)])
def test_values_that_a_device_would_round_to_0_are_left_to_numpy(
    bounds: tuple[float, float],
) -> None:
    assert stream(InputSpace((4,), bounds)).grid is None


@pytest.mark.parametrize("bounds", [(0.0, 2.0**-90), (2.0**-99, 1.0), (-1.0, 1.0)])
def test_other_bounds_give_no_subnormal_values(bounds: tuple[float, float]) -> None:
    space = InputSpace((4,), bounds)
    assert stream(space).grid is not None
    values = np.abs(space.values_of(np.arange(-30_000, 30_000)))
    assert values[values > 0].min() >= np.finfo(np.float32).tiny
