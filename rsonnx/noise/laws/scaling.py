"""Enlarged and reduced images: Gaussian noise, and an interval of factors that is covered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from rsonnx.errors import UsageError
from rsonnx.noise.covering import IntervalNoise, checked_interval
from rsonnx.noise.options import SCALES
from rsonnx.noise.scale import check_scale
from rsonnx.scalars import in_full
from rsonnx.transforms.families import SCALING, Family


@dataclass(frozen=True)
class Scaling(IntervalNoise):
    """Certificates for an image scaled about its middle by any factor of an interval.

    Attributes:
        sigma: standard deviation of the noise, > 0, in the units of the input.
        factors: the lowest and the highest factor, within 1/8 to 8, 1 between them.
        norm: scaling; a radius is the difference of a factor from 1.
    """

    sigma: float
    factors: tuple[float, float] = field(metadata=SCALES)
    norm: str = "scaling"

    name: ClassVar[str] = "scaling"
    norms: ClassVar[tuple[str, ...]] = ("scaling",)
    family: ClassVar[Family] = SCALING
    unit: ClassVar[str] = " times"

    def __post_init__(self) -> None:
        low, high = checked_interval("factors", self.factors, SCALING)
        if not 0.125 <= low < high <= 8.0:
            raise UsageError(
                f"the factors are {low:g} and {high:g}, but numbers from 1/8 to 8 were expected"
            )
        self._settle(sigma=check_scale("sigma", self.sigma), factors=(low, high))
        self._check_norm()

    @property
    def interval(self) -> tuple[float, float]:
        """The factors."""
        return self.factors

    @property
    def within(self) -> str:
        """Where the answer is certified."""
        low, high = self.factors
        return (
            f"at every scaling of the input about its middle by a factor from "
            f"{in_full(low)} to {in_full(high)} "
            "that differs from 1 by at most the row's radius (interpolated bilinearly, the lowest "
            "value around)"
        )
