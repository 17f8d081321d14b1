"""Gaussian noise with a standard deviation of its own on every value (arXiv 2107.04570).

With z_j = x_j/σ_j the noise is isotropic with standard deviation 1, so that the theorem of Cohen et
al. (arXiv 1902.02918) holds for z: the answer stands wherever √(Σ (δ_j/σ_j)²) < Φ⁻¹(p_A) (Eiras et
al., arXiv 2107.04570, with Σ = diag(σ²)). Values of a table are in units of their own, so there is
no grid that they share, and the noise is drawn in floating point.

A value with σ_j = 0 is fixed: it is what it is in every sample, to the last bit, and the theorem is
that of the other values, for inputs with this value.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import ClassVar

import mpmath
import numpy as np
from numpy.typing import NDArray

from rsonnx.errors import UsageError
from rsonnx.noise.additive import FloatBlock
from rsonnx.noise.drawing import Drawing, Place
from rsonnx.noise.law import Law, SampledNoise
from rsonnx.noise.laws.gaussian import Gaussian
from rsonnx.noise.norms import Norm
from rsonnx.noise.options import SIGMAS
from rsonnx.noise.space import InputSpace
from rsonnx.scalars import as_float, plain, shown

_IN_DEVIATIONS = Gaussian(1.0)
"""The law of every value in its own standard deviations."""


@dataclass(frozen=True)
class AnisotropicGaussian(SampledNoise):
    """Independent N(0, σ_j²) noise on the j-th value.

    Attributes:
        sigmas: σ_j, one a value of the input in its order (row-major), each finite and >= 0, in
            the units of that value; 0 for a fixed one, which not all are.
        norm: mahalanobis; a radius is a number of standard deviations.
    """

    sigmas: tuple[float, ...] = field(metadata=SIGMAS)
    norm: str = "mahalanobis"

    name: ClassVar[str] = "gaussian-per-feature"
    calculable: ClassVar[bool] = True
    normal: ClassVar[bool] = True
    norms: ClassVar[tuple[str, ...]] = ("mahalanobis",)
    exact: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self._settle(sigmas=_checked(self.sigmas))
        self._check_norm()

    @classmethod
    def suits(cls, space: InputSpace) -> str | None:
        """Tables."""
        return "values in units of their own" if space.layout is None else None

    @property
    def size(self) -> int:
        """How many values an input has."""
        return len(self.sigmas)

    @property
    def deviation(self) -> None:
        """None: no one number has the units of all values, and 1 would be read as sigma = 1."""

    def deviation_of(self, at: int) -> float:
        """Return σ_j of the j-th value."""
        return self.sigmas[at]

    def alone(self, radius: float, at: int) -> Fraction:
        """Return radius · σ_j, by which the j-th value may change alone, both as written."""
        return Fraction(repr(radius)) * Fraction(repr(self.sigmas[at]))

    def length(self, change: NDArray[np.float64]) -> float:
        """Return √(Σ (δ_j/σ_j)²), rounded up; infinite where a fixed value changes."""
        flat = change.reshape(-1)
        moved = np.flatnonzero(flat)
        with np.errstate(divide="ignore"):
            return super().length(flat[moved] / self._scales[moved])

    @cached_property
    def fixed(self) -> tuple[int, ...]:
        """Places of the values that no noise is added to."""
        return tuple(at for at, sigma in enumerate(self.sigmas) if sigma == 0)

    def with_fixed(self, fixed: tuple[int, ...], size: int) -> AnisotropicGaussian:
        """Return the same noise, but for the values at some places; see :meth:`Law.with_fixed`."""
        places = set(fixed)
        sigmas = [0.0 if at in places else sigma for at, sigma in enumerate(self.sigmas)]
        if not any(sigmas):
            raise UsageError(
                f"all {size} columns are fixed, so that no noise is left; name fewer of them with "
                "--fixed-columns"
            )
        return AnisotropicGaussian(tuple(sigmas))

    @property
    def unfixed(self) -> Law:
        """Isotropic noise where values are fixed and all others have one σ; else this noise."""
        scales = set(self.sigmas) - {0.0}
        return Gaussian(scales.pop()) if self.fixed and len(scales) == 1 else self

    @property
    def measure(self) -> Norm:
        """What is known of the norm, in which a change of a fixed value is of no finite length."""
        norm = super().measure
        if not self.fixed:
            return norm
        return replace(
            norm,
            measure=f"{norm.measure}, infinite where a fixed value changes,",
            within=f"{norm.within}, where fixed values stay as they are",
            covers=f"{norm.covers} that leaves fixed values as they are",
        )

    def units(self, low: float, high: float) -> str:
        """Return the units of a radius, with the digest of the sigmas that they are."""
        del low, high
        digest = hashlib.sha256(np.array(self.sigmas, "<f8").tobytes()).hexdigest()
        fixed = f", {len(self.fixed)} fixed" if self.fixed else ""
        return f"standard deviations of the noise (sigmas: SHA-256 {digest[:12]}...{fixed})"

    def radius(self, p_a_lower: float) -> float:
        """Return Φ⁻¹(p_A), rounded down, in standard deviations; 0 unless p_A > 1/2."""
        return _IN_DEVIATIONS.radius(p_a_lower)

    def radius_between(self, p_a_lower: float, p_b_upper: float) -> float:
        """Return (Φ⁻¹(p_A) - Φ⁻¹(p_B))/2, rounded down; 0 unless p_A > p_B."""
        return _IN_DEVIATIONS.radius_between(p_a_lower, p_b_upper)

    def probability_for(self, radius: float) -> float:
        """Return a p_A at which :meth:`radius` is at least ``radius`` > 0, in deviations."""
        return _IN_DEVIATIONS.probability_for(radius)

    def proves(self, radius: float, p_a_lower: float, p_b_upper: float | None) -> bool:
        """Prove a radius by integers; see :meth:`Law.proves`."""
        return _IN_DEVIATIONS.proves(radius, p_a_lower, p_b_upper)

    def radius_beside(self, p_other: float) -> float:
        """Return -Φ⁻¹(p_other), rounded down, in standard deviations; 0 unless p_other < 1/2."""
        return _IN_DEVIATIONS.radius_beside(p_other)

    def proves_beside(self, radius: float, p_other: float) -> bool:
        """Prove a radius by integers; see :meth:`Law.proves_beside`."""
        return _IN_DEVIATIONS.proves_beside(radius, p_other)

    def cumulative_at(self, at: int) -> Callable[[mpmath.mpf], mpmath.mpf] | None:
        """Return Φ(value/σ_j); None for a fixed value, which has no noise."""
        sigma = self.sigmas[at]
        return Gaussian(sigma).cumulative if sigma else None

    def tail_bounds(self, distance: Fraction, at: int) -> tuple[Fraction, Fraction] | None:
        """Enclose Φ(-distance/σ_j); None for a fixed value."""
        sigma = self.sigmas[at]
        return Gaussian(sigma).tail_bounds(distance, at) if sigma else None

    def open(self, place: Place) -> Drawing:
        """Return floating-point noise."""
        return FloatBlock(self.draw, place)

    def draw(self, generator: np.random.Generator, size: int) -> NDArray[np.float64]:
        """Return the noise of ``size`` / d samples, float64 (size,), one sample after another."""
        draws = generator.standard_normal(size).reshape(-1, self.size)
        draws *= self._scales
        if self.fixed:
            draws[:, self.fixed] = -0.0  # which alone leaves all numbers as they are, -0 and 0 too
        return draws.reshape(-1)

    @cached_property
    def _scales(self) -> NDArray[np.float64]:
        return np.array(self.sigmas)


def _checked(sigmas: Iterable[float]) -> tuple[float, ...]:
    """Return one standard deviation a value as floats, or refuse them."""
    several = plain(sigmas)
    listed = [] if isinstance(several, str) or not isinstance(several, Iterable) else list(several)
    if not listed:
        raise UsageError(
            f"sigmas are {shown(sigmas)}, but one standard deviation a value of the input was "
            "expected"
        )
    numbers = tuple(as_float(sigma) for sigma in listed)
    for at, value in enumerate(numbers):
        if not (math.isfinite(value) and value >= 0):
            raise UsageError(
                f"sigma of value {at + 1} is {shown(listed[at])}, but a finite number above 0 was "
                "expected, in the units of that value, or 0 for one that is fixed"
            )
    if not any(numbers):
        raise UsageError("all sigmas are 0, but a noise changes at least one value; give its sigma")
    return numbers
