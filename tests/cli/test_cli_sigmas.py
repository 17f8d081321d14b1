"""Files of one sigma a feature: every form, and one sentence for each thing that is wrong."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsonnx.cli.sigmas import read_sigmas
from rsonnx.errors import DataError, RsonnxError, UsageError

WANTED = (0.25, 1.0, 30.0)
TEXTS = [
    "0.25\n1\n30\n",
    "0.25\r\n1.0\r\n\r\n+3e1",
    "\n .25 \n1.\n30",
    "0.25,1,30\n",
    "0.25; 1 ;30",
    "0.25\t1\t30",
    "0.25 1   30\n\n",
    "\ufeff0.25,1,30",
    "[0.25, 1, 30]",
    "\ufeff\n [0.25, 1.0,\n 3e1]\n",
]


@pytest.mark.parametrize("text", TEXTS)
def test_every_form_of_text(text: str, tmp_path: Path) -> None:
    path = tmp_path / "sigmas"
    path.write_bytes(text.encode())
    assert read_sigmas(path, 3) == WANTED


@pytest.mark.parametrize("shape", [(3,), (1, 3), (3, 1), (1, 1, 3)])
@pytest.mark.parametrize("kind", ["<f8", ">f4", "<f2"])
def test_arrays(shape: tuple[int, ...], kind: str, tmp_path: Path) -> None:
    path = tmp_path / "sigmas.txt"  # the content decides, not the name
    with path.open("wb") as file:
        np.save(file, np.array(WANTED, kind).reshape(shape))
    assert read_sigmas(path, 3) == WANTED


def test_one_value(tmp_path: Path) -> None:
    path = tmp_path / "one"
    path.write_text("0.5")
    assert read_sigmas(path, 1) == (0.5,)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.floats(5e-324, 1e308), min_size=1, max_size=30),
    st.sampled_from(["lines", "row", "json", "npy"]),
)
def test_what_is_written_is_read_to_the_last_digit(
    tmp_path_factory: pytest.TempPathFactory, values: list[float], form: str
) -> None:
    path = tmp_path_factory.mktemp("sigmas") / "file"
    if form == "npy":
        with path.open("wb") as file:
            np.save(file, np.array(values))
    else:
        joined = {"lines": "\n".join, "row": ",".join}
        path.write_text(json.dumps(values) if form == "json" else joined[form](map(repr, values)))
    assert read_sigmas(path, len(values)) == tuple(values)


WRONG: list[tuple[str | bytes, str]] = [
    ("", "has 0 numbers, but the input has 3 values"),
    ("1\n2\n", "has 2 numbers, but the input has 3 values"),
    ("1,2,3,4", "has 4 numbers, but the input has 3 values"),
    ("[]", "has 0 numbers, but the input has 3 values"),
    ("1\n-2\n3", r"value 2 of .* is -2\.0, but a standard deviation is a finite number above 0"),
    ("1,2,0", r"value 3 of .* is 0\.0, but"),
    ("nan 1 2", "value 1 of .* is nan, but"),
    ("1\n-Inf\n2", "value 2 of .* is -inf, but"),
    ("1e999,1,2", "value 1 of .* is inf, but"),
    ("[1, NaN, 2]", "value 2 of .* is nan, but"),
    ("[1, " + "9" * 400 + ", 2]", "value 2 of .* is inf, but"),
    ("age,height,weight\n1,2,3", "line 1 of .* has 'age', but a number was expected .a heading"),
    ("# sigmas\n1\n2\n3", "line 1 of .* has '#', but a number"),
    ("1,,3", "line 1 of .* has '', but a number"),
    ("1\n2x\n3", "line 2 of .* has '2x', but a number"),
    ("1_0\n2\n3", "line 1 of .* has '1_0', but a number"),
    ("\u0661\n2\n3", "line 1 of .* has '\u0661', but a number"),
    ("1\n" + "x" * 9000, r"line 2 of .* has 'x{39}\.\.\., but a number"),
    ("1,2,3\n4,5,6", "line 1 of .* has 3 numbers and there are 2 lines, but one number a line"),
    ("1,2\n3", "line 1 of .* has 2 numbers and there are 2 lines"),
    ("0,25\n1,0\n30,0", "line 1 of .* has 2 numbers and there are 3 lines"),
    ("[1, 2, 3", "begins like JSON but is none"),
    ("[" * 100_000, "begins like JSON but is none"),
    ('{"a": 1}', "holds a JSON object, but a list"),
    ('[1, "2", 3]', 'value 2 of .* is "2", but a number'),
    ("[1, true, 3]", "value 2 of .* is true, but a number"),
    ("[[1], 2, 3]", r"value 1 of .* is \[1\], but a number"),
    ("[1, null, 3]", "value 2 of .* is null, but a number"),
    (b"\xff\xfe1\x00", r"is neither text nor a \.npy array"),
    (b"\x93NUMPY", "cannot be read as an array"),
    (b"\x93NUMPY\x01\x00\xff\xff{", "cannot be read as an array"),
]


@pytest.mark.parametrize(("content", "sentence"), WRONG, ids=range(len(WRONG)))
def test_one_sentence_for_what_is_wrong(
    content: str | bytes, sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "sigmas.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=sentence) as caught:
        read_sigmas(path, 3)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300 + len(str(path))


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (np.ones((2, 3)), r"shape \(2, 3\), but one row"),
        (np.array(1.0), r"shape \(\), but one row"),
        (np.array(["1", "2", "3"]), "values of type <U1, but real numbers"),
        (np.array([1, 2, 3j]), "values of type complex128, but real numbers"),
        (np.array([True, True, True]), "values of type bool, but real numbers"),
        (np.array([1, "2", 3], object), "cannot be read as an array"),
        (np.array([1.0, np.nan, 2.0]), "value 2 of .* is nan"),
        (np.array([1, 0, 2]), r"value 2 of .* is 0\.0"),
        (np.ones(4), "has 4 numbers, but the input has 3 values"),
    ],
)
def test_arrays_that_are_wrong(array: Any, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "sigmas.npy"
    np.save(path, array, allow_pickle=True)
    with pytest.raises(DataError, match=sentence):
        read_sigmas(path, 3)


def test_an_array_that_announces_more_than_it_has(tmp_path: Path) -> None:
    path = tmp_path / "sigmas.npy"
    np.save(path, np.ones(3))
    content = path.read_bytes()
    path.write_bytes(content.replace(b"(3,), ", b"(9" + b"9" * 13 + b",),")[: len(content)])
    with pytest.raises(DataError, match=r"cannot be read as an array|fits the memory"):
        read_sigmas(path, 3)


def test_files_that_are_none(tmp_path: Path) -> None:
    for path, what in (
        (tmp_path / "absent", "does not exist"),
        (tmp_path, "is no file"),
        (tmp_path / ("x" * 5000), "does not exist"),
    ):
        with pytest.raises(UsageError, match=what):
            read_sigmas(path, 3)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="is no file"):
        read_sigmas(tmp_path / "pipe", 3)


def test_a_file_too_large_to_be_one(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    with path.open("wb") as file:
        file.truncate((1 << 28) + 1)
    with pytest.raises(DataError, match="more than 256 MiB"):
        read_sigmas(path, 3)


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=60), st.sampled_from([b"", b"\x93NUMPY\x01\x00v\x00", b"[1,", b"1\n"]))
def test_bytes_of_a_stranger_give_numbers_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, tail: bytes, head: bytes
) -> None:
    path = tmp_path_factory.mktemp("hostile") / "file"
    path.write_bytes(head + tail)
    try:
        found = read_sigmas(path, 2)
    except RsonnxError:
        return
    assert len(found) == 2
    assert all(0 < value < float("inf") for value in found)
