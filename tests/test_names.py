"""Class names as a text or a parsed value holds them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsonnx.names import Names, names_of_text, names_of_value


@pytest.mark.parametrize(
    "text",
    [
        "4",
        "",
        "a sentence",
        "{",
        "[" * 10_000,
        "(" * 10_000,
        "{0: 'a', 0.5: 'b', 2: 'c', 3: 'd'}",
        "[1, 2, 3, 4]",
        "[true, false]",
        "{0: 'a', false: 'b'}",
        "__import__('os').getcwd()",
        "['a'] * 4",
        "null",
        "{'id2label': {0: 'a', 1: 'b'}, 'names': ['b', 'a']}",
        "{'names': {'names': {'names': {'names': {'names': {'names': ['a', 'b']}}}}}}",
    ],
)
def test_what_is_no_list_of_names_names_nothing(text: str) -> None:
    assert names_of_text(text) is None


@given(st.text(max_size=60))
def test_any_text_ends_in_names_or_none(text: str) -> None:
    found = names_of_text(text)
    assert found is None or all(isinstance(name, str) for name in found.names)


@given(st.lists(st.text(max_size=12), min_size=2, max_size=30))
def test_what_python_and_json_write_is_read_back(names: list[str]) -> None:
    written = [str(dict(enumerate(names))), str(names), json.dumps(names)]
    written.append(json.dumps(dict(enumerate(names))))
    assert [names_of_text(text) for text in written] == [Names(tuple(names))] * 4
    from_1 = names_of_text(json.dumps(dict(enumerate(names, start=1))))
    assert from_1 == Names(tuple(names), 1)


@given(st.permutations(range(6)), st.sampled_from([0, 1]))
def test_indices_order_the_names_wherever_they_stand(order: list[int], first: int) -> None:
    names = tuple("abcdef")
    objects = [{"id": k + first, "name": names[k]} for k in order]
    assert names_of_value(objects) == Names(names, first)
    assert names_of_value({names[k]: k + first for k in order}) == Names(names, first)
    assert names_of_value({"class_to_idx": {names[k]: k + first for k in order}}) == Names(
        names, first
    )
    lines = "\n".join(f"{k + first} {names[k]}" for k in order)
    assert names_of_text(lines) == Names(names, first)


def test_names_a_line_may_have_commas() -> None:
    assert names_of_text("tench, Tinca tinca\ngoldfish\n") == Names(
        ("tench, Tinca tinca", "goldfish")
    )
