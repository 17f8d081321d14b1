"""All that is reported of one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from rsonnx.report.record import Record
from rsonnx.report.reported import Reported, status_of
from rsonnx.report.selection import selection_of
from rsonnx.report.statements import Statements, dataset_statements
from rsonnx.report.summary import (
    Samples,
    Summary,
    accuracy_at,
    mean_radius,
    standard_accuracy,
    summarize,
)
from rsonnx.runs.breaks import Breaks
from rsonnx.runs.files import Run
from rsonnx.runs.header import Header
from rsonnx.runs.rows import Row

STANDARD, ACR, ABSTAIN = "standard", "acr", "abstain"
Column = str | float
"""``STANDARD``, ``ACR``, ``ABSTAIN`` for the share of abstentions, or the radius at which certified
accuracy is stated."""


def assumption_of(header: Header, samples: Samples) -> str | None:
    """Say what the certificates of a run assume of its model; None where nothing is assumed."""
    if header.model.rows != "watched":
        return None
    return (
        "no input's answer depends on the others of its batch, which the model's graph does not "
        f"prove; {samples.watched_rows:,} answers were computed again alone, of which "
        f"{samples.near_ties:,} were another by a near tie of scores and none otherwise, and what "
        "is rare escapes such watching"
    )


@dataclass(frozen=True)
class Figures(Reported):
    """All that is reported of one run.

    Attributes:
        statements: what they say together.
        rows: the inputs that the figures are of; curves and comparisons need them.
        breaks: what `rsonnx falsify` made of the run; None where nothing of it is reported.
    """

    summary: Summary
    statements: Statements
    rows: tuple[Row, ...] = ()
    breaks: Breaks | None = None

    @property
    def record(self) -> Record:
        """What its header says beside, for pages and cards."""
        return Record(self.header.record, self.path)

    @property
    def assumption(self) -> str | None:
        """What all certificates assume of the model, in words; None where nothing is assumed."""
        return assumption_of(self.header, self.summary.samples)

    def exact(self, column: Column) -> Fraction:
        """Return a figure of a run exactly; all but the share of abstentions need labels."""
        if column == ABSTAIN:
            return Fraction(self.summary.abstained, self.summary.inputs)
        if column == STANDARD:
            return standard_accuracy(self.rows)
        return mean_radius(self.rows) if column == ACR else accuracy_at(self.rows, float(column))

    def decides(self, column: Column) -> bool:
        """Say whether the run drew until a figure was decided, as an adaptive one may not have."""
        targets = self.header.procedure.target_radii
        return targets is None or column == STANDARD or column in targets

    @property
    def ranked(self) -> bool:
        """Whether its figures are final and of labelled inputs."""
        return self.status == "complete" and self.summary.labelled

    @property
    def drawn(self) -> bool:
        """Whether something is said of the population that its inputs were drawn from."""
        return self.statements.population is not None

    def to_json(self) -> dict[str, Any]:
        """Return it for a program."""
        return {
            **self.named(),
            **self.summary.to_json(),
            "samples": self.summary.samples.to_json(self.header.procedure.n),
            "assumption": self.assumption,
            "statements": self.statements.to_json(),
            **({} if self.breaks is None else {"broken": self.breaks.to_json()}),
        }


def figures_of(run: Run, radii: Sequence[float]) -> Figures:
    """Return all that is reported of one run.

    Args:
        run: the run, with at least one row.
        radii: of the table, ascending.
    """
    status = status_of(run)
    settings, procedure = run.header.settings, run.header.procedure
    summary = summarize(run.rows, radii)
    if procedure.precision is not None and summary.acr is not None:
        gains = [Fraction(procedure.left(row.evidence)) for row in run.rows if row.correct]
        summary = replace(summary, acr_at_n=summary.acr + sum(gains, Fraction(0)) / len(run.rows))
    return Figures(
        run.header,
        status,
        summary,
        dataset_statements(
            run.rows,
            radii,
            alpha=settings.alpha,
            family_wise=settings.family_wise,
            shared_noise=run.header.shared,
            selection=selection_of(run.header, status),
        ),
        run.rows,
        path=str(run.path),
    )
