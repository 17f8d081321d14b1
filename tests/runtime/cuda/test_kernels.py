"""The noise that a device draws, against numpy's, word for word and float for float."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import kernels_in_cpp
import kernels_in_numpy
import numpy as np
import pytest
from host_device import EACH_LAUNCHER, HostDevice
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rsonnx.grid import GridNoise
from rsonnx.noise import Gaussian, InputSpace, NoisyStream
from rsonnx.noise.lattice import LatticeTable
from rsonnx.noise.philox import SETTLE, bits
from rsonnx.runtime.cuda.drawing import Drawing

SIGMAS = (1e-5, 0.0005, 0.002, 0.12, 0.25, 1.0, 5.0)
BOUNDS = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0), (-0.5, 0.5), (-3.0, 252.0), (1.0, 1.5))


def stream(
    size: int, sigma: float = 0.25, bounds: tuple[float, float] = (0.0, 1.0), seed: int = 5
) -> NoisyStream:
    levels = np.random.default_rng(seed).integers(0, 256, size, np.uint8)
    space = InputSpace((size,), bounds)
    width = bounds[1] - bounds[0]
    return NoisyStream(space.point(levels), Gaussian(sigma * width), seed, "estimation")


def drawn(device: HostDevice, what: NoisyStream, start: int, rows: int) -> NDArray[np.float32]:
    return written(Drawing(device), device, what.grid, start, (rows, *what.sample_shape))


def written(
    drawing: Drawing, device: HostDevice, noise: GridNoise | None, start: int, shape: Any
) -> NDArray[np.float32]:
    assert noise is not None
    out = device.zeros(shape, np.float32)
    out[...] = np.nan
    drawing.write(noise, drawing.upload(noise), start, out)
    return device.copy_out(out)


def expected(what: NoisyStream, start: int, rows: int) -> NDArray[np.float32]:
    out = np.empty((rows, *what.sample_shape), np.float32)
    what.write(start, out)
    return out


def same_bits(a: NDArray[np.float32], b: NDArray[np.float32]) -> None:
    np.testing.assert_array_equal(a.view(np.uint32), b.view(np.uint32))


def test_philox_against_the_vectors_of_its_authors() -> None:
    """Random123, tests/kat_vectors, philox4x64 10: the counters of 0, of all ones, and of pi."""
    full, pi = 0xFFFFFFFFFFFFFFFF, (0x243F6A8885A308D3, 0x13198A2E03707344)
    more = (0xA4093822299F31D0, 0x082EFA98EC4E6C89, 0x452821E638D01377, 0xBE5466CF34E90C6C)
    cases: tuple[tuple[Sequence[int], Sequence[int], str], ...] = (
        ([0] * 4, [0] * 2, "16554d9eca36314c db20fe9d672d0fdc d7e772cee186176b 7e68b68aec7ba23b"),
        ([full] * 4, [full] * 2,
         "87b092c3013fe90b 438c3c67be8d0224 9cc7d7c69cd777b6 a09caebf594f0ba0"),
        ((*pi, *more[:2]), more[2:],
         "a528f45403e61d95 38c72dbd566e9788 a5a1610e72fd18b5 57bd43b5e52b7fe6"),
    )  # fmt: skip
    for counter, key, text in cases:
        got = kernels_in_numpy.philox(
            tuple(np.array([c], np.uint64) for c in counter), (np.uint64(key[0]), np.uint64(key[1]))
        )
        assert " ".join(f"{word:016x}" for word in got[0]) == text


@given(
    key=st.integers(0, 2**128 - 1),
    block=st.integers(0, 2**63 - 1),
    region=st.sampled_from([0, 1]),
    number=st.integers(0, 2**62),
)
@settings(max_examples=60, deadline=None)
def test_philox_against_numpy_at_any_counter(
    key: int, block: int, region: int, number: int
) -> None:
    halves = np.uint64(key & (2**64 - 1)), np.uint64(key >> 64)
    generator = bits(key, block, region)
    generator.advance(number)
    np.testing.assert_array_equal(
        kernels_in_numpy.words([number], block, region, halves)[0], generator.random_raw(4)
    )


@pytest.mark.parametrize("launcher", EACH_LAUNCHER)
@pytest.mark.parametrize("size", [1, 3, 10, 784, 3072])
@pytest.mark.parametrize("sigma", SIGMAS)
def test_noise_is_numpy_s_to_the_last_bit(launcher: str, size: int, sigma: float) -> None:
    what, device = stream(size, sigma), HostDevice(launcher)
    rows = 2 * what.block + 3 if size < 100 else what.block + 1
    same_bits(drawn(device, what, 0, rows), expected(what, 0, rows))
    assert device.launches == ["rsonnx_draw", "rsonnx_sum", "rsonnx_settle"]


@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize("launcher", EACH_LAUNCHER)
def test_every_scale_rounds_as_numpy_does(launcher: str, bounds: tuple[float, float]) -> None:
    what = stream(48, 0.5, bounds)
    same_bits(drawn(HostDevice(launcher), what, 7, 300), expected(what, 7, 300))


@pytest.mark.parametrize("launcher", EACH_LAUNCHER)
@pytest.mark.parametrize(
    ("start", "rows"), [(0, 1), (1, 1), (63, 2), (64, 64), (5, 59), (5, 60), (100, 200), (2**40, 3)]
)
def test_any_range_is_a_part_of_the_same_noise(launcher: str, start: int, rows: int) -> None:
    what = stream(3072, 0.5)
    assert what.block == 64
    same_bits(drawn(HostDevice(launcher), what, start, rows), expected(what, start, rows))


@pytest.mark.skipif(kernels_in_cpp.missing is not None, reason=str(kernels_in_cpp.missing))
@pytest.mark.parametrize("size", [150_528, 262_145, 300_001])
def test_large_inputs(size: int) -> None:
    """A block is one sample; its last counter is not full where the size is odd."""
    what = stream(size, 0.5)
    assert what.block == 1
    same_bits(drawn(HostDevice("c++"), what, 3, 2), expected(what, 3, 2))


@given(
    size=st.integers(1, 90),
    sigma=st.sampled_from(SIGMAS),
    start=st.integers(0, 2000),
    rows=st.integers(1, 400),
    seed=st.integers(0, 2**64),
)
@settings(max_examples=60, deadline=None)
def test_any_size_sigma_and_range(
    size: int, sigma: float, start: int, rows: int, seed: int
) -> None:
    what = stream(size, sigma, seed=seed)
    launcher = "numpy" if kernels_in_cpp.missing else "c++"
    same_bits(drawn(HostDevice(launcher), what, start, rows), expected(what, start, rows))


@pytest.mark.parametrize("launcher", EACH_LAUNCHER)
def test_every_drawn_cell_open_and_thresholds_where_words_fall(launcher: str) -> None:
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
    device = HostDevice(launcher)
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
        same_bits(drawn(HostDevice("numpy"), what, 0, 40), expected(what, 0, 40))


@pytest.mark.parametrize("launcher", EACH_LAUNCHER)
def test_one_drawing_serves_small_and_large_pieces_and_several_laws(launcher: str) -> None:
    """Counts of open cells from an earlier, larger piece must not be left over."""
    device = HostDevice(launcher)
    drawing = Drawing(device)
    for what, start, rows in (
        (stream(48, 0.5), 0, 500),
        (stream(48, 3.0), 17, 100),
        (stream(10, 0.5, seed=6), 200, 100),
        (stream(48, 0.5), 3, 2),
    ):
        shape = (rows, *what.sample_shape)
        same_bits(written(drawing, device, what.grid, start, shape), expected(what, start, rows))


@pytest.mark.parametrize("launcher", EACH_LAUNCHER)
def test_labels_are_counted_with_bins_for_none_and_for_nonsense(launcher: str) -> None:
    device = HostDevice(launcher)
    labels, counts = device.zeros((12,), np.int64), device.zeros((5,), np.uint64)
    device.copy_in(labels, np.array([0, 2, 2, -1, 3, 7, -2, 2, 2**62, -1, 9, 9], np.int64))
    counts[0] = 1
    device.launch("rsonnx_count", 10, np.int64(10), labels, np.int64(3), counts)
    assert counts.tolist() == [2, 0, 3, 2, 4]
