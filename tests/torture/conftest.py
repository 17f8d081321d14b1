"""Small runs, and a disk under them that can be made to end."""

from __future__ import annotations

from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import Any

import pytest
from torture_runs import INPUTS, Session, TinyJob, World

from rsonnx.procedures import Procedure
from rsonnx.runs import disk, make_manifest
from rsonnx.runtime import thread_engine
from rsonnx.smoothing import schedule as scheduling


@pytest.fixture
def session(tmp_path: Path) -> Callable[..., Session]:
    """Make a session in a folder of its own."""
    made = iter(range(10_000))

    def make(procedure: Procedure, inputs: int = INPUTS, **changed: Any) -> Session:
        folder = tmp_path / str(next(made))
        folder.mkdir()
        job = TinyJob(inputs)
        return Session(folder, job, procedure, make_manifest(job), **changed)  # type: ignore[arg-type]

    return make


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut the work small, so that there is much to stop in between."""
    monkeypatch.setattr(scheduling, "_SLICE_SECONDS", 0.0)
    monkeypatch.setattr(scheduling, "_FIRST_SLICE", 1)
    monkeypatch.setattr(thread_engine, "_BATCHES_A_CALL", 8)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """All that a run does to the disk, under control; nothing is waited for, so it is quick."""
    state = World()

    def append(file: FileIO, data: bytes) -> None:
        allowed = state.spend(len(data))
        file.write(data[:allowed])
        state.end()

    def step(function: Callable[..., Any], cost: int) -> Callable[..., Any]:
        def stepped(*arguments: Any) -> None:
            if state.error is not None and state.only_writes:
                function(*arguments)
                return
            if state.spend(cost) == cost:
                function(*arguments)
            state.end()

        return stepped

    monkeypatch.setattr(disk, "append", append)
    monkeypatch.setattr(disk, "sync_folder", lambda _: None)
    monkeypatch.setattr(disk.os, "fsync", lambda _: None)
    for place, name in ((disk.os, "replace"), (disk, "cut"), (disk, "remove")):
        monkeypatch.setattr(place, name, step(getattr(place, name), 1))
    return state
