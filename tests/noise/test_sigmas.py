"""Files of one sigma a feature: every form, and one sentence for each thing that is wrong."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsonnx.errors import DataError, RsonnxError, UsageError
from rsonnx.noise.sigmas import read_sigmas

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
    ("", "0 numbers"),
    ("1\n2\n", "2 numbers"),
    ("1,2,3,4", "4 numbers"),
    ("[]", "0 numbers"),
    ("1\n-2\n3", "value 2 "),
    ("1,2,0", "value 3 "),
    ("nan 1 2", "value 1 "),
    ("1\n-Inf\n2", "value 2 "),
    ("1e999,1,2", "value 1 "),
    ("[1, NaN, 2]", "value 2 "),
    ("[1, " + "9" * 400 + ", 2]", "value 2 "),
    ("age,height,weight\n1,2,3", "line 1"),
    ("# sigmas\n1\n2\n3", "line 1"),
    ("1,,3", "line 1"),
    ("1\n2x\n3", "line 2"),
    ("1_0\n2\n3", "line 1"),
    ("\u0661\n2\n3", "line 1"),
    ("1\n" + "x" * 9000, "line 2"),
    ("1,2,3\n4,5,6", "line 1"),
    ("1,2\n3", "line 1"),
    ("0,25\n1,0\n30,0", "line 1"),
    ("1\n2,3", "line 2"),
    ("[1, 2, 3", "JSON"),
    ("[" * 100_000, "JSON"),
    ('{"a": 1}', "names columns"),
    ('{"a": 1, "a": 1}', "twice"),
    ("age,1\nheight,2\nweight,3", "names columns"),
    ('[1, "2", 3]', "value 2 "),
    ("[1, true, 3]", "value 2 "),
    ("[[1], 2, 3]", "value 1 "),
    ("[1, null, 3]", "value 2 "),
    (b"\xff\xfe1\x00", "text"),
    (b"\x93NUMPY", "array"),
    (b"\x93NUMPY\x01\x00\xff\xff{", "array"),
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
    "array",
    [
        np.ones((2, 3)),
        np.array(1.0),
        np.array(["1", "2", "3"]),
        np.array([1, 2, 3j]),
        np.array([True, True, True]),
        np.array([1, "2", 3], object),
        np.array([1.0, np.nan, 2.0]),
        np.array([1, 0, 2]),
        np.ones(4),
    ],
)
def test_arrays_that_are_wrong(array: Any, tmp_path: Path) -> None:
    path = tmp_path / "sigmas.npy"
    np.save(path, array, allow_pickle=True)
    with pytest.raises(DataError, match=re.escape(str(path))):
        read_sigmas(path, 3)


def test_an_array_that_announces_more_than_it_has(tmp_path: Path) -> None:
    path = tmp_path / "sigmas.npy"
    np.save(path, np.ones(3))
    content = path.read_bytes()
    path.write_bytes(content.replace(b"(3,), ", b"(9" + b"9" * 13 + b",),")[: len(content)])
    with pytest.raises(DataError, match="array"):
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
