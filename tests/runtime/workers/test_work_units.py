from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsonnx.counts import Counts
from rsonnx.errors import InferenceError
from rsonnx.noise import Gaussian, InputSpace, NoisyStream
from rsonnx.runtime import CountRequest
from rsonnx.runtime.workers.loads import unit_samples
from rsonnx.runtime.workers.units import Unit, Work


class Blocks:
    """A stream that is only asked for its block."""

    sample_shape = (1,)

    def __init__(self, block: int) -> None:
        self.block = block


def requests(block: int, ranges: Sequence[tuple[int, int]]) -> list[CountRequest]:
    return [CountRequest(Blocks(block), start, stop) for start, stop in ranges]  # type: ignore[arg-type]


def counted(work: Work, unit: Unit) -> list[Counts]:
    """Count each sample into the class of its own index, so that a lost or doubled one shows."""
    return [
        Counts(np.bincount(np.arange(request.start, request.stop)))
        for request in work.requests_of(unit)
    ]


ranges_drawn = st.lists(
    st.tuples(st.integers(0, 300), st.integers(0, 300)).map(lambda r: (r[0], r[0] + r[1])),
    max_size=8,
)


@given(
    ranges=ranges_drawn,
    block=st.sampled_from([1, 2, 16, 256]),
    sizes=st.lists(st.integers(1, 500), min_size=1, max_size=20),
    losses=st.lists(st.booleans(), max_size=30),
)
def test_every_sample_is_counted_once_however_the_work_is_cut_and_lost(
    ranges: list[tuple[int, int]], block: int, sizes: list[int], losses: list[bool]
) -> None:
    seen: list[int] = []
    work = Work(requests(block, ranges), 2, seen.append)
    total = sum(stop - start for start, stop in ranges)
    held: list[Unit] = []
    turn = 0
    while not work.finished:
        unit = work.take(sizes[turn % len(sizes)])
        if unit is not None:
            held.append(unit)
        if unit is None or len(held) > 2:
            oldest = held.pop(0)
            if losses and losses.pop():
                work.give_back(oldest)
            else:
                work.add(oldest, counted(work, oldest))
        turn += 1
        assert work.left == total - sum(seen) - sum(u.samples for u in held)
    assert sum(seen) == total
    for (start, stop), counts in zip(ranges, work.counts, strict=True):
        ones = np.zeros(max(2, stop if stop > start else 0), np.int64)
        ones[start:stop] = 1
        assert np.array(counts).tolist() == ones.tolist()


@given(ranges=ranges_drawn, block=st.sampled_from([2, 16, 256]), size=st.integers(1, 500))
def test_cuts_are_between_blocks(ranges: list[tuple[int, int]], block: int, size: int) -> None:
    work = Work(requests(block, ranges), 0, None)
    while (unit := work.take(size)) is not None:
        for piece in unit.pieces:
            start, stop = ranges[piece.request]
            assert piece.start == start or piece.start % block == 0
            assert piece.stop == stop or piece.stop % block == 0
        assert unit.samples <= max(size, block)


def test_a_unit_spans_small_requests_but_not_without_end() -> None:
    work = Work(requests(16, [(0, 4)] * 1000), 0, None)
    first = work.take(64)
    assert first is not None
    assert len(first.pieces) == 16
    many = work.take(100_000)
    assert many is not None
    assert len(many.pieces) == 256


def test_a_unit_that_was_given_back_is_next() -> None:
    work = Work(requests(16, [(0, 100)]), 0, None)
    first, second = work.take(32), work.take(32)
    assert first is not None
    assert second is not None
    work.give_back(first)
    assert work.take(1) is first


def test_wrong_totals_are_refused() -> None:
    work = Work(requests(16, [(0, 10), (0, 6)]), 0, None)
    unit = work.take(16)
    assert unit is not None
    for wrong in ([Counts([10])], [Counts([6]), Counts([10])], [Counts([10]), Counts([5])]):
        with pytest.raises(InferenceError, match=r"pieces of \[10, 6\] samples"):
            work.add(unit, wrong)
    work.add(unit, [Counts([10]), Counts([], no_class=6)])
    assert work.finished
    with pytest.raises(KeyError):  # a second answer to the same unit
        work.add(unit, [Counts([10]), Counts([6])])


@pytest.mark.parametrize(
    ("left", "total", "rate", "rates", "samples"),
    [
        (10**9, 10**9, None, [None, 9.0], 64),  # nothing is known of this worker yet
        (10**9, 10**9, 1000.0, [1000.0] * 2, 2048),  # four seconds, as a power of two
        (3000, 10**9, 1000.0, [1000.0] * 2, 1024),  # its share, as a power of two
        (3000, 10**9, 1000.0, [1000.0, 3000.0], 512),
        (3000, 10**9, 1000.0, [1000.0, None], 1024),
        (200, 10**9, 1000.0, [1000.0] * 10, 128),  # at least a quarter of a second
        (900, 1000, 9000.0, [9000.0] * 3, 256),  # but no more than a share where all is little
        (10, 10, 3.0, [3.0], 64),
    ],
)
def test_size_of_a_unit(
    left: int, total: int, rate: float | None, rates: list[float | None], samples: int
) -> None:
    assert unit_samples(left, total, rate, rates) == samples


def sent(stream: NoisyStream) -> Any:
    return pickle.loads(pickle.dumps(stream))  # noqa: S301 - our own


def test_a_used_stream_travels_light() -> None:
    space = InputSpace((3, 32, 32))
    stream = NoisyStream(
        space.point(np.zeros(space.shape, np.uint8)), Gaussian(0.5), 2**127, "estimation"
    )
    stream.write(0, np.empty((5, *space.shape), np.float32))
    assert len(pickle.dumps(stream)) < 3 * 32 * 32 + 1000
    there: NoisyStream = sent(stream)
    mine, theirs = (np.empty((300, *space.shape), np.float32) for _ in range(2))
    stream.write(7, mine)
    there.write(7, theirs)
    assert mine.tobytes() == theirs.tobytes()
    assert there.point.digest == stream.point.digest
