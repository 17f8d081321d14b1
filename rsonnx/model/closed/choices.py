"""Operators that decide among sums, and what is made of their answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import onnx
from numpy.typing import NDArray

from rsonnx.model.closed.curves import Curves
from rsonnx.model.closed.refusal import NotClosedError
from rsonnx.model.closed.runs import Tensors
from rsonnx.model.closed.values import (
    Bounded,
    Choice,
    Fixed,
    Labels,
    Rising,
    Sums,
    Value,
    unit_of,
)
from rsonnx.model.graph import GraphView, whole
from rsonnx.model.possible import COMPARING


class Choices:
    """The rules of operators that decide, for one graph.

    Args:
        view: look-ups over the graph.
        seen: its tensors.
        curves: the rules of rising functions.
    """

    def __init__(self, view: GraphView, seen: Tensors, curves: Curves) -> None:
        self._view, self._seen, self._curves = view, seen, curves

    def result(self, node: onnx.NodeProto, operands: Sequence[Value | None]) -> list[Value] | None:
        """Return what a node makes of its operands; None if that is not known."""
        made: Value | None = None
        if node.op_type in {"And", "Or"}:
            made = self._always(node)
        if any(isinstance(operand, Labels) for operand in operands):
            return self._of_labels(node, operands) if made is None else [made]
        if node.op_type in {"ArgMax", "ArgMin"}:
            made = self._largest(node, operands[0])
        elif node.op_type in COMPARING - {"Equal"}:
            made = self._compared(node, operands)
        return None if made is None else [made]

    def labels(self, node: onnx.NodeProto, choice: Choice, answers: NDArray[np.generic]) -> Labels:
        """Return what a node answers for each outcome of a choice, as its first output."""
        shape = self._seen.shape(node.output[0], choice.outcomes)
        if math.prod(shape) != choice.outcomes:
            raise NotClosedError(f"{node.op_type} gives several answers an input")
        return Labels(choice, answers.reshape(shape))

    def _largest(self, node: onnx.NodeProto, source: Value | None) -> Value | None:
        if isinstance(source, Bounded):
            raise NotClosedError(
                "its label compares sigmoids of several scores, which float32 rounds to 1 alike"
            )
        sums = source.sums if isinstance(source, Rising) else source
        if not isinstance(sums, Sums) or whole(node, "select_last_index", 0):
            return None
        if sums.axis != 0 or sums.coefficients.ndim != 2 or whole(node, "axis", 0) not in (1, -1):
            return None
        if node.op_type == "ArgMin":
            sums = replace(sums, coefficients=-sums.coefficients)
        count = sums.coefficients.shape[1]
        if count == 1:
            return Fixed(np.zeros(self._seen.shape(node.output[0], 1), np.int64))
        resolution = source.resolution if isinstance(source, Rising) else 0.0
        choice = Choice(difference(sums) if count == 2 else sums, resolution=resolution)
        return self.labels(node, choice, np.arange(count))

    def _compared(self, node: onnx.NodeProto, operands: Sequence[Value | None]) -> Value | None:
        left, right = (self._curves.bounds(operand) for operand in operands)
        if left is None or right is None:
            return None
        less, equal = node.op_type.startswith("Less"), node.op_type.endswith("Equal")
        low, high = (left, right) if less else (right, left)
        if low.high < high.low or (equal and low.high <= high.low):
            return self._truth(node, True)
        if low.low > high.high or (not equal and low.low >= high.high):
            return self._truth(node, False)
        turned = isinstance(operands[0], Fixed)
        source, level = operands[::-1] if turned else operands
        sums = source.sums if isinstance(source, Rising) else source
        if not isinstance(level, Fixed) or not isinstance(sums, Sums):
            return Bounded(0.0, 1.0)
        threshold, resolution = level.array.ravel().astype(float), 0.0
        if isinstance(source, Rising):  # of which a sigmoid is a half where its sum is 0
            is_half = source.is_sigmoid & (threshold == 0.5)
            threshold, resolution = threshold[is_half] - 0.5, source.resolution
        if threshold.size != 1 or sums.elements != 1:
            return Bounded(0.0, 1.0)
        asks_above = less == turned
        choice = Choice(sums.column(0), float(threshold[0]), asks_above == equal, resolution)
        return self.labels(node, choice, np.array([not asks_above, asks_above]))

    def _truth(self, node: onnx.NodeProto, truth: bool) -> Fixed:
        return Fixed(np.full(self._seen.shape(node.output[0], 1), truth))

    def _always(self, node: onnx.NodeProto) -> Fixed | None:
        """Return what And or Or of two comparisons of one tensor always gives, if it does.

        This is how NaN is seen: every number is above 0 or below 1, and none is below and above 0.
        """
        sides = {}
        for maker in map(self._view.producer, node.input):
            level = None if maker is None else self._view.constant(maker.input[-1])
            if maker is not None and level is not None and level.size == 1:
                sides[maker.op_type] = (maker.input[0], float(level.ravel()[0]))
        if sides.keys() != {"Greater", "Less"} or sides["Greater"][0] != sides["Less"][0]:
            return None
        above, below = sides["Greater"][1], sides["Less"][1]
        is_or = node.op_type == "Or"
        return self._truth(node, is_or) if is_or == (above < below) else None

    def _of_labels(
        self, node: onnx.NodeProto, operands: Sequence[Value | None]
    ) -> list[Value] | None:
        """Apply any operator to the outcomes of one choice, as to a batch."""
        held = [operand for operand in operands if isinstance(operand, Fixed | Labels)]
        choices = {id(label.choice): label.choice for label in held if isinstance(label, Labels)}
        names = [name for name in node.output if name]
        if len(held) < len(operands) or len(choices) > 1 or None in map(self._seen.axis, names):
            return None
        choice = next(iter(choices.values()))
        made = self._seen.applied(node, [operand.array for operand in held])
        shapes = [self._seen.shape(name, choice.outcomes) for name in names]
        if [array.shape for array in made] != shapes:
            return None
        return [Labels(choice, array) for array in made]


def difference(sums: Sums) -> Sums:
    """Return how far the second of two scores is above the first, as one score.

    Exact scores are compared exactly, whatever their difference would be rounded to.
    """
    return Sums(
        sums.coefficients[:, 1:] - sums.coefficients[:, :1],
        sums.sizes.sum(axis=1, keepdims=True),
        0,
        sums.roundings,
        0.0 if sums.roundings else sums.unit or unit_of(sums.coefficients),
    )
