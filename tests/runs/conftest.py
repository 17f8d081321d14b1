"""A small classifier whose answers are known, and run files made by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from headers import certified_row, record
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

import rsonnx
from rsonnx.runs import Row, RunWriter
from rsonnx.runtime import OnnxClassifier


@pytest.fixture
def header() -> dict[str, Any]:
    return record()


@pytest.fixture
def make_row() -> Callable[..., Row]:
    return certified_row


@pytest.fixture
def run_file(
    tmp_path: Path,
) -> Callable[..., Path]:
    """Write a complete run file of some rows and return its path."""

    def make(rows: int = 3, name: str = "run.jsonl", **changed: Any) -> Path:
        path = tmp_path / name
        with RunWriter(path, record(**changed)) as writer:
            for index in range(rows):
                writer.write(certified_row(index, hits=(990, 700, 500)[index % 3]))
        return path

    return make


@pytest.fixture(scope="session")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> OnnxClassifier:
    """Ten classes on 1x8x8 images: class k has its mean nearest to k/9; linear in the mean."""
    centres = np.arange(10, dtype=np.float32) / 9
    weights = np.repeat(2 * centres[None] / 64, 64, axis=0).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["x"], ["flat"]),
            helper.make_node("Gemm", ["flat", "w", "b"], ["scores"]),
        ],
        "nearest",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1, 8, 8])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 10])],
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(-(centres**2), "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path_factory.mktemp("model") / "tiny.onnx"
    onnx.save(model, path)
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
