"""Noise of density exp(-‖x/λ‖∞) (Yang et al., arXiv 2002.08118)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import mpmath
import numpy as np
from numpy.typing import NDArray

from rsonnx.noise.additive import JointNoise
from rsonnx.noise.differential import DifferentialNoise
from rsonnx.noise.scale import ScaledNoise, needed_size


@dataclass(frozen=True)
class ExponentialLinf(ScaledNoise, DifferentialNoise, JointNoise):
    """Noise of density proportional to exp(-‖x/λ‖∞) on d values.

    Attributes:
        lam: λ, > 0, in the units of the input; σ = λ·√((d + 1)(d + 2)/3).
        norm: l1 or linf.
        size: d, the values of an input.
    """

    name: ClassVar[str] = "exp-linf"
    norms: ClassVar[tuple[str, ...]] = ("l1", "linf")
    sized_norms: ClassVar[tuple[str, ...]] = norms

    @classmethod
    def ratio(cls, size: int | None, a: float | None = None) -> tuple[float, float]:
        """Return σ at λ = 1 as a quotient: E t²/3 where t has the law Gamma(d + 1)."""
        del a
        d = needed_size(size)
        return math.sqrt((d + 1) * (d + 2) / 3), 1.0

    def reach(self, q: mpmath.mpf) -> mpmath.mpf:
        """Return the differential method's integral.

        In linf: -λ·ln(2q). Along the diagonal the noise splits into a Laplace variable,
        (max_j x_j + min_j x_j)/2, and one that is independent of it, so no larger radius is true.

        In l1: ∂ψ/∂x_1 is ±1/λ where x_1 is the largest value, with probability 1/(2d) each, else 0,
        so Φ(q) = min(q, 1/(2d))/λ up to 1/2, and the radius is 2dλ(p_A - 1/2) for p_A <= 1 - 1/(2d)
        and λ(d - 1) - λ·ln(2d(1 - p_A)) beyond. That is Yang et al.'s 2λ·d(p_A - 1/2), which they
        and others state for p_A <= 1 - 1/d, continued.
        """
        lam, d = mpmath.mpf(self.lam), self._d
        if self.norm == "linf":
            return -lam * mpmath.log(2 * q)
        if 2 * d * q >= 1:
            return 2 * d * lam * (mpmath.mpf(0.5) - q)
        return lam * (d - 1 - mpmath.log(2 * d * q))

    def draw_samples(
        self, generator: np.random.Generator, samples: int, size: int
    ) -> NDArray[np.float64]:
        """Return floating-point noise, (samples, size).

        exp(-s) = ∫_s^∞ exp(-t) dt, so the law is a mixture of uniform ones on cubes [-t, t]^d with
        the weights t^d·exp(-t).
        """
        return in_cubes(generator, self.lam * generator.standard_gamma(size + 1, samples), size)


def in_cubes(
    generator: np.random.Generator, sides: NDArray[np.float64], size: int
) -> NDArray[np.float64]:
    """Return a uniform point of each cube [-s, s]^size, (len(sides), size)."""
    points = generator.random((len(sides), size))
    points -= 0.5
    points *= 2.0 * sides[:, None]
    return points
