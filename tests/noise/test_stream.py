"""A sample is a function of seed, digest, stage and index, and of nothing else."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsonnx.noise import (
    UNCHANGED,
    Gaussian,
    InputSpace,
    NoisyStream,
    UnchangedStream,
    block_samples,
)
from rsonnx.noise.philox import stream_key

SHAPE = (3, 5, 7)
SPACE = InputSpace(SHAPE)
LEVELS = np.random.default_rng(0).integers(0, 256, SHAPE).astype(np.uint8)
EXACT = SPACE.point(LEVELS)
FLOAT = SPACE.point(LEVELS, "float")


def samples(stream: NoisyStream, start: int, stop: int) -> np.ndarray:
    out = np.full((stop - start, *SHAPE), np.nan, np.float32)
    stream.write(start, out)
    return out


def test_exact_samples_are_grid_points_of_the_table() -> None:
    stream = NoisyStream(EXACT, Gaussian(0.5), 3, "selection")
    key = stream_key(3, EXACT.noise_digest, "selection")
    size = LEVELS.size
    noise = Gaussian(0.5).table(SPACE.step).draw(key, 1, stream.block * size)
    expected = (LEVELS.ravel().astype(int) + noise.reshape(-1, size)) / 255
    found = samples(stream, stream.block, 2 * stream.block).reshape(-1, size)
    np.testing.assert_array_equal(found, expected.astype(np.float32))


@pytest.mark.parametrize(
    ("values", "block"), [(1, 256), (784, 256), (3072, 64), (150_528, 1), (10**7, 1)]
)
def test_blocks_fill_a_cache(values: int, block: int) -> None:
    assert block_samples(values) == block


def test_noise_leaves_the_bounds() -> None:
    """Noise is never clipped: the theorem is about unbounded noise."""
    noisy = samples(NoisyStream(EXACT, Gaussian(1.0), 1, "estimation"), 0, 100)
    assert noisy.min() < -1
    assert noisy.max() > 2


@pytest.mark.parametrize("point", [EXACT, FLOAT], ids=["exact", "float"])
@settings(max_examples=40, deadline=None)
@given(ranges=st.lists(st.tuples(st.integers(0, 600), st.integers(1, 300)), max_size=8))
def test_what_was_written_before_changes_nothing(point, ranges: list[tuple[int, int]]) -> None:  # type: ignore[no-untyped-def]
    stream = NoisyStream(point, Gaussian(0.25), 7, "estimation")
    whole = samples(NoisyStream(point, Gaussian(0.25), 7, "estimation"), 0, 1200)
    for start, length in ranges:  # each goes on from the last as well as anywhere
        for begin in (start, start + length):
            found = samples(stream, begin, begin + length)
            np.testing.assert_array_equal(found, whole[begin:][:length])


@pytest.mark.parametrize("arithmetic", ["exact", "float"])
def test_shared_noise_is_the_same_for_all_inputs(arithmetic) -> None:  # type: ignore[no-untyped-def]
    points = [EXACT, SPACE.point(255 - LEVELS)]
    points = [SPACE.point(p.data, arithmetic) for p in points]
    shared = [NoisyStream(p, Gaussian(0.5), 7, "estimation", shared=True) for p in points]
    found = [samples(s, 100, 700) - p.values() for s, p in zip(shared, points, strict=True)]
    np.testing.assert_allclose(found[0], found[1], atol=4e-7)  # the rounding of two float32 sums
    own = samples(NoisyStream(points[0], Gaussian(0.5), 7, "estimation"), 100, 700)
    assert np.corrcoef(own.ravel(), samples(shared[0], 100, 700).ravel())[0, 1] < 0.5
    other_stage = NoisyStream(points[0], Gaussian(0.5), 7, "selection", shared=True)
    assert not np.array_equal(samples(other_stage, 100, 700), samples(shared[0], 100, 700))
    np.testing.assert_array_equal(samples(shared[0], 0, 700)[100:], samples(shared[0], 100, 700))


def test_a_stream_travels_light() -> None:
    """To another process go the input and the names of the noise, not the table or open blocks."""
    stream = NoisyStream(EXACT, Gaussian(0.5), 7, "estimation")
    expected = samples(stream, 0, 300)
    sent = pickle.dumps(stream)
    assert len(sent) < 2_000
    np.testing.assert_array_equal(samples(pickle.loads(sent), 0, 300), expected)  # noqa: S301 - ours


def test_each_version_has_its_own_key() -> None:
    point = InputSpace(SPACE.shape, layout="NCHW").point(LEVELS)
    one, two = (NoisyStream(point, Gaussian(0.5), 7, "selection", version=v) for v in (1, 2))
    assert one.key == stream_key(7, point.digest, "selection")
    assert two.key == stream_key(7, point.noise_digest, "selection")
    assert two.key == NoisyStream(point, Gaussian(0.5), 7, "selection").key


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_the_unchanged_stream_is_the_input(dtype: type) -> None:
    values = np.arange(6).reshape(2, 3) / (1 if dtype == np.uint8 else 7)
    point = InputSpace((2, 3)).point(values.astype(dtype))
    stream = UnchangedStream(point, Gaussian(0.5), 1, UNCHANGED)
    out = np.empty((1, 2, 3), np.float32)
    stream.write(0, out)
    np.testing.assert_array_equal(out[0], point.values())
    assert not stream.watched(0, 1)
    if dtype == np.uint8:  # what a device draws is no noise at all
        assert stream.grid is not None
        assert not stream.grid.table.outcome.any()
    else:
        assert stream.grid is None
