"""Pickles are looked at and never run: arrays come out, and nothing else goes in."""

from __future__ import annotations

import os
import pickle
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsonnx.data.forms import pickled
from rsonnx.data.forms.pickled import read_pickled
from rsonnx.errors import DataError

ARRAY = np.arange(6, dtype=np.uint8).reshape(2, 3)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize(
    "array",
    [ARRAY, np.asfortranarray(ARRAY), ARRAY.astype(">i4"), ARRAY.astype("f8")],
)
def test_arrays_come_as_they_were(protocol, array):
    again = read_pickled(pickle.dumps({"data": array, "same": array}, protocol), "f")
    for name in ("data", "same"):
        assert again[name].dtype == array.dtype
        assert np.array_equal(again[name], array)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False)
    | st.text() | st.binary(min_size=1),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(), inner),
)  # fmt: skip


@given(st.dictionaries(st.text(), PLAIN), st.sampled_from([2, 4, 5]))
def test_plain_values_come_as_they_were(values, protocol):
    assert read_pickled(pickle.dumps(values, protocol), "f") == values


def test_what_python_2_wrote():
    """The beginning of CIFAR-10's own batches: numpy 1, texts that are bytes, protocol 2."""
    data = (
        b"\x80\x02}q\x01(U\x04dataq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\n"
        b"q\x04K\x00\x85U\x01b\x87Rq\x05(K\x01K\x02K\x03\x86cnumpy\ndtype\nq\x06U\x02u1K\x00K\x01"
        b"\x87Rq\x07(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x06"
        + bytes([0, 1, 2, 128, 254, 255])
        + b"tbU\x06labelsq\x08]q\x09(K\x06K\x09eu."
    )
    read = read_pickled(data, "f")
    assert read["data"].tolist() == [[0, 1, 2], [128, 254, 255]]
    assert read["labels"] == [6, 9]


class Reduced:
    """A value whose pickle is what `__reduce__` says: how an attack is written."""

    def __init__(self, *reduced: Any) -> None:
        self.reduced = reduced

    def __reduce__(self) -> Any:
        return self.reduced


U1 = (np.dtype, ("u1", False, True))
MAKE = np.zeros(0).__reduce__()[0]


def lines(*parts: bytes) -> bytes:
    return b"\x80\x02" + b"".join(parts)


ATTACKS: dict[str, Any] = {
    "a command": Reduced(os.system, ("touch /tmp/rsonnx-was-attacked",)),
    "eval": Reduced(eval, ("1/0",)),
    "getattr": Reduced(getattr, (np.ndarray, "tofile")),
    "a command in a list of labels": {"data": ARRAY, "labels": [Reduced(os.system, ("x",))]},
    "a command in an array's making": Reduced(MAKE, (Reduced(os.system, ("x",)), (0,), b"b")),
    "a command in an array's state": Reduced(
        MAKE, (np.ndarray, (0,), b"b"), (1, (1,), np.dtype("u1"), False, Reduced(os.abort, ()))
    ),
    "an array of objects": np.array([1, None], object),
    "an array of texts": np.array(["a"]),
    "an array of fields": np.zeros(2, [("a", "u1")]),
    "a type of nothing that is known": Reduced(np.dtype, ("O8", False, True)),
    "a type that is called without a text": Reduced(np.dtype, ([("a", "O")],)),
    "a type with an odd state": Reduced(*U1, (3, "|", None, ("a",), {"a": 1}, 8, 8, 63)),
    "a type with a short state": Reduced(*U1, (3,)),
    "a state that is a dictionary": Reduced(*U1, {"names": 1}),
    "an array with no values": Reduced(MAKE, (np.ndarray, (2**40,), b"b")),
    "an array of more than it has": Reduced(
        MAKE, (np.ndarray, (0,), b"b"), (1, (2**40,), np.dtype("u1"), False, b"abc")
    ),
    "a negative length": Reduced(
        MAKE, (np.ndarray, (0,), b"b"), (1, (-1, -3), np.dtype("u1"), False, b"abc")
    ),
    "a numpy scalar": np.uint8(3),
    "another codec": Reduced(__import__("_codecs").encode, ("61" * 9, "hex")),
    "numpy's own loader": Reduced(np.load, ("/etc/passwd",)),
    "a class": np.ndarray,
    "an exception": ValueError("x"),
}  # fmt: skip

PROGRAMS: dict[str, bytes] = {
    "an import in the old way": lines(b"cos\nsystem\n(S'x'\ntR."),
    "INST": lines(b"(S'x'\nios\nsystem\n."),
    "OBJ": lines(b"(cos\nsystem\nS'x'\no."),
    "NEWOBJ": lines(b"cnumpy\nndarray\n(K\x05t\x81."),
    "a persistent id": lines(b"Pwhat\n."),
    "an extension": lines(b"\x82\x01."),
    "a text of more than there is": lines(b"\x8d" + struct.pack("<Q", 2**60) + b"x."),
    "bytes of more than there are": lines(b"\x8e" + struct.pack("<Q", 2**60) + b"x."),
    "a key that takes for ever to hash": lines(b"}", b")" + b"2\x86" * 60, b"Ns."),
    "a long number": lines(b"\x8b\xff\xff\xff\x7f."),
    "nothing": b"\x80",
    "no end": lines(b"}"),
    "an end on nothing": lines(b"."),
    "two values": lines(b"}}."),
    "items without a mark": lines(b"}u."),
    "an odd number of items": lines(b"}(K\x01u."),
    "items of a number": lines(b"K\x01(K\x01K\x01u."),
    "BUILD on a dictionary": lines(b"}}b."),
    "BUILD on a function": lines(b"cnumpy.core.multiarray\n_reconstruct\n}b."),
    "values that belong to nothing": lines(b"\x87."),
    "what was never remembered": lines(b"h\x07."),
    "itself": lines(b"]q\x01h\x01a."),
}


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_an_attack_is_refused_and_never_run(name, protocol, tmp_path, refused):
    value = ATTACKS[name]
    data = pickle.dumps(value if isinstance(value, dict) else {"data": value}, protocol)
    with refused("batch.file"):
        read_pickled(data, "batch.file")


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_hostile_program_is_refused(name, refused):
    with refused("batch.file"):
        read_pickled(PROGRAMS[name], "batch.file")


def test_a_number_as_large_as_memory_takes_none():
    """`pickle` would make room for so many values that may be remembered."""
    assert read_pickled(lines(b"}r\xff\xff\xff\x7f."), "f") == {}
    assert read_pickled(b"\x80\x04\x95" + struct.pack("<Q", 2**60) + b"}.", "f") == {}


def test_bytes_are_not_made_of_a_text_again_and_again(refused):
    """A kilobyte that is encoded a million times over would be a gigabyte."""
    text = b"X" + struct.pack("<I", 1000) + b"a" * 1000
    again = b"c_codecs\nencode\nh\x01X\x06\x00\x00\x00latin1\x86R"
    with refused("f"):
        read_pickled(lines(text, b"q\x01", again * 1000, b"."), "f")


def test_instructions_are_bounded(monkeypatch, refused):
    monkeypatch.setattr(pickled, "_MOST_STEPS", 100)
    with refused("f"):
        read_pickled(lines(b"}" * 101, b"."), "f")


@given(st.binary(max_size=60), st.integers(0, 200))
def test_damage_gives_values_or_a_sentence(damage, at):
    data = bytearray(pickle.dumps({"data": ARRAY, "labels": [1, 2]}, 2))
    data[at : at + len(damage)] = damage
    try:
        assert isinstance(read_pickled(bytes(data), "f"), dict)
    except DataError as error:
        assert str(error).isprintable()  # noqa: PT017 - either is right
