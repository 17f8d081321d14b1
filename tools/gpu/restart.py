"""The check of ``gpu_check.py`` that kills a run of ``rsonnx certify`` and goes on with it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from gpu.subjects import SEED, Outcome, Setup

RSONNX = [sys.executable, "-m", "rsonnx"]
_INPUTS = 6


def check_restart(setup: Setup) -> Outcome:
    """A run that was killed and resumed has the rows of one that was not."""
    shape = setup.load_on_cpu().shape
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        x = np.random.default_rng(SEED).integers(0, 256, (_INPUTS, *shape), np.uint8)
        np.savez(folder / "inputs.npz", x=x, y=np.zeros(_INPUTS, np.int64))
        command = [*RSONNX, "certify", str(setup.model), "inputs.npz", "--sigma", "0.25"]
        command += ["--n", str(setup.samples), "--seed", str(SEED), "--checkpoint", "0.1"]
        command += ["--providers", setup.provider]
        command += [] if setup.provider == "cpu" else ["--devices", str(setup.device)]
        command += [] if setup.preprocess is None else ["--preprocess", setup.preprocess]
        _finish([*command, "-o", "whole.jsonl"], folder)
        kept = _kill([*command, "-o", "killed.jsonl"], folder)
        _finish([*command, "-o", "killed.jsonl", "--resume"], folder)
        same = _rows(folder / "whole.jsonl") == _rows(folder / "killed.jsonl")
    note = f"killed with {kept} of {_INPUTS} rows written; the resumed rows are "
    note += "the same" if same else "DIFFERENT"
    return Outcome(same, note, {"rows_when_killed": kept, "n": setup.samples})


def _finish(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["it said nothing"]
        raise RuntimeError(f"rsonnx certify ended with exit code {done.returncode}: {lines[-1]}")


def _kill(command: list[str], folder: Path) -> int:
    """Start a run, kill it behind its second row, and return how many rows it wrote."""
    path = folder / "killed.jsonl"
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, cwd=folder, stdout=quiet, stderr=quiet) as process:
        while process.poll() is None and (not path.exists() or len(_rows(path)) < 2):
            time.sleep(0.01)
        process.kill()
    return len(_rows(path)) if path.exists() else 0


def _rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a run file but for their times; the last line may be torn."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            break
        if row.get("kind") == "input":
            rows.append({key: value for key, value in row.items() if key != "seconds"})
    return rows
