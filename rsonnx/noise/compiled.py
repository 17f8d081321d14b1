"""The blocks of :mod:`rsonnx.noise.lattice` and of normal noise, drawn by compiled code: same bits.

It takes a third of numpy's time and lets other threads run meanwhile. Importing it needs llvmlite.
"""

from __future__ import annotations

import ctypes
from functools import cache, lru_cache
from typing import Any

import mpmath
import numpy as np
from numpy.typing import NDArray

from rsonnx.noise.kernels import write_kernel
from rsonnx.noise.lattice import UNSETTLED, LatticeBlock, LatticeTable, lattice_table
from rsonnx.noise.normal_kernel import normal_kernel
from rsonnx.noise.philox import bits
from rsonnx.noise.ziggurat import layers

_WORD = (1 << 64) - 1
_NOTHING = np.zeros(1 << 10, np.uint8)
"""Levels of an input that leaves outcomes as they are."""


class _Packed:
    """A table as the kernel takes it: its last arguments, and the arrays that they lead to."""

    def __init__(self, table: LatticeTable) -> None:
        entries = 2 * table.lowest.astype(np.int32) + (table.outcome == UNSETTLED)
        # A model empties the caches between two batches: what is half as large is there sooner.
        short = entries.astype(np.int16)
        entries = short if np.array_equal(short, entries) else entries
        self._arrays = entries, table.cells_of_thresholds, table.rest
        addresses = map(_address, self._arrays)
        self.kernel = write_kernel(8 * entries.itemsize)
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
        self.write(_NOTHING, np.float32(1), drawn)
        return drawn.astype(np.int16)

    def write(self, base: NDArray[np.uint8], divisor: np.float32, out: NDArray[np.float32]) -> None:
        """Write the next outcomes, each added to its level and divided, in one pass."""
        self._rank = self._table.kernel(
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


class NormalBlock:
    """The normal noise of one block in its order; see :class:`rsonnx.noise.law.Drawing`.

    Args:
        sigma: standard deviation.
        key, block: which words are drawn.
    """

    def __init__(self, sigma: float, key: int, block: int) -> None:
        self._sigma = sigma
        self._key, self._block = key, block
        self._position = 0

    def draw(self, count: int) -> NDArray[np.float64]:
        """Return the next ``count`` values."""
        words = bits(self._key, self._block)
        words.random_raw(self._position)
        drawn: NDArray[np.float64] = np.random.Generator(words).standard_normal(count)
        state = words.state
        self._position = 4 * int(state["state"]["counter"][0]) + state["buffer_pos"] - 4
        return self._sigma * drawn

    def write(
        self, base: NDArray[np.float64], divisor: np.float32, out: NDArray[np.float32]
    ) -> None:
        """Write the next values, each added to the input's; the divisor of values is 1."""
        del divisor
        kernel, arguments = _normal()
        self._position = kernel(
            _address(out),
            out.size,
            _address(base),
            base.size,
            self._sigma,
            self._position,
            self._block,
            self._key & _WORD,
            self._key >> 64,
            *arguments,
        )


@cache
def _normal() -> tuple[Any, tuple[int, ...]]:
    """Return the kernel of normal noise and its last arguments.

    Raises:
        OSError: this is not where numpy takes its exponential from.
    """
    libm = ctypes.CDLL("libm.so.6")
    exponential, log1p = (
        ctypes.cast(function, ctypes.c_void_p).value or 0 for function in (libm.exp, libm.log1p)
    )
    return normal_kernel(exponential, log1p), tuple(map(_address, layers()))


def draws_normals_as_numpy_does() -> bool:
    """Compare some hundred thousand numbers, of which a thousand lie at edges and some in tails."""
    own, base = NormalBlock(0.7, 1 << 100, 3), np.linspace(-1, 1, 19)
    written = np.empty((10_000, 19), np.float32)
    own.write(base, np.float32(1), written)
    noise = 0.7 * np.random.Generator(bits(1 << 100, 3)).standard_normal(written.size)
    return np.array_equal(written, (noise.reshape(written.shape) + base).astype(np.float32))


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
