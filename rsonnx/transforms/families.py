"""Families of transformations: where each pixel of an image is read from, for one parameter.

Both families are linear one-parameter groups about the middle of the image. In the group's own time
(radians; the logarithm of the factor) a place p that is read moves with the velocity A·(p - middle)
and the acceleration A²·(p - middle), whose length is that of p - middle.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

_FRACTION = 2.0**20
"""Matrices of images that are made are whole multiples of 1/``_FRACTION``. Of 8-bit levels all sums
of the interpolation are then exact in float64, so an image has the same bits on every machine."""

Matrix = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class Family(ABC):
    """A transformation by a parameter, for images of any size."""

    identity: ClassVar[float]
    """The parameter that leaves an image as it is."""

    @abstractmethod
    def matrix(self, parameter: float) -> Matrix:
        """Return the matrix that takes a pixel's place to the one it is read from."""

    @abstractmethod
    def time(self, start: float, stop: float) -> float:
        """Return how long the group's time is between two parameters, start < stop, rounded up."""

    @abstractmethod
    def velocity(
        self, u: NDArray[np.float64], v: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return A·(u, v): how fast places that lie at (u, v) from the middle move."""

    def rounded_matrix(self, parameter: float) -> Matrix:
        """Return the matrix in whole multiples of 2^-20."""
        (a, b), (c, d) = self.matrix(parameter)
        a, b, c, d = (round(value * _FRACTION) / _FRACTION for value in (a, b, c, d))
        return (a, b), (c, d)


class Rotation(Family):
    """An image turned about its middle by an angle in degrees.

    Pixel (i, j) reads (cos a·i + sin a·j, -sin a·i + cos a·j), counted from the middle.
    """

    identity: ClassVar[float] = 0.0

    def matrix(self, parameter: float) -> Matrix:
        """Return the matrix of an angle."""
        radians = math.radians(parameter)
        cos, sin = math.cos(radians), math.sin(radians)
        return (cos, sin), (-sin, cos)

    def time(self, start: float, stop: float) -> float:
        """Return the angle in radians."""
        return math.radians(stop - start) * (1.0 + 2.0**-50)

    def velocity(
        self, u: NDArray[np.float64], v: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the vector, turned by a right angle."""
        return v, -u


class Scaling(Family):
    """An image enlarged about its middle by a factor > 0; pixel (i, j) reads (i, j)/factor."""

    identity: ClassVar[float] = 1.0

    def matrix(self, parameter: float) -> Matrix:
        """Return the matrix of a factor."""
        return (1.0 / parameter, 0.0), (0.0, 1.0 / parameter)

    def time(self, start: float, stop: float) -> float:
        """Return the logarithm of the ratio."""
        return math.log1p((stop - start) / start) * (1.0 + 2.0**-48)

    def velocity(
        self, u: NDArray[np.float64], v: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the vector towards the middle."""
        return -u, -v


ROTATION, SCALING = Rotation(), Scaling()
