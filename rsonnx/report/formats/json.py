"""A report as JSON: what its figures say of themselves, in full."""

from __future__ import annotations

import json

from rsonnx.report.table import Report


def to_json(report: Report) -> str:
    """Return the report's value as JSON; there is no NaN and no infinity in it."""
    return json.dumps(report.value, indent=2, allow_nan=False)
