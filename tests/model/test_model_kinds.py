"""Outputs that are no vector of class scores: refused by name, or certified where named."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper
from onnx_models import FLOAT, INT64, ML, Dim, build, found_in, node, tensor, with_outputs

from rsonnx.errors import ModelError

BOOL = TensorProto.BOOL
ONE = {"one": np.ones(1, np.float32)}
AXIS = {"axis": np.array([1])}


HUNDRED: dict[str, NDArray[np.generic]] = {
    "hundred": np.full(1, 100, np.float32),
    "half": np.full(1, 0.5, np.float32),
    "minus_half": np.array(-0.5, np.float32),
    "mask": np.array([[1, 0, 1, 1]], np.float32),
    "two": np.array([2]),
    "axis": np.array([1]),
    "one": np.ones(1, np.float32),
}


def binary(number: int) -> NodeProto:
    """Make a binary logistic regression of one input value."""
    weights = [0.0] * 4
    weights[number] = 1.0
    return helper.make_node(
        "LinearClassifier",
        ["x"],
        [f"l{number}", f"p{number}"],
        domain=ML,
        coefficients=[-w for w in weights] + weights,
        intercepts=[0.0, 0.0],
        classlabels_ints=[0, 1],
        post_transform="LOGISTIC",
    )


def head(
    made: Sequence[NodeProto],
    weights: dict[str, NDArray[np.generic]] | None = None,
    name: str = "scores",
) -> onnx.ModelProto:
    return with_outputs(made, [tensor(name, FLOAT, ["n", 4])], weights)


def regressor(kind: str) -> NodeProto:
    options: dict[str, object] = {"coefficients": [1.0] * 16, "targets": 4}
    return helper.make_node(kind, ["x"], ["scores"], domain=ML, **options)


HEADS: dict[str, tuple[onnx.ModelProto, str]] = {
    "sigmoids": (head([node("Sigmoid", ["x"], "scores")]), "sigmoid"),
    "sigmoids, reshaped": (
        head(
            [node("Sigmoid", ["x"], "p"), node("Reshape", ["p", "shape"], "scores")],
            {"shape": np.array([-1, 4])},
        ),
        "sigmoid",
    ),
    "hard sigmoids": (head([node("HardSigmoid", ["x"], "scores")]), "sigmoid"),
    "joined sigmoids": (
        head(
            [
                node("Sigmoid", ["x"], "p"),
                node("Sigmoid", ["x"], "q"),
                node("Concat", ["p", "q"], "scores", axis=1),
            ]
        ),
        "sigmoid",
    ),
    "quantised sigmoids": (
        head(
            [
                node("Sigmoid", ["x"], "p"),
                node("QuantizeLinear", ["p", "step", "zero"], "q"),
                node("DequantizeLinear", ["q", "step", "zero"], "scores"),
            ],
            {"step": np.array(0.01, np.float32), "zero": np.array(0, np.uint8)},
        ),
        "sigmoid",
    ),
    "sigmoids, written out": (
        head(
            [
                node("Neg", ["x"], "m"),
                node("Exp", ["m"], "e"),
                node("Add", ["e", "one"], "d"),
                node("Div", ["one", "d"], "scores"),
            ],
            ONE,
        ),
        "sigmoid",
    ),
    "sigmoids by a reciprocal": (
        head(
            [
                node("Neg", ["x"], "m"),
                node("Exp", ["m"], "e"),
                node("Add", ["one", "e"], "d"),
                node("Reciprocal", ["d"], "scores"),
            ],
            ONE,
        ),
        "sigmoid",
    ),
    "sigmoids, rounded": (
        head([node("Sigmoid", ["x"], "p"), node("Round", ["p"], "scores")]),
        "sigmoid",
    ),
    "sigmoids in percent": (
        head([node("Sigmoid", ["x"], "p"), node("Mul", ["p", "hundred"], "scores")], HUNDRED),
        "sigmoid",
    ),
    "sigmoids of some classes": (
        head([node("Sigmoid", ["x"], "p"), node("Mul", ["mask", "p"], "scores")], HUNDRED),
        "sigmoid",
    ),
    "logarithms of sigmoids": (
        head([node("Sigmoid", ["x"], "p"), node("Log", ["p"], "scores")]),
        "sigmoid",
    ),
    "sigmoids by tanh": (
        head(
            [
                node("Tanh", ["x"], "t"),
                node("Mul", ["t", "half"], "h"),
                node("Add", ["h", "half"], "scores"),
            ],
            HUNDRED,
        ),
        "sigmoid",
    ),
    "columns of binary classifiers": (
        head(
            [
                *(binary(k) for k in range(4)),
                *(node("Slice", [f"p{k}", "axis", "two", "axis"], f"c{k}") for k in range(4)),
                node("Concat", [f"c{k}" for k in range(4)], "scores", axis=1),
            ],
            HUNDRED,
        ),
        "sigmoid",
    ),
    "thresholds": (
        head(
            [
                node("Sigmoid", ["x"], "p"),
                node("Greater", ["p", "half"], "b"),
                node("Cast", ["b"], "scores", to=FLOAT),
            ],
            HUNDRED,
        ),
        "truth",
    ),
    "thresholds by Where": (
        head(
            [node("Less", ["half", "x"], "b"), node("Where", ["b", "hundred", "half"], "scores")],
            HUNDRED,
        ),
        "truth",
    ),
    "an embedding by l2_normalize of TensorFlow": (
        head(
            [
                node("Mul", ["x", "x"], "s"),
                node("ReduceSum", ["s", "axis"], "t", keepdims=1),
                node("Max", ["t", "half"], "m"),
                node("Sqrt", ["m"], "l"),
                node("Reciprocal", ["l"], "r"),
                node("Mul", ["x", "r"], "scores"),
            ],
            HUNDRED,
        ),
        "embedding",
    ),
    "an embedding by a power": (
        head(
            [
                node("ReduceSumSquare", ["x"], "t", axes=[1], keepdims=1),
                node("Pow", ["t", "minus_half"], "r"),
                node("Mul", ["r", "x"], "scores"),
            ],
            HUNDRED,
        ),
        "embedding",
    ),
    "an embedding by the inverse of its length": (
        head(
            [
                node("ReduceL2", ["x"], "l", axes=[1], keepdims=1),
                node("Div", ["one", "l"], "r"),
                node("Mul", ["x", "r"], "scores"),
            ],
            HUNDRED,
        ),
        "embedding",
    ),
    "sigmoids, split and joined": (
        head(
            [
                node("Sigmoid", ["x"], "p"),
                helper.make_node("Split", ["p"], ["a", "b"], axis=1),
                node("Concat", ["b", "a"], "scores", axis=1),
            ]
        ),
        "sigmoid",
    ),
    "signs": (head([node("Sign", ["x"], "scores")]), "truth"),
    "a scaled embedding": (
        head(
            [
                node("LpNormalization", ["x"], "unit", axis=1, p=2),
                node("Mul", ["unit", "hundred"], "scores"),
            ],
            HUNDRED,
        ),
        "embedding",
    ),
    "a linear regressor": (head([regressor("LinearRegressor")]), "regressor"),
    "a regressor, cast": (
        head(
            [
                helper.make_node("LinearRegressor", ["x"], ["r"], domain=ML, targets=4),
                node("Cast", ["r"], "scores", to=FLOAT),
            ]
        ),
        "regressor",
    ),
    "an imputer": (
        head([node("Imputer", ["x"], "scores", domain=ML, imputed_value_floats=[0.0] * 4)]),
        "features",
    ),
    "an embedding": (head([node("LpNormalization", ["x"], "scores", axis=1, p=2)]), "embedding"),
    "an embedding by ReduceL2": (
        head(
            [
                node("ReduceL2", ["x"], "l", axes=[1], keepdims=1),
                node("Clip", ["l"], "c"),
                node("Expand", ["c", "shape"], "e"),
                node("Div", ["x", "e"], "scores"),
            ],
            {"shape": np.array([1, 4])},
        ),
        "embedding",
    ),
    "an embedding, written out": (
        head(
            [
                node("Mul", ["x", "x"], "s"),
                node("ReduceSum", ["s", "axis"], "t", keepdims=1),
                node("Sqrt", ["t"], "l"),
                node("Div", ["x", "l"], "scores"),
            ],
            AXIS,
        ),
        "embedding",
    ),
    "an embedding by its name": (
        head([node("Relu", ["x"], "image_embeds")], name="image_embeds"),
        "embedding",
    ),
    "features by their name": (
        head([node("Relu", ["x"], "features")], name="features"),
        "embedding",
    ),
}


@pytest.mark.parametrize("kind", HEADS)
def test_what_is_no_class_scores_is_named_and_refused(kind: str) -> None:
    proto, word = HEADS[kind]
    name = proto.graph.output[0].name
    with pytest.raises(ModelError, match=word) as caught:
        found_in(proto)
    assert f"--output-name {name}" in str(caught.value)
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("kind", HEADS)
def test_who_names_the_output_insists(kind: str) -> None:
    proto, word = HEADS[kind]
    found = found_in(proto, name=proto.graph.output[0].name)
    assert found.kind == "scores"
    assert found.insisted is not None
    assert word in found.insisted


def test_skl2onnx_s_name_for_numbers_that_are_no_scores() -> None:
    proto = head([node("Relu", ["x"], "variable")], name="variable")
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
    "made",
    [
        [node("Softmax", ["x"], "scores", axis=1)],
        [node("Relu", ["x"], "scores")],
        [node("Sigmoid", ["x"], "p"), node("Mul", ["x", "p"], "scores")],
        [
            node("Sigmoid", ["x"], "p"),
            node("ReduceSum", ["p", "axis"], "t", keepdims=1),
            node("Div", ["p", "t"], "scores"),
        ],
        [
            node("LpNormalization", ["x"], "unit", axis=1, p=2),
            node("MatMul", ["unit", "centres"], "scores"),
        ],
        [node("Exp", ["x"], "e"), node("Div", ["e", "one"], "scores")],
        [
            node("ReduceMax", ["x"], "top", axes=[1], keepdims=1),
            node("Equal", ["x", "top"], "is_top"),
            node("Cast", ["is_top"], "scores", to=FLOAT),
        ],
        [node("Tanh", ["x"], "t"), node("MatMul", ["t", "centres"], "scores")],
        [
            node("ReduceL2", ["x"], "l", axes=[1], keepdims=1),
            node("Mul", ["x", "l"], "scores"),
        ],
    ],
    ids=[
        *("softmax", "relu", "swish", "sigmoids over their sum", "cosines", "quotient"),
        *("one hot", "linear behind tanh", "times its length"),
    ],
)
def test_class_scores_are_not_mistaken(made: list[NodeProto]) -> None:
    weights = AXIS | ONE | {"centres": np.eye(4, dtype=np.float32)}
    found = found_in(head(made, weights))
    assert (found.kind, found.insisted) == ("scores", None)


def test_a_label_of_the_largest_sigmoid_is_the_file_s_own_answer() -> None:
    made = [node("Sigmoid", ["x"], "p"), node("ArgMax", ["p"], "label", axis=1, keepdims=0)]
    proto = with_outputs(made, [tensor("p", FLOAT, ["n", 4]), tensor("label", INT64, ["n"])])
    found = found_in(proto)
    assert (found.spec.name, found.insisted) == ("label", None)


TRUTHS = [node("Sigmoid", ["x"], "p"), node("Greater", ["p", "half"], "b")]


@pytest.mark.parametrize("kind", [INT64, BOOL, TensorProto.INT32])
@pytest.mark.parametrize("beside", [True, False])
def test_several_labels_an_input_are_named(kind: int, beside: bool) -> None:
    made = [*TRUTHS, node("Cast", ["b"], "label", to=kind)]
    outputs = [tensor("label", kind, ["n", 4])] + [tensor("p", FLOAT, ["n", 4])] * beside
    proto = with_outputs(made, outputs, HUNDRED)
    with pytest.raises(ModelError, match=r"several labels an input") as caught:
        found_in(proto)
    assert ("--output-name" in str(caught.value)) == beside
    if beside:
        assert "sigmoid" in str(found_in(proto, name="p").insisted)


def test_several_labels_whose_shape_says_one_are_named() -> None:
    """So skl2onnx writes a perceptron of several labels."""
    made = [
        node("Sigmoid", ["x"], "p"),
        node("Binarizer", ["p"], "b", domain=ML, threshold=0.5),
        node("Cast", ["b"], "label", to=INT64),
    ]
    outputs = [tensor("label", INT64, ["n"]), tensor("p", FLOAT, ["n", 4])]
    with pytest.raises(ModelError, match="several labels an input"):
        found_in(with_outputs(made, outputs))


@pytest.mark.parametrize("picked", [True, False])
def test_one_truth_value_an_input_is_a_label(picked: bool) -> None:
    made, shape = [*TRUTHS, node("Cast", ["b"], "label", to=INT64)], ("n", 1)
    if picked:
        made, shape = [*TRUTHS, node("Slice", ["b", "axis", "two", "axis"], "c")], ("n", 4)
        made.append(node("Cast", ["c"], "label", to=INT64))
    proto = with_outputs(made, [tensor("label", INT64, ["n", 1])], HUNDRED, shape=shape)
    assert found_in(proto).classes == ("0", "1")


def test_labels_of_several_outputs_of_trees_are_named() -> None:
    """As skl2onnx writes trees of several outputs: a column of labels for each."""
    made = [
        node("ArgMax", ["x"], "a", axis=1, keepdims=1),
        node("ArgMin", ["x"], "b", axis=1, keepdims=1),
        node("Concat", ["a", "b"], "label", axis=1),
    ]
    outputs = [tensor("label", INT64, ["n", 2]), tensor("x2", FLOAT, [2, "n", 4])]
    made.append(node("Expand", ["x", "shape"], "x2"))
    with pytest.raises(ModelError, match=r"several labels an input .*'label'"):
        found_in(with_outputs(made, outputs, {"shape": np.array([2, 1, 1])}))


@pytest.mark.parametrize("shape", [("n", 84, 8400), ("n", 25200, 85)])
def test_a_detector_s_anchors_are_named(shape: tuple[Dim, ...]) -> None:
    proto = build([node("Relu", ["x"], "scores")], shape, shape)
    for name in (None, "scores"):  # a table of boxes has no largest class
        with pytest.raises(ModelError, match="detector"):
            found_in(proto, name=name)


def test_boxes_labels_and_scores_are_a_detector_s() -> None:
    made = [
        node("Relu", ["x"], "boxes"),
        node("ArgMax", ["x"], "labels", axis=1, keepdims=0),
        node("ReduceMax", ["x"], "scores", axes=[1], keepdims=0),
    ]
    outputs = [
        tensor("boxes", FLOAT, ["k", 4]),
        tensor("labels", INT64, ["k"]),
        tensor("scores", FLOAT, ["k"]),
    ]
    with pytest.raises(ModelError, match="detector"):
        found_in(with_outputs(made, outputs))
