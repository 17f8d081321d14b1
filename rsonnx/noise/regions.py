"""Certificates of discrete noise: regions of one likelihood ratio each, in exact arithmetic.

The law of a sample at x and its law at a changed input differ only by a likelihood ratio that takes
few values. By the lemma of Neyman and Pearson, a classifier that answers A with probability p at x
answers A least often at the changed input if it does so where that ratio is greatest (Lee et al.,
arXiv 1906.04948; Bojchevski et al., arXiv 2008.12952). All masses are integers over one total.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from threading import Lock
from typing import ClassVar

from rsonnx.noise.law import SampledNoise


def double_above(value: Fraction) -> float:
    """Return the smallest double above ``value``."""
    near = float(value)  # rounded to nearest, so that no double lies between the two
    return near if Fraction(near) > value else math.nextafter(near, math.inf)


@dataclass(frozen=True)
class Regions:
    """The masses of the regions under two laws, the greatest likelihood ratio here/there first.

    Attributes:
        here: masses at the input, whole numbers >= 0 that sum to ``total``.
        there: masses at the changed input, likewise.
        total: what stands for probability 1.
    """

    here: tuple[int, ...]
    there: tuple[int, ...]
    total: int

    def least(self, p: Fraction) -> Fraction:
        """Return the least probability there of an event whose probability here is ``p``."""
        unit = p.denominator  # masses times it are whole numbers, and those are fast
        wanted, kept = p.numerator * self.total, 0
        for here, there in zip(self.here, self.there, strict=True):
            if 0 < wanted <= here * unit:
                return Fraction(kept * here * unit + wanted * there, here * unit * self.total)
            wanted -= here * unit
            kept += there if wanted >= 0 else 0
        return Fraction(kept, self.total)

    def breaking_point(self) -> Fraction:
        """Return the greatest p at which :meth:`least`, which never falls, is not above 1/2."""
        room, reached = Fraction(self.total, 2), Fraction(0)
        for here, there in zip(self.here, self.there, strict=True):
            if there > room:
                return (reached + here * room / there) / self.total
            reached += here
            room -= there
        return reached / self.total


class Staircase:
    """The smallest doubles p_A that certify 1, 2, ... changes, worked out when they are needed.

    Args:
        steps: the regions of every kind of 1 change, of 2 changes, and so on.
    """

    def __init__(self, steps: Iterator[Sequence[Regions]]) -> None:
        self._steps = steps
        self._least: list[float] = []
        self._lock = Lock()

    def reach(self, p_a_lower: float) -> int:
        """Return how many changes a bound on p_A certifies."""
        with self._lock:
            while (not self._least or self._least[-1] <= p_a_lower) and self._climb():
                pass
            return bisect_right(self._least, p_a_lower)

    def least(self, changes: int) -> float | None:
        """Return the smallest p_A that certifies ``changes`` >= 1; None where none does."""
        with self._lock:
            while len(self._least) < changes and self._climb():
                pass
            return self._least[changes - 1] if len(self._least) >= changes else None

    def _climb(self) -> bool:
        kinds = next(self._steps, None)
        if kinds is None:
            return False
        self._least.append(max(double_above(kind.breaking_point()) for kind in kinds))
        return True


class RegionNoise(SampledNoise):
    """Independent discrete noise on every feature, certified in l0 by its regions.

    The radius is the largest number r of features such that the answer is the same whichever of up
    to r features are changed, and however; it is a whole number, and no rounding enters it. More
    changes never certify more easily: a classifier may ignore a changed feature.
    """

    norms: ClassVar[tuple[str, ...]] = ("l0",)

    @abstractmethod
    def changes(self) -> Iterator[Sequence[Regions]]:
        """Yield the regions of every kind of 1, 2, ... changed features, up to a cap."""

    def radius(self, p_a_lower: float) -> float:
        """Return the largest r at which A keeps more than 1/2 at the changed input."""
        return float(_staircase(self).reach(p_a_lower)) if p_a_lower > 0.5 else 0.0

    def radius_between(self, p_a_lower: float, p_b_upper: float) -> float:
        """Return the radius from bounds on p_A and on every other class, a whole number.

        With w(p) the least probability at the changed input of an event of probability p, A stays
        above w(p_A), and B below 1 - w(1 - p_B): the complement of B has at least 1 - p_B here. So
        A remains the answer while w(p_A) + w(1 - p_B) > 1.
        """
        p_a, p_rest = Fraction(p_a_lower), 1 - Fraction(min(1.0, p_b_upper))
        if p_a + p_rest <= 1:
            return 0.0
        certified = 0
        for kinds in self.changes():
            if any(kind.least(p_a) + kind.least(p_rest) <= 1 for kind in kinds):
                break
            certified += 1
        return float(certified)

    def probability_for(self, radius: float) -> float:
        """Return the smallest p_A in (1/2, 1] at which :meth:`radius` is ``radius`` > 0; else 1."""
        if not math.isfinite(radius):
            return 1.0
        least = _staircase(self).least(max(1, math.ceil(radius)))
        return 1.0 if least is None else min(1.0, least)


@lru_cache(maxsize=16)
def _staircase(law: RegionNoise) -> Staircase:
    return Staircase(law.changes())
