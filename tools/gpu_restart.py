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
from gpu_checks import Check
from gpu_subjects import SEED

_INPUTS = 6
_PATIENCE = 900.0
"""Seconds that a run may take before it is given up."""


def check_restart(
    model: Path, preprocess: str | None, provider: str, shape: tuple[int, ...], n: int
) -> Check:
    """Kill a run behind its second row, go on with it, and compare with a run never killed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        random = np.random.default_rng(SEED)
        x = random.integers(0, 256, (_INPUTS, *shape), np.uint8)
        np.savez(folder / "inputs.npz", x=x, y=np.zeros(_INPUTS, np.int64))
        command = [sys.executable, "-m", "rsonnx", "certify", str(model), "inputs.npz"]
        command += ["--sigma", "0.25", "--n", str(n), "--seed", str(SEED)]
        command += ["--providers", provider, "--checkpoint", "0.1"]
        if preprocess is not None:
            command += ["--preprocess", preprocess]
        whole = _run([*command, "-o", "whole.jsonl"], folder)
        if whole is not None:
            return Check("killed and resumed", False, whole)
        kept = _killed([*command, "-o", "killed.jsonl"], folder)
        failed = _run([*command, "-o", "killed.jsonl", "--resume"], folder)
        if failed is not None:
            return Check("killed and resumed", False, failed)
        same = _rows(folder / "whole.jsonl") == _rows(folder / "killed.jsonl")
    note = f"killed with {kept} of {_INPUTS} rows written; the resumed rows are "
    note += "the same" if same else "DIFFERENT"
    return Check("killed and resumed", same, note, {"rows_when_killed": kept, "n": n})


def _run(command: list[str], folder: Path) -> str | None:
    """Run a command and return its last words where it fails."""
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=_PATIENCE, check=False
    )
    lines = done.stderr.strip().splitlines() or ["it said nothing"]
    return None if done.returncode == 0 else f"exit code {done.returncode}: {lines[-1]}"


def _killed(command: list[str], folder: Path) -> int:
    """Start a run, kill it behind its second row, and return how many rows it wrote."""
    path = folder / "killed.jsonl"
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        end = time.monotonic() + _PATIENCE
        while process.poll() is None and time.monotonic() < end:
            if path.exists() and len(_rows(path)) >= 2:
                break
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
