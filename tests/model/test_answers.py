"""Labels that a provider gives to probe inputs, against the scores beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx_models import INT64, found_in, linear, node, tensor, with_outputs

from rsonnx.errors import ModelError
from rsonnx.model import Output, check_answers

NAN, INF = np.nan, np.inf
SCORES = np.array([[1, 3, 2], [5, 5, 0], [NAN, 1, 2], [INF, 1, 2], [-INF, 1, 2], [-INF] * 3])
MEANT = [1, 0, -1, -1, 2, -1]


def largest() -> Output:
    made = [node("ArgMax", ["x"], "label", axis=1, keepdims=0)]
    return found_in(with_outputs(made, [tensor("label", INT64, ["n"])]))


def unknown() -> Output:
    made = [node("Abs", ["x"], "size"), node("Cast", ["size"], "label", to=INT64)]
    return found_in(with_outputs(made, [tensor("label", INT64, ["n", 1])]))


def check(output: Output, scores: Any, labels: list[int]) -> None:
    check_answers("a.onnx", output, np.asarray(scores), np.array(labels, np.int64))


@pytest.mark.parametrize("output", [found_in(linear()), largest()], ids=["scores", "label"])
def test_labels_that_the_scores_mean_pass(output: Output) -> None:
    check(output, SCORES, MEANT)
    check(output, SCORES[:2], MEANT[:2])


@pytest.mark.parametrize("output", [found_in(linear()), largest()], ids=["scores", "label"])
@pytest.mark.parametrize("row", range(6))
@pytest.mark.parametrize("label", [-2, -1, 0, 1, 2, 3])
def test_any_other_label_is_refused(output: Output, row: int, label: int) -> None:
    tie_of_its_own = output.label is not None and (row, label) == (1, 1)
    labels = [*MEANT[:row], label, *MEANT[row + 1 :]]
    if label == MEANT[row] or tie_of_its_own:
        check(output, SCORES, labels)
        return
    with pytest.raises(ModelError, match=r"a\.onnx"):
        check(output, SCORES, labels)


@pytest.mark.parametrize("label", [-2, 10_000_000, 2**40])
def test_a_number_that_no_class_can_have_is_refused(label: int) -> None:
    with pytest.raises(ModelError, match="'label'"):
        check(unknown(), [[0.0]], [label])
    check(unknown(), [[0.0], [0.0]], [9_999_999, -1])
