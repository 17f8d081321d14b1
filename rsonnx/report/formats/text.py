"""A report as plain text, for a terminal and for pipes alike."""

from __future__ import annotations

from collections.abc import Iterator

from rsonnx.report.escape import printable
from rsonnx.report.table import Report, Table, wrapped


def to_text(report: Report) -> str:
    """Return tables with their notes below them; the best figures have a star."""
    parts = ["\n".join(_lines(table)) for table in report.tables]
    if report.notes:
        parts.append("\n".join(line for note in report.notes for line in wrapped(note)))
    return "\n\n".join(parts)


def _lines(table: Table) -> Iterator[str]:
    if table.title:
        yield from (table.title, "")
    yield from columns_of(table)
    notes = table.said("*")
    if notes:
        yield ""
    for note in notes:
        # What names a run stays whole, so that it can be found; a remark of its own is wrapped.
        yield from [note.title] if note.details else wrapped(note.title)
        for detail in note.details:
            yield from wrapped(detail, "  ")


def columns_of(table: Table) -> list[str]:
    """Lay out the columns that have room, figures to the right and stars beside them."""
    columns = [column for column in table.columns if not column.wide]
    head = [column.head for column in columns]
    lines = [head] if any(head) else []
    lines += table.texts(printable, "{}*", "{}", wide=False)
    cells = [list(column) for column in zip(*lines, strict=True)]
    for number, column in enumerate(cells):
        left = number == 0 or columns[number].left
        if not left and any(cell.endswith("*") for cell in column):
            column[:] = [cell if cell.endswith("*") else f"{cell} " for cell in column]
        width = max(map(len, column))
        column[:] = [cell.ljust(width) if left else cell.rjust(width) for cell in column]
    return ["  ".join(line).rstrip() for line in zip(*cells, strict=True)]
