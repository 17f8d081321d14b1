"""The samples of count requests, cut into parts: of a thread, of a device, of a worker elsewhere.

A part is taken, and counted or given back, so that every sample is counted exactly once however
the requests are cut and whoever takes them.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
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
        return max(0, self.stop - self.start)


class Ranges:
    """Samples that nobody has taken yet; several threads may take at once.

    Requests are served in turn, so that those that share their noise ask for the same blocks of it
    one after the other.

    Args:
        spans: the samples.
        requests: those that the spans are of, where cuts shall respect their streams' blocks.

    Attributes:
        total: how many samples there were.
        left: how many nobody has taken.
    """

    def __init__(self, spans: Iterable[Span], requests: Sequence[CountRequest] = ()) -> None:
        self._spans = deque(spans)
        self._requests = requests
        self.total = self.left = sum(map(len, self._spans))
        self._lock = threading.Lock()

    @classmethod
    def of(cls, requests: Sequence[CountRequest], shape: tuple[int, ...] | None = None) -> Ranges:
        """Return all samples of requests, or those of one shape."""
        spans = (Span(index, r.start, r.stop) for index, r in enumerate(requests))
        return cls(
            (
                s
                for s in spans
                if len(s) and shape in (None, requests[s.request].stream.sample_shape)
            ),
            requests,
        )

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
                    block = self._requests[span.request].stream.block
                    stop = min(span.stop, -(-stop // block) * block)
                if stop < span.stop:
                    self._spans.append(Span(span.request, stop, span.stop))
                part.append(Span(span.request, span.start, stop))
                samples -= stop - span.start
                self.left -= stop - span.start
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


def batches(rows: int, size: int) -> list[slice]:
    """Cut rows into as few batches of at most ``size`` as it takes, evenly filled."""
    count = -(-rows // size)
    return [slice(rows * k // count, rows * (k + 1) // count) for k in range(count)]


def places(part: Sequence[Span]) -> list[slice]:
    """Return which rows each span of a part fills, one behind the other."""
    ends = accumulate(map(len, part))
    return [slice(end - len(span), end) for span, end in zip(part, ends, strict=True)]
