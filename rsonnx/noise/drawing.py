"""Blocks of noise: where one lies, how it is drawn, and additive noise, exact or in floating point.

A block is drawn by what it is given, a table or a function; of laws it knows nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rsonnx.noise.lattice import LatticeBlock, LatticeTable
from rsonnx.noise.philox import bits
from rsonnx.noise.space import InputSpace, add, beyond_numbers

if TYPE_CHECKING:
    from rsonnx.noise.compiled import CompiledBlock

_PORTION_VALUES = 1 << 14
"""Values of joint noise that are drawn at a time, at most: a core's nearer caches hold them."""


class Drawing(Protocol):
    """The randomness of one block in its order."""

    def draw(self, count: int) -> NDArray[Any]:
        """Return the next ``count`` values; whole samples at a time where they are not apart."""

    def write(self, base: NDArray[Any], divisor: np.float32, out: NDArray[np.float32]) -> None:
        """Write the next samples.

        Args:
            base: the input, flat: uint8 levels, or float64 values.
            divisor: what a level is divided by, see :attr:`InputSpace.divisor`; 1 for values.
            out: float32 (samples, values of a sample).
        """


@dataclass(frozen=True)
class Place:
    """Where a block of samples lies.

    Attributes:
        key: of the stream: the seed, the input and the stage.
        block: number of the block.
        first: index of its first sample in the stream.
        space: of the input.
        exact: whether the input is given in levels of the grid.
    """

    key: int
    block: int
    first: int
    space: InputSpace
    exact: bool


@cache
def exact_block() -> type[LatticeBlock] | type[CompiledBlock]:
    """Return what draws a block of exact noise: compiled code where numba is, else numpy.

    Compiled code outlives the process in numba's cache, so it is used only where it is seen to draw
    what numpy draws.
    """
    try:
        from rsonnx.noise import compiled  # noqa: PLC0415 - numba is an extra
    except ImportError:
        return LatticeBlock
    return compiled.CompiledBlock if compiled.draws_as_numpy_does() else LatticeBlock


def grid_block(table: LatticeTable, place: Place) -> Drawing:
    """Return the exact noise of a block."""
    return exact_block()(table, place.key, place.block)


class FloatBlock:
    """The floating-point noise of one block in its order.

    Args:
        draw: returns so many further values of a generator; two calls draw what one would.
        place: of the block.
    """

    def __init__(
        self, draw: Callable[[np.random.Generator, int], NDArray[np.float64]], place: Place
    ) -> None:
        self._draw = draw
        self._generator = np.random.Generator(bits(place.key, place.block))

    def draw(self, count: int) -> NDArray[np.float64]:
        """Return the next ``count`` values; see :class:`Drawing`."""
        with beyond_numbers():
            return self._draw(self._generator, count)

    def write(self, base: NDArray[Any], divisor: np.float32, out: NDArray[np.float32]) -> None:
        """Write the next samples; see :class:`Drawing`."""
        add(self.draw(out.size), base, divisor, out)


class JointBlock:
    """Noise whose values are drawn together, so many samples of a block at a time.

    How many depends on the size of a sample alone, and all draws of a block are those, in order: a
    sample never depends on how many are asked for, nor in which portions.

    Args:
        draw: returns so many further samples of such a size, (samples, size).
        place: of the block.
    """

    def __init__(
        self, draw: Callable[[np.random.Generator, int, int], NDArray[np.float64]], place: Place
    ) -> None:
        self._draw = draw
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
                    self._left = self._draw(self._generator, self._portion, self._size)
            noise, self._left = self._left[:samples], self._left[samples:]
            samples -= len(noise)
            yield noise


class OutcomeBlock:
    """The outcomes of one block in their order, which begin again behind the last.

    Args:
        outcomes: how many there are.
        place: of the block.
    """

    def __init__(self, outcomes: int, place: Place) -> None:
        self._outcomes = outcomes
        self._space = place.space
        self._next = place.first

    def draw(self, count: int) -> NDArray[np.int64]:
        """Return the numbers of the outcomes of the next ``count`` / size samples."""
        stop = self._next + count // self._space.size
        drawn = np.arange(self._next, stop, dtype=np.int64) % self._outcomes
        self._next = stop
        return drawn
