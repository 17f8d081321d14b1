"""Models that cannot tell inputs apart are named before the run, and no others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx_models import build, node, save
from tried_models import models_are_tried_once

from rsonnx.cli import run

__all__ = ["models_are_tried_once"]

SIZE = 6


def certified(folder: Path, bias: float, weight: float, x: np.ndarray) -> int:
    weights = {
        "w": np.stack([np.zeros(SIZE), np.full(SIZE, weight)], axis=1).astype(np.float32),
        "b": np.array([bias, 0.0], np.float32),
    }
    model = save(
        build([node("Gemm", ["x", "w", "b"], "scores")], ("n", SIZE), ("n", 2), weights), folder
    )
    np.savez(folder / "data.npz", x=x.astype(np.float32))
    words = ["certify", str(model), str(folder / "data.npz"), "--preprocess", "none"]
    return run([*words, "--sigma", "0.1", "--n", "100", "--seed", "1"])


def warnings(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning")]


def test_one_class_for_everything_and_ties_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    x = np.linspace(0.1, 0.9, 4)[:, None].repeat(SIZE, axis=1)
    assert certified(tmp_path, 99.0, 1.0, x) == 0
    assert sum("class 0" in line for line in warnings(capsys)) == 1
    (tmp_path / "ties").mkdir()
    assert certified(tmp_path / "ties", 0.0, 0.0, x) == 0
    assert sum("tie" in line for line in warnings(capsys)) == 1


def test_a_model_that_tells_the_inputs_apart_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Noise is a class of its own to many good models: class 1 needs values of almost 1."""
    x = np.array([0.2, 0.99, 0.2, 0.99])[:, None].repeat(SIZE, axis=1)
    assert certified(tmp_path, 5.7, 1.0, x) == 0
    assert not any("class" in line for line in warnings(capsys))
