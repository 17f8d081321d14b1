"""Uniform noise in a ball (Yang et al., arXiv 2002.08118)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import mpmath
import numpy as np
from numpy.typing import NDArray

from rsonnx.noise.caps import cap_edge, cap_share
from rsonnx.noise.differential import PRECISION, settled
from rsonnx.noise.law import JointNoise
from rsonnx.noise.rounding import down, precision
from rsonnx.noise.scale import check_scale, needed_size, shown_sigma
from rsonnx.noise.scaled import ScaledNoise
from rsonnx.noise.shapes import on_spheres


@dataclass(frozen=True)
class Ball(ScaledNoise, JointNoise):
    """Uniform noise in the ball ‖x‖₂ <= λ of d values.

    Attributes:
        lam: λ, > 0, in the units of the input; σ = λ/√(d + 2).
        norm: l2.
        size: d, the values of an input.
    """

    norm: str = "l2"

    name: ClassVar[str] = "ball"
    norms: ClassVar[tuple[str, ...]] = ("l2",)
    sized_norms: ClassVar[tuple[str, ...]] = norms
    two_sided: ClassVar[bool] = True

    @classmethod
    def lam_for(cls, sigma: float, size: int | None) -> float:
        """Return the λ at which one of ``size`` values has the standard deviation ``sigma``."""
        return check_scale("sigma", sigma) * math.sqrt(2 + needed_size(size))

    @property
    def deviation(self) -> float:
        """Standard deviation of the noise on one value."""
        return shown_sigma(self.lam / math.sqrt(2 + self._d))

    def radius(self, p_a_lower: float) -> float:
        """Return the radius of p_B = 1 - p_A: λ(2 - 4b), rounded down; 0 unless p_A > 1/2.

        b is the quantile of 3/4 - p_A/2 of the law Beta((d + 1)/2, (d + 1)/2) (Yang et al., table
        of radii).
        """
        return self._reaching(2 * mpmath.mpf(p_a_lower) - 1)

    def radius_between(self, p_a_lower: float, p_b_upper: float) -> float:
        """Return the radius at which two balls share 1 - (p_A - p_B)/2 of theirs, rounded down.

        The probability of no set differs by more than the share t of one ball that the other does
        not cover, and that share itself is such a set: 2t < p_A - p_B is all that can be asked, and
        t < p_A - 1/2 where p_B = 1 - p_A.
        """
        with precision(PRECISION):
            return self._reaching(mpmath.mpf(p_a_lower) - mpmath.mpf(p_b_upper))

    def _reaching(self, lead: mpmath.mpf) -> float:
        """Return the distance of centres at which the balls share 1 - ``lead``/2.

        They share two caps of the ball with edges half-way, x_1 >= r/2. A coordinate of a ball of
        R^d is one of the unit sphere of R^(d + 2) times λ.
        """
        if not lead > 0:
            return 0.0
        with precision(PRECISION):
            edge = cap_edge(mpmath.mpf(0.5) - lead / 4, self._sphere)
            return down(2 * mpmath.mpf(self.lam) * (1 - 2 * edge))

    @property
    def _sphere(self) -> int:
        return 2 + self._d

    def probability_for(self, radius: float) -> float:
        """Return a p_A in (1/2, 1] at which :meth:`radius` is at least ``radius`` > 0."""
        if radius >= 2 * self.lam:
            return 1.0
        with precision(PRECISION):
            edge = (1 - mpmath.mpf(radius) / (2 * mpmath.mpf(self.lam))) / 2
            p = float(mpmath.mpf(1.5) - 2 * cap_share(edge, self._sphere))
        return settled(self.radius, min(1.0, max(p, math.nextafter(0.5, 1))), radius)

    def draw_samples(
        self, generator: np.random.Generator, samples: int, size: int
    ) -> NDArray[np.float64]:
        """Return floating-point noise, (samples, size): its length has the law λ·U^(1/d)."""
        lengths = self.lam * generator.random(samples) ** (1 / size)
        return on_spheres(generator, lengths, size)
