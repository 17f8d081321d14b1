"""The formats of a report: each is a function that makes text of it."""

from __future__ import annotations

from collections.abc import Callable

from rsonnx.report.formats.csv import to_csv
from rsonnx.report.formats.json import to_json
from rsonnx.report.formats.latex import to_latex
from rsonnx.report.formats.markdown import to_markdown
from rsonnx.report.formats.text import to_text
from rsonnx.report.table import Report

FORMATS: dict[str, Callable[[Report], str]] = {
    "table": to_text,
    "markdown": to_markdown,
    "latex": to_latex,
    "csv": to_csv,
    "json": to_json,
}

__all__ = ["FORMATS", "to_csv", "to_json", "to_latex", "to_markdown", "to_text"]
