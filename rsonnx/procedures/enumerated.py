"""Exact certificates: every change that the noise can make of an input was counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from rsonnx.counts import Counts
from rsonnx.errors import UsageError
from rsonnx.noise import Law
from rsonnx.noise.rounding import quotient_down
from rsonnx.procedures.evidence import Evidence, Figures, Proof
from rsonnx.procedures.procedure import Ask, Procedure, Steps, Task
from rsonnx.procedures.result import ABSTAIN, AbstainReason, Certificate, CertificateCounts


@dataclass(frozen=True)
class Enumerated(Procedure):
    """How the counts of all outcomes become a certificate, which is certain.

    There are no selection samples: the counts tell which class the smoothed classifier answers, and
    do not estimate it. So an input has a label wherever a class has the most outcomes, and with a
    radius of 0 it is the label of the input itself.

    Attributes:
        noise: a distribution whose outcomes can be enumerated.
        shape: of an input, without the batch axis.
        n: how many outcomes there are; all of them are counted, as estimation samples.

    Raises:
        UsageError: the noise is for inputs of other shapes.
    """

    noise: Law
    shape: tuple[int, ...]
    n: int = field(init=False)
    n0: int = field(init=False, default=0)
    alpha: float = field(init=False, default=0.0)

    bound: str = field(init=False, default="exact")
    radius_rule: str = field(init=False, default="exact")
    num_classes: int | None = field(init=False, default=None)
    target_radii: tuple[float, ...] | None = field(init=False, default=None)

    only_these: ClassVar[str] = (
        "counted every change that its noise can make; leave out alpha, bound and radius"
    )
    sure: ClassVar[str] = (
        "for each input, every change of it that the noise can make having been counted,"
    )

    certain: ClassVar[str] = "every change that the noise can make is counted"
    in_short: ClassVar[str] = "counted in full"

    def __post_init__(self) -> None:
        object.__setattr__(self, "n", self.noise.evaluations(self.shape))

    def steps(self, task: Task) -> Steps[Certificate]:
        """Ask for all changes."""
        del task  # nothing is random
        (counts,) = yield (Ask("estimation", 0, self.n),)
        return self.derive(Evidence(Counts([]), counts))

    def derive(self, evidence: Evidence) -> Certificate:
        """Take the class with the most outcomes, and the law's exact radius."""
        selection, outcomes = evidence.selection, evidence.estimation
        if selection.total or outcomes.total != self.n:
            raise UsageError(
                f"there are {selection.total:,} selection samples and {outcomes.total:,} "
                f"outcomes, but an exact certificate needs none of the former and all {self.n:,} "
                f"outcomes of {self.noise.label}"
            )
        outcome = self.noise.certify(outcomes)
        top = outcomes.top()[0] if outcomes.seen else ABSTAIN
        abstains = outcome.label == ABSTAIN
        return Certificate(
            label=outcome.label,
            radius=outcome.radius,
            p_a_lower=0.0 if top == ABSTAIN else quotient_down(outcomes[top], self.n),
            top_class=top,
            counts=CertificateCounts(selection, outcomes),
            reason=AbstainReason.NO_CLASS if abstains else None,
            explanation=_explain(top, outcomes) if abstains else None,
            noise=self.noise.name,
            sigma=self.noise.deviation,
            alpha=self.alpha,
            norm=self.noise.norm,
            bound=self.bound,
            radius_rule=self.radius_rule,
            method="exact",
        )

    def prove(self, figures: Figures) -> Proof:
        """What was derived is integer arithmetic as it is."""
        del figures
        return Proof(bounds=True, radius=True)

    @property
    def largest_radius(self) -> float:
        """The radius if all outcomes agree."""
        return self.noise.certify(Counts([self.n])).radius

    @property
    def words(self) -> str:
        """How many changes of an input are counted."""
        return f"all {self.n:,} changes of an input that the noise can make are counted"

    @classmethod
    def recorded(cls, fields: Mapping[str, Any], noise: Law, shape: tuple[int, ...]) -> Self:
        """Return the procedure that :meth:`to_json` recorded."""
        del fields  # which follow from the noise and the shape
        return cls(noise, noise.input_shape(shape))


def _explain(top: int, outcomes: Counts) -> str:
    n = outcomes.total
    most = "no class has any" if top == ABSTAIN else f"no class has more than {outcomes[top]:,}"
    return (
        f"{outcomes.no_class:,} of all {n:,} answers were no class (NaN, or an infinite largest "
        f"score), and {most}; look for an overflow in the model on inputs so changed"
    )
