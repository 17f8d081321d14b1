"""What is refused from the file alone is what onnxruntime does not load."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_models import linear

from rsonnx.errors import ModelError
from rsonnx.model import read_model
from rsonnx.model.answers import check_scores


def value(name: str, shape: Sequence[int] | None = None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def nodes(text: str) -> list[onnx.NodeProto]:
    """Read ``y = Add a b; ...``."""
    made = []
    for part in filter(None, text.split("; ")):
        outputs, call = part.split(" = ")
        operator, *inputs = call.split()
        domain = "mine" if operator.startswith("F") and operator != "Flatten" else ""
        made.append(helper.make_node(operator, inputs, outputs.split(), domain=domain))
    return made


def branching(body: str, out: str = "b") -> onnx.NodeProto:
    bodies = [
        helper.make_graph(nodes(text), "body", [], [value(name)])
        for text, name in ((body, out), ("b = Identity x", "b"))
    ]
    return helper.make_node("If", ["yes"], ["y"], then_branch=bodies[0], else_branch=bodies[1])


def model(
    made: Sequence[onnx.NodeProto],
    functions: Sequence[onnx.FunctionProto] = (),
    weights: Sequence[str] = ("w",),
) -> onnx.ModelProto:
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]
    stored = [numpy_helper.from_array(np.ones((2, 3), np.float32), name) for name in weights]
    stored.append(numpy_helper.from_array(np.array(True), "yes"))
    graph = helper.make_graph(list(made), "g", [value("x", [2, 3])], [value("y")], stored)
    return helper.make_model(graph, opset_imports=opsets, functions=list(functions), ir_version=8)


def function(name: str, body: str) -> onnx.FunctionProto:
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]
    return helper.make_function("mine", name, ["a"], ["o"], nodes(body), opsets)


MODELS = {
    "as it should be": model(nodes("a = Relu x; y = Add a w")),
    "in no order": model(nodes("y = Add a w; a = Relu x")),
    "a weight among the inputs": linear(),
    "a weight twice": model(nodes("y = Add x w"), weights=("w", "w")),
    "a weight as the answer": model(nodes("a = Relu x"), weights=("y",)),
    "left out": model([helper.make_node("Clip", ["x", "", ""], ["y"])]),
    "body's name is the outer one": model([branching("y = Neg x", "y")]),
    "body uses what comes later": model([branching("b = Neg a"), *nodes("a = Relu x")]),
    "twice": model(nodes("a = Relu x; a = Neg x; y = Neg a")),
    "twice and unused": model(nodes("a = Relu x; a = Neg x; y = Neg x")),
    "twice by one node": model([helper.make_node("Split", ["x"], ["y", "y"], axis=0)]),
    "an input again": model(nodes("x = Relu x; y = Relu x")),
    "a weight again": model(nodes("w = Relu x; y = Add x w")),
    "twice in a body": model([branching("a = Neg x; a = Relu x; b = Relu a")]),
    "cycle": model(nodes("a = Add x b; b = Relu a; y = Relu b")),
    "cycle of one": model(nodes("y = Add x y")),
    "cycle aside": model(nodes("a = Relu b; b = Relu a; y = Relu x")),
    "cycle in a body": model([branching("a = Add x b; b = Relu a")]),
    "never made": model(nodes("y = Add x gone")),
    "the answer never made": model(nodes("a = Relu x")),
    "function of itself": model(nodes("y = F x"), [function("F", "o = F a")]),
    "unused function of itself": model(nodes("y = Relu x"), [function("F", "o = F a")]),
    "functions of each other": model(
        nodes("y = F x"), [function("F", "o = FF a"), function("FF", "o = F a")]
    ),
}


@pytest.mark.parametrize("proto", MODELS.values(), ids=MODELS)
def test_what_onnxruntime_does_not_load_is_refused(proto: onnx.ModelProto) -> None:
    data = proto.SerializeToString()
    try:
        onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    except Exception:
        with pytest.raises(ModelError) as caught:
            read_model(data)
        assert str(caught.value).isprintable()
    else:
        read_model(data)


def chain(depth: int, calls: int = 1) -> onnx.ModelProto:
    """Functions of which each calls the one before."""
    functions = [function("F0", "o = Relu a")]
    for i in range(1, depth):
        body = "; ".join(f"{'o' if k == calls - 1 else 'b'} = F{i - 1} a" for k in range(calls))
        functions.append(function(f"F{i}", body))
    return model(nodes(f"y = F{depth - 1} x"), functions)


@pytest.mark.parametrize(
    ("proto", "reason"),
    [
        (chain(900), None),
        (chain(5_000), "5,000 deep"),
        (chain(10, 2), None),
        (chain(1_000, 2), "20,000 operators"),
    ],
    ids=["900", "5,000", "doubled 10 times", "doubled 1,000 times"],
)
def test_functions_are_refused_for_what_they_are(
    proto: onnx.ModelProto, reason: str | None
) -> None:
    if reason is None:
        read_model(proto)
    else:
        with pytest.raises(ModelError, match=reason):
            read_model(proto)


def test_absurdly_many_classes_are_refused() -> None:
    check_scores("m.onnx", np.zeros((1, 1_000_000), np.float32), "scores")
    with pytest.raises(ModelError, match="1,000,001"):
        check_scores("m.onnx", np.zeros((1, 1_000_001), np.float32), "scores")
