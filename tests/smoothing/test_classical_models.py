"""Classical models, loaded and compared with onnxruntime on the original, row by row.

They come from ai.onnx.ml, whose operators onnx's own evaluator knows only in part.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
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

from rsonnx.errors import ModelError

OUTPUTS = {
    "label and scores": (lambda k: [tensor("label", k, ["n"]), tensor("scores", FLOAT, ["n", 3])]),
    "label": (lambda k: [tensor("label", k, ["n"])]),
    "label and dicts": (lambda k: [tensor("label", k, ["n"]), dicts(k)]),
    "dicts": (lambda k: [dicts(k)]),
}


@pytest.mark.parametrize("only_ml", [False, True])
@pytest.mark.parametrize("outputs", OUTPUTS)
@pytest.mark.parametrize("classes", [(0, 1, 2), (3, 1, 7), ("a", "b", "c")], ids=str)
@pytest.mark.parametrize("make", [linear_classifier, tree_classifier])
def test_a_classical_model_answers_its_own_label(
    tmp_path: Path, make: Any, classes: Any, outputs: str, only_ml: bool
) -> None:
    kind = STRING if isinstance(classes[0], str) else INT64
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
    with pytest.raises(ModelError, match=f"names {len(names)} classes but gives 3 scores"):
        opened(proto, tmp_path)


@pytest.mark.parametrize("fixed", [1, 3])
def test_a_classical_model_s_fixed_batch_is_freed(tmp_path: Path, fixed: int) -> None:
    proto = with_outputs([linear_classifier()], [tensor("label", INT64, [fixed])], shape=(fixed, 4))
    found = opened(proto, tmp_path)
    assert found.batch_size is None
    free = with_outputs([linear_classifier()], [tensor("label", INT64, ["n"])])
    batch = rows(32, 4)
    assert found.classify(batch).tolist() == original(free, "label", batch)


def test_a_support_vector_machine_answers_by_its_vote(tmp_path: Path) -> None:
    """Its scores are of the 6 pairs of 4 classes, so their largest would be no class."""
    generator = np.random.default_rng(3)
    made = helper.make_node(
        "SVMClassifier",
        ["x"],
        ["label", "scores"],
        domain=ML,
        kernel_type="LINEAR",
        kernel_params=[1.0, 0.0, 3.0],
        classlabels_ints=[0, 1, 2, 3],
        vectors_per_class=[1] * 4,
        support_vectors=generator.standard_normal(16).tolist(),
        coefficients=generator.standard_normal(12).tolist(),
        rho=generator.standard_normal(6).tolist(),
    )
    both = [tensor("label", INT64, ["n"]), tensor("scores", FLOAT, ["n", None])]
    proto = with_outputs([made], both)
    batch = (4 * rows(64, 4) - 2).astype(np.float32)
    assert len(original(proto, "scores", batch)[0]) == 6
    found = opened(proto, tmp_path, bounds=(-2, 2))
    labels = original(proto, "label", batch)
    assert found.classify(batch).tolist() == labels
    assert len(set(labels)) >= 2


@pytest.mark.parametrize("kind", [INT64, STRING])
def test_a_look_up_of_names_answers_positions(tmp_path: Path, kind: int) -> None:
    """As skl2onnx writes a decision; the names are the classes in order."""
    made = [
        helper.make_node("MatMul", ["x", "w"], ["s"]),
        helper.make_node("ArgMax", ["s"], ["position"], axis=1, keepdims=0),
        helper.make_node("ArrayFeatureExtractor", ["names", "position"], ["picked"], domain=ML),
        helper.make_node("Reshape", ["picked", "flat"], ["label"]),
    ]
    weights = {
        "w": np.random.default_rng(1).standard_normal((4, 3)).astype(np.float32),
        "flat": np.array([-1]),
    }
    proto = with_outputs(made, [tensor("label", kind, ["n"])], weights)
    names: list[Any] = [5, 6, 9] if kind == INT64 else ["five", "six", "nine"]
    stored = (
        numpy_helper.from_array(np.array(names), "names")
        if kind == INT64
        else helper.make_tensor("names", STRING, [3], [n.encode() for n in names])
    )
    proto.graph.initializer.append(stored)
    found = opened(proto, tmp_path)
    assert (found.num_classes, found.class_names) == (3, tuple(map(str, names)))
    batch = 2 * rows(64, 4) - 1
    labels = original(proto, "label", batch)
    assert found.classify(batch).tolist() == [names.index(label) for label in labels]
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


def binary(classes: Any, maker: str, transform: str) -> onnx.NodeProto:
    """Make a classifier of two classes from one row of weights, or one weight a leaf."""
    if maker == "linear":
        key = "classlabels_strings" if isinstance(classes[0], str) else "classlabels_ints"
        parts: dict[str, Any] = {"coefficients": [1.0, -2.0, 0.5, 0.25, -1.0, 2.0, -0.5, -0.25]}
        parts |= {"intercepts": [0.1, -0.1], "post_transform": transform, key: list(classes)}
        return helper.make_node("LinearClassifier", ["x"], ["label", "scores"], domain=ML, **parts)
    weights = [-0.7, 0.9] if transform == "LOGISTIC" else [0.2, 0.9]
    return stump(classes, weights, transform)


@pytest.mark.parametrize("outputs", ["label and scores", "label"])
@pytest.mark.parametrize("classes", [(0, 1), (4, 2), ("no", "yes")], ids=str)
@pytest.mark.parametrize(
    ("maker", "transform"),
    [
        ("linear", "LOGISTIC"),
        ("linear", "NONE"),
        ("linear", "SOFTMAX"),
        ("tree", "LOGISTIC"),
        ("tree", "NONE"),
    ],
)
def test_two_classes_are_two_scores(
    tmp_path: Path, maker: str, transform: str, classes: Any, outputs: str
) -> None:
    kind = STRING if isinstance(classes[0], str) else INT64
    made = binary(classes, maker, transform)
    shown = [tensor("label", kind, ["n"]), tensor("scores", FLOAT, ["n", 2])]
    proto = with_outputs([made], shown if "scores" in outputs else shown[:1])
    found = opened(proto, tmp_path)
    assert found.num_classes == 2
    batch = 2 * rows(64, 4) - 1
    labels = original(with_outputs([made], shown[:1]), "label", batch)
    assert found.classify(batch).tolist() == [classes.index(label) for label in labels]
    assert len(set(labels)) == 2
