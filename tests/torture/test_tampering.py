"""A run file that others remove or change while it is written: noticed soon, nothing is lost."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from torture_runs import Session, fixed, without_times

from rsonnx.errors import InferenceError, RunFileError
from rsonnx.runs import read_part
from rsonnx.runs.writing import TamperedError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps open files in place")
Make = Callable[..., Session]
TAMPERINGS: dict[str, Callable[[Path], Any]] = {
    "removed": Path.unlink,
    "replaced": lambda path: path.with_name("other").replace(path),
    "emptied": lambda path: os.truncate(path, 0),
    "folder": lambda path: path.parent.rename(path.parent.with_name("elsewhere")),
}


def _after(session: Session, samples: int, do: Callable[[], object]) -> None:
    """Do something to a run when its model has seen so many samples."""
    classify = session.job.classifier.classify
    left = [do]

    def classifying(batch: NDArray[np.float32]) -> NDArray[np.int64]:
        if session.job.classifier.samples > samples and left:
            left.pop()()
        return classify(batch)

    session.job.classifier.classify = classifying  # type: ignore[method-assign]


@pytest.mark.parametrize("checkpoint", [0, 1e-9, 3600])
@pytest.mark.parametrize("kind", TAMPERINGS)
def test_a_run_file_that_is_tampered_with_ends_the_run_soon_and_nothing_is_lost(
    session: Make, kind: str, checkpoint: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    whole = session(fixed(600), 2)
    whole.go()
    run = session(fixed(600), 2, checkpoint=checkpoint)
    run.path.with_name("other").write_bytes(b"precious")
    at = 900  # in the middle of the second input
    _after(run, at, lambda: TAMPERINGS[kind](run.path))
    with pytest.raises(TamperedError) as caught:
        run.go()
    assert run.job.classifier.samples < at + 200
    if kind == "replaced":
        assert run.path.read_bytes() == b"precious"
    kept = caught.value.kept
    assert kept is not None
    assert len(read_part(kept).rows) == 1
    assert Path(f"{kept}.partial").exists() is (checkpoint != 0)
    assert not Path(f"{run.path}.partial").exists()
    replace(run, folder=kept.parent, name=kept.name).go()
    assert without_times(kept.read_bytes()) == without_times(whole.path.read_bytes())
    if checkpoint:  # an input without noise, and a slice that was cut off, are seen again
        assert run.job.classifier.samples < whole.job.classifier.samples + 50


@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_a_run_file_that_is_overwritten_in_place_is_noticed_at_the_end(
    session: Make, error: type[BaseException] | None
) -> None:
    whole = session(fixed(), 3)
    whole.go()
    run = session(fixed(), 3)

    def overwrite_and_stop() -> None:
        with run.path.open("r+b") as file:
            file.seek(100)
            file.write(b"????")
        if error is not None:
            raise error

    _after(run, 90, overwrite_and_stop)
    with pytest.raises(TamperedError) as caught:
        run.go()
    kept = caught.value.kept
    assert kept is not None
    replace(run, folder=kept.parent, name=kept.name).go()
    assert without_times(kept.read_bytes()) == without_times(whole.path.read_bytes())


@pytest.mark.parametrize("error", [KeyboardInterrupt, InferenceError])
def test_a_run_that_is_stopped_after_its_file_was_removed_keeps_its_rows(
    session: Make, error: type[BaseException]
) -> None:
    whole = session(fixed(), 3)
    whole.go()
    run = session(fixed(), 3, checkpoint=3600)

    def remove_and_stop() -> None:
        run.path.unlink()
        raise error

    _after(run, 90, remove_and_stop)
    with pytest.raises(TamperedError) as caught:
        run.go()
    assert caught.value.kept == run.path.with_name("run.jsonl.kept")
    replace(run, name="run.jsonl.kept").go()
    assert run.left() == {"run.jsonl.kept"}
    assert without_times(caught.value.kept.read_bytes()) == without_times(whole.path.read_bytes())


def test_a_file_in_the_place_of_a_checkpoint_is_left_alone(session: Make) -> None:
    run = session(fixed(), 3)
    partial = Path(f"{run.path}.partial")

    def put() -> None:
        partial.unlink(missing_ok=True)
        partial.write_bytes(b"precious")

    _after(run, 100, put)
    with pytest.raises(RunFileError, match=r"run\.jsonl\.partial"):
        run.go()
    assert partial.read_bytes() == b"precious"
    partial.unlink()
    run.go()
    assert run.left() == {"run.jsonl"}
