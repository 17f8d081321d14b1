"""Rewrite a classifier so that it takes inputs in declared units and answers integer labels.

Before the model's own graph: the preprocessing, folded into one multiplication and one addition,
and a cast to the type that the model takes. Behind it: the index of the largest score, lowest index
on a tie, or -1 where a score is NaN or infinite. All edits are made on a copy.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from rsonnx.errors import ModelError, UsageError
from rsonnx.model.preprocess import Preprocessing
from rsonnx.model.read import ModelFile
from rsonnx.model.signature import Signature, TensorSpec

INPUT = "rsonnx_input"
SCORES = "rsonnx_scores"
LABEL = "rsonnx_label"

_OLDEST_OPSET = 7
"""Operators broadcast as numpy does from here on, and onnxruntime supports nothing older."""

_TENSOR_TYPES = {
    "float16": TensorProto.FLOAT16,
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
}


def adapt(
    model: ModelFile,
    signature: Signature,
    preprocessing: Preprocessing,
    bounds: tuple[float, float],
    *,
    free_batch: bool,
) -> bytes:
    """Return the rewritten model, serialized.

    It takes ``INPUT``, float32 (batch, \\*shape) in the units of ``bounds``, and gives ``LABEL``,
    int64 (batch,), and ``SCORES`` (batch, classes).

    Args:
        model: the file as it was read; it is not changed.
        signature: its data input and score output.
        preprocessing: what the model expects.
        bounds: lowest and highest value of an input.
        free_batch: replace a fixed batch size by a free one. Whether the result still computes the
            same function must be proved by running it.

    Raises:
        ModelError: the model is too old, or its output is not one vector of scores an input.
        UsageError: the preprocessing does not fit the input.
    """
    if model.opset < _OLDEST_OPSET:
        raise ModelError(
            f"{model.path} uses operator set {model.opset}, but at least {_OLDEST_OPSET} is "
            "needed; convert it with onnx.version_converter"
        )
    proto = onnx.ModelProto()
    proto.CopyFrom(model.proto)
    graph = proto.graph
    head = _head(graph, signature, preprocessing, bounds)
    tail = _tail(graph, signature, model)
    own = list(graph.node)
    del graph.node[:]
    graph.node.extend([*head, *own, *tail])
    batch = signature.batch if signature.batch and not free_batch else "batch"
    weights = [v for v in graph.input if v.name != signature.input.name]
    del graph.input[:]
    shape = [batch, *signature.shape]
    graph.input.extend([helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, shape), *weights])
    del graph.output[:]
    kind = _scores_type(signature.output)
    graph.output.extend(
        [
            helper.make_tensor_value_info(LABEL, TensorProto.INT64, None),
            helper.make_tensor_value_info(SCORES, kind, None),
        ]
    )
    if free_batch:
        del graph.value_info[:]
    return bytes(proto.SerializeToString())


def _head(
    graph: onnx.GraphProto,
    signature: Signature,
    preprocessing: Preprocessing,
    bounds: tuple[float, float],
) -> list[onnx.NodeProto]:
    steps: list[tuple[str, dict[str, Any], NDArray[np.float32] | None]] = []
    if not preprocessing.identity:
        factor, offset = _affine(signature, preprocessing, bounds)
        steps += [("Mul", {}, factor)] if (factor != 1).any() else []
        steps += [("Add", {}, offset)] if (offset != 0).any() else []
    if signature.input.dtype != "float32" or not steps:
        steps.append(("Cast", {"to": _TENSOR_TYPES[signature.input.dtype]}, None))
    made, name = [], INPUT
    for index, (operator, attributes, constant) in enumerate(steps):
        last = index == len(steps) - 1
        target = signature.input.name if last else f"rsonnx_head_{index}"
        operands = [name]
        if constant is not None:
            operands.append(f"rsonnx_{operator.lower()}")
            graph.initializer.append(numpy_helper.from_array(constant, operands[1]))
        made.append(helper.make_node(operator, operands, [target], **attributes))
        name = target
    return made


def _affine(
    signature: Signature, preprocessing: Preprocessing, bounds: tuple[float, float]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return factor and offset of (scale·(x - low)/(high - low) - mean)/std, to broadcast."""
    low, high = bounds
    if not math.isfinite(high - low):
        raise UsageError(
            "preprocessing acts on pixels between two bounds, but the bounds are infinite; declare "
            "finite bounds, or none as the preprocessing"
        )
    mean, std = np.array(preprocessing.mean), np.array(preprocessing.std)
    unit = preprocessing.scale / (high - low)
    factor, offset = np.broadcast_arrays(unit / std, (-unit * low - mean) / std)
    axes = [1] * (1 + len(signature.shape))
    if factor.size > 1:
        channel_axis = {"NCHW": 1, "NHWC": 3}.get(signature.layout or "")
        channels = signature.shape[channel_axis - 1] if channel_axis else None
        if channel_axis is None or channels != factor.size:
            raise UsageError(
                f"preprocessing has {factor.size} numbers for mean or std, but the input of shape "
                f"{list(signature.shape)} has {channels or 'no'} channels; give one number, or one "
                "a channel"
            )
        axes[channel_axis] = factor.size
    return (
        factor.reshape(axes).astype(np.float32),
        offset.reshape(axes).astype(np.float32),
    )


def _tail(graph: onnx.GraphProto, signature: Signature, model: ModelFile) -> list[onnx.NodeProto]:
    kind = _scores_type(signature.output)
    made = []
    scores = signature.output.name
    if kind != _TENSOR_TYPES[signature.output.dtype]:
        made.append(helper.make_node("Cast", [scores], ["rsonnx_wide"], to=kind))
        scores = "rsonnx_wide"
    flat = "Flatten" if _needs_flattening(signature.output, model) else "Identity"
    made.append(helper.make_node(flat, [scores], [SCORES]))
    real = np.float64 if kind == TensorProto.DOUBLE else np.float32
    constants = {
        "zero": np.zeros(1, real),
        "one": np.ones(1, real),
        "int_one": np.ones(1, np.int64),
    }
    graph.initializer.extend(
        numpy_helper.from_array(value, f"rsonnx_{name}") for name, value in constants.items()
    )
    reduce_axes: dict[str, Any] = {"axes": [1]}
    reduced = ["rsonnx_zeros"]
    if model.opset >= 13:  # from here on the axes of ReduceSum are an input
        graph.initializer.append(numpy_helper.from_array(np.array([1]), "rsonnx_axes"))
        reduced, reduce_axes = ["rsonnx_zeros", "rsonnx_axes"], {}
    # 0 * s is 0 for a finite s and NaN otherwise; NaN < 1 is false. So finite = 1 or 0, and
    # label = argmax * finite + finite - 1 is the argmax or -1.
    return [
        *made,
        helper.make_node("Mul", [SCORES, "rsonnx_zero"], ["rsonnx_zeros"]),
        helper.make_node("ReduceSum", reduced, ["rsonnx_sum"], keepdims=0, **reduce_axes),
        helper.make_node("Less", ["rsonnx_sum", "rsonnx_one"], ["rsonnx_is_finite"]),
        helper.make_node("Cast", ["rsonnx_is_finite"], ["rsonnx_finite"], to=TensorProto.INT64),
        helper.make_node("ArgMax", [SCORES], ["rsonnx_argmax"], axis=1, keepdims=0),
        helper.make_node("Mul", ["rsonnx_argmax", "rsonnx_finite"], ["rsonnx_product"]),
        helper.make_node("Add", ["rsonnx_product", "rsonnx_finite"], ["rsonnx_sum_of_both"]),
        helper.make_node("Sub", ["rsonnx_sum_of_both", "rsonnx_int_one"], [LABEL]),
    ]


def _needs_flattening(output: TensorSpec, model: ModelFile) -> bool:
    if len(output.shape) <= 2:
        return False
    axes = [d for d in output.shape[1:] if d != 1]
    if len(axes) > 1:
        raise ModelError(
            f"the output {output.name!r} of {model.path} has shape {list(output.shape)}, but one "
            "vector of class scores an input is needed; this looks like no classifier"
        )
    return True


def _scores_type(output: TensorSpec) -> int:
    """Return the type in which scores are compared: float16 is widened, which is exact."""
    return _TENSOR_TYPES["float64" if output.dtype == "float64" else "float32"]
