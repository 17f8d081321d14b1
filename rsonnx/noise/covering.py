"""Gaussian noise for certificates of all that a transformation makes of an image.

What a transformation loses at an edge or interpolates does not come back, so no law of its
parameter gives a radius. Images that stand for all others are certified instead: Li et al., arXiv
2002.12398, section 6; Fischer et al., arXiv 2002.12463. Those of an interval lie near one of them
(:mod:`rsonnx.transforms.cover`), which is certified in l2. What is read outside an image has the
lowest value.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar, Generic, TypeVar

import mpmath
import numpy as np
from numpy.typing import NDArray

from rsonnx.errors import UsageError
from rsonnx.noise.additive import IndependentNoise
from rsonnx.noise.covers import Cover
from rsonnx.noise.laws.gaussian import Gaussian
from rsonnx.noise.pairs import AXES
from rsonnx.noise.space import LEVELS, InputSpace, Point
from rsonnx.scalars import as_floats, in_full, shown
from rsonnx.transforms.cover import Interval, knots_of
from rsonnx.transforms.families import Family
from rsonnx.transforms.images import Frame

Parameter = TypeVar("Parameter")

_RADII = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.4, 1.6, 2.0)
"""Radii that a cell may have, in standard deviations."""

_PIXELS, _FEWEST = 1 / 8, 1 / 256
"""A place moves by that many pixels at most from knot to knot; by fewer, in proportion to sigma,
where cells have to be small."""

_MOST_BYTES = 2**33
"""That the path of an image may take in memory: 90 degrees of 3x224x224 values at sigma = 0.5."""


class CoveredNoise(IndependentNoise, Generic[Parameter]):
    """Gaussian noise on images that stand for all that a transformation makes of one."""

    two_sided: ClassVar[bool] = False
    covered: ClassVar[bool] = True
    calculable: ClassVar[bool] = False
    in_turn: ClassVar[bool] = False
    """Whether images are asked about from the nearest on, each distance once all nearer ones are
    certified; the cover has them in that order."""

    unit: ClassVar[str]
    """Of a parameter, behind a number."""

    sigma: float

    @classmethod
    def from_model(cls, shape: tuple[int, ...], layout: str | None) -> dict[str, Any]:
        """Return nothing, or refuse a model that takes no images; see :class:`Law`."""
        if len(shape) != (2 if layout is None else 3):
            declare = " and says no layout; declare one (--preprocess layout=NCHW)"
            raise UsageError(
                f"{cls.name} noise needs a model of images, but it takes "
                f"{'x'.join(map(str, shape))}{declare if len(shape) == 3 else ''}"
            )
        return {}

    @classmethod
    def suits(cls, space: InputSpace) -> str | None:
        """Images."""
        return None if space.layout is None else f"images, against {cls.name}"

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

    # Which parameters there are.

    @property
    @abstractmethod
    def end(self) -> Parameter:
        """The parameter that is farthest from the identity."""

    @property
    def farthest(self) -> float:
        """How far that is: the largest radius."""
        return self.from_identity(self.end)

    @abstractmethod
    def from_identity(self, parameter: Parameter) -> float:
        """Return how far a parameter is from that which changes nothing."""

    @property
    def centres(self) -> int | None:
        """How many images stand for all of any input; None where that depends on the input."""
        return None

    @property
    @abstractmethod
    def selecting(self) -> Sequence[Parameter]:
        """The parameters of the images of which the class is selected."""

    # What becomes of an input.

    @abstractmethod
    def image(self, point: Point, parameter: Parameter) -> Point:
        """Return an image that stands in a centre, with the noise of the input itself."""

    def farthest_of(self, point: Point) -> Point:
        """Return the image that is farthest from the identity."""
        return self.image(point, self.end)

    @property
    @abstractmethod
    def cell_radii(self) -> Sequence[float]:
        """The radii in l2 that cells may have, rising."""

    @abstractmethod
    def cover(self, point: Point, radii: Callable[[Parameter], Sequence[float]]) -> Cover:
        """Return the cells of an input, before anything is counted.

        Args:
            point: the input.
            radii: returns those that a cell may have which begins at a parameter, the one to try
                first at the front.
        """

    # What a cover says.

    @abstractmethod
    def check_cover(self, cover: Cover) -> None:
        """Refuse a cover of which it is plain that this transformation has none like it."""

    @abstractmethod
    def misplaced(self, point: Point, cover: Cover) -> Iterator[str]:
        """Yield which cells of an input hold images that are farther than they say."""

    @abstractmethod
    def nearest(self, cover: Cover) -> list[float]:
        """Return how near to the identity each cell comes."""

    def left_out(self, cover: Cover) -> float:
        """Return how near to the identity comes what is in no cell; infinite for nothing."""
        return math.inf if cover.centres else 0.0

    @abstractmethod
    def radius_before(self, distance: float) -> float:
        """Return up to where parameters nearer than a distance > 0 are certified; 0 at 0."""

    @abstractmethod
    def described(self, cover: Cover, at: int) -> str:
        """Return which image stands in a centre, and for what."""


class IntervalNoise(CoveredNoise[float]):
    """What the laws of all transformations by a number in an interval have in common."""

    family: ClassVar[Family]

    @property
    @abstractmethod
    def interval(self) -> tuple[float, float]:
        """The lowest and the highest parameter; the identity is between them."""

    @property
    def settings(self) -> str:
        """``sigma = 0.5, -10 to 10 degrees``."""
        low, high = self.interval
        return f"sigma = {self.sigma:g}, {low:g} to {high:g}{self.unit}"

    @property
    def end(self) -> float:
        """The end of the interval that is farther from the identity."""
        return max(self.interval, key=self.from_identity)

    def units(self, low: float, high: float) -> str:
        """Return in which units radii are: on both sides of the identity, or otherwise."""
        ends = self.interval
        unit = super().units(low, high)
        if self.from_identity(ends[0]) == self.from_identity(ends[1]):
            return unit
        return f"{unit}, from {in_full(ends[0])} to {in_full(ends[1])}"

    def from_identity(self, parameter: float) -> float:
        """Return how far a parameter is from that which changes nothing, as decimal numbers are."""
        return float(abs(Decimal(repr(parameter)) - Decimal(repr(self.family.identity))))

    @property
    def selecting(self) -> Sequence[float]:
        """The identity, both ends, and what is halfway, rising."""
        (low, high), identity = self.interval, self.family.identity
        return sorted({low, (low + identity) / 2.0, identity, (identity + high) / 2.0, high})

    @property
    def cell_radii(self) -> Sequence[float]:
        """Fixed shares of the standard deviation."""
        return [float(f"{share * self.sigma:.12g}") for share in _RADII]

    def check_space(self, space: InputSpace) -> None:
        """Refuse inputs whose path through the interval would not fit into memory, as well."""
        super().check_space(space)
        (low, high), taken = self.interval, 8 * space.size * len(self._knots(space))
        if taken > _MOST_BYTES:
            raise UsageError(
                f"{self.name} from {low:g} to {high:g} of {space.size:,} values takes "
                f"{taken / 2**30:,.0f} GiB, but at most {_MOST_BYTES >> 30} were expected; give a "
                "narrower interval"
            )

    def images(self, point: Point) -> Interval:
        """Return all that the transformation makes of an input; its values begin at 0."""
        space = point.space
        values = point.data.astype(np.float64)
        if point.arithmetic == "float":
            values -= space.bounds[0]
        layout = space.layout  # None for images of two axes: of one channel
        image = values[np.newaxis] if layout is None else np.moveaxis(values, AXES[layout], 0)
        exact = point.arithmetic == "exact"
        unit = space.step if exact else 1.0
        return Interval(image, self.family, self._knots(space), rounded=exact, unit=unit)

    def _knots(self, space: InputSpace) -> tuple[float, ...]:
        """Return between which parameters the path of an image of a space is measured."""
        channels = None if space.layout is None else AXES[space.layout]
        sides = [n for axis, n in enumerate(space.shape) if axis != channels]
        pixels = max(_FEWEST, min(1.0, self.sigma / (LEVELS * space.step)) * _PIXELS)
        return knots_of(self.family, Frame(*sides), *self.interval, pixels)

    def image(self, point: Point, parameter: float) -> Point:
        """Return an image that stands in a centre; see :class:`CoveredNoise`."""
        space = point.space
        made = self.images(point).at(parameter)
        image = made[0] if space.layout is None else np.moveaxis(made, 0, AXES[space.layout])
        exact = point.arithmetic == "exact"
        values = image.astype(np.uint8) if exact else image + space.bounds[0]
        return replace(space.point(values, point.arithmetic), noise_digest=point.noise_digest)

    def cover(self, point: Point, radii: Callable[[float], Sequence[float]]) -> Cover:
        """Return cells that lie side by side, from the lowest on; see :class:`CoveredNoise`."""
        return Cover.of(sorted(self.images(point).cells(radii), key=lambda cell: cell.low))

    def check_cover(self, cover: Cover) -> None:
        """Refuse a cover that does not lie in the interval, around the identity."""
        (low, high), identity = self.interval, self.family.identity
        edges = cover.edges or ((math.nan,) if cover.centres else (identity,))
        if not low <= edges[0] <= identity <= edges[-1] <= high:
            raise UsageError(
                f"its cover is from {edges[0]} to {edges[-1]}, which is not around {identity:g} "
                f"from {low:g} to {high:g}"
            )

    def misplaced(self, point: Point, cover: Cover) -> Iterator[str]:
        """Yield which cells hold images that are farther from their centre than they say."""
        images = self.images(point)
        for cell in cover.cells:
            far = images.farthest(cell)
            if not far <= cell.radius:
                yield (
                    f"the images from {cell.low} to {cell.high} are up to {far:.6g} from that at "
                    f"{cell.centre}, but the cell has the radius {cell.radius:g}"
                )

    def nearest(self, cover: Cover) -> list[float]:
        """Return how near to the identity each cell comes."""
        return [
            0.0
            if cell.low <= self.family.identity <= cell.high
            else min(self.from_identity(cell.low), self.from_identity(cell.high))
            for cell in cover.cells
        ]

    def left_out(self, cover: Cover) -> float:
        """Return how near to the identity a cover ends early."""
        ends = zip((cover.edges[:1], cover.edges[-1:]), self.interval, strict=True)
        early = (self.from_identity(edge) for edges, end in ends for edge in edges if edge != end)
        return min(early, default=super().left_out(cover))

    def radius_before(self, distance: float) -> float:
        """Return the distance itself: neighbouring cells share an image."""
        return min(distance, self.farthest)

    def described(self, cover: Cover, at: int) -> str:
        """Return the centre and the ends of a cell."""
        cell = cover.cells[at]
        return f"at {cell.centre:g}{self.unit}, which stands for {cell.low:g} to {cell.high:g},"


def checked_interval(name: str, ends: Sequence[float], family: Family) -> tuple[float, float]:
    """Return two numbers, or refuse them unless they rise and have the identity between them."""
    low, high = numbers if len(numbers := as_floats(ends)) == 2 else (math.nan, math.nan)
    identity = family.identity
    if not (math.isfinite(high - low) and low < high):
        raise UsageError(f"the {name} are {shown(ends)}, but two numbers that rise were expected")
    if not low <= identity <= high:
        raise UsageError(
            f"the {name} {low:g} to {high:g} leave out {identity:g}, the image itself, from which "
            f"radii are measured; give {min(low, identity):g},{max(high, identity):g}"
        )
    return low, high
