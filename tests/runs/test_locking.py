"""One writer at a time, and none that is dead."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import Any

import pytest

from rsonnx.errors import RunFileError
from rsonnx.runs import RunWriter, locking, read_run

HOLD = """
import sys, time
from rsonnx.runs import RunWriter
writer = RunWriter.reopen(sys.argv[1])
print("held", flush=True)
time.sleep(60)
"""


def test_a_second_writer_in_this_process_is_refused(tmp_path: Path, header: dict[str, Any]) -> None:
    path = tmp_path / "run.jsonl"
    with RunWriter(path, header) as writer:
        assert writer.locked
        with pytest.raises(RunFileError, match="is being written by another process"):
            RunWriter.reopen(path)
    with RunWriter.reopen(path) as again:
        assert again.locked


def test_readers_are_not_hindered(
    tmp_path: Path, header: dict[str, Any], make_row: Callable[..., Any]
) -> None:
    path = tmp_path / "run.jsonl"
    with RunWriter(path, header) as writer:
        for index in range(3):
            writer.write(make_row(index))
            assert len(read_run(path).rows) == index + 1  # opens and closes the file each time
        with pytest.raises(RunFileError, match="another process"):
            RunWriter.reopen(path)


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_a_killed_process_holds_no_lock(run_file: Callable[..., Path]) -> None:
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
    run_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(file: FileIO) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locking, "_try_lock", refuse)
    with RunWriter.reopen(run_file(1)) as writer:
        assert not writer.locked
