"""Brightness or contrast of an image to which something else happens as well."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from rsonnx.noise.laws.contrast import exp
from rsonnx.noise.norms import Norm
from rsonnx.noise.space import InputSpace
from rsonnx.noise.transformed import Changed, SpatialTransformation
from rsonnx.scalars import in_full


class Beside(Changed, SpatialTransformation):
    """Another change of an image, and one number of N(0, sigma²) that is independent of it.

    A radius is that of the number up to which the answer stands for all such changes up to one.
    """

    sigma: float

    letter: ClassVar[str]
    """What stands for the largest other change in the words of the norm."""

    other: ClassVar[str]
    """Such a change, in words with ``{}`` for the largest."""

    @property
    @abstractmethod
    def most(self) -> float:
        """The largest other change."""

    @classmethod
    def suits(cls, space: InputSpace) -> None:
        """No input more than brightness and contrast alone do."""

    @property
    def deviation(self) -> float:
        """Standard deviation of the number."""
        return self.sigma

    @property
    def measure(self) -> Norm:
        """What is known of the norm, with the other changes that are allowed."""
        norm, what, most = super().measure, f"up to {self.letter}", f"up to {in_full(self.most)}"
        return replace(
            norm, within=norm.within.replace(what, most), covers=norm.covers.replace(what, most)
        )

    def units(self, low: float, high: float) -> str:
        """Return the units of the number, with the other changes that are allowed."""
        return f"{super().units(low, high)}, under {self.other.format(in_full(self.most))}"

    def radius(self, p_a_lower: float) -> float:
        """Return the radius from p_A alone, rounded down; 0 unless that is above 1/2."""
        return self.radius_between(p_a_lower, 1 - p_a_lower) if p_a_lower > 0.5 else 0.0

    def change(
        self, x: NDArray[np.float64], parameters: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return (samples, \\*shape); the number is the last parameter of each sample."""
        images = self.otherwise(x, parameters[:, :-1])
        return self.then(images, parameters[:, -1].reshape(-1, *[1] * x.ndim))

    @abstractmethod
    def otherwise(
        self, x: NDArray[np.float64], parameters: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return an input, changed by the other parameters of each sample, (samples, \\*shape)."""

    @abstractmethod
    def then(
        self, images: NDArray[np.float64], numbers: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return each image changed by its number."""


class Brightened(Beside):
    """The number is added to every value."""

    def then(
        self, images: NDArray[np.float64], numbers: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return each image with its number added."""
        return images + numbers


class Contrasted(Beside):
    """Every value is multiplied by e to the number."""

    def then(
        self, images: NDArray[np.float64], numbers: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return each image multiplied by e to its number."""
        changed: NDArray[np.float64] = images * exp(numbers.ravel()).reshape(numbers.shape)
        return changed
