"""Names of classes in a file's graph and metadata; meeting data with them is in test_labels.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from onnx import helper
from onnx_models import FLOAT, INT64, ML, linear, linear_classifier, node, tensor, with_outputs
from originals import opened

from rsonnx.model import name_classes

NAMES = ("red", "green", "it's", "é, 黒")
SIMPLE = ("red", "green", "blue", "black")


@pytest.mark.parametrize(
    ("key", "value", "names"),
    [
        ("names", str(dict(enumerate(NAMES))), NAMES),  # Ultralytics
        ("names", json.dumps(NAMES), NAMES),
        ("id2label", json.dumps({str(k): name for k, name in enumerate(NAMES)}), NAMES),
        ("id2label", json.dumps(dict(reversed(list(enumerate(NAMES))))), NAMES),
        ("label2id", json.dumps({name: k for k, name in enumerate(NAMES)}), NAMES),
        ("classes", str(NAMES), NAMES),
        ("labels", ",".join(SIMPLE), SIMPLE),
        ("labels", "\n".join(SIMPLE) + "\n", SIMPLE),
        ("class_names", json.dumps([{"name": n} for n in SIMPLE]), SIMPLE),
        ("class_to_idx", "{'red': 0, 'green': 1, 'blue': 2, 'black': 3}", SIMPLE),
        ("names", "{1: 'red', 2: 'green', 3: 'blue', 4: 'black'}", SIMPLE),
        ("Labels", "red;green;blue;black", SIMPLE),
        ("classNames", "red, green, blue, black", SIMPLE),
        ("labels", "0 red\n1 green\n2 blue\n3 black", SIMPLE),
        ("names", "0: red, 1: green, 2: blue, 3: black", SIMPLE),
        ("categories", json.dumps([{"id": k, "name": SIMPLE[k]} for k in (2, 0, 3, 1)]), SIMPLE),
        (
            "categories",
            json.dumps([{"id": k + 1, "name": SIMPLE[k]} for k in (2, 0, 3, 1)]),
            SIMPLE,
        ),
        ("config", json.dumps({"id2label": dict(enumerate(SIMPLE)), "hidden_size": 8}), SIMPLE),
    ],
)
def test_metadata_name_the_classes(key: str, value: str, names: tuple[str, ...]) -> None:
    named = name_classes((), {key: value, "stride": "32"}, 4)
    assert (named.names, named.source, named.note) == (names, f"metadata {key!r}", None)


def test_a_model_is_opened_with_the_names_of_its_metadata(tmp_path: Path) -> None:
    base = opened(linear(classes=4, metadata={"names": json.dumps(NAMES)}), tmp_path)
    assert base.class_names == NAMES
    assert base.facts["class_names"] == list(NAMES)
    assert base.facts["class_names_source"] == "metadata 'names'"
    assert base.facts["class_names_notes"] == []


@pytest.mark.parametrize(
    "value",
    [
        "red green blue black",
        json.dumps([{"id": k, "name": name} for k, name in zip((1, 4, 7, 9), SIMPLE, strict=True)]),
        json.dumps([{"id": 0, "name": name} for name in SIMPLE]),
        "{2: 'red', 3: 'green', 4: 'blue', 5: 'black'}",
    ],
)
def test_metadata_that_cannot_be_read_are_said(value: str) -> None:
    found = name_classes((), {"labels": value}, 4)
    assert found.names == ()
    assert "'labels'" in str(found.note)


def test_a_number_of_classes_and_other_metadata_are_no_names() -> None:
    metadata = {"classes": "4", "labels": "", "config": '{"hidden_size": 8}', "author": "red,green"}
    assert name_classes((), metadata, 4).note is None


@pytest.mark.parametrize("numbers", [("1", "2", "3"), ("-1", "0", "1"), ("7", "3", "5")])
def test_names_of_classes_that_the_graph_numbers_otherwise_are_left_out_and_said(
    numbers: tuple[str, ...],
) -> None:
    found = name_classes(numbers, {"names": "['a', 'b', 'c']"}, 3)
    assert (found.names, found.source) == (numbers, "graph")
    assert "'names'" in str(found.note)


def test_names_from_1_on_are_not_those_of_labels_that_may_be_any_number() -> None:
    """Label 1 would be called what label 2 is."""
    assert name_classes((), {"names": "{1: 'a', 2: 'b'}"}, None).names == ()
    assert name_classes((), {"names": "{0: 'a', 1: 'b'}"}, None).names == ("a", "b")


@pytest.mark.parametrize("count", [3, 5])
def test_metadata_of_another_length_are_left_out_and_said(tmp_path: Path, count: int) -> None:
    metadata = {"names": json.dumps(["a", "b", "c", "d", "e"][:count])}
    found = opened(linear(classes=4, metadata=metadata), tmp_path)
    assert found.class_names == ()
    [note] = found.facts["class_names_notes"]
    assert all(word in note for word in ("'names'", str(count), "4"))


def test_metadata_that_differ_are_left_out_and_said() -> None:
    found = name_classes((), {"names": "['a', 'b']", "classes": "['b', 'a']"}, 2)
    assert found.names == ()
    assert "'names'" in str(found.note)
    assert "'classes'" in str(found.note)
    alike = name_classes((), {"names": "['a', 'b']", "classes": "a,b", "labels": "a,b,c"}, 2)
    assert (alike.names, alike.note) == (("a", "b"), None)


def test_the_graph_comes_before_metadata_unless_it_only_counts() -> None:
    metadata = {"names": "['a', 'b']"}
    assert name_classes(("y", "z"), metadata, 2).names == ("y", "z")
    assert name_classes(("1", "2"), metadata, 2).names == ("1", "2")
    assert name_classes(("0", "1"), metadata, 2).names == ("a", "b")


@pytest.mark.parametrize("passing", ["Identity", "Cast", "Normalizer"])
def test_class_labels_behind_operators_that_name_nothing(tmp_path: Path, passing: str) -> None:
    options: dict[str, object] = {"Cast": {"to": FLOAT}, "Normalizer": {"norm": "L1"}}.get(  # type: ignore[assignment]
        passing, {}
    )
    domain = ML if passing == "Normalizer" else ""
    behind = helper.make_node(passing, ["scores"], ["out"], domain=domain, **options)
    proto = with_outputs([linear_classifier((3, 1, 7)), behind], [tensor("out", FLOAT, ["n", 3])])
    assert opened(proto, tmp_path).class_names == ("3", "1", "7")


def test_scores_that_were_named_have_the_names_of_their_label(tmp_path: Path) -> None:
    made = [
        node("Softmax", ["x"], "p", axis=1),
        node("ArgMax", ["p"], "at", axis=1, keepdims=0),
        helper.make_node("ArrayFeatureExtractor", ["list", "at"], ["found"], domain=ML),
        node("Reshape", ["found", "flat"], "label"),
    ]
    outputs = [tensor("p", FLOAT, ["n", 4]), tensor("label", INT64, ["n"])]
    proto = with_outputs(made, outputs)
    for name, values in (("list", [5, 6, 7, 9]), ("flat", [-1])):
        proto.graph.initializer.append(helper.make_tensor(name, INT64, [len(values)], values))
    assert opened(proto, tmp_path, output_name="p").class_names == ("5", "6", "7", "9")
