"""The differential method: radii from the growth function of a noise (Yang et al., 2002.08118).

Let the noise have the density exp(-ψ), absolutely continuous along every line, and let P(r) be the
probability of a set of noisy inputs when the input has moved by r·v. Then

    |P'(r)| <= Φ(P(r)),   Φ(q) = sup over v of the unit ball, U of probability q: ∫_U ∂_v ψ dP,

because P' is such an integral or its negative, and Φ(q) = Φ(1 - q) since ∂_v ψ has mean 0. Hence
S(p) = ∫_{1/2}^p dq/Φ(q) changes by at most r on the way: a class of probability p_A stays above 1/2
within R = S(p_A) = ∫_{1 - p_A}^{1/2} dq/Φ(q), and above a class of probability p_B within
(S(p_A) - S(p_B))/2. The integral is linear in v, so v is an extreme point of the unit ball.

For one v, Φ(q) is the mean of D = ∂_v ψ over its largest values, that is the least value over all
slopes k of the line k·q + E(D - k)₊. So Φ is concave, every such line lies above it, and a table of
lines gives an integral that is never above the true one, wherever the lines are cut.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import mpmath
import numpy as np
from numpy.typing import NDArray

from rsonnx.noise.rounding import down, precision
from rsonnx.noise.scale import LambdaNoise
from rsonnx.statistics import portable
from rsonnx.statistics.rounding import scale_down

PRECISION = 160
"""Bits for closed forms: a difference of two of them loses up to 54, :func:`down` allows 30."""

_MARGIN = 2.0**-40
"""Relative margin for logarithms of lines in doubles, each good to some 2^-50, and their sum."""


class DifferentialNoise(LambdaNoise):
    """A law whose radii are this integral, in closed form or over lines above Φ."""

    def reach(self, q: mpmath.mpf) -> mpmath.mpf:
        """Return ∫_q^{1/2} dq/Φ(q) for q in [0, 1/2]; infinite or large at 0."""
        raise NotImplementedError

    def lines(self) -> GrowthLines | None:
        """Return lines above Φ at λ = 1, in place of :meth:`reach`."""
        return None

    @property
    def agreement(self) -> float:
        """A part of the margin of lines, if the radius is of lines."""
        return _MARGIN / 256 if self.lines() is not None else 0.0

    def radius(self, p_a_lower: float) -> float:
        """Return S(p_A), rounded down; 0 unless p_A > 1/2."""
        if not p_a_lower > 0.5:
            return 0.0
        lines = self.lines()
        if lines is not None:
            return lines.radius(p_a_lower, self.lam)
        with precision(PRECISION):
            return down(self.reach(1 - mpmath.mpf(p_a_lower)))

    def radius_between(self, p_a_lower: float, p_b_upper: float) -> float:
        """Return (S(p_A) - S(p_B))/2, rounded down; 0 unless p_A > p_B."""
        if not p_a_lower > p_b_upper:
            return 0.0
        lines = self.lines()
        if lines is not None:
            return lines.radius_between(p_a_lower, p_b_upper, self.lam)
        with precision(PRECISION):
            gap = self._signed(mpmath.mpf(p_a_lower)) - self._signed(mpmath.mpf(p_b_upper))
            return down(gap / 2)

    def _signed(self, p: mpmath.mpf) -> mpmath.mpf:
        """Return S(p)."""
        return self.reach(1 - p) if p > 0.5 else -self.reach(p)


class OverlapNoise(LambdaNoise):
    """Uniform noise on a body, certified by what the body shares with a moved one.

    The probability of no set differs by more than the share t of one body that the other does not
    cover, and a set that has that share, and as much more as is wanted, loses all of t. So p_A
    stays above 1/2 as long as t < p_A - 1/2, and above p_B as long as 2t < p_A - p_B; no larger
    radius is true.
    """

    @abstractmethod
    def distance(self, lead: mpmath.mpf) -> mpmath.mpf:
        """Return the largest change at which t is at most ``lead``/2, for a lead > 0."""

    def radius(self, p_a_lower: float) -> float:
        """Return the radius of p_B = 1 - p_A, rounded down; 0 unless p_A > 1/2."""
        with precision(PRECISION):
            lead = 2 * mpmath.mpf(p_a_lower) - 1
            return down(self.distance(lead)) if lead > 0 else 0.0

    def radius_between(self, p_a_lower: float, p_b_upper: float) -> float:
        """Return the distance at which t is (p_A - p_B)/2, rounded down; 0 unless p_A > p_B."""
        with precision(PRECISION):
            lead = mpmath.mpf(p_a_lower) - mpmath.mpf(p_b_upper)
            return down(self.distance(lead)) if lead > 0 else 0.0

    def radius_beside(self, p_other: float) -> float:
        """Return the radius of p_A = 1 - p_other, rounded down; 0 unless p_other < 1/2."""
        with precision(PRECISION):
            lead = 1 - 2 * mpmath.mpf(p_other)
            return down(self.distance(lead)) if lead > 0 else 0.0


def settled(radius: Callable[[float], float], p: float, wanted: float) -> float:
    """Return a probability whose radius is at least ``wanted``, from ``p``, where it almost is.

    A radius is rounded down, so p is raised until the rounding is made good; 1 at most.
    """
    rest = 1.0 - p
    for step in range(60):
        if radius(p) >= wanted:
            return p
        p = min(1.0, p + max(rest * 2.0 ** (step - 50), math.ulp(p)))
    return 1.0


@dataclass(frozen=True, eq=False)
class GrowthLines:
    """Lines above a growth function on [0, 1/2], of which each is used on a stretch of its own.

    Attributes:
        cuts: float64 (n + 1,), ascending, from 0 to 1/2: where a line ends; not where lines meet.
        slopes: float64 (n,), >= 0.
        heights: float64 (n,): the lines' values at 0, >= 0, rounded up; the last is > 0.
    """

    cuts: NDArray[np.float64]
    slopes: NDArray[np.float64]
    heights: NDArray[np.float64]

    def radius(self, p_a_lower: float, lam: float) -> float:
        """Return a value not above λ·S(p_A); 0 unless p_A > 1/2."""
        # 1 - p is exact for a double p above 1/2.
        return _product(lam, self.integral(1.0 - p_a_lower, 0.5)) if p_a_lower > 0.5 else 0.0

    def radius_between(self, p_a_lower: float, p_b_upper: float, lam: float) -> float:
        """Return a value not above λ/2·(S(p_A) - S(p_B)); 0 unless p_A > p_B."""
        if not p_a_lower > p_b_upper:
            return 0.0
        if p_a_lower <= 0.5:
            return _product(lam, self.integral(p_b_upper, p_a_lower) / 2)
        if p_b_upper > 0.5:
            return _product(lam, self.integral(1.0 - p_a_lower, 1.0 - p_b_upper) / 2)
        both = self.integral(1.0 - p_a_lower, 0.5) + self.integral(p_b_upper, 0.5)
        return _product(lam, both / 2)

    def integral(self, low: float, high: float) -> float:
        """Return a value not above ∫ dq/Φ(q) from ``low`` to ``high``, 0 <= low, high <= 1/2."""
        if not low < high:
            return 0.0
        ends = np.clip(self.cuts, low, high)
        used = slice(
            max(0, int(np.searchsorted(self.cuts, low, "right")) - 1),
            int(np.searchsorted(self.cuts, high, "left")),
        )
        slopes, width = self.slopes[used], np.diff(ends)[used]
        start = self.heights[used] + slopes * ends[:-1][used]
        with np.errstate(divide="ignore", invalid="ignore"):
            share = width / start
            grown = slopes * share
            # log1p(x)/x is 1 at x = 0, where the line is flat.
            ratio = np.divide(
                portable.log1p(grown), grown, out=np.ones_like(grown), where=grown > 0
            )
            terms = np.where(np.isinf(grown), math.inf, share * ratio)
        return float(math.fsum(terms)) * (1 - _MARGIN)


def _product(lam: float, integral: float) -> float:
    """Return a value not above λ times ``integral``, also where doubles end; at least 0."""
    return integral if math.isinf(integral) else max(0.0, scale_down(integral, lam))
