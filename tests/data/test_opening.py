"""Which form a path is: decided by its content, refused in one sentence otherwise."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from rsonnx.data import open_dataset
from rsonnx.errors import DataError, UsageError

FORMS = ("image folder", ".zip", ".npz", "idx")


def test_a_path_that_does_not_exist_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match=r"gone does not exist; name an image folder") as e:
        open_dataset(tmp_path / "gone")
    for odd in ("x" * 5000, "nul\0"):
        with pytest.raises(UsageError, match="does not exist; name an image folder"):
            open_dataset(odd)
    assert all(form in str(e.value) for form in FORMS)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_path_that_is_no_regular_file_is_a_usage_error(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="pipe is no regular file; name an image folder"):
        open_dataset(tmp_path / "pipe")


def denied(*args: object, **options: object) -> NoReturn:
    raise PermissionError(13, "Permission denied")


def test_a_path_without_permission_is_a_usage_error(tmp_path, monkeypatch):
    (tmp_path / "set.npz").touch()
    monkeypatch.setattr(os, "scandir", denied)
    with pytest.raises(UsageError, match=r"the folder .* cannot be read \(Permission denied\)"):
        open_dataset(tmp_path)
    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(UsageError, match=r"set\.npz cannot be read \(Permission denied\)"):
        open_dataset(tmp_path / "set.npz")


def npy() -> bytes:
    out = io.BytesIO()
    np.save(out, np.zeros((2, 2)))
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is an empty file"),
        (b"a,b\n1,2\n", "is a file that begins with 61 2c 62 0a"),
        (npy(), r"is a single \.npy array \(save it as numpy\.savez\(path, x=array\)\)"),
        (b"\x89HDF\r\n\x1a\n", "is an HDF5 file"),
        (b"\x80\x04K\x01.", "is a Python pickle, never loaded"),
        (b"PAR1....", "is a Parquet file"),
        (b"\0\0\x08\x01\0\0\0\0", "is an idx labels file"),
        (b"\x89PNG\r\n\x1a\n", "is a single image"),
        (b"\xff\xd8\xff\xe0", "is a single image"),
    ],
)
def test_other_files_are_named_for_what_they_are(tmp_path, data, message):
    (tmp_path / "input.dat").write_bytes(data)
    with pytest.raises(DataError, match=rf"input\.dat {message}") as e:
        open_dataset(tmp_path / "input.dat")
    assert all(form in str(e.value) for form in FORMS)


def test_suffixes_decide_nothing(make_zip, make_tree, png, tmp_path):
    images = make_zip(["a/1.png", "b/1.png"], "images.npz")
    assert open_dataset(images).kind == "image-zip"
    arrays = make_zip({"x.npy": npy()}, "arrays.zip")
    assert open_dataset(arrays).kind == "npz"
    assert open_dataset(make_tree(["a/1.png"], "folder.zip")).kind == "image-folder"


def test_an_archive_of_both_kinds_is_refused(make_zip, png):
    path = make_zip({"x.npy": npy(), "a/1.png": png()})
    with pytest.raises(DataError, match=r"both arrays \('x\.npy'\) and images \('a/1\.png'\)"):
        open_dataset(path)


@pytest.mark.parametrize("name", ["set.zip", "set.npz"])
def test_a_truncated_archive_is_refused(make_zip, name):
    path = make_zip(["a/1.png", "b/1.png"], name)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match=rf"{name} is a broken zip archive .*fetch it again"):
        open_dataset(path)


def test_a_damaged_directory_of_an_archive_is_refused(make_zip):
    path = make_zip(["a/1.png", "b/1.png"])
    path.write_bytes(path.read_bytes().replace(b"PK\x01\x02", b"PK\x01\x03"))
    assert zipfile.is_zipfile(path)
    with pytest.raises(DataError, match=r"set\.zip is a broken zip archive"):
        open_dataset(path)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"holds no image \(it holds: nothing\); name an image"):
        open_dataset(tmp_path)
