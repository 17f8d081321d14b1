"""The isotropic Gaussian, and the radii that it gives (Cohen et al., arXiv 1902.02918)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import mpmath
import numpy as np
from numpy.typing import NDArray

from rsonnx.noise.additive import IndependentNoise, normal_block
from rsonnx.noise.catalogue import noise_of
from rsonnx.noise.differential import settled
from rsonnx.noise.drawing import Drawing, Place
from rsonnx.noise.law import Law
from rsonnx.noise.rounding import normal_cdf
from rsonnx.noise.scale import check_scale, needed_size
from rsonnx.noise.space import InputSpace
from rsonnx.statistics import (
    normal_cdf_up,
    normal_quantile_down,
    normal_quantile_up,
    normal_tail_bounds,
    proves_radius,
    proves_radius_beside,
    proves_two_sided_radius,
    scale_down,
)


@dataclass(frozen=True)
class Gaussian(IndependentNoise):
    """Independent N(0, sigma²) noise on every value.

    Attributes:
        sigma: standard deviation, > 0, in the units of the input.
        norm: l2; l1, whose ball lies inside the l2 ball of the same radius; or linf, whose ball of
            radius r lies inside the l2 ball of radius r·√d.
        size: d, the values of an input; needed for linf only.
    """

    sigma: float
    norm: str = "l2"
    size: int | None = None

    name: ClassVar[str] = "gaussian"
    normal: ClassVar[bool] = True
    norms: ClassVar[tuple[str, ...]] = ("l2", "l1", "linf")

    def __post_init__(self) -> None:
        self._check_norm()
        unused = self.size is None and self.norm != "linf"
        size = None if unused else needed_size(self.size)
        self._settle(sigma=check_scale("sigma", self.sigma), size=size)

    @classmethod
    def suits(cls, space: InputSpace) -> str:
        """All inputs of one unit."""
        one_unit = "values in one unit, such as standardised ones"
        return one_unit if space.layout is None else "images"

    @property
    def deviation(self) -> float:
        """Standard deviation of the noise on one value."""
        return self.sigma

    @property
    def short_label(self) -> str:
        """The usual noise goes by its sigma."""
        return self.settings

    def radius(self, p_a_lower: float) -> float:
        """Return σ·Φ⁻¹(p_A), Theorem 1 with p_B = 1 - p_A, rounded down; 0 unless p_A > 1/2."""
        if p_a_lower <= 0.5:
            return 0.0
        return self._in_norm(scale_down(normal_quantile_down(p_a_lower), self.sigma))

    def radius_between(self, p_a_lower: float, p_b_upper: float) -> float:
        """Return σ/2·(Φ⁻¹(p_A) - Φ⁻¹(p_B)), Theorem 1, rounded down; 0 unless p_A > p_B."""
        if p_a_lower <= p_b_upper:
            return 0.0
        gap = normal_quantile_down(p_a_lower) - normal_quantile_up(p_b_upper)
        return self._in_norm(scale_down(math.nextafter(gap, -math.inf) / 2.0, self.sigma))

    def radius_beside(self, p_other: float) -> float:
        """Return -σ·Φ⁻¹(p_other), rounded down; 0 unless p_other < 1/2."""
        if p_other >= 0.5:
            return 0.0
        return self._in_norm(scale_down(-normal_quantile_up(p_other), self.sigma))

    def _in_norm(self, radius: float) -> float:
        if self.norm == "linf" and self.size is not None:
            radius = radius / math.nextafter(math.sqrt(self.size), math.inf)
            radius = math.nextafter(radius, -math.inf)
        return max(0.0, radius)

    def probability_for(self, radius: float) -> float:
        """Return a p_A in (1/2, 1] at which :meth:`radius` is at least ``radius``: Φ(r/σ), up."""
        far = radius * math.sqrt(self.size) if self.norm == "linf" and self.size else radius
        return settled(self.radius, normal_cdf_up(far / self.sigma), radius)

    def proves(self, radius: float, p_a_lower: float, p_b_upper: float | None) -> bool:
        """Prove a radius by integers; see :meth:`Law.proves`."""
        if radius == 0:
            return True
        radius = self._in_l2(radius)
        if p_b_upper is None:
            return proves_radius(radius, self.sigma, p_a_lower)
        return proves_two_sided_radius(radius, self.sigma, p_a_lower, p_b_upper)

    def proves_beside(self, radius: float, p_other: float) -> bool:
        """Prove a radius by integers; see :meth:`Law.proves_beside`."""
        return radius == 0 or proves_radius_beside(self._in_l2(radius), self.sigma, p_other)

    def _in_l2(self, radius: float) -> float:
        """Return the radius of an l2 ball around the ball of a radius > 0, rounded up."""
        values = (self.size or 1) if self.norm == "linf" else 1
        if values == 1:
            return radius
        # The linf ball of radius r lies in the l2 ball of radius r·√d, whose root is rounded up.
        far = Fraction(radius) * Fraction(math.isqrt(values << 200) + 1, 1 << 100)
        return math.nextafter(float(far), math.inf)

    def cumulative(self, value: mpmath.mpf) -> mpmath.mpf:
        """Return Φ(value/σ) at mpmath's working precision."""
        return normal_cdf(value / mpmath.mpf(self.sigma))

    def tail_bounds(self, distance: Fraction, at: int) -> tuple[Fraction, Fraction]:
        """Enclose Φ(-distance/σ)."""
        del at
        return normal_tail_bounds(distance / Fraction(self.sigma))

    def with_fixed(self, fixed: tuple[int, ...], size: int) -> Law:
        """Return noise of the same sigma on the other values; see :meth:`Law.with_fixed`."""
        if self.norm != "l2":
            return super().with_fixed(fixed, size)
        apart = noise_of("gaussian-per-feature", sigmas=(self.sigma,) * size)
        return apart.with_fixed(fixed, size)

    def open(self, place: Place) -> Drawing:
        """Return the noise of a block, by compiled code where there is any."""
        compiled = None if place.exact else normal_block()
        if compiled is None:
            return super().open(place)
        return compiled(self.sigma, place.key, place.block)

    def draw(self, generator: np.random.Generator, size: int) -> NDArray[np.float64]:
        """Return ``size`` floating-point draws."""
        return self.sigma * generator.standard_normal(size)
