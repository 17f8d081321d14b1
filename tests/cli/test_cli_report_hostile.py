"""`rsonnx report` on files whose every value was replaced by one that nobody expects."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from reported import RUN_HEADER

from rsonnx import Counts, certify_from_counts
from rsonnx.cli import run
from rsonnx.runs import Row

HEADER: dict[str, Any] = RUN_HEADER | {"noise": RUN_HEADER["noise"] | {"shared": False}}
HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, -1, 10**400, 10**18, 1e308, 1e-308, float("nan"), float("inf"), "",
    "\x1b[2J", "\udc80", "9" * 5000, [], {}, [[[]]], {"-1": 3}, {"99999999999": 1}, {"0": 2**63},
)  # fmt: skip


def _lines() -> list[dict[str, Any]]:
    found = certify_from_counts(Counts([0, 1, 0, 99]), Counts([0, 10, 0, 990]), sigma=0.5)
    row = Row.of(found, index=0, name="a.png", label=3, base_prediction=3, seconds=0.1)
    end = {"kind": "end", "status": "complete", "inputs": 1, "error": None}
    return [copy.deepcopy(HEADER), row.to_json(), end]


def _paths(value: Any, prefix: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    keys = range(len(value)) if isinstance(value, list) else value
    for key in keys if isinstance(value, list | dict) else ():
        yield (*prefix, key)
        yield from _paths(value[key], (*prefix, key))


PATHS = [path for path in _paths(_lines()) if len(path) > 1]


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--alpha", "0.01"),
        ("--format", "markdown"),
        ("--format", "latex"),
        ("--format", "csv"),
        ("--json", "--card", "card.md"),
    ],
    ids=["", "restated", "markdown", "latex", "csv", "json-card"],
)
@pytest.mark.parametrize("path", PATHS, ids=lambda path: "-".join(map(str, path)))
def test_no_value_makes_a_bug(
    path: tuple[Any, ...],
    options: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    codes = set()
    for hostile in HOSTILE:
        lines: Any = _lines()
        inner = lines
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = hostile
        file = tmp_path / "run.jsonl"
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        (tmp_path / "card.md").unlink(missing_ok=True)
        code = run(["report", str(file), *options])
        codes.add(code)
        out, err = capsys.readouterr()
        assert code in (0, 1), (hostile, err)
        assert "has a bug" not in err, hostile
        assert "memory" not in err, hostile
        assert all(c.isprintable() or c == "\n" for c in out + err), hostile
        if code == 0:
            assert err == ""
            assert "nan" not in out.replace("unit values", ""), hostile
        else:
            assert err.startswith("Error: "), hostile
            assert err.count("\n") == 1, hostile
            assert "run.jsonl" in err, hostile
            assert len(err) < 500, hostile
    assert codes <= {0, 1}
