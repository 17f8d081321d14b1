"""Which headers are of one run."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from headers import first_version, record

from rsonnx.runs import Header
from rsonnx.runs.differences import PART, Difference, in_words
from rsonnx.runs.sample import Sample

HEADER = record(
    model={"feeds": {"a": [1, 8]}},
    data={"size": 9, "inputs": 3, "sample": Sample(3).to_json()},
    arguments={"given": ["a"], "resolved": {"n": 1000, "batch_size": 1, "tf32": False}},
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
        ("model.input_shape", [1, 64], "[1, 8, 8]", "[1, 64]"),
        ("model.feeds.a", [[1]], "[1, 8]", "a list"),
        ("model.feeds.a", True, "[1, 8]", "True"),
        ("model.threshold", 1, "absent", "1"),
        ("model.bounds.high", 1, "1.0", "1"),
        ("arguments.resolved.tf32", True, "False", "True"),
        ("arguments.resolved.norm", "l2", "absent", "'l2'"),
    ],
)
def test_a_field_that_differs_is_named(path: str, value: object, one: str, other: str) -> None:
    assert _between(HEADER, _changed(path, value)) == [Difference(path, one, other)]
    assert _between(_changed(path, value), HEADER) == [Difference(path, other, one)]


def test_some_fields_are_free_and_a_part_where_that_is_said() -> None:
    for path, value in {
        "created": "2027-01-01T00:00:00+00:00",
        "arguments.given": ["anything"],
        "arguments.resolved.batch_size": 7,
        "largest_radius": 9.0,
    }.items():
        assert not _between(HEADER, _changed(path, value))
    other = _changed("shard", {"index": 1, "of": 2})
    assert _between(HEADER, other)
    assert not _between(HEADER, other, but=PART)


def test_the_words_name_the_fields_before_the_options() -> None:
    other = _changed("n", 101)
    options = ("rows", "norm", "noise", "radius", "bound", "output_name", "input_shape", "engine")
    other["arguments"]["resolved"] = dict.fromkeys(options, "x")
    assert in_words(_between(HEADER, other), "here", "there") == "n is 1000 here and 101 there"
    other["n"] = 1000
    said = in_words(_between(HEADER, other), "here", "there")
    assert "5 more" in said
    assert said.count(" here and ") == 4


def _of(stream: int | None, chosen: dict[str, Any] | None, **options: object) -> dict[str, Any]:
    arguments = {"resolved": {"limit": 5, "skip_every": 2} | options}
    if stream is None:
        return first_version(data={"size": 9}, arguments=arguments)
    noise, data = {"stream": stream}, {"size": 9, "sample": chosen, "classes_in_data": 2}
    return record(noise=noise, data=data, arguments=arguments)


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
    (more,) = _between(older, _of(1, first, norm=None))
    assert more.field == "arguments.resolved.norm"
