"""``rsonnx export``: one file written, nothing overwritten, an incomplete run said to be so."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rsonnx import Counts, certify_from_counts
from rsonnx.cli import run
from rsonnx.logs import read_log
from rsonnx.runs import Row

HEADER = {"kind": "header", "format": "rsonnx-run", "format_version": 1, "n": 1000}


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """Write a run file by hand: three rows, ended as asked or not at all."""

    def make(ending: str | None = "complete", **changed: Any) -> Path:
        lines: list[dict[str, Any]] = [HEADER | changed]
        for index, hits in enumerate((990, 700, 500)):
            found = certify_from_counts(
                Counts([0, 1, 0, 99]), Counts([0, 1000 - hits, 0, hits]), sigma=0.5
            )
            name = f"=x\x1b[31m/{index}.png"
            row = Row.of(found, index=index, name=name, label=3, base_prediction=3, seconds=1.5)
            lines.append(row.to_json())
        if ending is not None:
            lines.append({"kind": "end", "status": ending, "inputs": 3, "error": None})
        path = tmp_path / "run.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return path

    return make


@pytest.mark.parametrize("file_format", ["tsv", "csv", "parquet"])
def test_a_complete_run_is_exported_in_silence(
    make_run: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    file_format: str,
) -> None:
    if file_format == "parquet":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    out = tmp_path / "rows"
    assert run(["export", str(make_run()), f"--{file_format}", "-o", str(out)]) == 0
    assert capsys.readouterr() == ("", "")
    assert out.stat().st_size > 100
    if file_format == "tsv":
        assert [row.prediction for row in read_log(out).rows] == [3, 3, -1]


@pytest.mark.parametrize(
    ("ending", "changed", "words"),
    [
        (None, {}, "the run is incomplete: 3 rows are exported; tsv cannot say so"),
        ("interrupted", {}, "the run is interrupted: 3 rows"),
        ("failed", {}, "the run is failed: 3 rows"),
        (
            "complete",
            {"shard": {"index": 1, "of": 2}},
            "the run is complete and holds one shard of its inputs: 3 rows",
        ),
    ],
)
def test_a_part_of_a_run_is_said_to_be_one(
    make_run: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    ending: str | None,
    changed: dict[str, Any],
    words: str,
) -> None:
    path = make_run(ending, **changed)
    assert run(["export", str(path), "--tsv", "-o", str(tmp_path / "log")]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err


def test_bad_requests_get_a_sentence(
    make_run: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = make_run(), tmp_path / "log"
    out.write_text("precious")
    cases = (
        ([str(source), "--tsv", "-o", str(out)], 2, "never overwritten"),
        ([str(source), "--tsv", "-o", str(source)], 2, "never overwritten"),
        ([str(source), "--xls", "-o", str(tmp_path / "x")], 2, "--xls"),
        ([str(source), "--tsv"], 2, "--output"),
        ([str(source), "-o", str(tmp_path / "x")], 2, "--tsv, --csv or --parquet"),
        ([str(tmp_path / "none"), "--tsv", "-o", str(tmp_path / "x")], 2, "not exist"),
        ([str(out), "--tsv", "-o", str(tmp_path / "x")], 1, "is not a run file"),
    )
    for arguments, code, words in cases:
        assert run(["export", *arguments]) == code, arguments
        printed, err = capsys.readouterr()
        assert printed == ""
        assert words in err, arguments
        assert "Traceback" not in err
    assert out.read_text() == "precious"
    assert not (tmp_path / "x").exists()


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["export", "--help"]) == 0
    out = capsys.readouterr().out
    assert "Example:" in out
    assert 'pandas.read_csv("run.tsv", sep="\\t")' in out
