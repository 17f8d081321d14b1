"""What stands in front of a classifier: a model that turns an input into one of the same shape."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from rsonnx.compose.arranging import picture_size
from rsonnx.compose.graph import INPUT, Builder, composed
from rsonnx.compose.versions import raised
from rsonnx.errors import ModelError
from rsonnx.model import Input, ModelFile, Output, TensorSpec, find_input, refuse_unsound
from rsonnx.model.graph import FLOATS, Dimension, listed, onnx_type
from rsonnx.runtime import Session, choose_provider
from rsonnx.smoothing.composition import PartRecord

OUTPUT = "denoised"


@dataclass(frozen=True, eq=False)
class Front:
    """A model that becomes the first part of another.

    Attributes:
        file: as it was read.
        data: its input.
        model: from ``INPUT``, float32 (batch, \\*shape), to ``OUTPUT``, float32 of the same shape.
    """

    file: ModelFile
    data: Input
    model: onnx.ModelProto

    def run(self, rows: NDArray[np.float32]) -> NDArray[Any]:
        """Return its outputs for rows of the shape, one by one where its batch size is fixed."""
        session = Session(self.model.SerializeToString(), choose_provider(["cpu"]), str(self.file))
        size = self.data.batch or len(rows)
        batches = [rows[at : at + size] for at in range(0, len(rows), size)]
        return np.concatenate([session.run(OUTPUT, INPUT, batch) for batch in batches])

    def record(self, role: str) -> PartRecord:
        """Return what the metadata of a composition say of it."""
        return PartRecord(role, self.file.name, self.file.sha256)


def open_front(
    file: ModelFile,
    versions: Mapping[str, int],
    like: Input,
    feeds: Mapping[str, Any],
    has_variance: bool = False,
) -> Front:
    """Understand a model as one that gives what it takes, and try it.

    Args:
        file: as it was read.
        versions: of the operator sets of the composition.
        like: the classifier's input, whose sides it takes where the file leaves them open.
        feeds: values of its other inputs, by name.
        has_variance: it gives twice the channels, of which the first half counts.

    Raises:
        ModelError: it does not run, or gives anything else.
    """
    refuse_unsound(file)
    before = _adapted(file, like, feeds, has_variance)
    newer = raised(file, dict(versions))
    front = before if newer is file else _adapted(newer, like, feeds, has_variance)
    rows = np.random.default_rng(0).random((2, *front.data.shape), np.float32)
    values = front.run(rows)
    if feeds and values.size == 2 * rows.size:
        raise ModelError(
            f"{file} gives {list(values.shape[1:])} for {list(front.data.shape)}, a variance too; "
            "declare it by variance_type in a scheduler_config.json"
        )
    if values.shape != rows.shape:
        raise _gives(file, list(values.shape[1:]), list(front.data.shape))
    if newer is not file and not np.allclose(values, before.run(rows), 1e-3, 1e-4):
        raise ModelError(
            f"{file} answers otherwise when it is converted from operator set {file.opset} to "
            f"{newer.opset}; export the parts with one operator set"
        )
    return front


def _gives(file: ModelFile, gives: object, takes: object) -> ModelError:
    return ModelError(
        f"{file} gives {gives} for an input of {takes}, but what stands before a classifier gives "
        "what it takes; name it first and the classifier second"
    )


def ends_of(file: ModelFile, fed: Collection[str]) -> tuple[TensorSpec, TensorSpec]:
    """Return what a model takes, beside inputs of fixed values, and what it gives.

    Raises:
        ModelError: it does not give what it takes, as far as the file tells.
    """
    left = [spec for spec in file.view.inputs if spec.name not in fed]
    outputs = file.view.outputs
    if len(left) != 1 or len(outputs) != 1 or {left[0].dtype, outputs[0].dtype} - set(FLOATS):
        raise ModelError(
            f"{file} takes {listed(left)} and gives {listed(outputs)}, but one input and one "
            "output of floating-point numbers were expected"
        )
    spec, output = left[0], outputs[0]
    if output.shape and len(output.shape) != len(spec.shape):
        raise _gives(file, output.dimensions, spec.dimensions)
    return spec, output


def _adapted(file: ModelFile, like: Input, feeds: Mapping[str, Any], has_variance: bool) -> Front:
    spec, output = ends_of(file, feeds)
    used = file.view.inputs_behind([output.name])
    data = find_input(
        file,
        Output(output.name, output, "scores", output.dtype),
        input_shape=_sides(spec.shape[1:], like),
        feeds={name: feeds[name] for name in feeds if name in used},
    )
    if (data.batch or 1) > 1 or not data.has_batch_axis:
        raise ModelError(
            f"{file} takes {spec.dimensions}, but a batch axis, free or 1, was expected in front; "
            "export it with one"
        )
    return Front(file, data, _model(file, data, output, has_variance))


def _sides(declared: Sequence[Dimension], like: Input) -> tuple[int, ...] | None:
    """Return the shape of one input whose open sides are those of another; None where none is."""
    sides = like.shape
    if all(isinstance(side, int) for side in declared) or len(declared) != len(sides):
        return None
    if len(sides) == 3 and like.layout is not None:
        height, width, channels = picture_size(sides, like.layout)
        last = isinstance(declared[2], int) and not isinstance(declared[0], int)
        sides = (height, width, channels) if last else (channels, height, width)
    return tuple(d if isinstance(d, int) else side for d, side in zip(declared, sides, strict=True))


def _model(file: ModelFile, data: Input, output: TensorSpec, has_variance: bool) -> onnx.ModelProto:
    """Return the model from and to float32, its other inputs constant."""
    builder = Builder()
    kind = onnx_type(data.spec.dtype)
    fed = {data.spec.name: builder.add("Cast", [INPUT], to=kind)}
    fed |= {name: builder.constant(value, value.dtype) for name, value in data.feeds.items()}
    for spec in file.view.inputs:
        if spec.name not in fed:  # nothing needs it, so it was not looked at
            fed[spec.name] = builder.constant(0, spec.dtype)
    given = builder.embed(file.proto, "own_", fed)[output.name]
    if has_variance:
        axis = 3 if data.layout == "NHWC" else 1
        ends = [builder.constant([n], "int64") for n in (0, data.shape[axis - 1], axis)]
        given = builder.add("Slice", [given, *ends])
    builder.add("Cast", [given], OUTPUT, to=TensorProto.FLOAT)
    info = helper.make_tensor_value_info
    return composed(
        builder,
        [info(INPUT, TensorProto.FLOAT, [data.batch or "batch", *data.shape])],
        [info(OUTPUT, TensorProto.FLOAT, None)],
        [file.proto],
        {},
    )
