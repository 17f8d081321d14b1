"""Names of classes in a file's graph and metadata; meeting data with them is in test_labels.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from against_onnxruntime import opened
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper
from onnx_models import FLOAT, INT64, ML, linear, linear_classifier, node, tensor, with_outputs

from rsonnx.model import name_classes
from rsonnx.model.class_names import names_in

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
        ("classes", json.dumps(NAMES), NAMES),
        ("classes", str(NAMES), NAMES),
        ("labels", ",".join(SIMPLE), SIMPLE),
        ("labels", "\n".join(SIMPLE) + "\n", SIMPLE),
        ("class_names", json.dumps([{"id": 0, "name": n} for n in SIMPLE]), SIMPLE),
    ],
)
def test_metadata_name_the_classes(
    tmp_path: Path, key: str, value: str, names: tuple[str, ...]
) -> None:
    found = opened(linear(classes=4, metadata={key: value, "stride": "32"}), tmp_path)
    assert found.class_names == names
    assert found.facts["class_names"] == list(names)
    assert found.facts["class_names_source"] == f"metadata {key!r}"
    assert found.facts["class_names_notes"] == []


@pytest.mark.parametrize(
    "value",
    [
        "4",
        "",
        "a sentence",
        "{",
        "[" * 10_000,
        "(" * 10_000,
        '{"1": "a", "2": "b", "3": "c", "4": "d"}',
        "{0: 'a', 0.5: 'b', 2: 'c', 3: 'd'}",
        "[1, 2, 3, 4]",
        "__import__('os').getcwd()",
        "['a'] * 4",
        "null",
    ],
)
def test_what_is_no_list_of_names_names_nothing(value: str) -> None:
    assert names_in({"names": value}) == {}


@given(st.text(max_size=60))
def test_any_text_ends_in_names_or_none(text: str) -> None:
    assert all(isinstance(n, str) for names in names_in({"names": text}).values() for n in names)


@given(st.lists(st.text(max_size=12), min_size=2, max_size=30))
def test_what_python_and_json_write_is_read_back(names: list[str]) -> None:
    written = [str(dict(enumerate(names))), str(names), json.dumps(names)]
    written.append(json.dumps(dict(enumerate(names))))
    assert [names_in({"names": text})["names"] for text in written] == [tuple(names)] * 4


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
