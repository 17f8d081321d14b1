"""Transformations of an input whose parameters are drawn at random, in place of noise on values.

Where T_a T_b = T_{a+b}, the classifier a -> f(T_a x) is an ordinary one of the parameters a, and
smoothing it with noise on a smooths f with random transformations of x: at the input T_b x it is
asked about T_{a+b} x. So every certificate for additive noise on one or two numbers holds for the
parameters of the change (Li et al., arXiv 2002.12463; Fischer et al., arXiv 2002.12398). The base
classifier f is the model behind the rounding of T_a x, with real numbers, to float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rsonnx.noise.law import Drawing, SampledNoise
from rsonnx.noise.laws.gaussian import Gaussian
from rsonnx.noise.scale import check_scale
from rsonnx.noise.space import InputSpace, add


class Transformation(SampledNoise):
    """A random transformation of whole inputs: a radius is measured in its parameters."""

    additive: ClassVar[bool] = False

    @classmethod
    def suits(cls, space: InputSpace) -> str | None:
        """Images."""
        return None if space.layout is None else f"images, against changes of {cls.name}"

    def alone(self, radius: float, at: int) -> Fraction:
        """Return 0: no value changes alone."""
        del radius, at
        return Fraction(0)


@dataclass(frozen=True)
class GaussianTransformation(Transformation):
    """One of independent N(0, sigma²) parameters, with the radius of Gaussian noise on these.

    Attributes:
        sigma: standard deviation of a parameter, > 0.
        norm: of the parameters.
    """

    sigma: float
    norm: str

    def __post_init__(self) -> None:
        self._settle(sigma=check_scale("sigma", self.sigma))
        self._check_norm()

    @property
    def deviation(self) -> float:
        """Standard deviation of a parameter."""
        return self.sigma

    @cached_property
    def noise(self) -> Gaussian:
        """That on the parameters."""
        return Gaussian(self.sigma)

    def radius(self, p_a_lower: float) -> float:
        """Return σ·Φ⁻¹(p_A), rounded down; 0 unless p_A > 1/2."""
        return self.noise.radius(p_a_lower)

    def radius_between(self, p_a_lower: float, p_b_upper: float) -> float:
        """Return σ/2·(Φ⁻¹(p_A) - Φ⁻¹(p_B)), rounded down; 0 unless p_A > p_B."""
        return self.noise.radius_between(p_a_lower, p_b_upper)

    def probability_for(self, radius: float) -> float:
        """Return a p_A at which :meth:`radius` is at least ``radius`` > 0."""
        return self.noise.probability_for(radius)

    def proves(self, radius: float, p_a_lower: float, p_b_upper: float | None) -> bool:
        """Prove a radius by integers; see :meth:`Law.proves`."""
        return self.noise.proves(radius, p_a_lower, p_b_upper)


class RepeatedBlock:
    """Noise of which every value of a sample gets the same number.

    Args:
        drawing: of these numbers, one a sample.
        size: values of a sample.
    """

    def __init__(self, drawing: Drawing, size: int) -> None:
        self._drawing, self._size = drawing, size

    def draw(self, count: int) -> NDArray[Any]:
        """Return the noise of the next ``count`` / size samples; see :class:`Drawing`."""
        return np.repeat(self._drawing.draw(count // self._size), self._size)

    def write(self, base: NDArray[Any], divisor: np.float32, out: NDArray[np.float32]) -> None:
        """Write the next samples; see :class:`Drawing`."""
        add(self.draw(out.size), base, divisor, out)
