"""What holds of every form of data, and which form a path is: its content decides."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import struct
import zipfile
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from rsonnx.data import Dataset, check_labels, open_dataset
from rsonnx.errors import DataError, UsageError

FORMS = ("image folder", ".zip", ".npz", "idx")
LEVELS = np.repeat(np.array([7, 9, 9], np.uint8), 24).reshape(3, 4, 6, 1)


def npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


@pytest.fixture(params=["image-folder", "image-zip", "npz", "image-tar", "image-parquet", "idx"])
def same(request, tmp_path, make_tree, make_zip, make_tar, png) -> tuple[str, Path, Path]:
    """The form, the same three grey images with labels 0, 1, 1 in it, and without labels."""
    images = [png(level, size=(6, 4), mode="L") for level in (7, 9, 9)]
    labelled = {f"{label}/{i}.png": images[i] for i, label in enumerate((0, 1, 1))}
    bare = {f"{i}.png": image for i, image in enumerate(images)}
    if request.param in ("image-folder", "image-zip"):
        make = make_tree if request.param == "image-folder" else make_zip
        return request.param, make(labelled, "with"), make(bare, "without")
    if request.param == "npz":
        x, y = npy(LEVELS), npy(np.array([0, 1, 1]))
        return "npz", make_zip({"x.npy": x, "y.npy": y}, "with"), make_zip({"x.npy": x}, "without")
    if request.param == "image-tar":
        for name, labels in (("with", (b"0", b"1", b"1")), ("without", ())):
            files = {f"{i}.png": image for i, image in enumerate(images)}
            files |= {f"{i}.cls": label for i, label in enumerate(labels)}
            make_tar(files, name)
        return "image-tar", tmp_path / "with", tmp_path / "without"
    if request.param == "image-parquet":
        pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        rows = [{"bytes": image, "path": None} for image in images]
        pq.write_table(pa.table({"image": rows, "label": [0, 1, 1]}), tmp_path / "with")
        pq.write_table(pa.table({"image": rows}), tmp_path / "without")
        return "image-parquet", tmp_path / "with", tmp_path / "without"
    for folder in ("with", "without"):
        (tmp_path / folder).mkdir()
        idx = struct.pack(">IIII", 0x803, 3, 4, 6) + LEVELS.tobytes()
        (tmp_path / folder / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx))
    labels = struct.pack(">II", 0x801, 3) + bytes([0, 1, 1])
    (tmp_path / "with" / "t10k-labels-idx1-ubyte").write_bytes(labels)
    return "idx", tmp_path / "with", tmp_path / "without"


def test_every_form_answers_alike(same):
    form, path, without = same
    dataset, bare = open_dataset(path), open_dataset(str(without), classes=["a", "b"])
    assert isinstance(dataset, Dataset)
    assert (dataset.kind, len(dataset), dataset.labels) == (form, 3, (0, 1, 1))
    assert (bare.labels, bare.label_rule, bare[2].label) == (None, "none", None)
    assert (dataset.class_names, bare.class_names) == (None, ("a", "b"))
    copy = pickle.loads(pickle.dumps(dataset))  # noqa: S301 - our own bytes
    for index, (example, again) in enumerate(zip(dataset, copy, strict=True)):
        assert (example.name, example.label) == (dataset.name(index), dataset.labels[index])
        assert example.values.dtype == np.uint8
        assert np.array_equal(example.values, LEVELS[index])
        assert np.array_equal(again.values, LEVELS[index])
        assert dataset.shape(index) == (4, 6, 1)
        assert not dataset.header(index).turned
        assert not example.values.flags.writeable
    for index in (-1, 3):
        for read in (dataset.name, dataset.shape, dataset.header, dataset.__getitem__):
            with pytest.raises(IndexError, match=r"outside 0\.\.2"):
                read(index)


def test_labels_are_checked_against_the_classes(same, refused):
    _, path, without = same
    dataset, bare = open_dataset(path), open_dataset(without)
    check_labels(dataset, 2)
    check_labels(bare, 1)
    with refused(dataset.path, repr(dataset.name(1)), "label 1", "0..0"):
        check_labels(dataset, 1)
    with refused("0", error=UsageError):
        check_labels(dataset, 0)


def test_a_negative_label_is_named(make_zip, refused):
    path = make_zip({"x.npy": npy(LEVELS), "y.npy": npy(np.array([0, -1, 5]))})
    with refused(path, "'1'", "-1"):
        check_labels(open_dataset(path), 2)


def test_suffixes_decide_nothing(make_zip, make_tree):
    assert open_dataset(make_zip(["a/1.png", "b/1.png"], "images.npz")).kind == "image-zip"
    assert open_dataset(make_zip({"x.npy": npy(LEVELS)}, "arrays.zip")).kind == "npz"
    assert open_dataset(make_tree(["a/1.png"], "folder.zip")).kind == "image-folder"


@pytest.mark.parametrize("path", ["gone", "x" * 5000, "nul\0"])
def test_a_path_that_does_not_exist_is_a_usage_error(path):
    with pytest.raises(UsageError, match="does not exist") as e:
        open_dataset(path)
    assert all(form in str(e.value) for form in FORMS)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_path_that_is_no_regular_file_is_a_usage_error(tmp_path, refused):
    os.mkfifo(tmp_path / "pipe")
    with refused("pipe", *FORMS, error=UsageError):
        open_dataset(tmp_path / "pipe")


def test_a_path_without_permission_is_a_usage_error(tmp_path, monkeypatch, refused):
    def denied(*args: object, **options: object) -> NoReturn:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "set.npz").touch()
    monkeypatch.setattr(os, "scandir", denied)
    monkeypatch.setattr(Path, "open", denied)
    for path in (tmp_path, tmp_path / "set.npz"):
        with refused(path, "Permission denied", error=UsageError):
            open_dataset(path)


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"", "empty"),
        (b"a,b\n1,2\n", "61 2c 62 0a"),
        (b"version https://git-lfs", "git lfs pull"),
        (b"MATLAB 5.0 MAT-file", "MATLAB"),
        (b"MATLAB 7.3 MAT-file", "MATLAB"),
        (b"<!DOCTYPE html>", "web page"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"\x80\x04K\x01.", "pickle"),
        (b"\0\0\x08\x01\0\0\0\0", "labels file"),
    ],
)
def test_other_files_are_named_for_what_they_are(tmp_path, data, named, refused):
    (tmp_path / "input.dat").write_bytes(data)
    with refused("input.dat", named, *FORMS):
        open_dataset(tmp_path / "input.dat")


def test_what_holds_nothing_or_both_kinds_is_refused(make_tree, make_zip, png, refused):
    with refused("notes.txt", "sub/readme.md", *FORMS):
        open_dataset(make_tree({"sub/readme.md": b"x", "notes.txt": b"x"}))
    for files, named in (({}, "nothing"), ({"a/data.pkl": b"x"}, "PyTorch")):
        with refused("set.zip", named, *FORMS):
            open_dataset(make_zip(files))
    with refused("nothing"):
        open_dataset(make_tree({}, "empty"))
    with refused("set.zip"):
        open_dataset(make_zip(["__MACOSX/._a.png"]))
    with refused("'x.npy'", "'a/1.png'"):
        open_dataset(make_zip({"x.npy": npy(LEVELS), "a/1.png": png()}))


@pytest.mark.parametrize("name", ["set.zip", "set.npz"])
def test_a_broken_archive_is_refused(make_zip, name, refused):
    path = make_zip(["a/1.png", "b/1.png"], name)
    whole = path.read_bytes()
    for damaged in (whole[:-30], whole.replace(b"PK\x01\x02", b"PK\x01\x03")):
        path.write_bytes(damaged)
        with refused(name, "broken zip archive"):
            open_dataset(path)
    assert zipfile.is_zipfile(path)


def test_nothing_but_a_data_error_comes_of_it(make_zip):
    with pytest.raises(DataError):
        open_dataset(make_zip({"x.npy": b""}))
