"""Bilinear interpolation of an image that is continued by zeros, at any places.

Between the middles of four pixels that are neighbours the image is interpolated bilinearly; the
pixels around it are zeros, so it is a continuous function of the place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rsonnx.transforms.families import Family, Matrix

Floats = NDArray[np.float64]

_BORDER = 2
"""Zeros on each side: a cell outside all pixels has only zeros at its corners."""


@dataclass(frozen=True)
class Frame:
    """The pixels of images of one size.

    Attributes:
        height, width: of the images.
    """

    height: int
    width: int

    @property
    def middle(self) -> tuple[float, float]:
        """The place that stays where it is."""
        return (self.height - 1) / 2.0, (self.width - 1) / 2.0

    @property
    def reach(self) -> float:
        """How far from the middle a pixel can be."""
        return float(np.hypot(*self.middle))

    def places(self, matrix: Matrix) -> tuple[Floats, Floats]:
        """Return where each pixel is read from, (pixels,) each, counted from the middle."""
        rows, columns = np.indices((self.height, self.width), np.float64).reshape(2, -1)
        i, j = rows - self.middle[0], columns - self.middle[1]
        (a, b), (c, d) = matrix
        return a * i + b * j, c * i + d * j

    @property
    def stride(self) -> int:
        """How far apart neighbours in a column are in what :meth:`padded` returns."""
        return self.width + 2 * _BORDER

    def padded(self, image: Floats) -> Floats:
        """Return an image (channels, height, width) with its zeros around, (channels, places)."""
        sides = (_BORDER, _BORDER)
        return np.pad(image, ((0, 0), sides, sides)).reshape(len(image), -1)

    def cells(self, u: Floats, v: Floats) -> tuple[Cells, Cells]:
        """Return between which pixels places are, down and to the right.

        Args:
            u, v: places, counted from the middle.
        """
        return (
            _cells(u + (self.middle[0] + _BORDER), self.height, self.stride),
            _cells(v + (self.middle[1] + _BORDER), self.width, 1),
        )

    def interpolated(self, padded: Floats, u: Floats, v: Floats) -> Floats:
        """Return the image at places, (channels, \\*shape of the places)."""
        down, right = self.cells(u, v)
        at = down.at + right.at
        value: Floats = (
            padded[:, at] * ((1.0 - down.share) * (1.0 - right.share))
            + padded[:, at + 1] * ((1.0 - down.share) * right.share)
            + padded[:, at + self.stride] * (down.share * (1.0 - right.share))
            + padded[:, at + self.stride + 1] * (down.share * right.share)
        )
        return value


@dataclass(frozen=True)
class Cells:
    """Where places lie along one axis.

    Attributes:
        at: where the pixel before each place is among all, along this axis.
        share: how far each place is from it towards the next.
    """

    at: NDArray[np.intp]
    share: Floats


def _cells(place: Floats, size: int, stride: int) -> Cells:
    """Return where places, counted from the first zero, lie among ``size`` pixels."""
    before = np.floor(place).clip(0, size + _BORDER)
    return Cells(before.astype(np.intp) * stride, place - before)


def transformed(image: Floats, family: Family, parameter: float) -> Floats:
    """Return an image under a transformation whose matrix is rounded to multiples of 2^-20.

    Args:
        image: (channels, height, width); of whole numbers 0..255 the result is exact.
        family: of the transformation.
        parameter: of it.
    """
    frame = Frame(*image.shape[1:])
    u, v = frame.places(family.rounded_matrix(parameter))
    return frame.interpolated(frame.padded(image), u, v).reshape(image.shape)
