"""Subgraphs, functions, names and graphs from strangers."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hostile import hostile_graphs
from onnx import NodeProto, TensorProto, helper, numpy_helper
from row_oracle import assert_rows_are_independent

from rsonnx.model.rows import prove_rows

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
info = helper.make_tensor_value_info
MAKERS = hostile_graphs.MAKERS


def node(
    operator: str, inputs: str, outputs: str = "y", domain: str = "", **attributes: Any
) -> NodeProto:
    return helper.make_node(operator, inputs.split(), outputs.split(), domain=domain, **attributes)


def model(
    nodes: list[NodeProto],
    weights: dict[str, object] | None = None,
    functions: list[onnx.FunctionProto] | None = None,
    opset: int = 17,
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "main",
        [info("x", FLOAT, ["n", 4])],
        [onnx.ValueInfoProto(name="y")],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in (weights or {}).items()],
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("mine", 1)]
    return helper.make_model(graph, opset_imports=opsets, functions=functions or [], ir_version=10)


def branch(*nodes: NodeProto, result: str = "y") -> onnx.GraphProto:
    return helper.make_graph(list(nodes), "branch", [], [info(result, FLOAT, None)])


def choice(then: NodeProto, otherwise: NodeProto, condition: str = "c") -> NodeProto:
    return node("If", condition, then_branch=branch(then), else_branch=branch(otherwise))


def function(
    nodes: list[NodeProto], inputs: str = "a", name: str = "F", overload: str = ""
) -> onnx.FunctionProto:
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]
    made = helper.make_function("mine", name, inputs.split(), ["y"], nodes, opsets)
    made.overload = overload
    return made


def stopped_by(proto: onnx.ModelProto) -> str | None:
    proof = prove_rows(proto, input_name="x", outputs=["y"])
    if proof.proved:
        assert_rows_are_independent(proto, "y")
    return proof.stopped_by


RELU, MIXED = node("Relu", "x"), node("Softmax", "x", axis=0)
TRUE, FALSE = np.array(True), np.array(False)


def test_a_constant_condition_picks_its_branch() -> None:
    assert stopped_by(model([choice(RELU, MIXED)], {"c": TRUE})) is None
    assert "Softmax" in str(stopped_by(model([choice(RELU, MIXED)], {"c": FALSE})))


def test_a_fixed_condition_that_is_not_known_takes_both_branches() -> None:
    opaque = [node("ReduceMax", "w", "m", keepdims=0), node("Cast", "m", "c", to=BOOL)]
    large = {"w": np.ones(5000, np.float32)}
    assert stopped_by(model([*opaque, choice(RELU, node("Neg", "x"))], large)) is None
    assert "Softmax" in str(stopped_by(model([*opaque, choice(RELU, MIXED)], large)))


@pytest.mark.parametrize("source", ["x", "Shape"])
def test_a_condition_of_the_rows_or_of_their_number_couples(source: str) -> None:
    first = [node("Shape", "x", "s"), node("Cast", "s", "f", to=FLOAT)] if source == "Shape" else []
    summed = node("ReduceSum", "f" if first else "x", "m", keepdims=0)
    nodes = [*first, summed, node("Greater", "m t", "c"), choice(RELU, node("Neg", "x"))]
    assert stopped_by(model(nodes, {"t": np.float32(9)})) is not None


def test_a_condition_that_holds_for_every_number_of_rows_is_known() -> None:
    nodes = [node("Size", "x", "s"), node("Greater", "s t", "c"), choice(RELU, MIXED)]
    assert stopped_by(model(nodes, {"t": np.array(0)})) is None
    assert stopped_by(model(nodes, {"t": np.array(4)})) is not None  # not where one row is 4


def test_a_number_that_wraps_in_32_bits_is_not_known() -> None:
    nodes = [
        node("Shape", "x", "s"),
        node("Concat", "s big", "long", axis=0),
        node("Cast", "long", "short", to=TensorProto.INT32),
        node("Gather", "short two", "k"),
        node("Equal", "k none", "c"),  # 2^32 is 0
        choice(MIXED, RELU),
    ]
    weights = {"big": np.array([2**32]), "two": np.array(2), "none": np.array(0, np.int32)}
    assert stopped_by(model(nodes, weights)) is not None


def loop(*nodes: NodeProto, go: str = "go", results: str = "b") -> NodeProto:
    inputs = [info("i", INT64, []), info("go", BOOL, []), info("a", FLOAT, None)]
    outputs = [info("on", BOOL, []), *(info(name, FLOAT, None) for name in results.split())]
    body = helper.make_graph([node("Identity", go, "on"), *nodes], "body", inputs, outputs)
    return node("Loop", "times yes x", "y", body=body)


def test_a_loop_of_a_fixed_number_of_rounds_is_followed() -> None:
    weights = {"times": np.array(3), "yes": TRUE}
    assert stopped_by(model([loop(node("Tanh", "a", "b"))], weights)) is None
    assert "Softmax" in str(stopped_by(model([loop(node("Softmax", "a", "b", axis=0))], weights)))


def test_a_loop_that_turns_its_state_couples_though_one_round_does_not() -> None:
    turning = node("Transpose", "a", "b")
    assert stopped_by(model([loop(turning)], {"times": np.array(2), "yes": TRUE})) is not None


def test_a_loop_that_ends_by_the_rows_couples() -> None:
    body = [node("Tanh", "a", "b"), node("ReduceMax", "b", "m", keepdims=0)]
    ending = [*body, node("Cast", "m", "more", to=BOOL)]
    made = loop(*ending, go="more")
    # Nodes may stand in any order; here the condition is made before it is passed on.
    body_nodes = made.attribute[0].g.node
    body_nodes.append(body_nodes.pop(0))
    weights = {"times": np.array(3), "yes": TRUE}
    assert stopped_by(model([made], weights)) is not None


def test_a_loop_of_as_many_rounds_as_rows_couples() -> None:
    counted = [node("Shape", "x", "s"), node("Gather", "s zero", "times")]
    weights = {"zero": np.array(0), "yes": TRUE}
    assert stopped_by(model([*counted, loop(node("Tanh", "a", "b"))], weights)) is not None


def test_two_states_that_start_as_one_mask_are_two() -> None:
    """The second round takes other rows than those to whose places it puts them back."""
    inputs = [info("i", INT64, []), info("go", BOOL, []), info("a", BOOL, None),
              info("b", BOOL, None)]  # fmt: skip
    nodes = [
        node("Identity", "go", "on"),
        node("Identity", "a", "a2"),
        node("Not", "b", "b2"),
        node("Compress", "x a", "some", axis=0),
        node("NonZero", "b", "n"),
        node("Transpose", "n", "places"),
        node("ScatterND", "x places some", "z"),
    ]
    outputs = [info("on", BOOL, []), info("a2", BOOL, None), info("b2", BOOL, None),
               info("z", FLOAT, None)]  # fmt: skip
    body = helper.make_graph(nodes, "body", inputs, outputs)
    made = [
        node("ReduceMax", "x", "m", axes=[1], keepdims=0),
        node("Greater", "m t", "mask"),
        node("Loop", "times yes mask mask", "u v all", body=body),
        node("ReduceMax", "all", "y", axes=[0], keepdims=0),
    ]
    weights = {"times": np.array(2), "yes": TRUE, "t": np.float32(0)}
    assert stopped_by(model(made, weights)) is not None


def scan(axis: int) -> NodeProto:
    body = helper.make_graph(
        [node("Add", "s a", "t"), node("Identity", "t", "u")],
        "body",
        [info("s", FLOAT, None), info("a", FLOAT, None)],
        [info("t", FLOAT, None), info("u", FLOAT, None)],
    )
    return node(
        "Scan", "start x", "last y",
        body=body, num_scan_inputs=1, scan_input_axes=[axis], scan_output_axes=[axis],
    )  # fmt: skip


def test_a_scan_along_another_axis_is_followed() -> None:
    first = [node("ReduceSum", "x one", "start", keepdims=0)]
    assert stopped_by(model([*first, scan(1)], {"one": np.array([1])})) is None
    assert "Scan" in str(stopped_by(model([scan(0)], {"start": np.zeros(4, np.float32)})))


def test_functions_are_followed_by_domain_name_and_overload() -> None:
    made = [
        function([node("Relu", "a")]),
        function([node("Softmax", "a", axis=0)], overload="mixed"),
    ]
    call = node("F", "x", domain="mine")
    assert stopped_by(model([call], functions=made)) is None
    call.overload = "mixed"
    assert "Softmax" in str(stopped_by(model([call], functions=made)))
    call.overload = "none"
    assert "mine.F" in str(stopped_by(model([call], functions=made)))


def test_a_function_that_is_defined_twice_is_not_followed() -> None:
    made = [function([node("Softmax", "a", axis=0)]), function([node("Relu", "a")])]
    assert stopped_by(model([node("F", "x", domain="mine")], functions=made)) is not None


def test_attributes_of_a_call_reach_the_functions_body() -> None:
    body = node("Softmax", "a")
    body.attribute.add(name="axis", ref_attr_name="along", type=onnx.AttributeProto.INT)
    made = function([body])
    made.attribute_proto.add(name="along", i=1, type=onnx.AttributeProto.INT)
    assert stopped_by(model([node("F", "x", domain="mine")], functions=[made])) is None
    call = node("F", "x", domain="mine", along=0)
    assert "Softmax" in str(stopped_by(model([call], functions=[made])))


def test_a_subgraph_that_a_functions_caller_gives_is_not_followed() -> None:
    body = node("If", "a")
    for name in ("then_branch", "else_branch"):
        body.attribute.add(name=name, ref_attr_name="part", type=onnx.AttributeProto.GRAPH)
    call = node("F", "c", domain="mine", part=branch(node("Relu", "x")))
    assert stopped_by(model([call], {"c": TRUE}, [function([body])])) is not None


def test_an_operator_that_runs_a_subgraph_is_no_constant() -> None:
    """Its body sees the rows, though its inputs do not."""
    part = helper.make_graph(
        [node("Add", "e x", "z")], "part", [info("e", FLOAT, None)], [info("z", FLOAT, None)]
    )
    nodes = [
        node("SequenceConstruct", "w", "list"),
        node("SequenceMap", "list", "mapped", body=part),
        node("SequenceAt", "mapped zero", "z"),
        node("ReduceMax", "z", "m", keepdims=0),
        node("Cast", "m", "c", to=BOOL),
        choice(RELU, node("Neg", "x")),
    ]
    weights = {"w": np.zeros((1, 4), np.float32), "zero": np.array(0)}
    assert stopped_by(model(nodes, weights)) is not None


def test_names_of_a_function_are_its_own() -> None:
    made = function([node("Add", "a w")])
    call = node("F", "x", domain="mine")
    proof = stopped_by(model([call], {"w": np.zeros((1, 4), np.float32)}, [made]))
    assert "'w'" in str(proof)


def test_an_inner_name_hides_the_one_outside() -> None:
    inner = branch(MIXED, node("Identity", "y", "w"), node("Add", "x w", "z"), result="z")
    made = node("If", "c", "y", then_branch=inner, else_branch=inner)
    weights = {"c": TRUE, "w": np.zeros((1, 4), np.float32)}
    assert "Softmax" in str(stopped_by(model([made], weights)))


def test_a_name_used_before_its_scope_makes_it_is_not_the_one_outside() -> None:
    inner = branch(node("Add", "x w", "z"), MIXED, node("Identity", "y", "w"), result="z")
    made = node("If", "c", "y", then_branch=inner, else_branch=inner)
    weights = {"c": TRUE, "w": np.zeros((1, 4), np.float32)}
    assert "'w'" in str(stopped_by(model([made], weights)))


def test_a_name_that_is_made_twice_is_not_followed() -> None:
    assert "'y'" in str(stopped_by(model([MIXED, RELU])))


def test_an_operator_of_another_domain_is_not_followed() -> None:
    assert "other.Relu" in str(stopped_by(model([node("Relu", "x", domain="other")])))


def test_a_function_in_place_of_an_operator_is_not_followed() -> None:
    made = function([node("Softmax", "a", axis=0)], name="Relu")
    made.domain = "ai.onnx"
    assert "Relu" in str(stopped_by(model([RELU], functions=[made])))


def test_an_output_without_rows_is_not_proved() -> None:
    assert "'y'" in str(stopped_by(model([node("Identity", "w")], {"w": np.zeros((1, 4))})))
    turned = model([node("Transpose", "x")])
    assert "'y'" in str(stopped_by(turned))


def test_large_weights_are_not_looked_at() -> None:
    proto = model([node("MatMul", "x w")])
    proto.graph.initializer.add(name="w", dims=[4, 2**40], data_type=FLOAT)  # no values at all
    assert prove_rows(proto, input_name="x", outputs=["y"]).proved


def exponential(levels: int) -> onnx.ModelProto:
    """Each function calls the next one twice, and so do the branches of its If."""
    made = [
        function(
            [node(f"F{i + 1}", "a", "b", domain="mine"), node(f"F{i + 1}", "b", domain="mine")],
            name=f"F{i}",
        )
        for i in range(levels)
    ]
    last = function([node("Relu", "a")], name=f"F{levels}")
    return model([node("F0", "x", domain="mine")], functions=[*made, last])


def growing() -> onnx.ModelProto:
    """Numbers of ever more digits, in a shape and in what it is multiplied by."""
    nodes = [node("Shape", "x", "s0")]
    nodes += [node("Mul", f"s{i} big", f"s{i + 1}") for i in range(2000)]
    return model([*nodes, node("Expand", "x s2000")], {"big": np.array([2**40, 2**40])})


@pytest.mark.parametrize("make", [lambda: exponential(30), growing], ids=["functions", "numbers"])
def test_it_takes_little_time(make: Callable[[], onnx.ModelProto]) -> None:
    proto = make()
    start = time.perf_counter()
    assert not prove_rows(proto, input_name="x", outputs=["y"]).proved
    assert time.perf_counter() - start < 20


@pytest.mark.parametrize("name", [n for n in MAKERS if n not in ("200000 nodes",)])
def test_any_graph_ends_in_an_answer(name: str, tmp_path: Path) -> None:
    proto = onnx.load(MAKERS[name](tmp_path), load_external_data=False)
    names = [value.name for value in proto.graph.output]
    proof = prove_rows(proto, input_name="x", outputs=names)
    assert proof.proved == (proof.stopped_by is None)
