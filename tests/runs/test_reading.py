"""Whoever reads a run file derives it again: what its rows deny is refused, and verify names it."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from rsonnx.errors import RunFileError
from rsonnx.runs import read_part, read_run, verify
from rsonnx.runs.manifest import manifest_digest

Lines = list[dict[str, Any]]

GOLDEN = sorted((Path(__file__).parents[1] / "golden" / "runs").glob("*.jsonl"))


def lines_of(path: Path) -> Lines:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def written(lines: Lines, path: Path) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.mark.parametrize("path", GOLDEN, ids=[path.stem for path in GOLDEN])
def test_an_honest_file_is_read(path: Path) -> None:
    assert read_part(path).rows


def test_the_row_that_fails_is_named(tmp_path: Path) -> None:
    for path in GOLDEN:
        lines = lines_of(path)
        lines[1]["counts"]["estimation"]["0"] = lines[1]["counts"]["estimation"].get("0", 0) + 1
        with pytest.raises(RunFileError, match=f"(input {lines[1]['index']}|line 2):"):
            read_part(written(lines, tmp_path / path.name))


def test_a_file_that_is_large_for_nothing_takes_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.jsonl"
    header, _ = GOLDEN[0].read_bytes().split(b"\n", 1)
    most = 2 * len(header)
    monkeypatch.setattr("rsonnx.runs.files.MOST_BYTES", most)
    for filler in (b"\n", b" ", b"{},"):
        path.write_bytes(header + b"\n" + filler * (1 << 23))
        tracemalloc.start()
        try:
            with pytest.raises(RunFileError, match="line 2 "):
                read_run(path)
            assert tracemalloc.get_traced_memory()[1] < 1 << 21
        finally:
            tracemalloc.stop()
    path.write_bytes(b" " * (most + 1))
    with pytest.raises(RunFileError, match="line 1 "):
        read_run(path)


def test_a_shard_does_not_show_its_manifest(tmp_path: Path) -> None:
    """It covers inputs that are not there; what is there must fit."""
    (shard,) = (path for path in GOLDEN if path.stem == "shard1")
    run = read_run(shard)
    assert verify(run).manifest is None
    assert manifest_digest(run.rows) != run.header.data.manifest
    lines = lines_of(shard)
    lines[1]["index"] += 1
    with pytest.raises(RunFileError):
        read_run(written(lines, tmp_path / "x.jsonl"))
