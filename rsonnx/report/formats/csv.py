"""A report as CSV, for spreadsheets and data frames: figures in full, shares as fractions of 1."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from fractions import Fraction

from rsonnx.report.escape import csv_text
from rsonnx.report.table import Report, Value


def to_csv(report: Report) -> str:
    """Return a line a record below a head; a cell is empty where a figure is not known.

    Texts are made harmless for spreadsheets.
    """
    records = list(_of_tables(report)) if report.records is None else report.records
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(records[0]) if records else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _plain(value) for name, value in line.items()} for line in records)
    return buffer.getvalue().removesuffix("\n")


def _plain(value: Value) -> Value:
    if isinstance(value, str):
        return csv_text(value)
    return float(value) if isinstance(value, Fraction) else value


def _of_tables(report: Report) -> Iterator[Mapping[str, Value]]:
    for table in report.tables:
        for row in table.cells:
            yield {c.head: cell.value for c, cell in zip(table.columns, row, strict=True)}
