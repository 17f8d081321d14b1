"""The isotropic Gaussian, and the radius that it gives (Cohen et al., arXiv 1902.02918)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real

import mpmath
import numpy as np
from numpy.typing import NDArray

from rsonnx.errors import UsageError
from rsonnx.statistics import normal_cdf_up, normal_quantile_down, scale_down


@dataclass(frozen=True)
class Gaussian:
    """Independent N(0, sigma²) noise on every value; ``sigma`` > 0 in the units of the input."""

    sigma: float

    def __post_init__(self) -> None:
        sigma = self.sigma
        number = isinstance(sigma, Real) and not isinstance(sigma, bool)
        if not number or not (math.isfinite(sigma) and sigma > 0):
            raise UsageError(
                f"sigma is {sigma!r}, but the standard deviation of the noise must be a finite "
                "number above 0, in the units of the input (0.25 and 0.5 are usual for [0, 1])"
            )
        object.__setattr__(self, "sigma", float(sigma))

    @property
    def name(self) -> str:
        """The distribution's name in run files."""
        return "gaussian"

    @property
    def norm(self) -> str:
        """The norm in which :meth:`radius` is measured."""
        return "l2"

    def radius(self, p_a_lower: float) -> float:
        """Return the certified l2 radius, rounded down: σ·Φ⁻¹(p_A), Theorem 1 with p_B = 1 - p_A.

        Args:
            p_a_lower: lower bound on the probability of the top class, in [0, 1].

        Returns:
            The radius in the units of the input; 0 where the bound is not above 1/2.
        """
        if p_a_lower <= 0.5:
            return 0.0
        return max(0.0, scale_down(normal_quantile_down(p_a_lower), self.sigma))

    def probability_for(self, radius: float) -> float:
        """Return a p_A at which :meth:`radius` is at least ``radius``: Φ(r/σ), rounded up.

        Args:
            radius: to be certified, > 0, in the units of the input.

        Returns:
            A probability in (1/2, 1]; 1 where no double below it will do.
        """
        p = normal_cdf_up(radius / self.sigma)
        rest = 1.0 - p
        # The radius of p is rounded down, so p is raised until the rounding is made good.
        for step in range(60):
            if self.radius(p) >= radius:
                return p
            p = min(1.0, p + rest * 2.0 ** (step - 50))
        return 1.0

    def cumulative(self, value: mpmath.mpf) -> mpmath.mpf:
        """Return Φ(value/σ) at mpmath's working precision."""
        return mpmath.ncdf(value / mpmath.mpf(self.sigma))

    def draw(self, generator: np.random.Generator, size: int) -> NDArray[np.float64]:
        """Return ``size`` floating-point draws."""
        return self.sigma * generator.standard_normal(size)
