"""A report as GitHub's Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rsonnx.report.escape import markdown_text
from rsonnx.report.table import JOINT, Note, Report, Table


def to_markdown(report: Report) -> str:
    """Return tables with their notes as lists below them; the best figures are bold."""
    parts = ["\n".join(_lines(table)) for table in report.tables]
    if report.notes:
        parts.append("\n".join(_items(Note(note) for note in report.notes)))
    return "\n\n".join(parts)


def _lines(table: Table) -> Iterator[str]:
    if table.title:
        yield from (markdown_text(table.title), "")
    rule = ["---", *("---" if c.left else "---:" for c in table.columns[1:])]
    head = [markdown_text(column.head) for column in table.columns]
    for line in (head, rule, *table.texts(markdown_text, "**{}**", "**{}**")):
        yield f"| {' | '.join(line)} |"
    notes = list(_items([*table.said("Bold"), *table.details]))
    yield from ("", *notes) if notes else ()


def _items(notes: Iterable[Note]) -> Iterator[str]:
    for note in notes:
        yield f"- {markdown_text(note.title.replace(JOINT, ' '))}"
        yield from (f"  - {markdown_text(text.replace(JOINT, ' '))}" for text in note.details)
