"""Brightness: one number is added to every value (Li et al., arXiv 2002.12398)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rsonnx.noise.drawing import Drawing, Place
from rsonnx.noise.transformed import GaussianTransformation, RepeatedBlock


@dataclass(frozen=True)
class Brightness(GaussianTransformation):
    """x + b with one b of N(0, sigma²) a sample, the same for all values, and no clipping.

    On the 8-bit grid b is rounded to whole levels, which belongs to the base classifier: x + b is
    then rounded as noise on values is, so that the samples are exact.

    Attributes:
        sigma: standard deviation of b, > 0, in the units of the input.
        norm: brightness, that is |b|.
    """

    norm: str = "brightness"

    name: ClassVar[str] = "brightness"
    norms: ClassVar[tuple[str, ...]] = ("brightness",)
    additive: ClassVar[bool] = True

    def open(self, place: Place) -> Drawing:
        """Return whole levels on the grid, else floating-point numbers."""
        return RepeatedBlock(self.noise.open(place), place.space.size)
