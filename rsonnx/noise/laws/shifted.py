"""Brightness or contrast of an image that may be shifted as well, around the edges.

A shift keeps constants and factors, so that in whatever order the shifts add up and so do the
others: three normal parameters that are independent. Measured each in its standard deviation, a
change of all three has the Gaussian radius z = Φ⁻¹(p_A) for its length, and nothing beyond it is
certain (Cohen et al., arXiv 1902.02918). A shift of the length d leaves σ·√(z² - (d/S)²) for the
number, which is least at the largest d.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from rsonnx.noise.differential import settled
from rsonnx.noise.laws.beside import Beside, Brightened, Contrasted
from rsonnx.noise.laws.gaussian import Gaussian
from rsonnx.noise.laws.translation import rolled
from rsonnx.noise.options import option
from rsonnx.noise.scale import check_scale

_INWARD = 1 - 2.0**-48
"""For the rounding of a root, and of what it is of."""

_UNIT = Gaussian(1.0)


@dataclass(frozen=True)
class _Shifted(Beside):
    """A shift by whole pixels around the edges, and one number of N(0, sigma²).

    Both parts of a shift are normal and rounded to whole numbers, as of ``translation`` noise.

    Attributes:
        sigma: standard deviation of the number, > 0.
        shift: D: a radius is that of the number up to which the answer stands for all shifts of at
            most this Euclidean length, in pixels.
        sigma_shift: S, standard deviation of a shift along an axis, in pixels.
        layout: where the channels are; None for images of two axes.
    """

    sigma: float
    shift: float = field(metadata=option("D", "largest length of a shift, in pixels"))
    sigma_shift: float = field(metadata=option("S", "standard deviation of a shift, in pixels"))
    layout: str | None = None

    letter: ClassVar[str] = "D"
    other: ClassVar[str] = "shifts by up to {} pixels"

    def __post_init__(self) -> None:
        self._check_norm()
        self._settle(
            sigma=check_scale("sigma", self.sigma),
            shift=check_scale("shift", self.shift),
            sigma_shift=check_scale("sigma_shift", self.sigma_shift),
        )

    @property
    def most(self) -> float:
        """D."""
        return self.shift

    @property
    def settings(self) -> str:
        """``sigma = 0.3, shift = 2``."""
        return f"sigma = {self.sigma:g}, shift = {self.shift:g}"

    def radius_between(self, p_a_lower: float, p_b_upper: float) -> float:
        """Return σ√(z² - (D/S)²) of z = ½(Φ⁻¹(p_A) - Φ⁻¹(p_B)), rounded down; else 0."""
        z = _UNIT.radius_between(p_a_lower, p_b_upper) * _INWARD
        used = math.nextafter(self.shift / self.sigma_shift, math.inf)
        return self.sigma * math.sqrt((z - used) * (z + used)) * _INWARD if z > used else 0.0

    def probability_for(self, radius: float) -> float:
        """Return a p_A in (1/2, 1] at which :meth:`radius` is at least ``radius`` > 0; else 1."""
        return settled(self.radius, _UNIT.probability_for(self._length(radius)), radius)

    def proves(self, radius: float, p_a_lower: float, p_b_upper: float | None) -> bool:
        """Prove a radius by integers; see :meth:`Law.proves`."""
        return radius == 0 or _UNIT.proves(self._length(radius), p_a_lower, p_b_upper)

    def _length(self, radius: float) -> float:
        """Return √((r/σ)² + (D/S)²), rounded up."""
        number = Fraction(radius) / Fraction(self.sigma)
        shift = Fraction(self.shift) / Fraction(self.sigma_shift)
        squared = number**2 + shift**2
        return math.nextafter(math.isqrt(math.ceil(squared * 4**128)) + 1, math.inf) / 2.0**128

    def draw(self, generator: np.random.Generator, samples: int) -> NDArray[np.float64]:
        """Return (dy, dx) and the number of so many samples, (samples, 3)."""
        drawn = generator.standard_normal(3 * samples).reshape(-1, 3)
        shifts = np.rint(self.sigma_shift * drawn[:, :2])
        return np.concatenate([shifts, self.sigma * drawn[:, 2:]], axis=1)

    def otherwise(
        self, x: NDArray[np.float64], parameters: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return an input, shifted by the pixels of each sample."""
        return rolled(x, self.sides, parameters.astype(np.int64))


@dataclass(frozen=True)
class BrightnessTranslation(Brightened, _Shifted):
    """A shift of x, plus b."""

    norm: str = "brightness-translation"

    name: ClassVar[str] = "brightness-translation"
    norms: ClassVar[tuple[str, ...]] = ("brightness-translation",)


@dataclass(frozen=True)
class ContrastTranslation(Contrasted, _Shifted):
    """A shift of x, times e^k."""

    norm: str = "contrast-translation"

    name: ClassVar[str] = "contrast-translation"
    norms: ClassVar[tuple[str, ...]] = ("contrast-translation",)
