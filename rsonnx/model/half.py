"""A model in float16, on request: another classifier, with a digest of its own.

The conversion is onnxruntime's. Inputs and outputs stay float32, so that noise and preprocessing
are what they were; weights are rounded to 11 bits, and so is what is computed between them, as far
as a provider has such kernels (a processor computes in float32 where it has none). A certificate is
then for the converted classifier, never for the file's own, and the header says so.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, numpy_helper

from rsonnx.errors import ModelError
from rsonnx.model.read import ModelFile

_LARGEST = float(np.finfo(np.float16).max)
_SMALLEST = float(np.finfo(np.float16).smallest_subnormal)
_QUANTISED = re.compile(
    r"(Dynamic)?QuantizeLinear|DequantizeLinear|QLinear.*|QGemm|.*Integer|DynamicQuantize.*"
)
_STATEMENT = (
    "the base classifier is the file's model converted to float16; every certificate is for that "
    "classifier and none for the file's own"
)


@dataclass(frozen=True, eq=False)
class HalfModel:
    """A model that was converted.

    Attributes:
        model: the converted model; its path and sha256 are still those of the file.
        facts: what was done, for a run's header.
    """

    model: ModelFile
    facts: dict[str, Any]


def to_half(model: ModelFile) -> HalfModel:
    """Convert a model to float16.

    Raises:
        ModelError: it is quantised, has no float32 weights, or onnxruntime cannot convert it.
    """
    quantised = sorted(
        {n.op_type for n in model.proto.graph.node if _QUANTISED.fullmatch(n.op_type)}
    )
    if quantised:
        raise ModelError(
            f"float16 was asked for, but {model} is quantised ({', '.join(quantised)}), and "
            "its float32 numbers are scales, which must stay; leave float16 out"
        )
    weights = [t for t in _weights(model.proto.graph) if t.data_type == TensorProto.FLOAT]
    if not weights:
        raise ModelError(
            f"float16 was asked for, but {model} has no float32 weights to convert; leave "
            "float16 out"
        )
    beyond = sum(_beyond(tensor) for tensor in weights)
    proto = onnx.ModelProto()
    proto.CopyFrom(model.proto)
    # Imported here: it takes a third of a second, which nobody else should wait for.
    from onnxruntime.transformers.float16 import convert_float_to_float16  # noqa: PLC0415

    try:
        converted = convert_float_to_float16(proto, keep_io_types=True)
        data = converted.SerializeToString(deterministic=True)
    except Exception as error:  # the converter raises what it comes upon in a graph
        raise ModelError(_cannot(model, error)) from None
    return HalfModel(
        replace(model, proto=converted),
        {
            "sha256": hashlib.sha256(data).hexdigest(),
            "converter": f"onnxruntime {onnxruntime.__version__}, float32 inputs and outputs kept",
            "weights_beyond_its_range": beyond,
            "statement": _STATEMENT,
        },
    )


def _weights(graph: onnx.GraphProto) -> Iterator[TensorProto]:
    """Yield the tensors that a graph and the graphs inside it hold."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            if attribute.HasField("g"):
                yield from _weights(attribute.g)


def _beyond(tensor: TensorProto) -> int:
    """Count the weights that float16 cannot hold: they become its largest or smallest number."""
    size = np.abs(numpy_helper.to_array(tensor))
    outside = (size > _LARGEST) | ((size > 0) & (size < _SMALLEST))
    return int(np.count_nonzero(outside & np.isfinite(size)))


def _cannot(model: ModelFile, error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return (
        f"{model} cannot be converted to float16 ({lines[0].rstrip('. ')}); leave float16 "
        "out, or export the model in float16"
    )
