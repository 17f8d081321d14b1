"""What a smoothing distribution is: how it draws, and which radius follows from it in which norm.

A distribution is one small class in :mod:`rsonnx.noise.laws`: a frozen dataclass whose fields are
all that it takes to draw it again. It states its theorem, with the source, in ``radius``.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Protocol

import mpmath
import numpy as np
from numpy.typing import NDArray

from rsonnx.counts import Counts
from rsonnx.errors import UsageError
from rsonnx.noise.norms import norm_named
from rsonnx.noise.space import InputSpace, Point


class Drawing(Protocol):
    """The randomness of one block in its order."""

    def draw(self, count: int) -> NDArray[Any]:
        """Return the next ``count`` values; whole samples at a time where they are not apart."""

    def write(self, base: NDArray[Any], divisor: np.float32, out: NDArray[np.float32]) -> None:
        """Write the next samples.

        Args:
            base: the input, flat: uint8 levels, or float64 values.
            divisor: what a level is divided by, see :attr:`InputSpace.divisor`; 1 for values.
            out: float32 (samples, values of a sample).
        """


@dataclass(frozen=True)
class Place:
    """Where a block of samples lies.

    Attributes:
        key: of the stream: the seed, the input and the stage.
        block: number of the block.
        first: index of its first sample in the stream.
        space: of the input.
        exact: whether the input is given in levels of the grid.
    """

    key: int
    block: int
    first: int
    space: InputSpace
    exact: bool


class SmoothingDistribution(ABC):
    """A random (or enumerated) change of an input under which the classes are counted."""

    name: ClassVar[str]
    """As on the command line and in run files."""

    norms: ClassVar[tuple[str, ...]]
    """Those in which it can certify, the best first."""

    exact: ClassVar[bool] = True
    """Whether inputs on the grid are changed without floating-point rounding of the noise."""

    additive: ClassVar[bool] = True
    """Whether a sample is the input plus noise that does not depend on it."""

    in_units: ClassVar[bool] = False
    """Whether what a drawing writes for a point of the grid is in the units of the input already,
    and not in levels."""

    norm: str
    """The norm in which its radii are measured."""

    @property
    @abstractmethod
    def deviation(self) -> float | None:
        """Standard deviation of the noise on one value, in the units of the input, if it has one.

        For show where another parameter than sigma defines the law.
        """

    @abstractmethod
    def open(self, place: Place) -> Drawing:
        """Return the randomness of a block, to be drawn from its first sample on."""

    def check(self, point: Point) -> None:
        """Refuse an input that this law cannot change.

        Raises:
            UsageError: its size or its bounds are not what the law was made for, or it is given in
                levels and the noise in the units of the bounds.
            DataError: its values are none on which the law is defined.
        """
        size = getattr(self, "size", None)
        if size is not None and size != point.space.size:
            raise UsageError(
                f"the noise was made for inputs of {size} values, but these have "
                f"{point.space.size}; make it for their size"
            )
        self.check_arithmetic(point)

    def check_arithmetic(self, point: Point) -> None:
        """Refuse levels where the noise is in the units of the bounds: it would be too narrow."""
        if self.additive and not self.exact and point.arithmetic == "exact":
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

    @classmethod
    def size_of(cls, shape: tuple[int, ...]) -> int:
        """Return the field ``size`` for a classifier that takes samples of ``shape``."""
        return math.prod(shape)

    @property
    def parameters(self) -> dict[str, Any]:
        """All that defines the law, as JSON; :func:`rsonnx.noise.noise_from` reads it back."""
        return asdict(self)  # type: ignore[call-overload,no-any-return]

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """A short name with the parameter that matters, for tables: ``laplace sigma = 0.5``."""
        return self.name if self.deviation is None else f"{self.name} sigma = {self.deviation:g}"

    @property
    def within(self) -> str:
        """Where the answer is certified, for a radius called "the row's radius"."""
        return norm_named(self.norm).within

    def units(self, low: float, high: float) -> str:
        """Return in which units radii are; runs of other units are not compared.

        Args:
            low, high: the bounds of an input.
        """
        return norm_named(self.norm).units(low, high)

    def _check_norm(self) -> None:
        """Refuse a norm in which this distribution certifies nothing."""
        if self.norm not in self.norms:
            raise UsageError(
                f"the norm is {self.norm!r:.60}, but {self.name} noise certifies in "
                f"{' or '.join(self.norms)}; choose one of these, or another noise"
            )


class SampledNoise(SmoothingDistribution):
    """Noise that is sampled: a bound on p_A gives a radius with probability 1 - alpha."""

    two_sided: ClassVar[bool] = False
    """Whether a theorem gives a radius from p_A and p_B too."""

    @abstractmethod
    def radius(self, p_a_lower: float) -> float:
        """Return the radius that a lower bound on p_A in [0, 1] certifies, rounded down."""

    def radius_between(self, p_a_lower: float, p_b_upper: float) -> float:
        """Return the radius from bounds on p_A and on every other class, rounded down."""
        del p_a_lower, p_b_upper
        raise UsageError(
            f"{self.name} noise has no two-sided radius in {self.norm}; use the one-sided radius"
        )

    def probability_for(self, radius: float) -> float:
        """Return a p_A in (0, 1] at which :meth:`radius` is at least ``radius`` > 0.

        1 where no double below it will do. Found by bisection: radii rise with p_A.
        """
        low, high = 0.0, 1.0
        while True:
            middle = 0.5 * (low + high)
            if not low < middle < high:
                return high
            low, high = (low, middle) if self.radius(middle) >= radius else (middle, high)


class IndependentNoise(SampledNoise):
    """Additive noise, independent on every value and symmetric about 0."""

    @abstractmethod
    def cumulative(self, value: mpmath.mpf) -> mpmath.mpf:
        """Return the distribution function at ``value`` <= 0, at mpmath's working precision."""

    @abstractmethod
    def draw(self, generator: np.random.Generator, size: int) -> NDArray[np.float64]:
        """Return ``size`` floating-point draws."""

    def open(self, place: Place) -> Drawing:
        """Return exact noise on the grid, else floating-point noise."""
        from rsonnx.noise.additive import independent_block  # noqa: PLC0415 - which needs this one

        return independent_block(self, place)


class JointNoise(SampledNoise):
    """Additive noise whose values depend on each other: drawn whole samples at a time, float64."""

    exact = False

    size: int | None
    """d, the values of an input, on which the law of each value depends."""

    @abstractmethod
    def draw_samples(
        self, generator: np.random.Generator, samples: int, size: int
    ) -> NDArray[np.float64]:
        """Return floating-point noise, (samples, size)."""

    def open(self, place: Place) -> Drawing:
        """Return floating-point noise.

        Raises:
            UsageError: an input of this space has another number of values than the law.
        """
        if place.space.size != self.size:
            raise UsageError(
                f"{self.name} noise was made for inputs of {self.size} values, but an input has "
                f"{place.space.size}; give its size"
            )
        from rsonnx.noise.additive import JointBlock  # noqa: PLC0415 - which needs this one

        return JointBlock(self, place)


@dataclass(frozen=True)
class ExactOutcome:
    """What counts over all outcomes of a change prove.

    Attributes:
        label: the smoothed classifier's answer; -1 where "no class" has the most outcomes.
        radius: within which, itself included, the answer cannot change; >= 0, and 0 for -1. At 0
            the answer at the input itself is still known for certain.
    """

    label: int
    radius: float


class EnumeratedNoise(SmoothingDistribution):
    """A change with finitely many outcomes, all of which are counted: no sampling, no alpha.

    Sample i of a stream is outcome i of the change, whatever the seed of the run, for i below
    :meth:`evaluations`; behind these the outcomes begin again.
    """

    additive = False

    @property
    def deviation(self) -> None:
        """None: what is done to a value depends on the value, or leaves nothing of it."""
        return None

    @abstractmethod
    def evaluations(self, shape: tuple[int, ...]) -> int:
        """Return how many outcomes there are for an input of ``shape``.

        Raises:
            UsageError: inputs of this shape cannot be changed so.
        """

    @abstractmethod
    def radius_within(self, changed: int) -> float:
        """Return the largest radius in which no input has more than ``changed`` other outcomes.

        Rounded down; 0 where already the least change of an input may alter more of them.
        """

    def certify(self, counts: Counts) -> ExactOutcome:
        """Return the smoothed classifier's answer and its exact radius.

        The answer is the class with the most outcomes, the lowest one among equals. Answers that
        are no class (NaN, say) compete as one more class behind all others: they lose
        every tie, and where they win there is no answer.

        An input near by, at which c of the n outcomes are other ones, has n_A' >= n_A - c and
        n_B' <= n_B + c for every rival B, since each outcome has one answer. A is still in front
        where n_A' > n_B', or where they are equal and A < B: where n_A' - n_B' >= 1[B < A]. So A
        stays wherever 2c <= n_A - n_B - 1[B < A]. Each outcome that changes costs two, one for
        leaving A and one for joining B, hence the half: c <= floor((n_A - n_B - 1[B < A]) / 2), for
        the rival with the largest n_B + 1[B < A]. Classes that were never seen are rivals too.

        Args:
            counts: of each outcome once.
        """
        votes = counts.classes
        if not votes.any():
            return ExactOutcome(-1, 0.0)
        top = counts.top()[0]
        rivals = votes + (np.arange(len(votes)) < top)
        rivals[top] = 0
        margin = int(votes[top]) - max(int(rivals.max()), counts.no_class)
        if margin < 0:
            return ExactOutcome(-1, 0.0)
        return ExactOutcome(top, self.radius_within(margin // 2))
