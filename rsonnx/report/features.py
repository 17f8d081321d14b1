"""What a radius means for each column of a table: its sigma, and how far it may change alone."""

from __future__ import annotations

from fractions import Fraction

from rsonnx.columns import listed_columns
from rsonnx.report.figures import Figures
from rsonnx.report.rounding import figures_down
from rsonnx.report.table import Column, Note, Table
from rsonnx.scalars import in_full

_MOST_ROWS = 100


def features_table(run: Figures) -> Table | None:
    """Return a row a column of the data, with its change at the middle radius of the run's table.

    None for data without columns, and for radii that count features.
    """
    columns, noise = run.header.data.columns, run.header.noise
    if not columns or noise.measure.whole:
        return None
    radius = run.summary.radii[len(run.summary.radii) // 2]
    heads = [
        Column("Column"),
        Column("sigma", form=repr, unknown="-"),
        Column(f"its change alone at radius {in_full(radius)}", form=_down),
    ]
    rows = [
        (column.name, "fixed", "none: as it is")
        if column.fixed
        else (column.name, noise.deviation_of(at), noise.alone(radius, at))
        for at, column in enumerate(columns)
    ]
    more = len(rows) - _MOST_ROWS
    notes = [Note(f"{more:,} more columns are in the run file")] if more > 0 else []
    return Table(heads, rows[:_MOST_ROWS], notes=notes)


def said_of_features(run: Figures) -> str | None:
    """Return in a line what radius 1 is for each column, and which are fixed."""
    columns, noise = run.header.data.columns, run.header.noise
    if not columns or noise.measure.whole or noise.measure.unit is None:
        return None
    fixed = [column.name for column in columns if column.fixed]
    noised = [
        f"{column.name} by {_down(noise.alone(1, at))}"
        for at, column in enumerate(columns)
        if not column.fixed
    ]
    kept = f"; fixed are {listed_columns(fixed)}" if fixed else ""
    return f"radius 1 is a change of one column alone: {listed_columns(noised)}{kept}"


def _down(change: Fraction) -> str:
    return figures_down(change, 4)
