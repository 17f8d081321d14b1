"""Which tensor answers and how; what these models answer is in test_kinds.py of smoothing."""

from __future__ import annotations

import math

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx_models import (
    FLOAT,
    INT64,
    ML,
    STRING,
    Dim,
    build,
    echo,
    found_in,
    linear,
    node,
    pair,
    tensor,
    with_outputs,
)

from rsonnx.errors import ModelError, UsageError


def of_shape(*shape: Dim, maker: str = "Relu", kind: int = FLOAT) -> onnx.ModelProto:
    proto = build([node(maker, ["x"], "scores")], ("n", 4), shape)
    proto.graph.output[0].type.tensor_type.elem_type = kind
    return proto


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_vector_of_floats_is_scores(dtype: str) -> None:
    found = found_in(linear(dtype=dtype))
    assert (found.tensor, found.kind, found.dtype) == ("scores", "scores", dtype)
    assert found.edits == found.classes == ()


@pytest.mark.parametrize("kind", [TensorProto.UINT8, TensorProto.INT8])
def test_quantised_scores_are_scores(kind: int) -> None:
    assert found_in(of_shape("n", 3, kind=kind)).kind == "scores"


@pytest.mark.parametrize("kind", [TensorProto.BOOL, TensorProto.BFLOAT16, TensorProto.COMPLEX64])
def test_other_types_are_refused(kind: int) -> None:
    with pytest.raises(
        ModelError, match=r"'scores' .* has type .*, but class scores or labels are"
    ):
        found_in(of_shape("n", 3, kind=kind))


def test_an_identity_of_the_input_is_a_classifier_where_it_is_all_there_is() -> None:
    assert found_in(echo()).kind == "scores"


@pytest.mark.parametrize(
    "shape",
    [
        ("n", 5),
        (1, 5),
        ("n", 5, 1, 1),
        ("n", 1, 5),
        (5,),
        ("n",),
        (1,),
        (),
        ("n", "k"),
        ("n", None),
    ],
)
def test_shapes_of_one_vector_an_input_are_taken(shape: tuple[Dim, ...]) -> None:
    assert found_in(of_shape(*shape)).kind == "scores"


@pytest.mark.parametrize(
    "shape", [("n", 4, 4, 4), ("n", 2, "h", "w"), ("n", 5, 1, 7), ("n", "k", "h"), (1, 1, 224, 224)]
)
def test_maps_are_refused(shape: tuple[Dim, ...]) -> None:
    with pytest.raises(
        ModelError, match=r"'scores' of model\.onnx has shape .*a map of values is no classifier's"
    ) as caught:
        found_in(of_shape(*shape))
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("kind", ["INT64", "INT32"])
@pytest.mark.parametrize("shape", [("n", 4, 4), ("n", "h", "w"), ("n", 10), (1, 1, 8, 8)])
def test_maps_of_labels_are_refused(kind: str, shape: tuple[Dim, ...]) -> None:
    with pytest.raises(ModelError, match="a map of labels is no classifier's answer"):
        found_in(of_shape(*shape, kind=TensorProto.DataType.Value(kind)))


def test_one_label_for_a_whole_batch_is_refused() -> None:
    with pytest.raises(
        ModelError, match=r"'scores' .* is one int64 for a whole batch, but a label"
    ):
        found_in(of_shape(kind=INT64))


@pytest.mark.parametrize("shape", [("n",), ("n", 1), (1,), (1, 1)])
def test_a_label_an_input_is_taken(shape: tuple[Dim, ...]) -> None:
    found = found_in(of_shape(*shape, kind=INT64))
    assert (found.tensor, found.kind, found.classes) == ("scores", "label", ())


def test_a_text_whose_classes_are_not_in_the_file_is_refused() -> None:
    proto = of_shape("n", maker="Identity", kind=STRING)
    with pytest.raises(ModelError, match=r"'scores' .* is a text") as caught:
        found_in(proto)
    assert "--output-name" not in str(caught.value)  # there is no other
    proto.graph.output.append(tensor("x", FLOAT, ["n", 4]))
    with pytest.raises(ModelError, match=r"'scores' .* is a text, .*--output-name"):
        found_in(proto, name="scores")


# One score.


@pytest.mark.parametrize("shape", [("n", 1), ("n", 1, 1), (1, 1), ("n", 1, 1, 1)])
def test_one_score_needs_a_threshold(shape: tuple[Dim, ...]) -> None:
    with pytest.raises(
        ModelError,
        match=r"one number an input.*--threshold \(0 is usual for logits.*a regressor cannot",
    ):
        found_in(of_shape(*shape))
    found = found_in(of_shape(*shape), threshold=0.25)
    assert (found.kind, found.threshold) == ("score", 0.25)


@pytest.mark.parametrize("shape", [("n",), (1,), (), (None,)])
def test_a_threshold_says_that_a_lone_axis_is_the_batch(shape: tuple[Dim, ...]) -> None:
    assert found_in(of_shape(*shape), threshold=0.0).kind == "score"


def test_a_sigmoid_is_named_in_the_hint() -> None:
    with pytest.raises(ModelError, match=r"\(it ends in a sigmoid, so 0.5 would be usual\)"):
        found_in(of_shape("n", 1, maker="Sigmoid"))


@pytest.mark.parametrize("shape", [("n", 2), ("n", 10, 1, 1), (10,)])
def test_a_threshold_for_class_scores_is_refused(shape: tuple[Dim, ...]) -> None:
    with pytest.raises(UsageError, match=r"a threshold was given, but .* gives class scores"):
        found_in(of_shape(*shape), threshold=0.5)


def test_a_threshold_for_labels_is_refused() -> None:
    with pytest.raises(UsageError, match=r"a threshold was given, but .* gives labels"):
        found_in(of_shape("n", kind=INT64), threshold=0.5)


@pytest.mark.parametrize("threshold", [math.nan, math.inf, -math.inf])
def test_a_threshold_is_a_finite_number(threshold: float) -> None:
    with pytest.raises(UsageError, match=f"the threshold is {threshold}, but a finite number"):
        found_in(of_shape("n", 1), threshold=threshold)


# Several outputs.


def several() -> onnx.ModelProto:
    made = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Softmax", ["x"], ["b"]),
        helper.make_node("Neg", ["x"], ["features"]),
    ]
    return pair(made, *(tensor(name, FLOAT, ["n", 4]) for name in ("a", "b", "features")))


def test_several_outputs_of_floats_are_refused_with_the_list() -> None:
    with pytest.raises(
        ModelError,
        match=r"gives 3 outputs \('a' float32 \[n, 4\], 'b' float32 \[n, 4\], 'features'.*"
        "--output-name",
    ):
        found_in(several())


@pytest.mark.parametrize("name", ["a", "b", "features"])
def test_one_of_several_outputs_is_chosen_by_name(name: str) -> None:
    assert found_in(several(), name=name).spec.name == name


def test_an_unknown_output_is_refused_with_the_list() -> None:
    with pytest.raises(UsageError, match=r"has no output 'c'; it has 'a' float32 \[n, 4\], 'b'"):
        found_in(several(), name="c")


# Heads of different kinds.


def joined(*makers: str) -> onnx.ModelProto:
    made = [helper.make_node(maker, ["x"], [f"h{i}"]) for i, maker in enumerate(makers)]
    made.append(
        helper.make_node("Concat", [f"h{i}" for i in range(len(makers))], ["scores"], axis=1)
    )
    return pair(made, tensor("scores", FLOAT, ["n", 4 * len(makers)]))


@pytest.mark.parametrize("makers", [("Sigmoid", "Neg"), ("Relu", "Softmax"), ("Tanh", "Sigmoid")])
def test_joined_heads_of_different_kinds_are_refused(makers: tuple[str, ...]) -> None:
    with pytest.raises(
        ModelError, match=rf"joins .*separate heads \({', '.join(sorted(makers))}\).*--output-name"
    ):
        found_in(joined(*makers))


def test_a_difference_beside_a_chance_is_no_rest() -> None:
    """An angle x - 1 beside a chance: the difference has nothing to do with the chance."""
    made = [
        helper.make_node("Sigmoid", ["x"], ["p"]),
        helper.make_node("Sub", ["x", "one"], ["angle"]),
        helper.make_node("Concat", ["angle", "p"], ["scores"], axis=1),
    ]
    weights = {"one": np.ones(1, np.float32)}
    with pytest.raises(ModelError, match=r"separate heads \(Sigmoid, Sub\)"):
        found_in(with_outputs(made, [tensor("scores", FLOAT, ["n", 8])], weights))


def test_joined_heads_of_one_kind_are_scores() -> None:
    assert found_in(joined("Relu", "Relu")).kind == "scores"


def test_a_chance_beside_its_rest_is_two_scores() -> None:
    made = [
        helper.make_node("Sigmoid", ["x"], ["p"]),
        helper.make_node("Sub", ["one", "p"], ["rest"]),
        helper.make_node("Concat", ["rest", "p"], ["scores"], axis=1),
    ]
    weights = {"one": np.ones(1, np.float32)}
    proto = with_outputs(made, [tensor("scores", FLOAT, ["n", 2])], weights, shape=("n", 1))
    assert found_in(proto).kind == "scores"


# Files that no exporter writes.


@pytest.mark.parametrize(
    "made",
    [
        helper.make_node("Identity", [], ["scores"]),
        helper.make_node("Cast", [], ["scores"], to=1),
        helper.make_node("Concat", [], ["scores"], axis=1),
        helper.make_node("ZipMap", [], ["scores"], domain=ML),
        helper.make_node("ArrayFeatureExtractor", ["x"], ["scores"], domain=ML),
        helper.make_node("ArrayFeatureExtractor", ["list", "scores"], ["scores"], domain=ML),
        helper.make_node("Add", ["scores", "scores"], ["scores"]),
        *(
            helper.make_node(kind, [], ["scores"])
            for kind in ("ArgMax", "Gather", "Not", "Sign", "Slice", "Where")
        ),
        helper.make_node("Slice", [], ["scores"], starts=[0], ends=[1], axes=[1]),
        helper.make_node("TopK", [], ["values", "scores"]),
        helper.make_node("LabelEncoder", [], ["scores"], domain=ML),
        helper.make_node("TreeEnsembleClassifier", ["x"], ["scores"], domain=ML),
        helper.make_node("Identity", ["scores"], ["scores"]),
        helper.make_node("Cast", ["scores"], ["scores"], to=1),
    ],
    ids=lambda n: f"{n.op_type} of {list(n.input)}",
)
@pytest.mark.parametrize("kind", [FLOAT, INT64, STRING])
def test_damaged_nodes_end_in_an_output_or_a_sentence(made: onnx.NodeProto, kind: int) -> None:
    weights = {"list": np.arange(3)}
    shape: list[Dim] = ["n", 3 if kind == FLOAT else 1]
    proto = with_outputs([made], [tensor("scores", kind, shape)], weights)
    try:
        found = found_in(proto)
    except ModelError as error:
        assert "model.onnx" in str(error)  # noqa: PT017 - either is right
    else:
        assert found.spec.name == "scores"


def test_a_label_that_is_fed_and_encoded_is_no_answer() -> None:
    """ML.NET passes the column of true labels through, numbered, beside the predicted ones."""
    encoder = helper.make_node(
        "LabelEncoder", ["true"], ["numbered"], domain="ai.onnx.ml",
        keys_strings=["a", "b"], values_int64s=[0, 1],
    )  # fmt: skip
    classifier = helper.make_node(
        "LinearClassifier", ["x"], ["predicted", "scores"], domain="ai.onnx.ml",
        coefficients=[1.0, 0.0, 0.0, 1.0], intercepts=[0.0, 0.0], classlabels_ints=[0, 1],
    )  # fmt: skip
    passed = helper.make_node("Identity", ["numbered"], ["label"])
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [encoder, classifier, passed],
        "columns",
        [value("true", TensorProto.STRING, [1, 1]), value("x", TensorProto.FLOAT, [1, 2])],
        [
            value("label", TensorProto.INT64, [1, 1]),
            value("predicted", TensorProto.INT64, [1]),
            value("scores", TensorProto.FLOAT, [1, 2]),
        ],
    )
    opsets = [helper.make_opsetid("", 15), helper.make_opsetid("ai.onnx.ml", 2)]
    found = found_in(helper.make_model(graph, opset_imports=opsets, ir_version=8))
    assert found.spec.name == "predicted"
