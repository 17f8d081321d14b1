"""Exact noise on a grid: integers with the law of rounded real noise, by table.

For x on a grid of step Δ and real noise ε, the rounding of x + ε to the grid is x + N·Δ with an
integer N that does not depend on x: P(N = k) = F((k + 1/2)Δ) - F((k - 1/2)Δ). Smoothing f with N is
therefore smoothing the ordinary classifier f∘round with ε, and the certificate does not rest on the
rounding of floating-point sums (Voráček & Hein, arXiv 2207.07209; the attack: Jin et al.,
arXiv 2205.10159).

N is the inverse of its distribution function at a uniform number U of 80 bits. The first 16 bits
choose one of 65,536 cells. Most cells lie between two thresholds and have one outcome; the others
are settled by comparing the whole of U, of which 64 more bits are then drawn, with thresholds
computed to 160 bits. The law so drawn differs from the ideal one by at most 2^-81 a threshold in
total variation: below 1e-15 for an input of 150,528 values, far inside the margin by which every
bound is rounded down.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile

import mpmath
import numpy as np
from numpy.typing import NDArray

from rsonnx.grid import Cells
from rsonnx.noise.philox import SETTLE, bits, raw_words
from rsonnx.noise.rounding import precision
from rsonnx.noise.space import add

CELL_BITS = 16
SETTLE_BITS = 64
_BITS = CELL_BITS + SETTLE_BITS
_PRECISION = 160
_MOST_STEPS = 30_000
"""The widest noise, in steps, so that outcomes fit int16 beside the mark."""

LEAST_STEPS = 1e-6
"""The narrowest noise, in steps: at a hundredth already, no draw in 10^500 leaves its level."""

UNSETTLED = np.int16(-32768)
"""The mark of a cell that its 16 bits do not settle."""

_TILE = 1 << 16
"""Values drawn at a time: what is computed on the way stays in a core's nearer caches."""


@dataclass(frozen=True, eq=False)
class LatticeTable(Cells):
    """The cells of an integer law, and how they are drawn from.

    Attributes:
        minimum: the smallest outcome: outcome number j of the law is ``minimum + j``.
    """

    minimum: int

    def draw(self, key: int, block: int, size: int) -> NDArray[np.int16]:
        """Return the first ``size`` outcomes of a block, a function of (key, block) alone."""
        return LatticeBlock(self, key, block).draw(size)

    @cached_property
    def rest(self) -> NDArray[np.uint64]:
        """The thresholds' lower 64 bits: what settles a cell, in which the upper 16 agree."""
        rest: NDArray[np.uint64] = (self.high << np.uint64(16)) | self.low
        return rest

    @cached_property
    def cells_of_thresholds(self) -> NDArray[np.uint16]:
        """The thresholds' upper 16 bits: the cells that they lie in, ascending."""
        cells: NDArray[np.uint16] = (self.high >> np.uint64(48)).astype(np.uint16)
        return cells

    @cached_property
    def _several(self) -> NDArray[np.bool_]:
        return self.inside > 1

    def settle(self, cells: NDArray[np.uint16], further: NDArray[np.uint64]) -> NDArray[np.int16]:
        """Return the outcomes, int16 (m,), at U = cell·2^64 + further, uint16 and uint64 (m,)."""
        first = np.take(self.first, cells)
        settled = np.take(self.lowest, cells)
        settled += np.take(self.rest, first) <= further
        several = np.flatnonzero(np.take(self._several, cells))
        if several.size:
            passed = self._passed(cells[several], further[several]) - first[several]
            settled[several] = self.lowest[cells[several]] + passed
        return settled

    def _passed(self, cells: NDArray[np.uint16], further: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return how many of all thresholds are <= U."""
        upper = (cells.astype(np.uint64) << np.uint64(48)) | (further >> np.uint64(16))
        lower = (further & np.uint64(0xFFFF)).astype(np.uint16)
        passed = np.searchsorted(self.high, upper, side="right")
        # Thresholds that agree in 64 bits are told apart by the last 16: step back over those
        # that are above U after all.
        while True:
            last = passed - 1
            above = (passed > 0) & (self.high[last] == upper) & (self.low[last] > lower)
            if not above.any():
                return passed
            passed = passed - above


class LatticeBlock:
    """The outcomes of one block in their order, a function of (table, key, block) alone.

    Cells are 16 bits of the block's ordinary words, lowest first. The cells that their outcome does
    not settle take the block's settling words, one each, in their order.
    """

    def __init__(self, table: LatticeTable, key: int, block: int) -> None:
        self._table = table
        self._words = bits(key, block)
        self._settling = bits(key, block, SETTLE)
        self._left: NDArray[np.uint16] = np.empty(0, "<u2")

    def draw(self, count: int) -> NDArray[np.int16]:
        """Return the next ``count`` outcomes, int16 (count,)."""
        drawn = np.empty(count, np.int16)
        where, unsettled = [], []
        for at in range(0, count, _TILE):
            tile = drawn[at : at + _TILE]
            cells = self._cells(len(tile))
            np.take(self._table.outcome, cells, mode="wrap", out=tile)
            opened = np.flatnonzero(tile == UNSETTLED)
            where.append(opened + at)
            unsettled.append(cells[opened])
        if where:
            cells = np.concatenate(unsettled)
            further = self._settling.random_raw(len(cells))
            drawn[np.concatenate(where)] = self._table.settle(cells, further)
        return drawn

    def write(self, base: NDArray[np.uint8], divisor: np.float32, out: NDArray[np.float32]) -> None:
        """Write the next outcomes, each added to its level and divided; see :func:`add`."""
        add(self.draw(out.size), base, divisor, out)

    def _cells(self, count: int) -> NDArray[np.uint16]:
        fresh = -(-(count - len(self._left)) // 4)
        cells = raw_words(self._words, fresh).astype("<u8", copy=False).view("<u2")
        if len(self._left):
            cells = np.concatenate([self._left, cells])
        self._left = cells[count:].copy()
        return cells[:count]


def lattice_table(cumulative: Callable[[mpmath.mpf], mpmath.mpf], step: float) -> LatticeTable:
    """Build the table of a law on a grid of ``step``, in the units of the law.

    Args:
        cumulative: the distribution function of a law symmetric about 0, at values <= 0 and at
            mpmath's working precision.
        step: of the grid, > 0.

    Raises:
        OverflowError: the law is so wide that its outcomes do not fit the table.
    """
    lower_half = _thresholds_below_one_half(cumulative, step)
    whole = 1 << _BITS
    # The law is symmetric, so the thresholds above one half mirror those below: the one between
    # k and k + 1 is 1 minus the one between -k - 1 and -k.
    thresholds = lower_half + [whole - t for t in reversed(lower_half)]
    minimum = -len(lower_half)
    lows = np.array([t & 0xFFFF for t in thresholds], np.uint16)
    highs = np.array([t >> 16 for t in thresholds], np.uint64)
    cell_of = np.array([t >> SETTLE_BITS for t in thresholds], np.int64)
    exactly_on_edge = np.array([t & ((1 << SETTLE_BITS) - 1) == 0 for t in thresholds])

    cells = np.arange(1 << CELL_BITS)
    # A threshold exactly on the lower edge of a cell is passed by the whole of it.
    edges = np.sort(np.where(exactly_on_edge, 2 * cell_of - 1, 2 * cell_of))
    first = np.searchsorted(edges, 2 * cells, side="left")
    inside = np.searchsorted(edges, 2 * cells, side="right") - first
    lowest = (minimum + first).astype(np.int16)
    outcome = np.where(inside == 0, lowest, UNSETTLED).astype(np.int16)
    last = len(thresholds) - 1
    return LatticeTable(outcome, lowest, np.minimum(first, last), inside, highs, lows, minimum)


def _thresholds_below_one_half(
    cumulative: Callable[[mpmath.mpf], mpmath.mpf], step: float
) -> list[int]:
    """Return F((k + 1/2)·step)·2^80, rounded to nearest, for k < 0, ascending, without zeros."""
    with precision(_PRECISION):
        scale = mpmath.mpf(1 << _BITS)

        def threshold(k: int) -> int:
            return int(mpmath.nint(cumulative((mpmath.mpf(k) + 0.5) * step) * scale))

        if threshold(-_MOST_STEPS):  # the smallest: F increases
            raise OverflowError("the law has more outcomes than fit a table")
        return [*takewhile(bool, map(threshold, range(-1, -_MOST_STEPS, -1)))][::-1]
