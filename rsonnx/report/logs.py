"""What can be reported of a log that another program wrote: figures without a header."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rsonnx.report.population import Population, population_of
from rsonnx.report.summary import Certified, Outcome, certified


@dataclass(frozen=True)
class LogFigures:
    """What can be reported of a log.

    A log knows no sigma, units, alpha or n, nor whether it is complete.

    Attributes:
        name: what to call it.
        summary: the figures that its rows give.
        population: what they say of further inputs; None if unlabelled.
        rows: the inputs, as the log has them.
        notes: what its reader noticed.
    """

    name: str
    summary: Certified
    population: Population | None
    rows: Sequence[Outcome]
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it for a program, by the names that a run has; null is what a log cannot know."""
        unknown = (
            *("model", "noise", "sigma", "within", "units", "norm", "n", "alpha", "status"),
            *("variation", "preprocess", "standard_accuracy", "standard_accuracy_count"),
        )
        return {
            "log": self.name,
            **dict.fromkeys(unknown),
            **self.summary.to_json(),
            "statements": None if self.population is None else self.population.to_json(),
            "notes": list(self.notes),
        }


def log_figures(
    name: str, rows: Sequence[Outcome], radii: Sequence[float], notes: Sequence[str] = ()
) -> LogFigures:
    """Compute the figures of a log.

    Args:
        name: what to call it.
        rows: all its inputs, at least one.
        radii: where to state certified accuracy, >= 0, ascending.
        notes: what its reader noticed.

    Raises:
        UsageError: there are no rows, or the radii are not ascending numbers of at least 0.
    """
    return LogFigures(
        name, certified(rows, radii), population_of(rows, radii), tuple(rows), tuple(notes)
    )
