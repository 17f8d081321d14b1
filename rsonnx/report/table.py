"""One table for every command: columns, typed cells, and notes below them.

A cell is what it is, not how it looks: a stranger's words stay as they were written until a format
escapes them, and a number is rounded where its column says how.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from rsonnx.report.rounding import text_down

Value = str | int | float | Fraction | None
Form = Callable[[Any], str]

UNKNOWN = "?"
WIDTH = 100
"""Of lines that are no table, where no terminal says how wide it is."""
JOINT = "\xa0"
"""In notes a space at which no line is broken; it is shown as a space."""


def grouped(count: int) -> str:
    """Return a whole number with commas between thousands."""
    return f"{count:,}"


def decimals(digits: int) -> Form:
    """Return how a number gets so many decimals, rounded down."""
    return lambda value: text_down(value, digits)


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name, unit: its head.
        form: how a value becomes text, rounded for print.
        left: whether cells stand to the left; the first column's always do.
        wide: whether it is left out where a line must be short, on a terminal.
        symbols: whether LaTeX sets sigma, alpha, n and r in it as the field's symbols.
        unknown: what stands for None.
    """

    name: str
    unit: str = ""
    form: Form = str
    left: bool = False
    wide: bool = False
    symbols: bool = False
    unknown: str = UNKNOWN

    @property
    def head(self) -> str:
        """What stands above it."""
        return f"{self.name} {self.unit}".strip()


@dataclass(frozen=True)
class Cell:
    """A value that says more than its column does.

    Attributes:
        value: text is a stranger's, and is escaped; None is not known.
        form: how it becomes text, where its column's is not for it.
        best: whether no other line has a better one.
        status: what must be read beside it, such as ``incomplete``.
    """

    value: Value
    form: Form | None = None
    best: bool = False
    status: str = ""

    def text(self, column: Column) -> str:
        """Return it as text, which is not escaped."""
        if self.value is None:
            return column.unknown
        form = str if isinstance(self.value, str) else column.form
        return (self.form or form)(self.value)


@dataclass(frozen=True)
class Note:
    """A line below a table, and what belongs to it; words of strangers are printable already."""

    title: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """Columns, rows and what is said of them.

    Attributes:
        columns: one or more; a table whose heads are all empty has no head.
        rows: a cell a column each.
        title: what stands above it.
        notes: below it, what every reader needs.
        details: below those, what a specialist needs; :meth:`Report.brief` has none.
        marked: what a mark of the best cells means, or why there is none.
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell | Value]]
    title: str = ""
    notes: Sequence[Note] = ()
    details: Sequence[Note] = ()
    marked: str | None = None

    @property
    def cells(self) -> Iterator[list[Cell]]:
        """The rows, every value in a cell."""
        for row in self.rows:
            yield [cell if isinstance(cell, Cell) else Cell(cell) for cell in row]

    def said(self, mark: str) -> list[Note]:
        """Return the notes, and behind them what the mark of the best means, by its name."""
        best = any(cell.best for row in self.cells for cell in row)
        marked = () if self.marked is None else (Note(f"{mark}: " * best + self.marked),)
        return [*self.notes, *marked]

    def texts(
        self, escape: Callable[[str], str], best: str, status: str, *, wide: bool = True
    ) -> Iterator[list[str]]:
        """Yield the rows as a format shows them.

        Args:
            escape: makes a stranger's words harmless; numbers are not given to it.
            best, status: patterns with a ``{}`` for a best cell, and for what stands beside one.
            wide: whether wide columns are shown.
        """
        for row in self.cells:
            line = []
            for cell, column in zip(row, self.columns, strict=True):
                if column.wide and not wide:
                    continue
                text = cell.text(column)
                text = escape(text) if isinstance(cell.value, str) else text
                text = best.format(text) if cell.best else text
                line.append(
                    f"{text} ({status.format(escape(cell.status))})" if cell.status else text
                )
            yield line


@dataclass(frozen=True)
class Report:
    """What a command prints: tables for readers, the same figures in full for programs.

    Attributes:
        tables: one or more.
        notes: below all of them.
        records: the lines of a CSV file, by column; None for the cells of the tables.
        value: the JSON.
        caption, label: what a paper says above the tables, with formulas between dollar signs, and
            refers to them by; LaTeX alone shows them.
    """

    tables: Sequence[Table]
    notes: Sequence[str] = ()
    records: Sequence[Mapping[str, Value]] | None = None
    value: Any = None
    caption: str = ""
    label: str = ""

    def brief(self) -> Report:
        """Return it without details, as the first screen shows it; ``value`` is the same."""
        return replace(self, tables=[replace(table, details=()) for table in self.tables])


def wrapped(text: str, indent: str = "", width: int = WIDTH) -> list[str]:
    """Break a note into lines, the first after ``indent``, further ones after twice as much."""
    lines = textwrap.wrap(
        f"{indent}{text}",
        width,
        subsequent_indent=indent * 2,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(JOINT, " ") for line in lines]
