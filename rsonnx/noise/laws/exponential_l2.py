"""Noise of density exp(-‖x/λ‖₂) (Yang et al., arXiv 2002.08118)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import mpmath
import numpy as np
from numpy.typing import NDArray

from rsonnx.noise.additive import JointNoise
from rsonnx.noise.differential import PRECISION, DifferentialNoise, settled
from rsonnx.noise.rounding import precision
from rsonnx.noise.scale import ScaledNoise, needed_size
from rsonnx.noise.spheres import cap_edge, cap_share, on_spheres


@dataclass(frozen=True)
class ExponentialL2(ScaledNoise, DifferentialNoise, JointNoise):
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

    @classmethod
    def ratio(cls, size: int | None, a: float | None = None) -> tuple[float, float]:
        """Return σ at λ = 1 as a quotient."""
        del a
        return math.sqrt(1 + needed_size(size)), 1.0

    def reach(self, q: mpmath.mpf) -> mpmath.mpf:
        """Return λ(d - 1)·artanh(1 - 2b); for d = 1 the noise is Laplace noise.

        b is the quantile of q of the law Beta((d - 1)/2, (d - 1)/2) (Yang et al., table of radii).
        ∂ψ/∂x_1 = cos(θ)/λ with the angle θ between noise and change, whose largest values lie in
        the cap cos(θ) >= c of the directions; there dq = -f(c) dc and
        Φ = f(c)(1 - c²)/(λ(d - 1)) with the density f(c) ~ (1 - c²)^((d - 3)/2). For d > 1 the
        largest radius that is true is somewhat larger, since caps around an input are none around
        a changed one.
        """
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
