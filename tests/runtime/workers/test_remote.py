from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from runtime.test_ranges import ranges_drawn, requests

from rsonnx.counts import Counts
from rsonnx.errors import InferenceError, ModelError, ProviderError
from rsonnx.noise import Gaussian, InputSpace, NoisyStream
from rsonnx.runtime.workers.remote import Unit, Work
from rsonnx.runtime.workers.worker import Ready


def counted(work: Work, unit: Unit) -> list[Counts]:
    """Count each sample into the class of its own index, so that a lost or doubled one shows."""
    return [
        Counts(np.bincount(np.arange(request.start, request.stop)))
        for request in work.requests_of(unit)
    ]


@given(
    ranges=ranges_drawn,
    block=st.sampled_from([1, 2, 16, 256]),
    rates=st.lists(st.none() | st.floats(1, 500), min_size=1, max_size=20),
    losses=st.lists(st.booleans(), max_size=30),
)
def test_every_sample_is_counted_once_however_the_work_is_cut_and_lost(
    ranges: list[tuple[int, int]], block: int, rates: list[float | None], losses: list[bool]
) -> None:
    seen: list[int] = []
    work = Work(requests(block, ranges), 2, seen.append)
    held: list[Unit] = []
    turn = 0
    while not work.finished:
        unit = work.take(rates[turn % len(rates)], 1)
        if unit is not None:
            held.append(unit)
        if unit is None or len(held) > 2:
            oldest = held.pop(0)
            if losses and losses.pop():
                work.give_back(oldest)
            else:
                work.add(oldest, counted(work, oldest))
        turn += 1
    assert held == []
    assert sum(seen) == sum(stop - start for start, stop in ranges)
    for (start, stop), counts in zip(ranges, work.counts, strict=True):
        ones = np.zeros(max(2, stop if stop > start else 0), np.int64)
        ones[start:stop] = 1
        assert np.array(counts).tolist() == ones.tolist()


def test_a_unit_spans_small_requests_but_not_without_end() -> None:
    """What travels with it is bounded by the size of the inputs, and not by their number."""
    spans = []
    for shape in ((512,), (3, 224, 224)):
        work = Work(requests(16, [(0, 4)] * 10_000, shape), 0, None)
        spans.append([len(unit.spans) for unit in (work.take(None, 1), work.take(1e9, 1)) if unit])
    assert spans == [[16, 8192], [16, 27]]


def test_a_unit_that_was_given_back_is_next() -> None:
    work = Work(requests(16, [(0, 200)]), 0, None)
    first, second = work.take(None, 1), work.take(None, 1)
    assert first is not None
    assert second is not None
    work.give_back(first)
    assert work.take(1e9, 1) is first


def test_wrong_totals_are_refused() -> None:
    work = Work(requests(16, [(0, 10), (0, 6)]), 0, None)
    unit = work.take(None, 1)
    assert unit is not None
    for wrong in ([Counts([10])], [Counts([6]), Counts([10])], [Counts([10]), Counts([5])]):
        with pytest.raises(InferenceError, match=r"\[10, 6\]"):
            work.add(unit, wrong)
    work.add(unit, [Counts([10]), Counts([], no_class=6)])
    assert work.finished


@pytest.mark.parametrize(
    ("left", "rate", "workers", "samples"),
    [
        (10**6, None, 2, 64),  # nothing is known of this worker yet
        (10**6, 1000.0, 2, 2048),  # four seconds, as a power of two
        (3000, 1000.0, 2, 1024),  # its share of what is left
        (900, 9000.0, 3, 256),
        (100, 1000.0, 10, 64),
        (10, 1000.0, 1, 10),
    ],
)
def test_size_of_a_unit(left: int, rate: float | None, workers: int, samples: int) -> None:
    unit = Work(requests(1, [(0, left)]), 0, None).take(rate, workers)
    assert unit is not None
    assert unit.samples == samples


def test_workers_that_differ_are_refused() -> None:
    from rsonnx import __version__

    first = Ready(10, "a" * 64, __version__, "here")
    first.check_alike(Ready(10, "a" * 64, __version__, "there"), "worker")
    with pytest.raises(ProviderError, match=r"0\.0\.1"):
        first.check_alike(Ready(10, "a" * 64, "0.0.1", "there"), "worker")
    for other in (Ready(10, "b" * 64, __version__, "t"), Ready(9, "a" * 64, __version__, "t")):
        with pytest.raises(ModelError, match="another model"):
            first.check_alike(other, "worker")


def test_a_used_stream_travels_light() -> None:
    space = InputSpace((3, 32, 32))
    stream = NoisyStream(
        space.point(np.zeros(space.shape, np.uint8)), Gaussian(0.5), 2**127, "estimation"
    )
    stream.write(0, np.empty((5, *space.shape), np.float32))
    assert stream.grid is not None
    sent = pickle.dumps(stream)
    assert len(sent) < 3 * 32 * 32 + 1000
    there: Any = pickle.loads(sent)  # noqa: S301 - our own
    mine, theirs = (np.empty((300, *space.shape), np.float32) for _ in range(2))
    stream.write(7, mine)
    there.write(7, theirs)
    assert mine.tobytes() == theirs.tobytes()
    assert there.point.digest == stream.point.digest
