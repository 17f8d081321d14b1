"""A model in float16, on request: another classifier, with a digest of its own.

The conversion is onnxruntime's. Inputs and outputs stay float32, so that noise and preprocessing
are what they were. Weights are rounded to 11 bits, and so is what is computed between them, as far
as a provider has such kernels. A certificate is then for the converted classifier, never for the
file's own, and the header says so.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from rsonnx.errors import ModelError, first_line
from rsonnx.model.file import ModelFile
from rsonnx.model.graph import bodies, used_by

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
    asked = f"float16 was asked for, but {model}"
    names = {n.op_type for n in model.proto.graph.node}
    quantised = sorted(filter(_QUANTISED.fullmatch, names))
    if quantised:
        raise ModelError(
            f"{asked} is quantised ({', '.join(quantised)}), and its float32 numbers are scales, "
            "which must stay; leave float16 out"
        )
    weights = [t for t in _weights(model.proto.graph) if t.data_type == TensorProto.FLOAT]
    if not weights:
        raise ModelError(f"{asked} has no float32 weights to convert; leave float16 out")
    beyond = sum(map(_beyond, weights))
    proto = onnx.ModelProto()
    proto.CopyFrom(model.proto)
    # Imported here: it takes a third of a second, which nobody else should wait for.
    import onnxruntime  # noqa: PLC0415
    from onnxruntime.transformers.float16 import convert_float_to_float16  # noqa: PLC0415

    try:
        converted = convert_float_to_float16(proto, keep_io_types=True)
        data = converted.SerializeToString(deterministic=True)
        _sort(converted.graph)
    except Exception as error:  # the converter raises what it comes upon in a graph
        raise ModelError(
            f"{model} cannot be converted to float16 ({first_line(error)}); leave float16 out, "
            "or export the model in float16"
        ) from None
    facts = {
        "sha256": hashlib.sha256(data).hexdigest(),
        "converter": f"onnxruntime {onnxruntime.__version__}, float32 inputs and outputs kept",
        "weights_beyond_its_range": beyond,
        "statement": _STATEMENT,
    }
    return HalfModel(replace(model, proto=converted), facts)


def _sort(graph: onnx.GraphProto) -> None:
    """Put each node behind those that make what it uses.

    The converter puts its casts at the end, where onnxruntime finds them all the same; but what
    follows a graph node by node, as the proof of its rows does, would stop at the first.
    """
    nodes = [*graph.node]
    makers = {name: k for k, node in enumerate(nodes) for name in node.output if name}
    uses = {
        k: {makers[name] for name in used_by(node) if name in makers} - {k}
        for k, node in enumerate(nodes)
    }
    del graph.node[:]
    graph.node.extend(nodes[k] for k in TopologicalSorter(uses).static_order())
    for node in graph.node:
        for body in bodies(node):
            _sort(body)


def _weights(graph: onnx.GraphProto) -> Iterator[TensorProto]:
    """Yield the tensors that a graph and the graphs inside it hold."""
    yield from graph.initializer
    for node in graph.node:
        yield from (a.t for a in node.attribute if a.HasField("t"))
        for body in bodies(node):
            yield from _weights(body)


def _beyond(tensor: TensorProto) -> int:
    """Count the weights that float16 cannot hold: they become its largest or smallest number."""
    size = np.abs(numpy_helper.to_array(tensor))
    outside = (size > _LARGEST) | ((size > 0) & (size < _SMALLEST))
    return int(np.count_nonzero(outside & np.isfinite(size)))
