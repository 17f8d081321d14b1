"""What a model takes and gives, as its file declares it."""

from __future__ import annotations

from dataclasses import dataclass

import onnx
from onnx import TensorProto

from rsonnx.errors import ModelError, UsageError
from rsonnx.model.read import ModelFile

Dimension = int | str | None

_FLOATS = {
    "FLOAT": "float32",
    "FLOAT16": "float16",
    "DOUBLE": "float64",
}

_IMAGE_CHANNELS = (1, 3)


@dataclass(frozen=True)
class TensorSpec:
    """One input or output: its name, element type and dimensions (None or a name: not fixed)."""

    name: str
    dtype: str
    shape: tuple[Dimension, ...]


@dataclass(frozen=True)
class Signature:
    """The data input and the score output of a classifier.

    Attributes:
        input: the data input.
        output: the score output.
        batch: the batch size that the file fixes, None where it is free.
        shape: of one input, without the batch axis.
        layout: ``"NCHW"``, ``"NHWC"`` or None where the input is no image.
    """

    input: TensorSpec
    output: TensorSpec
    batch: int | None
    shape: tuple[int, ...]
    layout: str | None


def inputs_of(model: ModelFile) -> tuple[TensorSpec, ...]:
    """Return the inputs that a caller must feed; old files list their weights among them too."""
    weights = {t.name for t in model.proto.graph.initializer}
    return tuple(_spec(v) for v in model.proto.graph.input if v.name not in weights)


def outputs_of(model: ModelFile) -> tuple[TensorSpec, ...]:
    """Return the outputs."""
    return tuple(_spec(v) for v in model.proto.graph.output)


def find_signature(model: ModelFile, layout: str | None = None) -> Signature:
    """Find the data input and the score output.

    Args:
        model: the model.
        layout: ``"NCHW"`` or ``"NHWC"`` where the file leaves it open.

    Raises:
        ModelError: there is not exactly one of each, or they are not of a kind that is understood.
        UsageError: the declared layout contradicts the shape.
    """
    inputs, outputs = inputs_of(model), outputs_of(model)
    if len(inputs) != 1:
        raise ModelError(
            f"{model.path} takes {len(inputs)} inputs ({_names(inputs)}), but a classifier of one "
            "input is needed; export it with the other inputs as constants"
        )
    if len(outputs) != 1:
        raise ModelError(
            f"{model.path} gives {len(outputs)} outputs ({_names(outputs)}), but one output of "
            "class scores is needed; export it with the scores alone"
        )
    data, scores = inputs[0], outputs[0]
    for role, spec in (("input", data), ("output", scores)):
        if spec.dtype not in _FLOATS.values():
            raise ModelError(
                f"the {role} {spec.name!r} of {model.path} has type {spec.dtype}, but a "
                f"floating-point type ({', '.join(_FLOATS.values())}) is needed"
            )
    if len(data.shape) < 2:
        raise ModelError(
            f"the input {data.name!r} of {model.path} has shape {list(data.shape)}, but a batch "
            "axis and at least one axis of values are needed"
        )
    open_axes = [d for d in data.shape[1:] if not isinstance(d, int)]
    if open_axes:
        raise ModelError(
            f"the input {data.name!r} of {model.path} has shape {list(data.shape)}, which leaves "
            f"{len(open_axes)} axes besides the batch open; export it with a fixed input size"
        )
    shape = tuple(int(d) for d in data.shape[1:] if d is not None)
    batch = data.shape[0] if isinstance(data.shape[0], int) else None
    return Signature(data, scores, batch, shape, _layout(model, data, shape, layout))


def _layout(
    model: ModelFile, data: TensorSpec, shape: tuple[int, ...], declared: str | None
) -> str | None:
    possible = []
    if len(shape) == 3:
        possible += ["NCHW"] if shape[0] in _IMAGE_CHANNELS else []
        possible += ["NHWC"] if shape[2] in _IMAGE_CHANNELS else []
    if declared is not None:
        if len(shape) == 3 and declared not in possible:
            raise UsageError(
                f"the layout {declared} was declared, but the input {data.name!r} of {model.path} "
                f"has shape {list(data.shape)}, which has no 1 or 3 channels there"
            )
        return declared if possible else None
    if len(possible) == 2:
        raise ModelError(
            f"the input {data.name!r} of {model.path} has shape {list(data.shape)}, which can be "
            "NCHW or NHWC; declare the layout in the preprocessing"
        )
    return possible[0] if possible else None


def _names(specs: tuple[TensorSpec, ...]) -> str:
    return ", ".join(repr(s.name) for s in specs) or "none"


def _spec(value: onnx.ValueInfoProto) -> TensorSpec:
    if not value.type.HasField("tensor_type"):
        return TensorSpec(value.name, str(value.type.WhichOneof("value") or "unknown"), ())
    tensor = value.type.tensor_type
    kind = TensorProto.DataType.Name(tensor.elem_type)
    dtype = _FLOATS.get(kind) or kind.lower()
    return TensorSpec(value.name, dtype, tuple(_dimension(d) for d in tensor.shape.dim))


def _dimension(dimension: onnx.TensorShapeProto.Dimension) -> Dimension:
    if dimension.HasField("dim_value"):
        return int(dimension.dim_value) if dimension.dim_value >= 1 else None
    return dimension.dim_param or None
