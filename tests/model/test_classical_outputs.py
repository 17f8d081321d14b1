"""Which tensor of a classical model answers; what they answer is in test_classical_models.py."""

from __future__ import annotations

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
    found_in,
    linear_classifier,
    model_file,
    pair,
    parsed,
    tensor,
    tree_classifier,
    with_outputs,
    zip_map,
)

from rsonnx.errors import ModelError


def test_the_label_is_preferred_to_the_scores_beside() -> None:
    proto = pair(
        [linear_classifier()], tensor("label", INT64, ["n"]), tensor("scores", FLOAT, ["n", 3])
    )
    assert [o.name for o in model_file(proto).view.outputs] == ["label", "scores"]
    found = found_in(proto)
    assert (found.tensor, found.kind, found.classes) == ("label", "label", ("0", "1", "2"))
    assert found.label is not None
    assert found.label.shown == ("scores",)  # NaN shows there
    named = found_in(proto, name="scores")
    assert (named.tensor, named.kind, named.label) == ("scores", "scores", None)
    assert any("'label'" in edit for edit in named.edits)  # that is left out


@pytest.mark.parametrize(
    ("classes", "kind"),
    [((0, 1, 2), INT64), ((1, 2, 3), INT64), (("a", "b", "é"), STRING)],
    ids=["0..", "1..", "text"],
)
def test_a_zip_map_is_cut_off(classes: Any, kind: int) -> None:
    made = [linear_classifier(classes), zip_map(classes)]
    beside = found_in(pair(made, tensor("label", kind, ["n"]), dicts(kind)))
    assert (beside.tensor, beside.kind) == ("label", "label")
    found = found_in(pair(made, dicts(kind)))
    assert (found.tensor, found.kind, found.dtype) == ("scores", "scores", "float32")
    assert found.classes == tuple(map(str, classes))
    assert found.edits == ("the ZipMap is cut off",)


def test_a_zip_map_behind_an_identity_is_cut_off() -> None:
    zipped = "zipped = ml.ZipMap<classlabels_int64s=[0, 1, 2]>(scores); dicts = Identity(zipped)"
    made = [linear_classifier(), *parsed(zipped)]
    assert found_in(pair(made, dicts())).tensor == "scores"


def test_a_sequence_that_no_zip_map_made_is_refused() -> None:
    kind = helper.make_sequence_type_proto(helper.make_tensor_type_proto(FLOAT, ["n", 4]))
    made = parsed("dicts = SequenceConstruct(x)")
    with pytest.raises(ModelError, match="'dicts'"):
        found_in(pair(made, helper.make_value_info("dicts", kind)))


@pytest.mark.parametrize("make", [linear_classifier, tree_classifier])
@pytest.mark.parametrize("classes", [(0, 1, 2), (1, 5, 9), ("a", "b", "c")])
def test_a_lone_label_is_counted_itself(make: Any, classes: Any) -> None:
    kind = STRING if isinstance(classes[0], str) else INT64
    made = make(classes)
    found = found_in(pair([made], tensor("label", kind, ["n"])))
    assert (found.tensor, found.kind) == ("label", "label")
    assert found.classes == tuple(map(str, classes))
    assert found.label is not None
    assert found.label.values == classes
    assert found.tensors == ("label", "label", "scores")


@pytest.mark.parametrize("omitted", [["label"], ["label", ""]])
def test_a_classifier_that_gives_no_scores_answers_its_label(omitted: list[str]) -> None:
    made = linear_classifier()
    del made.output[:]
    made.output.extend(omitted)
    found = found_in(pair([made], tensor("label", INT64, ["n"])))
    assert (found.tensor, found.kind) == ("label", "label")


def looked_up(names: np.ndarray, kind: int) -> onnx.ModelProto:
    """Make what skl2onnx makes of a decision: a look-up of the position in a list of names."""
    made = parsed(
        "position = ArgMax<axis=1, keepdims=0>(x);"
        "picked = ml.ArrayFeatureExtractor(names, position); label = Reshape(picked, flat)"
    )
    proto = with_outputs(made, [tensor("label", kind, ["n"])], {"flat": np.array([-1])})
    proto.graph.initializer.append(
        helper.make_tensor("names", STRING, [len(names)], [str(n).encode() for n in names])
        if kind == STRING
        else numpy_helper.from_array(names, "names")
    )
    return proto


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (np.array([0, 1, 2, 3]), INT64),
        (np.array([7, 8, 9, 10]), INT64),
        (np.array(["a", "b", "c", "d"]), STRING),
    ],
    ids=["0..", "7..", "text"],
)
def test_a_look_up_of_names_is_cut_off(names: np.ndarray, kind: int) -> None:
    found = found_in(looked_up(names, kind))
    # Behind the look-up is an ArgMax, and behind that are the scores.
    assert (found.tensor, found.kind, found.dtype) == ("x", "scores", "float32")
    assert found.classes == tuple(map(str, names.tolist()))
    assert found.label is not None
    assert (found.label.tensor, found.label.decision) == ("position", "largest")


PASSED = [
    tensor("Features", FLOAT, [1, 4]),
    tensor("Label", INT64, [1, 4]),
    tensor("Predicted", TensorProto.UINT32, [1, 1]),
    tensor("Score", FLOAT, [1, 3]),
]


def test_inputs_that_are_passed_through_are_no_answer() -> None:
    """ML.NET gives its input columns back beside its scores."""
    passed = "Features = Identity(x); Label = Cast<to=7>(x); Predicted = Cast<to=12>(label);"
    made = [linear_classifier(), *parsed(f"{passed} Score = Identity(scores)")]
    output = found_in(pair(made, *PASSED, shape=(1, 4)))
    assert (output.spec.name, output.tensor) == ("Predicted", "label")
    named = found_in(pair(made, *PASSED, shape=(1, 4)), name="Features")
    assert named.spec.name == "Features"


# Support vector machines: their scores may be those of pairs of classes.


def machine(classes: int = 4, *, chances: bool = False) -> onnx.NodeProto:
    """Make a linear SVMClassifier, one against one."""
    pairs = classes * (classes - 1) // 2
    more = {"prob_a": [-1.0] * pairs, "prob_b": [0.0] * pairs} if chances else {}
    return helper.make_node(
        "SVMClassifier",
        ["x"],
        ["label", "scores"],
        domain=ML,
        kernel_type="LINEAR",
        kernel_params=[1.0, 0.0, 3.0],
        classlabels_ints=list(range(classes)),
        vectors_per_class=[1] * classes,
        support_vectors=np.eye(classes, 4).ravel().tolist(),
        coefficients=[1.0] * (classes * (classes - 1)),
        rho=[0.0] * pairs,
        **more,
    )


def machine_model(**options: Any) -> onnx.ModelProto:
    outputs = [tensor("label", INT64, ["n"]), tensor("scores", FLOAT, ["n", None])]
    return pair([machine(**options)], *outputs)


def test_scores_of_pairs_of_classes_are_no_class_scores() -> None:
    found = found_in(machine_model())
    assert (found.tensor, found.kind) == ("label", "label")
    with pytest.raises(ModelError, match=r"'scores' .*--output-name"):
        found_in(machine_model(), name="scores")
    alone = pair([machine()], tensor("label", INT64, ["n"]))
    assert found_in(alone).kind == "label"


def test_a_support_vector_machine_s_chances_do_not_decide() -> None:
    """Platt's probabilities may prefer another class than the vote, which is the label."""
    found = found_in(machine_model(chances=True))
    assert (found.tensor, found.kind) == ("label", "label")
    assert found_in(machine_model(chances=True), name="scores").kind == "scores"
