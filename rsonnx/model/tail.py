"""The nodes behind a model: from its answer to an integer label a row.

The label is the file's own where it gives one, by number among its classes, else the index of the
largest score, the lowest index on a tie. It is -1 where a score is NaN or the largest is infinite;
-inf below a finite largest score is a low score. One score s with a threshold t is the pair of
scores (t, s). Comparisons alone tell NaN and infinities apart alike on every provider and in every
operator set: IsNaN is younger than some files, and maxima may or may not carry NaN on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from rsonnx.model.label import Label
from rsonnx.model.outputs import Output

LABEL = "rsonnx_label"
SCORES = "rsonnx_scores"
ML = "ai.onnx.ml"
"""Domain of the operators of classical models, which the names of classes need."""

_INT64 = TensorProto.INT64
_AXES_ARE_INPUT = 13
"""From this operator set on the axes of ReduceSum are an input."""


class _Tail:
    """Collects nodes and constants under names of our own."""

    def __init__(self, opset: int, ml_opset: int, *, has_batch_axis: bool) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.has_batch_axis = has_batch_axis
        self._opset = opset
        self._ml_opset = ml_opset

    def add(self, operator: str, operands: list[str], result: str, **attributes: Any) -> str:
        result = result if result in (LABEL, SCORES) else f"rsonnx_{result}"
        self.nodes.append(helper.make_node(operator, operands, [result], **attributes))
        return result

    def constant(self, name: str, value: NDArray[Any]) -> str:
        name = f"rsonnx_{name}"
        if all(weight.name != name for weight in self.weights):
            self.weights.append(numpy_helper.from_array(value, name))
        return name

    def whole(self, number: int) -> str:
        return self.constant(f"whole_{number}", np.array([number], np.int64))

    def real(self, number: float) -> str:
        return self.constant(f"real_{number}", np.full(1, number, np.float32))

    def cast(self, tensor: str, to: int, result: str) -> str:
        return self.add("Cast", [tensor], result, to=to)

    def sum_of_rows(self, tensor: str, result: str) -> str:
        """Add up truth values along a row, as floats: (rows, n) -> (rows,)."""
        real = self.cast(tensor, TensorProto.FLOAT, f"{result}_terms")
        if self._opset >= _AXES_ARE_INPUT:
            return self.add("ReduceSum", [real, self.whole(1)], result, keepdims=0)
        return self.add("ReduceSum", [real], result, axes=[1], keepdims=0)

    def rows(self, tensor: str, result: str) -> str:
        """Return a tensor as (rows, n)."""
        if self.has_batch_axis:
            return self.add("Flatten", [tensor], result, axis=1)
        shape = self.constant("row", np.array([1, -1]))
        return self.add("Reshape", [tensor, shape], result)

    def position_of_text(self, tensor: str, texts: list[str]) -> str:
        """Return the position of each text among some, or their number where it is none of them."""
        keys: dict[str, Any] = {"classes_strings": texts}
        if self._ml_opset > 1:
            keys = {"keys_strings": texts, "values_int64s": list(range(len(texts)))}
        return self.add(
            "LabelEncoder", [tensor], "number", domain=ML, default_int64=len(texts), **keys
        )

    def flat(self, tensor: str, result: str) -> str:
        return self.add("Reshape", [tensor, self.constant("flat", np.array([-1]))], result)


def make_tail(
    output: Output, opset: int, ml_opset: int, *, has_batch_axis: bool
) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Return the nodes from the model's answer to ``SCORES`` and ``LABEL``, and their constants.

    Where only a label is known ``SCORES`` is the label as a column.

    Args:
        output: what answers.
        opset: version of the default operator set.
        ml_opset: version of the operators of ``ML``.
        has_batch_axis: False where the model takes one bare input.
    """
    tail = _Tail(opset, ml_opset, has_batch_axis=has_batch_axis)
    valid = None if output.kind == "label" else _end_in_scores(tail, output)
    if output.label is None:
        label = tail.add("ArgMax", [SCORES], "argmax", axis=1, keepdims=0)
    else:
        label = _own_label(tail, output.label, is_flat=len(output.spec.shape) < 2)
        seen = [_has_no_nan(tail, t, index) for index, t in enumerate(output.label.evidence)]
        seen += [_is_of_a_class(tail, t, index) for index, t in enumerate(output.label.shown)]
        for index, one in enumerate(seen):
            valid = one if valid is None else tail.add("Mul", [valid, one], f"valid_{index}")
    _end(tail, label, valid)
    if output.kind == "label":
        column = tail.add("Reshape", [LABEL, tail.constant("column", np.array([-1, 1]))], "labels")
        tail.cast(column, TensorProto.FLOAT, SCORES)
    return tail.nodes, tail.weights


def _end_in_scores(tail: _Tail, output: Output) -> str:
    """Make ``SCORES``, and say of each row whether it is of a class: int64, 1 or 0."""
    double = output.dtype == "float64"
    real = np.dtype(np.float64 if double else np.float32)
    # float16 and quantised scores are widened, which is exact. A type that is not known is cast.
    wide = TensorProto.DOUBLE if double else TensorProto.FLOAT
    scores = tail.cast(output.tensor, wide, "wide")
    if not (tail.has_batch_axis and output.is_vector):
        scores = tail.rows(scores, "rows")
    if output.kind == "score":
        zero = tail.constant("zero", np.zeros(1, real))
        level = tail.constant("threshold", np.full(1, output.threshold, real))
        # As many thresholds as rows. 0 * NaN is no 0, but nothing is below and above 0.
        sides = [tail.add(side, [scores, zero], f"side_{side}") for side in ("Less", "Greater")]
        zeros = tail.cast(tail.add("And", sides, "never"), wide, "zeros")
        levels = tail.add("Add", [zeros, level], "levels")
        tail.add("Concat", [levels, scores], SCORES, axis=1)
    else:
        smallest = output.label is not None and output.label.decision == "smallest"
        tail.add("Neg" if smallest else "Identity", [scores], SCORES)
    return _has_a_largest(tail, SCORES, real)


def _is_of_a_class(tail: _Tail, tensor: str, index: int) -> str:
    """Say of each row of class scores beside a label whether it is of a class: 1 or 0."""
    wide = tail.cast(tensor, TensorProto.DOUBLE, f"shown_{index}")
    row = tail.rows(wide, f"shown_row_{index}")
    return _has_a_largest(tail, row, np.dtype(np.float64), f"_{index}")


def _has_a_largest(tail: _Tail, rows: str, real: np.dtype[Any], mark: str = "") -> str:
    """Say of each row whether it has no NaN and its largest element is finite: 1 or 0.

    Args:
        tail: where the nodes go.
        rows: (rows, n).
        real: type of the rows.
        mark: of the names, where there are several.
    """
    inf = tail.constant(f"inf_{real}", np.full(1, np.inf, real))
    minus_inf = tail.constant(f"minus_inf_{real}", np.full(1, -np.inf, real))
    below = tail.add("Less", [rows, inf], f"below_inf{mark}")  # false for NaN too
    above = tail.add("Greater", [rows, minus_inf], f"above_minus_inf{mark}")
    bad = tail.sum_of_rows(tail.add("Not", [below], f"too_large{mark}"), f"bad{mark}")
    good = tail.sum_of_rows(above, f"good{mark}")
    none_bad = tail.add("Less", [bad, tail.real(0.5)], f"none_bad{mark}")
    some_good = tail.add("Greater", [good, tail.real(0.5)], f"some_good{mark}")
    valid = tail.add("And", [none_bad, some_good], f"is_valid{mark}")
    return tail.cast(valid, _INT64, f"has_largest{mark}")


def _has_no_nan(tail: _Tail, tensor: str, index: int) -> str:
    """Say of each row whether it holds numbers alone, which are above 0 or below 1: 1 or 0."""
    row = tail.rows(tail.cast(tensor, TensorProto.FLOAT, f"seen_{index}"), f"seen_row_{index}")
    above = tail.add("Greater", [row, tail.real(0)], f"above_{index}")
    below = tail.add("Less", [row, tail.real(1)], f"below_{index}")
    is_nan = tail.add("Not", [tail.add("Or", [above, below], f"number_{index}")], f"nan_{index}")
    count = tail.sum_of_rows(is_nan, f"nans_{index}")
    is_real = tail.add("Less", [count, tail.real(0.5)], f"no_nan_{index}")
    return tail.cast(is_real, _INT64, f"all_numbers_{index}")


def _own_label(tail: _Tail, label: Label, *, is_flat: bool) -> str:
    """Return the number of the class that a file's label is, int64 (rows,).

    A value that is none of the classes is numbered beyond them, and a negative number of no known
    class is lowered by 1, so that neither can pass for a class or for no class.
    """
    tensor = label.tensor
    if label.first_column:
        if is_flat or not tail.has_batch_axis:
            tensor = tail.rows(tensor, "columns")
        tensor = tail.add("Gather", [tensor, tail.whole(0)], "first", axis=1)
    if label.values and isinstance(label.values[0], str):
        return tail.flat(tail.position_of_text(tensor, list(map(str, label.values))), "number_flat")
    numbers = tail.flat(tail.cast(tensor, _INT64, "own"), "own_flat")
    if label.values:
        return _position(tail, numbers, np.array(label.values, np.int64))
    if label.table:
        table = tail.constant("classes", np.array(label.table, np.int64))
        return tail.add("Gather", [table, numbers], "class", axis=0)
    if label.decision is not None:
        return numbers
    real = tail.cast(numbers, TensorProto.FLOAT, "own_real")  # Less takes no int64 before 9
    negative = tail.cast(tail.add("Less", [real, tail.real(0)], "is_negative"), _INT64, "lowered")
    return tail.add("Sub", [numbers, negative], "own_number")


def _position(tail: _Tail, numbers: str, values: NDArray[np.int64]) -> str:
    """Return the position of each number among values, or their count where it is none of them."""
    column = tail.add(
        "Reshape", [numbers, tail.constant("column", np.array([-1, 1]))], "own_column"
    )
    same = tail.add("Equal", [column, tail.constant("values", values[None])], "same")
    real = tail.cast(same, TensorProto.FLOAT, "same_real")  # CUDA's ArgMax takes no integers
    at = tail.add("ArgMax", [real], "at", axis=1, keepdims=0)
    found = tail.cast(tail.sum_of_rows(same, "found"), _INT64, "is_found")
    beyond = tail.whole(len(values))
    offset = tail.add("Mul", [tail.add("Sub", [at, beyond], "from_end"), found], "offset")
    return tail.add("Add", [offset, beyond], "position")


def _end(tail: _Tail, label: str, valid: str | None) -> None:
    """Make ``LABEL``: label * valid + valid - 1 is the label, or -1 where valid is 0."""
    if valid is None:
        tail.add("Identity", [label], LABEL)
        return
    product = tail.add("Mul", [label, valid], "product")
    shifted = tail.add("Add", [product, valid], "shifted")
    tail.add("Sub", [shifted, tail.whole(1)], LABEL)
