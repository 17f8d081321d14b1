"""Linear models of every operator: where the form decides, its label is the file's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
from closed_models import adapted_labels, answers, closed_model, read_form
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx_models import linear, linear_classifier, parsed

from rsonnx.closed_form import UNDECIDED, Linear
from rsonnx.errors import ModelError
from rsonnx.model.closed import check_form

FEATURES = 4
LABELS = ((0, 1), (5, 2), ("no", "yes"), (0, 1, 2), ("c", "a", "b", "d"))
GENERATOR = np.random.default_rng(7)


def drawn(*shape: int) -> NDArray[np.float32]:
    return GENERATOR.standard_normal(shape).astype(np.float32)


def compare(proto: onnx.ModelProto, labels: Sequence[Any] = ()) -> Linear:
    """Hold a form against plain onnxruntime, on inputs apart and where scores are all but equal."""
    form = read_form(proto)
    assert isinstance(form, Linear)
    rows = np.random.default_rng(1).normal(scale=3, size=(500, FEATURES)).astype(np.float32)
    check_form(form, lambda batch: answers(proto, batch, labels), rows)
    assert (form.labels(rows) == UNDECIDED).mean() < 0.01
    return form


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(LABELS), st.sampled_from(["NONE", "LOGISTIC", "SOFTMAX"]), st.integers(0, 99)
)
def test_a_linear_classifier(labels: Sequence[Any], transform: str, seed: int) -> None:
    made = linear_classifier(labels, features=FEATURES, post_transform=transform, seed=seed)
    made.output[1] = "probabilities"
    compare(closed_model([made], FEATURES, "label"), labels)


GRAPHS = {
    "a product": "scores = Gemm(x, w, b)",
    "turned and scaled": "scores = Gemm<transB=1, alpha=0.3, beta=-2.0>(x, wt, b)",
    "a sum": "product = MatMul(x, w); scores = Add(product, b)",
    "two layers": "hidden = MatMul(x, w); scores = Gemm(hidden, square, b)",
    "standardised": "centred = Sub(x, mean); z = Div(centred, std); scores = Gemm(z, w, b)",
    "of shares": "raw = Gemm(x, w, b); scores = Softmax<axis=1>(raw)",
    "of logarithms": "raw = Gemm(x, w, b); scores = LogSoftmax<axis=1>(raw)",
    "flattened": "flat = Flatten<axis=1>(x); raw = Gemm(flat, w, b); scores = Identity(raw)",
    "viewed": "sizes = Shape(x); rows = Gather<axis=0>(sizes, first); shape = Concat<axis=0>(rows, "
    "rest); flat = Reshape(x, shape); scores = Gemm(flat, w, b)",
    "in doubles": "wide = Cast<to=11>(x); raw = MatMul(wide, wd); scores = Cast<to=1>(raw)",
    "two of one": "s = Gemm(x, v, c); t = Neg(s); scores = Concat<axis=1>(t, s)",
    "two shares of one": "s = Gemm(x, v, c); p = Sigmoid(s); q = Sub(one, p); "
    "scores = Concat<axis=1>(q, p)",
}
WEIGHTS = {
    "w": drawn(FEATURES, 3),
    "wt": drawn(3, FEATURES),
    "b": drawn(3),
    "square": drawn(3, 3),
    "mean": drawn(1, FEATURES),
    "std": np.abs(drawn(FEATURES)) + np.float32(0.1),
    "v": drawn(FEATURES, 1),
    "c": drawn(1),
    "one": np.float32([1]),
    "first": np.array([0]),
    "rest": np.array([-1]),
    "wd": np.random.default_rng(3).standard_normal((FEATURES, 3)),
}

W_B = {name: WEIGHTS[name] for name in "wb"}


@pytest.mark.parametrize("name", GRAPHS)
def test_scores_of_usual_operators(name: str) -> None:
    nodes = parsed(GRAPHS[name])
    used = {operand: WEIGHTS[operand] for n in nodes for operand in n.input if operand in WEIGHTS}
    compare(closed_model(nodes, FEATURES, "scores", used))


@pytest.mark.parametrize(("end", "threshold"), [("Sigmoid", 0.5), ("Identity", 0.75)])
def test_one_score_and_a_threshold(end: str, threshold: float) -> None:
    nodes = parsed(f"s = Gemm(x, v, c); scores = {end}(s)")
    proto = closed_model(nodes, FEATURES, "scores", {name: WEIGHTS[name] for name in "vc"})
    proto.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 1
    form = read_form(proto, threshold=threshold)
    weights, bias = WEIGHTS["v"][:, 0].astype(float), float(WEIGHTS["c"][0])
    rows = drawn(500, FEATURES)
    scores = rows.astype(float) @ weights + bias - (threshold if end == "Identity" else 0)
    labels = form.labels(rows)
    clear = np.abs(scores) > 1e-4
    np.testing.assert_array_equal(labels[clear], (scores > 0)[clear])


def test_preprocessing_is_part_of_the_form() -> None:
    proto = closed_model(
        parsed(GRAPHS["a product"]), FEATURES, "scores", {k: WEIGHTS[k] for k in "wb"}
    )
    form = read_form(proto, preprocess="mean=0.25,std=0.5,scale=3", bounds=(-1.0, 1.0))
    assert isinstance(form, Linear)
    rows = drawn(200, FEATURES)
    fed = ((rows.astype(float) + 1) / 2 * 3 - 0.25) / 0.5
    scores = fed @ WEIGHTS["w"].astype(float) + WEIGHTS["b"]
    labels = form.labels(rows)
    np.testing.assert_array_equal(labels[labels >= 0], scores.argmax(axis=1)[labels >= 0])


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("raw = Gemm(x, w, b); scores = Relu(raw)", "Relu"),
        ("raw = Gemm(x, w, b); scores = Sigmoid(raw)", "sigmoids"),
        ("square = Mul(x, x); scores = Gemm(square, w, b)", "Mul"),
        ("raw = Gemm(x, w, b); scores = Erf(raw)", "Erf"),
    ],
)
def test_what_is_not_linear_is_named(text: str, what: str) -> None:
    proto = closed_model(parsed(text), FEATURES, "scores", W_B)
    with pytest.raises(ModelError, match=f"{what}.*sample"):
        read_form(proto, output_name="scores")


def test_a_form_of_another_model_is_refused() -> None:
    proto = closed_model(
        parsed(GRAPHS["a product"]), FEATURES, "scores", {k: WEIGHTS[k] for k in "wb"}
    )
    form = compare(proto)
    moved = replace(form, intercepts=form.intercepts + np.array([0, 1e-4, 0]))
    with pytest.raises(ModelError, match="closed form"):
        check_form(moved, lambda rows: answers(proto, rows), drawn(50, FEATURES))


@pytest.mark.parametrize(
    ("shape", "preprocess"),
    [((1, 4, 4), "mnist"), ((3, 4, 4), "caffe"), ((3, 4, 4), "mean=.4/.5/.6,std=.2/.3/.25")],
)
@pytest.mark.parametrize("batch", ["batch", 1])
def test_pictures(shape: tuple[int, ...], preprocess: str, batch: int | str) -> None:
    proto = linear((batch, *shape), classes=3)
    form = read_form(proto, preprocess=preprocess, bounds=(0.0, 1.0))
    rows = np.random.default_rng(0).random((200, *shape)).astype(np.float32)

    def classify(some: NDArray[np.float32]) -> NDArray[np.int64]:
        return adapted_labels(proto, some, preprocess=preprocess, bounds=(0.0, 1.0))

    check_form(form, classify, rows)
    assert (form.labels(rows.reshape(200, -1)) == classify(rows)).mean() > 0.99
