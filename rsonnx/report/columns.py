"""Which columns of a table are shown: what a reader chooses, or what tells its rows apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from rsonnx.errors import UsageError
from rsonnx.report.escape import printable, shortened
from rsonnx.report.rounding import plain
from rsonnx.report.table import Column, Table

_AT = "acc@"
_SETTINGS = ("sigma", "alpha", "n", "inputs")
"""Columns that say how runs were made; where all runs are alike in one, a line says it once."""


def parse_columns(text: str) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Read names of columns such as ``sigma,standard,acr,acc@0.5``.

    Returns:
        The names, radii written as tables have them, and those radii, ascending.

    Raises:
        UsageError: a name is empty or there twice, or a radius is no number of at least 0.
    """
    names, radii = [], set()
    for name in (part.strip().lower() for part in text.split(",")):
        at = name
        if name.startswith(_AT):
            try:
                radius = float(name.removeprefix(_AT)) + 0.0
            except ValueError:
                radius = -1.0
            if not 0.0 <= radius < math.inf:
                raise UsageError(
                    f"--columns has {shortened(name)!r}, but a radius such as acc@0.5 was expected"
                )
            radii.add(radius)
            at = f"{_AT}{plain(radius)}"
        if not at or at in names:
            raise UsageError(
                f"--columns names {shortened(name)!r} twice or not at all; name each column once"
            )
        names.append(at)
    return tuple(names), tuple(sorted(radii))


def key_of(column: Column) -> str:
    """Return what a user calls a column: acc@0.5 for r=0.5, else its name in small letters."""
    name = column.name.lower()
    return f"{_AT}{name.removeprefix('r=')}" if name.startswith("r=") else name


def chosen(table: Table, names: Sequence[str]) -> Table:
    """Return a table's first column, which names its rows, and the columns of ``names`` in order.

    Raises:
        UsageError: it has no column of a name.
    """
    places = {key_of(column): place for place, column in enumerate(table.columns)}
    for name in names:
        if name not in places:
            raise UsageError(
                f"--columns names {printable(shortened(name))!r}, but the table has "
                f"{', '.join(list(places)[1:])}"
            )
    return _only(table, [0, *(places[name] for name in names if places[name])])


def without_alike(table: Table) -> tuple[Table, str]:
    """Return a table without the settings in which several rows are alike, and these in words."""
    said = {}
    cells = list(table.cells)
    for place, column in enumerate(table.columns):
        texts = {line[place].text(column) for line in cells}
        if column.name in _SETTINGS and len(cells) > 1 and len(texts) == 1:
            said[place] = f"{column.name} = {texts.pop()}"
    kept = [place for place in range(len(table.columns)) if place not in said]
    return _only(table, kept), ", ".join(said.values())


def _only(table: Table, places: Sequence[int]) -> Table:
    columns = [replace(table.columns[place], wide=False) for place in places]
    return replace(table, columns=columns, rows=[[row[k] for k in places] for row in table.rows])
