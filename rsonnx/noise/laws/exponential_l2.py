"""Noise of density exp(-‖x/λ‖₂) (Yang et al., arXiv 2002.08118)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import mpmath
import numpy as np
from numpy.typing import NDArray

from rsonnx.noise.caps import cap_edge, cap_share
from rsonnx.noise.differential import PRECISION, radius_between_from, radius_from, settled
from rsonnx.noise.law import JointNoise
from rsonnx.noise.rounding import precision
from rsonnx.noise.scale import check_scale, needed_size, shown_sigma
from rsonnx.noise.scaled import ScaledNoise
from rsonnx.noise.shapes import on_spheres


@dataclass(frozen=True)
class ExponentialL2(ScaledNoise, JointNoise):
    """Noise of density proportional to exp(-‖x/λ‖₂) on d values.

    Attributes:
        lam: λ, > 0, in the units of the input; σ = λ·√(d + 1).
        norm: l2.
        size: d, the values of an input.
    """

    norm: str = "l2"

    name: ClassVar[str] = "exp-l2"
    norms: ClassVar[tuple[str, ...]] = ("l2",)
    sized_norms: ClassVar[tuple[str, ...]] = norms
    two_sided: ClassVar[bool] = True

    @classmethod
    def lam_for(cls, sigma: float, size: int | None) -> float:
        """Return the λ at which one of ``size`` values has the standard deviation ``sigma``."""
        return check_scale("sigma", sigma) / math.sqrt(1 + needed_size(size))

    @property
    def deviation(self) -> float:
        """Standard deviation of the noise on one value."""
        return shown_sigma(self.lam * math.sqrt(1 + self._d))

    def radius(self, p_a_lower: float) -> float:
        """Return λ(d - 1)·artanh(1 - 2b), rounded down; 0 unless p_A > 1/2.

        b is the quantile of 1 - p_A of the law Beta((d - 1)/2, (d - 1)/2) (Yang et al., table of
        radii). It is the differential method's integral: ∂ψ/∂x_1 = cos(θ)/λ with the angle θ
        between noise and change, whose largest values lie in the cap cos(θ) >= c of the directions;
        there dq = -f(c) dc and Φ = f(c)(1 - c²)/(λ(d - 1)) with the density f(c) ~ (1 - c²)^((d -
        3)/2). For d = 1 the noise is Laplace noise. For d > 1 the largest radius that is true is
        somewhat larger, since caps around an input are none around a changed one.
        """
        return radius_from(self._reach, p_a_lower)

    def radius_between(self, p_a_lower: float, p_b_upper: float) -> float:
        """Return half the difference of the integrals for p_A and p_B; 0 unless p_A > p_B."""
        return radius_between_from(self._reach, p_a_lower, p_b_upper)

    def _reach(self, q: mpmath.mpf) -> mpmath.mpf:
        lam, d = mpmath.mpf(self.lam), self._d
        if d == 1 or q == 0:
            return -lam * mpmath.log(2 * q)
        edge = cap_edge(q, d)
        return lam * (d - 1) / 2 * mpmath.log((1 - edge) / edge)

    def probability_for(self, radius: float) -> float:
        """Return a p_A in (1/2, 1] at which :meth:`radius` is at least ``radius`` > 0."""
        d = self._d
        if d == 1:
            return super().probability_for(radius)
        with precision(PRECISION):
            odds = mpmath.exp(2 * mpmath.mpf(radius) / (self.lam * (d - 1)))
            p = float(1 - cap_share(1 / (1 + odds), d))
        return settled(self.radius, max(p, math.nextafter(0.5, 1)), radius)

    def draw_samples(
        self, generator: np.random.Generator, samples: int, size: int
    ) -> NDArray[np.float64]:
        """Return floating-point noise, (samples, size): its length has the law λ·Gamma(d)."""
        return on_spheres(generator, self.lam * generator.standard_gamma(size, samples), size)
