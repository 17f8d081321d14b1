"""The figures of a run, as the field defines them (Cohen et al., arXiv 1902.02918).

Certified accuracy at radius r is the share of all inputs that are right with radius >= r; ACR, the
average certified radius, is the mean over all inputs of the radius where it is right, else 0 (Zhai
et al., arXiv 2001.02378). Abstentions count as wrong: no input ever leaves the denominator.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Any, Protocol

from rsonnx.errors import UsageError
from rsonnx.report.rounding import fraction_down
from rsonnx.runs.rows import Row


class Outcome(Protocol):
    """One certified input: a row of a run file, or of a log that another program wrote."""

    @property
    def label(self) -> int | None:
        """True class; None where unknown."""

    @property
    def radius(self) -> float:
        """Certified radius; 0 where it abstains."""

    @property
    def abstained(self) -> bool:
        """Whether no radius was certified."""

    @property
    def correct(self) -> bool:
        """Whether the certified class is the true one; an abstention never is."""


@dataclass(frozen=True)
class Samples:
    """Samples an input, on average over all inputs, by stage.

    Attributes:
        selection, estimation: the means.
        watched_rows: how many of all samples were run again alone.
        near_ties: how many of those were another class alone, by rounding.
    """

    selection: Fraction
    estimation: Fraction
    watched_rows: int = 0
    near_ties: int = 0

    @property
    def mean(self) -> Fraction:
        """Of both stages together."""
        return self.selection + self.estimation

    def saving(self, n: int) -> Fraction | None:
        """Return how many times ``n`` is what was drawn in both stages; None if nothing was."""
        return n / self.mean if self.mean else None

    def to_json(self, n: int) -> dict[str, Any]:
        """Return the means, and ``n`` over their sum, for a program; rounded down."""
        saving = self.saving(n)
        return {
            "mean": fraction_down(self.mean),
            "selection": fraction_down(self.selection),
            "estimation": fraction_down(self.estimation),
            "n_over_mean": None if saving is None else fraction_down(saving),
            "watched_rows": self.watched_rows,
            "near_ties": self.near_ties,
        }


def samples_of(rows: Sequence[Row]) -> Samples:
    """Return how many samples the rows drew on average."""
    return Samples(
        Fraction(sum(row.selection.total for row in rows), len(rows)),
        Fraction(sum(row.estimation.total for row in rows), len(rows)),
        sum(row.selection.watched_rows + row.estimation.watched_rows for row in rows),
        sum(row.selection.near_ties + row.estimation.near_ties for row in rows),
    )


def shares_to_json(
    name: str, shares: Fraction | Sequence[Fraction] | None, of: int
) -> dict[str, Any]:
    """Return what is k of N for a program: ``name``, correctly rounded, and ``name_count``, its k.

    Args:
        name: what it is called.
        shares: one or several; None where they are not known.
        of: N.
    """
    if shares is None:
        return {name: None, f"{name}_count": None}
    if isinstance(shares, Fraction):
        return {name: float(shares), f"{name}_count": int(shares * of)}
    return {name: [*map(float, shares)], f"{name}_count": [int(share * of) for share in shares]}


@dataclass(frozen=True)
class Gain:
    """The two-sided radius against the one-sided one at the same alpha, from the same counts.

    Attributes:
        acr, one_sided_acr: average certified radius by either rule; None if unlabelled.
        larger, smaller: share of all inputs with a larger and with a smaller two-sided radius.
        inputs: how many there are.
    """

    acr: Fraction | None
    one_sided_acr: Fraction | None
    larger: Fraction
    smaller: Fraction
    inputs: int

    @property
    def relative(self) -> Fraction | None:
        """By how much the ACR grew, as a share of the one-sided ACR; None where there is none."""
        if self.acr is None or not self.one_sided_acr:
            return None
        return self.acr / self.one_sided_acr - 1

    def to_json(self) -> dict[str, Any]:
        """Return the comparison for a program; the ACR and its growth are rounded down."""
        down = {"one_sided_acr": self.one_sided_acr, "relative": self.relative}
        return {
            **{name: None if v is None else fraction_down(v) for name, v in down.items()},
            **shares_to_json("larger", self.larger, self.inputs),
            **shares_to_json("smaller", self.smaller, self.inputs),
        }


def gain_of(rows: Sequence[Row]) -> Gain | None:
    """Compare the two rules; None unless every row has the one-sided radius too."""
    pairs = [(r, r.one_sided_radius) for r in rows if r.one_sided_radius is not None]
    if len(pairs) < len(rows):
        return None
    inputs = len(rows)
    labelled = all(row.label is not None for row in rows)
    # The one-sided rule certifies the class of the selection samples wherever its radius is not 0.
    one_sided = [Fraction(radius) for row, radius in pairs if row.top_class == row.label]
    two_sided = [Fraction(row.radius) for row in rows if row.correct]
    return Gain(
        acr=sum(two_sided, Fraction(0)) / inputs if labelled else None,
        one_sided_acr=sum(one_sided, Fraction(0)) / inputs if labelled else None,
        larger=Fraction(sum(row.radius > radius for row, radius in pairs), inputs),
        smaller=Fraction(sum(row.radius < radius for row, radius in pairs), inputs),
        inputs=inputs,
    )


@dataclass(frozen=True)
class Certified:
    """The figures that the certified radii of a run give.

    Attributes:
        inputs: rows; the denominator of every share.
        labelled: whether every row has its true class.
        radii: the radii of the table, ascending.
        certified_accuracy: share right with radius >= each of ``radii``; None if unlabelled.
        certified_share: share certified, right or wrong, with radius >= each of ``radii``.
        acr: average certified radius, exactly; None if unlabelled.
        wrong: how many are certified for another class than the true one; None if unlabelled.
        abstained: how many got no certificate.
        acr_at_n: what the ACR of n samples is estimated to be, where sampling stopped for precision
            before; None elsewhere, and if unlabelled.
    """

    inputs: int
    labelled: bool
    radii: tuple[float, ...]
    certified_accuracy: tuple[Fraction, ...] | None
    certified_share: tuple[Fraction, ...]
    acr: Fraction | None
    wrong: int | None
    abstained: int
    acr_at_n: Fraction | None = field(default=None, kw_only=True)

    def to_json(self) -> dict[str, Any]:
        """Return the figures for a program; the ACR is rounded down, shares correctly."""
        return {
            "inputs": self.inputs,
            "labelled": self.labelled,
            "acr": None if self.acr is None else fraction_down(self.acr),
            "radii": list(self.radii),
            **shares_to_json("certified_accuracy", self.certified_accuracy, self.inputs),
            **shares_to_json("certified_share", self.certified_share, self.inputs),
            "certified_wrong": self.wrong,
            "abstained": self.abstained,
            **({} if self.acr_at_n is None else {"acr_at_n": fraction_down(self.acr_at_n)}),
        }


@dataclass(frozen=True)
class Summary(Certified):
    """All figures of one run.

    Attributes:
        standard_accuracy: share that the model itself gets right without noise; None if unlabelled.
        abstentions: how often each reason occurred.
        samples: how many were drawn.
        gain: of the two-sided radius over the one-sided; None for another radius rule.
    """

    standard_accuracy: Fraction | None
    abstentions: dict[str, int]
    samples: Samples
    gain: Gain | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the figures for a program; radii are rounded down, shares correctly."""
        return {
            **super().to_json(),
            **shares_to_json("standard_accuracy", self.standard_accuracy, self.inputs),
            "abstentions": self.abstentions,
            "gain_over_one_sided": None if self.gain is None else self.gain.to_json(),
        }


def certified(rows: Sequence[Outcome], radii: Sequence[float]) -> Certified:
    """Compute the figures that certified radii give.

    Args:
        rows: all inputs, at least one.
        radii: where to state certified accuracy, >= 0, ascending.

    Raises:
        UsageError: there are no rows, or the radii are not ascending numbers of at least 0.
    """
    if not rows:
        raise UsageError("the run has no inputs yet, so there is nothing to report")
    check_radii(radii)
    labelled = all(row.label is not None for row in rows)
    return Certified(
        inputs=len(rows),
        labelled=labelled,
        radii=tuple(float(r) for r in radii),
        certified_accuracy=tuple(accuracy_at(rows, r) for r in radii) if labelled else None,
        certified_share=tuple(
            Fraction(sum(not row.abstained and row.radius >= r for row in rows), len(rows))
            for r in radii
        ),
        acr=mean_radius(rows) if labelled else None,
        wrong=sum(not row.abstained and not row.correct for row in rows) if labelled else None,
        abstained=sum(row.abstained for row in rows),
    )


def accuracy_at(rows: Sequence[Outcome], radius: float) -> Fraction:
    """Return certified accuracy at one radius, exactly; every row must have its true class."""
    return Fraction(sum(row.correct and row.radius >= radius for row in rows), len(rows))


def mean_radius(rows: Sequence[Outcome]) -> Fraction:
    """Return the ACR of labelled rows in exact arithmetic: a mean of lower bounds stays one."""
    return sum((Fraction(row.radius) for row in rows if row.correct), Fraction(0)) / len(rows)


def standard_accuracy(rows: Sequence[Row]) -> Fraction:
    """Return the share that the model itself gets right without noise, of labelled rows."""
    return Fraction(sum(row.base_prediction == row.label for row in rows), len(rows))


def summarize(rows: Sequence[Row], radii: Sequence[float]) -> Summary:
    """Compute the figures of a run; arguments and errors are those of :func:`certified`."""
    figures = certified(rows, radii)
    abstentions = Counter(str(row.reason) for row in rows if row.reason is not None)
    return Summary(
        **vars(figures),
        standard_accuracy=standard_accuracy(rows) if figures.labelled else None,
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
