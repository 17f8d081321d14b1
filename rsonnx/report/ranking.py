"""Which figure of a column is the best, and where no such thing can be said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

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

    Different classifiers of one model file are not compared with each other, only with other files:
    converted to float16 a model takes no mark from itself.

    Logs and runs that are not complete or not labelled are not ranked. The others are compared only
    if all have the same inputs (by digest and label), norm, units and alpha; runs whose
    certificates are certain need no alpha, and whose noise it was does not matter. A column is
    compared only if every one of them decides it: an adaptive run understates the others.
    """
    none = tuple(frozenset[Column]() for _ in runs)
    if len(runs) < 2:
        return Ranking(none, None)
    own = {at: run for at, run in enumerate(runs) if isinstance(run, Figures) and run.ranked}
    ranked = list(own.values())
    hindrance = _hindrance(ranked)
    if hindrance:
        return Ranking(none, f"No best is marked: {hindrance}.")
    every: tuple[Column, ...] = (STANDARD, ACR, *ranked[0].summary.radii)
    columns = [column for column in every if all(run.decides(column) for run in ranked)]
    values = {at: {column: run.exact(column) for column in columns} for at, run in own.items()}
    best = list(none)
    apart = False
    for at, run in own.items():
        rivals = [k for k in own if k != at and not run.varies(own[k])]
        apart |= len(rivals) < len(own) - 1
        best[at] = frozenset(
            column
            for column in columns
            if rivals and all(values[at][column] >= values[k][column] for k in rivals)
        )
    others = len(runs) - len(ranked)
    counted = sum(run.header.settings.exact for run in ranked)
    note = "best of the runs that can be compared; ties are all marked."
    if counted not in (0, len(ranked)):
        note += f" Certain at every alpha: {counted} of them."
    if apart:
        note += " Different classifiers of one model file are not compared with each other."
    if others:
        note += f" {others} of {len(runs)} are not among them."
    if len(columns) < len(every):
        note += " Columns that an adaptive run left undecided are not marked."
    return Ranking(tuple(best), note)


def _hindrance(ranked: Sequence[Figures]) -> str | None:
    if len(ranked) < 2:
        return "it takes two complete, labelled runs"
    first = ranked[0]
    inputs = _inputs(first)
    if any(_inputs(run) != inputs for run in ranked):
        return "the runs are not of the same inputs with the same labels"
    units = (first.header.noise.norm, first.header.units)
    if any((run.header.noise.norm, run.header.units) != units for run in ranked):
        return "the runs have different norms or units"
    # What is certain holds at every alpha.
    sampled = {run.header.settings.alpha for run in ranked if not run.header.settings.exact}
    if len(sampled) > 1:
        return "the runs have different alphas"
    if all(a.varies(b) for a, b in combinations(ranked, 2)):
        return "the runs are of different classifiers of one model file"
    return None


def _inputs(run: Figures) -> Counter[tuple[str, int | None]]:
    return Counter((row.digest, row.label) for row in run.rows)
