"""Rewrite a classifier so that it takes inputs in declared units and answers integer labels.

A head stands in front (:mod:`rsonnx.model.head`) and a tail behind (:mod:`rsonnx.model.tail`).
Nothing of the graph stays that the answer does not need. All edits are made on a copy.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from rsonnx.errors import ModelError
from rsonnx.model.file import ModelFile
from rsonnx.model.graph import GraphView, Scope, bodies, nodes, scopes
from rsonnx.model.head import INPUT, make_head
from rsonnx.model.inputs import Input
from rsonnx.model.outputs import Output
from rsonnx.model.preprocess import Preprocessing
from rsonnx.model.tail import LABEL, ML, SCORES, make_tail

_OLDEST_OPSET = 7
"""Operators broadcast as numpy does from here on, and onnxruntime supports nothing older."""

_USUAL_OPSET = 15
"""For models of ai.onnx.ml operators alone, which name no version of the default set."""


_ROWS = "rsonnx_rows_of_batch"
"""The number of rows, as a list of one."""


class Batch(Enum):
    """What is done to the batch axis."""

    AS_FILED = "as the file has it"
    FREED = "the fixed batch size is replaced by a free one"
    PATCHED = "the fixed batch size is replaced by a free one, in reshapes too"


def adapt(
    model: ModelFile,
    data: Input,
    output: Output,
    preprocessing: Preprocessing,
    bounds: tuple[float, float],
    batch: Batch = Batch.AS_FILED,
    guards: Sequence[str] = (),
) -> bytes:
    """Return the rewritten model, serialized.

    It takes ``INPUT``, float32 (batch, \\*shape) in the units of ``bounds``, and gives ``LABEL``,
    int64 (batch,), and ``SCORES`` (batch, classes).

    Args:
        model: the file as it was read; it is not changed.
        data: its data input.
        output: the tensor that answers.
        preprocessing: what the model expects.
        bounds: lowest and highest value of an input.
        batch: what to do to a fixed batch size. Whether the result still computes the same function
            must be proved by running it.
        guards: tensors with a row an input; a row with NaN in them is answered no class.

    Raises:
        ModelError: the model is too old.
        UsageError: the preprocessing does not fit the input.
    """
    proto = onnx.ModelProto()
    proto.CopyFrom(model.proto)
    opset = _opset(model, proto)
    graph = proto.graph
    graph.initializer.extend(numpy_helper.from_array(v, name) for name, v in data.feeds.items())
    if batch is Batch.PATCHED:
        _free_reshapes(proto, data)
    # Last, since a patched reshape leaves its old shape behind: in files before IR version 4
    # onnxruntime refuses a weight that no node uses.
    _keep_needed(proto, output.tensors)
    if not any(o.domain == ML for o in proto.opset_import):
        proto.opset_import.append(helper.make_opsetid(ML, 2))
    ml_opset = int(next(o.version for o in proto.opset_import if o.domain == ML))
    head, head_weights = make_head(data, preprocessing, bounds)
    tail, tail_weights = make_tail(
        output, opset, ml_opset, has_batch_axis=data.has_batch_axis, guards=guards
    )
    _put(graph.node, [*head, *graph.node, *tail])
    graph.initializer.extend([*head_weights, *tail_weights])
    size = data.batch if data.batch is not None and batch is Batch.AS_FILED else "batch"
    info = helper.make_tensor_value_info
    _put(graph.input, [info(INPUT, TensorProto.FLOAT, [size, *data.shape])])
    double = output.dtype == "float64" and output.kind != "label"
    kind = TensorProto.DOUBLE if double else TensorProto.FLOAT
    _put(graph.output, [info(LABEL, TensorProto.INT64, None), info(SCORES, kind, None)])
    for scope in scopes(proto):
        _forget_shapes(scope)
    return bytes(proto.SerializeToString())


def _put(field: Any, entries: Iterable[Any]) -> None:
    """Put entries in place of those of a repeated field, of which they may be some."""
    kept = list(entries)
    del field[:]
    field.extend(kept)


def _forget_shapes(scope: Scope) -> None:
    """Take out what the file says of inner shapes, which may hold for its own batch size alone.

    onnxruntime believes it, in subgraphs too, and computes with it.
    """
    del scope.value_info[:]
    for node in nodes(scope):
        # A loop's number and condition may have an axis, which their shape alone tells.
        counters = 2 if node.op_type == "Loop" else 0
        for body in bodies(node):
            del body.value_info[:]
            for value in (*body.input[counters:], *body.output):
                if value.type.HasField("tensor_type"):
                    value.type.tensor_type.ClearField("shape")


def _opset(model: ModelFile, proto: onnx.ModelProto) -> int:
    """Return the version of the default operator set, which our own nodes need."""
    if not any(o.domain in ("", "ai.onnx") for o in proto.opset_import):
        proto.opset_import.append(helper.make_opsetid("", _USUAL_OPSET))
        proto.ir_version = max(proto.ir_version, 8)  # the oldest that knows this operator set
        return _USUAL_OPSET
    if model.opset < _OLDEST_OPSET:
        raise ModelError(
            f"{model} uses operator set {model.opset}, but at least {_OLDEST_OPSET} is needed; "
            "convert it with onnx.version_converter"
        )
    return model.opset


def _keep_needed(proto: onnx.ModelProto, tensors: Sequence[str]) -> None:
    """Drop what the answer does not depend on: other outputs' nodes, and weights of theirs."""
    graph = proto.graph
    names, needed = GraphView(proto).needed(tensors)
    _put(graph.node, needed)
    _put(graph.initializer, (t for t in graph.initializer if t.name in names))
    sparse = (t for t in graph.sparse_initializer if t.values.name in names)
    _put(graph.sparse_initializer, sparse)


def _free_reshapes(proto: onnx.ModelProto, data: Input) -> None:
    """Let reshapes of data follow the batch where their constant shape starts with its size.

    At the file's own batch size they stay what they are.
    """
    graph, view = proto.graph, GraphView(proto)
    counting: list[onnx.NodeProto] = []
    for index, node in enumerate(list(graph.node)):
        if node.op_type != "Reshape" or len(node.input) < 2:
            continue
        shape = view.constant(node.input[1])
        if shape is None or shape.ndim != 1 or not shape.size or int(shape[0]) != data.batch:
            continue
        needed = view.needed([node.input[0]])[0]
        if not any(spec.name in needed for spec in data.specs):
            continue
        node.input[1] = name = f"rsonnx_shape_{index}"
        rest = np.array(shape[1:], np.int64)
        if (rest != -1).all():  # then the first axis may follow from the others
            graph.initializer.append(numpy_helper.from_array(np.array([-1, *rest]), name))
            continue
        graph.initializer.append(numpy_helper.from_array(rest, f"{name}_rest"))
        counting.append(helper.make_node("Concat", [_ROWS, f"{name}_rest"], [name], axis=0))
    if counting:
        graph.initializer.append(numpy_helper.from_array(np.array([0]), f"{_ROWS}_axis"))
        sizes = helper.make_node("Shape", [data.spec.name], [f"{_ROWS}_sizes"])
        first = helper.make_node("Gather", [f"{_ROWS}_sizes", f"{_ROWS}_axis"], [_ROWS], axis=0)
        _put(graph.node, [sizes, first, *counting, *graph.node])


def unused_inputs(model: ModelFile, output: Output) -> tuple[str, ...]:
    """Return the names of inputs that the answer does not depend on."""
    names, _ = model.view.needed(output.tensors)
    return tuple(spec.name for spec in model.view.inputs if spec.name not in names)
