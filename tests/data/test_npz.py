"""NumPy archives: rows and labels as stored, and refusals of what is not plain numbers."""

from __future__ import annotations

import io
import pickle
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsonnx.data import Dataset, limits, open_dataset
from rsonnx.errors import DataError

X = np.arange(24, dtype=np.float32).reshape(4, 2, 3)


@pytest.fixture
def save(tmp_path: Path):
    def write(*, compressed: bool = False, **arrays: Any) -> Path:
        (np.savez_compressed if compressed else np.savez)(tmp_path / "set.npz", **arrays)
        return tmp_path / "set.npz"

    return write


def npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def npy_header(text: str, payload: bytes = b"") -> bytes:
    head = text.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + payload


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32", "float64"])
def test_rows_come_as_stored(save, dtype, compressed):
    dataset = open_dataset(save(x=X.astype(dtype), y=np.array([3, 0, 1, 2]), compressed=compressed))
    assert isinstance(dataset, Dataset)
    assert (dataset.kind, dataset.label_rule, len(dataset)) == ("npz", "array y", 4)
    assert dataset.labels == (3, 0, 1, 2)
    assert dataset.class_names is None
    example = dataset[2]
    assert (example.name, example.label) == ("2", 1)
    assert dataset.name(2) == "2"
    assert example.values.dtype == dtype
    assert np.array_equal(example.values, X[2])
    assert dataset.shape(2) == (2, 3)
    assert not example.values.flags.writeable


def test_without_y_it_is_unlabelled(save):
    dataset = open_dataset(save(x=X), classes=["a", "b"])
    assert (dataset.labels, dataset.label_rule, dataset[0].label) == (None, "none", None)
    assert dataset.class_names == ("a", "b")


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64", ">i4", "uint64"])
def test_labels_of_any_integer_type_and_as_a_column(save, dtype):
    dataset = open_dataset(save(x=X, y=np.array([[3], [0], [1], [2]], dtype)))
    assert dataset.labels == (3, 0, 1, 2)
    assert {type(label) for label in dataset.labels} == {int}


def test_fortran_order_and_foreign_byte_order_give_the_same_rows(save):
    dataset = open_dataset(save(x=np.asfortranarray(X).astype(">f4", order="K")))
    assert dataset[1].values.dtype == np.float32
    assert dataset[1].values.dtype.isnative
    assert dataset[1].values.flags.c_contiguous
    assert np.array_equal(dataset[1].values, X[1])


def test_rows_without_axes_and_index_bounds(save):
    dataset = open_dataset(save(x=np.array([1.5, 2.5])))
    assert dataset.shape(1) == ()
    assert dataset[1].values.shape == ()
    for index in (-1, 2):
        for read in (dataset.name, dataset.shape, dataset.__getitem__):
            with pytest.raises(IndexError, match=r"outside 0\.\.1"):
                read(index)


def test_a_pickled_copy_reads_the_same(save):
    dataset = open_dataset(save(x=X, y=np.arange(4)))
    copy = pickle.loads(pickle.dumps(dataset))  # noqa: S301 - our own bytes
    assert np.array_equal(copy[3].values, X[3])
    assert copy.labels == dataset.labels


def test_missing_x_lists_what_is_there(save):
    with pytest.raises(DataError, match=r"set\.npz has no array 'x' \(it holds: x_test, y_test\)"):
        open_dataset(save(x_test=X, y_test=np.arange(4)))
    with pytest.raises(DataError, match=r"it holds: nothing\); save the inputs as 'x'"):
        open_dataset(save())


@pytest.mark.parametrize("dtype", ["int8", "int16", ">i4", "int64", "uint16", "uint32"])
def test_whole_numbers_are_values(tmp_path: Path, dtype: str) -> None:
    """Codes of categories keep their type; only uint8 means levels of a grid."""
    path = tmp_path / "set.npz"
    np.savez(path, x=np.arange(12).reshape(4, 3).astype(dtype))
    values = open_dataset(path)[2].values
    assert values.tolist() == [6, 7, 8]
    assert values.dtype == np.dtype(dtype).newbyteorder("=")


@pytest.mark.parametrize("dtype", ["uint64", "bool", "complex64", "U3", "M8[s]"])
def test_other_types_are_refused_with_the_conversion(save, dtype):
    with pytest.raises(DataError, match=r"'x' of .*set\.npz has type .* uint8, float16") as e:
        open_dataset(save(x=np.zeros((2, 3), dtype)))
    assert str(np.dtype(dtype)) in str(e.value)
    assert "x.astype('float32')" in str(e.value)


def test_structured_rows_are_refused(save):
    with pytest.raises(DataError, match=r"'x' of .* has type \[\('a', '<f4'\)\]"):
        open_dataset(save(x=np.zeros(3, [("a", "f4")])))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("block", [1, 2**22])
def test_the_first_value_that_is_no_number_is_named(save, monkeypatch, bad, block):
    monkeypatch.setattr("rsonnx.data.npz._CHECK_VALUES", block)
    x = X.astype(np.float64)
    x[2, 1, 0] = x[3, 0, 0] = bad
    with pytest.raises(DataError, match=r"example 2 of array 'x' of .*set\.npz has a NaN or inf"):
        open_dataset(save(x=x))


@pytest.mark.parametrize("shape", [(), (0, 3), (3, 0)])
def test_no_example_is_refused(save, shape):
    with pytest.raises(DataError, match=r"'x' of .* has shape .* no example; its first axis"):
        open_dataset(save(x=np.zeros(shape)))


def test_lengths_that_differ_are_refused(save):
    with pytest.raises(DataError, match=r"'y' of .*set\.npz has 3 labels, but 'x' has 4 examples"):
        open_dataset(save(x=X, y=np.arange(3)))


@pytest.mark.parametrize("y", [np.zeros((4, 2), int), np.zeros((4, 1, 1), int), np.int64(1)])
def test_labels_of_other_shapes_are_refused(save, y):
    with pytest.raises(DataError, match=r"'y' of .* has shape .*\(N,\) or \(N, 1\).*argmax"):
        open_dataset(save(x=X, y=y))


@pytest.mark.parametrize("dtype", ["float32", "bool", "U2"])
def test_labels_of_other_types_are_refused(save, dtype):
    with pytest.raises(DataError, match=r"'y' of .* has type .* labels are integers; convert"):
        open_dataset(save(x=X, y=np.zeros(4, dtype)))


class Bomb:
    def __reduce__(self):
        return pytest.fail, ("unpickled",)


@pytest.mark.parametrize("name", ["x", "y"])
def test_pickled_arrays_are_never_loaded(save, name):
    arrays = {"x": X, "y": np.arange(4)} | {name: np.array([Bomb()] * 4, object)}
    with pytest.raises(DataError, match=f"'{name}' of .*set.npz holds pickled .* never loaded"):
        open_dataset(save(**arrays))


def test_a_member_that_is_a_bare_pickle_is_refused(make_zip):
    path = make_zip({"x.npy": pickle.dumps(Bomb())}, "set.npz")
    with pytest.raises(DataError, match=r"'x' of .*set\.npz cannot be read .*magic"):
        open_dataset(path)


def test_more_than_the_archive_holds_is_refused_before_memory_is_taken(make_zip):
    def header(shape: str) -> bytes:
        text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}}}"
        return npy_header(text, bytes(10))

    for shape, message in [
        ("(10, 1)", None),
        ("(11, 1)", "announces 11 bytes, but 10 are present"),
        ("(9, 1)", "announces 9 bytes, but 10 are present"),
        (f"({2**33},)", r"announces 8589934592 bytes, but the \d+ compressed bytes present"),
        (f"({2**34}, 2)", r"announces 34359738368 bytes, more than the 17179869184"),
        (f"({2**70},)", "more than the 17179869184 that are read; split it"),
        ("(-5, -2)", r"announces the shape \(-5, -2\)"),
    ]:
        path = make_zip({"x.npy": header(shape)}, "set.npz")
        if message is None:
            assert len(open_dataset(path)) == 10
            continue
        with pytest.raises(DataError, match=message) as e:
            open_dataset(path)
        assert "array 'x' of" in str(e.value)
        assert "set.npz" in str(e.value)


def test_an_array_above_the_limit_is_refused(save, monkeypatch):
    monkeypatch.setattr(limits, "MAX_ARRAY_BYTES", 95)
    with pytest.raises(DataError, match="announces 96 bytes, more than the 95 that are read"):
        open_dataset(save(x=X))


def test_a_header_that_never_ends_is_refused(make_zip):
    endless = b"\x93NUMPY\x02\x00" + (2**31).to_bytes(4, "little") + b" " * 50_000
    path = make_zip({"x.npy": endless}, "set.npz", compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(DataError, match=r"'x' of .*set\.npz cannot be read"):
        open_dataset(path)


def test_other_npy_versions_encryption_and_compression(make_zip):
    data = bytearray(npy(X))
    data[6] = 3
    path = make_zip({"x.npy": bytes(data)}, "set.npz")
    with pytest.raises(DataError, match=r"'x' of .* is no plain array \(\.npy version \(3, 0\)\)"):
        open_dataset(path)
    path = make_zip({"x.npy": npy(X)}, "set.npz", compression=zipfile.ZIP_LZMA)
    with pytest.raises(DataError, match=r"'x' of .* zip method 14; write the archive with ordinar"):
        open_dataset(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_array_twice_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "set.npz", "w") as archive:
        archive.writestr("x.npy", npy(X))
        archive.writestr("x.npy", npy(X + 1))
    with pytest.raises(DataError, match=r"set\.npz holds an array twice"):
        open_dataset(tmp_path / "set.npz")


def test_a_damaged_array_is_refused_by_its_checksum(save):
    path = save(x=X)
    data = bytearray(path.read_bytes())
    data[data.index(X[3].tobytes()) + 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"'x' of .* cannot be read .*Bad CRC-32.*save it again"):
        open_dataset(path)


@given(
    compressed=st.booleans(),
    changes=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=4),
    cut=st.integers(0, 3),
)
@settings(max_examples=150, deadline=None)
@pytest.mark.filterwarnings("ignore")
def test_damaged_bytes_are_rows_or_a_data_error(compressed, changes, cut):
    out = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(out, x=X, y=np.arange(4))
    data = bytearray(out.getvalue())
    for at, byte in changes:
        data[at % len(data)] = byte
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "set.npz")
        path.write_bytes(data[: len(data) - cut])
        try:
            dataset = open_dataset(path)
        except DataError as error:
            assert "set.npz" in str(error)  # noqa: PT017 - either outcome is right
        else:
            assert len(dataset) >= 1
            assert dataset[0].values.dtype in (np.float32, np.uint8, np.float16, np.float64)
