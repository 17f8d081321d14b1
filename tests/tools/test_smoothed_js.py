"""The example for Node: what it prints is what ``rsonnx predict`` counts by the key it prints."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from onnx_models import build, node

import rsonnx
from rsonnx.compose import serialized, smooth

SCRIPT = Path(__file__).parents[2] / "tools" / "examples" / "smoothed.js"


def _reason() -> str | None:
    """Say what is not here: the tools, Node, or its package, beside the script or in NODE_PATH."""
    node = shutil.which("node")
    if not SCRIPT.is_file():
        return "the tools are not part of an installation"
    if node is None:
        return "Node is not installed"
    words = [node, "-e", 'require.resolve("onnxruntime-node")']
    tried = subprocess.run(words, cwd=SCRIPT.parent, capture_output=True, check=False, timeout=60)
    return "the package onnxruntime-node is not installed" if tried.returncode else None


def test_node_answers_what_predict_counts(tmp_path: Path) -> None:
    reason = _reason()
    if reason is not None:
        pytest.skip(reason)
    weights = {"w": np.random.default_rng(3).normal(size=(12, 3)).astype(np.float32)}
    model = build([node("MatMul", ["x", "w"], "scores")], ("n", 12), ("n", 3), weights)
    declared = {"preprocess": "none"}
    file, levels = tmp_path / "smoothed.onnx", tmp_path / "levels.bin"
    file.write_bytes(serialized(smooth(model, sigma=0.5, n=300, declared=declared)))
    x = np.arange(12, dtype=np.uint8) * 20
    levels.write_bytes(x.tobytes())
    smoothed = rsonnx.SmoothedClassifier(rsonnx.load(model, providers=["cpu"], **declared), 0.5)
    keys = set()
    for _ in range(2):
        said = subprocess.run(
            ["node", str(SCRIPT), str(file), str(levels)],  # noqa: S607 - the one that was found
            capture_output=True,
            check=True,
            timeout=120,
        )
        answer = json.loads(said.stdout)
        expected = smoothed.exported(answer["key"]).predict(x, n=300)
        assert answer["counts"] == [*expected.counts, expected.counts.no_class]
        assert answer["label"] == expected.label
        keys.add(answer["key"])
    assert len(keys) == 2
