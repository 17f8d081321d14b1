"""The embedded engine: worker threads over one classifier."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import chain, islice, repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsonnx.arguments import check_positive
from rsonnx.counts import Counts
from rsonnx.errors import UsageError
from rsonnx.resources import available_memory, usable_cores
from rsonnx.runtime.base_classifier import BaseClassifier, check_range, label_a_row
from rsonnx.runtime.engine import Answered, Call
from rsonnx.runtime.onnx_classifier import CONFIRMED_ROWS, Pace
from rsonnx.runtime.ranges import CountRequest, Ranges, SampleStream, Span, batches, places
from rsonnx.runtime.tally import Progress, Tally

_MOST_BATCH = 128
_BATCH_VALUES = 1 << 20
"""Values in a batch by default: on a processor small nets are fastest at 64 to 128 inputs a batch,
a ResNet-50 at 4 to 16."""

_BATCHES_A_CALL = 32
"""Batches a worker that a call of ``count`` should hold, since at its end some workers wait."""

_CALL_SECONDS, _SLICE_SECONDS = 1.0, 2.0
"""How long a call of a slow model, and one of ``count``, may take: a run that is stopped waits for
the first, and keeps what it has counted after the second."""

_MOST_BATCHES, _PORTION_VALUES = 8, 1 << 20
"""Batches, and values of them, that a worker of a quick model takes at a time, at most."""

_SMALL = 256 << 20
"""Bytes that need no look at how much memory there is."""


_Part = tuple[Ranges, int, int]
"""Samples of one shape, how many make a batch, and how many a worker may take at a time."""


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
        cores: that may be used; None for all that this process has.
        allocate: gives out float32 buffers of a shape; ordinary memory by default.

    Raises:
        UsageError: batch_size or workers is no whole number of at least 1.
    """

    def __init__(
        self,
        classifier: BaseClassifier,
        batch_size: int | None = None,
        workers: int | None = None,
        *,
        cores: int | None = None,
        allocate: Callable[[tuple[int, ...]], NDArray[np.float32]] | None = None,
    ) -> None:
        self._classifier = classifier
        self._batch_size = None if batch_size is None else check_positive("batch_size", batch_size)
        self._largest_watched = self._largest_confirmed = 0
        on_cpu = getattr(classifier, "on_cpu", True)
        watched = getattr(classifier, "watch", None) is not None  # which looks at more
        self._confirm = None if on_cpu or watched else getattr(classifier, "confirm", None)
        self._allocate = allocate or (lambda shape: np.empty(shape, np.float32))
        self._pace: Pace | None = getattr(classifier, "pace", None)
        parallel = getattr(classifier, "thread_safe", False) and on_cpu
        usual = cores or usable_cores() if parallel else 1
        self.workers = usual if workers is None else check_positive("workers", workers)
        self._running: Sequence[Future[None]] = ()

    def batch_size(self, sample_shape: tuple[int, ...]) -> int:
        """Return how many inputs of this shape make a batch."""
        size, pace = self._batch_size, self._pace
        if size is None:
            usual = usual_batch(sample_shape)
            size = usual if pace is None else min(usual, pace.most_rows(_CALL_SECONDS))
        return min(size, getattr(self._classifier, "most_rows", None) or size)

    @property
    def facts(self) -> dict[str, Any]:
        """What a run's header says of the engine."""
        return {"workers": self.workers}

    def appetite(self, sample_shape: tuple[int, ...]) -> int:
        """Return how many samples a call should ask for, so that all workers stay busy."""
        size, batches = self.batch_size(sample_shape), _BATCHES_A_CALL
        if self._pace is not None:
            batches = min(batches, 1 + int(_SLICE_SECONDS / max(self._pace.seconds(size), 1e-9)))
        return size * self.workers * batches

    def count(
        self, requests: Sequence[CountRequest], progress: Progress | None = None
    ) -> list[Counts]:
        """Return one vector of counts a request; small requests share batches. See Engine."""
        if self.workers > 1:
            call = self.start(requests, progress)
            try:
                return call.result()
            except BaseException:  # Ctrl-C comes while it waits
                call.stop()
                raise
        tally, parts, _ = self._parts(requests, progress)
        self._work(parts, tally)
        return tally.counts

    def start(self, requests: Sequence[CountRequest], progress: Progress | None = None) -> Call:
        """Have the workers count, in the order of the calls; with one, its caller does the work."""
        if self.workers <= 1:
            return Answered(self.count(requests, progress))
        tally, parts, workers = self._parts(requests, progress)
        call = _Threaded(ThreadPoolExecutor(max(1, workers), "rsonnx"), tally, parts)
        before, self._running = self._running, call.running
        try:
            for earlier in islice(chain(before, repeat(None)), workers):
                call.running.append(call.pool.submit(self._work, parts, tally, earlier))
        except BaseException:  # Ctrl-C
            call.stop()
            raise
        return call

    def _parts(
        self, requests: Sequence[CountRequest], progress: Progress | None
    ) -> tuple[Tally, list[_Part], int]:
        """Return a tally, the samples of each shape, and enough workers."""
        tally = Tally(requests, getattr(self._classifier, "num_classes", None) or 0, progress)
        parts, most = [], 0
        for shape in {request.stream.sample_shape: None for request in requests}:
            ranges, size = Ranges.of(requests, shape), self.batch_size(shape)
            batch = max(1, min(size, ranges.total))
            workers = min(self.workers, -(-ranges.total // batch))
            _check_memory(shape, batch, workers)
            parts.append((ranges, size, self._portion(shape, size)))
            most = max(most, workers)
        return tally, parts, most

    def _portion(self, shape: tuple[int, ...], size: int) -> int:
        """Return how many samples a worker may take at a time: some batches of a quick model."""
        if self._pace is None or _MOST_BATCHES * self._pace.seconds(size) > _CALL_SECONDS:
            return size
        return min(_MOST_BATCHES * size, _PORTION_VALUES // max(1, math.prod(shape)))

    def _work(
        self,
        parts: Sequence[_Part],
        tally: Tally,
        earlier: Future[None] | None = None,
    ) -> None:
        """Count until nothing is left; behind what a worker of an earlier call still does."""
        if earlier is not None:
            wait([earlier])
        try:
            for ranges, size, most in parts:
                self._count(ranges, size, most, tally)
        except BaseException:
            for ranges, _, _ in parts:
                ranges.close()
            self._largest_watched = self._largest_confirmed = 0  # it may be what was refused
            raise

    def _count(self, ranges: Ranges, size: int, most: int, tally: Tally) -> None:
        """Count what others leave, portion by portion.

        A model empties a core's caches, and what is done after it takes several times as long as it
        else would. So noise is drawn for several batches of a quick one, and they are run in a row.
        """
        buffer = np.empty(0, np.float32)
        # Of a slow model blocks are shared out: to draw some noise twice costs less than waiting.
        quick = self._pace is None or self._pace.seconds(size) < _CALL_SECONDS
        # Where few samples are left, each worker should have some.
        while part := ranges.take(
            max(size, min(most, ranges.left // self.workers)), whole_blocks=quick
        ):
            rows = places(part)
            length = rows[-1].stop
            streams = [tally.requests[span.request].stream for span in part]
            if len(buffer) < length:
                buffer = self._allocate((length, *streams[0].sample_shape))
            for stream, span, place in zip(streams, part, rows, strict=True):
                stream.write(span.start, buffer[place])
            labels, cut = np.empty(length, np.int64), batches(length, size)
            for batch in cut:
                labels[batch] = label_a_row(self._classifier, buffer[batch])
                self._confirm_largest(buffer[batch], labels[batch])
            check_range(self._classifier, labels)
            watched = self._watched(cut, buffer, labels, zip(streams, part, rows, strict=True))
            tally.add(part, labels, watched)

    def _confirm_largest(self, noisy: NDArray[np.float32], labels: NDArray[np.int64]) -> None:
        """Compare the last labels of a batch on a device, where it is larger than those before."""
        if self._confirm is not None and len(noisy) > self._largest_confirmed:
            self._largest_confirmed = len(noisy)
            last = slice(-CONFIRMED_ROWS, None)
            self._confirm(len(noisy), noisy[last], labels[last])

    def _watched(
        self,
        cut: Sequence[slice],
        noisy: NDArray[np.float32],
        labels: NDArray[np.int64],
        filled: Iterable[tuple[SampleStream, Span, slice]],
    ) -> list[tuple[int, int]]:
        """Compare watched rows of batches with themselves alone: how many a span, near ties.

        The rows of the first batch, and of any that is larger than those before, are all looked at,
        beyond those that are counted.
        """
        watch = getattr(self._classifier, "watch", None)
        if watch is None:
            return []

        def is_near_tie(row: int) -> bool:
            batch = next(batch for batch in cut if row < batch.stop)
            return bool(watch(noisy[batch], row - batch.start, int(labels[row])))

        for batch in cut:
            if batch.stop - batch.start > self._largest_watched:
                self._largest_watched = batch.stop - batch.start
                for row in range(batch.start, batch.stop):
                    is_near_tie(row)
        watched = []
        for stream, span, place in filled:
            chosen = stream.watched(span.start, span.stop)
            ties = sum(is_near_tie(place.start + index - span.start) for index in chosen)
            watched.append((len(chosen), ties))
        return watched


@dataclass(frozen=True)
class _Threaded:
    """A call that threads work on."""

    pool: ThreadPoolExecutor
    tally: Tally
    parts: Sequence[_Part]
    running: list[Future[None]] = field(default_factory=list)

    @property
    def over(self) -> bool:
        return all(future.done() for future in self.running)

    def result(self) -> list[Counts]:
        wait(self.running, return_when=FIRST_EXCEPTION)
        for future in self.running:
            future.result()
        self.pool.shutdown()
        return self.tally.counts

    def stop(self) -> list[Counts]:
        for ranges, _, _ in self.parts:
            ranges.close()
        self.pool.shutdown()
        failed = any(future.exception() is not None for future in self.running)
        return [] if failed else self.tally.counts


def _check_memory(shape: tuple[int, ...], batch: int, workers: int) -> None:
    """Refuse batches that cannot fit: Linux grants memory that it does not have, and kills.

    A batch counts twice, since what a model makes of it is seldom smaller than the batch.
    """
    needed = 2 * workers * batch * math.prod(shape) * np.dtype(np.float32).itemsize
    free = available_memory() if needed > _SMALL else None
    if free is not None and needed > free:
        raise UsageError(
            f"batches of {batch:,} inputs of shape {list(shape)} in {workers} workers need at "
            f"least {needed / 2**30:,.1f} GiB of memory, but {free / 2**30:,.1f} GiB are free; use "
            "a smaller batch size (--batch-size)"
        )
