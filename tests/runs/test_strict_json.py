"""JSON that every reader reads alike; what two of them read as two values is refused."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsonnx.runs.strict_json import read_object

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(st.dictionaries(st.text(), values, max_size=5), st.sampled_from((None, 2)), st.booleans())
def test_what_python_writes_is_read_as_it_was(
    value: dict[str, Any], indent: int | None, ascii_only: bool
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    assert json.dumps(read_object(text.encode())) == json.dumps(value)


@pytest.mark.parametrize(
    ("inner", "named"),
    [
        ('{"n": 1, "n": 1}', "'n' is there twice"),
        ('{"a": [{"b": {}, "c": 0, "b": 1}]}', "'b' is there twice"),
        (r'{"n": 1, "\u006e": 2}', "'n' is there twice"),
        *((text, text) for text in ("NaN", "Infinity", "-Infinity", "1e999", "-2e308")),
        *((text, "digits") for text in ("0.1000000000000000000001", "1e-999", "2.51e-324")),
        *((f"{text}{'9' * 300}", "digits") for text in ("0e", "1e-", "-0.0E+", "2.5E-")),
        ("-0", "-0"),
        ("9" * 5000, "9999"),
        ("[" * 100 + "]" * 100, "nested deeper"),
        ("[" * 100_000, "nested deeper"),
        ('{"a":' * 100 + "1" + "}" * 100, "nested deeper"),
        *((text, "at character") for text in ("01", "+1", ".5", "1.", "0x1", "'a'", "[1,]")),
        ('"a\nb"', "at character"),
        ('"\\x41"', "at character"),
        ("1 // one", "at character"),
        ("1}, {", "at character"),
    ],
    ids=lambda value: value[:30],
)  # fmt: skip
def test_what_two_readers_may_read_as_two_values_is_refused(inner: str, named: str) -> None:
    with pytest.raises(ValueError, match=named) as caught:
        read_object(f'{{"x": {inner}}}'.encode())
    assert len(str(caught.value)) < 120


@given(st.from_regex(r"-?[0-9]{1,9}(\.[0-9]{1,9})?([eE][+-]?[0-9]{1,400})?", fullmatch=True))
def test_a_number_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(read_object(f'{{"x": {text}}}'.encode())["x"], int | float)


def test_the_last_of_many_names_may_be_the_one_that_is_there_twice() -> None:
    names = [*range(100_000), 99_999]
    content = ", ".join(f'"{name}": 0' for name in names)
    with pytest.raises(ValueError, match="'99999' is there twice"):
        read_object(f"{{{content}}}".encode())


@pytest.mark.parametrize(
    "content",
    [b"", b"\xef\xbb\xbf{}", b'{"a": "\xff"}', b'{"a": "\xed\xa0\x80"}', "{}".encode("utf-16")],
)
def test_no_other_encoding_than_utf8_is_read(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"UTF-8|at character 1"):
        read_object(content)


@pytest.mark.parametrize("text", ["3", "null", "[{}]", '"{}"'])
def test_another_value_than_an_object_is_refused(text: str) -> None:
    with pytest.raises(TypeError, match="not an object"):
        read_object(text.encode())


def test_a_number_may_be_written_in_any_way_that_means_it() -> None:
    assert read_object(b'{"a": 1.50, "b": 1E2, "c": 0.10e1}') == {"a": 1.5, "b": 100.0, "c": 1.0}
