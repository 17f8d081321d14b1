"""Which figure of a column is the best, and where no such thing can be said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rsonnx.report.figures import ACR, STANDARD, Column, Figures
from rsonnx.report.logs import LogFigures


@dataclass(frozen=True)
class Ranking:
    """The best figures of a table.

    Attributes:
        best: for every run the columns in which no other run is better; ties are all in.
        note: what a mark means, or why there is none; None for a table of one run.
    """

    best: tuple[frozenset[Column], ...]
    note: str | None

    @property
    def marked(self) -> bool:
        """Whether any figure is the best."""
        return any(self.best)


def rank(runs: Sequence[Figures | LogFigures]) -> Ranking:
    """Find the best figure of each column among complete, labelled runs on the same inputs.

    Logs and runs that are not complete or not labelled are not ranked. The others are compared only
    if all have the same inputs (by digest and label), norm, units and alpha; runs that were counted
    in full are certain and need no alpha, and whose noise it was does not matter. A column is
    compared only if every one of them decides it: an adaptive run understates the others.
    """
    none = tuple(frozenset[Column]() for _ in runs)
    if len(runs) < 2:
        return Ranking(none, None)
    ranked = [run for run in runs if isinstance(run, Figures) and run.ranked]
    hindrance = _hindrance(ranked)
    if hindrance:
        return Ranking(none, f"No best is marked: {hindrance}.")
    every: tuple[Column, ...] = (STANDARD, ACR, *ranked[0].summary.radii)
    columns = [column for column in every if all(run.decides(column) for run in ranked)]
    most = {column: max(run.exact(column) for run in ranked) for column in columns}
    others = len(runs) - len(ranked)
    counted = sum(run.heading.settings.exact for run in ranked)
    note = "best of the complete, labelled runs, which have the same inputs, labels, norm, units"
    note += " and alpha"
    if counted not in (0, len(ranked)):
        note += f" ({counted} counted in full, which holds at every alpha)"
    note += ", compared before rounding; ties are all marked."
    if others:
        note += f" {others} of {len(runs)} are not among them."
    if len(columns) < len(every):
        note += " Columns that an adaptive run left undecided are not marked."
    return Ranking(
        tuple(
            frozenset(c for c in columns if run.exact(c) == most[c])
            if isinstance(run, Figures) and run.ranked
            else frozenset()
            for run in runs
        ),
        note,
    )


def _hindrance(ranked: Sequence[Figures]) -> str | None:
    if len(ranked) < 2:
        return "it takes two complete, labelled runs"
    first = ranked[0]
    inputs = _inputs(first)
    known = first.rows and all(row.digest for row in first.rows)
    if not known or any(_inputs(run) != inputs for run in ranked):
        return "the runs are not of the same inputs with the same labels"
    units = (first.heading.norm, first.heading.units)
    if any((run.heading.norm, run.heading.units) != units for run in ranked):
        return "the runs have different norms or units"
    # What was counted in full holds at every alpha.
    sampled = {run.heading.settings.alpha for run in ranked if not run.heading.settings.exact}
    return "the runs have different alphas" if len(sampled) > 1 else None


def _inputs(run: Figures) -> Counter[tuple[str, int | None]]:
    return Counter((row.digest, row.label) for row in run.rows)
