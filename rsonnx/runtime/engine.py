"""The embedded engine: answers count requests with worker threads over one classifier.

An engine knows no statistics. It is asked for ranges of samples and gives back counts; how it cuts
the ranges into batches and spreads them over workers cannot be seen in the counts.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rsonnx.counts import Counts
from rsonnx.errors import UsageError
from rsonnx.runtime.classifier import BaseClassifier, checked_labels

Progress = Callable[[int], None]
"""Called with the number of samples that have been counted since the last call."""

_MOST_BATCH = 128
_BATCH_VALUES = 1 << 20
"""Values in a batch by default: on a processor small nets are fastest at 64 to 128 inputs a batch,
a ResNet-50 at 4 to 16."""


class SampleStream(Protocol):
    """Noisy samples of one input, addressed by index."""

    @property
    def block(self) -> int:
        """Ranges that start at multiples of this cost no double work."""

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample."""

    def write(self, start: int, out: NDArray[np.float32]) -> None:
        """Write samples ``start`` .. ``start + len(out) - 1`` into ``out``."""


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


class ThreadEngine:
    """Counts with ``workers`` threads over one classifier, two buffers of a batch each at most.

    Args:
        classifier: the base classifier.
        batch_size: inputs a call; None chooses by the size of an input.
        workers: threads; None takes one a core for an ONNX model on a processor, and one for a
            device or for a classifier that does not say that it is safe for threads.

    Raises:
        UsageError: batch_size or workers is below 1.
    """

    def __init__(
        self,
        classifier: BaseClassifier,
        batch_size: int | None = None,
        workers: int | None = None,
    ) -> None:
        for name, value in (("batch_size", batch_size), ("workers", workers)):
            if value is not None and value < 1:
                raise UsageError(f"{name} is {value}, but it must be at least 1")
        self._classifier = classifier
        self._batch_size = batch_size
        self._num_classes = getattr(classifier, "num_classes", None)
        parallel = getattr(classifier, "thread_safe", False) and getattr(classifier, "on_cpu", True)
        self.workers = workers or (_usable_cores() if parallel else 1)

    def batch_size(self, sample_shape: tuple[int, ...]) -> int:
        """Return how many inputs of this shape make a batch."""
        if self._batch_size is not None:
            return self._batch_size
        values = int(np.prod(sample_shape, dtype=np.int64))
        return max(1, min(_MOST_BATCH, _BATCH_VALUES // max(1, values)))

    def count(
        self, requests: Sequence[CountRequest], progress: Progress | None = None
    ) -> list[Counts]:
        """Return one vector of counts a request.

        Raises:
            InferenceError: the classifier failed or gave something that is no label; nothing is
                counted then.
        """
        tally = _Tally(len(requests), self._num_classes or 0, progress)
        work = _SharedIterator(self._pieces(requests))
        if self.workers == 1:
            self._work(requests, work, tally)
            return tally.counts
        with ThreadPoolExecutor(self.workers, "rsonnx") as pool:
            running = [pool.submit(self._work, requests, work, tally) for _ in range(self.workers)]
            try:
                wait(running, return_when=FIRST_EXCEPTION)
            finally:  # after an error or Ctrl-C the workers finish their piece and take no more
                work.close()
            for future in running:
                future.result()
        return tally.counts

    def _pieces(self, requests: Sequence[CountRequest]) -> Iterator[tuple[int, int, int]]:
        """Cut requests into (request, start, stop), each of whole blocks and a batch or more."""
        for index, request in enumerate(requests):
            block = request.stream.block
            unit = block * -(-self.batch_size(request.stream.sample_shape) // block)
            start = request.start
            while start < request.stop:
                stop = min(request.stop, (start // unit + 1) * unit)
                yield index, start, stop
                start = stop

    def _work(self, requests: Sequence[CountRequest], work: _SharedIterator, tally: _Tally) -> None:
        buffers: dict[tuple[int, ...], NDArray[np.float32]] = {}
        for index, start, stop in work:
            stream = requests[index].stream
            shape = stream.sample_shape
            length = stop - start
            if len(buffers.get(shape, ())) < length:
                buffers[shape] = np.empty((length, *shape), np.float32)
            noisy = buffers[shape][:length]
            stream.write(start, noisy)
            batch = self.batch_size(shape)
            labels = [
                checked_labels(self._classifier, noisy[i : i + batch])
                for i in range(0, length, batch)
            ]
            tally.add(index, np.concatenate(labels))


def _usable_cores() -> int:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Tally:
    """Counts of several requests that several threads add to."""

    def __init__(self, requests: int, num_classes: int, progress: Progress | None) -> None:
        self.counts = [Counts([0] * num_classes)] * requests
        self._num_classes = num_classes
        self._progress = progress
        self._lock = threading.Lock()

    def add(self, request: int, labels: NDArray[np.int64]) -> None:
        found = Counts.from_labels(labels, self._num_classes)
        with self._lock:
            self.counts[request] += found
            if self._progress is not None:
                self._progress(len(labels))


class _SharedIterator:
    """An iterator that several threads draw from, until one of them closes it."""

    def __init__(self, items: Iterator[tuple[int, int, int]]) -> None:
        self._items = items
        self._lock = threading.Lock()
        self._closed = False

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        while True:
            with self._lock:
                item = None if self._closed else next(self._items, None)
            if item is None:
                return
            yield item

    def close(self) -> None:
        self._closed = True
