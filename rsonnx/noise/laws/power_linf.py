"""Noise of density (1 + ‖x/λ‖∞)^-a (Yang et al., arXiv 2002.08118)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import special

from rsonnx.errors import UsageError
from rsonnx.noise.differential import GrowthLines
from rsonnx.noise.law import JointNoise
from rsonnx.noise.scale import check_exponent, check_scale, needed_size, shown_sigma
from rsonnx.noise.shapes import in_cubes

_LINES = 4096
"""Tangents on the near and on the wide half of the probabilities: a table takes milliseconds."""


def _beta_margin(a: float) -> float:
    """Return a relative margin on scipy's incomplete beta function with parameters of sum ``a``.

    Its error against mpmath was below 1e-12 for a <= 350,000 and grows with a: below a·2^-57.
    """
    return 2.0**-34 + a * 2.0**-53


@dataclass(frozen=True)
class PowerLinf(JointNoise):
    """Noise of density proportional to (1 + ‖x/λ‖∞)^-a on d values.

    Attributes:
        lam: λ, > 0, in the units of the input; σ² = λ²(d + 1)(d + 2)/(3(a - d - 1)(a - d - 2)) for
            a > d + 2.
        a: the exponent, > d.
        norm: l1 or linf.
        size: d, the values of an input.
    """

    lam: float
    a: float
    norm: str = "l1"
    size: int | None = None

    name: ClassVar[str] = "power-linf"
    norms: ClassVar[tuple[str, ...]] = ("l1", "linf")
    two_sided: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "lam", check_scale("lambda", self.lam))
        self._check_norm()
        size = needed_size(self.size)
        object.__setattr__(self, "size", size)
        object.__setattr__(self, "a", check_exponent(self.a, size, self.name))

    @classmethod
    def lam_for(cls, sigma: float, size: int | None, a: float | None = None) -> float:
        """Return the λ whose standard deviation is ``sigma``; a must be above size + 2."""
        if a is None:
            raise UsageError(f"{cls.name} noise needs a, which was not given; give it")
        d = needed_size(size)
        deviation = _deviation(check_exponent(a, d, cls.name), d)
        if deviation is None:
            raise UsageError(
                f"power-linf noise with a = {a:g} on {d} values has no standard deviation, which "
                f"needs a > {d + 2}; give lambda in place of sigma, or a larger a"
            )
        return check_scale("sigma", sigma) / deviation

    @property
    def deviation(self) -> float | None:
        """Standard deviation of the noise on one value; None for a <= d + 2."""
        deviation = _deviation(self.a, needed_size(self.size))
        return None if deviation is None else shown_sigma(self.lam * deviation)

    @property
    def settings(self) -> str:
        """``a = 3 lambda = 0.5``."""
        return f"a = {self.a:g} lambda = {self.lam:g}"

    def radius(self, p_a_lower: float) -> float:
        """Return the differential method's integral, rounded down; 0 unless p_A > 1/2.

        ∂_v ψ = (a/λ)/(1 + s) with s = ‖x/λ‖∞ where v moves the largest value outward. In linf that
        can be half of all noise; its largest values are where s is small, and s/(1 + s) has the law
        Beta(d, a - d). In l1 it is a share of 1/(2d), so Φ is constant from there on: the radius is
        2λd/(a - d)·(p_A - 1/2) (Yang et al., table of radii) for p_A <= 1 - 1/(2d), and beyond
        λ(d - 1)/(a - d) more than the linf radius of 1 - d(1 - p_A).

        Both are summed over tangents of Φ, which lie above it: less than 1e-6 of the integral is
        lost for p_A >= 0.51, and 1e-10 in l1 for p_A <= 1 - 1/(2d).
        """
        return self._growth.radius(p_a_lower, self.lam)

    def radius_between(self, p_a_lower: float, p_b_upper: float) -> float:
        """Return half the difference of the integrals for p_A and p_B; 0 unless p_A > p_B."""
        return self._growth.radius_between(p_a_lower, p_b_upper, self.lam)

    @property
    def _growth(self) -> GrowthLines:
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


def _deviation(a: float, size: int) -> float | None:
    """Return σ at λ = 1: E t²/3 for t of :meth:`PowerLinf.draw_samples`."""
    if a <= size + 2:
        return None
    return math.sqrt((size + 1) * (size + 2) / (3 * (a - size - 1) * (a - size - 2)))


@lru_cache(maxsize=16)
def _growth(a: float, size: int, faces: int) -> GrowthLines:
    """Return lines above Φ at λ = 1 for changes that can use a share of 1/(2·faces) of all noise.

    With t = s/(1 + s) and b = a - d: q = I_t(d, b)/(2·faces), Φ = b·I_t(d, b + 1)/(2·faces), and
    the slope of the tangent is a(1 - t). Any t gives a tangent, so its own error does no harm.
    """
    b = a - size
    near = np.geomspace(2.0**-54, 0.02, _LINES)
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
