"""The formats of a report by name: each is a function that makes text of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from rsonnx._catalogue import Catalogue

if TYPE_CHECKING:
    from rsonnx.report.table import Report

FORMATS: Mapping[str, Callable[[Report], str]] = Catalogue(
    "rsonnx.report.formats",
    {
        "table": "text.to_text",
        "markdown": "markdown.to_markdown",
        "latex": "latex.to_latex",
        "csv": "csv.to_csv",
        "json": "json.to_json",
    },
)
"""Whoever adds one writes it and names it here."""
