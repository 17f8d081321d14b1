"""The figures of a run, as the field defines them (Cohen et al., arXiv 1902.02918).

Certified accuracy at radius r is the share of all inputs that are right with radius >= r; ACR, the
average certified radius, is the mean over all inputs of the radius where it is right, else 0 (Zhai
et al., arXiv 2001.02378). Abstentions count as wrong: no input ever leaves the denominator.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

from rsonnx.errors import UsageError
from rsonnx.report.rounding import fraction_down
from rsonnx.report.sampling import Gain, Samples, gain_of, samples_of
from rsonnx.runs.rows import Row

_STEPS = tuple(
    Fraction(figure) * Fraction(10) ** exponent
    for exponent in range(-3, 3)
    for figure in ("1", "2.5", "5")
)
"""As fractions, so that three steps of 0.1 are 0.3 and not the float above it."""
_MOST_RADII = 9


@dataclass(frozen=True)
class Summary:
    """The figures of one run.

    Attributes:
        inputs: rows; the denominator of every share.
        labelled: whether every row has its true class.
        standard_accuracy: share that the model itself gets right without noise; None if unlabelled.
        radii: the radii of the table, ascending.
        certified_accuracy: share right with radius >= each of ``radii``; None if unlabelled.
        certified_share: share certified, right or wrong, with radius >= each of ``radii``.
        acr: average certified radius, rounded down; None if unlabelled.
        abstentions: how often each reason occurred.
        samples: how many were drawn.
        gain: of the two-sided radius over the one-sided; None for another radius rule.
    """

    inputs: int
    labelled: bool
    standard_accuracy: Fraction | None
    radii: tuple[float, ...]
    certified_accuracy: tuple[Fraction, ...] | None
    certified_share: tuple[Fraction, ...]
    acr: float | None
    abstentions: dict[str, int]
    samples: Samples
    gain: Gain | None = None

    @property
    def abstained(self) -> int:
        """How many inputs got no certificate."""
        return sum(self.abstentions.values())

    def to_json(self) -> dict[str, Any]:
        """Return the figures for a program; shares and the ACR are rounded down."""
        accuracy, certified = self.standard_accuracy, self.certified_accuracy
        return {
            "inputs": self.inputs,
            "labelled": self.labelled,
            "standard_accuracy": None if accuracy is None else fraction_down(accuracy),
            "acr": self.acr,
            "radii": list(self.radii),
            "certified_accuracy": None
            if certified is None
            else [fraction_down(share) for share in certified],
            "certified_share": [fraction_down(share) for share in self.certified_share],
            "abstained": self.abstained,
            "abstentions": self.abstentions,
            "gain_over_one_sided": None if self.gain is None else self.gain.to_json(),
        }


def summarize(rows: Sequence[Row], radii: Sequence[float]) -> Summary:
    """Compute the figures of a run.

    Args:
        rows: all rows of the run, at least one.
        radii: where to state certified accuracy, >= 0, ascending.

    Raises:
        UsageError: there are no rows, or the radii are not ascending numbers of at least 0.
    """
    if not rows:
        raise UsageError("the run has no inputs yet, so there is nothing to report")
    check_radii(radii)
    inputs = len(rows)
    labelled = all(row.label is not None for row in rows)
    correct = [row for row in rows if row.correct]
    certified = [row for row in rows if not row.abstained]
    abstentions = Counter(str(row.reason) for row in rows if row.reason is not None)
    return Summary(
        inputs=inputs,
        labelled=labelled,
        standard_accuracy=Fraction(sum(r.base_prediction == r.label for r in rows), inputs)
        if labelled
        else None,
        radii=tuple(float(r) for r in radii),
        certified_accuracy=_shares(correct, radii, inputs) if labelled else None,
        certified_share=_shares(certified, radii, inputs),
        # Exact rational arithmetic, then rounded down: a mean of lower bounds stays one.
        acr=fraction_down(sum((Fraction(r.radius) for r in correct), Fraction(0)) / inputs)
        if labelled
        else None,
        abstentions=dict(abstentions.most_common()),
        samples=samples_of(rows),
        gain=gain_of(rows),
    )


def check_radii(radii: Sequence[float]) -> None:
    """Refuse radii that are not finite, negative, or not ascending."""
    if not radii or not all(0 <= r < float("inf") for r in radii):
        raise UsageError(f"radii are {list(radii)}, but at least one number >= 0 was expected")
    if any(b <= a for a, b in pairwise(radii)):
        raise UsageError(f"radii are {list(radii)}, but ascending numbers were expected")


def default_radii(largest: float) -> tuple[float, ...]:
    """Return round radii from 0 up to the largest that a run can give, at most nine of them."""
    most = Fraction(largest)
    step = next((s for s in _STEPS if most / s < _MOST_RADII), most)
    return tuple(float(step * i) for i in range(_MOST_RADII) if i == 0 or step * i <= most)


def _shares(rows: Sequence[Row], radii: Sequence[float], inputs: int) -> tuple[Fraction, ...]:
    return tuple(Fraction(sum(row.radius >= r for row in rows), inputs) for r in radii)
