"""Which headers are of one run."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from rsonnx.runs.identity import PART, header_differences, in_words
from rsonnx.runs.sample import Sample

HEADER: dict[str, Any] = {
    "created": "now",
    "model": {"sha256": "ab", "opset": {"ai.onnx": 17}, "input_shape": [1, 8, 8], "feeds": {}},
    "n": 100,
    "family_wise": None,
    "shard": None,
    "arguments": {"given": ["a"], "resolved": {"n": 100, "batch_size": 1, "share": False}},
}


def _changed(path: str, value: object) -> dict[str, Any]:
    header = copy.deepcopy(HEADER)
    *parents, last = path.split("/")
    inside = header
    for parent in parents:
        inside = inside[parent]
    inside[last] = value
    return header


@pytest.mark.parametrize(
    ("path", "value", "one", "other"),
    [
        ("n", 101, "100", "101"),
        ("n", 100.0, "100", "100.0"),
        ("n", True, "100", "True"),
        ("family_wise", 0.1, "None", "0.1"),
        ("model/sha256", "cd", "'ab'", "'cd'"),
        ("model/input_shape", [3, 8, 8], "[1, 8, 8]", "[3, 8, 8]"),
        ("model/input_shape", [[1]], "[1, 8, 8]", "a list"),
        ("model/feeds", [], "an object", "[]"),
        ("unheard_of", 1, "absent", "1"),
        ("arguments/resolved/share", True, "False", "True"),
        ("arguments/resolved/unheard_of", "x", "absent", "'x'"),
    ],
)
def test_a_field_that_differs_is_named(path: str, value: object, one: str, other: str) -> None:
    (found,) = header_differences(HEADER, _changed(path, value))
    assert (found.field, found.one, found.other) == (path.replace("/", "."), one, other)
    (back,) = header_differences(_changed(path, value), HEADER)
    assert (back.one, back.other) == (other, one)


@pytest.mark.parametrize(
    "path", ["created", "arguments/given", "arguments/resolved/batch_size", "largest_radius"]
)
def test_some_fields_are_free(path: str) -> None:
    assert not header_differences(HEADER, _changed(path, ["anything"]))


def test_a_part_is_free_where_that_is_said() -> None:
    other = _changed("shard", {"index": 1, "of": 2})
    assert header_differences(HEADER, other)
    assert not header_differences(HEADER, other, but=PART)


def test_the_words_name_the_fields_before_the_options() -> None:
    other = _changed("n", 101)
    other["arguments"]["resolved"] = {f"k{i}": 1 for i in range(9)}
    said = in_words(header_differences(HEADER, other), "here", "there")
    assert said == "n is 100 here and 101 there"
    del other["n"]
    other["n"] = 100
    said = in_words(header_differences(HEADER, other), "here", "there")
    assert said.endswith("and 7 more fields differ")
    assert said.count(" here and ") == 4


def _of(stream: int | None, chosen: dict[str, Any] | None, **options: object) -> dict[str, Any]:
    header = _changed("noise", {"sigma": 0.5})
    header["data"] = {"size": 9}
    header["arguments"]["resolved"] |= {"limit": 5, "skip_every": 2} | options
    if stream is not None:
        header["noise"]["stream"] = stream
        header["model"] = header["model"] | {"rows": "proved"}
    if chosen is not None:
        header["data"] |= {"sample": chosen, "classes_in_sample": 2, "classes_in_data": 3}
    return header


def test_a_header_of_the_first_version_is_taken_for_what_it_meant() -> None:
    older = _of(None, None)
    first = Sample(5, 2, first=True).to_json()
    assert not header_differences(older, _of(1, first, first=True, sample=None))
    assert not header_differences(_of(1, first, first=True, sample=None), older)
    assert not header_differences(older, older)
    (stream,) = header_differences(older, _of(2, first))
    assert (stream.field, stream.one, stream.other) == ("noise.stream", "1", "2")
    (rule,) = header_differences(_of(1, Sample(5, 2).to_json()), older)
    assert (rule.field, rule.one, rule.other) == ("data.sample.rule", "'spread'", "'first'")
    # Of two headers of now none lacks a field for its age.
    assert header_differences(_of(2, first, first=True), _of(2, first))
    alone = _of(1, first)
    alone["model"]["rows"] = "alone"  # which the first version never was
    assert [one.field for one in header_differences(older, alone)] == ["model.rows"]
    (more,) = header_differences(older, _of(1, first, more=1))
    assert more.field == "arguments.resolved.more"
