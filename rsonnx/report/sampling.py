"""What a run drew, and what the two-sided radius gained from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from rsonnx.report.rounding import fraction_down
from rsonnx.runs.rows import Row


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


@dataclass(frozen=True)
class Gain:
    """The two-sided radius against the one-sided one at the same alpha, from the same counts.

    Attributes:
        acr, one_sided_acr: average certified radius by either rule; None if unlabelled.
        larger, smaller: share of all inputs with a larger and with a smaller two-sided radius.
    """

    acr: Fraction | None
    one_sided_acr: Fraction | None
    larger: Fraction
    smaller: Fraction

    @property
    def relative(self) -> Fraction | None:
        """By how much the ACR grew, as a share of the one-sided ACR; None where there is none."""
        if self.acr is None or not self.one_sided_acr:
            return None
        return self.acr / self.one_sided_acr - 1

    def to_json(self) -> dict[str, Any]:
        """Return the comparison for a program; rounded down."""
        names = ("one_sided_acr", "relative", "larger", "smaller")
        values = {name: getattr(self, name) for name in names}
        return {k: None if v is None else fraction_down(v) for k, v in values.items()}


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
    )
