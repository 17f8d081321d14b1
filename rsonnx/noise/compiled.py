"""The blocks of :mod:`rsonnx.noise.lattice`, drawn by code that numba compiles: the same bits.

For small models numpy's noise takes a good part of the time. This draws it about twice as fast and
lets other threads run meanwhile. Importing it needs numba (``pip install 'rsonnx[fast]'``).
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from rsonnx.noise.lattice import UNSETTLED, LatticeTable
from rsonnx.noise.philox import MAIN, SETTLE

_TILE = 1 << 15
"""Values drawn at a time: what is computed on the way stays in a core's nearer caches."""

# Multipliers and key increments of Philox4x64 (Salmon et al., SC 2011, table 2 and section 3.3).
_M0, _M1 = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
_W0, _W1 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)
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
def _fill_words(
    words: Any, passed: int, block: Any, region: Any, key_low: Any, key_high: Any
) -> None:
    """Fill ``words`` behind the first ``passed`` counters; a generator steps before it draws."""
    for i in range(len(words) // 4):
        four = _philox(np.uint64(passed + i + 1), block, region, key_low, key_high)
        for lane in range(4):
            words[4 * i + lane] = four[lane]


@_compiled
def _look_up(cells: Any, outcome: Any, drawn: Any, unsettled: Any) -> int:
    """Look up a tile's cells; list the unsettled ones and return how many there are."""
    found = 0
    for i in range(len(cells)):
        value = outcome[cells[i]]
        drawn[i] = value
        unsettled[found] = i  # overwritten by the next one unless this one counts
        found += value == UNSETTLED
    return found


@_compiled
def _settle(
    cells: Any,
    unsettled: Any,
    further: Any,
    first: Any,
    inside: Any,
    lowest: Any,
    rest: Any,
    drawn: Any,
) -> None:
    for i in range(len(unsettled)):
        cell = cells[unsettled[i]]
        value = lowest[cell]
        for j in range(inside[cell]):
            if rest[first[cell] + j] > further[i]:
                break
            value += 1
        drawn[unsettled[i]] = value


class _Reader:
    """What one region of a block holds, in its order, as numbers of one type."""

    def __init__(self, key: int, block: int, region: int, kind: type[np.unsignedinteger]) -> None:
        self._address = np.uint64(block), np.uint64(region)
        self._key = np.uint64(key & _WORD), np.uint64(key >> 64)
        self._passed = 0
        self._left = np.empty(0, kind)

    def read(self, count: int) -> NDArray[Any]:
        """Return the next ``count`` numbers."""
        missing = (count - len(self._left)) * self._left.itemsize
        words = np.empty(4 * -(-missing // 32), np.uint64)  # a counter gives 32 bytes
        _fill_words(words, self._passed, *self._address, *self._key)
        self._passed += len(words) // 4
        found = words.view(self._left.dtype)
        if len(self._left):
            found = np.concatenate([self._left, found])
        self._left = found[count:].copy()
        return found[:count]


class CompiledBlock:
    """The outcomes of one block in their order; see :class:`rsonnx.noise.lattice.LatticeBlock`."""

    def __init__(self, table: LatticeTable, key: int, block: int) -> None:
        self._table = table
        self._cells = _Reader(key, block, MAIN, np.uint16)
        self._settling = _Reader(key, block, SETTLE, np.uint64)

    def draw(self, count: int) -> NDArray[np.int16]:
        """Return the next ``count`` outcomes, int16 (count,)."""
        table = self._table
        drawn = np.empty(count, np.int16)
        room = np.empty(min(count, _TILE), np.int32)
        for at in range(0, count, _TILE):
            tile = drawn[at : at + _TILE]
            cells = self._cells.read(len(tile))
            unsettled = room[: _look_up(cells, table.outcome, tile, room)]
            _settle(
                cells,
                unsettled,
                self._settling.read(len(unsettled)),
                table.first,
                table.inside,
                table.lowest,
                table.rest,
                tile,
            )
        return drawn
