"""Open a classifier and run its original by onnxruntime, row by row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
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
