"""Small questions about a graph: what it declares, who made a tensor, what it depends on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import onnx
import onnx.shape_inference
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper
from onnx.external_data_helper import uses_external_data

Scope = onnx.GraphProto | onnx.FunctionProto
"""What holds nodes whose names live together: the main graph, or the body of a function."""

FunctionKey = str
"""What tells functions apart: domain, name and overload, joined as onnxruntime joins them."""

Dimension = int | str | None

FLOATS = {"float32": "FLOAT", "float16": "FLOAT16", "float64": "DOUBLE"}
"""Floating-point types by their usual name, with ONNX's."""

READING = {"ArrayFeatureExtractor", "Gather", "GatherElements", "GatherND"}
"""Operators that read a table at positions."""

ENCODING = {"CategoryMapper", "LabelEncoder"}
"""Operators that map each key to a value."""

_MOVING = {"Cast", "Constant", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"} | ENCODING
"""Operators that move values about, or name them, and compute nothing."""

_CRASHING = {"DictVectorizer", "LabelEncoder"}
"""Whose inference ends the process, in onnx 1.23, where the type of their input is not known."""

_USUAL = {onnx_name: name for name, onnx_name in FLOATS.items()}
_CONSTANTS: dict[str, tuple[str, type]] = {
    "value_int": ("i", np.int64),
    "value_ints": ("ints", np.int64),
    "value_float": ("f", np.float32),
    "value_floats": ("floats", np.float32),
    "value_string": ("s", object),
    "value_strings": ("strings", object),
}
"""Attributes of Constant beside its tensor, with the field that holds them."""


@dataclass(frozen=True)
class TensorSpec:
    """One input or output: its name, element type and dimensions (None or a name: not fixed)."""

    name: str
    dtype: str
    shape: tuple[Dimension, ...]

    @classmethod
    def of(cls, value: onnx.ValueInfoProto) -> TensorSpec:
        """Return what a file declares of a tensor."""
        if not value.type.HasField("tensor_type"):
            return cls(value.name, str(value.type.WhichOneof("value") or "unknown"), ())
        tensor = value.type.tensor_type
        try:
            kind = TensorProto.DataType.Name(tensor.elem_type)
        except ValueError:  # a number that no version of ONNX defines
            kind = f"unknown type {tensor.elem_type}"
        shape = tuple(
            (int(d.dim_value) if d.dim_value >= 1 else None)
            if d.HasField("dim_value")
            else d.dim_param or None
            for d in tensor.shape.dim
        )
        return cls(value.name, _USUAL.get(kind) or kind.lower(), shape)

    @property
    def dimensions(self) -> str:
        """The shape in words."""
        names = (repr(d)[1:-1] if isinstance(d, str) else d for d in self.shape)  # one line
        return f"[{', '.join('?' if d is None else str(d) for d in names)}]"

    @property
    def is_wide(self) -> bool:
        """Whether it holds several elements an input, by its shape."""
        return any(d != 1 for d in self.shape[1:])

    def __str__(self) -> str:
        return f"{self.name!r} {self.dtype} {self.dimensions}"


def listed(specs: Iterable[TensorSpec]) -> str:
    """Return tensors in words, for messages."""
    return ", ".join(map(str, specs)) or "none"


def onnx_type(dtype: str) -> int:
    """Return ONNX's number of an element type."""
    return int(TensorProto.DataType.Value(FLOATS.get(dtype, dtype.upper())))


def inferred(model: onnx.ModelProto, data_prop: bool = False) -> onnx.GraphProto:
    """Return the main graph with what onnx infers of its tensors.

    Args:
        model: the model.
        data_prop: whether shapes that are worked out in the graph are, too.

    Raises:
        Exception: of several kinds, where it cannot be inferred.
    """
    left = [i for i, node in enumerate(model.graph.node) if node.op_type in _CRASHING]
    if sum(node.op_type in _CRASHING for s in scopes(model) for node in nodes(s)) > len(left):
        return model.graph
    made = {name: i for i, node in enumerate(model.graph.node) for name in node.output}
    safe = model
    while True:
        if left:
            safe = onnx.ModelProto()
            safe.CopyFrom(model)
            del safe.graph.node[:]
            safe.graph.node.extend(n for i, n in enumerate(model.graph.node) if i not in left)
        graph = onnx.shape_inference.infer_shapes(safe, data_prop=data_prop).graph
        values = [*graph.input, *graph.output, *graph.value_info]
        known = {v.name for v in values if v.type.tensor_type.elem_type}
        known |= {tensor.name for tensor in graph.initializer}
        unknown = [
            i
            for i in left
            if not all(n in known and made.get(n, -1) < i for n in model.graph.node[i].input)
        ]
        if len(unknown) == len(left):
            return graph
        left, safe = unknown, model


class GraphView:
    """Look-ups over the top level of a model's graph, which it does not change."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model, self._graph = model, model.graph
        self._weights = {t.name: t for t in model.graph.initializer}
        self._made_by = {name: node for node in model.graph.node for name in node.output if name}

    @cached_property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The inputs that a caller must feed; old files list their weights among them too."""
        fed = (value for value in self._graph.input if value.name not in self._weights)
        return tuple(map(TensorSpec.of, fed))

    @cached_property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The outputs."""
        return tuple(map(TensorSpec.of, self._graph.output))

    @cached_property
    def specs(self) -> Mapping[str, TensorSpec]:
        """What can be said of tensors, by the file and by shape inference.

        Files of more than 2 GB cannot be handed over, and damaged files fail: what the file says is
        all there is then.
        """
        graph = self._graph
        with contextlib.suppress(Exception):  # C++ exceptions of several kinds
            graph = inferred(self._model)
        values = [*graph.input, *graph.output, *graph.value_info]
        return {value.name: TensorSpec.of(value) for value in values}

    def is_column(self, tensor: str) -> bool:
        """Return whether a tensor is known to hold one element an input."""
        spec = self.specs.get(tensor)
        return spec is not None and len(spec.shape) > 1 and not spec.is_wide

    def producer(self, tensor: str) -> onnx.NodeProto | None:
        """Return the node that makes a tensor; None for inputs and weights."""
        return self._made_by.get(tensor)

    def maker(self, tensor: str) -> onnx.NodeProto | None:
        """Return the node that makes a tensor under its first name."""
        return self.producer(self.source(tensor))

    def source(self, tensor: str) -> str:
        """Follow a tensor back through operators that only rename it."""
        return self.behind(tensor, {"Identity"})

    def behind(self, tensor: str, passing: set[str]) -> str:
        """Return the tensor behind operators of some names, followed along their first inputs."""
        seen: set[str] = set()
        node = self.producer(tensor)
        while node is not None and node.op_type in passing and node.input and tensor not in seen:
            seen.add(tensor)
            tensor = node.input[0]
            node = self.producer(tensor)
        return tensor

    def constant(self, tensor: str) -> NDArray[np.generic] | None:
        """Return the value of a weight or of a Constant node, by any name; None for others."""
        tensor = self.source(tensor)
        if tensor in self._weights:
            weight = self._weights[tensor]
            return None if uses_external_data(weight) else stored(weight)  # see rsonnx.model.apart
        node = self.producer(tensor)
        if node is None or node.op_type != "Constant":
            return None
        for held in node.attribute:
            if held.name == "value" and held.HasField("t"):
                return stored(held.t)
            if held.name in _CONSTANTS:
                field, kind = _CONSTANTS[held.name]
                value = getattr(held, field)
                return np.array(list(value) if held.name.endswith("s") else value, kind)
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

    def inputs_behind(self, tensors: Iterable[str]) -> set[str]:
        """Return the names of the inputs that tensors depend on."""
        return {spec.name for spec in self.inputs} & self.needed(tensors)[0]

    def depends_on_input(self, tensor: str) -> bool:
        """Return whether a tensor depends on an input of the graph, or is one."""
        return bool(self.inputs_behind([tensor]))


def stored(tensor: onnx.TensorProto) -> NDArray[np.generic]:
    """Return what a stored tensor holds; texts with what is no UTF-8 replaced."""
    if tensor.data_type != tensor.STRING:
        return numpy_helper.to_array(tensor)
    texts = [text.decode(errors="replace") for text in tensor.string_data]
    return np.array(texts, object).reshape(list(tensor.dims))


def used_by(node: onnx.NodeProto) -> Iterator[str]:
    """Yield the tensors that a node uses, those of its subgraphs included."""
    yield from filter(None, node.input)
    for body in bodies(node):
        for inner in body.node:
            yield from used_by(inner)
        yield from (output.name for output in body.output)


def attribute(node: onnx.NodeProto, name: str) -> onnx.AttributeProto | None:
    """Return one attribute of a node, None where it has none of this name."""
    return next((a for a in node.attribute if a.name == name), None)


def whole(node: onnx.NodeProto, name: str, default: int) -> int:
    """Return an attribute that is a whole number."""
    stated = attribute(node, name)
    return default if stated is None else int(stated.i)


def usual_domain(domain: str) -> str:
    """Return the usual name of a domain: the default one has two."""
    return "" if domain == "ai.onnx" else domain


def function_key(function: onnx.FunctionProto) -> FunctionKey:
    """Return what a function is called by."""
    return _joined(function.domain, function.name, function.overload)


def called(node: onnx.NodeProto) -> FunctionKey:
    """Return the key of the function that a node calls, if it is one of the model's."""
    return _joined(node.domain, node.op_type, node.overload)


def _joined(domain: str, name: str, overload: str) -> FunctionKey:
    # Colons in the three let different ones be one key: to onnxruntime they are one function.
    return ":".join([usual_domain(domain), name, *filter(None, [overload])])


def is_reserved(domain: str) -> bool:
    """Return whether a domain has operators that onnx or onnxruntime brings along."""
    name = f"{usual_domain(domain)}."
    return name.startswith((".", "ai.onnx.", "com.microsoft.", "com.ms.", "org.pytorch.aten."))


def scopes(proto: onnx.ModelProto) -> list[Scope]:
    """Return the main graph and the functions."""
    return [proto.graph, *proto.functions]


def bodies(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """Yield the subgraphs of a node."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def nodes(scope: Scope) -> Iterator[onnx.NodeProto]:
    """Yield every node of a graph or function and of its subgraphs."""
    for node in scope.node:
        yield node
        for body in bodies(node):
            yield from nodes(body)


def graphs(scope: Scope) -> Iterator[onnx.GraphProto]:
    """Yield a graph and its subgraphs; of a function, which is no graph itself, the subgraphs."""
    if isinstance(scope, onnx.GraphProto):
        yield scope
    for node in nodes(scope):
        yield from bodies(node)


def tensors(proto: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Yield every stored tensor of a model, of its functions and of their subgraphs."""
    for scope in scopes(proto):
        for graph in graphs(scope):
            yield from graph.initializer
            for sparse in graph.sparse_initializer:
                yield from (sparse.values, sparse.indices)
        for node in nodes(scope):
            for attribute in node.attribute:
                yield from (attribute.t, *attribute.tensors)
                for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                    yield from (sparse.values, sparse.indices)
