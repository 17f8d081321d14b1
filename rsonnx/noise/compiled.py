"""The blocks of :mod:`rsonnx.noise.lattice`, drawn by compiled code: the same bits.

It takes a third of numpy's time and lets other threads run meanwhile. Importing it needs llvmlite.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import mpmath
import numpy as np
from numpy.typing import NDArray

from rsonnx.noise.kernels import write_kernel
from rsonnx.noise.lattice import UNSETTLED, LatticeBlock, LatticeTable, lattice_table

_WORD = (1 << 64) - 1
_NOTHING = np.zeros(1 << 10, np.uint8)
"""Levels of an input that leaves outcomes as they are."""


class _Packed:
    """A table as the kernel takes it: its last arguments, and the arrays that they lead to."""

    def __init__(self, table: LatticeTable) -> None:
        opened = table.outcome == UNSETTLED
        self._arrays = (
            2 * table.lowest.astype(np.int32) + opened,
            table.cells_of_thresholds,
            table.rest,
        )
        addresses = map(_address, self._arrays)
        self.arguments = (*addresses, len(table.rest), table.minimum & _WORD)


@lru_cache(maxsize=64)
def _packed(table: LatticeTable) -> _Packed:
    return _Packed(table)


class CompiledBlock:
    """The outcomes of one block in their order; see :class:`rsonnx.noise.lattice.LatticeBlock`."""

    def __init__(self, table: LatticeTable, key: int, block: int) -> None:
        self._table = _packed(table)
        self._address = block, key & _WORD, key >> 64
        self._position = self._rank = 0

    def draw(self, count: int) -> NDArray[np.int16]:
        """Return the next ``count`` outcomes, int16 (count,)."""
        drawn = np.empty(count, np.float32)
        self._write(_NOTHING, np.float32(1), drawn)
        return drawn.astype(np.int16)

    def write(self, base: NDArray[np.uint8], divisor: np.float32, out: NDArray[np.float32]) -> None:
        """Write the next outcomes, each added to its level and divided, in one pass."""
        self._write(base, divisor, out)

    def _write(
        self, base: NDArray[np.uint8], divisor: np.float32, out: NDArray[np.float32]
    ) -> None:
        self._rank = write_kernel()(
            _address(out),
            out.size,
            _address(base),
            base.size,
            divisor,
            self._position,
            self._rank,
            *self._address,
            *self._table.arguments,
        )
        self._position += out.size


def _address(array: NDArray[Any]) -> int:
    return int(array.__array_interface__["data"][0])


def draws_as_numpy_does() -> bool:
    """Compare a few tiles and a write of a narrow law, some of whose cells are unsettled."""
    table = lattice_table(lambda value: mpmath.ncdf(value / mpmath.mpf(0.01)), 1 / 255)
    base, divisor = np.arange(23, dtype=np.uint8), np.float32(255)
    drawn, written = [], []
    for block in (CompiledBlock(table, 1 << 100, 3), LatticeBlock(table, 1 << 100, 3)):
        drawn.append(block.draw(60_001))
        written.append(np.empty((1_000, 23), np.float32))
        block.write(base, divisor, written[-1])
    return np.array_equal(drawn[0], drawn[1]) and np.array_equal(written[0], written[1])
