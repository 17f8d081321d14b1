"""A real convolutional net gives the same certificates in any batch size and with any workers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import rsonnx
from rsonnx.data import open_dataset
from rsonnx.procedures import certify_procedure
from rsonnx.smoothing import run_many

SAMPLES = Path(__file__).resolve().parents[2] / "sample_models"
MODEL = SAMPLES / "mnist_gaussian_0.50.onnx"
N = 700


@pytest.fixture(scope="module")
def base() -> Any:
    return rsonnx.load(MODEL, providers="cpu")


@pytest.fixture(scope="module")
def images(base: Any) -> list[NDArray[np.uint8]]:
    data = open_dataset(SAMPLES / "mnist_test_500")
    return [data[k].values.reshape(base.shape) for k in range(0, 500, 100)]


@pytest.mark.parametrize("arithmetic", ["exact", "float"])
@pytest.mark.parametrize("targets", [None, (0.5,)], ids=["fixed", "adaptive"])
def test_batches_and_workers_cannot_be_seen(
    arithmetic: Any, targets: Any, base: Any, images: list[NDArray[np.uint8]]
) -> None:
    found = []
    for batch_size, workers in [(1, 2), (7, 1), (128, 1), (128, 2), (128, 3), (1000, 3), (33, 2)]:
        g = rsonnx.SmoothedClassifier(
            base, 0.5, arithmetic=arithmetic, batch_size=batch_size, workers=workers
        )
        procedure = certify_procedure(g.noise, n0=30, n=N, alpha=0.001, target_radii=targets)
        points = [(k, g.point(image)) for k, image in enumerate(images)]
        found.append([done.result for done in run_many(g, procedure, points, seed=5)])
        assert {point.arithmetic for _, point in points} == {arithmetic}
    assert all(one == found[0] for one in found)
    split = [len(np.flatnonzero(one.counts.estimation.classes)) > 1 for one in found[0]]
    assert targets or any(split)  # unanimous answers would show little
