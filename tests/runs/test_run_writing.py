"""Going on with a run file: what is taken back, what is kept, and what is not touched."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rsonnx.errors import RunFileError, UsageError
from rsonnx.runs import Row, RunWriter, read_run

Make = Callable[..., Path]


def _interrupted(path: Path, header: dict[str, Any], rows: list[Row]) -> bytes:
    def run() -> None:
        with RunWriter(path, header) as writer:
            for row in rows:
                writer.write(row)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    return path.read_bytes()


def _go_on(path: Path, header: dict[str, Any], rows: list[Row]) -> None:
    writer = RunWriter.reopen(path)
    writer.go_on(header)
    with writer:
        for row in rows:
            writer.write(row)


def test_a_run_gone_on_with_is_the_undisturbed_one(
    run_file: Make, tmp_path: Path, header: dict[str, Any], make_row: Callable[..., Row]
) -> None:
    rows = [make_row(i, hits=(990, 700, 500)[i]) for i in range(3)]
    whole = run_file(3).read_bytes()
    for done in range(4):
        path = tmp_path / f"{done}.jsonl"
        _interrupted(path, header, rows[:done])
        assert read_run(path).status == "interrupted"
        _go_on(path, header, rows[done:])
        assert path.read_bytes() == whole


def test_opening_again_changes_nothing(run_file: Make, header: dict[str, Any]) -> None:
    path = run_file(2)
    with path.open("ab") as file:
        file.write(b'{"kind": "inp')
    before, stamp = path.read_bytes(), os.stat(path).st_mtime_ns
    with RunWriter.reopen(path) as writer:
        assert writer.part is not None
        assert (writer.part.status, len(writer.part.rows)) == ("complete", 2)
    assert (path.read_bytes(), os.stat(path).st_mtime_ns) == (before, stamp)

    def fail() -> None:
        with RunWriter.reopen(path):
            raise UsageError("the model is another one")

    with pytest.raises(UsageError):
        fail()
    assert (path.read_bytes(), os.stat(path).st_mtime_ns) == (before, stamp)


@pytest.mark.parametrize("tail", [b"", b"{", b'{"kind": "end"', b"\0" * 4096, b"\xff\xfe"])
def test_a_torn_tail_is_cut_off(
    tmp_path: Path, header: dict[str, Any], make_row: Callable[..., Row], tail: bytes
) -> None:
    path = tmp_path / "run.jsonl"
    rows = [make_row(0), make_row(1)]
    content = _interrupted(path, header, rows[:1])
    whole_lines = content.splitlines(keepends=True)[:2]
    path.write_bytes(b"".join(whole_lines) + tail)
    _go_on(path, header, rows[1:])
    found = read_run(path)
    assert (found.status, list(found.rows)) == ("complete", rows)


@pytest.mark.parametrize("length", [0, 1, 20, 44, 200])
def test_a_torn_header_is_begun_again(
    run_file: Make, header: dict[str, Any], make_row: Callable[..., Row], length: int
) -> None:
    path = run_file(1)
    whole = path.read_bytes()
    path.write_bytes(whole[:length])
    with RunWriter.reopen(path) as writer:
        assert writer.part is None
        writer.go_on(header)
        writer.write(make_row(0, hits=990))
    assert path.read_bytes() == whole


@pytest.mark.parametrize("content", [b"my notes", b"{}", b"\x00", b'{"kind": "head of state'])
def test_a_file_of_somebody_else_is_never_taken_for_a_torn_header(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(RunFileError, match="is not a run file"):
        RunWriter.reopen(path)
    assert path.read_bytes() == content


def test_a_damaged_line_in_the_middle_is_not_gone_on_with(run_file: Make) -> None:
    path = run_file(3)
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([*lines[:2], lines[2][:-9], *lines[3:]]))
    before = path.read_bytes()
    with pytest.raises(RunFileError, match="line 3: this is not a line of JSON"):
        RunWriter.reopen(path)
    assert path.read_bytes() == before


def test_a_folder_a_pipe_and_nothing_cannot_be_gone_on_with(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    if hasattr(os, "mkfifo"):
        os.mkfifo(pipe)
    for path in (tmp_path, pipe, tmp_path / "nothing", tmp_path / ("a" * 300)):
        with pytest.raises(UsageError, match="is not a file"):
            RunWriter.reopen(path)


def test_rows_written_at_once_are_the_same(
    run_file: Make, tmp_path: Path, header: dict[str, Any]
) -> None:
    path = tmp_path / "at_once.jsonl"
    with RunWriter(path, header) as writer:
        writer.write_all(read_run(run_file(3)).rows)
        assert writer.rows == 3
    assert path.read_bytes() == run_file(3, name="other.jsonl").read_bytes()
