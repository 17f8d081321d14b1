"""Going on with a run file, by one writer at a time: what is taken back and what is not touched."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from io import FileIO
from pathlib import Path

import pytest
from headers import certified_row, record

from rsonnx.errors import RunFileError, UsageError
from rsonnx.runs import Row, RunWriter, disk, locking, read_run
from rsonnx.runs.writing import TamperedError

Make = Callable[..., Path]
ROWS = [certified_row(index, hits) for index, hits in enumerate((990, 700, 500))]


def _interrupted(path: Path, rows: Sequence[Row]) -> bytes:
    def run() -> None:
        with RunWriter(path, record()) as writer:
            writer.write_all(rows)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    return path.read_bytes()


def _go_on(path: Path, rows: Sequence[Row]) -> None:
    writer = RunWriter.reopen(path)
    writer.go_on(record())
    with writer:
        for row in rows:
            writer.write(row)


@pytest.mark.parametrize("done", range(4))
@pytest.mark.parametrize("tail", [None, b"", b"{", b'{"kind": "end"', b"\0" * 4096, b"\xff\xfe"])
def test_a_run_gone_on_with_is_the_undisturbed_one(
    run_file: Make, tmp_path: Path, done: int, tail: bytes | None
) -> None:
    path = tmp_path / "cut.jsonl"
    content = _interrupted(path, ROWS[:done])
    assert read_run(path).status == "interrupted"
    if tail is not None:  # as a killed process leaves it
        path.write_bytes(b"".join(content.splitlines(keepends=True)[: done + 1]) + tail)
    _go_on(path, ROWS[done:])
    assert path.read_bytes() == run_file(3).read_bytes()


@pytest.mark.parametrize("length", [0, 1, 20, 44, 200])
def test_a_torn_header_is_begun_again(run_file: Make, length: int) -> None:
    path = run_file(3)
    whole = path.read_bytes()
    path.write_bytes(whole[:length])
    with RunWriter.reopen(path) as writer:
        assert writer.part is None
    _go_on(path, ROWS)
    assert path.read_bytes() == whole


def test_opening_again_changes_nothing(run_file: Make) -> None:
    path = run_file(2)
    with path.open("ab") as file:
        file.write(b'{"kind": "inp')
    before, stamp = path.read_bytes(), os.stat(path).st_mtime_ns

    def look(fail: bool) -> None:
        with RunWriter.reopen(path) as writer:
            assert writer.part is not None
            assert (writer.part.status, len(writer.part.rows)) == ("complete", 2)
            if fail:
                raise UsageError("the model is another one")

    look(fail=False)
    with pytest.raises(UsageError):
        look(fail=True)
    assert (path.read_bytes(), os.stat(path).st_mtime_ns) == (before, stamp)


def test_a_damaged_line_in_the_middle_is_not_gone_on_with(run_file: Make) -> None:
    path = run_file(3)
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([*lines[:2], lines[2][:-9], *lines[3:]]))
    before = path.read_bytes()
    with pytest.raises(RunFileError, match="line 3"):
        RunWriter.reopen(path)
    assert path.read_bytes() == before


def test_a_folder_a_pipe_and_nothing_cannot_be_gone_on_with(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    if hasattr(os, "mkfifo"):
        os.mkfifo(pipe)
    for path in (tmp_path, pipe, tmp_path / "nothing", tmp_path / ("a" * 300)):
        with pytest.raises(UsageError, match="is not a file"):
            RunWriter.reopen(path)


HOLD = """
import sys, time
from rsonnx.runs import RunWriter
writer = RunWriter.reopen(sys.argv[1])
print("held", flush=True)
time.sleep(60)
"""


def test_a_second_writer_is_refused_and_readers_are_not_hindered(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with RunWriter(path, record()) as writer:
        assert writer.locked
        for index, row in enumerate(ROWS):
            writer.write(row)
            assert len(read_run(path).rows) == index + 1  # opens and closes the file each time
            with pytest.raises(RunFileError, match="another process"):
                RunWriter.reopen(path)
    with RunWriter.reopen(path) as again:
        assert again.locked


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_a_header_that_cannot_be_written_leaves_nothing_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.EFBIG, "File too large")

    monkeypatch.setattr(disk, "append", full)
    with pytest.raises(RunFileError, match=r"run\.jsonl cannot be written: File too large$"):
        RunWriter(tmp_path / "run.jsonl", record())
    assert not list(tmp_path.iterdir())


def test_a_killed_process_holds_no_lock(run_file: Make) -> None:
    path = run_file(2)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        before = path.read_bytes()
        with pytest.raises(RunFileError, match="another process"):
            RunWriter.reopen(path)
        assert path.read_bytes() == before
        holder.send_signal(signal.SIGKILL)
        holder.wait(60)
        with RunWriter.reopen(path) as writer:
            assert writer.part is not None
            assert len(writer.part.rows) == 2
    finally:
        holder.kill()
        holder.communicate()


def test_a_file_system_without_locks_is_told(
    run_file: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(file: FileIO) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locking, "_try_lock", refuse)
    with RunWriter.reopen(run_file(1)) as writer:
        assert not writer.locked


def _replace(path: Path) -> None:
    (path.parent / "other").write_bytes(b"precious")
    (path.parent / "other").replace(path)


def _append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"precious")


def _leave(path: Path) -> None:
    """A folder that is gone, and where the process is one that is gone too."""
    os.chdir(path.parent)
    shutil.rmtree(path.parent)


TAMPERINGS = {
    "removed": Path.unlink,
    "renamed": lambda path: path.rename(path.with_name("elsewhere")),
    "replaced": _replace,
    "shortened": lambda path: os.truncate(path, 100),
    "emptied": lambda path: os.truncate(path, 0),
    "appended": _append,
    "folder renamed": lambda path: path.parent.rename(path.parent.with_name("elsewhere")),
    "folder removed": _leave,
}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps open files where they are")
@pytest.mark.parametrize("kind", TAMPERINGS)
@pytest.mark.parametrize("ends", ["row", "end", "interrupt", "failure"])
def test_rows_are_kept_where_somebody_removes_or_changes_the_file(
    kind: str, ends: str, tmp_path: Path, run_file: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = run_file(3).read_bytes()
    path = tmp_path / "folder" / "run.jsonl"
    path.parent.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    left = b""

    def run() -> None:
        nonlocal left
        with RunWriter(path, record()) as writer:
            writer.write_all(ROWS[:2])
            TAMPERINGS[kind](path)
            left = path.read_bytes() if path.exists() else b""
            if ends == "row":
                writer.write(ROWS[2])
            elif ends != "end":
                raise KeyboardInterrupt if ends == "interrupt" else ValueError

    with pytest.raises(TamperedError) as caught:
        run()
    kept = caught.value.kept
    assert str(kept) in str(caught.value)
    assert (path.read_bytes() if path.exists() else b"") == left  # what is there is not ours
    done = 3 if ends == "row" else 2
    assert kept.read_bytes() == b"".join(expected.splitlines(keepends=True)[: 1 + done])
    _go_on(kept, ROWS[done:])
    assert kept.read_bytes() == expected
