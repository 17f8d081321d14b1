"""Exact certificates: every change that the noise can make of an input was counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from rsonnx.certificate.result import ABSTAIN, AbstainReason, Certificate, CertificateCounts
from rsonnx.counts import Counts
from rsonnx.errors import UsageError
from rsonnx.noise import EnumeratedNoise
from rsonnx.noise.rounding import quotient_down

EXACT = "exact"


@dataclass(frozen=True)
class ExactCounts:
    """How the counts of all outcomes become a certificate, which is certain.

    There are no selection samples: the counts tell which class the smoothed classifier answers, and
    do not estimate it. So an input has a label wherever a class has the most outcomes, and with a
    radius of 0 it is the label of the input itself.

    Attributes:
        noise: a distribution whose outcomes can be enumerated.
        shape: of an input, without the batch axis.

    Raises:
        UsageError: the noise is for inputs of other shapes.
    """

    noise: EnumeratedNoise
    shape: tuple[int, ...]

    alpha: ClassVar[float] = 0.0
    """Probability of error."""

    needs_uniform: ClassVar[bool] = False
    """Whether :meth:`certify` needs a number drawn before the samples."""

    def __post_init__(self) -> None:
        self.noise.evaluations(self.shape)

    @property
    def n(self) -> int:
        """How many outcomes there are; all of them are counted, as estimation samples."""
        return self.noise.evaluations(self.shape)

    @property
    def largest_radius(self) -> float:
        """The radius if all outcomes agree."""
        return self.noise.certify(Counts([self.n])).radius

    def to_json(self) -> dict[str, Any]:
        """Return what a run's header records: with it a row's certificate can be derived again."""
        return {
            "n": self.n,
            "alpha": self.alpha,
            "bound": EXACT,
            "radius_rule": EXACT,
            "num_classes": None,
            "target_radii": None,
        }

    def certify(
        self, selection: Counts, estimation: Counts, uniform: float | None = None
    ) -> Certificate:
        """Derive the certificate.

        Args:
            selection: nothing, since no class has to be guessed.
            estimation: counts of every outcome once.
            uniform: not used.

        Raises:
            UsageError: there are selection samples, or the counts are not of all outcomes.
        """
        del uniform
        if selection.total or estimation.total != self.n:
            raise UsageError(
                f"there are {selection.total:,} selection samples and {estimation.total:,} "
                f"outcomes, but an exact certificate needs none of the former and all {self.n:,} "
                f"outcomes of {self.noise.label}"
            )
        outcome = self.noise.certify(estimation)
        top = estimation.top()[0] if estimation.classes.any() else ABSTAIN
        abstains = outcome.label == ABSTAIN
        return Certificate(
            label=outcome.label,
            radius=outcome.radius,
            p_a_lower=0.0 if top == ABSTAIN else quotient_down(estimation[top], self.n),
            top_class=top,
            counts=CertificateCounts(Counts([]), estimation),
            reason=AbstainReason.NO_CLASS if abstains else None,
            explanation=_explain(top, estimation) if abstains else None,
            noise=self.noise.name,
            sigma=self.noise.deviation,
            alpha=self.alpha,
            norm=self.noise.norm,
            bound=EXACT,
            radius_rule=EXACT,
            method=EXACT,
        )


def _explain(top: int, outcomes: Counts) -> str:
    n = outcomes.total
    most = "no class has any" if top == ABSTAIN else f"no class has more than {outcomes[top]:,}"
    return (
        f"{outcomes.no_class:,} of all {n:,} answers were no class (NaN, or an infinite largest "
        f"score), and {most}; look for an overflow in the model on inputs so changed"
    )
