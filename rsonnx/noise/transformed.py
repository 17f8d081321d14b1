"""Transformations of an input whose parameters are drawn at random, in place of noise on values.

Where T_a T_b = T_{a+b}, the classifier a -> f(T_a x) is an ordinary one of the parameters a, and
smoothing it with noise on a smooths f with random transformations of x: at the input T_b x it is
asked about T_{a+b} x. So every certificate for additive noise on one or two numbers holds for the
parameters of the change (Li et al., arXiv 2002.12398; Fischer et al., arXiv 2002.12463). The base
classifier f is the model behind the rounding of T_a x, with real numbers, to float32.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rsonnx.errors import UsageError
from rsonnx.noise.drawing import Drawing, Place
from rsonnx.noise.law import SampledNoise
from rsonnx.noise.laws.gaussian import Gaussian
from rsonnx.noise.pairs import AXES
from rsonnx.noise.philox import bits
from rsonnx.noise.scale import check_scale
from rsonnx.noise.space import InputSpace, add, beyond_numbers


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
    """

    sigma: float

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


class Changed(Transformation):
    """A transformation with real parameters, computed in float64 and rounded to float32 once."""

    exact: ClassVar[bool] = False

    @abstractmethod
    def draw(self, generator: np.random.Generator, samples: int) -> NDArray[np.float64]:
        """Return the parameters of so many samples, one after another; two calls draw as one."""

    @abstractmethod
    def change(
        self, x: NDArray[np.float64], parameters: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return an input, in its shape, changed by the parameters of each of some samples."""

    def open(self, place: Place) -> Drawing:
        """Return the changes of a block."""
        self.check_space(place.space)
        return _ChangedBlock(self, place)


class _ChangedBlock:
    """The changes of one block in their order."""

    def __init__(self, law: Changed, place: Place) -> None:
        self._law, self._space = law, place.space
        self._generator = np.random.Generator(bits(place.key, place.block))

    def draw(self, count: int) -> NDArray[np.float64]:
        """Return the parameters of the next ``count`` / size samples; see :class:`Drawing`."""
        return self._law.draw(self._generator, count // self._space.size)

    def write(self, base: NDArray[Any], divisor: np.float32, out: NDArray[np.float32]) -> None:
        """Write the next samples; see :class:`Drawing`."""
        del divisor  # 1, since levels are refused
        parameters = self.draw(out.size)
        with beyond_numbers():
            changed = self._law.change(base.reshape(self._space.shape), parameters)
            np.copyto(out, changed.reshape(out.shape), casting="same_kind")


class SpatialTransformation(Transformation):
    """One of the pixels of an image, in each channel on its own."""

    layout: str | None
    """Where the channels are, ``"NCHW"`` or ``"NHWC"``; None for images of two axes."""

    @classmethod
    def from_model(cls, shape: tuple[int, ...], layout: str | None) -> dict[str, Any]:
        """Return the layout, as it is said or as the channels tell it; see :class:`Law`."""
        possible = [layout]
        if layout is None and len(shape) == 3:
            possible = [name for name, axis in AXES.items() if shape[axis] in (1, 3)]
        if len(possible) != 1 or (possible[0] is None) != (len(shape) == 2):
            raise UsageError(
                f"{cls.name} noise needs a model of images, of 1 or 3 channels first or last or "
                f"none, but it takes {'x'.join(map(str, shape))}; declare its layout"
            )
        return {"layout": possible[0]}

    @property
    def sides(self) -> tuple[int, int]:
        """The axes of height and width."""
        return (1, 2) if self.layout == "NCHW" else (0, 1)

    def check_space(self, space: InputSpace) -> None:
        """Refuse inputs that are no images of the layout."""
        super().check_space(space)
        if len(space.shape) != (2 if self.layout is None else 3) or space.layout not in (
            None,
            self.layout,
        ):
            raise UsageError(
                f"{self.name} noise was made for images in {self.layout or 'height and width'}, "
                f"but inputs are {list(space.shape)} in {space.layout}; make it for their layout"
            )


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
