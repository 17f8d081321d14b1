"""Model files whose graphs are none, hide something, or want much memory or time when they run."""

from __future__ import annotations

import itertools

import numpy as np
import onnx
from hostile.making import FLOAT, Makers, graph
from onnx import NodeProto, TensorProto, helper, numpy_helper
from onnx_models import build, echo, node

MAKERS = Makers()
_add = MAKERS.add


# Graphs that are none


def _listed_twice() -> onnx.ModelProto:
    proto = echo()
    proto.graph.input.append(proto.graph.input[0])
    return proto


def _without(field: str) -> onnx.ModelProto:
    proto = graph([node("Relu", ["x"], "scores")])
    proto.ClearField(field) if field == "opset_import" else proto.graph.ClearField(field)
    return proto


_add("cycle", lambda: graph([node("Relu", ["b"], "a"), node("Add", ["a", "x"], "b"),
                             node("Add", ["a", "b"], "scores")]))  # fmt: skip
_add("cycle of identities", lambda: graph([node("Identity", ["scores"], "a"),
                                           node("Identity", ["a"], "scores")]))  # fmt: skip
_add("undefined tensor", lambda: graph([node("Add", ["x", "nowhere"], "scores")]))
_add("undefined output", lambda: graph([node("Relu", ["x"], "other")]))
_add("two nodes of one output", lambda: graph([node("Relu", ["x"], "scores"),
                                               node("Neg", ["x"], "scores")]))  # fmt: skip
_add("input listed twice", _listed_twice)
_add("output is the input", lambda: build([node("Relu", ["x"], "y")], ("n", 4), ("n", 4),
                                          output_name="x"))  # fmt: skip
for _size in (2**35, 2**62):
    _add(f"input of {_size} values", lambda n=_size: build([node("Relu", ["x"], "scores")],
                                                           ("n", n), ("n", 4)))  # fmt: skip
_add("axis of two lines", lambda: build([node("Relu", ["x"], "scores")], ("n", "a\n\x1b[2J"),
                                       ("n", 4)))  # fmt: skip
_add("no inputs", lambda: _without("input"))
_add("no outputs", lambda: _without("output"))
_add("no opset", lambda: _without("opset_import"))
_add("node without output", lambda: graph([NodeProto(op_type="Relu", input=["x"]),
                                           node("Relu", ["x"], "scores")]))  # fmt: skip
_add("node without input", lambda: graph([NodeProto(op_type="Identity", output=["scores"])]))
_add("zipmap without input", lambda: graph([NodeProto(op_type="ZipMap", output=["scores"],
                                                      domain="ai.onnx.ml")]))  # fmt: skip

for _name in ("rsonnx_input", "rsonnx_label", "rsonnx_scores", "rsonnx_rows", "rsonnx_head_0"):
    _add(
        f"our name {_name}",
        lambda n=_name: graph([node("Relu", ["x"], n), node("Neg", [n], "scores")]),
    )


# onnxruntime lets the second of two initializers win, which changed what the model computes.
def _weight_of_our_name() -> onnx.ModelProto:
    weights = {"rsonnx_zero": np.array([-1], np.float32)}
    return graph([node("Mul", ["x", "rsonnx_zero"], "scores")], weights=weights)


_add("our name as weight", _weight_of_our_name)
_add("our name as input", lambda: build([node("Relu", ["rsonnx_input"], "scores")], ("n", 4),
                                        ("n", 4), input_name="rsonnx_input"))  # fmt: skip
_add("our name as output", lambda: build([node("Relu", ["x"], "rsonnx_label")], ("n", 4), ("n", 4),
                                         output_name="rsonnx_label"))  # fmt: skip

for _version in (0, 9999, -1, 2**62):
    _add(f"opset {_version}", lambda v=_version: graph([node("Relu", ["x"], "scores")], opset=v))
for _version in (0, 9999, -1):
    _add(f"ir {_version}", lambda v=_version: graph([node("Relu", ["x"], "scores")], ir_version=v))


def _many(count: int) -> onnx.ModelProto:
    names = ["x", *(f"t{i}" for i in range(count - 1)), "scores"]
    proto = graph([])
    for source, target in itertools.pairwise(names):
        proto.graph.node.add(op_type="Neg", input=[source], output=[target])
    return proto


_add("3000 nodes", lambda: _many(3_000))
_add("200000 nodes", lambda: _many(200_000))


# What hides in subgraphs and functions


def _branch(nodes: list[NodeProto]) -> onnx.GraphProto:
    result = helper.make_tensor_value_info("b", FLOAT, None)
    return helper.make_graph(nodes, "branch", [], [result])


def _in_if(inner: NodeProto) -> onnx.ModelProto:
    yes = numpy_helper.from_array(np.array(True), "yes")
    other = _branch([node("Identity", ["x"], "b")])
    made = node("If", ["yes"], "scores", then_branch=_branch([inner]), else_branch=other)
    proto = graph([made])
    proto.graph.initializer.append(yes)
    return proto


def _loop(times: int, inner: NodeProto) -> onnx.ModelProto:
    """A loop that starts with x and computes b from a, so many times."""
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [node("Identity", ["go"], "on"), inner],
        "body",
        [
            info("i", TensorProto.INT64, []),
            info("go", TensorProto.BOOL, []),
            info("a", FLOAT, None),
        ],
        [info("on", TensorProto.BOOL, []), info("b", FLOAT, None)],
    )
    proto = graph([node("Loop", ["times", "yes", "x"], "scores", body=body)])
    proto.graph.initializer.append(numpy_helper.from_array(np.array(times), "times"))
    proto.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
    return proto


_add("random in an If", lambda: _in_if(node("RandomNormalLike", ["x"], "b")))
_add("random in a Loop", lambda: _loop(2, node("RandomUniformLike", ["a"], "b")))
_add("custom operator in an If", lambda: _in_if(node("Evil", ["x"], "b", domain="evil")))
_add("custom operator", lambda: graph([node("Evil", ["x"], "scores", domain="evil")],
                                      domains=("evil",)))  # fmt: skip


def _functions(calls: dict[str, str]) -> onnx.ModelProto:
    """Functions of one node each: name -> operator that it calls."""
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("mine", 1)]
    made = [
        helper.make_function(
            "mine", name, ["a"], ["b"],
            [node(called, ["a"], "b", domain="mine" if called in calls else "")], opsets,
        )
        for name, called in calls.items()
    ]  # fmt: skip
    start = node(next(iter(calls)), ["x"], "scores", domain="mine")
    return graph([start], domains=("mine",), functions=made)


def _doubling(levels: int) -> onnx.ModelProto:
    """Functions that each call the next one twice: 2^levels nodes once they are inlined."""
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("mine", 1)]
    functions = [
        helper.make_function(
            "mine", f"F{i}", ["a"], ["b"],
            [node(f"F{i + 1}", ["a"], "m", domain="mine"),
             node(f"F{i + 1}", ["m"], "b", domain="mine")], opsets,
        )
        for i in range(levels)
    ]  # fmt: skip
    last = helper.make_function(
        "mine", f"F{levels}", ["a"], ["b"], [node("Neg", ["a"], "b")], opsets
    )
    start = node("F0", ["x"], "scores", domain="mine")
    return graph([start], domains=("mine",), functions=[*functions, last])


def _doubling_by_overload(levels: int) -> onnx.ModelProto:
    """The same, where all functions have one name and are told apart by their overload."""
    proto = _doubling(levels)
    for function in proto.functions:
        function.overload, function.name = function.name, "F"
        for call in function.node:
            if call.domain:
                call.overload, call.op_type = call.op_type, "F"
    call = proto.graph.node[0]
    call.overload, call.op_type = call.op_type, "F"
    return proto


def _doubling_in_disguise(levels: int) -> onnx.ModelProto:
    """The same again, but calls name the overload within the name, which onnxruntime takes."""
    proto = _doubling_by_overload(levels)
    for call in itertools.chain(proto.graph.node, *(f.node for f in proto.functions)):
        if call.domain:
            call.op_type, call.overload = f"{call.op_type}:{call.overload}", ""
    return proto


def _defined_twice() -> onnx.ModelProto:
    proto = _functions({"F": "Neg"})
    proto.functions.append(_functions({"F": "RandomNormalLike"}).functions[0])
    return proto


_add("function defined twice", _defined_twice)
_add("function calls itself", lambda: _functions({"F": "F"}))
_add("functions call each other", lambda: _functions({"F": "G", "G": "F"}))
_add("random in a function", lambda: _functions({"F": "RandomNormalLike"}))
_add("functions double 40 times", lambda: _doubling(40))
_add("functions double 15 times", lambda: _doubling(15))
_add("overloads double 40 times", lambda: _doubling_by_overload(40))
_add("functions in disguise double 40 times", lambda: _doubling_in_disguise(40))


# Little files that want much memory or time when they run


def _expanding(operator: str) -> onnx.ModelProto:
    """The scores are x plus 0 times the mean of 2^37 values."""
    size = {"Expand": [2**35, 4], "Tile": [2**35, 1], "ConstantOfShape": [2**37]}[operator]
    inputs = ["size"] if operator == "ConstantOfShape" else ["x", "size"]
    if operator == "Expand":  # a batch of one can be expanded
        inputs[0] = "zeros"
    made = [
        node(operator, inputs, "large"),
        node("ReduceMean", ["large"], "mean", keepdims=0),
        node("Mul", ["mean", "zero"], "nothing"),
        node("Add", ["x", "nothing"], "scores"),
    ]
    weights = {
        "size": np.array(size),
        "zero": np.zeros(1, np.float32),
        "zeros": np.zeros((1, 4), np.float32),
    }
    return graph(made, weights=weights)


def _range() -> onnx.ModelProto:
    made = [
        node("Range", ["zero", "end", "step"], "large"),
        node("ReduceMax", ["large"], "top", keepdims=0),
        node("Mul", ["top", "zero"], "nothing"),
        node("Add", ["x", "nothing"], "scores"),
    ]
    weights = {
        "zero": np.array(0, np.float32),
        "end": np.array(2.0**36, np.float32),
        "step": np.array(1, np.float32),
    }
    return graph(made, weights=weights)


for _operator in ("Expand", "Tile", "ConstantOfShape"):
    _add(f"bomb of {_operator}", lambda o=_operator: _expanding(o))
_add("bomb of Range", _range)
_add("endless loop", lambda: _loop(2**62, node("Neg", ["a"], "b")))
_add("loop that doubles", lambda: _loop(60, node("Concat", ["a", "a"], "b", axis=0)))
