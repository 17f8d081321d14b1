"""Classical models, loaded and compared with onnxruntime on the original, row by row.

They come from ai.onnx.ml, whose operators onnx's own evaluator knows only in part.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx_models import (
    FLOAT,
    INT64,
    ML,
    STRING,
    dicts,
    linear_classifier,
    stump,
    tensor,
    tree_classifier,
    with_outputs,
    zip_map,
)
from originals import opened, original, rows
from scored_models import scored

from rsonnx.errors import ModelError

OUTPUTS = {
    "label and scores": (lambda k: [tensor("label", k, ["n"]), tensor("scores", FLOAT, ["n", 3])]),
    "label": (lambda k: [tensor("label", k, ["n"])]),
    "label and dicts": (lambda k: [tensor("label", k, ["n"]), dicts(k)]),
    "dicts": (lambda k: [dicts(k)]),
}


def kind_of(classes: Any) -> int:
    return STRING if isinstance(classes[0], str) else INT64


@pytest.mark.parametrize("only_ml", [False, True])
@pytest.mark.parametrize("outputs", OUTPUTS)
@pytest.mark.parametrize("classes", [(0, 1, 2), (3, 1, 7), ("a", "b", "c")], ids=str)
@pytest.mark.parametrize("make", [linear_classifier, tree_classifier])
def test_a_classical_model_answers_its_own_label(
    tmp_path: Path, make: Any, classes: Any, outputs: str, only_ml: bool
) -> None:
    kind = kind_of(classes)
    made = [make(classes)] + ([zip_map(classes)] if "dicts" in outputs else [])
    proto = with_outputs(made, OUTPUTS[outputs](kind), only_ml=only_ml)
    found = opened(proto, tmp_path)
    assert (found.num_classes, found.batch_size) == (3, None)
    assert found.class_names == tuple(map(str, classes))
    batch = 4 * rows(64, 4) - 2
    labels = original(with_outputs([make(classes)], OUTPUTS["label"](kind)), "label", batch)
    assert found.classify(batch).tolist() == [classes.index(label) for label in labels]
    assert len(set(labels)) >= 2  # else this test would show little


@pytest.mark.parametrize("names", [(0, 1), (0, 1, 2, 3)])
def test_names_that_are_not_one_a_score_are_refused(tmp_path: Path, names: tuple[int, ...]) -> None:
    proto = with_outputs([linear_classifier(), zip_map(names)], [dicts()])
    with pytest.raises(ModelError, match=f"{len(names)} classes .* 3 scores"):
        opened(proto, tmp_path)


@pytest.mark.parametrize("fixed", [1, 3])
def test_a_classical_model_s_fixed_batch_is_freed(tmp_path: Path, fixed: int) -> None:
    proto = with_outputs([linear_classifier()], [tensor("label", INT64, [fixed])], shape=(fixed, 4))
    found = opened(proto, tmp_path)
    assert found.batch_size is None
    free = with_outputs([linear_classifier()], [tensor("label", INT64, ["n"])])
    batch = rows(32, 4)
    assert found.classify(batch).tolist() == original(free, "label", batch)


def _numbers(count: int) -> str:
    return str(np.random.default_rng(count).standard_normal(count).round(3).tolist())


VOTING = (
    'label, scores = ai.onnx.ml.SVMClassifier<kernel_type="LINEAR", kernel_params=[1.0, 0.0, 3.0], '
    "classlabels_ints=[0, 1, 2, 3], vectors_per_class=[1, 1, 1, 1], "
    f"support_vectors={_numbers(16)}, coefficients={_numbers(12)}, rho={_numbers(6)}>(x)"
)
LOOK_UP = (
    "at = ArgMax<axis=1, keepdims=0>(s) picked = ai.onnx.ml.ArrayFeatureExtractor(names, at) "
    "label = Reshape(picked, flat)"
)
NUMBERS, FLAT = "int64[5] names = {5, 6, 9, 12, 7}", ", int64[1] flat = {-1}"
NAMES = 'string[5] names = {"e", "d", "c", "b", "a"}'
POSITIONS: dict[str, tuple[str, str, str, list[Any]]] = {
    # The scores are of the 6 pairs of 4 classes, so their largest would be no class.
    "by vote": ("int64[n] label, float[n, m] scores", VOTING, "", [0, 1, 2, 3]),
    # As skl2onnx writes a decision; the names are the classes in order.
    "looked up": ("int64[n] label", LOOK_UP, NUMBERS + FLAT, [5, 6, 9, 12, 7]),
    "names": ("string[n] label", LOOK_UP, NAMES + FLAT, list("edcba")),
}


@pytest.mark.parametrize("name", POSITIONS)
def test_a_decision_of_positions_is_taken_and_not_the_largest_score(
    tmp_path: Path, name: str
) -> None:
    outputs, body, own, classes = POSITIONS[name]
    proto = scored(outputs, body, own)
    found = opened(proto, tmp_path, bounds=(-2, 2))
    assert found.class_names == tuple(map(str, classes))
    batch = 4 * rows(64, 4) - 2
    labels = original(proto, "label", batch)
    assert found.classify(batch).tolist() == [classes.index(label) for label in labels]
    assert len(set(labels)) >= 2


def test_pass_through_outputs_and_a_score_column(tmp_path: Path) -> None:
    """ML.NET gives its columns back, labels with a type of their own, at a batch of 1."""
    made = [
        linear_classifier(),
        helper.make_node("Identity", ["x"], ["Features.output"]),
        helper.make_node("Cast", ["label"], ["whole"], to=TensorProto.UINT32),
        helper.make_node("Reshape", ["whole", "column"], ["PredictedLabel.output"]),
        helper.make_node("Identity", ["scores"], ["Score.output"]),
    ]
    outputs = [
        tensor("Features.output", FLOAT, [1, 4]),
        tensor("PredictedLabel.output", TensorProto.UINT32, [1, 1]),
        tensor("Score.output", FLOAT, [1, 3]),
    ]
    proto = with_outputs(made, outputs, {"column": np.array([-1, 1])}, shape=(1, 4))
    found = opened(proto, tmp_path)
    assert found.facts["output"]["name"] == "PredictedLabel.output"
    batch = rows(32, 4)
    labels = np.ravel(original(proto, "PredictedLabel.output", batch))
    assert [int(found.class_names[k]) for k in found.classify(batch)] == labels.tolist()


@pytest.mark.parametrize("outputs", ["label and scores", "label"])
@pytest.mark.parametrize("classes", [(0, 1), (4, 2), ("no", "yes")], ids=str)
@pytest.mark.parametrize(
    "made", ["linear LOGISTIC", "linear NONE", "linear SOFTMAX", "tree LOGISTIC", "tree NONE"]
)
def test_two_classes_are_two_scores(tmp_path: Path, made: str, classes: Any, outputs: str) -> None:
    """From one row of weights, or one weight a leaf."""
    maker, transform = made.split()
    weights = [-0.7, 0.9] if transform == "LOGISTIC" else [0.2, 0.9]
    decision = stump(classes, weights, transform)
    if maker == "linear":
        key = "classlabels_strings" if kind_of(classes) == STRING else "classlabels_ints"
        own: dict[str, Any] = {"coefficients": [1.0, -2.0, 0.5, 0.25, -1.0, 2.0, -0.5, -0.25]}
        own |= {"intercepts": [0.1, -0.1], "post_transform": transform, key: list(classes)}
        named = ["label", "scores"]
        decision = helper.make_node("LinearClassifier", ["x"], named, domain=ML, **own)
    shown = [tensor("label", kind_of(classes), ["n"]), tensor("scores", FLOAT, ["n", 2])]
    proto = with_outputs([decision], shown if "scores" in outputs else shown[:1])
    found = opened(proto, tmp_path)
    assert found.num_classes == 2
    batch = 2 * rows(64, 4) - 1
    labels = original(with_outputs([decision], shown[:1]), "label", batch)
    assert found.classify(batch).tolist() == [classes.index(label) for label in labels]
    assert len(set(labels)) == 2
