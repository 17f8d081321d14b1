"""Arrays: which of an archive are inputs and labels, what labels may be, and .npy files."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsonnx.data import NAMED_LABELS, dataset_of, limits, open_dataset
from rsonnx.errors import DataError, UsageError

X = np.arange(24, dtype=np.float32).reshape(4, 6)
Y = np.array([3, 0, 1, 2])


def saved(folder: Path, *names: str, **arrays: Any) -> Path:
    """Write an archive; of arrays that are named alone, one that ends a pair holds labels."""
    labels = ("y", "label", "target")
    for at, name in enumerate(names):
        is_labels = any(stem in name.lower() for stem in labels)
        arrays[name] = Y if is_labels else X + at
    np.savez(folder / "set.npz", **arrays)
    return folder / "set.npz"


USUAL = [
    ("x", "y"),
    ("X", "Y"),
    ("images", "labels"),
    ("data", "target"),
    ("x_test", "y_test"),
    ("X_test", "y_test"),
    ("test_images", "test_labels"),
    ("testX", "testY"),
    ("images-val", "labels-val"),
    ("features", "targets"),
]


@pytest.mark.parametrize("names", USUAL)
def test_the_names_in_use_are_known(names: tuple[str, str], tmp_path: Path) -> None:
    dataset = open_dataset(saved(tmp_path, *names))
    assert dataset.labels == tuple(Y)
    assert dataset.label_rule == f"array {names[1]}"
    assert np.array_equal(dataset[2].values, X[2])
    alone = open_dataset(saved(tmp_path, names[0]))
    assert alone.labels is None
    assert np.array_equal(alone[1].values, X[1])


@pytest.mark.parametrize(
    "names",
    [
        ("x_train", "y_train", "x_test", "y_test"),
        ("train_images", "train_labels", "val_images", "val_labels", "test_images", "test_labels"),
        ("test_images", "test_labels", "train_images"),
    ],
)
def test_of_several_splits_one_is_chosen(names: tuple[str, ...], tmp_path: Path) -> None:
    path = saved(tmp_path, *names)
    with pytest.raises(UsageError, match=r"test.*--split"):
        open_dataset(path)
    inputs = next(name for name in names if "test" in name)
    for choice in ({"split": "test"}, {"arrays": f"{inputs}, {names[names.index(inputs) + 1]}"}):
        dataset = open_dataset(path, **choice)
        assert dataset.labels == tuple(Y)
        assert np.array_equal(dataset[0].values, X[0] + names.index(inputs))
    with pytest.raises(UsageError, match=r"dev.*test.*--split"):
        open_dataset(path, split="dev")


@pytest.mark.parametrize(
    "names",
    [
        ("arr_0", "arr_1"),
        ("images", "data"),
        ("labels",),
        ("inputs", "y", "target"),
        ("X", "x_test"),
        ("x_test", "y"),
    ],
)
def test_what_is_not_clear_is_asked_with_all_names(names: tuple[str, ...], tmp_path: Path) -> None:
    path = saved(tmp_path, *names)
    with pytest.raises(UsageError, match=f"--arrays.*{', '.join(sorted(names))}"):
        open_dataset(path)
    dataset = open_dataset(path, arrays=names[0])
    assert dataset.labels is None
    assert np.array_equal(dataset[1].values, Y[1] if names == ("labels",) else X[1])
    for wrong in ("", "z", f"{names[0]},z", f"{names[0]},{names[0]},{names[0]}"):
        with pytest.raises(UsageError, match=names[0]):
            open_dataset(path, arrays=wrong)


def test_x_and_y_are_meant_whatever_is_beside_them(tmp_path: Path) -> None:
    """As in the archives of older run files."""
    beside = ("x", "y", "X", "images", "labels", "x_test", "weights")
    dataset = open_dataset(saved(tmp_path, *beside))
    assert dataset.label_rule == "array y"
    assert np.array_equal(dataset[0].values, X[0])


def test_a_single_array_is_the_inputs_and_nothing_is_none(tmp_path: Path) -> None:
    assert np.array_equal(open_dataset(saved(tmp_path, "arr_0"))[3].values, X[3])
    with pytest.raises(UsageError, match="nothing"):
        open_dataset(saved(tmp_path))
    with pytest.raises(UsageError, match="splits"):
        open_dataset(saved(tmp_path, "x"), split="test")
    np.save(tmp_path / "x.npy", X)
    for other in ("split", "arrays"):
        with pytest.raises(UsageError, match=f"--{other}"):
            open_dataset(tmp_path / "x.npy", **{other: "x"})


@pytest.mark.parametrize("fortran", [False, True])
@pytest.mark.parametrize("dtype", ["uint8", ">f4", "int64", "bool"])
def test_a_npy_file_is_inputs_and_labels_of_another(
    dtype: str, fortran: bool, tmp_path: Path
) -> None:
    x = X.astype(dtype).reshape(4, 3, 2)
    np.save(tmp_path / "x.npy", np.asfortranarray(x) if fortran else x)
    for labels in (Y, np.eye(4)[Y], Y.astype("U1"), np.array(list("dabc"))):
        np.save(tmp_path / "y.npy", np.asfortranarray(labels))
        dataset = open_dataset(tmp_path / "x.npy", labels=tmp_path / "y.npy")
        assert (dataset.kind, dataset.labels) == ("npy", tuple(Y))
        assert np.array_equal(dataset[2].values, x[2])
    assert dataset.label_rule == NAMED_LABELS
    np.save(tmp_path / "y.npy", Y[:3])
    with pytest.raises(DataError, match=r"y\.npy has 3 labels, .* 4"):
        open_dataset(tmp_path / "x.npy", labels=tmp_path / "y.npy")
    (tmp_path / "x.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:-1])
    with pytest.raises(DataError, match=r"x\.npy announces"):
        open_dataset(tmp_path / "x.npy")


WAYS = {
    "column": lambda y: y[:, None],
    "float": lambda y: y.astype(np.float64),
    "float16": lambda y: y.astype(np.float16),
    "int8": lambda y: y.astype(np.int8),
    "uint64": lambda y: y.astype(np.uint64),
    "big-endian": lambda y: y.astype(">i4"),
    "digits": lambda y: y.astype("U3"),
    "bytes": lambda y: y.astype("S3"),
    "objects": lambda y: y.astype(str).astype(object),
    "one-hot": lambda y: np.eye(9)[y],
    "one-hot flags": lambda y: np.eye(9, dtype=bool)[y],
    "one-hot by column": lambda y: np.asfortranarray(np.eye(9, dtype=np.uint8)[y]),
}


@pytest.mark.parametrize("way", WAYS)
@given(labels=st.lists(st.integers(0, 8), min_size=1, max_size=20))
def test_labels_are_the_same_however_they_are_written(way: str, labels: list[int]) -> None:
    x = np.zeros((len(labels), 2))
    dataset = dataset_of(x, WAYS[way](np.array(labels)))
    assert dataset.labels == tuple(labels)
    assert {type(label) for label in dataset.labels or ()} == {int}
    assert dataset.class_names is None


@pytest.mark.parametrize("as_bytes", [False, True])
def test_names_are_numbered_as_they_are_given_and_never_guessed(as_bytes: bool) -> None:
    texts = np.array(["plum", "fig", "fig", "kiwi"])
    y = np.char.encode(texts, "utf-8") if as_bytes else texts
    own, named = dataset_of(X, y), dataset_of(X, y, classes=["kiwi", "plum", "nut", "fig"])
    assert (own.label_rule, named.labels) == (NAMED_LABELS, (1, 3, 3, 0))
    assert [own.class_names[label] for label in own.labels] == texts.tolist()
    with pytest.raises(DataError, match="fig"):
        dataset_of(X, y, classes=["kiwi", "plum"])


@pytest.mark.parametrize(
    "wrong",
    [
        np.array([0.0, 1.0, 0.5, 2.0]),
        np.array([0.0, np.nan, 1.0, 2.0]),
        np.array([0.0, 1.0, np.inf, 2.0]),
        np.array([1, 2, 3, 1e300]),
        np.full((4, 3), 1 / 3),
        np.eye(4)[Y] * 2,
        np.zeros((4, 3), int),
        np.ones((4, 2), int),
        np.array([[1, 0], [0, 1], [1, 1], [0, 1]]),
        np.array([["a", "b"]] * 4),
        np.array([b"\xff"] * 4),
        np.zeros(4, complex),
        np.array([None, 1, 2, 3], object),
        Y.astype("M8[s]"),
        Y.astype("U1001"),
        np.eye(5),
        np.zeros((4, 1, 1), int),
    ],
    ids=lambda value: f"{value.dtype}{value.shape}",
)
def test_what_is_no_label_an_input_is_refused(wrong: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'y'"):
        dataset_of(X, wrong)
    if wrong.dtype != object:
        with pytest.raises(DataError, match=r"'y' of .*set\.npz"):
            open_dataset(saved(tmp_path, x=X, y=wrong))


@pytest.mark.parametrize("name", ["x.npy", "y.npy"])
@given(
    changes=st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), min_size=1, max_size=4),
    cut=st.integers(0, 3),
)
def test_damaged_files_are_rows_or_refused(
    name: str, changes: list[tuple[int, int]], cut: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder, "x.npy"), X)
        np.save(Path(folder, "y.npy"), np.array(["a", "b", "c", "d"]))
        data = bytearray(Path(folder, name).read_bytes())
        for at, byte in changes:
            data[at % len(data)] = byte
        Path(folder, name).write_bytes(data[: len(data) - cut])
        try:
            dataset = open_dataset(Path(folder, "x.npy"), labels=Path(folder, "y.npy"))
        except DataError as error:
            assert folder in str(error)  # noqa: PT017 - either outcome is right
        else:
            assert len(dataset.labels or ()) == len(dataset) == len(X)


def test_text_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """Code points beyond Unicode, as a stranger's file may hold them."""
    y = np.frombuffer(np.array([0x41, 0x110000, 0xD800, 0x42], "<u4").tobytes(), "<U1")
    with pytest.raises(DataError, match="'y'"):
        open_dataset(saved(tmp_path, x=X, y=y))
    with pytest.raises(DataError, match="'y'"):
        open_dataset(saved(tmp_path, x=X, y=np.array([0xD800] * 4, "<u4").view("<U1")))


def test_one_hot_rows_need_the_memory_that_looking_at_them_takes(
    tmp_path, refused, monkeypatch
) -> None:
    """A few kilobytes may announce gigabytes of zeros."""
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros((4, 2), np.float32), y=np.eye(4, 10**6))
    monkeypatch.setattr(limits, "available_memory", lambda: 4 * 9 * 10**6)
    with refused("a.npz", "memory"):
        open_dataset(tmp_path / "a.npz")
    monkeypatch.setattr(limits, "available_memory", lambda: 4 * 12 * 10**6)
    assert open_dataset(tmp_path / "a.npz").labels == (0, 1, 2, 3)


@pytest.mark.parametrize("masked", ["x", "y"])
def test_masked_values_are_unknown_and_refused(masked: str) -> None:
    arrays = {"x": X, "y": Y}
    arrays[masked] = np.ma.masked_greater(arrays[masked], 2)
    with pytest.raises(DataError, match="masked"):
        dataset_of(**arrays)
