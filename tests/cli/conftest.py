"""Small models whose answers are known, their data, and a folder to work in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

import numpy as np
import onnx
import pytest
from commands import Outcome
from noise_cli_models import make_shelf
from onnx import helper
from onnx_models import nearest_mean, parsed
from PIL import Image


def _run(
    *arguments: object, cwd: Path, stdout: int | IO[str] = subprocess.PIPE, **environment: str
) -> Outcome:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("RSONNX", "_RSONNX"))}
    done = subprocess.run(
        [sys.executable, "-m", "rsonnx", *map(str, arguments)],
        cwd=cwd,
        env=kept | {"COLUMNS": "80"} | environment,
        stdout=stdout,
        stderr=subprocess.PIPE,
        check=False,
        timeout=120,
    )
    return Outcome(done.returncode, (done.stdout or b"").decode(), done.stderr.decode())


@pytest.fixture(scope="session")
def rsonnx() -> Callable[..., Outcome]:
    """Run one command in a process of its own: ``rsonnx("certify", ..., cwd=folder)``."""
    return _run


def _save_model(path: Path, preprocess: object, *, fragile: bool = False) -> None:
    """Ten classes on 1x8x8 images: class k has its mean nearest to k/9.

    A fragile model answers NaN where the mean is not above 0.
    """
    model = nearest_mean((1, 8, 8))
    if fragile:
        model.graph.node[-1].output[:] = ["linear"]
        model.graph.node.extend(
            parsed(
                "mean = ReduceMean<axes=[1], keepdims=1>(flat); log = Log(mean);"
                "zero = Sub(log, log); scores = Add(linear, zero)"
            )
        )
    if preprocess is not None:
        helper.set_model_props(model, {"rsonnx.preprocess": json.dumps(preprocess)})
    onnx.save(model, path)


def _save_image(path: Path, level: int, size: int = 8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((size, size), level, np.uint8)).save(path)


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with models and data, good and bad; tests write their outputs elsewhere."""
    here = make_shelf(tmp_path_factory.mktemp("workshop"))
    _save_model(here / "tiny.onnx", "none")
    _save_model(here / "fragile.onnx", "none", fragile=True)
    _save_model(here / "undeclared.onnx", None)
    (here / "text.onnx").write_text("this is no model")
    for k in range(10):
        _save_image(here / "set" / str(k) / "centre.png", round(k * 255 / 9))
        _save_image(here / "set" / str(k) / "edge.png", min(255, round((k + 0.48) * 255 / 9)))
    for k in range(6):
        _save_image(here / "plain" / f"{k}.png", round(k * 255 / 9))
        _save_image(here / "broken" / f"{k}.png", round(k * 255 / 9))
    broken = here / "broken" / "3.png"
    broken.write_bytes(broken.read_bytes()[:45])
    _save_image(here / "sizes" / "0" / "a.png", 0)
    _save_image(here / "sizes" / "0" / "b.png", 0, size=9)
    values = np.random.default_rng(5).random((4, 1, 8, 8))
    poisoned = values.copy()
    poisoned[2, 0, 0, 0] = np.nan
    np.savez(here / "floats.npz", x=values, y=np.arange(4))
    np.savez(here / "nan.npz", x=poisoned, y=np.arange(4))
    np.savez(here / "labels.npz", x=values, y=np.array([0, 1, 2, 10]))
    np.savez(here / "bytes.npz", x=np.rint(values * 255), y=np.arange(4))
    return here


def furnish(folder: Path, workshop: Path) -> None:
    """Copy the files of a workshop, and link its folders, which nobody writes to."""
    for path in workshop.iterdir():
        target = folder / path.name
        if path.is_dir():
            target.symlink_to(path)
        else:
            target.write_bytes(path.read_bytes())


@pytest.fixture
def here(workshop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all that the workshop holds, in which commands run."""
    furnish(tmp_path, workshop)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True, scope="module")
def _no_child_tries_a_model(no_children: None) -> None:
    """Trying takes most of a second, and has tests of its own; processes of their own do it."""
