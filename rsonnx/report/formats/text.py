"""A report as plain text, for a terminal of any width and for pipes."""

from __future__ import annotations

from collections.abc import Iterator

from rsonnx.report.escape import printable
from rsonnx.report.table import WIDTH, Report, Table, wrapped

_BETWEEN = "  "


def to_text(report: Report, width: int | None = None) -> str:
    """Return tables with their notes below them; the best figures have a star.

    Args:
        report: what is shown.
        width: of the terminal: the columns that it has no room for follow below the others. None
            breaks notes alone, at 100 letters.
    """
    parts = ["\n".join(_lines(table, width)) for table in report.tables]
    if report.notes:
        parts.append("\n".join(line for note in report.notes for line in _broken(note, width)))
    return "\n\n".join(parts)


def _lines(table: Table, width: int | None) -> Iterator[str]:
    if table.title:
        yield from ([table.title] if width is None else _broken(table.title, width))
        yield ""
    yield from _columns(table, width)
    for notes in filter(None, (table.said("*"), table.details)):
        yield ""
        for note in notes:
            # What names a run stays whole, so that it can be found; a remark of its own is broken.
            yield from [note.title] if note.details else _broken(note.title, width)
            for detail in note.details:
                yield from _broken(detail, width, "  ")


def _broken(text: str, width: int | None, indent: str = "") -> list[str]:
    return wrapped(text, indent, WIDTH if width is None else min(width, WIDTH))


def _columns(table: Table, width: int | None) -> Iterator[str]:
    """Yield lines of figures to the right with stars beside them, below each other where too long.

    The first column names the rows, and begins each part.
    """
    columns = [column for column in table.columns if not column.wide]
    head = [column.head for column in columns]
    lines = [head] if any(head) else []
    lines += table.texts(printable, "{}*", "{}", wide=False)
    cells = [list(column) for column in zip(*lines, strict=True)]
    for number, column in enumerate(cells):
        left = number == 0 or columns[number].left
        if not left and any(cell.endswith("*") for cell in column):
            column[:] = [cell if cell.endswith("*") else f"{cell} " for cell in column]
        most = max(map(len, column))
        column[:] = [cell.ljust(most) if left else cell.rjust(most) for cell in column]
    for number, part in enumerate(_parts(cells, width)):
        yield from [""] if number else []
        yield from (_BETWEEN.join(line).rstrip() for line in zip(*part, strict=True))


def _parts(cells: list[list[str]], width: int | None) -> Iterator[list[list[str]]]:
    """Yield as many columns at once as there is room for, at least one beside the first."""
    part = cells[:1]
    for column in cells[1:]:
        taken = sum(len(taken[0]) + len(_BETWEEN) for taken in part)
        if width is not None and len(part) > 1 and taken + len(column[0]) > width:
            yield part
            part = cells[:1]
        part.append(column)
    yield part
