"""The leaderboard: its page is made of its runs, and its runs and attestations hold."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from rsonnx import read_run
from rsonnx.cli import run

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import make_leaderboard as board  # noqa: E402

NAMES = [row.name for each in board.BOARDS for row in each.rows]


def test_the_page_is_made_of_the_committed_runs() -> None:
    assert (board.HOME / "index.md").read_text(encoding="utf-8") == board.page()
    assert {path.name.split(".")[0] for path in board.RUNS.iterdir()} == set(NAMES)


def test_a_row_is_of_the_sample_model_that_lies_there() -> None:
    rows = [row for each in board.BOARDS for row in each.rows if row.model.startswith("sample_")]
    assert rows
    for row in rows:
        certified = read_run(board.RUNS / f"{row.name}.jsonl").header.model.sha256
        assert certified == hashlib.sha256((ROOT / row.model).read_bytes()).hexdigest(), row.name


def test_runs_and_attestations_hold_and_a_changed_one_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in NAMES:
        words = [str(board.RUNS / f"{name}.jsonl"), "--attestation"]
        assert run(["verify", *words, str(board.RUNS / f"{name}.intoto.json")]) == 0, name
    other = tmp_path / "other.intoto.json"
    text = (board.RUNS / f"{NAMES[0]}.intoto.json").read_text(encoding="utf-8")
    other.write_text(text.replace('"sha256": "', '"sha256": "0', 1), encoding="utf-8")
    assert run(["verify", str(board.RUNS / f"{NAMES[0]}.jsonl"), "--attestation", str(other)]) == 1
    capsys.readouterr()
