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
from onnx import TensorProto
from onnx_models import rows_model
from row_oracle import assert_rows_are_independent

from rsonnx.model.rows import prove_rows

MAKERS = hostile_graphs.MAKERS
TRUE, FALSE = np.array(True), np.array(False)
WEIGHTS: dict[str, Any] = {
    "yes": TRUE, "zero": np.array(0), "one": np.array([1]), "two": np.array(2), "four": np.array(4),
    "nine": np.float32(9), "w": np.zeros((1, 4), np.float32), "large": np.ones(5000, np.float32),
    "long": np.array([2**32]), "wraps": np.array(0, np.int32), "f0": np.float32(0),
    "start4": np.zeros(4, np.float32), "huge": np.array([2**40, 2**40]),
}  # fmt: skip


def model(text: str, functions: list[str] | None = None, **weights: Any) -> onnx.ModelProto:
    return rows_model(text, weights=WEIGHTS | weights, functions=functions or [])


def choice(then: str, otherwise: str, condition: str = "c") -> str:
    return (
        f"y = If<then_branch = a () => (float z) {{z = {then}}}, "
        f"else_branch = b () => (float z) {{z = {otherwise}}}>({condition})"
    )


def stopped_by(text: str, functions: list[str] | None = None, **weights: Any) -> str | None:
    proto = model(text, functions, **weights)
    proof = prove_rows(proto, input_name="x", outputs=["y"])
    if proof.proved:
        assert_rows_are_independent(proto, "y")
    return proof.stopped_by


MIXED = "Softmax<axis=0>(x)"
BRANCHES, MIXING = choice("Relu(x)", "Neg(x)"), choice("Relu(x)", MIXED)


def loop(nodes: str, go: str = "go") -> str:
    body = f"body (int64 i, bool go, float a) => (bool on, float b) {{{nodes} on = Identity({go})}}"
    return f"y = Loop<body = {body}>(times, yes, x)"


def scan(axis: int, start: str) -> str:
    body = "body (float s, float a) => (float t, float u) {t = Add(s, a) u = Identity(t)}"
    axes = f"num_scan_inputs=1, scan_input_axes=[{axis}], scan_output_axes=[{axis}]"
    return f"last, y = Scan<body = {body}, {axes}>({start}, x)"


PROVED = {
    "a constant condition picks its branch": (MIXING, {"c": TRUE}),
    "both branches": (f"m = ReduceMax<keepdims=0>(large); c = Cast<to=9>(m); {BRANCHES}", {}),
    "a condition of every number of rows": (f"s = Size(x); c = Greater(s, zero); {MIXING}", {}),
    "a loop of fixed rounds": (loop("b = Tanh(a)"), {"times": np.array(3)}),
    "a scan": (f"start = ReduceSum<keepdims=0>(x, one); {scan(1, 'start')}", {}),
}


@pytest.mark.parametrize("name", PROVED)
def test_what_each_round_and_branch_keeps_apart_is_proved(name: str) -> None:
    text, weights = PROVED[name]
    assert stopped_by(text, **weights) is None


SUMMED = f"m = ReduceSum<keepdims=0>(f); c = Greater(m, nine); {BRANCHES}"
# The second round takes other rows than those to whose places it puts them back.
TWO_MASKS = """
    m = ReduceMax<axes=[1], keepdims=0>(x); mask = Greater(m, f0);
    u, v, all = Loop<body = body (int64 i, bool go, bool a, bool b)
        => (bool on, bool a2, bool b2, float z)
        {on = Identity(go) a2 = Identity(a) b2 = Not(b) some = Compress<axis=0>(x, a)
         n = NonZero(b) places = Transpose(n) z = ScatterND(x, places, some)}
        >(two, yes, mask, mask);
    y = ReduceMax<axes=[0], keepdims=0>(all)
"""
# Its body sees the rows, though its inputs do not.
MAPPED = f"""
    list = SequenceConstruct(w); mapped = SequenceMap<body = part (float e) => (float z)
        {{z = Add(e, x)}}>(list);
    z = SequenceAt(mapped, zero); m = ReduceMax<keepdims=0>(z); c = Cast<to=9>(m); {BRANCHES}
"""
COUPLED = {
    "the branch that mixes": (MIXING, {"c": FALSE}, "Softmax"),
    "either branch": (f"m = ReduceMax<keepdims=0>(large); c = Cast<to=9>(m); {MIXING}", {},
                      "Softmax"),
    "a condition of the rows": ("f = Identity(x);" + SUMMED, {}, ""),
    "a condition of their number": ("s = Shape(x); f = Cast<to=1>(s);" + SUMMED, {}, ""),
    "a condition that 4 rows change": (f"s = Size(x); c = Greater(s, four); {MIXING}", {}, ""),
    "a number that wraps in 32 bits": (  # 2^32 is 0
        "s = Shape(x); l = Concat<axis=0>(s, long); short = Cast<to=6>(l); k = Gather(short, two);"
        f"c = Equal(k, wraps); {choice(MIXED, 'Relu(x)')}", {}, ""),
    "a loop that mixes": (loop("b = Softmax<axis=0>(a)"), {"times": np.array(3)}, "Softmax"),
    "a loop that turns its state": (loop("b = Transpose(a)"), {"times": np.array(2)}, ""),
    "a loop that ends by the rows": (
        loop("b = Tanh(a) m = ReduceMax<keepdims=0>(b) more = Cast<to=9>(m)", "more"),
        {"times": np.array(3)}, ""),
    "a loop of as many rounds as rows": (
        "s = Shape(x); times = Gather(s, zero);" + loop("b = Tanh(a)"), {}, ""),
    "two states that start as one mask": (TWO_MASKS, {}, ""),
    "a scan of rows": (scan(0, "start4"), {}, "Scan"),
    "an operator that runs a subgraph": (MAPPED, {}, ""),
    "an inner name hides the one outside": (
        choice("Relu(x)", "Neg(x)").replace("{z = Relu(x)}", "{y0 = " + MIXED
        + " w = Identity(y0) z = Add(x, w)}"), {"c": TRUE}, "Softmax"),
    "a name used before its scope makes it": (
        choice("Relu(x)", "Neg(x)").replace("{z = Relu(x)}", "{z = Add(x, w) w = Relu(x)}"),
        {"c": TRUE}, "'w'"),
    "a name that is made twice": (f"y = {MIXED}; y = Relu(x)", {}, "'y'"),
    "another domain": ("y = other.Relu(x)", {}, "other.Relu"),
    "an output without rows": ("y = Identity(w)", {}, "'y'"),
    "an output of rows behind": ("y = Transpose(x)", {}, "'y'"),
}  # fmt: skip


@pytest.mark.parametrize("name", COUPLED)
def test_what_mixes_or_may_is_not_proved(name: str) -> None:
    text, weights, by = COUPLED[name]
    stop = stopped_by(text, **weights)
    assert stop is not None
    assert by in stop


CALL = "y = mine.F(x)"
RELU, SOFTMAX = "F (a) => (y) {y = Relu(a)}", "F (a) => (y) {y = Softmax<axis=0>(a)}"
ALONG = "F <along: int = 1>(a) => (y) {y = Softmax<axis: int = @along>(a)}"
GIVEN = "F <part>(a) => (y) {y = If<then_branch: graph = @part, else_branch: graph = @part>(a)}"


def test_functions_are_followed_by_domain_name_and_overload() -> None:
    proto = model(CALL, [RELU, SOFTMAX])
    proto.functions[1].overload = "mixed"
    for overload, by in (("", None), ("mixed", "Softmax"), ("none", "mine.F")):
        proto.graph.node[0].overload = overload
        stop = prove_rows(proto, input_name="x", outputs=["y"]).stopped_by
        assert stop is None if by is None else by in str(stop)


@pytest.mark.parametrize(
    ("call", "functions", "by"),
    [
        (CALL, [SOFTMAX, RELU], ""),  # defined twice
        ("y = mine.F<along=0>(x)", [ALONG], "Softmax"),
        ("y = mine.F<part = p () => (float z) {z = Relu(x)}>(yes)", [GIVEN], ""),
        (CALL, ["F (a) => (y) {y = Add(a, w)}"], "'w'"),  # a name of its own
    ],
)
def test_functions_that_mix_or_are_not_sure_are_not_proved(
    call: str, functions: list[str], by: str
) -> None:
    assert by in str(stopped_by(call, functions) or pytest.fail("it is proved"))


def test_attributes_of_a_call_reach_the_functions_body() -> None:
    assert stopped_by(CALL, [ALONG]) is None


def test_a_function_in_place_of_an_operator_is_not_followed() -> None:
    proto = model("y = Relu(x)", [SOFTMAX.replace("F", "Relu", 1)])
    proto.functions[0].domain = "ai.onnx"
    assert "Relu" in str(prove_rows(proto, input_name="x", outputs=["y"]).stopped_by)


def test_large_weights_are_not_looked_at() -> None:
    proto = model("y = MatMul(x, v)")
    proto.graph.initializer.add(name="v", dims=[4, 2**40], data_type=TensorProto.FLOAT)  # no values
    assert prove_rows(proto, input_name="x", outputs=["y"]).proved


def exponential() -> onnx.ModelProto:
    """Each function calls the next one twice."""
    twice = "F{0} (a) => (y) {{b = mine.F{1}(a) y = mine.F{1}(b)}}"
    made = [twice.format(i, i + 1) for i in range(30)]
    return model("y = mine.F0(x)", [*made, RELU.replace("F", "F30", 1)])


def growing() -> onnx.ModelProto:
    """Numbers of ever more digits, in a shape and in what it is multiplied by."""
    products = "; ".join(f"s{i + 1} = Mul(s{i}, huge)" for i in range(2000))
    return model(f"s0 = Shape(x); {products}; y = Expand(x, s2000)")


@pytest.mark.parametrize("make", [exponential, growing])
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
