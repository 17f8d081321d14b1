"""The blocks of :mod:`rsonnx.noise.lattice`, drawn by code that numba compiles: the same bits.

For small models numpy's noise takes a good part of the time. This draws it about twice as fast and
lets other threads run meanwhile. Importing it needs numba (``pip install 'rsonnx[fast]'``).
"""

from __future__ import annotations

from typing import Any

import mpmath
import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from rsonnx.noise.lattice import UNSETTLED, LatticeBlock, LatticeTable, lattice_table
from rsonnx.noise.philox import MAIN, SETTLE

_TILE = 1 << 13
"""Values drawn at a time: what is computed on the way stays in a core's nearer caches."""

# Multipliers and key increments of Philox4x64 (Salmon et al., SC 2011, table 2 and section 3.3).
_M0, _M1 = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
_W0, _W1 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)
_MAIN, _SETTLE = np.uint64(MAIN), np.uint64(SETTLE)
_WORD = (1 << 64) - 1


def _compiled(function: Any) -> Any:
    """Compile a function that lets other threads run; keep the code where a folder takes it."""
    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # numba found no folder to write to: each process compiles anew
        return numba.njit(nogil=True)(function)


@intrinsic
def _high_half(typing_context: Any, a: Any, b: Any) -> Any:
    """Return the upper 64 bits of a product of two uint64."""
    del typing_context, a, b

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        del context, signature
        wide = ir.IntType(128)
        product = builder.mul(*(builder.zext(argument, wide) for argument in arguments))
        return builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), ir.IntType(64))

    return types.uint64(types.uint64, types.uint64), generate


@numba.njit(inline="always")
def _philox(running: Any, block: Any, region: Any, key_low: Any, key_high: Any) -> Any:
    """Return the four words at the counter [running, 0, block, region]."""
    a, b, c, d = running, np.uint64(0), block, region
    for _ in range(10):
        a, b, c, d = (
            _high_half(_M1, c) ^ b ^ key_low,  # type: ignore[call-arg] # numba gives the first
            _M1 * c,
            _high_half(_M0, a) ^ d ^ key_high,  # type: ignore[call-arg] # numba gives the first
            _M0 * a,
        )
        key_low, key_high = key_low + _W0, key_high + _W1
    return a, b, c, d


@_compiled
def _draw(
    drawn: Any,
    position: int,
    rank: int,
    block: Any,
    key_low: Any,
    key_high: Any,
    outcome: Any,
    first: Any,
    cells_of: Any,
    rest: Any,
    minimum: int,
    words: Any,
    cells: Any,
    unsettled: Any,
) -> int:
    """Fill ``drawn``, int16, with a block's outcomes from ``position`` on; return the new rank.

    Args:
        position: number of the first outcome in the block.
        rank: settling words that were used before.
        cells_of, rest: the thresholds' upper 16 and lower 64 bits, ascending.
        words, cells: one scratch array, as uint64 and as uint16.
        unsettled: a scratch array.
    """
    count = len(drawn)
    counter, skip = position // 16, position % 16
    for i in range((skip + count + 15) // 16):  # a generator steps before it draws
        four = _philox(np.uint64(counter + i + 1), block, _MAIN, key_low, key_high)
        for lane in range(4):
            words[4 * i + lane] = four[lane]
    own = cells[skip : skip + count]
    opened = 0
    for i in range(count):
        value = outcome[own[i]]
        drawn[i] = value
        unsettled[opened] = i  # overwritten by the next one unless this one counts
        opened += value == UNSETTLED
    four = (np.uint64(0), np.uint64(0), np.uint64(0), np.uint64(0))
    for i in range(opened):
        lane = rank % 4
        if lane == 0 or i == 0:
            four = _philox(np.uint64(rank // 4 + 1), block, _SETTLE, key_low, key_high)
        further = four[lane]
        rank += 1
        cell = own[unsettled[i]]
        passed = first[cell]
        while passed < len(rest) and cells_of[passed] == cell and rest[passed] <= further:
            passed += 1
        drawn[unsettled[i]] = minimum + passed
    return rank


@_compiled
def _add(drawn: Any, base: Any, column: int, divisor: Any, out: Any) -> None:
    """Write (drawn + base) / divisor; ``base`` begins at ``column`` and repeats."""
    at = 0
    while at < len(drawn):
        count = min(len(drawn) - at, len(base) - column)
        # Slices, since their indices need no look at the sign, which keeps the loop from vectors.
        noise, levels, target = drawn[at:], base[column:], out[at:]
        for i in range(count):
            target[i] = np.float32(np.int32(noise[i]) + np.int32(levels[i])) / divisor
        at += count
        column = 0


@_compiled
def _write(
    out: Any,
    base: Any,
    divisor: Any,
    position: int,
    rank: int,
    address: Any,
    table: Any,
    scratch: Any,
) -> int:
    """Draw, add and divide in tiles; return how many settling words were used by now."""
    drawn = scratch[0]
    for at in range(0, len(out), len(drawn)):
        tile = drawn[: min(len(drawn), len(out) - at)]
        rank = _draw(tile, position + at, rank, *address, *table, *scratch[1:])
        _add(tile, base, at % len(base), divisor, out[at : at + len(tile)])
    return rank


class CompiledBlock:
    """The outcomes of one block in their order; see :class:`rsonnx.noise.lattice.LatticeBlock`."""

    def __init__(self, table: LatticeTable, key: int, block: int) -> None:
        self._address = np.uint64(block), np.uint64(key & _WORD), np.uint64(key >> 64)
        self._table = (
            table.outcome,
            table.first,
            table.cells_of_thresholds,
            table.rest,
            table.minimum,
        )
        self._position = 0
        self._rank = 0

    def draw(self, count: int) -> NDArray[np.int16]:
        """Return the next ``count`` outcomes, int16 (count,)."""
        drawn = np.empty(count, np.int16)
        _, *scratch = _scratch()
        for at in range(0, count, _TILE):
            tile = drawn[at : at + _TILE]
            self._rank = _draw(
                tile, self._position, self._rank, *self._address, *self._table, *scratch
            )
            self._position += len(tile)
        return drawn

    def write(self, base: NDArray[np.uint8], divisor: np.float32, out: NDArray[np.float32]) -> None:
        """Write the next outcomes, each added to its level and divided, in one pass."""
        self._rank = _write(
            out.reshape(-1),
            base,
            divisor,
            self._position,
            self._rank,
            self._address,
            self._table,
            _scratch(),
        )
        self._position += out.size


def _scratch() -> tuple[NDArray[Any], ...]:
    """Return room for a tile: outcomes, words, the same as cells, and places of unsettled cells."""
    words = np.empty(_TILE // 4 + 4, np.uint64)
    return np.empty(_TILE, np.int16), words, words.view(np.uint16), np.empty(_TILE, np.int32)


def draws_as_numpy_does() -> bool:
    """Compare a few tiles and a write of a narrow law, some of whose cells are unsettled."""
    step = 1 / 255
    table = lattice_table(lambda value: mpmath.ncdf(value / mpmath.mpf(0.01)), step)
    base, divisor = np.arange(7, dtype=np.uint8), np.float32(255)
    drawn, written = [], []
    for block in (CompiledBlock(table, 1 << 100, 3), LatticeBlock(table, 1 << 100, 3)):
        drawn.append(block.draw(60_001))
        written.append(np.empty((1_000, 7), np.float32))
        block.write(base, divisor, written[-1])
    return np.array_equal(drawn[0], drawn[1]) and np.array_equal(written[0], written[1])
