"""A small classifier whose answers are known, and run files made by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from headers import certified_row, record
from onnx_models import nearest_mean, save
from PIL import Image

import rsonnx
from rsonnx.runs import RunWriter, manifest_digest
from rsonnx.runtime import OnnxClassifier


@pytest.fixture
def run_file(
    tmp_path: Path,
) -> Callable[..., Path]:
    """Write a complete run file of some rows and return its path."""

    def make(rows: int = 3, name: str = "run.jsonl", **changed: Any) -> Path:
        path = tmp_path / name
        made = [certified_row(index, hits=(990, 700, 500)[index % 3]) for index in range(rows)]
        if isinstance(data := changed.get("data", {}), dict):
            changed["data"] = {"manifest": manifest_digest(made)} | data
        with RunWriter(path, record(**changed)) as writer:
            writer.write_all(made)
        return path

    return make


@pytest.fixture(scope="session")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> OnnxClassifier:
    """Ten classes on 1x8x8 images: class k has its mean nearest to k/9; linear in the mean."""
    path = save(nearest_mean((1, 8, 8)), tmp_path_factory.mktemp("model"), "tiny.onnx")
    return rsonnx.load(path, preprocess="none", providers="cpu")


@pytest.fixture
def image_folder(tmp_path: Path) -> Callable[..., Path]:
    """Write grey images: a mapping from "class/name.png" to (level, (width, height))."""

    def make(images: dict[str, tuple[int, tuple[int, int]]], root: str = "set") -> Path:
        for name, (level, (width, height)) in images.items():
            path = tmp_path / root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((height, width), level, np.uint8)).save(path)
        return tmp_path / root

    return make


@pytest.fixture(autouse=True, scope="module")
def _no_child_tries_a_model(no_children: None) -> None:
    """Trying has tests of its own."""
