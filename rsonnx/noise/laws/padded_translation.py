"""Shifted images with a padded edge: Gaussian noise, and every shift is certified on its own.

What an edge swallows does not come back, so these shifts are no group, and no law of the shift
gives a radius. But those by whole pixels are few, and none is interpolated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import ClassVar

import numpy as np

from rsonnx.errors import UsageError
from rsonnx.noise.covering import CoveredNoise
from rsonnx.noise.covers import Cover
from rsonnx.noise.options import option
from rsonnx.noise.pairs import AXES
from rsonnx.noise.scale import check_scale
from rsonnx.noise.space import Point
from rsonnx.scalars import as_float

_MOST = 32
"""Pixels: 3,209 shifts."""


Shift = tuple[int, int]
"""Whole pixels down and to the right."""


@dataclass(frozen=True)
class PaddedTranslation(CoveredNoise[Shift]):
    """Certificates for an image shifted by whole pixels, the lowest value in place of what is lost.

    Attributes:
        sigma: standard deviation of the noise, > 0, in the units of the input.
        shifts: the largest Euclidean length of (dy, dx), in pixels, from 1 to 32.
        norm: padded-translation; a radius is such a length.
    """

    sigma: float
    shifts: float = field(metadata=option("K", "largest length of a shift, in pixels"))
    norm: str = "padded-translation"

    name: ClassVar[str] = "padded-translation"
    norms: ClassVar[tuple[str, ...]] = ("padded-translation",)
    in_turn: ClassVar[bool] = True
    unit: ClassVar[str] = " pixels"

    def __post_init__(self) -> None:
        longest = as_float(self.shifts)
        if not 1.0 <= longest <= _MOST:
            raise UsageError(
                f"shifts are up to {longest:g} pixels long, but a number from 1 to {_MOST} was "
                "expected"
            )
        self._settle(sigma=check_scale("sigma", self.sigma), shifts=longest)
        self._check_norm()

    @property
    def settings(self) -> str:
        """``sigma = 0.5, up to 3 pixels``."""
        return f"sigma = {self.sigma:g}, up to {self.shifts:g} pixels"

    @cached_property
    def every(self) -> tuple[Shift, ...]:
        """All shifts (down, to the right), from the shortest on."""
        reach = range(-math.floor(self.shifts), math.floor(self.shifts) + 1)
        pairs = [(dy, dx) for dy in reach for dx in reach]
        within = [shift for shift in pairs if self.from_identity(shift) <= self.shifts]
        return tuple(sorted(within, key=lambda shift: (self.from_identity(shift), shift)))

    @property
    def end(self) -> Shift:
        """The last of them, a longest one."""
        return self.every[-1]

    def from_identity(self, parameter: Shift) -> float:
        """Return the length of a shift, to nearest: no other length is between."""
        down, right = parameter
        return math.sqrt(down * down + right * right)

    @property
    def centres(self) -> int:
        """How many shifts there are."""
        return len(self.every)

    @property
    def selecting(self) -> Sequence[Shift]:
        """No shift: the input itself."""
        return self.every[:1]

    def image(self, point: Point, parameter: Shift) -> Point:
        """Return an input, shifted, with the noise of the input itself."""
        space, values = point.space, point.data
        lowest = 0 if point.arithmetic == "exact" else space.bounds[0]
        made = np.full_like(values, lowest)
        channels = None if space.layout is None else AXES[space.layout]
        sides = [axis for axis in range(values.ndim) if axis != channels]
        there, here = [slice(None)] * values.ndim, [slice(None)] * values.ndim
        for axis, shift in zip(sides, parameter, strict=True):
            size = values.shape[axis]
            kept = max(0, size - abs(shift))
            there[axis] = slice(max(0, shift), max(0, shift) + kept)
            here[axis] = slice(max(0, -shift), max(0, -shift) + kept)
        made[tuple(there)] = values[tuple(here)]
        return replace(space.point(made, point.arithmetic), noise_digest=point.noise_digest)

    @property
    def cell_radii(self) -> Sequence[float]:
        """Nothing lies between whole pixels."""
        return (0.0,)

    def cover(self, point: Point, radii: Callable[[Shift], Sequence[float]]) -> Cover:
        """Return every shift, from the shortest on; see :class:`CoveredNoise`."""
        del point, radii
        none = (0,) * len(self.every)
        return Cover((), self.every, (0.0,) * len(none), none, none)

    def check_cover(self, cover: Cover) -> None:
        """Refuse one that has not every shift in its place."""
        if cover.centres != self.every:
            raise UsageError(
                f"its cover has {len(cover.centres):,} images, which are not the "
                f"{len(self.every):,} shifts by up to {self.shifts:g} pixels in their order"
            )

    def misplaced(self, point: Point, cover: Cover) -> Iterator[str]:
        """Yield nothing: a shift is the same for all inputs."""
        del point, cover
        yield from ()

    def nearest(self, cover: Cover) -> list[float]:
        """Return the lengths of the shifts."""
        return [self.from_identity(shift) for shift in cover.centres]

    def radius_before(self, distance: float) -> float:
        """Return the longest shift that is shorter than ``distance``."""
        lengths = map(self.from_identity, self.every)
        return max((length for length in lengths if length < distance), default=0.0)

    def described(self, cover: Cover, at: int) -> str:
        """Return how an image is shifted."""
        down, right = cover.centres[at]
        return f"shifted by {down} pixels down and {right} to the right"
