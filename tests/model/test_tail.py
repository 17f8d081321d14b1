"""The tail behind a model: labels and scores, ties, scores that are not finite, a threshold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from adapted import OPSETS, TOLERANCE, check, pixels, reference, run_adapted
from numpy.typing import NDArray
from onnx_models import NUMPY, build, echo, linear, node

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


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("opset", OPSETS)
def test_a_score_that_is_not_finite_makes_an_answer_of_no_class(
    opset: int, dtype: str, bad: float
) -> None:
    """Row i has the bad score at position i; the last two rows have none."""
    rows = np.tile(np.array([3, 2, 1], np.float32), (5, 1))
    np.fill_diagonal(rows, bad)
    labels, scores = run_adapted(echo(dtype=dtype, opset=opset), rows)
    assert labels.tolist() == [-1, -1, -1, 0, 0]
    np.testing.assert_array_equal(scores, rows)


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
    assert labels.tolist() == [0, 0, 1, 1, 0, -1, -1, -1]
    assert scores.shape == (8, 2)
    np.testing.assert_array_equal(scores[:5, 0], np.full(5, 0.25))
