"""Laplace noise and its radii (Teng, Lee and Yuan, ℓ1 certificates; Yang et al., 2002.08118)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import ClassVar

import mpmath
import numpy as np
from numpy.typing import NDArray

from rsonnx.noise.additive import IndependentNoise
from rsonnx.noise.differential import PRECISION, DifferentialNoise, GrowthLines
from rsonnx.noise.rounding import down, precision
from rsonnx.noise.scale import ScaledNoise
from rsonnx.noise.space import InputSpace
from rsonnx.statistics import exp_minus, scale_down

_FAR = 1 << 20
"""In scales: e to minus it is far below the doubles."""


@dataclass(frozen=True)
class Laplace(ScaledNoise, DifferentialNoise, IndependentNoise):
    r"""Independent noise of density exp(-\|x\|/λ)/(2λ) on every value.

    Attributes:
        lam: λ, > 0, in the units of the input; σ = √2·λ.
        norm: l1, or linf by the integral of the differential method, true to 2^-40 of it.
        size: d, the values of an input; needed for linf only.
    """

    name: ClassVar[str] = "laplace"
    norms: ClassVar[tuple[str, ...]] = ("l1", "linf")

    @classmethod
    def ratio(cls, size: int | None, a: float | None = None) -> tuple[float, float]:
        """Return σ at λ = 1 as a quotient."""
        del size, a
        return math.sqrt(2), 1.0

    @classmethod
    def suits(cls, space: InputSpace) -> str | None:
        """Images, and tables whose values are bounded."""
        if space.layout is not None:
            return "images"
        return "values in one unit" if math.isfinite(space.step) else None

    def reach(self, q: mpmath.mpf) -> mpmath.mpf:
        """Return -λ·ln(2q), from Φ(q) = min(q, 1 - q)/λ in l1 (Teng et al., Theorem 1).

        The half-space x_1 <= t shows that no larger radius is true. Between p_A and p_B it is
        λ/2·(F⁻¹(p_A) - F⁻¹(p_B)) with the Laplace quantile F⁻¹ at λ = 1, and half-spaces reach it.
        It is never below the theorem of Teng et al., λ·max(½ ln(p_A/p_B), -ln(1 - p_A + p_B)): for
        p_B <= 1/2 <= p_A it is -λ/2·ln(4(1 - p_A)p_B), where 4(1 - p_A)p_B <= (1 - p_A + p_B)² and
        4(1 - p_A)p_A <= 1; for p_A <= 1/2 it is the first term, and for p_B >= 1/2,
        ½ ln((1 - p_B)/(1 - p_A)), as for swapped classes.
        """
        return -mpmath.mpf(self.lam) * mpmath.log(2 * q)

    def radius_beside(self, p_other: float) -> float:
        """Return S(1 - p_other), rounded down; 0 unless p_other < 1/2."""
        if not p_other < 0.5:
            return 0.0
        lines = self.lines()
        if lines is not None:
            return max(0.0, scale_down(lines.integral(p_other, 0.5), self.lam))
        with precision(PRECISION):
            return down(self.reach(mpmath.mpf(p_other)))

    def tail_bounds(self, distance: Fraction, at: int) -> tuple[Fraction, Fraction]:
        """Enclose exp(-distance/λ)/2."""
        del at
        if not distance:
            return Fraction(1, 2), Fraction(1, 2)
        x = distance / Fraction(self.lam)
        if x > _FAR:  # where it is far below the doubles
            return Fraction(0), self.tail_bounds(_FAR * Fraction(self.lam), 0)[1]
        low, high = (exp_minus(x, up) for up in (False, True))
        return Fraction(low[0]) * Fraction(2) ** (low[1] - 1), Fraction(high[0]) * Fraction(2) ** (
            high[1] - 1
        )

    def lines(self) -> GrowthLines | None:
        """Return Φ in linf, which is made of lines."""
        return _sign_growth(self._d) if self.norm == "linf" else None

    def cumulative(self, value: mpmath.mpf) -> mpmath.mpf:
        """Return the distribution function at ``value`` <= 0, at mpmath's working precision."""
        return mpmath.exp(value / mpmath.mpf(self.lam)) / 2

    def draw(self, generator: np.random.Generator, size: int) -> NDArray[np.float64]:
        """Return ``size`` floating-point draws."""
        return generator.laplace(0.0, self.lam, size)


@lru_cache(maxsize=16)
def _sign_growth(size: int) -> GrowthLines:
    """Return the growth function of Laplace noise of λ = 1 in linf, which is made of lines.

    Along a vertex v of the cube, ∂_v ψ is a sum of d random signs, D = 2B - d with B binomial, so
    that Φ(q) is the mean of D over its largest values: slope 2k - d between P(B > k) and P(B >= k),
    on the line that is E(D - (2k - d))₊ at 0. Where P(B > k) < 2^-54, the line goes on to 0.
    """
    with precision(256):
        k = (size + 1) // 2
        mass = mpmath.binomial(size, k) / mpmath.mpf(2) ** size
        # E D₊ = k·P(B = k) for this k; from one line to the next, the height falls by 2P(B > k).
        at_least = (1 + mass) / 2 if size % 2 == 0 else mpmath.mpf(0.5)
        height = k * mass
        if size % 2:
            height -= at_least
        cuts, slopes, heights = [0.5], [], []
        while True:
            slopes.append(float(2 * k - size))
            heights.append(math.nextafter(float(height), math.inf) if k < size else 0.0)
            above = at_least - mass
            if k == size or above < mpmath.mpf(2) ** -54:
                break
            cuts.append(float(above))
            height -= 2 * above
            mass *= mpmath.mpf(size - k) / (k + 1)
            at_least = above
            k += 1
    cuts.append(0.0)
    return GrowthLines(*(np.array(values[::-1]) for values in (cuts, slopes, heights)))
