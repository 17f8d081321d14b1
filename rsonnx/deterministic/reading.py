"""From the graph of a classifier to layers of which bounds are known, or a refusal.

Operators that only move values are run on the places of the values, and those on constants as they
are; every other operator that is read has a rule (:mod:`rsonnx.deterministic.rules`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper
from onnx.reference import ReferenceEvaluator

from rsonnx.deterministic.building import Builder, Value
from rsonnx.deterministic.layers import Network
from rsonnx.deterministic.rules import RULES, Call
from rsonnx.errors import ModelError
from rsonnx.model.assumptions import LOSING_LONG
from rsonnx.model.graph import GraphView, usual_domain

_MOVING = {"Flatten", "Gather", "Identity", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze"}

_EXACT = _MOVING | {
    *("Cast", "Concat", "Constant", "ConstantOfShape", "Expand", "Neg", "Shape"),
    *("Add", "Div", "Mul", "Sqrt", "Sub"),  # which every machine rounds alike
}
"""Operators that may compute floats of constants."""


def read_network(
    model: onnx.ModelProto,
    input_name: str,
    shape: Sequence[int],
    scores: str,
    threshold: float | None = None,
) -> Network:
    """Return the layers from an input to the scores that answer.

    Args:
        model: the model.
        input_name: its input.
        shape: of one input, without the batch axis.
        scores: the tensor that answers: a score a class, or one score with a threshold.
        threshold: above which one score is of class 1; the scores are then it and the one.

    Raises:
        ModelError: the graph holds an operator, which is named, of which no bounds are known here.
    """
    size = math.prod(shape)
    reader = _Reader(model, size)
    reader.tensors[input_name] = Value(0, np.arange(size).reshape(1, *shape))
    for node in GraphView(model).needed([scores])[1]:
        reader.read(node)
    answer = reader.tensors[scores]
    if not isinstance(answer, Value):
        raise ModelError(f"the scores {scores!r} do not depend on the input")
    build = reader.build
    layer = build.in_order(answer)
    if threshold is not None:
        beside = np.array([[0.0], [1.0]])
        layer = build.affine([(layer, beside)], (2,), np.array([threshold, 0.0])).layer
    return Network(size, tuple(build.layers[:layer]), answer.softened)


class _Reader:
    """Reads one node after the other."""

    def __init__(self, model: onnx.ModelProto, size: int) -> None:
        self.build = Builder(size)
        self.tensors: dict[str, Any] = {"": None}
        """Of each name that has been read a :class:`Value`, or the array of a constant."""
        self._opsets = list(model.opset_import)
        self._opset = next((o.version for o in self._opsets if not usual_domain(o.domain)), 0)
        view = GraphView(model)
        for tensor in model.graph.initializer:
            self.tensors[tensor.name] = view.constant(tensor.name)

    def read(self, node: onnx.NodeProto) -> None:
        """Read a node whose operands have been read.

        Raises:
            ModelError: no bounds are known of it.
        """
        unread = [name for name in node.input if name not in self.tensors]
        if unread:
            raise ModelError(
                f"{node.op_type} uses {unread[0]!r}, which no operator read here makes"
            )
        operands = [self.tensors[name] for name in node.input]
        call = Call.of(node, operands, self._opset)
        varying = [operand for operand in operands if isinstance(operand, Value)]
        result: Any
        if usual_domain(node.domain):
            raise call.refusal(f" of {node.domain}")
        if node.op_type == "Shape" and varying:
            places = np.zeros(varying[0].shape, np.bool_)  # only its shape is looked at
            result = self._run(node, [places])
        elif not varying:
            floats = any(o is not None and o.dtype.kind == "f" for o in operands)
            if node.op_type in LOSING_LONG or (floats and node.op_type not in _EXACT):
                raise call.refusal(" of constants")
            result = self._run(node, operands)
        elif node.op_type in _MOVING and varying == operands[:1]:
            value = varying[0]
            result = replace(value, places=self._run(node, [value.places, *operands[1:]]))
        elif node.op_type in RULES:
            if any(value.softened for value in varying):
                raise call.refusal(f" behind {varying[0].softened}")
            result = RULES[node.op_type](self.build, call)
        else:
            raise call.refusal()
        self.tensors[node.output[0]] = result

    def _run(self, node: onnx.NodeProto, operands: Sequence[Any]) -> NDArray[Any]:
        """Return what a node makes of arrays."""
        named = dict(zip(map(str, node.input), operands, strict=True))
        named.pop("", None)
        inputs = [onnx.ValueInfoProto(name=name) for name in named]
        outputs = [onnx.ValueInfoProto(name=node.output[0])]
        graph = helper.make_graph([node], "node", inputs, outputs)
        alone = helper.make_model(graph, opset_imports=self._opsets)
        try:
            results: Any = ReferenceEvaluator(alone).run(None, named)
        except Exception as error:  # its operators raise many kinds
            raise ModelError(
                f"{node.op_type} {node.output[0]!r} cannot be evaluated: {error}"
            ) from error
        return np.asarray(results[0])
