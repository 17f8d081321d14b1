"""What a radius means for each column of a table: its sigma, and how far it may change alone."""

from __future__ import annotations

from rsonnx.report.figures import Figures
from rsonnx.report.rounding import figures_down, plain
from rsonnx.report.table import Column, Note, Table

_MOST_SAID = 8
"""Columns of which a line of text speaks."""

_MOST_ROWS = 100
_FIXED = "fixed"


def features_table(run: Figures, radius: float | None = None) -> Table | None:
    """Return a row a column of the data; None for data without columns, or features that count.

    Args:
        run: the run.
        radius: at which the change of each column alone is stated, rounded down; None takes the
            middle one of the run's table.
    """
    columns, noise = run.header.data.columns, run.header.noise
    if not columns or noise.measure.whole:
        return None
    radius = run.summary.radii[len(run.summary.radii) // 2] if radius is None else radius
    heads = [
        Column("Column"),
        Column("sigma", form=repr, unknown="-"),
        Column(f"its change alone at radius {plain(radius)}", form=lambda v: figures_down(v, 4)),
    ]
    rows = [
        (c.name, _FIXED, "none: as it is")
        if c.fixed
        else (c.name, noise.deviation_of(at), noise.alone(radius, at))
        for at, c in enumerate(columns)
    ]
    more = len(rows) - _MOST_ROWS
    notes = [Note(f"{more:,} more columns are in the run file")] if more > 0 else []
    return Table(heads, rows[:_MOST_ROWS], notes=notes)


def said_of_features(run: Figures) -> str | None:
    """Return in a line what radius 1 is for each column, and which are fixed."""
    table = features_table(run, 1.0)
    if table is None or run.header.noise.measure.unit is None:
        return None
    rows = [
        [cell.text(c) for c, cell in zip(table.columns, row, strict=True)] for row in table.cells
    ]
    fixed = [name for name, sigma, _ in rows if sigma == _FIXED]
    noised = [f"{name} by {change}" for name, sigma, change in rows if sigma != _FIXED]
    more = len(noised) - _MOST_SAID
    text = f"radius 1 is a change of {' or '.join(noised[:_MOST_SAID])}"
    text += f" or {more:,} further columns" if more > 0 else ""
    return f"{text}, alone" + (f"; fixed: {', '.join(fixed[:_MOST_SAID])}" if fixed else "")
