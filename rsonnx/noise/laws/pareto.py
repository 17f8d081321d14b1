"""Pareto noise: a power law on every value (Yang et al., arXiv 2002.08118)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import mpmath
import numpy as np
from numpy.typing import NDArray

from rsonnx.noise.additive import IndependentNoise
from rsonnx.noise.differential import DifferentialNoise, settled
from rsonnx.noise.options import option
from rsonnx.noise.scale import check_exponent, check_scale
from rsonnx.statistics import special


@dataclass(frozen=True)
class Pareto(DifferentialNoise, IndependentNoise):
    r"""Independent noise of density a/(2λ)·(1 + \|x\|/λ)^-(a + 1) on every value.

    It is drawn in floating point: a table of exact noise has no room for so heavy a tail.

    Attributes:
        lam: λ, > 0, in the units of the input; σ = λ·√(2/((a - 1)(a - 2))) for a > 2.
        a: the exponent of the tail, > 0; for a <= 2 there is no standard deviation.
        norm: l1.
    """

    lam: float
    a: float = field(default=3.0, metadata=option("A", "exponent of the tail, above 2 for a sigma"))
    norm: str = "l1"

    name: ClassVar[str] = "pareto"
    norms: ClassVar[tuple[str, ...]] = ("l1",)
    exact: ClassVar[bool] = False
    calculable: ClassVar[bool] = False  # nothing encloses its tail by other arithmetic

    def __post_init__(self) -> None:
        lam = check_scale("lambda", self.lam)
        self._settle(lam=lam, a=check_exponent(self.a, 0, self.name))
        self._check_norm()

    @classmethod
    def ratio(cls, size: int | None, a: float | None = None) -> tuple[float, float] | None:
        """Return σ at λ = 1 as a quotient; None for a <= 2."""
        del size
        a = check_exponent(3.0 if a is None else a, 0, cls.name)
        return (math.sqrt(2 / ((a - 1) * (a - 2))), 1.0) if a > 2 else None

    @property
    def settings(self) -> str:
        """``a = 3 lambda = 0.5``."""
        return f"a = {self.a:g} lambda = {self.lam:g}"

    def reach(self, q: mpmath.mpf) -> mpmath.mpf:
        """Return λw/a·₂F₁(1, b; b + 1; w^(1 + 1/a)) with w = 1 - 2q and b = a/(a + 1).

        Yang et al., table of radii. ∂ψ/∂x_1 falls with x_1 > 0, so that
        Φ(q) = a/(2λ)·(1 - (1 - 2q)^(1 + 1/a)): the density at 0 less that at the end of the
        interval above 0 of probability q. Such intervals move with the input, so the largest
        radius that is true is somewhat larger.
        """
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
