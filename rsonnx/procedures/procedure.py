"""What a procedure is: which samples it asks for, and what follows from their counts.

A procedure is one small class: a frozen dataclass that is settled before the first sample. It knows
no model and no device. Its ``steps`` end in ``derive``, the line that also verifies, restates and
merges, so a row and its verification cannot part; ``prove`` shares no code with it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self, TypeVar

from rsonnx.closed_form import Form
from rsonnx.counts import MOST_CLASSES, Counts
from rsonnx.errors import UsageError
from rsonnx.noise import Law, Point, uniform
from rsonnx.procedures.evidence import Evidence, Figures, Proof
from rsonnx.procedures.radii import default_radii
from rsonnx.procedures.result import Certificate
from rsonnx.scalars import as_whole, shown

Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)

LOOK = 32
"""Looks are at multiples of this many samples: fewer waste calls, more waste samples."""


@dataclass(frozen=True)
class Ask:
    """A range of samples of one stream, ``start`` <= index < ``stop``.

    Attributes:
        stream: ``"selection"``, ``"estimation"``, ``"prediction"``, or a name of the procedure's
            own; streams of different names are independent of each other.
        start, stop: the range.
        point: where the samples are drawn; None for the input itself.
    """

    stream: str
    start: int
    stop: int
    point: Point | None = None


Steps = Generator[Sequence[Ask], Sequence[Counts], Result]
"""Yields the ranges that it wants counted, is sent their counts, and returns its result."""


@dataclass(frozen=True)
class Task:
    """One input, as a procedure sees it.

    Attributes:
        point: the input.
        seed: of the run.
        form: returns the base classifier as a form whose probabilities follow by calculation, or
            raises what says that it is none.
    """

    point: Point
    seed: int
    form: Callable[[], Form]

    @property
    def uniform(self) -> float:
        """A number in (0, 1] that no sample depends on, for a randomised bound."""
        return uniform(self.seed, self.point.digest)


class Asking(Protocol[Result_co]):
    """Anything with steps: what certifies, what predicts, what only counts."""

    @property
    def noise(self) -> Law:
        """The smoothing distribution of which it asks for samples."""

    @property
    def samples(self) -> int:
        """The most samples that it draws of an input."""

    def steps(self, task: Task) -> Steps[Result_co]:
        """Ask for samples until the result is settled."""


def check_classes(num_classes: int | None) -> int | None:
    """Return how many classes there are, or refuse it unless it is a whole number or not known."""
    whole = as_whole(num_classes)
    if num_classes is not None and (whole is None or not 1 <= whole <= MOST_CLASSES):
        raise UsageError(
            f"num_classes is {shown(num_classes)}, but a whole number from 1 to {MOST_CLASSES:,} "
            "was expected"
        )
    return whole


class Procedure(ABC):
    """A way of certifying one input.

    Attributes:
        noise: the smoothing distribution.
        n0: selection samples, or the most of them.
        n: estimation samples, or the most of them.
        alpha: probability of error of all that is claimed of one input.
    """

    noise: Law
    n0: int
    n: int
    alpha: float

    bound: str
    """As in a run's header: the name of the bound on a probability."""

    radius_rule: str
    """As in a run's header: which radius follows from the bounds."""

    target_radii: tuple[float, ...] | None
    """The radii whose decision ends the sampling; None where n is fixed."""

    num_classes: int | None
    """K, where alpha is shared among classes or it is known."""

    precision: float | None = None
    """The share of a radius for want of which sampling goes on; None where another rule ends it."""

    fixed_n: ClassVar[bool] = True
    """Whether how many samples are drawn depends on nothing that is counted."""

    only_these: ClassVar[str] = ""
    """Why the counts support no other settings, and what to do; the run is the subject."""

    sure: ClassVar[str] = (
        "with probability at least 1 - alpha over the noise, separately for each input,"
    )
    """How sure a claim is."""

    certain: ClassVar[str] = ""
    """Why certificates cannot be wrong by chance; "" where they can, since samples are drawn."""

    in_short: ClassVar[str] = "sampled"
    """How class probabilities become known."""

    way: ClassVar[str] = "sampled"
    """As ``procedure`` is asked for."""

    def _settle(self, **checked: Any) -> None:
        """Store fields as they were checked; a procedure is frozen from then on."""
        for key, value in checked.items():
            object.__setattr__(self, key, value)

    @property
    def samples(self) -> int:
        """The most samples that it draws of an input."""
        return self.n0 + self.n

    @property
    def stops_early(self) -> bool:
        """Whether n is a ceiling: sampling ends at decided targets, or at a precision."""
        return self.target_radii is not None or self.precision is not None

    @property
    def beyond(self) -> str:
        """What is certified beyond changes within the radius, in words behind that; or ""."""
        return ""

    @property
    def needs_uniform(self) -> bool:
        """Whether :meth:`derive` needs a number drawn before the samples."""
        return False

    @property
    @abstractmethod
    def largest_radius(self) -> float:
        """The most that its samples can give."""

    @property
    def table_reach(self) -> float:
        """How far its runs' figures are stated."""
        return self.largest_radius

    @property
    def table_radii(self) -> tuple[float, ...]:
        """At which radii the figures of a run are stated: its targets, or round ones."""
        if self.target_radii is not None:
            return (0.0, *self.target_radii)
        return default_radii(self.table_reach, whole=self.noise.measure.whole)

    @abstractmethod
    def steps(self, task: Task) -> Steps[Certificate]:
        """Ask for samples until the certificate is settled."""

    def try_first(self, task: Task) -> None:
        """Refuse what could certify no input, as the first one shows, before hours of work.

        Raises:
            ModelError, UsageError: the model, or what it is asked with, is not for this procedure.
        """
        del task

    @abstractmethod
    def derive(self, evidence: Evidence) -> Certificate:
        """Derive the certificate.

        Raises:
            UsageError: the evidence is not what this procedure asks for.
        """

    def same_radii(self, figures: Figures, derived: Certificate) -> bool:
        """Say whether a row's radii are the derived ones but for last digits, and proved.

        Args:
            figures: of the row; all but its radii is as it was derived.
            derived: from its evidence.
        """
        return self.noise.same_radius(
            figures.radius,
            derived.radius,
            lambda radius: self.noise.proves(radius, figures.p_a_lower, None),
        )

    def check(self, evidence: Evidence, uniform: float | None) -> Iterator[str]:
        """Yield what of the evidence this procedure cannot have drawn, beyond what is refused.

        Args:
            evidence: of a row that was derived.
            uniform: what the run's seed gives for the input; None where no bound needs it.
        """
        if evidence.uniform != uniform:
            # One that was chosen after the samples could be a better one.
            yield f"uniform is {evidence.uniform!r}, but the seed gives {uniform!r}"

    def check_input(self, evidence: Evidence, point: Point) -> Iterator[str]:
        """Yield what of the evidence does not fit the input that it is said to be of."""
        del evidence, point
        return iter(())

    def left(self, evidence: Evidence) -> float:
        """Return by how much a row's radius is expected to grow with all n samples, an estimate."""
        del evidence
        return 0.0

    def streams(self, evidence: Evidence) -> Mapping[str, Sequence[int]]:
        """Return how many samples were drawn of each stream, by stage."""
        stages = {"selection": evidence.selection, "estimation": evidence.estimation}
        return {stage: (counts.total,) for stage, counts in stages.items()}

    @abstractmethod
    def prove(self, figures: Figures) -> Proof:
        """Prove the figures of a row that was derived, by integer arithmetic where there is any."""

    def confirm(self, task: Task, evidence: Evidence) -> Iterator[str]:
        """Yield what of a row's evidence other arithmetic does not confirm, from the model itself.

        For what is calculated; samples are drawn :meth:`again`.
        """
        del task, evidence
        yield from ()

    def again(self, task: Task, evidence: Evidence) -> Steps[Certificate]:
        """Ask for the very samples of ``evidence`` once more, and derive from what they are now.

        All are asked for at once. The evidence has its uniform number.
        """
        del task
        selection, estimation = yield from self._ranges(
            (0, evidence.selection.total), (0, evidence.estimation.total)
        )
        return self.derive(Evidence(selection, estimation, evidence.uniform))

    def _ranges(
        self, selection: tuple[int, int], *estimation: tuple[int, int]
    ) -> Steps[Sequence[Counts]]:
        """Ask for ranges of both stages; an empty one is not asked for."""
        asks = [Ask("selection", *selection), *(Ask("estimation", *part) for part in estimation)]
        counted = iter((yield [ask for ask in asks if ask.start < ask.stop]))
        return [next(counted) if ask.start < ask.stop else Counts([]) for ask in asks]

    def restated(self, alpha: float, bound: str, radius: str) -> Procedure:
        """Return the procedure that derives certificates from the same counts at other settings.

        Args:
            alpha: probability of error an input.
            bound: name of the bound.
            radius: the radius rule.

        Raises:
            UsageError: the counts do not support it.
        """
        for name, asked, kept in (
            ("alpha", alpha, self.alpha),
            ("bound", bound, self.bound),
            ("radius rule", radius, self.radius_rule),
        ):
            if asked != kept:
                raise UsageError(
                    f"{name} = {asked} was asked for, but with {kept} it {self.only_these}"
                )
        return self

    def as_begun(self, begun: Procedure) -> Procedure:
        """Return the same procedure by the rules of an earlier version, which began a run."""
        del begun
        return self

    def of_classes(self, num_classes: int | None) -> Procedure:
        """Return the same procedure for a model of so many classes."""
        del num_classes
        return self

    @property
    @abstractmethod
    def words(self) -> str:
        """How many samples of an input are drawn, and how sure the certificate is."""

    def to_json(self) -> dict[str, Any]:
        """Return what a run's header records: with it a row's certificate can be derived again."""
        targets = self.target_radii
        return {
            "n0": self.n0,
            "n": self.n,
            "alpha": self.alpha,
            "bound": self.bound,
            "radius_rule": self.radius_rule,
            "num_classes": self.num_classes,
            "target_radii": None if targets is None else list(targets),
        }

    @classmethod
    @abstractmethod
    def recorded(cls, fields: Mapping[str, Any], noise: Law, shape: tuple[int, ...]) -> Self:
        """Return the procedure that :meth:`to_json` recorded.

        Args:
            fields: what it returned, each of the right type.
            noise: the smoothing distribution.
            shape: that the model takes.

        Raises:
            UsageError: these are no settings of this procedure.
        """

    def claim(self, arithmetic: str | None, rows: str | None) -> str:
        """Return what a run says of its inputs, and on which assumption about the model's rows.

        Exact noise is that of the law, followed by a rounding to the grid, which belongs to the
        base classifier; so the claim is of that.
        """
        which = f"the smoothed classifier{self.rounds(arithmetic)}"
        claim = f"{self.sure} {which} answers the row's prediction {self.noise.within}{self.beyond}"
        if rows != "watched":
            return claim
        return f"{claim}, assuming that no input's answer depends on the others of its batch"

    def rounds(self, arithmetic: str | None) -> str:
        """Return in words how noisy inputs are rounded before the model takes them, if that is said

        of the base classifier; else "".
        """
        if self.noise.additive and arithmetic == "exact":
            return ", which rounds noisy inputs to the grid of 256 levels,"
        return ""
