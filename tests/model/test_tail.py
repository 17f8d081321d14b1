"""The tail behind a model: labels and scores, ties, scores that are not finite, a threshold.

numpy says what a row of scores means: the first of the largest, or no class where the largest is
infinite or a score is NaN.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from adapted import OPSETS, TOLERANCE, check, pixels, reference, run_adapted
from numpy.typing import NDArray
from onnx import helper
from onnx_models import FLOAT, INT64, NUMPY, build, echo, linear, node

from rsonnx.errors import ModelError


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_labels_and_scores_are_those_of_the_original(opset: int, dtype: str) -> None:
    proto = linear(("n", 1, 4, 4), dtype=dtype, opset=opset)
    batch = pixels((1, 4, 4))
    labels, scores = run_adapted(proto, batch)
    assert scores.dtype == (np.float64 if dtype == "float64" else np.float32)
    check(labels, scores, reference(proto, batch.astype(NUMPY[dtype])), TOLERANCE[dtype])


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("tail", ["maps", "steps"])
def test_scores_with_axes_of_one_are_flattened(opset: int, tail: str) -> None:
    proto = linear(opset=opset, tail=tail)
    batch = pixels((1, 4, 4))
    labels, scores = run_adapted(proto, batch)
    check(labels, scores, reference(proto, batch), TOLERANCE["float32"])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("opset", OPSETS)
def test_ties_go_to_the_lowest_index(opset: int, dtype: str) -> None:
    rows = [[1, 1, 1], [0, 1, 1], [2, 1, 2], [0, 0, 1], [-1, -1, -2], [0, -0.0, 0]]
    labels, _ = run_adapted(echo(dtype=dtype, opset=opset), np.array(rows, np.float32))
    assert labels.tolist() == [0, 1, 0, 2, 0, 0]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("opset", OPSETS)
def test_a_score_that_is_no_number_or_infinite_makes_an_answer_of_no_class(
    opset: int, dtype: str, bad: float
) -> None:
    """Row i has the bad score at position i; the last two rows have none."""
    rows = np.tile(np.array([3, 2, 1], np.float32), (5, 1))
    np.fill_diagonal(rows, bad)
    labels, scores = run_adapted(echo(dtype=dtype, opset=opset), rows)
    assert labels.tolist() == [-1, -1, -1, 0, 0]
    np.testing.assert_array_equal(scores, rows)


def meant(scores: NDArray[Any]) -> list[int]:
    """Return the class that each row of scores means, -1 for none."""
    found = []
    for row in scores:
        top = max(row) if not np.isnan(row).any() else np.nan
        found.append(row.tolist().index(top) if np.isfinite(top) else -1)
    return found


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("opset", [*range(7, 23)])
@pytest.mark.parametrize("ending", ["scores", "ArgMax", "ArgMin", "TopK"])
def test_every_combination_of_numbers_and_infinities(opset: int, dtype: str, ending: str) -> None:
    """All rows of 3 scores out of 6 values, ties among them, with and without the file's label."""
    values = [-np.inf, -1.5, 0.0, 2.0, np.inf, np.nan]
    rows = np.array(list(itertools.product(values, repeat=3)), np.float32)
    # onnxruntime has no kernels that decide among numbers of float16.
    widened = dtype == "float16" and ending != "scores"
    made = [node("Cast", ["x"], "s", to=FLOAT) if widened else node("Identity", ["x"], "s")]
    weights: dict[str, NDArray[np.generic]] = {}
    if ending == "TopK":
        size = {"k": 2} if opset < 10 else {}
        weights |= {} if opset < 10 else {"k": np.array([2])}
        operands = ["s"] if opset < 10 else ["s", "k"]
        made.append(helper.make_node("TopK", operands, ["best", "at"], axis=1, **size))
    elif ending != "scores":
        made.append(node(ending, ["s"], "at", axis=1, keepdims=0))
    name = "s" if ending == "scores" else "at"
    proto = build(made, ("n", 3), ("n", 3), weights, dtype=dtype, opset=opset, output_name=name)
    if ending != "scores":
        proto.graph.output[0].CopyFrom(
            helper.make_tensor_value_info(name, INT64, ["n", 2] if ending == "TopK" else ["n"])
        )
    labels, scores = run_adapted(proto, rows)
    expected = -rows if ending == "ArgMin" else rows
    np.testing.assert_array_equal(scores, expected)
    assert labels.tolist() == meant(expected)


@pytest.mark.parametrize("opset", OPSETS)
def test_nan_in_scores_beside_a_label_is_no_class(opset: int) -> None:
    """The label is of scores in which NaN was replaced, so it does not show."""
    made = [
        node("Relu", ["x"], "kept"),
        node("Greater", ["kept", "zero"], "positive"),
        node("Cast", ["positive"], "clean", to=FLOAT),
        node("ArgMax", ["clean"], "label", axis=1, keepdims=0),
        node("Identity", ["x"], "scores"),
    ]
    proto = build(made, ("n", 2), ("n", 2), {"zero": np.zeros(1, np.float32)}, opset=opset)
    proto.graph.output.append(helper.make_tensor_value_info("label", INT64, ["n"]))
    rows = np.array([[0, 1], [1, 0], [np.nan, 1], [1, np.nan], [-np.inf, 1]], np.float32)
    assert run_adapted(proto, rows)[0].tolist() == [1, 0, -1, -1, 1]


def test_opposite_infinities_and_huge_scores() -> None:
    huge = np.finfo(np.float32).max
    rows = [[np.inf, -np.inf, 0], [np.nan] * 3, [huge, huge, -huge], [-huge, huge, huge]]
    labels, _ = run_adapted(echo(), np.array(rows, np.float32))
    assert labels.tolist() == [-1, -1, 0, 1]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scores_that_overflow_inside_the_model_are_no_class(dtype: str) -> None:
    """exp(1000) is infinite in both types, and inf - inf is NaN."""
    made = [
        node("Exp", ["x"], "e"),
        node("Sub", ["e", "e"], "z"),
        node("Add", ["x", "z"], "scores"),
    ]
    proto = build(made, ("n", 3), ("n", 3), dtype=dtype)
    rows = np.array([[1, 5, 2], [1, 1000, 2], [1000, 3, 2]], np.float32)
    assert run_adapted(proto, rows)[0].tolist() == [1, -1, -1]


@pytest.mark.parametrize("output", [("n", 4, 4, 4), ("n", 2, "h", "w"), ("n", 5, 1, 7)])
def test_outputs_that_are_no_vector_of_scores_are_refused(output: tuple[Any, ...]) -> None:
    proto = build([node("Identity", ["x"], "scores")], ("n", 4, 4, 4), output)
    with pytest.raises(ModelError, match=r"'scores' of model\.onnx has shape .*no classifier"):
        run_adapted(proto, pixels((4, 4, 4)))


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("output", [("n", 1), ("n",)])
def test_one_score_is_class_1_above_the_threshold(
    opset: int, dtype: str, output: tuple[str, ...]
) -> None:
    made = [node("Identity", ["x"], "scores")]
    weights: dict[str, NDArray[np.generic]] = {}
    if len(output) == 1:
        made = [node("Reshape", ["x", "all"], "scores")]
        weights["all"] = np.array([-1])
    proto = build(made, ("n", 1), output, weights, dtype=dtype, opset=opset)
    above = np.nextafter(np.array(0.25, NUMPY[dtype] if dtype == "float16" else np.float32), 1)
    rows = [[0.2], [0.25], [above], [1], [-1], [np.nan], [np.inf], [-np.inf]]
    labels, scores = run_adapted(proto, np.array(rows, np.float32), threshold=0.25)
    assert labels.tolist() == [0, 0, 1, 1, 0, -1, -1, 0]
    assert scores.shape == (8, 2)
    np.testing.assert_array_equal(scores[:5, 0], np.full(5, 0.25))
