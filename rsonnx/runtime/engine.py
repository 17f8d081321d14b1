"""The embedded engine: answers count requests with worker threads over one classifier.

An engine knows no statistics. It is asked for ranges of samples and gives back counts; how it cuts
the ranges into batches and spreads them over workers cannot be seen in the counts.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from rsonnx.counts import Counts
from rsonnx.errors import UsageError
from rsonnx.runtime.classifier import BaseClassifier, checked_labels
from rsonnx.runtime.resources import available_memory, usable_cores

Progress = Callable[[int], None]
"""Called with the number of samples that have been counted since the last call."""

Watch = Callable[[NDArray[np.float32], int, int], bool]
"""Given a batch, a row's place in it and its label there, says whether alone the row has another
label by rounding only.

Raises CouplingError where it has another by more than rounding.
"""

_MOST_BATCH = 128
_BATCH_VALUES = 1 << 20
"""Values in a batch by default: on a processor small nets are fastest at 64 to 128 inputs a batch,
a ResNet-50 at 4 to 16."""

_BATCHES_A_CALL = 32
"""Batches a worker that a call of ``count`` should hold, since at its end some workers wait."""


_SMALL = 256 << 20
"""Bytes that need no look at how much memory there is."""


class SampleStream(Protocol):
    """Noisy samples of one input, addressed by index.

    Where it has a ``grid``, a :class:`rsonnx.grid.GridNoise` or None, a device may draw it.
    """

    @property
    def block(self) -> int:
        """Ranges that start at multiples of this cost no double work."""

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample."""

    def write(self, start: int, out: NDArray[np.float32]) -> None:
        """Write samples ``start`` .. ``start + len(out) - 1`` into ``out``."""

    def watched(self, start: int, stop: int) -> Sequence[int]:
        """Return which of the samples ``start`` .. ``stop - 1`` are watched, if a model is."""


@dataclass(frozen=True)
class CountRequest:
    """Count the answers to the samples ``start`` .. ``stop - 1`` of a stream."""

    stream: SampleStream
    start: int
    stop: int


class Engine(Protocol):
    """Answers count requests; new engines need only this."""

    def count(
        self, requests: Sequence[CountRequest], progress: Progress | None = None
    ) -> list[Counts]:
        """Return one vector of counts a request, each summing to the length of its range."""

    def appetite(self, sample_shape: tuple[int, ...]) -> int:
        """Return how many samples a call should ask for, so that all workers stay busy."""

    @property
    def facts(self) -> dict[str, Any]:
        """What a run's header says of the engine; it never changes a count."""


@dataclass(frozen=True)
class _Segment:
    """Samples ``start`` .. ``stop - 1`` of one request."""

    request: int
    start: int
    stop: int

    @property
    def length(self) -> int:
        return self.stop - self.start


def usual_batch(sample_shape: tuple[int, ...]) -> int:
    """Return how many inputs of this shape make a batch where nobody says so."""
    return max(1, min(_MOST_BATCH, _BATCH_VALUES // max(1, math.prod(sample_shape))))


class ThreadEngine:
    """Counts with ``workers`` threads over one classifier, a buffer of one batch each.

    Args:
        classifier: the base classifier.
        batch_size: inputs a call; None chooses by the size of an input.
        workers: threads; None takes one a core for an ONNX model on a processor, and one for a
            device or for a classifier that does not say that it is safe for threads.
        allocate: gives out float32 buffers of a shape; ordinary memory by default.

    Raises:
        UsageError: batch_size or workers is no whole number of at least 1.
    """

    def __init__(
        self,
        classifier: BaseClassifier,
        batch_size: int | None = None,
        workers: int | None = None,
        allocate: Callable[[tuple[int, ...]], NDArray[np.float32]] | None = None,
    ) -> None:
        for name, value in (("batch_size", batch_size), ("workers", workers)):
            if value is not None and not hasattr(value, "__index__"):
                raise UsageError(f"{name} is {value!r}, but a whole number was expected")
            if value is not None and value < 1:
                raise UsageError(f"{name} is {value}, but it must be at least 1")
        self._classifier = classifier
        self._batch_size = batch_size
        self._num_classes = getattr(classifier, "num_classes", None)
        self._watch: Watch | None = getattr(classifier, "watch", None)
        self._largest_watched = 0
        self._allocate = allocate or _ordinary_memory
        parallel = getattr(classifier, "thread_safe", False) and getattr(classifier, "on_cpu", True)
        self.workers = workers or (usable_cores() if parallel else 1)

    def batch_size(self, sample_shape: tuple[int, ...]) -> int:
        """Return how many inputs of this shape make a batch."""
        return usual_batch(sample_shape) if self._batch_size is None else self._batch_size

    @property
    def facts(self) -> dict[str, Any]:
        """What a run's header says of the engine."""
        return {"workers": self.workers}

    def appetite(self, sample_shape: tuple[int, ...]) -> int:
        """Return how many samples a call should ask for, so that all workers stay busy."""
        return self.batch_size(sample_shape) * self.workers * _BATCHES_A_CALL

    def count(
        self, requests: Sequence[CountRequest], progress: Progress | None = None
    ) -> list[Counts]:
        """Return one vector of counts a request. Requests share batches where they are small.

        Raises:
            InferenceError: the classifier failed or gave something that is no label; nothing is
                counted then.
            CouplingError: a watched row had another label alone.
            UsageError: the batches do not fit the memory that is free.
        """
        self._check_memory(requests)
        tally = _Tally(len(requests), self._num_classes or 0, progress)
        work = _SharedIterator(self._pieces(requests))
        if self.workers == 1:
            self._work(requests, work, tally)
            return tally.counts
        with ThreadPoolExecutor(self.workers, "rsonnx") as pool:
            running: list[Future[None]] = []
            try:
                running.extend(
                    pool.submit(self._work, requests, work, tally) for _ in range(self.workers)
                )
                wait(running, return_when=FIRST_EXCEPTION)
            finally:  # after an error or Ctrl-C the workers finish their piece and take no more
                work.close()
            for future in running:
                future.result()
        return tally.counts

    def _check_memory(self, requests: Sequence[CountRequest]) -> None:
        """Refuse batches that cannot fit: Linux grants memory that it does not have, and kills.

        A batch counts twice, since what a model makes of it is seldom smaller than the batch.
        """
        samples: dict[tuple[int, ...], int] = {}
        for request in requests:
            shape = request.stream.sample_shape
            samples[shape] = samples.get(shape, 0) + request.stop - request.start
        for shape, total in samples.items():
            batch = max(1, min(self.batch_size(shape), total))
            workers = min(self.workers, -(-total // batch))
            needed = 2 * workers * batch * math.prod(shape) * np.dtype(np.float32).itemsize
            if needed <= _SMALL:
                continue
            free = available_memory()
            if free is not None and needed > free:
                raise UsageError(
                    f"batches of {batch:,} inputs of shape {list(shape)} need at least "
                    f"{needed / 2**30:,.1f} GiB of memory in {workers} "
                    f"worker{'s' * (workers > 1)}, but {free / 2**30:,.1f} GiB are free; use a "
                    "smaller batch size (--batch-size)"
                )

    def _pieces(self, requests: Sequence[CountRequest]) -> Iterator[list[_Segment]]:
        """Cut requests into pieces of samples of one shape.

        A piece is whole blocks of one request, a batch of them or more; what does not fill one is
        put together with what is left of other requests.
        """
        rests: dict[tuple[int, ...], list[_Segment]] = {}
        # A segment of each request in turn: requests that share their noise ask for the same blocks
        # of it one after the other.
        turns = zip_longest(*(self._segments(k, one) for k, one in enumerate(requests)))
        for segment in filter(None, chain.from_iterable(turns)):
            shape = requests[segment.request].stream.sample_shape
            batch = self.batch_size(shape)
            if segment.length >= batch:
                yield [segment]
                continue
            rest = rests.setdefault(shape, [])
            rest.append(segment)
            if sum(one.length for one in rest) >= batch:
                yield rests.pop(shape)
        yield from rests.values()

    def _segments(self, index: int, request: CountRequest) -> Iterator[_Segment]:
        """Cut a request where whole blocks end that hold a batch or more."""
        block = request.stream.block
        unit = block * -(-self.batch_size(request.stream.sample_shape) // block)
        start = request.start
        while start < request.stop:
            stop = min(request.stop, (start // unit + 1) * unit)
            yield _Segment(index, start, stop)
            start = stop

    def _work(
        self,
        requests: Sequence[CountRequest],
        work: _SharedIterator[list[_Segment]],
        tally: _Tally,
    ) -> None:
        buffers: dict[tuple[int, ...], NDArray[np.float32]] = {}
        for piece in work:
            shape = requests[piece[0].request].stream.sample_shape
            for batch in _batches(piece, self.batch_size(shape)):
                length = sum(segment.length for segment in batch)
                if len(buffers.get(shape, ())) < length:
                    buffers[shape] = self._allocate((length, *shape))
                noisy = buffers[shape][:length]
                at = 0
                for segment in batch:
                    stream = requests[segment.request].stream
                    stream.write(segment.start, noisy[at : at + segment.length])
                    at += segment.length
                labels = checked_labels(self._classifier, noisy)
                tally.add(batch, labels, *self._watched(requests, batch, noisy, labels))

    def _watched(
        self,
        requests: Sequence[CountRequest],
        batch: Sequence[_Segment],
        noisy: NDArray[np.float32],
        labels: NDArray[np.int64],
    ) -> tuple[list[int], list[int]]:
        """Compare watched rows of a batch with themselves alone: how many a segment, near ties.

        The rows of the first batch, and of any that is larger than those before, are all looked at,
        beyond those that are counted.
        """
        watch = self._watch
        if watch is None:
            return [], []
        if len(noisy) > self._largest_watched:
            self._largest_watched = len(noisy)
            for place, label in enumerate(labels.tolist()):
                watch(noisy, place, label)
        rows, ties, at = [], [], 0
        for segment in batch:
            chosen = requests[segment.request].stream.watched(segment.start, segment.stop)
            places = [at + index - segment.start for index in chosen]
            rows.append(len(places))
            ties.append(sum(watch(noisy, k, int(labels[k])) for k in places))
            at += segment.length
        return rows, ties


def _batches(piece: Sequence[_Segment], size: int) -> Iterator[list[_Segment]]:
    """Cut a piece into as few batches of at most ``size`` samples as it takes, evenly filled."""
    total = sum(segment.length for segment in piece)
    count = -(-total // size)
    ends = [total * k // count for k in range(1, count + 1)]
    batch: list[_Segment] = []
    at = 0
    for segment in piece:
        start = segment.start
        while start < segment.stop:
            take = min(segment.stop - start, ends[0] - at)
            batch.append(_Segment(segment.request, start, start + take))
            start, at = start + take, at + take
            if at == ends[0]:
                yield batch
                batch = []
                ends.pop(0)


def _ordinary_memory(shape: tuple[int, ...]) -> NDArray[np.float32]:
    return np.empty(shape, np.float32)


class _Tally:
    """Counts of several requests that several threads add to."""

    def __init__(self, requests: int, num_classes: int, progress: Progress | None) -> None:
        # Bin 0 is for no class.
        self._bins = [np.zeros(num_classes + 1, np.int64) for _ in range(requests)]
        self._watched = np.zeros((requests, 2), np.int64)
        self._progress = progress
        self._lock = threading.Lock()

    @property
    def counts(self) -> list[Counts]:
        """What was counted for each request."""
        return [
            Counts(bins[1:], int(bins[0]), int(rows), int(ties))
            for bins, (rows, ties) in zip(self._bins, self._watched, strict=True)
        ]

    def add(
        self,
        batch: Sequence[_Segment],
        labels: NDArray[np.int64],
        watched: Sequence[int] = (),
        near_ties: Sequence[int] = (),
    ) -> None:
        """Add the labels of a batch, whose segments lie one behind the other.

        Args:
            batch: the segments.
            labels: of all their rows.
            watched, near_ties: a number a segment; empty where nothing is watched.
        """
        at, found = 0, []
        for segment in batch:
            found.append((segment.request, np.bincount(labels[at : at + segment.length] + 1)))
            at += segment.length
        with self._lock:
            for request, bins in found:
                missing = len(bins) - len(self._bins[request])
                if missing > 0:  # a classifier that does not say how many classes it has
                    self._bins[request] = np.pad(self._bins[request], (0, missing))
                self._bins[request][: len(bins)] += bins
            for segment, rows, ties in zip(batch, watched, near_ties, strict=False):
                self._watched[segment.request] += (rows, ties)
            if self._progress is not None:
                self._progress(len(labels))


Item = TypeVar("Item")


class _SharedIterator(Generic[Item]):
    """An iterator that several threads draw from, until one of them closes it."""

    def __init__(self, items: Iterator[Item]) -> None:
        self._items = items
        self._lock = threading.Lock()
        self._closed = False

    def __iter__(self) -> Iterator[Item]:
        while True:
            with self._lock:
                item = None if self._closed else next(self._items, None)
            if item is None:
                return
            yield item

    def close(self) -> None:
        self._closed = True
