"""Additive noise: exact on the grid of 8-bit values by a table, else in floating point."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, lru_cache
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, cast

import mpmath
import numpy as np
from numpy.typing import NDArray

from rsonnx.errors import UsageError
from rsonnx.noise.drawing import Drawing, Place
from rsonnx.noise.lattice import LEAST_STEPS, LatticeBlock, LatticeTable, lattice_table
from rsonnx.noise.law import SampledNoise
from rsonnx.noise.philox import bits
from rsonnx.noise.space import LEVELS, add, beyond_numbers

if TYPE_CHECKING:
    from rsonnx.noise.compiled import CompiledBlock, NormalBlock

_PORTION_VALUES = 1 << 14
"""Values of joint noise that are drawn at a time, at most: a core's nearer caches hold them."""


class IndependentNoise(SampledNoise):
    """Additive noise, independent on every value and symmetric about 0."""

    calculable: ClassVar[bool] = True

    @abstractmethod
    def cumulative(self, value: mpmath.mpf) -> mpmath.mpf:
        """Return the distribution function at ``value`` <= 0, at mpmath's working precision."""

    def cumulative_at(self, at: int) -> Callable[[mpmath.mpf], mpmath.mpf]:
        """Return :meth:`cumulative`: all values have the same noise."""
        del at
        return self.cumulative

    @abstractmethod
    def draw(self, generator: np.random.Generator, size: int) -> NDArray[np.float64]:
        """Return ``size`` floating-point draws."""

    def table(self, step: float) -> LatticeTable:
        """Return the table on a grid of ``step``, or refuse a law that is too wide or narrow."""
        return _table(self, step)

    def open(self, place: Place) -> Drawing:
        """Return exact noise on the grid, else floating-point noise."""
        if not place.exact:
            return FloatBlock(self.draw, place)
        return exact_block()(self.table(place.space.step), place.key, place.block)


@lru_cache(maxsize=16)
def _table(law: IndependentNoise, step: float) -> LatticeTable:
    """Return the table of a law of any norm and size, so that it can be made before these are."""
    of_any, any_law = {"norm": law.norms[0], "size": None}, cast(Any, law)
    alike = replace(any_law, **{name: of_any[name] for name in of_any.keys() & law.own()})
    if alike != law:
        return _table(alike, step)
    sigma, width = law.deviation, LEVELS * step
    if sigma is not None and sigma < LEAST_STEPS * step:
        raise UsageError(
            f"{law} is too narrow for exact noise on a grid of step {step:g}: it never moves an "
            "8-bit value, so there is nothing to certify; use a larger sigma"
        )
    try:
        return lattice_table(law.cumulative, step)
    except OverflowError:
        advice = "use a smaller sigma, or floating-point inputs"
        if sigma is not None and width < LEVELS and width < sigma <= LEVELS:  # levels are meant
            advice = (
                f"use a smaller sigma, in the units of the bounds, {width:g} apart: {sigma:g} of "
                f"{LEVELS} levels is {sigma / LEVELS * width:.6g}; or make levels the unit with "
                f"--bounds 0 {LEVELS} (and zero-one in place of none as the preprocessing)"
            )
        raise UsageError(
            f"{law} is too wide for exact noise on a grid of step {step:g}; {advice}"
        ) from None


class JointNoise(SampledNoise):
    """Additive noise whose values depend on each other: drawn whole samples at a time, float64."""

    exact: ClassVar[bool] = False

    size: int | None
    """d, the values of an input, on which the law of each value depends."""

    @abstractmethod
    def draw_samples(
        self, generator: np.random.Generator, samples: int, size: int
    ) -> NDArray[np.float64]:
        """Return floating-point noise, (samples, size)."""

    def open(self, place: Place) -> Drawing:
        """Return floating-point noise."""
        self.check_space(place.space)
        return JointBlock(self.draw_samples, place)


def exact_block() -> type[LatticeBlock] | type[CompiledBlock]:
    """Return what draws the next block of exact noise: the quickest way that is there, else numpy.

    Code is compiled in a few tenths of a second, beside the work, and only where there is much.
    """
    return quickest_block() if _loaded(quickest_block, _BLOCKS) else LatticeBlock


def normal_block() -> type[NormalBlock] | None:
    """Return what draws the next block of normal noise, as :func:`exact_block`; None for numpy."""
    return quickest_normal() if _loaded(quickest_normal, _NORMAL_BLOCKS) else None


def _loaded(load: Any, opened: Iterator[int]) -> bool:
    """Say whether what a cached function returns is there; have it made once there is much work."""
    if next(opened) == _BY_NUMPY:
        threading.Thread(target=load, name="compiled noise").start()
    return bool(load.cache_info().currsize)


@cache
def quickest_block() -> type[LatticeBlock] | type[CompiledBlock]:
    """Return what draws exact noise quickest: compiled code where it can be made, else numpy.

    It is made for this processor, so it is used only where it is seen to draw what numpy draws.
    """
    try:
        from rsonnx.noise import compiled  # noqa: PLC0415 - not everywhere is there a compiler

        right = compiled.draws_as_numpy_does()
    except (ImportError, OSError, RuntimeError):
        return LatticeBlock
    return compiled.CompiledBlock if right else LatticeBlock


@cache
def quickest_normal() -> type[NormalBlock] | None:
    """Return what draws normal noise quicker than numpy and as numpy does; None where nothing."""
    try:
        from rsonnx.noise import compiled  # noqa: PLC0415 - not everywhere is there a compiler

        right = compiled.draws_normals_as_numpy_does()
    except (ImportError, OSError, RuntimeError, AttributeError):
        return None
    return compiled.NormalBlock if right else None


_BLOCKS, _NORMAL_BLOCKS = count(), count()
"""Count the blocks of exact and of normal noise that were opened."""

_BY_NUMPY = 64
"""Of which numpy draws so many before code is compiled: a tenth of a second of MNIST's."""


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
