"""Refuse graphs that no onnxruntime loads, or only after hours: from the file alone."""

from __future__ import annotations

from collections import Counter
from graphlib import CycleError, TopologicalSorter

import onnx

from rsonnx.errors import ModelError
from rsonnx.model.graph import FunctionKey, called, function_key, graphs, nodes

_MOST_MORE_NODES = 20_000
"""Nodes by which a model may grow once its functions are put in place of their calls: onnxruntime
does that, and needs seconds for so many, but hours for a million, which twenty functions are that
each call the next one twice."""

_DEEPEST_CALLS = 1_000
"""Functions in functions: onnxruntime's stack overflows at some 2,000, which ends the process."""

_MAIN: FunctionKey = ""
"""The main graph among the functions, whose keys have a colon."""


def check_structure(proto: onnx.ModelProto, model: str) -> None:
    """Check that every tensor is made once, of what is there, and that all functions have an end.

    Nodes may stand in any order, as onnxruntime has it.

    Args:
        proto: the model.
        model: what it is called in messages.

    Raises:
        ModelError: a name is given twice or never, tensors or functions are made of themselves, or
            the functions would be of absurd size or depth.
    """
    _check_functions(proto, model)
    for graph in graphs(proto.graph):
        made = _check_order(graph, model)
        if graph is proto.graph:
            used = [name for node in graph.node for name in node.input if name]
            for name in (*used, *(value.name for value in graph.output)):
                if name not in made:
                    raise ModelError(
                        f"{model} uses the tensor {name[:80]!r}, which nothing in it makes; export "
                        "the model again"
                    )


def _check_functions(proto: onnx.ModelProto, model: str) -> None:
    functions = {function_key(function): function for function in proto.functions}
    if len(functions) < len(proto.functions):
        raise ModelError(
            f"{model} defines a function twice, so it is not clear which of the two is called; "
            "export the model again"
        )
    calls = {
        key: Counter(called(node) for node in nodes(scope))
        for key, scope in {**functions, _MAIN: proto.graph}.items()
    }
    inner = {key: functions.keys() & counts.keys() for key, counts in calls.items()}
    sizes: dict[FunctionKey, int] = {}
    depths: dict[FunctionKey, int] = {}
    try:
        for key in TopologicalSorter(inner).static_order():
            depths[key] = 1 + max((depths[other] for other in inner[key]), default=-1)
            sizes[key] = sum(
                times * min(sizes.get(other, 1), _MOST_MORE_NODES + 2)
                for other, times in calls[key].items()
            )
    except CycleError as error:
        raise ModelError(
            f"{model} has the function {error.args[1][0][:80]!r}, which calls itself, so it has no "
            "end; export the model without it"
        ) from None
    if sizes[_MAIN] - calls[_MAIN].total() > _MOST_MORE_NODES:
        raise ModelError(
            f"{model} has functions that come to over {_MOST_MORE_NODES:,} operators more than it "
            "shows; export the model without them"
        )
    if depths[_MAIN] > _DEEPEST_CALLS:
        raise ModelError(
            f"{model} has functions that call each other {depths[_MAIN]:,} deep, but at most "
            f"{_DEEPEST_CALLS:,} are followed; export the model without them"
        )


def _check_order(graph: onnx.GraphProto, model: str) -> set[str]:
    """Return the names that a graph gives; refuse one given twice, and tensors of themselves."""
    there = {value.name for value in graph.input}
    there |= {tensor.name for tensor in graph.initializer}
    there |= {sparse.values.name for sparse in graph.sparse_initializer}
    made_by: dict[str, int] = {}
    for number, node in enumerate(graph.node):
        for name in filter(None, node.output):
            if name in there or name in made_by:
                raise ModelError(
                    f"{model} makes the tensor {name[:80]!r} twice, so it is not clear which of "
                    "the two is used; export the model again"
                )
            made_by[name] = number
    # What a body uses of the graph around it is left out: its own names may be the same.
    before = {
        number: {made_by[name] for name in node.input if name in made_by}
        for number, node in enumerate(graph.node)
    }
    try:
        TopologicalSorter(before).prepare()
    except CycleError as error:
        outputs = filter(None, graph.node[error.args[1][0]].output)
        raise ModelError(
            f"{model} makes the tensor {next(outputs)[:80]!r} of itself, in a cycle of operators; "
            "export the model again"
        ) from None
    return there | made_by.keys()
