"""Which tensor answers and how; what these models answer is in test_kinds.py of smoothing."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx_models import (
    FLOAT,
    INT64,
    STRING,
    Dim,
    build,
    echo,
    found_in,
    linear,
    model_file,
    node,
    parsed,
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


@pytest.mark.parametrize("kind", ["BOOL", "BFLOAT16", "COMPLEX64"])
def test_other_types_are_refused(kind: str) -> None:
    with pytest.raises(ModelError, match=f"'scores' .* {kind.lower()}"):
        found_in(of_shape("n", 3, kind=TensorProto.DataType.Value(kind)))


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
    with pytest.raises(ModelError, match=r"'scores' of model\.onnx") as caught:
        found_in(of_shape(*shape))
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("kind", ["INT64", "INT32"])
@pytest.mark.parametrize("shape", [("n", 4, 4), ("n", "h", "w"), ("n", 10), (1, 1, 8, 8), ()])
def test_other_than_one_label_an_input_is_refused(kind: str, shape: tuple[Dim, ...]) -> None:
    with pytest.raises(ModelError, match=r"'scores' of model\.onnx.*label"):
        found_in(of_shape(*shape, kind=TensorProto.DataType.Value(kind)))


@pytest.mark.parametrize("shape", [("n",), ("n", 1), (1,), (1, 1)])
def test_a_label_an_input_is_taken(shape: tuple[Dim, ...]) -> None:
    found = found_in(of_shape(*shape, kind=INT64))
    assert (found.tensor, found.kind, found.classes) == ("scores", "label", ())


def test_a_text_whose_classes_are_not_in_the_file_is_refused() -> None:
    proto = of_shape("n", maker="Identity", kind=STRING)
    with pytest.raises(ModelError, match="'scores'") as caught:
        found_in(proto)
    assert "--output-name" not in str(caught.value)  # there is no other
    proto.graph.output.append(tensor("x", FLOAT, ["n", 4]))
    with pytest.raises(ModelError, match=r"'scores' .*--output-name"):
        found_in(proto, name="scores")


# One score.


@pytest.mark.parametrize("shape", [("n", 1), ("n", 1, 1), (1, 1), ("n", 1, 1, 1)])
def test_one_score_needs_a_threshold(shape: tuple[Dim, ...]) -> None:
    with pytest.raises(ModelError, match=r"--threshold \(0 .*0\.5"):
        found_in(of_shape(*shape))
    output = found_in(of_shape(*shape), threshold=0.25)
    assert (output.kind, output.threshold) == ("score", 0.25)


@pytest.mark.parametrize("shape", [("n",), (1,), (), (None,)])
def test_a_threshold_says_that_a_lone_axis_is_the_batch(shape: tuple[Dim, ...]) -> None:
    assert found_in(of_shape(*shape), threshold=0.0).kind == "score"


def test_a_sigmoid_is_named_in_the_hint() -> None:
    with pytest.raises(ModelError, match=r"--threshold .*sigmoid.*0\.5"):
        found_in(of_shape("n", 1, maker="Sigmoid"))


@pytest.mark.parametrize(
    ("shape", "kind"),
    [(("n", 2), FLOAT), (("n", 10, 1, 1), FLOAT), ((10,), FLOAT), (("n",), INT64)],
)
def test_a_threshold_for_anything_else_is_refused(shape: tuple[Dim, ...], kind: int) -> None:
    with pytest.raises(UsageError, match="'scores'"):
        found_in(of_shape(*shape, kind=kind), threshold=0.5)


# Several outputs.


def several() -> onnx.ModelProto:
    made = parsed("a = Relu(x); b = Softmax(x); features = Neg(x)")
    return with_outputs(made, [tensor(name, FLOAT, ["n", 4]) for name in ("a", "b", "features")])


def test_several_outputs_of_floats_are_refused_with_the_list() -> None:
    listed = r"'a' float32 \[n, 4\], 'b' float32 \[n, 4\], 'features'"
    with pytest.raises(ModelError, match=f"{listed}.*--output-name"):
        found_in(several())
    with pytest.raises(UsageError, match=f"'c'.*{listed}"):
        found_in(several(), name="c")


@pytest.mark.parametrize("name", ["a", "b", "features"])
def test_one_of_several_outputs_is_chosen_by_name(name: str) -> None:
    assert found_in(several(), name=name).spec.name == name


# Heads of different kinds.


JOIN = "scores = Concat<axis=1>(p, q)"


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        (f"p = Sigmoid(x); q = Neg(x); {JOIN}", "Neg, Sigmoid"),
        (f"p = Relu(x); q = Softmax(x); {JOIN}", "Relu, Softmax"),
        (f"p = Tanh(x); q = Sigmoid(x); {JOIN}", "Sigmoid, Tanh"),
        # An angle x - 1 beside a chance: the difference has nothing to do with the chance.
        (f"q = Sigmoid(x); p = Sub(x, one); {JOIN}", "Sigmoid, Sub"),
        (f"p = Relu(x); q = Relu(x); {JOIN}", None),
        (f"q = Sigmoid(x); p = Sub(one, q); {JOIN}", None),  # a chance beside its rest
    ],
)
def test_joined_heads_are_scores_where_they_are_of_one_kind(text: str, kinds: str | None) -> None:
    weights = {"one": np.ones(1, np.float32)}
    proto = with_outputs(parsed(text), [tensor("scores", FLOAT, ["n", 2])], weights, shape=("n", 1))
    if kinds is None:
        assert found_in(proto).kind == "scores"
        return
    with pytest.raises(ModelError, match=rf"\({kinds}\).*--output-name"):
        found_in(proto)


# Files that no exporter writes.


@pytest.mark.parametrize(
    "text",
    [
        *(f"scores = {kind}()" for kind in ("Identity", "Cast<to=1>", "Concat<axis=1>", "ArgMax")),
        *(f"scores = {kind}()" for kind in ("Gather", "Not", "Sign", "Slice", "Where")),
        "scores = ml.ZipMap()",
        "scores = ml.ArrayFeatureExtractor(x)",
        "scores = ml.ArrayFeatureExtractor(list, scores)",
        "scores = Add(scores, scores)",
        "scores = Slice<starts=[0], ends=[1], axes=[1]>()",
        "values, scores = TopK()",
        "scores = ml.LabelEncoder()",
        "scores = ml.TreeEnsembleClassifier(x)",
        "scores = Identity(scores)",
        "scores = Cast<to=1>(scores)",
    ],
)
@pytest.mark.parametrize("kind", [FLOAT, INT64, STRING])
def test_damaged_nodes_end_in_an_output_or_a_sentence(text: str, kind: int) -> None:
    shape: list[Dim] = ["n", 3 if kind == FLOAT else 1]
    proto = with_outputs(parsed(text), [tensor("scores", kind, shape)], {"list": np.arange(3)})
    try:
        output = found_in(proto)
    except ModelError as error:
        assert "model.onnx" in str(error)  # noqa: PT017 - either is right
    else:
        assert output.spec.name == "scores"


def test_a_label_that_is_fed_and_encoded_is_no_answer() -> None:
    """ML.NET passes the column of true labels through, numbered, beside the predicted ones."""
    made = parsed(
        "numbered = ml.LabelEncoder<keys_strings=['a', 'b'], values_int64s=[0, 1]>(true);"
        "predicted, scores = ml.LinearClassifier<coefficients=[1.0, 0.0, 0.0, 1.0],"
        "intercepts=[0.0, 0.0], classlabels_ints=[0, 1]>(x); label = Identity(numbered)"
    )
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        made,
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


@pytest.mark.parametrize(
    "value", ["value = 3", "value_int = 'a'", "value_ints = 2", "value_float = [1]"]
)
def test_a_constant_of_another_kind_ends_in_an_output_or_a_sentence(value: str) -> None:
    made = parsed(f"k = Constant<{value}>(); v, scores = TopK<axis=1>(x, k)")
    assert found_in(with_outputs(made, [tensor("scores", INT64, ["n", 1])])).spec.name == "scores"


@pytest.mark.parametrize("operand", ["gone", "later", "untyped"])
@pytest.mark.parametrize("operator", ["DictVectorizer", "LabelEncoder<keys_int64s=[1]>"])
def test_an_encoder_of_what_has_no_type_does_not_crash_onnx(operator: str, operand: str) -> None:
    text = f"untyped = Softmax(gone); k = ml.{operator}({operand}); later = Neg(x);"
    made = parsed(f"{text} scores = Relu(x)")
    assert found_in(with_outputs(made, [tensor("scores", FLOAT, ["n", 4])])).kind == "scores"
    kept = model_file(with_outputs(made, [tensor("scores", FLOAT, ["n", 4])])).view.specs
    assert kept["later"].shape == ("n", 4)
