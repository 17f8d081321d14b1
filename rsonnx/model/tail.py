"""The nodes behind a model: from its answer to an integer label a row.

The label is the index of the largest score, the lowest index on a tie, and -1 where a score is NaN
or infinite. One score s with a threshold t is the pair of scores (t, s).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from rsonnx.model.outputs import Output

LABEL = "rsonnx_label"
SCORES = "rsonnx_scores"

_AXES_ARE_INPUT = 13
"""From this operator set on the axes of ReduceSum are an input."""


class _Tail:
    """Collects nodes and constants under names of our own."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def add(self, operator: str, operands: list[str], result: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, operands, [result], **attributes))
        return result

    def constant(self, name: str, value: NDArray[Any]) -> str:
        self.weights.append(numpy_helper.from_array(value, name))
        return name


def make_tail(
    output: Output, opset: int, *, has_batch_axis: bool
) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Return the nodes from the model's answer to ``SCORES`` and ``LABEL``, and their constants.

    For a label output there are no scores: ``SCORES`` is then the label as a column.
    """
    tail = _Tail()
    if output.kind == "label":
        _end_in_given_label(tail, output)
    else:
        _end_in_largest_score(tail, output, opset, has_batch_axis)
    return tail.nodes, tail.weights


def _end_in_given_label(tail: _Tail, output: Output) -> None:
    whole = tail.add("Cast", [output.tensor], "rsonnx_whole", to=TensorProto.INT64)
    flat = tail.constant("rsonnx_flat", np.array([-1]))
    tail.add("Reshape", [whole, flat], LABEL)
    column = tail.constant("rsonnx_column", np.array([-1, 1]))
    as_column = tail.add("Reshape", [whole, column], "rsonnx_label_column")
    tail.add("Cast", [as_column], SCORES, to=TensorProto.FLOAT)


def _end_in_largest_score(tail: _Tail, output: Output, opset: int, has_batch_axis: bool) -> None:
    double = output.dtype == "float64"
    real = np.dtype(np.float64 if double else np.float32)
    scores = output.tensor
    if not double:  # float16 and quantised scores are widened, which is exact
        scores = tail.add("Cast", [scores], "rsonnx_wide", to=TensorProto.FLOAT)
    if has_batch_axis and not output.is_vector:
        scores = tail.add("Flatten", [scores], "rsonnx_rows", axis=1)
    elif not has_batch_axis:
        row = tail.constant("rsonnx_row", np.array([1, -1]))
        scores = tail.add("Reshape", [scores, row], "rsonnx_rows")
    zero = tail.constant("rsonnx_zero", np.zeros(1, real))
    if output.kind == "score":
        level = tail.constant("rsonnx_threshold", np.full(1, output.threshold, real))
        zeros = tail.add("Mul", [scores, zero], "rsonnx_nothing")
        levels = tail.add("Add", [zeros, level], "rsonnx_levels")
        tail.add("Concat", [levels, scores], SCORES, axis=1)
    else:
        tail.add("Identity", [scores], SCORES)
    # 0 * s is 0 for a finite s and NaN otherwise, and NaN < 1 is false. So finite is 1 or 0, and
    # argmax * finite + finite - 1 is the argmax or -1.
    zeros = tail.add("Mul", [SCORES, zero], "rsonnx_zeros")
    if opset >= _AXES_ARE_INPUT:
        axes = tail.constant("rsonnx_axes", np.array([1]))
        total = tail.add("ReduceSum", [zeros, axes], "rsonnx_total", keepdims=0)
    else:
        total = tail.add("ReduceSum", [zeros], "rsonnx_total", axes=[1], keepdims=0)
    one = tail.constant("rsonnx_one", np.ones(1, real))
    is_finite = tail.add("Less", [total, one], "rsonnx_is_finite")
    finite = tail.add("Cast", [is_finite], "rsonnx_finite", to=TensorProto.INT64)
    largest = tail.add("ArgMax", [SCORES], "rsonnx_argmax", axis=1, keepdims=0)
    product = tail.add("Mul", [largest, finite], "rsonnx_product")
    shifted = tail.add("Add", [product, finite], "rsonnx_shifted")
    step = tail.constant("rsonnx_step", np.ones(1, np.int64))
    tail.add("Sub", [shifted, step], LABEL)
