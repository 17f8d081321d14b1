"""Image folders in a .zip: what is stripped, and what an archive may not do."""

from __future__ import annotations

import pickle
import struct
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from rsonnx.data import Dataset, open_dataset
from rsonnx.data.forms import archive


def names(dataset: Dataset) -> list[str]:
    return [dataset.name(index) for index in range(len(dataset))]


@pytest.mark.parametrize("prefix", ["", "test/", "data/cifar/test/", "./"])
def test_leading_folders_are_stripped(make_zip, png, prefix):
    files = {"dog/0.png": png(), "cat/sub/1.png": png(), "cat/0.jpg": png(), "dog/b.psd": b"x"}
    files |= {"dog/@eaDir/b/S.jpg": b"x", "Thumbs.db": b"x"}
    dataset = open_dataset(make_zip({f"{prefix}{name}": data for name, data in files.items()}))
    assert names(dataset) == ["cat/0.jpg", "cat/sub/1.png", "dog/0.png"]
    assert dataset.labels == (0, 0, 1)
    assert dataset.class_names == ("cat", "dog")
    assert dataset.reading.left_out == ("dog/b.psd",)
    assert dataset.reading.hidden == ("Thumbs.db", "dog/@eaDir")


def test_what_lies_beside_the_stripped_folder_changes_no_class(make_zip, png, refused):
    beside = {"t/0/a.png": png(), "t/1/c.png": png(), "docs/a.txt": b"x"}
    dataset = open_dataset(make_zip(beside))
    assert (dataset.labels, dataset.reading.left_out) == ((0, 1), ("docs/a.txt",))
    with refused("'1'", "1/b.psd"):
        open_dataset(make_zip({"t/0/a.png": png(), "t/1/b.psd": b"x", "t/2/c.png": png()}))


def test_one_folder_may_be_a_class_or_not_and_is_refused(make_zip, refused):
    path = make_zip(["x/cat/1.png", "x/cat/2.png"])
    with refused(path, "'cat'"):
        open_dataset(path)
    dataset = open_dataset(path, classes=["dog", "cat"])
    assert (names(dataset), dataset.labels) == (["cat/1.png", "cat/2.png"], (1, 1))


def test_a_folder_among_the_classes_is_never_stripped(make_zip):
    path = make_zip(["cat/front/1.png", "cat/side/1.png"])
    assert open_dataset(path).class_names == ("front", "side")
    assert open_dataset(path, classes=["cat"]).labels == (0, 0)


@pytest.mark.parametrize(
    "bad",
    ["../up.png", "cat/../../up.png", "/root.png", "cat\\up.png", "C:/up.png", "a/..\\b.txt",
     "cat/b.png\0.png"],
)  # fmt: skip
def test_names_that_point_outside_are_refused(make_zip, bad, refused):
    path = make_zip(["cat/a.png", bad.replace("\0", "X")])
    if "\0" in bad:  # zipfile itself writes none
        path.write_bytes(path.read_bytes().replace(b"b.pngX.png", b"b.png\0.png"))
    with refused(path, repr(bad)):
        open_dataset(path)


def test_the_same_name_twice_is_refused(make_zip, refused):
    with refused("set.zip", "cat/a.png'"):
        open_dataset(make_zip(["cat/a.png", "./cat/a.png", "dog/b.png"]))


def _patch_directory(path, offset: int, value: bytes) -> None:
    """Overwrite a field of the first record of the central directory."""
    data = bytearray(path.read_bytes())
    start = data.index(b"PK\x01\x02") + offset
    data[start : start + len(value)] = value
    path.write_bytes(data)


@pytest.mark.parametrize("method", ["encrypted", zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_encrypted_entries_and_other_compression_are_refused(make_zip, method, refused):
    compression = zipfile.ZIP_STORED if method == "encrypted" else method
    path = make_zip(["cat/a.png", "dog/b.png"], compression=compression)
    if method == "encrypted":
        _patch_directory(path, 8, struct.pack("<H", 1))
    with refused(path, "cat/a.png'", method):
        open_dataset(path)


def test_an_entry_larger_than_the_limit_is_refused(make_zip, monkeypatch, png, refused):
    """By its header, and while it is read."""
    path = make_zip(
        {"cat/a.png": png(), "dog/big.png": bytes(5000)}, compression=zipfile.ZIP_DEFLATED
    )
    dataset = open_dataset(path)
    monkeypatch.setattr(archive, "MAX_IMAGE_FILE_BYTES", 1000)
    assert dataset[0].values.shape == (2, 3, 3)
    for read in (lambda: dataset[1], lambda: open_dataset(path)):
        with refused(path, "dog/big.png'", "1000"):
            read()


def test_a_size_that_lies_and_damaged_content_are_named(make_zip, png, refused):
    path = make_zip({"cat/a.png": bytes(10**6)}, compression=zipfile.ZIP_DEFLATED)
    _patch_directory(path, 24, struct.pack("<I", 100))
    dataset = open_dataset(path, classes=["cat"])
    with refused(path, "cat/a.png'", "Bad CRC"):
        dataset[0]
    path = make_zip({"cat/a.png": png(), "dog/b.png": png(5)})
    data = bytearray(path.read_bytes())
    data[data.index(b"\x89PNG") + 20] ^= 0xFF
    path.write_bytes(data)
    dataset = open_dataset(path)
    with refused(path, "cat/a.png'"):
        dataset[0]
    assert dataset[1].label == 1


def test_threads_and_pickled_copies_read_the_same(make_zip, png):
    files = {f"{i % 3}/{i:03}.png": png(i, size=(16, 16)) for i in range(60)}
    dataset = open_dataset(make_zip(files))
    copy = pickle.loads(pickle.dumps(dataset))  # noqa: S301 - our own bytes
    with ThreadPoolExecutor(8) as pool:
        levels = list(pool.map(lambda i: int(copy[i].values[0, 0, 0]), [*range(60)] * 3))
    assert levels == [int(dataset.name(i)[2:5]) for i in range(60)] * 3
    assert [int(dataset[i].values[0, 0, 0]) for i in range(60)] == levels[:60]


def test_another_process_gets_a_handle_of_its_own(make_zip, monkeypatch):
    dataset = open_dataset(make_zip(["a/1.png", "b/2.png"]))
    before = dataset[0].values
    handle = dataset.reader._own.archive
    assert np.array_equal(dataset[0].values, before)
    assert dataset.reader._own.archive is handle
    monkeypatch.setattr(archive.os, "getpid", lambda: -1)  # as after a fork
    assert np.array_equal(dataset[0].values, before)
    assert dataset.reader._own.archive is not handle
