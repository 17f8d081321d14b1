"""Sums of independent values, each of finitely many: their law on a lattice, bounded outward.

Values are rounded to multiples of a unit, and the errors are kept, so that each probability is
bounded by those of two neighbouring thresholds. Where all values are multiples of one unit, nothing
is lost.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from rsonnx.statistics.portable import dot

BINS = 20_000
"""Multiples of the unit that sums may reach, from the least to the largest."""

_SCALE = 2.0**900
"""Of probabilities on the way, so that none that matters is below the normal doubles."""

_TINY = 2.0**-1022
"""The smallest normal double: upper bounds are not below it."""

_FIT = 2.0**-13
"""Of the largest value: how far values may be from multiples of a unit that is meant to be one."""


@dataclass(frozen=True, eq=False)
class LatticeSum:
    """What independent values sum to: ``least + unit * K`` and an error within ``errors``.

    Attributes:
        steps: whole numbers from 0 on, one array a term: the multiple that each value adds to K.
        unit, least: of the lattice.
        errors: the least and the largest sum of what rounding took away.
    """

    steps: tuple[NDArray[np.int64], ...]
    unit: Fraction
    least: Fraction
    errors: tuple[Fraction, Fraction]

    @classmethod
    def of(cls, values: Sequence[Sequence[Fraction]]) -> LatticeSum:
        """Round the values of each term to a lattice."""
        least = [min(term) for term in values]
        raised = [[v - low for v in term] for term, low in zip(values, least, strict=True)]
        span = sum((max(term) for term in raised), Fraction(0))
        unit = _common_unit(raised, span) or span / BINS or Fraction(1)
        steps = [[round(value / unit) for value in term] for term in raised]
        errors = [
            [value - step * unit for value, step in zip(term, places, strict=True)]
            for term, places in zip(raised, steps, strict=True)
        ]
        return cls(
            tuple(np.array(places, np.int64) for places in steps),
            unit,
            sum(least, Fraction(0)),
            (sum(map(min, errors), Fraction(0)), sum(map(max, errors), Fraction(0))),
        )

    def places(self, threshold: Fraction, slack: Fraction, *, tie_above: bool) -> tuple[int, int]:
        """Return up to which K sums are surely below a threshold, and from which above it.

        Args:
            threshold: which sums are held against.
            slack: the most by which what is held against it differs from the sum.
            tie_above: whether what equals the threshold counts as above it.
        """
        errors = (self.errors[0] - slack, self.errors[1] + slack)
        high, low = ((threshold - self.least - error) / self.unit for error in errors)
        # Below: least + unit·K + errors[1] < threshold, or at most that; above likewise.
        below = math.ceil(low) - 1 if tie_above else math.floor(low)
        above = math.ceil(high) if tie_above else math.floor(high) + 1
        return below, above


@dataclass(frozen=True, eq=False)
class SumLaw:
    """Probabilities of the K of a :class:`LatticeSum`, each rounded up before they are added.

    Attributes:
        scaled: (bins,), times 2^900.
        rounding: the sum of the relative errors on the way to any of them, and to a sum of them.
    """

    scaled: NDArray[np.float64]
    rounding: float

    @classmethod
    def of(
        cls, steps: Sequence[NDArray[np.int64]], masses: Sequence[NDArray[np.float64]]
    ) -> SumLaw:
        """Add up independent terms.

        Args:
            steps: of each term, (cells,), see :class:`LatticeSum`.
            masses: upper bounds on the probability of each of its values, (cells,).
        """
        law, roundings = np.full(1, _SCALE), 0
        for k in sorted(range(len(steps)), key=lambda k: int(steps[k].max())):
            places, at = np.unique(steps[k], return_inverse=True)
            each = np.bincount(at.reshape(-1), masses[k])
            longer = np.zeros(len(law) + int(places[-1]))
            for place, mass in zip(places.tolist(), each.tolist(), strict=True):
                if mass:
                    longer[place : place + len(law)] += mass * law
            law = longer
            roundings += 2 * len(masses[k])  # a product, and fewer sums than cells in two places
        return cls(law, (roundings + 2) * 2.0**-53)

    def upper(self, start: int | None, stop: int | None) -> float:
        """Return an upper bound on the probability of ``start <= K < stop``, at least 2^-1022."""
        first, end = (None if k is None else max(0, k) for k in (start, stop))
        part = self.scaled[first:end]
        # Any order of fewer than 2^8 sums is good to 2^-45.
        rows = np.add.reduceat(part, np.arange(0, len(part), 1 << 8)) if len(part) else part
        total = math.fsum(rows) * (1 + 2 * self.rounding + 2.0**-44)
        return min(1.0, max(_TINY, math.nextafter(math.ldexp(total, -900), math.inf)))


def _common_unit(terms: Sequence[Sequence[Fraction]], span: Fraction) -> Fraction | None:
    """Return a unit of which all values are multiples, or all but rounding; None for none."""
    values = [value for term in terms for value in term if value]
    if not values:
        return None
    scale = math.lcm(*(value.denominator for value in values))
    unit = Fraction(math.gcd(*(int(value * scale) for value in values)), scale)
    if span <= BINS * unit:
        return unit
    unit = _nearly_common(values)
    errors = sum(max(abs(v - round(v / unit) * unit) for v in term) for term in terms)
    return unit if span <= BINS * unit and 8 * errors < unit else None


def _nearly_common(values: Sequence[Fraction]) -> Fraction:
    """Return the unit that numbers rounded from multiples of one have, if there is one."""
    numbers = np.array([float(value) for value in values])
    unit = largest = float(numbers.max())
    for number in numbers.tolist():
        rest = number
        while rest > largest * _FIT:
            unit, rest = rest, abs(math.remainder(unit, rest))
        unit = largest / round(largest / unit)  # else its errors would add up
    multiples = np.rint(numbers / unit)
    return Fraction(float(dot(numbers, multiples) / dot(multiples, multiples)))
