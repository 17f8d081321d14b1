"""Uniform noise on a cube (Lee et al., arXiv 1906.04948; Yang et al., arXiv 2002.08118)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import mpmath
import numpy as np
from numpy.typing import NDArray

from rsonnx.noise.additive import IndependentNoise
from rsonnx.noise.differential import OverlapNoise
from rsonnx.noise.scale import ScaledNoise
from rsonnx.noise.space import InputSpace


@dataclass(frozen=True)
class Uniform(ScaledNoise, OverlapNoise, IndependentNoise):
    """Independent uniform noise on [-λ, λ] on every value.

    Attributes:
        lam: λ, > 0, in the units of the input; σ = λ/√3.
        norm: l1 or linf.
        size: d, the values of an input; needed for linf only.
    """

    name: ClassVar[str] = "uniform"
    norms: ClassVar[tuple[str, ...]] = ("l1", "linf")

    @classmethod
    def ratio(cls, size: int | None, a: float | None = None) -> tuple[float, float]:
        """Return σ at λ = 1 as a quotient."""
        del size, a
        return 1.0, math.sqrt(3)

    @classmethod
    def suits(cls, space: InputSpace) -> str | None:
        """Images."""
        return None if space.layout is None else "images"

    def distance(self, lead: mpmath.mpf) -> mpmath.mpf:
        """Return λ·lead in l1, 2λ(1 - (1 - lead/2)^(1/d)) in linf (Yang et al., table of radii).

        A change δ leaves Π(1 - |δ_j|/2λ) >= 1 - ‖δ‖₁/2λ, with equality where it is in one value;
        in linf the product is least where all values change by the same.
        """
        lam = mpmath.mpf(self.lam)
        if self.norm == "linf":
            return -2 * lam * mpmath.expm1(mpmath.log1p(-lead / 2) / self._d)
        return lam * lead

    def cumulative(self, value: mpmath.mpf) -> mpmath.mpf:
        """Return the distribution function at ``value`` <= 0, at mpmath's working precision."""
        lam = mpmath.mpf(self.lam)
        return max(mpmath.mpf(0), (value + lam) / (2 * lam))

    def tail_bounds(self, distance: Fraction, at: int) -> tuple[Fraction, Fraction]:
        """Return (λ - distance)/2λ, exactly; at least 0."""
        del at
        tail = max(Fraction(0), (1 - distance / Fraction(self.lam)) / 2)
        return tail, tail

    def draw(self, generator: np.random.Generator, size: int) -> NDArray[np.float64]:
        """Return ``size`` floating-point draws."""
        return generator.uniform(-self.lam, self.lam, size)
