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


def stream(seed: int = 1) -> NoisyStream:
    levels = np.full(SHAPE, 128, np.uint8)
    return NoisyStream(InputSpace(SHAPE).point(levels), Gaussian(0.5), seed, "estimation")


CHOSEN = stream().watched(0, SAMPLES)
ROWS = np.empty((SAMPLES, *SHAPE), np.float32)
stream().write(0, ROWS)


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
    watched = Watched()
    (whole,) = count(watched, batch, (0, SAMPLES))
    # Beyond those that are counted, the rows of the first batch are shown, and of larger ones.
    assert not Counter(tuple(ROWS[k].tolist()) for k in CHOSEN) - Counter(watched.seen)
    assert len(watched.seen) > len(CHOSEN)
    assert (whole.watched_rows, whole.near_ties) == (len(CHOSEN), 0)
    parts = count(Watched(), batch, (0, 1234), (1234, 1235), (1235, SAMPLES))
    assert parts[0] + parts[1] + parts[2] == whole


def test_every_batch_that_is_larger_than_those_before_is_looked_at_whole() -> None:
    watched = Watched()
    engine, looked_at, counted = ThreadEngine(watched, 100, 1), 0, 0
    for stop, rows in ((1, 1), (1, 0), (60, 60), (50, 0), (100, 100)):
        engine.count([CountRequest(stream(), 0, stop)])
        looked_at += rows
        counted += sum(place < stop for place in CHOSEN)
        assert len(watched.seen) == looked_at + counted


def test_near_ties_are_counted_and_a_difference_ends_the_call() -> None:
    def differs(row: Batch, label: int) -> bool:
        raise CouplingError("it differs")

    (counts,) = count(Watched(lambda _, label: label == 1), 64, (0, SAMPLES))
    assert counts.near_ties == int((ROWS[CHOSEN].sum(axis=1) > 1.5).sum()) > 0
    with pytest.raises(CouplingError):
        count(Watched(differs), 64, (0, SAMPLES))


def test_a_difference_of_watched_rows_is_never_put_down_to_the_device() -> None:
    class OnDevice(Watched):
        on_cpu = False

        def confirm(self, batch: int, rows: Batch, labels: NDArray[np.int64]) -> None:
            raise AssertionError("their watch says what it is")

    assert count(OnDevice(), 64, (0, SAMPLES)) == count(Watched(), 64, (0, SAMPLES))


def test_what_is_not_watched_is_counted_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Watched, "watch")
    (counts,) = count(Watched(), 64, (0, SAMPLES))
    assert (counts.total, counts.watched_rows) == (SAMPLES, 0)
    assert "watched_rows" not in counts.to_json()


def test_counts_keep_what_was_watched() -> None:
    counts = Counts([3, 4], 1, 2, 1) + Counts([1], 0, 5, 0)
    assert (counts.total, counts.watched_rows, counts.near_ties) == (9, 7, 1)
    assert Counts.from_json(counts.to_json()) == counts
    assert counts != Counts([4, 4], 1)
