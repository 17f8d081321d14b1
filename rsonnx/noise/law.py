"""What a smoothing distribution is: how it draws, and which radius follows from it in which norm.

A law is one small class in :mod:`rsonnx.noise.laws`: a frozen dataclass whose fields are all that
it takes to draw it again. Whatever is particular to it stands there, and nobody else asks which
law it is: its options, the inputs that it suits, how it draws, its radii with the theorem and their
proof, its words.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import Field, dataclass, fields
from functools import lru_cache
from typing import Any, ClassVar

import mpmath
import numpy as np
from numpy.typing import NDArray

from rsonnx.counts import Counts
from rsonnx.errors import UsageError
from rsonnx.noise.drawing import Drawing, FloatBlock, JointBlock, Place, grid_block
from rsonnx.noise.lattice import LEAST_STEPS, LatticeTable, lattice_table
from rsonnx.noise.norms import Norm, norm_named
from rsonnx.noise.space import LEVELS, InputSpace, Point


class Law(ABC):
    """A random (or enumerated) change of an input under which the classes are counted."""

    name: ClassVar[str]
    """As on the command line and in run files."""

    norms: ClassVar[tuple[str, ...]]
    """Those in which it can certify, the best first."""

    enumerated: ClassVar[bool] = False
    """Whether all outcomes of the change are counted (:meth:`evaluations`, :meth:`certify`);
    else it is sampled, and a bound on p_A gives the radius (:meth:`radius`)."""

    two_sided: ClassVar[bool] = False
    """Whether a theorem gives a radius from p_A and p_B too."""

    exact: ClassVar[bool] = True
    """Whether inputs on the grid are changed without floating-point rounding of the noise."""

    additive: ClassVar[bool] = True
    """Whether a sample is the input plus noise that does not depend on it."""

    in_units: ClassVar[bool] = False
    """Whether what a drawing writes for a point of the grid is in the units of the input already,
    and not in levels."""

    claim: ClassVar[int] = 0
    """How surely inputs that it suits are meant for it: by 1 it is named before others, and beside
    2 no other is named."""

    norm: str
    """The norm in which its radii are measured."""

    # How it is asked for.

    @classmethod
    def own(cls) -> Mapping[str, Field[Any]]:
        """Return all fields by name."""
        return {f.name: f for f in fields(cls)}  # type: ignore[arg-type]

    @classmethod
    def options(cls) -> Mapping[str, Field[Any]]:
        """Return the fields that :func:`given` declares, by name."""
        return {name: f for name, f in cls.own().items() if "shown" in f.metadata}

    @classmethod
    def takes_sigma(cls) -> bool:
        """Whether one standard deviation defines its scale."""
        return "sigma" in cls.own()

    @classmethod
    def lam_for(cls, sigma: float, size: int | None, a: float | None = None) -> float:
        """Return the λ at which one of ``size`` values has the standard deviation ``sigma``."""
        del sigma, size, a
        instead = "give lambda in its place" if "lam" in cls.own() else "leave it out"
        raise UsageError(f"{cls.name} noise has no sigma; {instead}")

    @classmethod
    def from_model(cls, shape: tuple[int, ...], layout: str | None) -> dict[str, Any]:
        """Return the fields that only a model can tell.

        Args:
            shape: that the model takes.
            layout: of its images, ``"NCHW"`` or ``"NHWC"``, where it is known.

        Raises:
            UsageError: no model for this noise takes such inputs.
        """
        del layout
        return {"size": math.prod(shape)} if "size" in cls.own() else {}

    @classmethod
    def suits(cls, space: InputSpace) -> str | None:
        """Return why it suits a model's inputs, for a line of text; None where it does not.

        Args:
            space: of what the model takes; its layout is None where these are no images.
        """
        del space
        return None

    # What is recorded and said of it.

    @property
    def parameters(self) -> dict[str, Any]:
        """All that defines the law, as JSON."""
        own = {name: getattr(self, name) for name in self.own()}
        return {name: list(v) if isinstance(v, tuple) else v for name, v in own.items()}

    def to_json(self) -> dict[str, Any]:
        """Return what a header records; :func:`rsonnx.noise.law_from_json` reads it back."""
        return {
            "distribution": self.name,
            "sigma": self.deviation,
            "norm": self.norm,
            "parameters": self.parameters,
        }

    @property
    @abstractmethod
    def deviation(self) -> float | None:
        """Standard deviation of the noise on one value, in the units of the input, if it has one.

        For show where another parameter than sigma defines the law.
        """

    @property
    def settings(self) -> str:
        """The parameter that matters, for a sentence: ``sigma = 0.5``; "" where none is."""
        return "" if self.deviation is None else f"sigma = {self.deviation:g}"

    @property
    def label(self) -> str:
        """A short name with the parameter that matters, for tables: ``laplace sigma = 0.5``."""
        return f"{self.name} {self.settings}".rstrip()

    @property
    def short_label(self) -> str:
        """The same where space is dear: the usual noise goes without its name."""
        return self.label

    @property
    def title(self) -> str:
        """What begins a line: ``Laplace noise of sigma = 0.5``."""
        title = f"{self.name[0].upper()}{self.name[1:]} noise"
        return f"{title} of {self.settings}" if self.settings else title

    def __str__(self) -> str:
        return self.label

    @property
    def measure(self) -> Norm:
        """What is known of the norm of its radii."""
        return norm_named(self.norm)

    @property
    def within(self) -> str:
        """Where the answer is certified, for a radius called "the row's radius"."""
        return self.measure.within

    def units(self, low: float, high: float) -> str:
        """Return in which units radii are; runs of other units are not compared.

        Args:
            low, high: the bounds of an input.
        """
        return self.measure.units(low, high)

    # Which inputs it takes, and what it makes of them.

    def check(self, point: Point) -> None:
        """Refuse an input that this law cannot change.

        Raises:
            UsageError: its size or its bounds are not what the law was made for, or it is given in
                levels and the noise in the units of the bounds.
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
        """Return a p_A in (0, 1] at which :meth:`radius` is at least ``radius`` > 0.

        1 where no double below it will do. Found by bisection: radii rise with p_A.
        """
        low, high = 0.0, 1.0
        while True:
            middle = 0.5 * (low + high)
            if not low < middle < high:
                return high
            low, high = (low, middle) if self.radius(middle) >= radius else (middle, high)

    def proves(self, radius: float, p_a_lower: float, p_b_upper: float | None) -> bool | None:
        """Prove by integers alone that a radius is not too large; None where there is no proof.

        Args:
            radius: as claimed, > 0.
            p_a_lower: the bound that it rests on.
            p_b_upper: the bound on every other class; None for a one-sided radius.
        """
        del radius, p_a_lower, p_b_upper
        return None

    def evaluations(self, shape: tuple[int, ...]) -> int:
        """Return how many outcomes the change of an input of ``shape`` has.

        Raises:
            UsageError: inputs of this shape cannot be changed so, or the noise is sampled.
        """
        del shape
        raise UsageError(f"{self.name} noise is sampled, and its outcomes cannot be counted")

    def certify(self, counts: Counts) -> ExactOutcome:
        """Return what counts of each outcome once prove; see :class:`EnumeratedNoise`."""
        del counts
        raise UsageError(f"{self.name} noise is sampled, so counts prove nothing for certain")

    def _settle(self, **checked: Any) -> None:
        """Store fields as they were checked; a law is frozen from then on."""
        for key, value in checked.items():
            object.__setattr__(self, key, value)

    def _check_norm(self) -> None:
        """Refuse a norm in which this distribution certifies nothing."""
        if self.norm not in self.norms:
            raise UsageError(
                f"the norm is {self.norm!r:.60}, but {self.name} noise certifies in "
                f"{' or '.join(self.norms)}; choose one of these, or another noise"
            )


SmoothingDistribution = Law


class SampledNoise(Law):
    """Noise that is sampled: a bound on p_A gives a radius with probability 1 - alpha."""

    @abstractmethod
    def radius(self, p_a_lower: float) -> float:
        """Return the radius that a lower bound on p_A in [0, 1] certifies, rounded down."""


class IndependentNoise(SampledNoise):
    """Additive noise, independent on every value and symmetric about 0."""

    @abstractmethod
    def cumulative(self, value: mpmath.mpf) -> mpmath.mpf:
        """Return the distribution function at ``value`` <= 0, at mpmath's working precision."""

    @abstractmethod
    def draw(self, generator: np.random.Generator, size: int) -> NDArray[np.float64]:
        """Return ``size`` floating-point draws."""

    def table(self, step: float) -> LatticeTable:
        """Return the table of exact noise on a grid of ``step``, in the units of the law.

        Raises:
            UsageError: the law is so wide that its outcomes do not fit a table, or narrower than
                any that is meant.
        """
        return _table(self, step)

    def open(self, place: Place) -> Drawing:
        """Return exact noise on the grid, else floating-point noise."""
        if not place.exact:
            return FloatBlock(self.draw, place)
        return grid_block(self.table(place.space.step), place)


@lru_cache(maxsize=16)
def _table(law: IndependentNoise, step: float) -> LatticeTable:
    sigma, width = law.deviation, LEVELS * step
    if sigma is not None and sigma < LEAST_STEPS * step:
        raise UsageError(
            f"{law} is too narrow for exact noise on a grid of step {step:g}: it never moves an "
            "8-bit value, so there is nothing to certify; use a larger sigma"
        )
    try:
        return lattice_table(law.cumulative, step)
    except OverflowError:
        advice = "use a smaller sigma, or floating-point inputs"
        if sigma is not None and width < LEVELS and width < sigma <= LEVELS:  # levels are meant
            advice = (
                f"use a smaller sigma, in the units of the bounds, {width:g} apart: {sigma:g} of "
                f"{LEVELS} levels is {sigma / LEVELS * width:.6g}; or make levels the unit with "
                f"--bounds 0 {LEVELS} (and zero-one in place of none as the preprocessing)"
            )
        raise UsageError(
            f"{law} is too wide for exact noise on a grid of step {step:g}; {advice}"
        ) from None


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
        """Return floating-point noise."""
        self.check_space(place.space)
        return JointBlock(self.draw_samples, place)


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


class EnumeratedNoise(Law):
    """A change with finitely many outcomes, all of which are counted: no sampling, no alpha.

    Sample i of a stream is outcome i of the change, whatever the seed of the run, for i below
    :meth:`evaluations`; behind these the outcomes begin again.
    """

    enumerated = True
    additive = False

    @property
    def deviation(self) -> None:
        """None: what is done to a value depends on the value, or leaves nothing of it."""
        return None

    @abstractmethod
    def evaluations(self, shape: tuple[int, ...]) -> int:
        """Return how many outcomes there are for an input of ``shape``; see :class:`Law`."""

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
