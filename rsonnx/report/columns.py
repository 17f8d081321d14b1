"""Which columns of a table are shown: what a reader chooses, or what tells its rows apart."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rsonnx.arguments import check_kind, check_texts
from rsonnx.errors import UsageError
from rsonnx.report.escape import printable, shortened
from rsonnx.report.table import Column, Note, Report, Table
from rsonnx.scalars import in_full

_AT = "acc@"
_LABEL = re.compile(r"[A-Za-z0-9:._/+-]*")
_SETTINGS = ("sigma", "alpha", "n", "inputs")
"""Columns that say how runs were made; where all runs are alike in one, a line says it once."""


@dataclass(frozen=True)
class Arrangement:
    """How the tables of a report are shown.

    Attributes:
        form: one of :data:`rsonnx.report.formats.FORMATS`.
        columns: behind the one that names the rows, in this order, radii as tables write them;
            empty for all, in LaTeX for all but the settings in which all rows are alike.
        caption, label: of a float, in LaTeX; empty for none.

    Raises:
        UsageError: the format does not show what is asked for, or the label is none.
    """

    form: str
    columns: tuple[str, ...] = ()
    caption: str = ""
    label: str = ""

    def __post_init__(self) -> None:
        for name in ("caption", "label"):
            check_kind(name, getattr(self, name), str, "text")
        asked = {"columns": self.columns, "caption": self.caption, "label": self.label}
        shown = {"json": (), "latex": tuple(asked)}.get(self.form, ("columns",))
        for name, value in asked.items():
            if value and name not in shown:
                raise UsageError(
                    f"the format {self.form} has no {name} of choice; leave one of the two out"
                )
        if not _LABEL.fullmatch(self.label):
            name = shortened(self.label)
            raise UsageError(f"the label is {name!r}, but a name such as tab:mnist was expected")

    @property
    def radii(self) -> tuple[float, ...]:
        """The radii of certified accuracy among the columns, ascending."""
        at = (name.removeprefix(_AT) for name in self.columns if name.startswith(_AT))
        return tuple(sorted(map(float, at)))

    def of(self, report: Report) -> Report:
        """Return a report so arranged.

        Raises:
            UsageError: a table has no such column.
        """
        tables, records = list(report.tables), report.records
        if self.columns:
            tables, records = [_chosen(table, self.columns) for table in tables], None
        elif self.form == "latex":
            for place, (table, alike) in enumerate(map(without_alike, tables)):
                notes = [Note(alike)] * bool(alike)
                tables[place] = replace(table, notes=[*notes, *table.notes])
        caption, label = self.caption, self.label
        return replace(report, tables=tables, records=records, caption=caption, label=label)


def parse_columns(columns: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return names of columns such as ``sigma``, ``ACR`` and ``acc@0.50``, the last ``acc@0.5``.

    A text may hold several, with commas between; None holds none.

    Raises:
        UsageError: they are no names, one is there twice, or a radius is no number of at least 0.
    """
    names: list[str] = []
    texts = check_texts("columns", columns)
    for name in (name.strip().lower() for text in texts for name in text.split(",")):
        names.append(_at(name) if name.startswith(_AT) else name)
        if not name or names[-1] in names[:-1]:
            raise UsageError(
                f"the columns have {shortened(name)!r}, but names such as acc@0.5 and acr were "
                "expected, each once"
            )
    return tuple(names)


def _at(name: str) -> str:
    try:
        radius = float(name.removeprefix(_AT)) + 0.0  # -0.0 + 0.0 is 0.0
    except ValueError:
        radius = math.nan
    if not 0.0 <= radius < math.inf:
        raise UsageError(
            f"the columns have {shortened(name)!r}, but a radius as in acc@0.5 was expected"
        )
    return f"{_AT}{in_full(radius)}"


def _key(column: Column) -> str:
    """Return what a user calls a column: acc@0.5 for r=0.5, else its name in small letters."""
    return re.sub("^r=", _AT, column.name.lower())


def _chosen(table: Table, names: Sequence[str]) -> Table:
    places = {_key(column): place for place, column in enumerate(table.columns)}
    for name in names:
        if name not in places:
            raise UsageError(
                f"the columns have {printable(shortened(name))!r}, but the table has "
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
