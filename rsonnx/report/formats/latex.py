"""A report as LaTeX, for a paper: it needs the package booktabs, and compiles with any engine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from rsonnx.report.escape import latex_text, printable
from rsonnx.report.table import JOINT, Column, Note, Report, Table

_SYMBOL = re.compile(r"\b(sigma|lambda|alpha|n|r)\b(?:( ?= ?)((?:[0-9.e+]|\{-\})+))?")
_GREEK = ("sigma", "lambda", "alpha")


def to_latex(report: Report) -> str:
    """Return tables with their notes as small paragraphs below them; the best figures are bold.

    With a caption or a label they stand in a float as a paper has it, and the notes are comments
    below; else in none, to be put into one of your own.
    """
    floats = bool(report.caption or report.label)
    parts = [r"% \usepackage{booktabs}"]
    parts += [r"\begin{table}[t]", r"\centering"] * floats
    parts += [rf"\caption{{{_caption(report.caption)}}}"] * bool(report.caption)
    parts += [rf"\label{{{report.label}}}"] * bool(report.label)
    comments: list[str] = []
    for number, table in enumerate(report.tables):
        parts += [r"\bigskip"] if number else []
        parts += _lines(table)
        notes = _texts([*table.said("Bold"), *table.details])
        comments += notes if floats else []
        parts += [] if floats else _paragraphs(notes)
    notes = _texts(map(Note, report.notes))
    if not floats:
        return "\n".join([*parts, *_paragraphs(notes)])
    return "\n".join([*parts, r"\end{table}", *(f"% {text}" for text in [*comments, *notes])])


def _caption(text: str) -> str:
    """Escape what is no formula; a formula is the author's own, as whose command it is given."""
    parts = enumerate(re.split(r"(\$[^$]+\$)", printable(text)))
    return "".join(part if place % 2 else latex_text(part) for place, part in parts)


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


def _set(column: Column, text: str) -> str:
    """Set symbols, and a number's minus sign as one."""
    if column.symbols:
        return _SYMBOL.sub(_symbol, text)
    return f"$-${text[1:]}" if text.startswith("-") else text


def _symbol(name: re.Match[str]) -> str:
    sign = rf"\{name[1]}" if name[1] in _GREEK else name[1]
    return f"${sign}{name[2] or ''}{name[3] or ''}$"


def _texts(notes: Iterable[Note]) -> list[str]:
    texts = (text for note in notes for text in (note.title, *note.details))
    return [latex_text(text.replace(JOINT, " ")) for text in texts]


def _paragraphs(texts: Sequence[str]) -> Iterator[str]:
    if texts:
        yield r"\par\medskip"
        yield r"{\footnotesize\raggedright"
        yield from (rf"{text}\par" for text in texts)
        yield "}"
