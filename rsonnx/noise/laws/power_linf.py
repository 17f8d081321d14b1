"""Noise of density (1 + ‖x/λ‖∞)^-a (Yang et al., arXiv 2002.08118)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from rsonnx.noise.additive import JointNoise
from rsonnx.noise.differential import DifferentialNoise, GrowthLines
from rsonnx.noise.laws.exponential_linf import in_cubes
from rsonnx.noise.options import option
from rsonnx.noise.scale import check_exponent, check_scale, needed_size
from rsonnx.statistics import portable, special

_LINES = 4096
"""Tangents on the near and on the wide half of the probabilities: a table takes milliseconds."""


def _beta_margin(a: float) -> float:
    """Return a relative margin on scipy's incomplete beta function with givens of sum ``a``.

    Its error against mpmath was below 1e-12 for a <= 350,000 and grows with a: below a·2^-57.
    """
    return 2.0**-34 + a * 2.0**-53


@dataclass(frozen=True)
class PowerLinf(DifferentialNoise, JointNoise):
    """Noise of density proportional to (1 + ‖x/λ‖∞)^-a on d values.

    Attributes:
        lam: λ, > 0, in the units of the input; σ² = λ²(d + 1)(d + 2)/(3(a - d - 1)(a - d - 2)) for
            a > d + 2.
        a: the exponent, > d.
        norm: l1 or linf.
        size: d, the values of an input.
    """

    lam: float
    a: float = field(metadata=option("A", "exponent, above the number of values of an input"))
    norm: str = "l1"
    size: int | None = None

    name: ClassVar[str] = "power-linf"
    norms: ClassVar[tuple[str, ...]] = ("l1", "linf")

    def __post_init__(self) -> None:
        lam, size = check_scale("lambda", self.lam), needed_size(self.size)
        self._check_norm()
        self._settle(lam=lam, size=size, a=check_exponent(self.a, size, self.name))

    @classmethod
    def ratio(cls, size: int | None, a: float | None = None) -> tuple[float, float] | None:
        """Return σ at λ = 1 as a quotient: E t²/3 for t of :meth:`draw_samples`."""
        d = needed_size(size)
        a = check_exponent(a, d, cls.name)
        if a <= d + 2:
            return None
        return math.sqrt((d + 1) * (d + 2) / (3 * (a - d - 1) * (a - d - 2))), 1.0

    @property
    def settings(self) -> str:
        """``a = 4000 lambda = 0.5``."""
        return f"a = {self.a:g} lambda = {self.lam:g}"

    def lines(self) -> GrowthLines:
        """Return tangents of Φ.

        ∂_v ψ = (a/λ)/(1 + s) with s = ‖x/λ‖∞ where v moves the largest value outward. In linf that
        can be half of all noise; its largest values are where s is small, and s/(1 + s) has the law
        Beta(d, a - d). In l1 it is a share of 1/(2d), so Φ is constant from there on: the radius is
        2λd/(a - d)·(p_A - 1/2) (Yang et al., table of radii) for p_A <= 1 - 1/(2d), and beyond
        λ(d - 1)/(a - d) more than the linf radius of 1 - d(1 - p_A).

        Tangents lie above Φ: less than 1e-6 of the integral is lost for p_A >= 0.51, and 1e-10 in
        l1 for p_A <= 1 - 1/(2d).
        """
        d = needed_size(self.size)
        return _growth(self.a, d, d if self.norm == "l1" else 1)

    def draw_samples(
        self, generator: np.random.Generator, samples: int, size: int
    ) -> NDArray[np.float64]:
        """Return floating-point noise, (samples, size).

        (1 + s)^-a is a multiple of ∫_s^∞ (1 + t)^-(a + 1) dt, so the law is a mixture of uniform
        ones on cubes [-t, t]^d, where t is the ratio of a Gamma(d + 1) and a Gamma(a - d) variable.
        """
        sides = generator.standard_gamma(size + 1, samples)
        sides /= generator.standard_gamma(self.a - size, samples)
        return in_cubes(generator, self.lam * sides, size)


@lru_cache(maxsize=16)
def _growth(a: float, size: int, faces: int) -> GrowthLines:
    """Return lines above Φ at λ = 1 for changes that can use a share of 1/(2·faces) of all noise.

    With t = s/(1 + s) and b = a - d: q = I_t(d, b)/(2·faces), Φ = b·I_t(d, b + 1)/(2·faces), and
    the slope of the tangent is a(1 - t). Any t gives a tangent, so its own error does no harm.
    """
    b = a - size
    near = portable.exp(np.linspace(-54 * math.log(2), math.log(0.02), _LINES))
    wide = np.linspace(0.02, 0.5, _LINES + 1)[1:-1]
    t = special.betaincinv(size, b, 2 * np.concatenate([near, wide]))
    t = t[(t > 0) & (t <= 1)]  # without those that scipy cannot find
    mass = special.betainc(size, b, t) / 2
    growth = b * special.betainc(size, b + 1, t) / 2
    slopes = a * (1 - t)
    heights = growth - slopes * mass + _beta_margin(a) * (growth + slopes * mass)
    # Far out the tangent is the constant b/2, which bounds Φ everywhere.
    cuts = np.concatenate([[0.0], (mass[1:] + mass[:-1]) / 2, [(mass[-1] + 0.5) / 2, 0.5]]) / faces
    slopes = np.append(slopes, 0.0)
    heights = np.append(heights, b / 2) / faces
    cuts[-1] = 0.5
    return GrowthLines(np.maximum.accumulate(cuts), slopes, heights)
