"""Pareto noise: a power law on every value (Yang et al., arXiv 2002.08118)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import mpmath
import numpy as np
from numpy.typing import NDArray
from scipy import special

from rsonnx.errors import UsageError
from rsonnx.noise.differential import radius_between_from, radius_from, settled
from rsonnx.noise.law import IndependentNoise
from rsonnx.noise.scale import check_exponent, check_scale, shown_sigma


@dataclass(frozen=True)
class Pareto(IndependentNoise):
    """Independent noise of density a/(2λ)·(1 + \\|x\\|/λ)^-(a + 1) on every value.

    It is drawn in floating point: a table of exact noise has no room for so heavy a tail.

    Attributes:
        lam: λ, > 0, in the units of the input; σ = λ·√(2/((a - 1)(a - 2))) for a > 2.
        a: the exponent of the tail, > 0; for a <= 2 there is no standard deviation.
        norm: l1.
    """

    lam: float
    a: float = 3.0
    norm: str = "l1"

    name: ClassVar[str] = "pareto"
    norms: ClassVar[tuple[str, ...]] = ("l1",)
    exact: ClassVar[bool] = False
    two_sided: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "lam", check_scale("lambda", self.lam))
        object.__setattr__(self, "a", check_exponent(self.a, 0, self.name))
        self._check_norm()

    @classmethod
    def lam_for(cls, sigma: float, size: int | None, a: float = 3.0) -> float:
        """Return the λ whose standard deviation is ``sigma``; a must be above 2."""
        del size
        deviation = _deviation(check_exponent(a, 0, cls.name))
        if deviation is None:
            raise UsageError(
                f"pareto noise with a = {a:g} has no standard deviation, which needs a > 2; give "
                "lambda in place of sigma, or a larger a"
            )
        return check_scale("sigma", sigma) / deviation

    @property
    def deviation(self) -> float | None:
        """Standard deviation of the noise on one value; None for a <= 2."""
        deviation = _deviation(self.a)
        return None if deviation is None else shown_sigma(self.lam * deviation)

    @property
    def settings(self) -> str:
        """``a = 3 lambda = 0.5``."""
        return f"a = {self.a:g} lambda = {self.lam:g}"

    def radius(self, p_a_lower: float) -> float:
        """Return the differential method's integral, rounded down; 0 unless p_A > 1/2.

        λw/a·₂F₁(1, b; b + 1; w^(1 + 1/a)) with w = 2p_A - 1 and b = a/(a + 1) (Yang et al., table
        of radii). ∂ψ/∂x_1 falls with x_1 > 0, so that Φ(q) = a/(2λ)·(1 - (1 - 2q)^(1 + 1/a)): the
        density at 0 less that at the end of the interval above 0 of probability q. Such intervals
        move with the input, so the largest radius that is true is somewhat larger.
        """
        return radius_from(self._reach, p_a_lower)

    def radius_between(self, p_a_lower: float, p_b_upper: float) -> float:
        """Return half the difference of the integrals for p_A and p_B; 0 unless p_A > p_B."""
        return radius_between_from(self._reach, p_a_lower, p_b_upper)

    def _reach(self, q: mpmath.mpf) -> mpmath.mpf:
        if q == 0:
            return mpmath.inf
        a, w = mpmath.mpf(self.a), 1 - 2 * q
        b = a / (a + 1)
        return self.lam * w / a * mpmath.hyp2f1(1, b, b + 1, w ** (1 + 1 / a))

    def probability_for(self, radius: float) -> float:
        """Return a p_A in (1/2, 1] at which :meth:`radius` is at least ``radius`` > 0.

        Bisected in doubles first: the function of high precision takes milliseconds.
        """
        b = self.a / (self.a + 1)
        low, high = 0.0, 1.0
        while low < (w := 0.5 * (low + high)) < high:
            reached = self.lam * w / self.a * special.hyp2f1(1, b, b + 1, w ** (1 + 1 / self.a))
            low, high = (low, w) if reached >= radius else (w, high)
        return settled(self.radius, max(0.5 + high / 2, math.nextafter(0.5, 1)), radius)

    def cumulative(self, value: mpmath.mpf) -> mpmath.mpf:
        """Return the distribution function at ``value`` <= 0, at mpmath's working precision."""
        return (1 - value / mpmath.mpf(self.lam)) ** -mpmath.mpf(self.a) / 2

    def draw(self, generator: np.random.Generator, size: int) -> NDArray[np.float64]:
        """Return ``size`` floating-point draws, one uniform number each."""
        around = generator.random(size) - 0.5
        tail = np.maximum(1.0 - 2.0 * np.abs(around), 2.0**-54)
        return np.copysign(self.lam * (tail ** (-1.0 / self.a) - 1.0), around)


def _deviation(a: float) -> float | None:
    """Return σ at λ = 1."""
    return math.sqrt(2 / ((a - 1) * (a - 2))) if a > 2 else None
