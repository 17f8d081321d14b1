"""What a smoothing distribution is: how it draws, and which radius follows from it in which norm.

A law is one small class in :mod:`rsonnx.noise.laws`: a frozen dataclass whose fields are all that
it takes to draw it again. Whatever is particular to it stands there, and nobody asks which it is.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from fractions import Fraction
from typing import Any, ClassVar, NamedTuple

import mpmath
import numpy as np
from numpy.typing import NDArray

from rsonnx.counts import Counts
from rsonnx.errors import UsageError
from rsonnx.noise.described import Described
from rsonnx.noise.drawing import Drawing, Place
from rsonnx.noise.lattice import LatticeTable
from rsonnx.noise.space import InputSpace, Point
from rsonnx.scalars import shown
from rsonnx.statistics import LAST_DIGITS

_OUTWARD = 2.0**-48
"""Relative margin for the rounding of a distance in doubles."""


class ExactOutcome(NamedTuple):
    """What counts over all outcomes of a change prove.

    Attributes:
        label: the smoothed classifier's answer; -1 where "no class" has the most outcomes.
        radius: within which, itself included, the answer cannot change; >= 0, and 0 for -1. At 0
            the answer at the input itself is still known for certain.
    """

    label: int
    radius: float


def check_law(noise: object) -> Law:
    """Return a law, or refuse anything else."""
    if not isinstance(noise, Law):
        raise UsageError(
            f"the noise is {shown(noise)}, but a law was expected, such as rsonnx.noise.Laplace(1)"
        )
    return noise


class Law(Described):
    """A random (or enumerated) change of an input under which the classes are counted."""

    enumerated: ClassVar[bool] = False
    """Whether all outcomes of the change are counted (:meth:`evaluations`, :meth:`certify`);
    else it is sampled, and a bound on p_A gives the radius (:meth:`radius`)."""

    covered: ClassVar[bool] = False
    """Whether an interval of a transformation is certified by images that cover it."""

    two_sided: ClassVar[bool] = False
    """Whether a theorem gives a radius from p_A and p_B too."""

    exact: ClassVar[bool] = True
    """Whether inputs on the grid are changed without floating-point rounding of the noise."""

    additive: ClassVar[bool] = True
    """Whether a sample is the input plus noise that does not depend on it."""

    calculable: ClassVar[bool] = False
    """Whether the noise on every value is symmetric and independent of that on the others, and its
    distribution function is known: see :meth:`cumulative_at`."""

    normal: ClassVar[bool] = False
    """Whether the noise on every value is normal, and independent of that on the others."""

    codes: ClassVar[bool] = False
    """Whether a sample holds whole numbers between the bounds alone, as an input of codes does."""

    in_units: ClassVar[bool] = False
    """Whether what a drawing writes for a point of the grid is in the units of the input already,
    and not in levels."""

    claim: ClassVar[int] = 0
    """How surely inputs that it suits are meant for it: by 1 it is named before others, and beside
    2 no other is named."""

    # Which model it is for.

    @classmethod
    def from_model(cls, shape: tuple[int, ...], layout: str | None) -> dict[str, Any]:
        """Return the fields that only a model tells, or refuse one that is not for this noise.

        Args:
            shape: that the model takes.
            layout: of its images, ``"NCHW"`` or ``"NHWC"``, where it is known.
        """
        del layout
        return {"size": math.prod(shape)} if "size" in cls.own() else {}

    @classmethod
    def suits(cls, space: InputSpace) -> str | None:
        """Return why it suits what a model takes, for a line of text; None where it does not."""
        del space
        return None

    # What of it acts on one value, and how long a change is.

    def deviation_of(self, at: int) -> float | None:
        """Return the standard deviation of the noise on the value at a place, if it has one."""
        del at
        return self.deviation

    def alone(self, radius: float, at: int) -> Fraction:
        """Return by how much a value may change alone, within a radius as it is written."""
        del at
        return Fraction(repr(radius))  # in all norms of a sum or maximum of absolute changes

    def length(self, change: NDArray[np.float64]) -> float:
        """Return how long a change of an input is in the norm of its radii, rounded up.

        Args:
            change: in the units of the input, each value within a relative 2^-51.

        Raises:
            UsageError: the noise is not added to values, or the norm is none of them.
        """
        measured = self.measure.length
        if not self.additive or measured is None:
            raise UsageError(
                f"{self.name} noise measures radii in {self.norm} and no distance between values; "
                "only noise that is added to values, in l2, l1, linf or mahalanobis, has one"
            )
        return math.nextafter(measured(change) * (1 + _OUTWARD), math.inf)

    # Which inputs it takes, and what it makes of them.

    def check(self, point: Point) -> None:
        """Refuse an input that this law cannot change, for its values only if it is ``in_units``.

        Raises:
            UsageError: its space or its arithmetic are not what the law was made for.
            DataError: its values are none on which the law is defined.
        """
        self.check_space(point.space)
        self.check_arithmetic(point)

    def check_space(self, space: InputSpace) -> None:
        """Refuse inputs of another size than the law was made for."""
        size = getattr(self, "size", None)
        if size is not None and size != space.size:
            raise UsageError(
                f"{self.name} noise was made for inputs of {size} values, but these have "
                f"{space.size}; make it for their size"
            )

    def check_arithmetic(self, point: Point) -> None:
        """Refuse levels where the noise is in the units of the bounds: it would be too narrow."""
        if not self.exact and point.arithmetic == "exact":
            raise UsageError(
                "the input is given in levels of the 8-bit grid, but "
                f"{self.name} noise is drawn in floating point and in the units of the bounds; "
                "make the point with float arithmetic"
            )

    def unchanged(self, point: Point) -> NDArray[np.float32]:
        """Return an input as the classifier takes it without noise, in the shape of a sample."""
        return point.values()

    def sample_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of a sample of an input of ``shape``."""
        return shape

    def input_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of an input whose samples have ``shape``, which a classifier takes."""
        return shape

    def farthest_of(self, point: Point) -> Point:
        """Return the image that an interval of a transformation ends with; else the input."""
        return point

    @property
    def drawn(self) -> Law:
        """The noise that samples have; a law of its own where a transformation is certified."""
        return self

    def table(self, step: float) -> LatticeTable | None:
        """Return what draws it exactly on a grid of ``step``; None where no table does."""
        del step
        return None

    @property
    def fixed(self) -> tuple[int, ...]:
        """Places of values that no noise is added to: certificates are for these as they are."""
        return ()

    def with_fixed(self, fixed: tuple[int, ...], size: int) -> Law:
        """Return the same noise, but for the values at some places of ``size``, which get none.

        Raises:
            UsageError: it changes all values of an input.
        """
        del fixed, size
        raise UsageError(
            f"{self.label} noise in {self.norm} leaves no column of a table as it is; use Gaussian "
            "noise (--sigma or --sigma-per-feature), or leave fixed columns and text out"
        )

    @property
    def unfixed(self) -> Law:
        """The noise of one scale that :meth:`with_fixed` made this of, if it did; else itself."""
        return self

    @abstractmethod
    def open(self, place: Place) -> Drawing:
        """Return the randomness of a block, to be drawn from its first sample on."""

    # What follows from counts.

    def radius(self, p_a_lower: float) -> float:
        """Return the radius that a lower bound on p_A in [0, 1] certifies, rounded down."""
        del p_a_lower
        raise UsageError(f"{self.name} noise is counted in full, so no bound gives its radius")

    def radius_between(self, p_a_lower: float, p_b_upper: float) -> float:
        """Return the radius from bounds on p_A and on every other class, rounded down."""
        del p_a_lower, p_b_upper
        raise UsageError(
            f"{self.name} noise has no two-sided radius in {self.norm}; use the one-sided radius"
        )

    def probability_for(self, radius: float) -> float:
        """Return a p_A in (0, 1] at which :meth:`radius` is at least ``radius`` > 0; else 1.

        Found by bisection: radii rise with p_A.
        """
        low, high = 0.0, 1.0
        while low < (middle := 0.5 * (low + high)) < high:
            low, high = (low, middle) if self.radius(middle) >= radius else (middle, high)
        return high

    def proves(self, radius: float, p_a_lower: float, p_b_upper: float | None) -> bool | None:
        """Prove by integers alone that a radius >= 0 is not too large; None where nothing does.

        ``p_b_upper`` is None for a one-sided radius.
        """
        del radius, p_a_lower, p_b_upper
        return None

    @property
    def agreement(self) -> float:
        """By how much, relatively, a radius may be larger than :meth:`radius` and is proved still.

        Where integers prove nothing, of laws that compute in doubles and leave more than that.
        """
        return 0.0

    def same_radius(
        self, recorded: float, derived: float, proves: Callable[[float], bool | None]
    ) -> bool:
        """Say whether a radius is the derived one but for last digits, and is proved all the same.

        Another release of scipy, or another C library, computes other ones.

        Args:
            recorded, derived: the radius as a row has it, and as it follows here.
            proves: :meth:`proves` or :meth:`proves_beside` at the bounds that the row has.
        """
        if math.isclose(recorded, derived, rel_tol=self.agreement):
            return True
        near = math.isclose(recorded, derived, rel_tol=LAST_DIGITS)
        return near and proves(recorded) is True

    def cumulative_at(self, at: int) -> Callable[[mpmath.mpf], mpmath.mpf] | None:
        """Return the distribution function of the noise on the value at a place, at values <= 0.

        None where :attr:`calculable` is not so, and for a fixed value. It computes at mpmath's
        working precision.
        """
        del at
        return None

    def tail_bounds(self, distance: Fraction, at: int) -> tuple[Fraction, Fraction] | None:
        """Return bounds on P(noise on the value at a place >= distance), for a distance >= 0.

        By whole numbers alone, in which :meth:`cumulative_at` has no part; None where that is None.
        """
        del distance, at
        return None

    def radius_beside(self, p_other: float) -> float:
        """Return the radius from an upper bound on the probability of all other classes together.

        It is rounded down, and 0 unless ``p_other`` < 1/2. Beyond eight standard deviations 1 - p_A
        is no double, but p_other is.
        """
        return self.radius(math.nextafter(1.0 - p_other, 0.0))

    def proves_beside(self, radius: float, p_other: float) -> bool | None:
        """Prove a radius of :meth:`radius_beside` by integers alone; None where nothing does."""
        del radius, p_other
        return None

    def evaluations(self, shape: tuple[int, ...]) -> int:
        """Return how many outcomes the change of an input of ``shape`` has, or refuse the shape."""
        del shape
        raise UsageError(f"{self.name} noise is sampled, and its outcomes cannot be counted")

    def certify(self, counts: Counts) -> ExactOutcome:
        """Return what counts of each outcome once prove."""
        del counts
        raise UsageError(f"{self.name} noise is sampled, so counts prove nothing for certain")


class SampledNoise(Law):
    """Noise that is sampled: a bound on p_A gives a radius with probability 1 - alpha."""

    two_sided: ClassVar[bool] = True

    @abstractmethod
    def radius(self, p_a_lower: float) -> float:
        """Return the radius that a lower bound on p_A in [0, 1] certifies, rounded down."""
