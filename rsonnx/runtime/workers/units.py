"""Units of work: count requests cut into pieces that workers elsewhere take, and added up again.

A unit is handed out, and comes back counted, or is given back uncounted by a worker that was lost.
Each is added exactly once, so that how the work was cut and who did it cannot be seen in the sums.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from rsonnx.counts import Counts
from rsonnx.errors import InferenceError
from rsonnx.runtime.engine import CountRequest, Progress

_MOST_PIECES = 256
"""Pieces of a unit at most: each carries the values of its input."""


@dataclass(frozen=True)
class Piece:
    """Samples ``start`` .. ``stop - 1`` of the request at an index."""

    request: int
    start: int
    stop: int


@dataclass(frozen=True)
class Unit:
    """What a worker counts at a time; ``number`` tells it from the others of its work."""

    number: int
    pieces: tuple[Piece, ...]

    @property
    def samples(self) -> int:
        """How many samples it has."""
        return sum(piece.stop - piece.start for piece in self.pieces)


class Work:
    """The requests of one call of an engine: what is left of them, and what was counted.

    Args:
        requests: the requests.
        num_classes: length of a vector of counts at least.
        progress: called with the samples of every unit that was added.

    Attributes:
        total: samples of all requests.
        left: samples that nobody has taken.
    """

    def __init__(
        self, requests: Sequence[CountRequest], num_classes: int, progress: Progress | None
    ) -> None:
        self._requests = list(requests)
        self._counts = [Counts([0] * num_classes) for _ in self._requests]
        self._progress = progress
        self._given_back: deque[Unit] = deque()
        self._taken: dict[int, Unit] = {}
        self._next_number = 0
        self._next = Piece(-1, 0, 0)
        self._advance()
        self.total = sum(max(0, r.stop - r.start) for r in self._requests)
        self.left = self.total

    @property
    def finished(self) -> bool:
        """Whether every sample was counted."""
        return not self._taken and not self._given_back and not self._begun()

    @property
    def counts(self) -> list[Counts]:
        """One vector of counts a request."""
        return self._counts

    def take(self, samples: int) -> Unit | None:
        """Return a unit of about ``samples`` samples, or None where all are taken.

        Units that were given back come first. A unit spans several requests where they are small;
        cuts are at multiples of the stream's block, so that no block is drawn twice.
        """
        if self._given_back:
            unit = self._given_back.popleft()
        else:
            pieces = self._cut(samples)
            if not pieces:
                return None
            unit = Unit(self._next_number, pieces)
            self._next_number += 1
        self._taken[unit.number] = unit
        self.left -= unit.samples
        return unit

    def requests_of(self, unit: Unit) -> list[CountRequest]:
        """Return a unit as requests for the engine of a worker."""
        return [
            CountRequest(self._requests[piece.request].stream, piece.start, piece.stop)
            for piece in unit.pieces
        ]

    def give_back(self, unit: Unit) -> None:
        """Take back a unit whose worker was lost before it answered."""
        del self._taken[unit.number]
        self._given_back.append(unit)
        self.left += unit.samples

    def add(self, unit: Unit, found: Sequence[Counts]) -> None:
        """Add what a worker counted of a unit that it had taken.

        Raises:
            InferenceError: the counts do not sum to the lengths of the unit's pieces.
        """
        lengths = [piece.stop - piece.start for piece in unit.pieces]
        totals = [counts.total for counts in found]
        if totals != lengths:
            raise InferenceError(
                f"a worker counted {totals} answers to pieces of {lengths} samples, so none of "
                "them can be used; look into its engine"
            )
        del self._taken[unit.number]
        for piece, counts in zip(unit.pieces, found, strict=True):
            self._counts[piece.request] += counts
        if self._progress is not None:
            self._progress(unit.samples)

    def _begun(self) -> bool:
        return self._next.request < len(self._requests)

    def _cut(self, samples: int) -> tuple[Piece, ...]:
        pieces: list[Piece] = []
        while self._begun() and samples > 0 and len(pieces) < _MOST_PIECES:
            rest = self._next
            stop = min(rest.stop, rest.start + samples)
            if stop < rest.stop:
                block = self._requests[rest.request].stream.block
                stop = stop // block * block
                if stop <= rest.start:
                    if pieces:
                        break
                    stop = min(rest.stop, (rest.start // block + 1) * block)
            pieces.append(Piece(rest.request, rest.start, stop))
            samples -= stop - rest.start
            self._next = Piece(rest.request, stop, rest.stop)
            if stop == rest.stop:
                self._advance()
        return tuple(pieces)

    def _advance(self) -> None:
        """Go to the next request that has samples."""
        index = self._next.request + 1
        while index < len(self._requests):
            request = self._requests[index]
            if request.start < request.stop:
                self._next = Piece(index, request.start, request.stop)
                return
            index += 1
        self._next = Piece(index, 0, 0)
