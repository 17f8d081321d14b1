"""Models as they run: with our head in front and our tail behind."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_models import batch_mean, build, linear, node, save

from rsonnx.model import Batch, ModelSettings, read_model
from rsonnx.smoothing import make_plan

SAMPLES = [
    path
    for path in sorted((Path(__file__).parents[3] / "sample_models").glob("*.onnx"))
    if not re.search("denoiser|unet", path.stem)  # which are no classifiers
]


def coupled_by(path: Path, batch: Batch = Batch.AS_FILED, **options: Any) -> str | None:
    return make_plan(read_model(path), ModelSettings(**options)).adapted(batch).coupled_by


@pytest.mark.parametrize("path", SAMPLES, ids=lambda p: p.stem)
def test_the_sample_models_are_proved(path: Path) -> None:
    assert coupled_by(path) is None


@pytest.mark.parametrize("batch", Batch)
@pytest.mark.parametrize("opset", [9, 13, 17])
def test_a_linear_model_is_proved(batch: Batch, opset: int, tmp_path: Path) -> None:
    for size, tail in (("n", "flat"), (1, "maps"), (3, "steps")):
        path = save(linear((size, 1, 4, 4), tail=tail, opset=opset), tmp_path)
        assert coupled_by(path, batch, preprocess="zero-one") is None


def test_integers_double_precision_and_reordered_channels_are_proved(tmp_path: Path) -> None:
    double = save(linear(("n", 3, 4, 4), dtype="float64"), tmp_path, "double.onnx")
    assert coupled_by(double, preprocess="mean=0.5,std=0.5,layout=NCHW,channels=bgr") is None
    threshold = save(build([node("ReduceMax", ["x"], "scores", axes=[1])], ("n", 4), ("n", 1)),
                     tmp_path)  # fmt: skip
    assert coupled_by(threshold, preprocess="none", threshold=0.5) is None


def test_a_mean_over_the_batch_is_not(tmp_path: Path) -> None:
    assert "ReduceMean" in str(coupled_by(save(batch_mean(), tmp_path), preprocess="none"))


def test_a_reshape_that_names_the_rows_is_proved_once_it_is_freed(tmp_path: Path) -> None:
    made = [node("Reshape", ["x", "s"], "r"), node("Identity", ["r"], "scores")]
    proto = build(made, (1, 2, 2), (1, 4), {"s": np.array([1, 4])})
    path = save(proto, tmp_path)
    assert coupled_by(path, Batch.FREED, preprocess="none") is not None
    assert coupled_by(path, Batch.PATCHED, preprocess="none") is None


def test_a_model_without_a_batch_axis_is_not(tmp_path: Path) -> None:
    alone = build([node("Identity", ["x"], "scores")], (4,), (4,))
    assert coupled_by(save(alone, tmp_path), preprocess="none") is not None
