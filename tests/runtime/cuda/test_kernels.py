"""The noise that a device draws, against numpy's, word for word and float for float."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernels_in_cpp import NEEDS_COMPILER
from numpy.typing import NDArray
from stub_cuda import open_stub

from rsonnx.grid import GridNoise
from rsonnx.noise import Gaussian, InputSpace, NoisyStream
from rsonnx.noise.lattice import LatticeTable
from rsonnx.noise.philox import SETTLE, bits
from rsonnx.runtime.cuda.cupy_device import CupyDevice
from rsonnx.runtime.cuda.drawing import Drawing

pytestmark = NEEDS_COMPILER

SIGMAS = (1e-5, 0.0005, 0.002, 0.12, 0.25, 1.0, 5.0)
BOUNDS = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0), (-0.5, 0.5), (-3.0, 252.0), (1.0, 1.5))


def stream(
    size: int, sigma: float = 0.25, bounds: tuple[float, float] = (0.0, 1.0), seed: int = 5
) -> NoisyStream:
    levels = np.random.default_rng(seed).integers(0, 256, size, np.uint8)
    space = InputSpace((size,), bounds)
    width = bounds[1] - bounds[0]
    return NoisyStream(space.point(levels), Gaussian(sigma * width), seed, "estimation")


def drawn(device: CupyDevice, what: NoisyStream, start: int, rows: int) -> NDArray[np.float32]:
    return written(Drawing(device), device, what.grid, start, (rows, *what.sample_shape))


def written(
    drawing: Drawing, device: CupyDevice, noise: GridNoise | None, start: int, shape: Any
) -> NDArray[np.float32]:
    assert noise is not None
    out = device.zeros(shape, np.float32)
    device.fill(out, 0xFF)  # NaN
    drawing.write(noise, drawing.upload(noise), start, out)
    return device.copy_out(out)


def expected(what: NoisyStream, start: int, rows: int) -> NDArray[np.float32]:
    out = np.empty((rows, *what.sample_shape), np.float32)
    what.write(start, out)
    return out


def same_bits(a: NDArray[np.float32], b: NDArray[np.float32]) -> None:
    np.testing.assert_array_equal(a.view(np.uint32), b.view(np.uint32))


@pytest.mark.parametrize("size", [1, 3, 10, 784])
@pytest.mark.parametrize("sigma", SIGMAS)
def test_noise_is_numpy_s_to_the_last_bit(size: int, sigma: float) -> None:
    what, device = stream(size, sigma), open_stub()
    rows = 2 * what.block + 3 if size < 100 else what.block + 1
    same_bits(drawn(device, what, 0, rows), expected(what, 0, rows))


@pytest.mark.parametrize("bounds", BOUNDS)
def test_every_scale_rounds_as_numpy_does(bounds: tuple[float, float]) -> None:
    what = stream(48, 0.5, bounds)
    same_bits(drawn(open_stub(), what, 7, 300), expected(what, 7, 300))


@pytest.mark.parametrize(
    ("start", "rows"), [(0, 1), (1, 1), (63, 2), (64, 64), (5, 59), (5, 60), (100, 200), (2**40, 3)]
)
def test_any_range_is_a_part_of_the_same_noise(start: int, rows: int) -> None:
    what = stream(3072, 0.5)
    assert what.block == 64
    same_bits(drawn(open_stub(), what, start, rows), expected(what, start, rows))


@pytest.mark.parametrize("size", [150_528, 262_145, 300_001])
def test_large_inputs(size: int) -> None:
    """A block is one sample; its last counter is not full where the size is odd."""
    what = stream(size, 0.5)
    assert what.block == 1
    same_bits(drawn(open_stub(), what, 3, 2), expected(what, 3, 2))


@given(
    size=st.integers(1, 90),
    sigma=st.sampled_from(SIGMAS),
    start=st.integers(0, 2000),
    rows=st.integers(1, 400),
    seed=st.integers(0, 2**64),
)
@settings(max_examples=20, deadline=None)
def test_any_size_sigma_and_range(
    size: int, sigma: float, start: int, rows: int, seed: int
) -> None:
    what = stream(size, sigma, seed=seed)
    same_bits(drawn(open_stub(), what, start, rows), expected(what, start, rows))


def test_every_drawn_cell_open_and_thresholds_where_words_fall() -> None:
    """A law made to be hard: thresholds in each cell that is drawn; some agree in 64 bits, some are
    exactly the number that is drawn or the next one to it."""
    what = stream(48)
    key, block = what.key, 3
    cells = bits(key, block).random_raw(64).astype("<u8").view("<u2")
    further = bits(key, block, SETTLE).random_raw(len(cells))
    numbers = [(int(c) << 64) | int(f) for c, f in zip(cells, further, strict=True)]
    chance = random.Random(4)  # noqa: S311 - no secret
    wanted = {n + step for n in numbers[::2] for step in (-1, 0, 1)}
    wanted |= {(n >> 64 << 64) | chance.randrange(1 << 64) for n in numbers}
    wanted |= {chance.randrange(1 << 80) for _ in range(12_000)}
    wanted |= {(n >> 16 << 16) | chance.randrange(1 << 16) for n in list(wanted)[:3000]}
    thresholds = np.array(sorted(wanted), object)
    edges = np.array([int(t) >> 64 for t in thresholds])
    first = np.searchsorted(edges, np.arange(65_536))
    inside = np.bincount(edges, minlength=65_536)
    lowest = (first - 9000).astype(np.int16)
    table = LatticeTable(
        outcome=np.where(inside == 0, lowest, -32768).astype(np.int16),
        lowest=lowest,
        first=np.minimum(first, len(edges) - 1),
        inside=inside,
        high=np.array([int(t) >> 16 for t in thresholds], np.uint64),
        low=np.array([int(t) & 0xFFFF for t in thresholds], np.uint16),
        minimum=-9000,
    )
    noise = what.grid
    assert noise is not None
    device = open_stub()
    hard = replace(noise, table=table)
    out = written(Drawing(device), device, hard, block * what.block, (5, 48))
    found = table.draw(key, block, out.size).reshape(out.shape)
    ideal = [sum(t <= n for t in wanted) - 9000 for n in numbers[: out.size]]
    assert found.ravel().tolist() == ideal
    same_bits(out, what.point.space.values_of(found + noise.levels))
    assert inside[cells].min() >= 1
    assert inside[cells].max() > 3


def test_noise_that_inputs_share_is_shared_on_the_device() -> None:
    streams = [replace(stream(48, seed=s), seed=9, shared=True) for s in (1, 2)]
    noises = [s.grid for s in streams]
    assert noises[0] is not None
    assert noises[1] is not None
    assert noises[0].key == noises[1].key
    for what in streams:
        same_bits(drawn(open_stub(), what, 0, 40), expected(what, 0, 40))


def test_one_drawing_serves_small_and_large_pieces_and_several_laws() -> None:
    """Counts of open cells from an earlier, larger piece must not be left over."""
    device = open_stub()
    drawing = Drawing(device)
    for what, start, rows in (
        (stream(48, 0.5), 0, 500),
        (stream(48, 3.0), 17, 100),
        (stream(10, 0.5, seed=6), 200, 100),
        (stream(48, 0.5), 3, 2),
    ):
        shape = (rows, *what.sample_shape)
        same_bits(written(drawing, device, what.grid, start, shape), expected(what, start, rows))


def test_labels_are_counted_with_bins_for_none_and_for_nonsense() -> None:
    device = open_stub()
    labels, counts = device.zeros((12,), np.int64), device.zeros((5,), np.uint64)
    device.copy_in(labels, np.array([0, 2, 2, -1, 3, 7, -2, 2, 2**62, -1, 9, 9], np.int64))
    device.copy_in(counts, np.array([1, 0, 0, 0, 0], np.uint64))
    device.launch("rsonnx_count", 10, np.int64(10), labels, np.int64(3), counts)
    assert device.copy_out(counts).tolist() == [2, 0, 3, 2, 4]
