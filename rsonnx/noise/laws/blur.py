"""Blur by the heat kernel, of a random variance t >= 0 (Li et al., arXiv 2002.12398).

exp(-t·L/2) with the 5-point Laplacian L of reflecting edges is diagonal under the discrete cosine
transform (DCT-II), so that blurs of variances s and t are together one of s + t. A sampled Gaussian
kernel is no such family at small t. An input x may be blurred, but not sharpened: the law of t is
moved to the right by the t of the change, and by the lemma of Neyman and Pearson keeps least of the
draws that only it makes, and after these where the ratio of the densities is greatest.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import mpmath
import numpy as np
from numpy.typing import NDArray

from rsonnx.noise.differential import PRECISION
from rsonnx.noise.laws.gaussian import Gaussian
from rsonnx.noise.rounding import down, precision, quotient_down
from rsonnx.noise.scale import LambdaNoise, check_scale
from rsonnx.noise.space import InputSpace
from rsonnx.noise.transformed import Changed, SpatialTransformation
from rsonnx.statistics import normal_quantile_up, scale_down


@dataclass(frozen=True)
class _Blur(Changed, SpatialTransformation, LambdaNoise):
    """What the laws of t have in common.

    Attributes:
        lam: the scale of t, > 0, in squared pixels.
        layout: where the channels are; None for images of two axes.
        norm: blur: the variance by which an input is blurred.
    """

    lam: float
    layout: str | None = None
    norm: str = "blur"

    norms: ClassVar[tuple[str, ...]] = ("blur",)

    def __post_init__(self) -> None:
        self._check_norm()
        self._settle(lam=check_scale("lambda", self.lam))

    @classmethod
    def suits(cls, space: InputSpace) -> str | None:
        """Images, of which the usual one of these laws is named."""
        return super().suits(space) if cls.name == "blur" else None

    @property
    def settings(self) -> str:
        """``lambda = 2``."""
        return f"lambda = {self.lam:g}"

    def draw(self, generator: np.random.Generator, samples: int) -> NDArray[np.float64]:
        """Return t of so many samples."""
        return self.lam * self.draw_unit(generator, samples)

    @abstractmethod
    def draw_unit(self, generator: np.random.Generator, samples: int) -> NDArray[np.float64]:
        """Return t of so many samples at λ = 1."""

    def change(
        self, x: NDArray[np.float64], parameters: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the heat kernel of each variance on the image, (samples, \\*shape)."""
        from scipy import fft  # noqa: PLC0415 - as in statistics.special: no help page waits for it

        waves = fft.dctn(x, axes=self.sides, norm="ortho")[np.newaxis]
        for axis in self.sides:
            n = x.shape[axis]
            rates = 1 - np.cos(np.pi * np.arange(n) / n)  # half of the eigenvalues along the axis
            kept = np.exp(-np.multiply.outer(parameters, rates))
            waves = waves * kept.reshape(-1, *(n if at == axis else 1 for at in range(x.ndim)))
        sides = [1 + axis for axis in self.sides]
        return np.asarray(fft.idctn(waves, axes=sides, norm="ortho"), np.float64)


@dataclass(frozen=True)
class Blur(_Blur):
    """t of the exponential law of mean λ, which moved by R is left by e^(R/λ) times less of a set.

    A class of p_A keeps 1 - (1 - p_A)e^(R/λ), and one of p_B has at most p_B·e^(R/λ).
    """

    name: ClassVar[str] = "blur"

    @classmethod
    def ratio(cls, size: int | None, a: float | None = None) -> tuple[float, float]:
        """Return σ of t at λ = 1 as a quotient."""
        del size, a
        return 1.0, 1.0

    def radius(self, p_a_lower: float) -> float:
        """Return -λ·ln(2 - 2p_A), rounded down; 0 unless p_A > 1/2."""
        return self._at(2 - 2 * Fraction(p_a_lower))

    def radius_between(self, p_a_lower: float, p_b_upper: float) -> float:
        """Return -λ·ln(1 - p_A + p_B), rounded down; 0 unless p_A > p_B."""
        return self._at(1 - Fraction(p_a_lower) + Fraction(p_b_upper))

    def _at(self, lost: Fraction) -> float:
        with precision(PRECISION):
            share = mpmath.mpf(lost.numerator) / lost.denominator
            return down(-self.lam * mpmath.log(share))

    def draw_unit(self, generator: np.random.Generator, samples: int) -> NDArray[np.float64]:
        """Return t of so many samples at λ = 1."""
        return generator.standard_exponential(samples)


@dataclass(frozen=True)
class BlurUniform(_Blur):
    """t uniform on [0, λ], which moved by R differs in a share R/λ."""

    name: ClassVar[str] = "blur-uniform"

    @classmethod
    def ratio(cls, size: int | None, a: float | None = None) -> tuple[float, float]:
        """Return σ of t at λ = 1 as a quotient."""
        del size, a
        return 1.0, math.sqrt(12)

    def radius(self, p_a_lower: float) -> float:
        """Return λ(p_A - 1/2), rounded down; 0 unless p_A > 1/2."""
        return self.radius_between(p_a_lower, 1 - p_a_lower) if p_a_lower > 0.5 else 0.0

    def radius_between(self, p_a_lower: float, p_b_upper: float) -> float:
        """Return λ(p_A - p_B)/2, rounded down; 0 unless p_A > p_B."""
        lead = Fraction(self.lam) * (Fraction(p_a_lower) - Fraction(p_b_upper)) / 2
        return quotient_down(lead.numerator, lead.denominator) if lead > 0 else 0.0

    def proves(self, radius: float, p_a_lower: float, p_b_upper: float | None) -> bool:
        """Prove a radius by integers; see :meth:`Law.proves`."""
        other = 1 - Fraction(p_a_lower) if p_b_upper is None else Fraction(p_b_upper)
        lead = Fraction(self.lam) * (Fraction(p_a_lower) - other)
        return 2 * Fraction(radius) <= lead or radius == 0

    def draw_unit(self, generator: np.random.Generator, samples: int) -> NDArray[np.float64]:
        """Return t of so many samples at λ = 1."""
        return generator.random(samples)


@dataclass(frozen=True)
class BlurFolded(_Blur):
    """t = |u| with u of N(0, λ²).

    A class of p_A keeps least if it is answered up to t = λa with a = Φ⁻¹((1 + p_A)/2), and one of
    p_B gains most from λb on with b = Φ⁻¹(1 - p_B/2): 2Φ(a - R/λ) - 1 and 2 - 2Φ(b - R/λ).
    """

    name: ClassVar[str] = "blur-folded"

    @classmethod
    def ratio(cls, size: int | None, a: float | None = None) -> tuple[float, float]:
        """Return σ of t at λ = 1 as a quotient."""
        del size, a
        return math.sqrt(1 - 2 / math.pi), 1.0

    def radius(self, p_a_lower: float) -> float:
        """Return λ(Φ⁻¹((1 + p_A)/2) - Φ⁻¹(3/4)), rounded down; 0 unless p_A > 1/2."""
        return Gaussian(2 * self.lam).radius_between(0.25, (1 - p_a_lower) / 2)

    def radius_between(self, p_a_lower: float, p_b_upper: float) -> float:
        """Return λ·r with Φ(a - r) + Φ(b - r) = 3/2, rounded down; 0 unless p_A > p_B."""
        if not p_a_lower > p_b_upper:
            return 0.0
        a, b = (-normal_quantile_up(rest / 2) for rest in (_rest(p_a_lower), p_b_upper))
        low, high = 0.0, max(0.0, min(a, b, _FAR))
        with precision(PRECISION):
            while low < (middle := 0.5 * (low + high)) < high:
                kept = mpmath.ncdf(mpmath.mpf(a) - middle) + mpmath.ncdf(mpmath.mpf(b) - middle)
                low, high = (middle, high) if kept > 1.5 else (low, middle)
        return max(0.0, scale_down(low, self.lam))

    @property
    def agreement(self) -> float:
        """A quarter of the margin that both normal quantiles have; no radius is above either."""
        return 2.0**-50

    def proves(self, radius: float, p_a_lower: float, p_b_upper: float | None) -> bool | None:
        """Prove a one-sided radius by integers; see :meth:`Law.proves`."""
        if p_b_upper is not None:
            return None
        return Gaussian(2 * self.lam).proves(radius, 0.25, (1 - p_a_lower) / 2)

    def draw_unit(self, generator: np.random.Generator, samples: int) -> NDArray[np.float64]:
        """Return t of so many samples at λ = 1."""
        return np.abs(generator.standard_normal(samples))


_FAR = 40.0
"""Beyond all finite quantiles of doubles, in standard deviations."""


def _rest(p: float) -> float:
    """Return 1 - p, which is exact from 1/2 on, rounded up."""
    return 1 - p if p >= 0.5 else math.nextafter(1 - p, 1)
