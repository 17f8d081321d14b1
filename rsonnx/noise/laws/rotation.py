"""Turned images: Gaussian noise, and an interval of angles that is covered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from rsonnx.errors import UsageError
from rsonnx.noise.covering import IntervalNoise, checked_interval
from rsonnx.noise.options import ANGLES
from rsonnx.noise.scale import check_scale
from rsonnx.scalars import in_full
from rsonnx.transforms.families import ROTATION, Family


@dataclass(frozen=True)
class Rotation(IntervalNoise):
    """Certificates for an image turned about its middle by any angle of an interval.

    Attributes:
        sigma: standard deviation of the noise, > 0, in the units of the input.
        angles: the lowest and the highest angle, in degrees, within -180 to 180, 0 between them.
        norm: rotation; a radius is an angle in degrees.
    """

    sigma: float
    angles: tuple[float, float] = field(metadata=ANGLES)
    norm: str = "rotation"

    name: ClassVar[str] = "rotation"
    norms: ClassVar[tuple[str, ...]] = ("rotation",)
    family: ClassVar[Family] = ROTATION
    unit: ClassVar[str] = " degrees"

    def __post_init__(self) -> None:
        low, high = checked_interval("angles", self.angles, ROTATION)
        if not -180.0 <= low < high <= 180.0:
            raise UsageError(
                f"the angles are {low:g} and {high:g}, but degrees from -180 to 180 were expected"
            )
        self._settle(sigma=check_scale("sigma", self.sigma), angles=(low, high))
        self._check_norm()

    @property
    def interval(self) -> tuple[float, float]:
        """The angles."""
        return self.angles

    @property
    def within(self) -> str:
        """Where the answer is certified."""
        low, high = self.angles
        return (
            f"at every turn of the input about its middle from "
            f"{in_full(low)} to {in_full(high)} degrees by at "
            "most the row's radius (interpolated bilinearly, the lowest value around)"
        )
