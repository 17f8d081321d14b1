"""Open a classifier, and run its original row by row: by onnxruntime, or by onnx's evaluator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator
from onnx_models import save

from rsonnx.runtime import OnnxClassifier
from rsonnx.smoothing import load


def opened(proto: onnx.ModelProto, folder: Path, **options: Any) -> OnnxClassifier:
    return load(save(proto, folder), **{"preprocess": "none", "providers": "cpu"} | options)


def rows(count: int, *shape: int, seed: int = 3) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random((count, *shape)).astype(np.float32)


def original(
    proto: onnx.ModelProto, output: str, batch: NDArray[Any], **feeds: NDArray[Any]
) -> list[Any]:
    """Run the original on each row alone and return one output's first answers."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return [session.run([output], {"x": row[None]} | feeds)[0][0] for row in batch]


def one_by_one(proto: onnx.ModelProto, batch: NDArray[np.float32]) -> list[int]:
    """Label each row alone, in the batch size that the file fixes, by onnx's own evaluator."""
    fixed = proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value or 1
    run = ReferenceEvaluator(proto).run
    scores = [run(None, {"x": np.repeat(row[None], fixed, axis=0)})[0][0] for row in batch]
    return [int(np.argmax(s)) for s in scores]


def check_labels(
    classifier: OnnxClassifier, proto: onnx.ModelProto, shape: tuple[int, ...]
) -> None:
    for count in (1, 2, 3, 4, 7):
        batch = rows(count, *shape, seed=count)
        labels = classifier.classify(batch)
        assert labels.dtype == np.int64
        assert labels.tolist() == one_by_one(proto, batch)
