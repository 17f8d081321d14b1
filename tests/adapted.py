"""Run adapted models by onnxruntime and their originals by onnx's own evaluator."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator
from onnx_models import model_file

from rsonnx.model import (
    INPUT,
    LABEL,
    SCORES,
    Batch,
    Preprocessing,
    adapt,
    find_input,
    find_output,
    parse_preprocessing,
)

OPSETS = [7, 9, 11, 13, 18, 21]
TOLERANCE = {"float16": 2e-2, "float32": 1e-5, "float64": 1e-5}
"""Relative to the largest score: float16 has 11 bits, and a sum of 48 products in it loses a few;
preprocessing and inputs are float32 in all cases, whose sums differ by the order of addition."""


def run_adapted(
    proto: onnx.ModelProto,
    batch: NDArray[np.float32],
    preprocess: str | Preprocessing = "none",
    bounds: tuple[float, float] = (0.0, 1.0),
    *,
    batch_as: Batch = Batch.AS_FILED,
    **options: Any,
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    declared = parse_preprocessing(preprocess)
    model = model_file(proto)
    named = {k: options.pop(k) for k in ("name", "threshold") if k in options}
    output = find_output(model, **named)
    data = find_input(model, output, layout=declared.layout, **options)
    made = adapt(model, data, output, declared, bounds, batch_as)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(made, options, providers=["CPUExecutionProvider"])
    labels, scores = session.run([LABEL, SCORES], {INPUT: batch})
    return labels, scores


def reference(proto: onnx.ModelProto, batch: NDArray[Any]) -> NDArray[Any]:
    """Evaluate the original model, whose scores are brought to (rows, classes), elsewhere."""
    scores = ReferenceEvaluator(proto).run(None, {"x": batch})[0]
    return np.asarray(scores).reshape(len(batch), -1)


def pixels(
    shape: tuple[int, ...], bounds: tuple[float, float] = (0.0, 1.0), seed: int = 5
) -> NDArray[np.float32]:
    low, high = bounds
    unit = np.random.default_rng(seed).random((16, *shape))
    return (low + (high - low) * unit).astype(np.float32)


def check(
    labels: NDArray[np.int64], scores: NDArray[Any], expected: NDArray[Any], tolerance: float
) -> None:
    assert labels.dtype == np.int64
    assert labels.shape == (len(expected),)
    assert scores.shape == expected.shape
    margin = tolerance * np.abs(expected).max()
    np.testing.assert_allclose(scores, expected, rtol=0, atol=margin)
    two = np.sort(expected.astype(np.float64), axis=1)[:, -2:]
    clear = two[:, 1] - two[:, 0] > 2 * margin
    assert clear.sum() >= len(expected) // 2  # else this test would show little
    np.testing.assert_array_equal(labels[clear], expected.argmax(axis=1)[clear])
