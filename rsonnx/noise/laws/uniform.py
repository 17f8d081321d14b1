"""Uniform noise on a cube (Lee et al., arXiv 1906.04948; Yang et al., arXiv 2002.08118)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import mpmath
import numpy as np
from numpy.typing import NDArray

from rsonnx.noise.differential import PRECISION
from rsonnx.noise.law import IndependentNoise
from rsonnx.noise.rounding import down, precision
from rsonnx.noise.scale import check_scale, shown_sigma
from rsonnx.noise.scaled import ScaledNoise


@dataclass(frozen=True)
class Uniform(ScaledNoise, IndependentNoise):
    """Independent uniform noise on [-λ, λ] on every value.

    Noise of an input and of a changed one are uniform on two cubes of side 2λ. The probability of
    no set differs by more than the share t of one cube that the other does not cover, and a set
    that has that share, and as much more as is wanted, loses all of t. So p_A stays above 1/2 as
    long as t < p_A - 1/2, and above p_B as long as 2t < p_A - p_B; no larger radius is true.

    Attributes:
        lam: λ, > 0, in the units of the input; σ = λ/√3.
        norm: l1 or linf.
        size: d, the values of an input; needed for linf only.
    """

    name: ClassVar[str] = "uniform"
    norms: ClassVar[tuple[str, ...]] = ("l1", "linf")
    sized_norms: ClassVar[tuple[str, ...]] = ("linf",)
    two_sided: ClassVar[bool] = True

    @classmethod
    def lam_for(cls, sigma: float, size: int | None) -> float:
        """Return the λ whose standard deviation is ``sigma``."""
        del size
        return check_scale("sigma", sigma) * math.sqrt(3)

    @property
    def deviation(self) -> float:
        """Standard deviation of the noise on one value."""
        return shown_sigma(self.lam / math.sqrt(3))

    def radius(self, p_a_lower: float) -> float:
        """Return the certified radius: that of p_B = 1 - p_A, 2λ(p_A - 1/2) in l1.

        In linf it is 2λ(1 - (3/2 - p_A)^(1/d)); 0 unless p_A > 1/2 (Yang et al., table of radii).
        """
        return self._reaching(2 * mpmath.mpf(p_a_lower) - 1)

    def radius_between(self, p_a_lower: float, p_b_upper: float) -> float:
        """Return the radius at which t reaches (p_A - p_B)/2, rounded down; 0 unless p_A > p_B."""
        with precision(PRECISION):
            return self._reaching(mpmath.mpf(p_a_lower) - mpmath.mpf(p_b_upper))

    def _reaching(self, lead: mpmath.mpf) -> float:
        """Return the largest change that leaves at least 1 - ``lead``/2 of the cube covered.

        A change δ leaves Π(1 - |δ_j|/2λ) >= 1 - ‖δ‖₁/2λ, with equality where it is in one value;
        in linf the product is least where all values change by the same.
        """
        if not lead > 0:
            return 0.0
        with precision(PRECISION):
            lam = mpmath.mpf(self.lam)
            if self.norm == "linf":
                return down(-2 * lam * mpmath.expm1(mpmath.log1p(-lead / 2) / self._d))
            return down(lam * lead)

    def cumulative(self, value: mpmath.mpf) -> mpmath.mpf:
        """Return the distribution function at ``value`` <= 0, at mpmath's working precision."""
        lam = mpmath.mpf(self.lam)
        return max(mpmath.mpf(0), (value + lam) / (2 * lam))

    def draw(self, generator: np.random.Generator, size: int) -> NDArray[np.float64]:
        """Return ``size`` floating-point draws."""
        return generator.uniform(-self.lam, self.lam, size)
