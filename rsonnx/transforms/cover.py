"""An interval of a transformation, covered: each image in it is near one of a few images, proved.

The cells of a cover lie side by side. All images that the parameters of a cell give are at most a
stated distance from the image in the cell's centre.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from rsonnx.transforms.families import Family
from rsonnx.transforms.images import Floats, Frame, transformed
from rsonnx.transforms.lengths import Curve, curve

_MARGIN = 1.0 + 2.0**-30
"""A cover is made with it and checked without: what differs from machine to machine is smaller."""

_LOOKED = 16
"""Steps that are looked at together."""


@lru_cache(maxsize=4)
def knots_of(
    family: Family, frame: Frame, low: float, high: float, pixels: float
) -> tuple[float, ...]:
    """Return rising parameters from ``low`` to ``high``, the identity among them.

    Those between the ends are multiples of a power of two.

    Args:
        family: of the transformation.
        frame: of the images.
        low, high: ends of an interval that holds the identity.
        pixels: how far any place moves at most from each to the next, at most 1/2.
    """
    step = 2.0 ** math.floor(math.log2(high - low))
    while family.identity % step or frame.reach * family.time(low, low + step) > pixels:
        step /= 2.0
    inside = np.arange(math.floor(low / step) + 1, math.ceil(high / step)) * step
    return (low, *inside.tolist(), high)


@dataclass(frozen=True)
class Cell:
    """A part of an interval, and the image that stands for all in it.

    Attributes:
        low, high: where the part begins and ends.
        centre: the parameter of the image, between them.
        radius: how far the others are from it at most, in l2.
    """

    low: float
    high: float
    centre: float
    radius: float


@dataclass(frozen=True)
class Interval:
    """All that a transformation makes of one image, from knot to knot.

    Attributes:
        image: (channels, height, width).
        family: of the transformation.
        knots: rising parameters, the identity among them; see :func:`knots_of`.
        rounded: whether the images in the centres have whole numbers for values.
        unit: how much 1 is, of the image's values, in the unit of radii.
    """

    image: Floats
    family: Family
    knots: Sequence[float]
    rounded: bool
    unit: float = 1.0

    @cached_property
    def curve(self) -> Curve:
        """The path of the image."""
        return curve(self.image, self.family, self.knots)

    def at(self, parameter: float) -> Floats:
        """Return the image that stands in a centre; (channels, height, width)."""
        made = transformed(self.image, self.family, parameter)
        return np.rint(made) if self.rounded else made

    def cells(self, radii: Callable[[float], Sequence[float]]) -> Iterator[Cell]:
        """Yield cells from the identity on to one end, then to the other; each begins at the last.

        The first has the identity in its centre. They end early where no radius is enough for a
        single step.

        Args:
            radii: returns those that a cell may have which begins at a parameter, the one to try
                first at the front.
        """
        start, end = self.knots.index(self.family.identity), len(self.knots) - 1
        for radius in radii(self.family.identity):
            low, high = (self._reach(start, way, radius) for way in (-1, 1))
            if low < high:
                yield self._cell(low, high, start, radius)
                break
        else:
            return
        for edge, way in ((high, 1), (low, -1)):
            while edge not in (0, end):
                cells = (self._cell_from(edge, way, radius) for radius in radii(self.knots[edge]))
                cell = next(filter(None, cells), None)
                if cell is None:
                    break
                yield cell
                edge = self.knots.index(cell.high if way > 0 else cell.low)  # noqa: PLW2901

    def farthest(self, cell: Cell) -> float:
        """Return how far any image of a cell is from that in its centre at most, rounded up.

        Infinite where a cell has no ends and centre of this interval.
        """
        knots = {at: place for place, at in enumerate(self.knots)}
        low, high, centre = (knots.get(at, -1) for at in (cell.low, cell.high, cell.centre))
        if not 0 <= low <= centre <= high or low == high:
            return math.inf
        return self._farthest(centre, low, high)

    def _farthest(self, centre: int, low: int, high: int) -> float:
        image = self.at(self.knots[centre]).ravel()
        return float(self.curve.farthest(image, low, high).max(initial=0.0)) * self.unit

    def _reach(self, centre: int, way: int, radius: float) -> int:
        """Return how far up or down all images are near enough to that of a centre."""
        image, last = self.at(self.knots[centre]).ravel(), len(self.knots) - 1
        reached = centre
        while reached != (last if way > 0 else 0):
            looked = min(max(reached + way * _LOOKED, 0), last)
            low, high = sorted((reached, looked))
            far = self.curve.farthest(image, low, high)[::way] * (self.unit * _MARGIN) > radius
            if far.any():
                return reached + way * int(far.argmax())
            reached = looked
        return reached

    def _cell_from(self, edge: int, way: int, radius: float) -> Cell | None:
        """Return the cell that reaches farthest up or down from an edge, if there is any."""
        centre, last = edge, len(self.knots) - 1
        # The path is longer than its chord, so its length tells how far a centre is at least.
        steps = self.curve.lengths[edge:] if way > 0 else self.curve.lengths[:edge][::-1]
        near = int(np.searchsorted(np.cumsum(steps) * self.unit, radius))
        for trial in range(min(max(edge + way * near, 0), last), last + 1 if way > 0 else -1, way):
            if self._farthest(trial, *sorted((edge, trial))) * _MARGIN > radius:
                break
            centre = trial
        reached = self._reach(centre, way, radius)
        low, high = sorted((edge, reached))
        return None if low == high else self._cell(low, high, centre, radius)

    def _cell(self, low: int, high: int, centre: int, radius: float) -> Cell:
        return Cell(self.knots[low], self.knots[high], self.knots[centre], radius)
