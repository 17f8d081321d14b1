"""The nodes behind a model: from its answer to an integer label a row.

The label is the file's own where it gives one, by number among its classes, else the index of the
largest score, the lowest index on a tie. It is -1 where a score is NaN or the largest is infinite;
-inf below a finite largest score is a low score. One score s with a threshold t is the pair of
scores (t, s). Comparisons alone tell NaN and infinities apart alike on every provider and in every
operator set: IsNaN is younger than some files, and maxima may or may not carry NaN on.
"""

from __future__ import annotations

from collections.abc import Sequence
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


def make_tail(
    output: Output,
    opset: int,
    ml_opset: int,
    *,
    has_batch_axis: bool,
    guards: Sequence[str] = (),
) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Return the nodes from the model's answer to ``SCORES`` and ``LABEL``, and their constants.

    Where only a label is known ``SCORES`` is the label as a column. A row with NaN in one of the
    ``guards`` is of no class.
    """
    tail = _Tail(opset, ml_opset, has_batch_axis=has_batch_axis)
    tail.build(output, guards)
    return tail.nodes, tail.weights


class _Tail:
    """Collects nodes and constants under names of our own."""

    def __init__(self, opset: int, ml_opset: int, *, has_batch_axis: bool) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self._has_batch_axis, self._opset, self._ml_opset = has_batch_axis, opset, ml_opset

    def build(self, output: Output, guards: Sequence[str]) -> None:
        valid = [] if output.kind == "label" else [self._end_in_scores(output)]
        valid += [self._has_no_nan(t, f"guard_{index}") for index, t in enumerate(guards)]
        if output.label is None:
            label = self.add("ArgMax", [SCORES], "argmax", axis=1, keepdims=0)
        else:
            label = self._own_label(output.label, is_flat=len(output.spec.shape) < 2)
            valid += [self._has_no_nan(t, f"{i}") for i, t in enumerate(output.label.evidence)]
            valid += [self._is_of_a_class(t, i) for i, t in enumerate(output.label.shown)]
        if not valid:
            self.add("Identity", [label], LABEL)
        else:
            both = valid[0]
            for index, further in enumerate(valid[1:]):
                both = self.add("Mul", [both, further], f"valid_{index}")
            # label * valid + valid - 1 is the label, or -1 where valid is 0.
            product = self.add("Mul", [label, both], "product")
            self.add("Sub", [self.add("Add", [product, both], "shifted"), self.whole(1)], LABEL)
        if output.kind == "label":
            self.cast(self.column(LABEL, "labels"), TensorProto.FLOAT, SCORES)

    def add(self, operator: str, operands: list[str], result: str, **attributes: Any) -> str:
        result = result if result in (LABEL, SCORES) else f"rsonnx_{result}"
        self.nodes.append(helper.make_node(operator, operands, [result], **attributes))
        return result

    def constant(self, name: str, value: Any) -> str:
        name = f"rsonnx_{name}"
        if all(weight.name != name for weight in self.weights):
            self.weights.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def whole(self, number: int) -> str:
        return self.constant(f"whole_{number}", np.array([number], np.int64))

    def real(self, number: float) -> str:
        return self.constant(f"real_{number}", np.full(1, number, np.float32))

    def cast(self, tensor: str, to: int, result: str) -> str:
        return self.add("Cast", [tensor], result, to=to)

    def column(self, tensor: str, result: str) -> str:
        return self.add("Reshape", [tensor, self.constant("column", [-1, 1])], result)

    def flat(self, tensor: str, result: str) -> str:
        return self.add("Reshape", [tensor, self.constant("flat", [-1])], result)

    def rows(self, tensor: str, result: str) -> str:
        """Return a tensor as (rows, n)."""
        if self._has_batch_axis:
            return self.add("Flatten", [tensor], result, axis=1)
        return self.add("Reshape", [tensor, self.constant("row", [1, -1])], result)

    def sum_of_rows(self, tensor: str, result: str) -> str:
        """Add up truth values along a row, as floats: (rows, n) -> (rows,)."""
        real = self.cast(tensor, TensorProto.FLOAT, f"{result}_terms")
        if self._opset >= _AXES_ARE_INPUT:
            return self.add("ReduceSum", [real, self.whole(1)], result, keepdims=0)
        return self.add("ReduceSum", [real], result, axes=[1], keepdims=0)

    def _end_in_scores(self, output: Output) -> str:
        """Make ``SCORES``, and say of each row whether it is of a class: int64, 1 or 0."""
        double = output.dtype == "float64"
        real = np.dtype(np.float64 if double else np.float32)
        # float16 and quantised scores are widened, which is exact. An unknown type is cast.
        wide = TensorProto.DOUBLE if double else TensorProto.FLOAT
        scores = self.cast(output.tensor, wide, "wide")
        if not (self._has_batch_axis and output.is_vector):
            scores = self.rows(scores, "rows")
        if output.kind == "score":
            zero = self.constant("zero", np.zeros(1, real))
            level = self.constant("threshold", np.full(1, output.threshold, real))
            # As many thresholds as rows. 0 * NaN is no 0, but nothing is below and above 0.
            sides = [self.add(s, [scores, zero], f"side_{s}") for s in ("Less", "Greater")]
            zeros = self.cast(self.add("And", sides, "never"), wide, "zeros")
            levels = self.add("Add", [zeros, level], "levels")
            self.add("Concat", [levels, scores], SCORES, axis=1)
        else:
            smallest = output.label is not None and output.label.decision == "smallest"
            self.add("Neg" if smallest else "Identity", [scores], SCORES)
        return self._has_a_largest(SCORES, real)

    def _is_of_a_class(self, tensor: str, index: int) -> str:
        """Say of each row of class scores beside a label whether it is of a class: 1 or 0."""
        wide = self.cast(tensor, TensorProto.DOUBLE, f"shown_{index}")
        row = self.rows(wide, f"shown_row_{index}")
        return self._has_a_largest(row, np.dtype(np.float64), f"_{index}")

    def _has_a_largest(self, rows: str, real: np.dtype[Any], mark: str = "") -> str:
        """Say of each row (rows, n) whether it has no NaN and its largest is finite: 1 or 0."""
        inf = self.constant(f"inf_{real}", np.full(1, np.inf, real))
        minus_inf = self.constant(f"minus_inf_{real}", np.full(1, -np.inf, real))
        below = self.add("Less", [rows, inf], f"below_inf{mark}")  # false for NaN too
        above = self.add("Greater", [rows, minus_inf], f"above_minus_inf{mark}")
        bad = self.sum_of_rows(self.add("Not", [below], f"too_large{mark}"), f"bad{mark}")
        good = self.sum_of_rows(above, f"good{mark}")
        none_bad = self.add("Less", [bad, self.real(0.5)], f"none_bad{mark}")
        some_good = self.add("Greater", [good, self.real(0.5)], f"some_good{mark}")
        valid = self.add("And", [none_bad, some_good], f"is_valid{mark}")
        return self.cast(valid, _INT64, f"has_largest{mark}")

    def _has_no_nan(self, tensor: str, mark: str) -> str:
        """Say of each row whether it holds numbers alone, which are above 0 or below 1: 1 or 0."""
        row = self.rows(self.cast(tensor, TensorProto.FLOAT, f"seen_{mark}"), f"seen_row_{mark}")
        above = self.add("Greater", [row, self.real(0)], f"above_{mark}")
        below = self.add("Less", [row, self.real(1)], f"below_{mark}")
        is_nan = self.add("Not", [self.add("Or", [above, below], f"number_{mark}")], f"nan_{mark}")
        count = self.sum_of_rows(is_nan, f"nans_{mark}")
        is_real = self.add("Less", [count, self.real(0.5)], f"no_nan_{mark}")
        return self.cast(is_real, _INT64, f"all_numbers_{mark}")

    def _own_label(self, label: Label, *, is_flat: bool) -> str:
        """Return the number of the class that a file's label is, int64 (rows,).

        A value that is none of the classes is numbered beyond them, and a negative number of no
        known class is lowered by 1: neither can pass for a class or for no class.
        """
        tensor = label.tensor
        if label.first_column:
            if is_flat or not self._has_batch_axis:
                tensor = self.rows(tensor, "columns")
            tensor = self.add("Gather", [tensor, self.whole(0)], "first", axis=1)
        if label.values and isinstance(label.values[0], str):
            texts = list(map(str, label.values))
            keys: dict[str, Any] = {"classes_strings": texts}
            if self._ml_opset > 1:
                keys = {"keys_strings": texts, "values_int64s": list(range(len(texts)))}
            keys["default_int64"] = len(texts)
            number = self.add("LabelEncoder", [tensor], "number", domain=ML, **keys)
            return self.flat(number, "number_flat")
        numbers = self.flat(self.cast(tensor, _INT64, "own"), "own_flat")
        if label.values:
            return self._position(numbers, np.array(label.values, np.int64))
        if label.table:
            table = self.constant("classes", np.array(label.table, np.int64))
            return self.add("Gather", [table, numbers], "class", axis=0)
        if label.decision is not None:
            return numbers
        real = self.cast(numbers, TensorProto.FLOAT, "own_real")  # Less takes no int64 before 9
        is_negative = self.add("Less", [real, self.real(0)], "is_negative")
        return self.add("Sub", [numbers, self.cast(is_negative, _INT64, "lowered")], "own_number")

    def _position(self, numbers: str, values: NDArray[np.int64]) -> str:
        """Return each number's position among values, or their count where it is none of them."""
        column = self.column(numbers, "own_column")
        same = self.add("Equal", [column, self.constant("values", values[None])], "same")
        real = self.cast(same, TensorProto.FLOAT, "same_real")  # CUDA's ArgMax takes no integers
        at = self.add("ArgMax", [real], "at", axis=1, keepdims=0)
        is_one = self.cast(self.sum_of_rows(same, "found"), _INT64, "is_found")
        beyond = self.whole(len(values))
        offset = self.add("Mul", [self.add("Sub", [at, beyond], "from_end"), is_one], "offset")
        return self.add("Add", [offset, beyond], "position")
