"""The samples of count requests, cut into parts: of a thread, of a device, of a worker elsewhere.

A part is taken, and counted or given back, so that every sample is counted exactly once however
the requests are cut and whoever takes them.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


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


@dataclass(frozen=True)
class Span:
    """Samples ``start`` .. ``stop - 1`` of the request at an index."""

    request: int
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


class Ranges:
    """The samples of requests that nobody has taken yet; several threads may take at once.

    Requests are served in turn, so that those that share their noise ask for the same blocks of it
    one after the other.

    Args:
        requests: the requests.
        shape: leave out those whose samples have another shape; None takes all.

    Attributes:
        total: how many samples there were.
        left: how many nobody has taken.
    """

    def __init__(
        self, requests: Sequence[CountRequest], shape: tuple[int, ...] | None = None
    ) -> None:
        self._blocks = [request.stream.block for request in requests]
        self._spans = deque(
            Span(index, request.start, request.stop)
            for index, request in enumerate(requests)
            if request.start < request.stop and shape in (None, request.stream.sample_shape)
        )
        self.total = self.left = sum(map(len, self._spans))
        self._lock = threading.Lock()

    def take(
        self, samples: int, *, whole_blocks: bool = False, most: int | None = None
    ) -> list[Span]:
        """Return a part of so many samples, or of all that are left; empty where none are.

        Args:
            samples: >= 1.
            whole_blocks: cut where blocks of a stream end, behind ``samples`` where it must be, so
                that no block is drawn twice.
            most: spans at most.
        """
        part: list[Span] = []
        with self._lock:
            while self._spans and samples > 0 and len(part) != most:
                span = self._spans.popleft()
                stop = min(span.stop, span.start + samples)
                if whole_blocks:
                    block = self._blocks[span.request]
                    stop = min(span.stop, -(-stop // block) * block)
                if stop < span.stop:
                    self._spans.append(Span(span.request, stop, span.stop))
                part.append(Span(span.request, span.start, stop))
                samples -= len(part[-1])
                self.left -= len(part[-1])
        return part

    def give_back(self, part: Sequence[Span]) -> None:
        """Take back a part that was not counted: it comes first, and may be cut anew."""
        with self._lock:
            self._spans.extendleft(reversed(part))
            self.left += sum(map(len, part))

    def close(self) -> None:
        """Leave nothing to be taken."""
        with self._lock:
            self._spans.clear()


def batches(part: Sequence[Span], size: int) -> Iterator[list[Span]]:
    """Cut a part into as few batches of at most ``size`` samples as it takes, evenly filled."""
    total = sum(map(len, part))
    count = -(-total // size)
    ends = [total * k // count for k in range(1, count + 1)]
    batch: list[Span] = []
    at = 0
    for span in part:
        start = span.start
        while start < span.stop:
            take = min(span.stop - start, ends[0] - at)
            batch.append(Span(span.request, start, start + take))
            start, at = start + take, at + take
            if at == ends[0]:
                yield batch
                batch = []
                ends.pop(0)
