"""Put models side by side into one graph, with nodes of our own between them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from rsonnx._version import __version__
from rsonnx.compose.versions import newest
from rsonnx.model.graph import called, function_key, graphs, nodes, scopes, usual_domain

INPUT, SCORES = "input", "scores"
"""Names of a composed model's input, float32 (batch, \\*shape), and output, (batch, classes)."""


def prefixed(model: onnx.ModelProto, prefix: str) -> onnx.ModelProto:
    """Return a copy of a model in which every name of a tensor, node or function begins so.

    All names of all its graphs are changed alike, so that what was one stays one.
    (``onnx.compose.add_prefix`` leaves weights that subgraphs use, and calls of functions in them,
    as they were.)
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    functions = {function_key(function) for function in made.functions}
    for scope in scopes(made):
        for node in nodes(scope):
            if called(node) in functions:
                node.op_type = prefix + node.op_type
    for function in made.functions:
        function.name = prefix + function.name
    for graph in graphs(made.graph):
        for node in graph.node:
            node.name = _named(prefix, node.name)
            for names in (node.input, node.output):
                names[:] = [_named(prefix, name) for name in names]
        sparse = [t for s in graph.sparse_initializer for t in (s.values, s.indices)]
        for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer, *sparse):
            value.name = _named(prefix, value.name)
    return made


def _named(prefix: str, name: str) -> str:
    return prefix + name if name else name  # an empty name is an input that is left out


@dataclass(eq=False)
class Builder:
    """Collects the nodes and constants of a graph, or of a body within one.

    Attributes:
        nodes, weights, sparse: of the graph so far.
        functions: of all parts.
        counter: numbers our own names, which bodies share.
    """

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: list[onnx.TensorProto] = field(default_factory=list)
    sparse: list[onnx.SparseTensorProto] = field(default_factory=list)
    functions: list[onnx.FunctionProto] = field(default_factory=list)
    counter: Iterable[int] = field(default_factory=itertools.count)

    def add(self, operator: str, operands: Sequence[str], name: str = "", **attributes: Any) -> str:
        """Add a node of one output and return the output's name."""
        name = name or self._name(operator.lower())
        self.nodes.append(helper.make_node(operator, operands, [name], **attributes))
        return name

    def constant(self, value: Any, dtype: Any) -> str:
        """Add a constant and return its name."""
        name = self._name("constant")
        self.weights.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def embed(
        self, model: onnx.ModelProto, prefix: str, feeds: Mapping[str, str]
    ) -> Mapping[str, str]:
        """Add all of a model, its inputs fed from tensors that are here; names begin with a prefix.

        Returns:
            The name here of each of its outputs.
        """
        part = prefixed(model, prefix)
        for name, tensor in feeds.items():
            self.add("Identity", [tensor], prefix + name)
        self.nodes.extend(part.graph.node)
        self.weights.extend(part.graph.initializer)
        self.sparse.extend(part.graph.sparse_initializer)
        self.functions.extend(part.functions)
        return {output.name: prefix + output.name for output in model.graph.output}

    def body(self) -> Builder:
        """Return a builder of a graph within this one, whose tensors it may use."""
        return Builder(functions=self.functions, counter=self.counter)

    def graph(
        self,
        name: str,
        inputs: Sequence[onnx.ValueInfoProto],
        outputs: Sequence[onnx.ValueInfoProto],
    ) -> onnx.GraphProto:
        """Return the graph."""
        return helper.make_graph(
            self.nodes,
            name,
            inputs,
            outputs,
            self.weights,
            sparse_initializer=self.sparse,
        )

    def _name(self, stem: str) -> str:
        return f"{stem}_{next(iter(self.counter))}"


def composed(
    builder: Builder,
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    parts: Sequence[onnx.ModelProto],
    metadata: Mapping[str, str],
) -> onnx.ModelProto:
    """Return the model that a builder's nodes are: the same bytes for the same parts and options.

    Args:
        builder: with all nodes.
        inputs, outputs: of the model.
        parts: models of which it is made: their newest operator sets, those that nothing uses left
            out, and their newest IR version are its own.
        metadata: its entries.
    """
    model = helper.make_model(
        builder.graph("composed", inputs, outputs),
        functions=builder.functions,
        producer_name="rsonnx",
        producer_version=__version__,
    )
    versions = newest(parts, 0)
    used = {usual_domain(node.domain) for scope in scopes(model) for node in nodes(scope)} | {""}
    used |= {usual_domain(o.domain) for f in model.functions for o in f.opset_import}
    del model.opset_import[:]
    model.opset_import.extend(
        helper.make_opsetid(domain, version)
        for domain, version in sorted(versions.items())
        if domain in used
    )
    known = [o for o in model.opset_import if usual_domain(o.domain) in ("", "ai.onnx.ml")]
    model.ir_version = max(
        *(part.ir_version for part in parts), helper.find_min_ir_version_for(known)
    )
    helper.set_model_props(model, dict(sorted(metadata.items())))
    return model
