"""Write what the header and a row of a run file are, from the tables that read them.

docs/reference has their JSON Schemas and, in run-file.md, the same in words; tests hold all to the
tables. Run it after a field has changed:
python tools/make_run_file_docs.py
"""

from __future__ import annotations

import json
from pathlib import Path

from rsonnx.runs.header_fields import HEADER
from rsonnx.runs.header_schema import header_schema
from rsonnx.runs.row_fields import FIELDS, row_schema

DOCS = Path(__file__).parents[1] / "docs" / "reference"

_HEAD = """# Run files

A run file is JSON lines: a header, a row an input, and a last line that says how the run ended.
The header says what was certified, with what and how; the meaning of each field of a row stands in
it too. Their schemas are [header.schema.json](header.schema.json) and
[row.schema.json](row.schema.json). A reader refuses a field that is not here, one that is there
twice, one of another kind, and one that is not what follows from the others.

## Rows

| field | meaning | columns of CSV and Parquet |
| --- | --- | --- |
"""


_HEADER = """
## Header

| field | there | what it is | meaning |
| --- | --- | --- | --- |
"""
_THERE = {1: "always", 2: "beside `noise.stream`", None: "where it applies"}


def documents() -> dict[str, str]:
    """Return the text of each file by its name."""
    lines = [
        f"| `{field.name}` | {field.meaning} | "
        f"{', '.join(f'`{column.name}`' for column in field.in_columns())} |\n"
        for field in FIELDS
    ]
    fields = [
        f"| `{field.path}` | {_THERE[field.since]} | {field.kind.expected} | {field.meaning} |\n"
        for field in HEADER
    ]
    return {
        "header.schema.json": json.dumps(header_schema(), indent=2) + "\n",
        "row.schema.json": json.dumps(row_schema(), indent=2) + "\n",
        "run-file.md": _HEAD + "".join(lines) + _HEADER + "".join(fields),
    }


if __name__ == "__main__":
    for name, text in documents().items():
        (DOCS / name).write_text(text, "utf-8")
