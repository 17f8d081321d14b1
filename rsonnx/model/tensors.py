"""What a model's file declares of its inputs and outputs."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import onnx
import onnx.shape_inference
from onnx import TensorProto

from rsonnx.model.read import ModelFile, tensors

Dimension = int | str | None

FLOATS = {"float32": "FLOAT", "float16": "FLOAT16", "float64": "DOUBLE"}
"""Floating-point types by their usual name, with ONNX's."""

_USUAL = {onnx_name: name for name, onnx_name in FLOATS.items()}


@dataclass(frozen=True)
class TensorSpec:
    """One input or output: its name, element type and dimensions (None or a name: not fixed)."""

    name: str
    dtype: str
    shape: tuple[Dimension, ...]

    @property
    def dimensions(self) -> str:
        """The shape in words."""
        return "[" + ", ".join("?" if d is None else str(d) for d in self.shape) + "]"


def inputs_of(model: ModelFile) -> tuple[TensorSpec, ...]:
    """Return the inputs that a caller must feed; old files list their weights among them too."""
    weights = {t.name for t in model.proto.graph.initializer}
    return tuple(_spec(v) for v in model.proto.graph.input if v.name not in weights)


def outputs_of(model: ModelFile) -> tuple[TensorSpec, ...]:
    """Return the outputs."""
    return tuple(_spec(v) for v in model.proto.graph.output)


def inferred_specs(model: ModelFile) -> dict[str, TensorSpec]:
    """Return what can be said of a graph's tensors, by the file and by shape inference.

    Files of more than 2 GB cannot be handed over, and damaged files fail: what the file says is all
    there is then.
    """
    graph = model.proto.graph
    with contextlib.suppress(Exception):  # C++ exceptions of several kinds
        graph = onnx.shape_inference.infer_shapes(model.proto).graph
    values = [*graph.input, *graph.output, *graph.value_info]
    return {value.name: _spec(value) for value in values}


def rounding_unit(model: ModelFile) -> float:
    """Return the relative rounding of what a model computes, by the shortest of its weights."""
    kinds = {tensor.data_type for tensor in tensors(model.proto)}
    if TensorProto.BFLOAT16 in kinds:
        return 2.0**-7
    return 2.0**-10 if TensorProto.FLOAT16 in kinds else 2.0**-23


def denoted_layout(model: ModelFile, name: str) -> str | None:
    """Return the layout that the denotations of an input's axes tell, or None.

    ONNX denotes the axis of the channels as DATA_CHANNEL (its DimensionDenotation.md).
    """
    for value in model.proto.graph.input:
        if value.name == name:
            axes = [d.denotation for d in value.type.tensor_type.shape.dim]
            if len(axes) == 4 and axes.count("DATA_CHANNEL") == 1:
                return {1: "NCHW", 3: "NHWC"}.get(axes.index("DATA_CHANNEL"))
    return None


def onnx_type(dtype: str) -> int:
    """Return ONNX's number of an element type."""
    return int(TensorProto.DataType.Value(FLOATS.get(dtype, dtype.upper())))


def _spec(value: onnx.ValueInfoProto) -> TensorSpec:
    if not value.type.HasField("tensor_type"):
        return TensorSpec(value.name, str(value.type.WhichOneof("value") or "unknown"), ())
    tensor = value.type.tensor_type
    try:
        kind = TensorProto.DataType.Name(tensor.elem_type)
    except ValueError:  # a number that no version of ONNX defines
        kind = f"unknown type {tensor.elem_type}"
    shape = tuple(_dimension(d) for d in tensor.shape.dim)
    return TensorSpec(value.name, _USUAL.get(kind) or kind.lower(), shape)


def _dimension(dimension: onnx.TensorShapeProto.Dimension) -> Dimension:
    if dimension.HasField("dim_value"):
        return int(dimension.dim_value) if dimension.dim_value >= 1 else None
    return dimension.dim_param or None
