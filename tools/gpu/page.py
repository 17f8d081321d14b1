"""What docs/how-to/gpu.md says of CUDA devices: what its file of results says, and no more."""

from __future__ import annotations

import json
from pathlib import Path

_ROOT = Path(__file__).parents[2]
PAGE = _ROOT / "docs" / "how-to" / "gpu.md"
RESULTS = _ROOT / "tools" / "results" / "gpu.jsonl"
BEGIN, END = "<!-- written by tools/gpu_check.py --page -->\n", "<!-- to here -->\n"
_STATES = {True: "passed", False: "failed", None: "not run"}
_NOTHING = "Nothing of it has run on a card: there is no file of results.\n"


def passage(results: Path) -> str:
    """Return what a file of results says, as Markdown; a check that is not in it has not run."""
    lines = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
    records = {record["check"]: record for record in map(json.loads, lines)}
    machine = records.pop("machine", None)
    if machine is None or machine["figures"]["provider"] == "cpu":
        return _NOTHING
    known = machine["figures"]
    runtime = known["versions"]["onnxruntime-gpu"]
    said = (
        f"What has run on a card: {known['date'][:10]}, {machine['note']}, onnxruntime {runtime}."
    )
    rows = [
        f"| {name} | {_STATES[record['passed']]} | {record['note']} |\n"
        for name, record in records.items()
    ]
    return f"{said}\n\n| check | on the card | figures |\n|---|---|---|\n{''.join(rows)}"


def write_page() -> None:
    """Put the passage between its marks."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(before + BEGIN + passage(RESULTS) + END + after, encoding="utf-8")
