"""Small questions about a graph: who made a tensor, what it depends on, what a constant holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from rsonnx.model.tensors import TensorSpec

_MOVING = {"Cast", "Constant", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"} | {
    "CategoryMapper",
    "LabelEncoder",
}
"""Operators that move values about, or name them, and compute nothing."""

READING = {"ArrayFeatureExtractor", "Gather", "GatherElements", "GatherND"}
"""Operators that read a table at positions."""

ENCODING = {"CategoryMapper", "LabelEncoder"}
"""Operators that map each key to a value."""

_CONSTANTS: dict[str, type] = {
    "value_int": np.int64,
    "value_ints": np.int64,
    "value_float": np.float32,
    "value_floats": np.float32,
    "value_string": object,
    "value_strings": object,
}
"""Attributes of Constant, beside its tensor."""


class GraphView:
    """Look-ups over the top level of a graph, which it does not change.

    Args:
        graph: the graph.
        infer: returns what is known of tensors, by name; asked once, when it is needed.
    """

    def __init__(
        self, graph: onnx.GraphProto, infer: Callable[[], Mapping[str, TensorSpec]] = dict
    ) -> None:
        self._graph = graph
        self._infer = infer
        self._weights = {t.name: t for t in graph.initializer}
        self._made_by = {name: node for node in graph.node for name in node.output if name}

    @cached_property
    def specs(self) -> Mapping[str, TensorSpec]:
        """What is known of tensors: type and shape by name."""
        return self._infer()

    def producer(self, tensor: str) -> onnx.NodeProto | None:
        """Return the node that makes a tensor; None for inputs and weights."""
        return self._made_by.get(tensor)

    def constant(self, tensor: str) -> NDArray[np.generic] | None:
        """Return the value of a weight or of a Constant node, None for anything else."""
        if tensor in self._weights:
            return stored(self._weights[tensor])
        node = self.producer(tensor)
        if node is None or node.op_type != "Constant":
            return None
        for found in node.attribute:
            value = onnx.helper.get_attribute_value(found)
            if found.name == "value":
                return stored(value)
            if found.name in _CONSTANTS:
                return np.array(value, _CONSTANTS[found.name])
        return None

    def needed(self, tensors: Iterable[str]) -> tuple[set[str], list[onnx.NodeProto]]:
        """Return the names of all tensors that these depend on, and the nodes, in graph order."""
        names: set[str] = set()
        waiting = list(tensors)
        while waiting:
            name = waiting.pop()
            if name in names:
                continue
            names.add(name)
            node = self.producer(name)
            if node is not None:
                waiting += [n for n in used_by(node) if n not in names]
        return names, [n for n in self._graph.node if any(o in names for o in n.output)]

    def is_computed(self, tensor: str) -> bool:
        """Return whether a tensor is more than an input that was moved about."""
        return any(node.op_type not in _MOVING for node in self.needed([tensor])[1])

    def depends_on_input(self, tensor: str) -> bool:
        """Return whether a tensor depends on an input of the graph, or is one."""
        return bool(self.inputs & self.needed([tensor])[0])

    @property
    def inputs(self) -> set[str]:
        """Names of the inputs that a caller feeds."""
        return {i.name for i in self._graph.input} - set(self._weights)

    def source(self, tensor: str) -> str:
        """Follow a tensor back through operators that only rename it."""
        seen: set[str] = set()
        node = self.producer(tensor)
        while node is not None and node.op_type == "Identity" and node.input and tensor not in seen:
            seen.add(tensor)
            tensor = node.input[0]
            node = self.producer(tensor)
        return tensor


def stored(tensor: onnx.TensorProto) -> NDArray[np.generic]:
    """Return what a stored tensor holds; texts with what is no UTF-8 replaced."""
    if tensor.data_type != tensor.STRING:
        return numpy_helper.to_array(tensor)
    texts = [text.decode(errors="replace") for text in tensor.string_data]
    return np.array(texts, object).reshape(list(tensor.dims))


def used_by(node: onnx.NodeProto) -> Iterator[str]:
    """Yield the tensors that a node uses, those of its subgraphs included."""
    yield from filter(None, node.input)
    for attribute in node.attribute:
        for subgraph in (attribute.g, *attribute.graphs):
            for inner in subgraph.node:
                yield from used_by(inner)
            yield from (output.name for output in subgraph.output)


def attribute(node: onnx.NodeProto, name: str) -> onnx.AttributeProto | None:
    """Return one attribute of a node, None where it has none of this name."""
    return next((a for a in node.attribute if a.name == name), None)


def whole(node: onnx.NodeProto, name: str, default: int) -> int:
    """Return an attribute that is a whole number."""
    found = attribute(node, name)
    return default if found is None else int(found.i)
