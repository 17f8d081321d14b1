"""A disk that is really full: a small file system in memory, where this process may mount one."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from torture_runs import Session, fixed, without_times

from rsonnx.errors import RsonnxError

_BYTES = 64 * 1024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a file system takes the superuser of a Linux system")
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ["mount", "-t", "tmpfs", "-o", f"size={_BYTES}", "tmpfs", str(folder)]
    done = subprocess.run(options, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a file system cannot be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)  # noqa: S607


def _fill(path: Path, leave: int) -> None:
    """Fill the disk but for some pages."""
    free = shutil.disk_usage(path.parent).free
    path.write_bytes(b"\0" * max(0, free - leave))


def _refused(run: Session) -> bool:
    with contextlib.suppress(RsonnxError):
        run.go()
        return False
    with pytest.raises(RsonnxError, match="No space left on device"):  # and it says so each time
        run.go()
    return True


@pytest.mark.parametrize("checkpoint", [0, 1e-9])
def test_a_full_disk_is_a_sentence_and_the_run_goes_on_when_there_is_room(
    session: Callable[..., Session], small_disk: Path, checkpoint: float
) -> None:
    whole = session(fixed(), 12)
    whole.go()
    expected = without_times(whole.path.read_bytes())
    run = replace(whole, folder=small_disk, name="run.jsonl", checkpoint=checkpoint)
    filler = small_disk / "filler"
    refused = 0
    for leave in (0, 4096, 8192, 12288, 16384):
        _fill(filler, leave)
        refused += _refused(run)
        filler.unlink()
    assert refused >= 2
    run.go()
    assert without_times(run.path.read_bytes()) == expected
    assert run.left() == {"run.jsonl"}
