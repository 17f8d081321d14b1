"""Exact certificates of classifiers whose class probabilities follow by calculation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from rsonnx.counts import Counts
from rsonnx.errors import UsageError
from rsonnx.noise import NOISES, Law
from rsonnx.noise.cells import LEAST
from rsonnx.procedures.brackets import bracket
from rsonnx.procedures.confirming import unconfirmed
from rsonnx.procedures.evidence import Bracket, Evidence, Figures, Proof
from rsonnx.procedures.procedure import Procedure, Steps, Task
from rsonnx.procedures.result import ABSTAIN, AbstainReason, Certificate, CertificateCounts
from rsonnx.scalars import as_whole, shown

_TABLE = 6.9e-5
"""What all others than the class have at most where all of 100,000 samples agree, at alpha = .001:
tables then have the radii of sampled runs."""


@dataclass(frozen=True)
class Exact(Procedure):
    """How class probabilities become a certificate: stump sums, one tree, linear scores.

    De-Randomized Smoothing of tree ensembles (arXiv 2205.13909); the radius follows from an upper
    bound on the probability of all other classes together.

    Attributes:
        noise: a distribution whose values are independent of each other.
        changed: at how many changed fixed values the certificate still holds (ℓ0, as the paper has
            it for categories), whichever whole numbers up to 2^24 in size they become: of columns
            of such numbers a form knows no others.

    Raises:
        UsageError: it is another one, or has not so many fixed values.
    """

    noise: Law
    changed: int = 0
    n: int = field(init=False, default=0)
    n0: int = field(init=False, default=0)
    alpha: float = field(init=False, default=0.0)

    bound: str = field(init=False, default="calculated")
    radius_rule: str = field(init=False, default="other-side")
    num_classes: int | None = field(init=False, default=None)
    target_radii: tuple[float, ...] | None = field(init=False, default=None)

    only_these: ClassVar[str] = (
        "calculated the class probabilities and drew no samples; leave out alpha, bound and radius"
    )
    sure: ClassVar[str] = (
        "for each input, its class probabilities having been calculated and nothing sampled,"
    )
    certain: ClassVar[str] = "class probabilities are calculated and nothing is sampled"
    in_short: ClassVar[str] = "calculated"
    way: ClassVar[str] = "exact"

    def __post_init__(self) -> None:
        if not self.noise.calculable:
            names = ", ".join(name for name, law in NOISES.items() if law.calculable)
            raise UsageError(
                f"of {self.noise.name} noise no class probability is calculated; choose one of "
                f"{names}, or --procedure sampled"
            )

        changed, fixed = as_whole(self.changed), len(self.noise.fixed)
        if changed is None or not 0 <= changed <= fixed:
            raise UsageError(
                f"changed is {shown(self.changed)}, but a whole number up to {fixed} was expected, "
                "which is how many values are fixed (--fixed-columns, and text)"
            )
        self._settle(changed=changed)

    def try_first(self, task: Task) -> None:
        """Calculate once."""
        bracket(task.form(), self.noise, task.point, self.changed)

    def steps(self, task: Task) -> Steps[Certificate]:
        """Ask for nothing."""
        yield from ()
        calculated = bracket(task.form(), self.noise, task.point, self.changed)
        return self.derive(Evidence(Counts([]), Counts([]), bracket=calculated))

    def derive(self, evidence: Evidence) -> Certificate:
        """Take the law's radius of what all other classes have together at most."""
        counts, calculated = CertificateCounts(*evidence.stages), evidence.bracket
        drawn: int = sum(counts.totals.values())
        if calculated is not None and calculated.p_b_upper < LEAST:
            raise UsageError(
                f"p_b_upper is {calculated.p_b_upper!r}, but at least 2^-1022 is known"
            )
        if calculated is None or drawn:
            raise UsageError(
                f"there are {drawn:,} samples, but an exact certificate "
                "follows from p_a_lower, p_a_upper and p_b_upper, and from no sample"
            )
        own = Bracket.of(calculated.label, calculated.p_b_upper, calculated.p_a_upper)
        radius = 0.0 if own.label == ABSTAIN else self.noise.radius_beside(own.p_b_upper)
        reason = None if radius > 0 else _reason(own)
        return Certificate(
            label=ABSTAIN if reason else own.label,
            radius=radius,
            p_a_lower=own.p_a_lower,
            top_class=own.label,
            counts=counts,
            reason=reason,
            explanation=_EXPLAINED[reason].format(own) if reason else None,
            noise=self.noise.name,
            sigma=self.noise.deviation,
            alpha=self.alpha,
            norm=self.noise.norm,
            bound=self.bound,
            radius_rule=self.radius_rule,
            p_b_upper=own.p_b_upper,
            p_a_upper=own.p_a_upper,
            method="exact",
        )

    def same_radii(self, figures: Figures, derived: Certificate) -> bool:
        """Prove the radius from the bracket."""
        return self.noise.same_radius(
            figures.radius, derived.radius, lambda _: self.prove(figures).radius
        )

    def confirm(self, task: Task, evidence: Evidence) -> Iterator[str]:
        """Calculate the bracket again, see :mod:`rsonnx.procedures.confirming`."""
        if evidence.bracket is not None:
            form, recorded = task.form(), evidence.bracket
            yield from unconfirmed(form, self.noise, task.point, recorded, self.changed)

    def prove(self, figures: Figures) -> Proof:
        """Prove the radius from the bracket, which the model alone shows."""
        p_b_upper = 1.0 if figures.p_b_upper is None else figures.p_b_upper
        proved = self.noise.proves_beside(figures.radius, p_b_upper)
        faults = (f"radius = {figures.radius!r} is not proved",) if proved is False else ()
        return Proof(radius=proved is True, faults=faults)

    @property
    def largest_radius(self) -> float:
        """The radius if no other class has a probability that is a normal double."""
        return self.noise.radius_beside(LEAST)

    @property
    def table_reach(self) -> float:
        """The largest radius of 100,000 samples."""
        return self.noise.radius_beside(_TABLE)

    @property
    def words(self) -> str:
        """What is done."""
        return "class probabilities are calculated from the model, and nothing is sampled"

    def rounds(self, arithmetic: str | None) -> str:
        """Return in words that the file is certified as a function of real numbers."""
        return super().rounds(arithmetic) or ", which rounds noisy inputs to float32,"

    def to_json(self) -> dict[str, Any]:
        """Return what a run's header records."""
        return super().to_json() | ({"changed": self.changed} if self.changed else {})

    @classmethod
    def recorded(cls, fields: Mapping[str, Any], noise: Law, shape: tuple[int, ...]) -> Self:
        """Return the procedure that :meth:`to_json` recorded."""
        del shape
        return cls(noise, fields.get("changed", 0))

    @property
    def beyond(self) -> str:
        """That some fixed values may change, in words."""
        if not self.changed:
            return ""
        return (
            f", also where up to {self.changed} of the fixed values become others, "
            "whichever whole numbers up to 2^24 in size"
        )


def _reason(own: Bracket) -> AbstainReason:
    if own.label == ABSTAIN:
        return AbstainReason.NO_CLASS
    loose = own.p_a_upper > 0.5
    return AbstainReason.LOOSE_BOUND if loose else AbstainReason.LOW_PROBABILITY


_EXPLAINED = {
    AbstainReason.NO_CLASS: "no input has a class whose score is above the others for certain",
    AbstainReason.LOOSE_BOUND: (
        "class {0.label} has a probability between {0.p_a_lower:.6g} and {0.p_a_upper:.6g}, by "
        "what can be told of its scores, and needs more than one half"
    ),
    AbstainReason.LOW_PROBABILITY: (
        "no class has a probability above one half; class {0.label} has at most {0.p_a_upper:.6g}"
    ),
}
