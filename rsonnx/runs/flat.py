"""The rows of a run as a flat table: one column a field, for spreadsheets and data frames."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rsonnx.runs.rows import Row

ColumnKind = Literal["whole", "real", "text", "flag"]


@dataclass(frozen=True)
class Column:
    """A column: its name, what its values are (or null), and where a row has them."""

    name: str
    kind: ColumnKind
    value: Callable[[Row], Any]


def _field(name: str) -> Callable[[Row], Any]:
    return lambda row: getattr(row, name)


def _text(name: str) -> Callable[[Row], Any]:
    def value(row: Row) -> str | None:
        found = getattr(row, name)
        return None if found is None else unicode_text(str(found))

    return value


COLUMNS = (
    Column("index", "whole", _field("index")),
    Column("name", "text", _text("name")),
    Column("digest", "text", _text("digest")),
    Column("label", "whole", _field("label")),
    Column("base_prediction", "whole", _field("base_prediction")),
    Column("prediction", "whole", _field("prediction")),
    Column("top_class", "whole", _field("top_class")),
    Column("counts_selection", "text", lambda row: json.dumps(row.selection.to_json())),
    Column("counts_estimation", "text", lambda row: json.dumps(row.estimation.to_json())),
    Column("samples_selection", "whole", lambda row: row.selection.total),
    Column("samples_estimation", "whole", lambda row: row.estimation.total),
    Column("p_a_lower", "real", _field("p_a_lower")),
    Column("p_b_upper", "real", _field("p_b_upper")),
    Column("one_sided_radius", "real", _field("one_sided_radius")),
    Column("uniform", "real", _field("uniform")),
    Column("claim_hits", "whole", lambda row: None if row.claim is None else row.claim[0]),
    Column("claim_samples", "whole", lambda row: None if row.claim is None else row.claim[1]),
    Column("radius", "real", _field("radius")),
    Column("abstained", "flag", _field("abstained")),
    Column("reason", "text", _text("reason")),
    Column("explanation", "text", _text("explanation")),
    Column("arithmetic", "text", _text("arithmetic")),
    Column("seconds", "real", _field("seconds")),
)
"""All fields of a row; counts are JSON text, since rows answer different classes."""


_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "'")
"""What a spreadsheet may take for the start of a formula, in wide letters too; and the mark."""


def spreadsheet_text(text: str) -> str:
    """Return a text with an apostrophe in front where a spreadsheet could take it for a formula.

    So do those that begin with white space or an apostrophe: a reader gets every text back by
    dropping one leading apostrophe.
    """
    return f"'{text}" if text.startswith(_FORMULA) or text[:1].isspace() else text


def unicode_text(text: str) -> str:
    """Return a text that UTF-8 can hold: half a surrogate pair, as odd file names have, escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def flat(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """Return the columns of ``COLUMNS`` by name, a value or None a row."""
    return {column.name: [column.value(row) for row in rows] for column in COLUMNS}
