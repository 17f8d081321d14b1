"""Outputs that are no vector of class scores: refused by name, or certified where named."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx_models import FLOAT, INT64, Dim, build, found_in, node, parsed, tensor, with_outputs

from rsonnx.errors import ModelError

BOOL = TensorProto.BOOL
WEIGHTS: dict[str, Any] = {
    "hundred": np.full(1, 100, np.float32),
    "half": np.full(1, 0.5, np.float32),
    "minus_half": np.array(-0.5, np.float32),
    "one": np.ones(1, np.float32),
    "mask": np.array([[1, 0, 1, 1]], np.float32),
    "axis": np.array([1]),
    "two": np.array([2]),
    "rows": np.array([-1, 4]),
    "row": np.array([1, 4]),
    "step": np.array(0.01, np.float32),
    "zero": np.array(0, np.uint8),
    "centres": np.eye(4, dtype=np.float32),
}


def head(text: str, name: str = "scores", kind: int = FLOAT) -> onnx.ModelProto:
    return with_outputs(parsed(text), [tensor(name, kind, ["n", 4])], WEIGHTS)


BINARY = """
    l{0}, p{0} = ml.LinearClassifier<coefficients=[-1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0],
        intercepts=[0.0, 0.0], classlabels_ints=[0, 1], post_transform='LOGISTIC'>(x);
    c{0} = Slice(p{0}, axis, two, axis);
"""
COLUMNS = "".join(BINARY.format(k) for k in range(4)) + "scores = Concat<axis=1>(c0, c1, c2, c3)"
HEADS = {
    "sigmoid": [
        "scores = Sigmoid(x)",
        "p = Sigmoid(x); scores = Reshape(p, rows)",
        "scores = HardSigmoid(x)",
        "p = Sigmoid(x); q = Sigmoid(x); scores = Concat<axis=1>(p, q)",
        "p = Sigmoid(x); q = QuantizeLinear(p, step, zero);"
        "scores = DequantizeLinear(q, step, zero)",
        "m = Neg(x); e = Exp(m); d = Add(e, one); scores = Div(one, d)",
        "m = Neg(x); e = Exp(m); d = Add(one, e); scores = Reciprocal(d)",
        "p = Sigmoid(x); scores = Round(p)",
        "p = Sigmoid(x); scores = Mul(p, hundred)",
        "p = Sigmoid(x); scores = Mul(mask, p)",
        "p = Sigmoid(x); scores = Log(p)",
        "t = Tanh(x); h = Mul(t, half); scores = Add(h, half)",
        "p = Sigmoid(x); a, b = Split<axis=1>(p); scores = Concat<axis=1>(b, a)",
        COLUMNS,
    ],
    "truth": [
        "p = Sigmoid(x); b = Greater(p, half); scores = Cast<to=1>(b)",
        "b = Less(half, x); scores = Where(b, hundred, half)",
        "scores = Sign(x)",
    ],
    "embedding": [
        # TensorFlow's l2_normalize.
        "s = Mul(x, x); t = ReduceSum<keepdims=1>(s, axis); m = Max(t, half); l = Sqrt(m);"
        "r = Reciprocal(l); scores = Mul(x, r)",
        "t = ReduceSumSquare<axes=[1], keepdims=1>(x); r = Pow(t, minus_half); scores = Mul(r, x)",
        "l = ReduceL2<axes=[1], keepdims=1>(x); r = Div(one, l); scores = Mul(x, r)",
        "unit = LpNormalization<axis=1, p=2>(x); scores = Mul(unit, hundred)",
        "scores = LpNormalization<axis=1, p=2>(x)",
        "l = ReduceL2<axes=[1], keepdims=1>(x); c = Clip(l); e = Expand(c, row);scores = Div(x, e)",
        "s = Mul(x, x); t = ReduceSum<keepdims=1>(s, axis); l = Sqrt(t); scores = Div(x, l)",
        "image_embeds = Relu(x)",
        "features = Relu(x)",
    ],
    "regressor": [
        "scores = ml.LinearRegressor<coefficients=[1.0, 1.0, 1.0, 1.0], targets=4>(x)",
        "r = ml.LinearRegressor<targets=4>(x); scores = Cast<to=1>(r)",
    ],
    "features": ["scores = ml.Imputer<imputed_value_floats=[0.0, 0.0, 0.0, 0.0]>(x)"],
}


@pytest.mark.parametrize(
    ("word", "text"), [(word, text) for word, texts in HEADS.items() for text in texts]
)
def test_what_is_no_class_scores_is_refused_unless_it_is_named(word: str, text: str) -> None:
    name = next((n for n in ("image_embeds", "features") if f"{n} = R" in text), "scores")
    proto = head(text, name)
    with pytest.raises(ModelError, match=word) as caught:
        found_in(proto)
    assert f"--output-name {name}" in str(caught.value)
    assert caught.value.exit_code == 4
    insisted = found_in(proto, name=name)
    assert insisted.kind == "scores"
    assert word in str(insisted.insisted)


def test_skl2onnx_s_name_for_numbers_that_are_no_scores() -> None:
    proto = head("variable = Relu(x)", name="variable")
    assert found_in(proto).insisted is None
    proto.producer_name = "skl2onnx"
    with pytest.raises(ModelError, match="skl2onnx"):
        found_in(proto)


@pytest.mark.parametrize(
    ("key", "task"),
    [
        *(("task", task) for task in ("detect", "segment", "pose", "obb", "object-detection")),
        ("problem_type", "multi_label_classification"),
        ("problem_type", "regression"),
    ],
)
def test_metadata_that_state_another_task(key: str, task: str) -> None:
    proto = build([node("Relu", ["x"], "scores")], ("n", 4), ("n", 4), metadata={key: task})
    with pytest.raises(ModelError, match=task):
        found_in(proto)
    helper.set_model_props(
        proto, {"task": "classify", "problem_type": "single_label_classification"}
    )
    assert found_in(proto).kind == "scores"


@pytest.mark.parametrize(
    "text",
    [
        "scores = Softmax<axis=1>(x)",
        "scores = Relu(x)",
        "p = Sigmoid(x); scores = Mul(x, p)",  # swish
        "p = Sigmoid(x); t = ReduceSum<keepdims=1>(p, axis); scores = Div(p, t)",
        "unit = LpNormalization<axis=1, p=2>(x); scores = MatMul(unit, centres)",  # cosines
        "e = Exp(x); scores = Div(e, one)",
        "top = ReduceMax<axes=[1], keepdims=1>(x); b = Equal(x, top); scores = Cast<to=1>(b)",
        "t = Tanh(x); scores = MatMul(t, centres)",
        "l = ReduceL2<axes=[1], keepdims=1>(x); scores = Mul(x, l)",  # times its length
    ],
)
def test_class_scores_are_not_mistaken(text: str) -> None:
    output = found_in(head(text))
    assert (output.kind, output.insisted) == ("scores", None)


def test_a_label_of_the_largest_sigmoid_is_the_file_s_own_answer() -> None:
    made = parsed("p = Sigmoid(x); label = ArgMax<axis=1, keepdims=0>(p)")
    proto = with_outputs(made, [tensor("p", FLOAT, ["n", 4]), tensor("label", INT64, ["n"])])
    output = found_in(proto)
    assert (output.spec.name, output.insisted) == ("label", None)


TRUTHS = "p = Sigmoid(x); b = Greater(p, half);"


@pytest.mark.parametrize("kind", [INT64, BOOL, TensorProto.INT32])
@pytest.mark.parametrize("beside", [True, False])
def test_several_labels_an_input_are_named(kind: int, beside: bool) -> None:
    made = parsed(f"{TRUTHS} label = Cast<to={kind}>(b)")
    outputs = [tensor("label", kind, ["n", 4])] + [tensor("p", FLOAT, ["n", 4])] * beside
    proto = with_outputs(made, outputs, WEIGHTS)
    with pytest.raises(ModelError, match="label") as caught:
        found_in(proto)
    assert ("--output-name" in str(caught.value)) == beside
    if beside:
        assert "sigmoid" in str(found_in(proto, name="p").insisted)


@pytest.mark.parametrize(
    ("text", "outputs"),
    [
        # skl2onnx: a perceptron of several labels, whose shape says one.
        ("p = Sigmoid(x); b = ml.Binarizer<threshold=0.5>(p); label = Cast<to=7>(b)",
         [tensor("label", INT64, ["n"]), tensor("p", FLOAT, ["n", 4])]),
        # And trees of several outputs, with a column of labels for each.
        ("a = ArgMax<axis=1>(x); b = ArgMin<axis=1>(x); label = Concat<axis=1>(a, b);"
         "x2 = Expand(x, both)",
         [tensor("label", INT64, ["n", 2]), tensor("x2", FLOAT, [2, "n", 4])]),
    ],
)  # fmt: skip
def test_several_labels_of_exporters_are_named(
    text: str, outputs: list[onnx.ValueInfoProto]
) -> None:
    weights = WEIGHTS | {"both": np.array([2, 1, 1])}
    with pytest.raises(ModelError, match="several labels an input"):
        found_in(with_outputs(parsed(text), outputs, weights))


def test_a_lone_axis_is_of_classes_for_sigmoids_and_of_the_batch_for_labels() -> None:
    proto = build([node("Sigmoid", ["x"], "scores")], (4,), (4,))
    with pytest.raises(ModelError, match="sigmoid"):
        found_in(proto)
    made = parsed(f"{TRUTHS} label = Cast<to=7>(b)")
    proto = with_outputs(made, [tensor("label", INT64, ["n"])], WEIGHTS, shape=("n",))
    assert found_in(proto).classes == ("0", "1")


@pytest.mark.parametrize("picked", [True, False])
def test_one_truth_value_an_input_is_a_label(picked: bool) -> None:
    text = "c = Slice(b, axis, two, axis); label = Cast<to=7>(c)" if picked else ""
    made = parsed(TRUTHS + (text or "label = Cast<to=7>(b)"))
    shape: tuple[Dim, ...] = ("n", 4 if picked else 1)
    proto = with_outputs(made, [tensor("label", INT64, ["n", 1])], WEIGHTS, shape=shape)
    assert found_in(proto).classes == ("0", "1")


@pytest.mark.parametrize("shape", [("n", 84, 8400), ("n", 25200, 85)])
def test_a_detector_s_anchors_are_named(shape: tuple[Dim, ...]) -> None:
    proto = build([node("Relu", ["x"], "scores")], shape, shape)
    for name in (None, "scores"):  # a table of boxes has no largest class
        with pytest.raises(ModelError, match="detector"):
            found_in(proto, name=name)


def test_boxes_labels_and_scores_are_a_detector_s() -> None:
    text = "boxes = Relu(x); labels = ArgMax<axis=1, keepdims=0>(x);"
    made = parsed(f"{text} scores = ReduceMax<axes=[1], keepdims=0>(x)")
    outputs = [tensor("boxes", FLOAT, ["k", 4]), tensor("labels", INT64, ["k"])]
    with pytest.raises(ModelError, match="detector"):
        found_in(with_outputs(made, [*outputs, tensor("scores", FLOAT, ["k"])]))
