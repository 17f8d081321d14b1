"""Which column of a log is which: by the header's names, or by the field's order without one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rsonnx.logs.cells import quoted
from rsonnx.logs.log import Kind

CERTIFY = ("idx", "label", "predict", "radius", "correct", "time")
PREDICT = ("idx", "label", "predict", "correct", "time")
_NEEDED = PREDICT[:3]


@dataclass(frozen=True)
class Columns:
    """The names of a log's columns, in order; ``unknown`` are those that are not the field's."""

    names: tuple[str, ...]

    @property
    def kind(self) -> Kind:
        """``"certify"`` where there are radii."""
        return "certify" if "radius" in self.names else "predict"

    @property
    def unknown(self) -> tuple[str, ...]:
        """The columns that are none of the field's."""
        return tuple(name for name in self.names if name not in CERTIFY)

    @property
    def needed(self) -> int:
        """How many leading cells hold idx, label and predict."""
        return max(self.names.index(name) for name in _NEEDED) + 1

    def cells(self, fields: Sequence[str]) -> dict[str, str]:
        """Name the cells of a row; a short row lacks its last ones."""
        return {name: field for name, field in zip(self.names, fields, strict=False) if name}


def header(fields: Sequence[str]) -> Columns | None:
    """Return the columns that a line names; None where the line is no header.

    Raises:
        ValueError: it is a header, but of no log of the field.
    """
    names = tuple(field.strip().lower() for field in fields)
    if not set(names) & set(_NEEDED):
        return None
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        raise ValueError(f"the header lacks the column {missing[0]}")
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"the header names the column {quoted(name)} twice")
    columns = Columns(names)
    if columns.kind == "predict" and columns.unknown:
        raise ValueError(
            f"the header has no column radius, and {quoted(columns.unknown[0])} is unknown; name "
            f"the columns {' '.join(CERTIFY)}"
        )
    return columns


def guess(rows: Iterable[Sequence[str]]) -> Columns:
    """Tell the columns of a log without a header.

    Raises:
        ValueError: the rows are not as wide as a log of the field.
    """
    kept = list(rows)
    width = max(map(len, kept))
    if width == len(CERTIFY):
        return Columns(CERTIFY)
    if width == len(PREDICT):
        answers = {"0", "1", "True", "False"}
        without_radius = all(row[3] in answers for row in kept if len(row) == width)
        return Columns(PREDICT if without_radius else CERTIFY[:width])
    raise ValueError(
        f"there is no header, and {width} columns separated by tabs where {len(CERTIFY)} "
        f"({' '.join(CERTIFY)}) or {len(PREDICT)} ({' '.join(PREDICT)}) were expected"
    )
