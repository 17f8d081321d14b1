"""Watched batches: which rows are computed again alone, and what comes of a difference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rsonnx.counts import Counts
from rsonnx.errors import CouplingError
from rsonnx.noise import Gaussian, InputSpace, NoisyStream
from rsonnx.runtime import CountRequest, ThreadEngine

Batch = NDArray[np.float32]
SHAPE = (3,)
SAMPLES = 5000


class Watched:
    """Labels by ``together``; the watch notes the rows that it is shown, and asks ``near_tie``."""

    num_classes = 2

    def __init__(self, near_tie: Callable[[Batch, int], bool] = lambda *_: False) -> None:
        self.seen: list[tuple[float, ...]] = []
        self._near_tie = near_tie

    def classify(self, batch: Batch) -> NDArray[np.int64]:
        return np.asarray(batch.sum(axis=1) > 1.5, np.int64)

    def watch(self, batch: Batch, place: int, label: int) -> bool:
        row = batch[place]
        assert label == int(row.sum() > 1.5)  # the label of this very row
        self.seen.append(tuple(row.tolist()))
        return self._near_tie(row, label)


def stream(seed: int = 1) -> NoisyStream:
    levels = np.full(SHAPE, 128, np.uint8)
    return NoisyStream(InputSpace(SHAPE).point(levels), Gaussian(0.5), seed, "estimation")


def count(watched: Any, batch: int, *ranges: tuple[int, int]) -> list[Counts]:
    requests = [CountRequest(stream(), start, stop) for start, stop in ranges]
    return ThreadEngine(watched, batch, 1).count(requests)


def test_one_sample_of_1024_is_watched_at_a_place_that_the_stream_decides() -> None:
    chosen = stream().watched(0, 20 * 1024)
    assert [place // 1024 for place in chosen] == list(range(20))
    assert len({place % 1024 for place in chosen}) > 10
    assert stream(2).watched(0, 20 * 1024) != chosen
    assert [k for k in chosen if 700 <= k < 9000] == stream().watched(700, 9000)


@pytest.mark.parametrize("batch", [1, 7, 100, 4000])
def test_the_watched_rows_do_not_depend_on_batches_or_ranges(batch: int) -> None:
    chosen = stream().watched(0, SAMPLES)
    rows = np.empty((SAMPLES, *SHAPE), np.float32)
    stream().write(0, rows)
    watched = Watched()
    (whole,) = count(watched, batch, (0, SAMPLES))
    # Beyond those that are counted, the rows of the first batch are shown, and of larger ones.
    assert not Counter(tuple(rows[k].tolist()) for k in chosen) - Counter(watched.seen)
    assert len(watched.seen) > len(chosen)
    assert (whole.watched_rows, whole.near_ties) == (len(chosen), 0)
    parts = count(Watched(), batch, (0, 1234), (1234, 1235), (1235, SAMPLES))
    assert parts[0] + parts[1] + parts[2] == whole


def test_every_batch_that_is_larger_than_those_before_is_looked_at_whole() -> None:
    watched = Watched()
    engine = ThreadEngine(watched, 100, 1)
    for stop, seen in ((1, 1), (1, 1), (60, 61), (50, 61), (100, 161)):
        engine.count([CountRequest(stream(), 0, stop)])
        chosen = sum(place < stop for place in stream().watched(0, 1024))
        assert len(watched.seen) - chosen in (seen, seen + 1)
        watched.seen = watched.seen[: len(watched.seen) - chosen]


def test_near_ties_are_counted_and_end_nothing() -> None:
    (found,) = count(Watched(lambda _, label: label == 1), 64, (0, SAMPLES))
    chosen = stream().watched(0, SAMPLES)
    rows = np.empty((SAMPLES, *SHAPE), np.float32)
    stream().write(0, rows)
    assert found.near_ties == int((rows[chosen].sum(axis=1) > 1.5).sum()) > 0


def test_a_difference_ends_the_call() -> None:
    def differs(row: Batch, label: int) -> bool:
        raise CouplingError("it differs")

    with pytest.raises(CouplingError) as caught:
        count(Watched(differs), 64, (0, SAMPLES))
    assert caught.value.exit_code == 4


def test_what_is_not_watched_is_counted_as_before() -> None:
    plain = Watched()
    plain.watch = None  # type: ignore[assignment,method-assign]
    (found,) = count(plain, 64, (0, SAMPLES))
    assert (found.total, found.watched_rows) == (SAMPLES, 0)
    assert "watched_rows" not in found.to_json()


def test_counts_keep_what_was_watched() -> None:
    found = Counts([3, 4], 1, 2, 1) + Counts([1], 0, 5, 0)
    assert (found.total, found.watched_rows, found.near_ties) == (9, 7, 1)
    assert Counts.from_json(found.to_json()) == found
    assert found != Counts([4, 4], 1)
