"""Gaussian noise for certificates over an interval of a transformation.

An image in the interval is interpolated, so no law of the parameter gives a radius. The interval is
covered by images near which all others lie (:mod:`rsonnx.transforms.cover`), and each of these is
certified in l2: Li et al., arXiv 2002.12398, section 6; Fischer et al., arXiv 2002.12463. What is
read outside an image has the lowest value.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar

import mpmath
import numpy as np
from numpy.typing import NDArray

from rsonnx.errors import UsageError
from rsonnx.noise.additive import IndependentNoise
from rsonnx.noise.laws.gaussian import Gaussian
from rsonnx.noise.pairs import AXES
from rsonnx.noise.space import LEVELS, InputSpace, Point
from rsonnx.scalars import as_floats, shown
from rsonnx.transforms.cover import Interval, knots_of
from rsonnx.transforms.families import Family
from rsonnx.transforms.images import Frame

_PIXELS, _FEWEST = 1 / 8, 1 / 256
"""A place moves by that many pixels at most from knot to knot; by fewer, in proportion to sigma,
where cells have to be small."""


class CoveredNoise(IndependentNoise):
    """What the laws of all transformations that are covered have in common."""

    two_sided: ClassVar[bool] = False
    covered: ClassVar[bool] = True
    calculable: ClassVar[bool] = False
    family: ClassVar[Family]
    unit: ClassVar[str]
    """Of a parameter, behind a number."""

    sigma: float

    @property
    @abstractmethod
    def interval(self) -> tuple[float, float]:
        """The lowest and the highest parameter; the identity is between them."""

    @classmethod
    def from_model(cls, shape: tuple[int, ...], layout: str | None) -> dict[str, Any]:
        """Return nothing, or refuse a model that takes no images; see :class:`Law`."""
        if layout not in AXES or len(shape) != 3:
            raise UsageError(
                f"{cls.name} noise needs a model of images, but it takes "
                f"{'x'.join(map(str, shape))} and says no layout; declare one "
                "(--preprocess layout=NCHW)"
            )
        return {}

    def check_space(self, space: InputSpace) -> None:
        """Refuse inputs that are no images, or have no lowest value."""
        self.from_model(space.shape, space.layout)
        if not math.isfinite(space.step):
            raise UsageError(
                f"{self.name} noise fills what is read outside an image with the lowest value, but "
                "the bounds have none; declare them (--bounds)"
            )

    @property
    def drawn(self) -> Gaussian:
        """The noise itself, whose radii are in l2."""
        return Gaussian(self.sigma)

    @property
    def deviation(self) -> float:
        """Standard deviation of the noise on one value."""
        return self.sigma

    @property
    def settings(self) -> str:
        """``sigma = 0.5, -10 to 10 degrees``."""
        low, high = self.interval
        return f"sigma = {self.sigma:g}, {low:g} to {high:g}{self.unit}"

    @property
    def farthest(self) -> float:
        """The farthest parameter of the interval: the largest radius."""
        return max(map(self.from_identity, self.interval))

    def units(self, low: float, high: float) -> str:
        """Return in which units radii are: on both sides of the identity, or otherwise."""
        ends = self.interval
        unit = super().units(low, high)
        if self.from_identity(ends[0]) == self.from_identity(ends[1]):
            return unit
        return f"{unit}, from {ends[0]:g} to {ends[1]:g}"

    def from_identity(self, parameter: float) -> float:
        """Return how far a parameter is from that which changes nothing, as decimal numbers are."""
        return float(abs(Decimal(repr(parameter)) - Decimal(repr(self.family.identity))))

    def nearest(self, low: float, high: float) -> float:
        """Return how near the parameters from ``low`` to ``high`` come to the identity."""
        if low <= self.family.identity <= high:
            return 0.0
        return min(self.from_identity(low), self.from_identity(high))

    def cumulative(self, value: mpmath.mpf) -> mpmath.mpf:
        """Return the distribution function of the noise; see :class:`IndependentNoise`."""
        return self.drawn.cumulative(value)

    def draw(self, generator: np.random.Generator, size: int) -> NDArray[np.float64]:
        """Return ``size`` floating-point draws."""
        return self.drawn.draw(generator, size)

    def radius(self, p_a_lower: float) -> float:
        """Refuse: a bound on a probability gives a radius in l2, and none of a transformation."""
        del p_a_lower
        raise UsageError(
            f"{self.name} noise is certified by several images, so no bound alone gives its radius"
        )

    # What becomes of an input.

    def images(self, point: Point) -> Interval:
        """Return all that the transformation makes of an input; its values begin at 0."""
        space = point.space
        values = point.data.astype(np.float64)
        if point.arithmetic == "float":
            values -= space.bounds[0]
        image = np.moveaxis(values, AXES[str(space.layout)], 0)
        pixels = max(_FEWEST, min(1.0, self.sigma / (LEVELS * space.step)) * _PIXELS)
        knots = knots_of(self.family, Frame(*image.shape[1:]), *self.interval, pixels)
        exact = point.arithmetic == "exact"
        unit = space.step if exact else 1.0
        return Interval(image, self.family, knots, rounded=exact, unit=unit)

    def farthest_of(self, point: Point) -> Point:
        """Return the image at the end of the interval that is farther from the identity."""
        return self.transformed(
            point, self.images(point), max(self.interval, key=self.from_identity)
        )

    def transformed(self, point: Point, images: Interval, parameter: float) -> Point:
        """Return an image that stands in a centre, with the noise of the input itself."""
        space = point.space
        image = np.moveaxis(images.at(parameter), 0, AXES[str(space.layout)])
        exact = point.arithmetic == "exact"
        values = image.astype(np.uint8) if exact else image + space.bounds[0]
        made = space.point(values, point.arithmetic)
        return replace(made, noise_digest=point.noise_digest)


def checked_interval(name: str, ends: Sequence[float], family: Family) -> tuple[float, float]:
    """Return two numbers, or refuse them unless they rise and have the identity between them."""
    low, high = numbers if len(numbers := as_floats(ends)) == 2 else (math.nan, math.nan)
    if not (math.isfinite(high - low) and low <= family.identity <= high and low < high):
        raise UsageError(
            f"the {name} are {shown(ends)}, but two numbers were expected that rise and have "
            f"{family.identity:g}, which changes nothing, between them"
        )
    return low, high
