"""How likely noise puts a value of an input into the cells of a classifier, rounded up.

A classifier that compares float32 numbers is certified as a function of real numbers, each of which
it rounds to float32 first: noise crosses a cut at the midpoint between it and the float32 number
below. Noise on the grid adds whole steps, and what is compared is the value of a level; it crosses
at the midpoint between the first level whose value is not below the cut and the one before.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import mpmath
import numpy as np
from numpy.typing import NDArray

from rsonnx.closed_form import Cuts
from rsonnx.errors import UsageError
from rsonnx.noise.law import Law
from rsonnx.noise.rounding import precision
from rsonnx.noise.space import InputSpace, Point

LEAST = 2.0**-1022
"""The smallest normal double: what is likely at all is given at least this probability."""

_PRECISION = 160
_MARGIN = mpmath.mpf(2) ** -60
"""Relative margin of a mass."""

_TAIL_MARGIN = mpmath.mpf(2) ** -140
"""Relative margin of a tail in 160 bits, which the difference of two tails adds."""

_NONE, _ONE = mpmath.mpf(0), mpmath.mpf(1)
_LITTLE = 2.0**-4

_BEYOND = 2.0**128
"""What stands for infinity beside the largest float32 number: rounding goes there at half way."""

_MOST_LEVELS = 1 << 20
"""Levels beyond this are as far as this one: exact noise has no such steps, see ``lattice``."""


@dataclass(frozen=True, eq=False)
class Crossings:
    """Where the noise on one value crosses its cuts.

    Attributes:
        is_above: of each cut, ascending, whether the value without noise lies above it or at it.
        tails: the probability that the noise takes the value to the other side of each.
    """

    is_above: Sequence[bool]
    tails: Sequence[mpmath.mpf]

    def mass(self, first: int, last: int) -> float:
        """Return the probability of the cells from ``first`` to ``last``, rounded up."""
        low, high = first - 1, last
        if low < 0 and high == len(self.tails):
            return 1.0
        left = self.tails[low] if low >= 0 else _NONE
        right = self.tails[high] if high < len(self.tails) else _NONE
        if high < len(self.tails) and self.is_above[high]:
            larger, smaller, further = right, left, 0.0
        elif low >= 0 and not self.is_above[low]:
            larger, smaller, further = left, right, 0.0
        else:
            larger, smaller, further = _ONE, left, float(right)
        if not larger:
            return 0.0
        # Doubles are good to 2^-52 of the larger one, which is enough unless little is left of it.
        most = float(larger)
        above = most - float(smaller) - further
        if above > _LITTLE * most > LEAST:
            return min(1.0, above + most * 2.0**-50)
        with precision(_PRECISION):
            exact = larger - smaller - (right if larger is _ONE else 0)
            exact = exact * (1 + _MARGIN) + larger * _TAIL_MARGIN
        return min(1.0, max(LEAST, math.nextafter(float(exact), math.inf)))

    def masses(self) -> NDArray[np.float64]:
        """Return the probability of each cell, rounded up, (m + 1,)."""
        return np.array([self.mass(cell, cell) for cell in range(len(self.tails) + 1)])


def crossings(law: Law, point: Point, cuts: Sequence[Cuts]) -> list[Crossings]:
    """Return where noise crosses the cuts of each value.

    Args:
        law: the noise.
        point: the input without noise.
        cuts: of some values of the input.

    Raises:
        UsageError: the values of a noisy input are not independent of each other.
    """
    values = point.data.reshape(-1)
    on_grid = point.arithmetic == "exact" and law.additive
    with precision(_PRECISION):
        return [
            _fixed(float(values[value.at]), value)
            if value.at in law.fixed
            else _on_grid(law, point.space, int(values[value.at]), value)
            if on_grid
            else _continuous(law, float(values[value.at]), value)
            for value in cuts
        ]


def _cumulative(law: Law, at: int) -> Callable[[mpmath.mpf], mpmath.mpf]:
    cumulative = law.cumulative_at(at)
    if cumulative is None:
        raise UsageError(
            f"of {law.name} noise no probability of a cell is known; use Gaussian, Laplace or "
            "uniform noise, or samples"
        )
    return cumulative


def _fixed(value: float, cuts: Cuts) -> Crossings:
    is_above = (np.float32(value) >= cuts.cuts).tolist()
    return Crossings(is_above, [mpmath.mpf(0)] * len(is_above))


def _continuous(law: Law, value: float, cuts: Cuts) -> Crossings:
    cumulative, x = _cumulative(law, cuts.at), mpmath.mpf(value)
    distances = [mpmath.mpf(float(edge)) - x for edge in midpoints(cuts.cuts)]
    return Crossings([d <= 0 for d in distances], [cumulative(-abs(d)) for d in distances])


def _on_grid(law: Law, space: InputSpace, level: int, cuts: Cuts) -> Crossings:
    # Half steps are odd, so none is 0.
    halves = [2 * int(first - level) - 1 for first in first_levels(space, cuts.cuts)]
    tails = [_grid_tail(law, abs(half), space.step) for half in halves]
    return Crossings([half < 0 for half in halves], tails)


@lru_cache(maxsize=1 << 16)
def _grid_tail(law: Law, half_steps: int, step: float) -> mpmath.mpf:
    with precision(_PRECISION):
        return _cumulative(law, 0)(-mpmath.mpf(half_steps) / 2 * step)


def midpoints(cuts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the real numbers above which float32 rounding is at least each cut, (m,).

    Args:
        cuts: float32 numbers, (m,).
    """
    with np.errstate(over="ignore"):
        before = np.nextafter(cuts.astype(np.float32), np.float32(-np.inf)).astype(np.float64)
    # Half way between two float32 numbers is a double.
    return (np.clip(cuts, -_BEYOND, _BEYOND) + np.clip(before, -_BEYOND, _BEYOND)) / 2


def first_levels(space: InputSpace, cuts: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the first level whose value is not below each cut, (m,); any whole number may be one.

    Args:
        space: of the input, with a finite step.
        cuts: float32 numbers, (m,).
    """
    near = np.clip((cuts - space.bounds[0]) / space.step, -_MOST_LEVELS, _MOST_LEVELS)
    levels = np.rint(near).astype(np.int64)[:, None] + np.arange(-3, 4)
    below = space.values_of(levels).astype(np.float64) < cuts[:, None]
    first: NDArray[np.int64] = levels[:, 0] + below.sum(axis=1)
    return first
