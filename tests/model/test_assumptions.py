from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_models import build, echo, linear, model_file, node

from rsonnx.errors import ModelError
from rsonnx.model import node_types, refuse_unsound, row_coupling

TRUE, FALSE = np.array(True), np.array(False)
RATIO = np.array(0.5, np.float32)


def with_node(
    made: onnx.NodeProto, opset: int = 15, domains: tuple[str, ...] = ()
) -> onnx.ModelProto:
    return build(
        [made, node("Identity", ["x"], "scores")], ("n", 3), ("n", 3), opset=opset, domains=domains
    )


def dropout(mode: np.ndarray, how: str) -> onnx.ModelProto:
    weights, before = {"ratio": RATIO}, []
    if how == "initializer":
        weights["mode"] = mode
    elif how == "constant":
        before = [node("Constant", [], "mode", value=numpy_helper.from_array(mode))]
    else:  # a constant that only evaluation shows
        weights["opposite"] = ~mode
        before = [node("Not", ["opposite"], "mode")]
    made = [*before, node("Dropout", ["x", "ratio", "mode"], "scores")]
    return build(made, ("n", 3), ("n", 3), weights)


RANDOM = [
    node("RandomNormal", [], "r", shape=[3]),
    node("RandomUniform", [], "r", shape=[3]),
    node("RandomNormalLike", ["x"], "r"),
    node("RandomUniformLike", ["x"], "r"),
    node("Bernoulli", ["x"], "r"),
    node("Multinomial", ["x"], "r"),
    node("BitmaskDropout", ["x"], "r", domain="com.microsoft"),
    node("BiasDropout", ["x", "x"], "r", domain="com.microsoft"),
    node("Sampling", ["x"], "r", domain="com.microsoft"),
]


@pytest.mark.parametrize("made", RANDOM, ids=lambda n: n.op_type)
def test_random_operators_are_refused(made: onnx.NodeProto) -> None:
    with pytest.raises(
        ModelError, match=f"random operator {made.op_type} \\(the_r\\).*export it without"
    ) as caught:
        refuse_unsound(model_file(with_node(made)))
    assert caught.value.exit_code == 4


def branch(made: onnx.NodeProto) -> onnx.GraphProto:
    return helper.make_graph(
        [made], "branch", [], [helper.make_tensor_value_info("r", TensorProto.FLOAT, None)]
    )


def conditional(made: onnx.NodeProto, outside: str = "c") -> onnx.NodeProto:
    return node("If", [outside], "picked", then_branch=branch(made), else_branch=branch(made))


def test_random_operators_in_a_branch_are_refused() -> None:
    with pytest.raises(ModelError, match="random operator RandomNormal"):
        refuse_unsound(model_file(with_node(conditional(RANDOM[0]))))


@pytest.mark.parametrize("nested", [False, True])
def test_random_operators_in_a_function_are_refused(nested: bool) -> None:
    made = conditional(RANDOM[0], "a") if nested else RANDOM[0]
    opsets = [helper.make_opsetid("", 15)]
    function = helper.make_function("mine", "F", ["a"], ["picked"], [made], opsets)
    proto = with_node(node("F", ["x"], "z", domain="mine"))
    proto.functions.append(function)
    with pytest.raises(ModelError, match="random operator RandomNormal"):
        refuse_unsound(model_file(proto))


@pytest.mark.parametrize("how", ["initializer", "constant", "computed"])
def test_dropout_in_training_mode_is_refused(how: str) -> None:
    with pytest.raises(
        ModelError, match=r"Dropout in training mode \(the_scores\).*evaluation mode"
    ):
        refuse_unsound(model_file(dropout(TRUE, how)))


@pytest.mark.parametrize("how", ["initializer", "constant"])
def test_dropout_in_evaluation_mode_is_accepted(how: str) -> None:
    refuse_unsound(model_file(dropout(FALSE, how)))
    assert node_types(model_file(dropout(FALSE, how)))[-1] == "Dropout"


def test_dropout_without_a_mode_is_accepted() -> None:
    proto = build(
        [node("Dropout", ["x", "ratio", ""], "scores")], ("n", 3), ("n", 3), {"ratio": RATIO}
    )
    refuse_unsound(model_file(proto))
    assert row_coupling(model_file(proto)) is None


def test_a_name_that_is_false_elsewhere_does_not_excuse_a_dropout_in_a_function() -> None:
    body = [node("Dropout", ["a", "", "mode"], "b")]
    opsets = [helper.make_opsetid("", 15)]
    function = helper.make_function("mine", "F", ["a", "mode"], ["b"], body, opsets)
    call = node("F", ["x", "on"], "scores", domain="mine")
    proto = build([call], ("n", 3), ("n", 3), {"on": TRUE, "mode": FALSE}, functions=[function])
    with pytest.raises(ModelError, match="Dropout in training mode"):
        refuse_unsound(model_file(proto))


def constant(value: np.ndarray, name: str) -> onnx.NodeProto:
    return node("Constant", [], name, value=numpy_helper.from_array(value))


DROPOUT = node("Dropout", ["x", "", "mode"], "r")
HIDING = [constant(FALSE, "mode"), node("Identity", ["x"], "r")]


def function_of(
    body: list[onnx.NodeProto], inputs: list[str], overload: str = "", name: str = "F"
) -> onnx.FunctionProto:
    opsets = [helper.make_opsetid("", 15), helper.make_opsetid("mine", 1)]
    made = helper.make_function("mine", name, inputs, ["r"], body, opsets)
    made.overload = overload
    return made


def if_of(then: list[onnx.NodeProto], otherwise: list[onnx.NodeProto]) -> onnx.NodeProto:
    result = [helper.make_tensor_value_info("r", TensorProto.FLOAT, None)]
    branches = [helper.make_graph(nodes, "branch", [], result) for nodes in (then, otherwise)]
    return node("If", ["mode"], "r", then_branch=branches[0], else_branch=branches[1])


def test_a_name_that_another_branch_makes_false_does_not_excuse_a_dropout() -> None:
    for body in ([if_of([DROPOUT], HIDING)], [if_of(HIDING, [DROPOUT])]):
        call = node("F", ["x", "on"], "scores", domain="mine")
        function = function_of(body, ["x", "mode"])
        in_function = build([call], ("n", 3), ("n", 3), {"on": TRUE}, functions=[function])
        in_graph = build(body, ("n", 3), ("n", 3), {"mode": TRUE}, output_name="r")
        for proto in (in_function, in_graph):
            with pytest.raises(ModelError, match="Dropout in training mode"):
                refuse_unsound(model_file(proto))


def test_an_input_of_a_subgraph_hides_a_constant_outside() -> None:
    info = helper.make_tensor_value_info
    nodes = [node("Identity", ["go"], "on"), DROPOUT, node("Identity", ["mode"], "next")]
    body = helper.make_graph(
        nodes,
        "body",
        [info("i", TensorProto.INT64, []), info("go", TensorProto.BOOL, []),
         info("mode", TensorProto.BOOL, [])],
        [info("on", TensorProto.BOOL, []), info("next", TensorProto.BOOL, []),
         info("r", TensorProto.FLOAT, None)],
    )  # fmt: skip
    loop = helper.make_node("Loop", ["times", "", "start"], ["last", "all"], body=body)
    weights = {"times": np.array(1), "start": TRUE, "mode": FALSE}
    with pytest.raises(ModelError, match="Dropout in training mode"):
        refuse_unsound(model_file(with_weights(loop, weights)))


def with_weights(made: onnx.NodeProto, weights: dict[str, np.ndarray]) -> onnx.ModelProto:
    return build([made, node("Identity", ["x"], "scores")], ("n", 3), ("n", 3), weights)


def test_a_constant_outside_a_branch_is_seen_from_within() -> None:
    body = [constant(TRUE, "c"), constant(FALSE, "mode"), if_of([DROPOUT], [DROPOUT])]
    in_graph = build(body, ("n", 3), ("n", 3), output_name="r")
    call = node("F", ["x"], "scores", domain="mine")
    in_function = build([call], ("n", 3), ("n", 3), functions=[function_of(body, ["x"])])
    for proto in (in_graph, in_function):
        refuse_unsound(model_file(proto))


def test_a_constant_outside_a_function_is_not_seen_from_within() -> None:
    call = node("F", ["x"], "scores", domain="mine")
    function = function_of([DROPOUT], ["x"])
    proto = build([call], ("n", 3), ("n", 3), {"mode": FALSE}, functions=[function])
    with pytest.raises(ModelError, match="Dropout in training mode"):
        refuse_unsound(model_file(proto))


def test_a_mode_that_a_functions_caller_sets_is_no_constant() -> None:
    scoped = node("Constant", [], "mode")
    scoped.attribute.add(name="value", ref_attr_name="m", type=onnx.AttributeProto.TENSOR)
    normal = node("BatchNormalization", ["x"] * 5, "r")
    normal.attribute.add(name="training_mode", ref_attr_name="m", type=onnx.AttributeProto.INT)
    for body in ([scoped, DROPOUT], [normal]):
        call = node("F", ["x"], "scores", domain="mine")
        proto = build([call], ("n", 3), ("n", 3), functions=[function_of(body, ["x"])])
        with pytest.raises(ModelError, match="in training mode"):
            refuse_unsound(model_file(proto))


def test_functions_are_told_apart_by_their_overload() -> None:
    call = node("F", ["x"], "z", domain="mine")
    call.overload = "there"
    proto = with_node(call)
    proto.functions.append(function_of([node("Abs", ["x"], "r")], ["x"], "elsewhere"))
    with pytest.raises(ModelError, match=r"custom operator mine\.F"):
        refuse_unsound(model_file(proto))
    proto.functions.append(function_of([node("Abs", ["x"], "r")], ["x"], "there"))
    refuse_unsound(model_file(proto))


@pytest.mark.parametrize(
    "made",
    [
        helper.make_node("BatchNormalization", ["x"] * 5, ["y", "m", "v"], training_mode=1),
        helper.make_node("BatchNormalization", ["x"] * 5, ["y", "m", "v", "s", "t"]),
    ],
    ids=["attribute", "outputs, before opset 14"],
)
def test_batch_normalisation_in_training_mode_is_refused(made: onnx.NodeProto) -> None:
    with pytest.raises(
        ModelError, match=r"BatchNormalization in training mode.*export it in evaluation mode"
    ):
        refuse_unsound(model_file(with_node(made)))


def test_custom_operators_are_refused_by_name() -> None:
    with pytest.raises(ModelError, match=r"custom operator my\.ops\.Magic.*standard operators"):
        refuse_unsound(model_file(with_node(node("Magic", ["x"], "z", domain="my.ops"))))


def test_functions_of_the_model_are_no_custom_operators() -> None:
    opsets = [helper.make_opsetid("", 15)]
    function = helper.make_function("mine", "F", ["a"], ["b"], [node("Abs", ["a"], "b")], opsets)
    proto = with_node(node("F", ["x"], "z", domain="mine"))
    proto.functions.append(function)
    refuse_unsound(model_file(proto))
    assert node_types(model_file(proto)) == ["mine.F", "Identity", "Abs"]


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (
            helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
            "DynamicQuantizeLinear",
        ),
        (
            node("DynamicQuantizeMatMul", ["x"], "q", domain="com.microsoft"),
            "DynamicQuantizeMatMul",
        ),
        (node("DynamicQuantizeLSTM", ["x"], "q", domain="com.microsoft"), "DynamicQuantizeLSTM"),
        (node("BatchNormalization", ["x"] * 5, "y"), None),
        (node("BatchNormalization", ["x"] * 5, "y", training_mode=0), None),
    ],
    ids=["dql", "dqmm", "lstm", "bn", "bn evaluation"],
)
def test_operators_that_couple_rows_are_known(made: onnx.NodeProto, expected: str | None) -> None:
    model = model_file(with_node(made))
    refuse_unsound(model)
    assert row_coupling(model) == expected
    inside = with_node(conditional(made))
    assert row_coupling(model_file(inside)) == expected


def test_ordinary_models_couple_nothing() -> None:
    for proto in (linear(), echo()):
        refuse_unsound(model_file(proto))
        assert row_coupling(model_file(proto)) is None
