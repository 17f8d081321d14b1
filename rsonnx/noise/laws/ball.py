"""Uniform noise in a ball (Yang et al., arXiv 2002.08118)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import mpmath
import numpy as np
from numpy.typing import NDArray

from rsonnx.noise.additive import JointNoise
from rsonnx.noise.differential import PRECISION, OverlapNoise, settled
from rsonnx.noise.rounding import precision
from rsonnx.noise.scale import ScaledNoise, needed_size
from rsonnx.noise.spheres import cap_edge, cap_share, on_spheres


@dataclass(frozen=True)
class Ball(ScaledNoise, OverlapNoise, JointNoise):
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

    @classmethod
    def ratio(cls, size: int | None, a: float | None = None) -> tuple[float, float]:
        """Return σ at λ = 1 as a quotient."""
        del a
        return 1.0, math.sqrt(2 + needed_size(size))

    def distance(self, lead: mpmath.mpf) -> mpmath.mpf:
        """Return the distance of centres at which the balls share 1 - ``lead``/2: λ(2 - 4b).

        b is the quantile of (2 - lead)/4 of the law Beta((d + 1)/2, (d + 1)/2) (Yang et al., table
        of radii). They share two caps of the ball with edges half-way, x_1 >= r/2, and a
        coordinate of a ball of R^d is one of the unit sphere of R^(d + 2) times λ.
        """
        edge = cap_edge(mpmath.mpf(0.5) - lead / 4, 2 + self._d)
        return 2 * mpmath.mpf(self.lam) * (1 - 2 * edge)

    def probability_for(self, radius: float) -> float:
        """Return a p_A in (1/2, 1] at which :meth:`radius` is at least ``radius`` > 0."""
        if radius >= 2 * self.lam:
            return 1.0
        with precision(PRECISION):
            edge = (1 - mpmath.mpf(radius) / (2 * mpmath.mpf(self.lam))) / 2
            p = float(mpmath.mpf(1.5) - 2 * cap_share(edge, 2 + self._d))
        return settled(self.radius, min(1.0, max(p, math.nextafter(0.5, 1))), radius)

    def draw_samples(
        self, generator: np.random.Generator, samples: int, size: int
    ) -> NDArray[np.float64]:
        """Return floating-point noise, (samples, size): its length has the law λ·U^(1/d)."""
        lengths = self.lam * generator.random(samples) ** (1 / size)
        return on_spheres(generator, lengths, size)
