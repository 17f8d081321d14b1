"""Blocks of additive noise: exact on the grid of 8-bit values, else in floating point."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rsonnx.noise.distribution import Drawing, IndependentNoise, JointNoise, Place
from rsonnx.noise.lattice import LatticeBlock, add, beyond_numbers, lattice_table
from rsonnx.noise.philox import bits
from rsonnx.noise.space import LEVELS

if TYPE_CHECKING:
    from rsonnx.noise.compiled import CompiledBlock

_PORTION_VALUES = 1 << 14
"""Values of joint noise that are drawn at a time, at most: a core's nearer caches hold them."""


@cache
def exact_block() -> type[LatticeBlock] | type[CompiledBlock]:
    """Return what draws a block of exact noise: compiled code where numba is, else numpy.

    Compiled code outlives the process in numba's cache, so it is used only where it is seen to draw
    what numpy draws.
    """
    try:
        from rsonnx.noise.compiled import CompiledBlock  # noqa: PLC0415 - numba is an extra
    except ImportError:
        return LatticeBlock
    return CompiledBlock if _draws_as_numpy_does(CompiledBlock) else LatticeBlock


def _draws_as_numpy_does(kind: type[CompiledBlock]) -> bool:
    """Compare a few tiles and a write of a narrow law, some of whose cells are unsettled."""
    from rsonnx.noise.laws.gaussian import Gaussian  # noqa: PLC0415 - a law needs this module

    table = lattice_table(Gaussian(0.01), 1 / LEVELS)
    base = np.arange(7, dtype=np.uint8)
    found = []
    for drawing in (kind(table, 1 << 100, 3), LatticeBlock(table, 1 << 100, 3)):
        written = np.empty((1_000, 7), np.float32)
        drawn = drawing.draw(60_001)
        drawing.write(base, np.float32(LEVELS), written)
        found.append((drawn, written))
    return all(np.array_equal(a, b) for a, b in zip(*found, strict=True))


def independent_block(law: IndependentNoise, place: Place) -> Drawing:
    """Return the noise of a block of independent values."""
    if not place.exact:
        return FloatBlock(law, place)
    return exact_block()(lattice_table(law, place.space.step), place.key, place.block)


class ValueByValue(Protocol):
    """A law whose draws go on one from another, so that two calls draw what one would."""

    def draw(self, generator: np.random.Generator, size: int) -> NDArray[np.float64]:
        """Return ``size`` floating-point draws: those of whole samples."""


class FloatBlock:
    """The floating-point noise of one block in its order."""

    def __init__(self, law: ValueByValue, place: Place) -> None:
        self._law = law
        self._generator = np.random.Generator(bits(place.key, place.block))

    def draw(self, count: int) -> NDArray[np.float64]:
        """Return the next ``count`` values; see :class:`Drawing`."""
        with beyond_numbers():
            return self._law.draw(self._generator, count)

    def write(self, base: NDArray[Any], divisor: np.float32, out: NDArray[np.float32]) -> None:
        """Write the next samples; see :class:`Drawing`."""
        add(self.draw(out.size), base, divisor, out)


class JointBlock:
    """Noise whose values are drawn together, so many samples of a block at a time.

    How many depends on the size of a sample alone, and all draws of a block are those, in order: a
    sample never depends on how many are asked for, nor in which portions.
    """

    def __init__(self, law: JointNoise, place: Place) -> None:
        self._law = law
        self._size = place.space.size
        self._generator = np.random.Generator(bits(place.key, place.block))
        self._portion = max(1, _PORTION_VALUES // self._size)
        self._left: NDArray[np.float64] = np.empty((0, self._size))

    def draw(self, count: int) -> NDArray[np.float64]:
        """Return the noise of the next ``count`` / size samples, one after another."""
        portions = list(self._portions(count // self._size))
        return np.concatenate(portions, axis=None) if portions else np.empty(0)

    def write(self, base: NDArray[Any], divisor: np.float32, out: NDArray[np.float32]) -> None:
        """Write the next samples; see :class:`Drawing`."""
        done = 0
        for noise in self._portions(len(out)):
            add(noise, base, divisor, out[done : done + len(noise)])
            done += len(noise)

    def _portions(self, samples: int) -> Iterator[NDArray[np.float64]]:
        """Yield the noise of the next samples, (some, size) at a time."""
        while samples:
            if not len(self._left):
                with beyond_numbers():
                    self._left = self._law.draw_samples(self._generator, self._portion, self._size)
            noise, self._left = self._left[:samples], self._left[samples:]
            samples -= len(noise)
            yield noise
