"""Which headers are of one run."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from headers import record

from rsonnx.runs import Header
from rsonnx.runs.differences import PART, Difference, in_words
from rsonnx.runs.sample import Sample

HEADER = record(
    model={"opset": {"ai.onnx": 17}, "axes": [1, 8], "others": {}, "rows": "proved"},
    noise={"stream": 2},
    data={"size": 9, "inputs": 3, "sample": Sample(3).to_json()},
    arguments={"given": ["a"], "resolved": {"n": 1000, "batch_size": 1, "share": False}},
)


def _changed(path: str, value: object) -> dict[str, Any]:
    changed = copy.deepcopy(HEADER)
    *parents, last = path.split(".")
    inside = changed
    for parent in parents:
        inside = inside[parent]
    inside[last] = value
    return changed


def _between(one: dict[str, Any], other: dict[str, Any], **but: Any) -> list[Difference]:
    return Header.from_json(one).differences(Header.from_json(other), **but)


@pytest.mark.parametrize(
    ("path", "value", "one", "other"),
    [
        ("n", 1001, "1000", "1001"),
        ("family_wise", 0.1, "None", "0.1"),
        ("model.rows", "alone", "'proved'", "'alone'"),
        ("model.axes", [3, 8], "[1, 8]", "[3, 8]"),
        ("model.axes", [[1]], "[1, 8]", "a list"),
        ("model.others", [], "an object", "[]"),
        ("unheard_of", 1, "absent", "1"),
        ("arguments.resolved.n", 1000.0, "1000", "1000.0"),
        ("arguments.resolved.n", True, "1000", "True"),
        ("arguments.resolved.share", True, "False", "True"),
        ("arguments.resolved.unheard_of", "x", "absent", "'x'"),
    ],
)
def test_a_field_that_differs_is_named(path: str, value: object, one: str, other: str) -> None:
    assert _between(HEADER, _changed(path, value)) == [Difference(path, one, other)]
    assert _between(_changed(path, value), HEADER) == [Difference(path, other, one)]


def test_some_fields_are_free_and_a_part_where_that_is_said() -> None:
    for path in ("created", "arguments.given", "arguments.resolved.batch_size"):
        assert not _between(HEADER, _changed(path, ["anything"]))
    assert not _between(HEADER, _changed("largest_radius", 9.0))
    other = _changed("shard", {"index": 1, "of": 2})
    assert _between(HEADER, other)
    assert not _between(HEADER, other, but=PART)


def test_the_words_name_the_fields_before_the_options() -> None:
    other = _changed("n", 101)
    other["arguments"]["resolved"] = {f"k{i}": 1 for i in range(9)}
    assert in_words(_between(HEADER, other), "here", "there") == "n is 1000 here and 101 there"
    other["n"] = 1000
    said = in_words(_between(HEADER, other), "here", "there")
    assert "7 more" in said
    assert said.count(" here and ") == 4


def _of(stream: int | None, chosen: dict[str, Any] | None, **options: object) -> dict[str, Any]:
    return record(
        model={} if stream is None else {"rows": "proved"},
        noise={} if stream is None else {"stream": stream},
        data={"size": 9} | ({} if chosen is None else {"sample": chosen, "classes_in_sample": 2}),
        arguments={"resolved": {"limit": 5, "skip_every": 2} | options},
    )


def test_a_header_of_the_first_version_is_taken_for_what_it_meant() -> None:
    older = _of(None, None)
    first = Sample(5, 2, first=True).to_json()
    assert not _between(older, older)
    assert not _between(older, _of(1, first, first=True, sample=None))
    assert not _between(_of(1, first, first=True, sample=None), older)
    assert _between(older, _of(2, first)) == [Difference("noise.stream", "1", "2")]
    rule = Difference("data.sample.rule", "'spread'", "'first'")
    assert _between(_of(1, Sample(5, 2).to_json()), older) == [rule]
    # Of two headers of now none lacks a field for its age.
    assert _between(_of(2, first, first=True), _of(2, first))
    alone = _of(1, first)
    alone["model"]["rows"] = "alone"  # which the first version never was
    assert [one.field for one in _between(older, alone)] == ["model.rows"]
    (more,) = _between(older, _of(1, first, more=1))
    assert more.field == "arguments.resolved.more"
