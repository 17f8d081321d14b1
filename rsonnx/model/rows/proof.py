"""The proof: follow a graph from its input to its outputs, scope by scope."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import onnx
from onnx import defs, numpy_helper

from rsonnx.model.graph import (
    FunctionKey,
    Scope,
    called,
    function_key,
    is_reserved,
    usual_domain,
)
from rsonnx.model.rows.call import Call
from rsonnx.model.rows.follow import follow
from rsonnx.model.rows.values import (
    MOST_VALUES,
    Coupled,
    Dim,
    Multiple,
    Tensor,
    UnprovedError,
    Value,
    stored_shape,
    where_some,
)

_OPSETS = {"": range(7, 29), "ai.onnx.ml": range(1, 6), "com.microsoft": range(1, 2)}
"""Versions of the operator sets whose operators the rules are about."""

_LOSING_NAN = {"Hardmax", "ReduceMax", "ReduceMin"}

_TAKEN_BY_NAME = {"Constant", "If", "Loop", "Scan"}
"""Which onnxruntime knows in any domain, a Constant at least."""

_MOST_STEPS = 300_000
"""Inputs, outputs and attributes of nodes that are followed, those of functions at each call."""

_MOST_DEPTH = 40
"""Functions and subgraphs within each other."""

_Attributes = Mapping[str, onnx.AttributeProto]


@dataclass(frozen=True)
class RowProof:
    """Whether each row of a graph's outputs is one function of its own row of the input.

    Attributes:
        stopped_by: the operator or tensor at which the proof ends, None where it holds.
        guards: tensors that must be guarded, see :func:`prove_rows`, whether or not they are.
    """

    stopped_by: str | None
    guards: tuple[str, ...] = ()

    @property
    def proved(self) -> bool:
        """True: row i depends on row i alone, not on other rows, their number or i."""
        return self.stopped_by is None


def prove_rows(
    model: onnx.ModelProto,
    *,
    input_name: str,
    outputs: Sequence[str],
    guarded: Collection[str] = (),
) -> RowProof:
    """Try to prove that a batch is nothing but its rows.

    The proof is of the graph's operators as they are defined, for every number of rows N >= 1 and
    every content of the other rows; how their kernels round is not its subject. What is not surely
    understood ends it, so a graph without a proof may have independent rows all the same.

    Args:
        model: the graph that runs; its input's first axis holds the rows, whatever its size.
        input_name: name of the input; no other may be fed.
        outputs: names of outputs whose first axis must hold one entry a row.
        guarded: tensors of the main graph that the caller guards: a row with NaN in them counts as
            no class, whatever the outputs say. onnxruntime's ReduceMax, ReduceMin and Hardmax pass
            NaN on or lose it by where in memory a row lies.
    """
    guards: dict[str, None] = {}
    try:
        functions = {function_key(f): f for f in model.functions}
        if len(functions) < len(model.functions):
            raise UnprovedError("a function that is defined twice")
        names = _Walk(functions, guards).main(model, input_name)
        for name in outputs:
            value = names.value(name)
            if isinstance(value, Coupled):
                raise UnprovedError(value.by)
            if value is None or not value.shape or value.shape[0] != Multiple(1):
                raise UnprovedError(f"the output {_short(name)}, which has not one entry a row")
        for name in guards:
            if name not in guarded:
                raise UnprovedError(
                    f"the maximum of {_short(name)}, where NaN may be lost by its place"
                )
    except UnprovedError as error:
        return RowProof(str(error), tuple(guards))
    except (RecursionError, MemoryError):
        return RowProof("a graph that is too large", tuple(guards))
    except Exception:
        return RowProof("a graph that contradicts itself", tuple(guards))
    return RowProof(None, tuple(guards))


@dataclass(frozen=True)
class _Frame:
    """What all scopes within one function body, or the main graph, share.

    Attributes:
        opsets: version of each domain.
        attributes: of the call, which the body's nodes may refer to.
        depth: how many functions and subgraphs lie around.
    """

    opsets: Mapping[str, int]
    attributes: _Attributes
    depth: int = 0

    def deeper(self) -> _Frame:
        """Return the frame of a body within."""
        if self.depth >= _MOST_DEPTH:
            raise MemoryError
        return replace(self, depth=self.depth + 1)


@dataclass(eq=False)
class _Names:
    """The names of one scope; a name that it makes hides the same name around it.

    Attributes:
        makes: how often the scope makes each of its names.
        around: the scope around it; None for the main graph and functions.
        weights: stored tensors, looked at when they are used.
        values: what is known so far; None is an input that a function's caller left out.
        some: a mask that has true entries wherever the scope runs.
    """

    makes: Mapping[str, int]
    around: _Names | None
    weights: Mapping[str, onnx.TensorProto] = field(default_factory=dict)
    values: dict[str, Value | None] = field(default_factory=dict)
    some: Tensor | None = None

    @classmethod
    def of(
        cls, scope: Scope, around: _Names | None, inputs: Iterable[tuple[str, Value | None]]
    ) -> _Names:
        """Return the names of a scope, some of them inputs that have these values."""
        inputs = list(inputs)
        makes = Counter(name for name, _ in inputs)
        makes.update(name for node in scope.node for name in node.output if name)
        if isinstance(scope, onnx.FunctionProto):
            return cls(makes, around, {}, dict(inputs))
        makes.update(tensor.name for tensor in scope.initializer)
        makes.update(sparse.values.name for sparse in scope.sparse_initializer)
        sparse = [(s.values.name, Tensor(stored_shape(s.dims))) for s in scope.sparse_initializer]
        return cls(makes, around, {t.name: t for t in scope.initializer}, dict([*sparse, *inputs]))

    def value(self, name: str) -> Value | None:
        """Return what is known of a name, in this scope or around it."""
        scope: _Names | None = self
        while scope is not None:
            if scope.makes.get(name, 0) > 1:
                return Coupled(f"the tensor {_short(name)}, which is made twice")
            if name not in scope.values and name in scope.weights:
                scope.values[name] = _stored(scope.weights[name])
            if name in scope.values:
                return scope.values[name]
            if name in scope.makes:
                return Coupled(f"the tensor {_short(name)}, which is used before it is made")
            if scope.some is not None and scope.around is not None:
                value = scope.around.value(name)
                if isinstance(value, Tensor):
                    value = scope.values[name] = where_some(value, scope.some)
                return value
            scope = scope.around
        return Coupled(f"the tensor {_short(name)}, which nothing makes")

    def made(self, name: str) -> Value:
        """Return what is known of an output."""
        value = self.value(name)
        return Coupled(f"the tensor {_short(name)}, which is left out") if value is None else value


def _stored(tensor: onnx.TensorProto) -> Value:
    try:
        shape = stored_shape(tensor.dims)
        if math.prod(tensor.dims) > MOST_VALUES or tensor.data_type == tensor.STRING:
            return Tensor(shape)
        return Tensor(shape, numpy_helper.to_array(tensor))
    except Exception:
        return Coupled(f"the tensor {_short(tensor.name)}, which is damaged")


class _Walk:
    """Follows the nodes of a model, with a bound on how many.

    Args:
        functions: the model's own operators.
        guards: where the tensors that must be guarded are collected, in order.
    """

    def __init__(
        self, functions: Mapping[FunctionKey, onnx.FunctionProto], guards: dict[str, None]
    ) -> None:
        self._functions, self._guards = functions, guards
        self._own = {(usual_domain(f.domain), f.name) for f in functions.values()}
        self._main: Mapping[str, int] = {}
        self._steps = 0

    def main(self, model: onnx.ModelProto, input_name: str) -> _Names:
        """Follow the main graph and return its names."""
        self._main = _opsets(model.opset_import)
        fed = [value for value in model.graph.input if value.name == input_name]
        if len(fed) != 1:
            raise UnprovedError(f"the input {_short(input_name)}, which is not there once")
        names = _Names.of(model.graph, None, [(input_name, _rows(fed[0]))])
        self._nodes(model.graph.node, names, _Frame(self._main, {}))
        return names

    def _nodes(self, nodes: Iterable[onnx.NodeProto], names: _Names, frame: _Frame) -> None:
        for node in nodes:
            self._spend(1 + len(node.input) + len(node.output) + len(node.attribute))
            inputs = [names.value(name) if name else None for name in node.input]
            try:
                values = self._node(node, inputs, names, frame)
            except UnprovedError as error:
                values = [Coupled(_label(node, str(error)))] * len(node.output)
            names.values.update(zip(node.output, values, strict=True))

    def _spend(self, steps: int) -> None:
        self._steps += steps
        if self._steps > _MOST_STEPS:
            raise MemoryError

    def _node(
        self, node: onnx.NodeProto, inputs: list[Value | None], names: _Names, frame: _Frame
    ) -> list[Value]:
        domain = usual_domain(node.domain)
        attributes = _attributes(node, frame)
        if (domain, node.op_type) in self._own:
            return self._function(node, inputs, attributes, frame)
        tensors: list[Tensor | None] = []
        for value in inputs:
            if isinstance(value, Coupled):
                return [value] * len(node.output)
            tensors.append(value)
        version = frame.opsets.get(domain, 0)
        if version not in _OPSETS.get(domain, ()):
            raise UnprovedError(f"version {version} of its operator set")
        operator = f"{domain}.{node.op_type}" if domain else node.op_type
        defined = _defined_attributes(domain, node.op_type, version)
        if defined is not None and not set(attributes) <= defined:
            raise UnprovedError("an attribute that is not known")

        def body(
            graph: onnx.GraphProto, fed: Sequence[Value], some: Tensor | None = None
        ) -> list[Value]:
            self._spend(len(graph.input) + len(graph.initializer) + len(graph.node))
            inputs = [value.name for value in graph.input]
            inside = _Names.of(graph, names, zip(inputs, fed, strict=True))
            inside.some = some
            self._nodes(graph.node, inside, frame.deeper())
            return [inside.made(value.name) for value in graph.output]

        call = Call(operator, version, attributes, tuple(tensors), len(node.output), body)
        values = follow(call)
        if operator in _LOSING_NAN and tensors and tensors[0] is not None:
            self._guard(node.input[0], tensors[0], is_main=names.around is None and not frame.depth)
        return values

    def _guard(self, name: str, tensor: Tensor, *, is_main: bool) -> None:
        """Demand that a row with NaN in a tensor is no class, where the tensor has rows at all."""
        if tensor.axis is None:
            return
        if not is_main or tensor.dims[0] != Multiple(1):
            raise UnprovedError("NaN may be lost by its place")
        self._guards[name] = None

    def _function(
        self,
        node: onnx.NodeProto,
        inputs: list[Value | None],
        attributes: _Attributes,
        frame: _Frame,
    ) -> list[Value]:
        function = self._functions.get(called(node))
        if function is None or len(inputs) > len(function.input):
            raise UnprovedError("a function that is not surely the one that runs")
        if is_reserved(node.domain) or node.op_type in _TAKEN_BY_NAME:
            raise UnprovedError("a function that onnxruntime may take for an operator")
        versions = _opsets(function.opset_import)
        if any(self._main.get(name, version) != version for name, version in versions.items()):
            raise UnprovedError("a function of another version of an operator set")
        parts = (function.input, function.attribute_proto, function.opset_import, function.node)
        self._spend(sum(map(len, parts)))
        left_out = [None] * (len(function.input) - len(inputs))
        fed = zip(function.input, [*inputs, *left_out], strict=True)
        inside = _Names.of(function, None, fed)
        defaults = {a.name: a for a in function.attribute_proto}
        own = _Frame(versions, defaults | dict(attributes), frame.depth)
        self._nodes(function.node, inside, own.deeper())
        if len(node.output) > len(function.output):
            raise UnprovedError("more outputs than its function has")
        return [inside.made(name) for name in function.output[: len(node.output)]]


def _opsets(imports: Iterable[onnx.OperatorSetIdProto]) -> dict[str, int]:
    versions: dict[str, int] = {}
    for opset in imports:
        if versions.setdefault(usual_domain(opset.domain), opset.version) != opset.version:
            raise UnprovedError("two versions of one operator set")
    return versions


def _attributes(node: onnx.NodeProto, frame: _Frame) -> _Attributes:
    """Return a node's attributes, those that refer to the call of its function put in place."""
    attributes: dict[str, onnx.AttributeProto] = {}
    for attribute in node.attribute:
        if attribute.name in attributes:
            raise UnprovedError("an attribute given twice")
        if not attribute.ref_attr_name:
            attributes[attribute.name] = attribute
        elif attribute.ref_attr_name in frame.attributes:
            stated = frame.attributes[attribute.ref_attr_name]
            if stated.HasField("g") or stated.graphs:
                raise UnprovedError("a subgraph that its caller gives")
            attributes[attribute.name] = stated
    return attributes


@lru_cache(4096)
def _defined_attributes(domain: str, operator: str, version: int) -> frozenset[str] | None:
    """Return the attributes that onnx defines; None for an operator of onnxruntime's own."""
    try:
        return frozenset(defs.get_schema(operator, version, domain).attributes)
    except defs.SchemaError:
        return None


def _rows(value: onnx.ValueInfoProto) -> Tensor:
    """Return what is known of the input, whose first axis holds the rows whatever its size."""
    axes = list(value.type.tensor_type.shape.dim)
    names = Counter(axis.dim_param for axis in axes)
    if not axes or (axes[0].dim_param and names[axes[0].dim_param] > 1):
        raise UnprovedError(
            f"the input {_short(value.name)}, which has no axis of its own for rows"
        )
    sizes: list[Dim] = [axis.dim_value if axis.dim_value > 0 else None for axis in axes[1:]]
    return Tensor((Multiple(1), *sizes))


def _label(node: onnx.NodeProto, why: str) -> str:
    operator = ".".join(filter(None, (usual_domain(node.domain), node.op_type)))[:60]
    first = next((name for name in node.output if name), "")
    place = f"node {_short(node.name)}" if node.name else f"of {_short(first)}"
    return f"{operator} ({place}{'; ' if why else ''}{why})"


def _short(name: str) -> str:
    return repr(name[:40])
