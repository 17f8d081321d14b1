"""Write what a row of a run file is, from the table that reads and writes it.

docs/row.schema.json is its JSON Schema, docs/run-file.md says it in words; tests/runs hold both to
the table. Run it after a field has changed: python tools/make_run_file_docs.py
"""

from __future__ import annotations

import json
from pathlib import Path

from rsonnx.runs.rows import FIELDS, row_schema

DOCS = Path(__file__).parents[1] / "docs"

_HEAD = """# Run files

A run file is JSON lines: a header, a row an input, and a last line that says how the run ended.
The header says what was certified, with what and how; the meaning of each field of a row stands in
it too. The schema of a row is [row.schema.json](row.schema.json).

| field | meaning | columns of CSV and Parquet |
| --- | --- | --- |
"""


def documents() -> dict[str, str]:
    """Return the text of each file by its name."""
    lines = [
        f"| `{field.name}` | {field.meaning} | "
        f"{', '.join(f'`{column.name}`' for column in field.in_columns())} |\n"
        for field in FIELDS
    ]
    return {
        "row.schema.json": json.dumps(row_schema(), indent=2) + "\n",
        "run-file.md": _HEAD + "".join(lines),
    }


if __name__ == "__main__":
    for name, text in documents().items():
        (DOCS / name).write_text(text, "utf-8")
