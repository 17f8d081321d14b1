"""A report as LaTeX, for a paper: it needs the package booktabs, and compiles with any engine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from rsonnx.report.escape import latex_text
from rsonnx.report.table import JOINT, Column, Note, Report, Table

_SYMBOL = re.compile(r"\b(sigma|lambda|alpha|n|r)\b(?:( ?= ?)((?:[0-9.e+]|\{-\})+))?")
_GREEK = ("sigma", "lambda", "alpha")


def to_latex(report: Report) -> str:
    """Return tables with their notes as small paragraphs below them; the best figures are bold.

    They stand in no float: put them into a ``table`` of your own.
    """
    parts = [r"% \usepackage{booktabs}"]
    for number, table in enumerate(report.tables):
        parts += [r"\bigskip"] if number else []
        parts += _lines(table)
    if report.notes:
        parts += _paragraphs(Note(note) for note in report.notes)
    return "\n".join(parts)


def _lines(table: Table) -> Iterator[str]:
    columns = table.columns
    if table.title:
        yield rf"\noindent {latex_text(table.title)}\par\medskip"
    yield rf"\begin{{tabular}}{{@{{}}l{''.join('l' if c.left else 'r' for c in columns[1:])}@{{}}}}"
    yield r"\toprule"
    yield rf"{' & '.join(_set(c, latex_text(c.head)) for c in columns)} \\"
    yield r"\midrule"
    for line in table.texts(latex_text, r"\textbf{{{}}}", r"\textbf{{{}}}"):
        yield rf"{' & '.join(map(_set, columns, line))} \\"
    yield r"\bottomrule"
    yield r"\end{tabular}"
    notes = table.said("Bold")
    yield from _paragraphs(notes) if notes else ()


def _set(column: Column, text: str) -> str:
    """Set symbols, and a number's minus sign as one."""
    if column.symbols:
        return _SYMBOL.sub(_symbol, text)
    return f"$-${text[1:]}" if text.startswith("-") else text


def _symbol(name: re.Match[str]) -> str:
    sign = rf"\{name[1]}" if name[1] in _GREEK else name[1]
    return f"${sign}{name[2] or ''}{name[3] or ''}$"


def _paragraphs(notes: Iterable[Note]) -> Iterator[str]:
    yield r"\par\medskip"
    yield r"{\footnotesize\raggedright"
    for note in notes:
        for text in (note.title, *note.details):
            yield rf"{latex_text(text.replace(JOINT, ' '))}\par"
    yield "}"
