"""A small classifier whose answers are known, and run files made by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

import rsonnx
from rsonnx.certificate import certify_from_counts
from rsonnx.counts import Counts
from rsonnx.noise import Gaussian
from rsonnx.runs import Row, RunWriter
from rsonnx.runs.header import claim_of
from rsonnx.runtime import OnnxClassifier

HEADER: dict[str, Any] = {
    "kind": "header",
    "format": "rsonnx-run",
    "format_version": 1,
    "procedure": "certify",
    "model": {"file": "tiny.onnx"},
    "data": {"inputs": 3, "size": 3},
    "noise": {"sigma": 0.5, "units": "input values between 0 and 1", "norm": "l2"}
    | {"arithmetic": "exact", "distribution": "gaussian"},
    "n0": 100,
    "n": 1000,
    "alpha": 0.001,
    "bound": "clopper-pearson",
    "radius_rule": "one-sided",
    "num_classes": 4,
    "target_radii": None,
    "family_wise": None,
    "largest_radius": 1.2,
    "claim": claim_of(Gaussian(0.5), "exact", None),
}


@pytest.fixture
def header() -> dict[str, Any]:
    return json.loads(json.dumps(HEADER))


@pytest.fixture
def make_row() -> Callable[..., Row]:
    """A row that was really certified from counts: ``hits`` of 1000 samples for class 3."""

    def make(index: int = 0, *, hits: int = 990, label: int | None = 3, name: str = "") -> Row:
        selection = Counts([0, 1, 0, 99])
        estimation = Counts([0, 1000 - hits, 0, hits])
        certificate = certify_from_counts(selection, estimation, sigma=0.5)
        return Row.of(
            certificate,
            index=index,
            name=name or f"3/{index:05}.png",
            label=label,
            base_prediction=3,
            seconds=0.125,
        )

    return make


@pytest.fixture
def run_file(
    tmp_path: Path, header: dict[str, Any], make_row: Callable[..., Row]
) -> Callable[..., Path]:
    """Write a complete run file of some rows and return its path."""

    def make(rows: int = 3, name: str = "run.jsonl", **changed: Any) -> Path:
        path = tmp_path / name
        with RunWriter(path, header | changed) as writer:
            for index in range(rows):
                writer.write(make_row(index, hits=(990, 700, 500)[index % 3]))
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
