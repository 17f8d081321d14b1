"""Which samples go into which rows of a batch, and how large a batch may be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rsonnx.runtime.engine import CountRequest

_MOST_BATCH = 1024
_MOST_VALUES = 1 << 26
"""Float32 values in a batch: a quarter of a gigabyte, which is beyond what fills any card."""

_MEMORY_A_VALUE = 4 * 64
"""Bytes that a model is taken to need a value of its input: 64 float32 values. A ResNet-50 at 224
keeps fewer, a small net on small images more; what does not fit is halved when it is run."""


@dataclass(frozen=True)
class Piece:
    """Samples ``start`` .. ``stop - 1`` of a request, in the rows from ``row`` on."""

    request: int
    start: int
    stop: int
    row: int

    @property
    def rows(self) -> int:
        """How many rows it fills."""
        return self.stop - self.start


class Queue:
    """The samples of requests in their order, taken a batch at a time.

    What was taken is gone only when it is said to be done, so that a batch that failed can be taken
    again, smaller.
    """

    def __init__(self, requests: Sequence[CountRequest]) -> None:
        self._requests = requests
        self._request = 0
        self._start = requests[0].start if requests else 0

    def next(self, batch: int) -> list[Piece]:
        """Return the pieces that fill the next batch; none are left where it is empty."""
        pieces: list[Piece] = []
        row, request, start = 0, self._request, self._start
        while row < batch and request < len(self._requests):
            stop = min(self._requests[request].stop, start + batch - row)
            if stop > start:
                pieces.append(Piece(request, start, stop, row))
                row += stop - start
            if stop >= self._requests[request].stop:
                request += 1
                start = self._requests[request].start if request < len(self._requests) else 0
            else:
                start = stop
        return pieces

    def done(self, pieces: Sequence[Piece]) -> None:
        """Go on behind these pieces."""
        self._request, self._start = pieces[-1].request, pieces[-1].stop


def first_batch(shape: tuple[int, ...], free_memory: int) -> int:
    """Return the batch size to begin with: a power of two, at least 1, that should fit.

    Args:
        shape: of one input.
        free_memory: bytes that the device has free.
    """
    values = max(1, math.prod(shape))
    fits = free_memory // (2 * values * _MEMORY_A_VALUE)
    most = max(1, min(_MOST_BATCH, _MOST_VALUES // values, fits))
    return int(1 << (most.bit_length() - 1))
