"""Image folders in a .zip: the folder's rules, and what an archive may not do."""

from __future__ import annotations

import pickle
import struct
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from rsonnx.data import Dataset, archive, open_dataset
from rsonnx.errors import DataError


def names(dataset: Dataset) -> list[str]:
    return [dataset.name(index) for index in range(len(dataset))]


@pytest.mark.parametrize("prefix", ["", "test/", "data/cifar/test/", "./"])
def test_leading_folders_are_stripped(make_zip, prefix):
    files = [f"{prefix}dog/0.png", f"{prefix}cat/sub/1.png", f"{prefix}cat/0.jpg"]
    dataset = open_dataset(make_zip(files))
    assert names(dataset) == ["cat/0.jpg", "cat/sub/1.png", "dog/0.png"]
    assert dataset.labels == (0, 0, 1)
    assert dataset.class_names == ("cat", "dog")
    assert dataset.label_rule == "class folders sorted by name"
    assert dataset.kind == "image-zip"
    assert isinstance(dataset, Dataset)


def test_numbers_and_given_classes_label_as_in_a_folder(make_zip):
    path = make_zip(["t/10/a.png", "t/2/a.png"])
    assert open_dataset(path).labels == (2, 10)
    dataset = open_dataset(path, classes=["10", "2"])
    assert (names(dataset), dataset.labels) == (["10/a.png", "2/a.png"], (0, 1))
    with pytest.raises(DataError, match=r"folder '10' of the archive .*set\.zip is none of"):
        open_dataset(path, classes=["2"])


def test_a_folder_and_its_zip_are_the_same_data_set(make_tree, make_zip):
    files = ["b/2.png", "a/10.png", "a/9.png", "b/c/1.png"]
    folder, zipped = open_dataset(make_tree(files)), open_dataset(make_zip(files))
    assert names(folder) == names(zipped)
    assert folder.labels == zipped.labels
    assert folder.class_names == zipped.class_names
    assert np.array_equal(folder[3].values, zipped[3].values)
    assert folder.shape(3) == zipped.shape(3)


def test_images_without_a_folder_are_unlabelled(make_zip):
    dataset = open_dataset(make_zip(["b.png", "a.png"]))
    assert (names(dataset), dataset.labels, dataset.label_rule) == (
        ["a.png", "b.png"],
        None,
        "none",
    )


def test_one_folder_may_be_a_class_or_not_and_is_refused(make_zip):
    path = make_zip(["x/cat/1.png", "x/cat/2.png"])
    with pytest.raises(DataError, match=r"lie in the one folder 'cat', which may be a class") as e:
        open_dataset(path)
    assert "give the class names" in str(e.value)
    dataset = open_dataset(path, classes=["dog", "cat"])
    assert (names(dataset), dataset.labels) == (["cat/1.png", "cat/2.png"], (1, 1))


def test_a_folder_among_the_classes_is_never_stripped(make_zip):
    path = make_zip(["cat/front/1.png", "cat/side/1.png"])
    assert open_dataset(path).class_names == ("front", "side")
    assert open_dataset(path, classes=["cat"]).labels == (0, 0)


def test_mixed_and_empty_folders_are_refused_as_in_a_folder(make_zip):
    with pytest.raises(DataError, match=r"mixes images in class folders \('cat/a\.png'\)"):
        open_dataset(make_zip(["t/cat/a.png", "t/b.png"]))
    with pytest.raises(DataError, match=r"folder 'bee' of the archive .* holds no image"):
        open_dataset(make_zip(["t/ant/a.png", "t/bee/", "t/cat/a.png"]))
    with pytest.raises(DataError, match=r"are splits \(test, train\)"):
        open_dataset(make_zip(["test/cat/a.png", "train/cat/a.png"]))


def test_hidden_macos_and_other_entries_are_ignored(make_zip):
    files = ["t/cat/a.png", "t/dog/b.png", "__MACOSX/t/cat/._a.png", "t/.x/c.png", "README.txt"]
    assert names(open_dataset(make_zip(files))) == ["cat/a.png", "dog/b.png"]


@pytest.mark.parametrize(
    "bad", ["../up.png", "cat/../../up.png", "/root.png", "cat\\up.png", "C:/up.png", "a/..\\b.txt"]
)
def test_names_that_point_outside_are_refused(make_zip, bad):
    with pytest.raises(DataError, match="no plain relative path; write the archive again") as e:
        open_dataset(make_zip(["cat/a.png", bad]))
    assert repr(bad) in str(e.value)
    assert "set.zip" in str(e.value)


def test_a_nul_in_a_name_is_refused(make_zip):
    path = make_zip(["cat/a.png", "cat/b.pngX.png"])
    path.write_bytes(path.read_bytes().replace(b"b.pngX.png", b"b.png\0.png"))
    with pytest.raises(DataError, match=r"b\.png\\x00\.png.* no plain relative path"):
        open_dataset(path)


def test_the_same_name_twice_is_refused(make_zip):
    with pytest.raises(DataError, match=r"cat/a\.png' in .*set\.zip is there twice"):
        open_dataset(make_zip(["cat/a.png", "./cat/a.png", "dog/b.png"]))


def _patch_directory(path, offset: int, value: bytes) -> None:
    """Overwrite a field of the first record of the central directory."""
    data = bytearray(path.read_bytes())
    start = data.index(b"PK\x01\x02") + offset
    data[start : start + len(value)] = value
    path.write_bytes(data)


def test_encrypted_entries_are_refused(make_zip):
    path = make_zip(["cat/a.png", "dog/b.png"])
    _patch_directory(path, 8, struct.pack("<H", 1))
    with pytest.raises(DataError, match=r"cat/a\.png' in .* is encrypted; .* without a password"):
        open_dataset(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compression_is_refused(make_zip, method):
    path = make_zip(["cat/a.png", "dog/b.png"], compression=method)
    with pytest.raises(DataError, match=rf"cat/a\.png' in .* zip method {method}; .* deflate"):
        open_dataset(path)


def test_an_entry_larger_than_the_limit_is_refused_by_its_header(make_zip, monkeypatch, png):
    monkeypatch.setattr(archive, "MAX_IMAGE_FILE_BYTES", 1000)
    path = make_zip(
        {"cat/a.png": png(), "dog/big.png": bytes(1001)}, compression=zipfile.ZIP_DEFLATED
    )
    with pytest.raises(DataError, match=r"dog/big\.png' in .* is larger than the 1000 bytes"):
        open_dataset(path)


def test_an_entry_larger_than_the_limit_is_refused_while_reading(make_zip, monkeypatch, png):
    path = make_zip({"cat/a.png": png(), "dog/big.png": bytes(5000)})
    dataset = open_dataset(path)
    monkeypatch.setattr(archive, "MAX_IMAGE_FILE_BYTES", 1000)
    assert dataset[0].values.shape == (2, 3, 3)
    with pytest.raises(DataError, match=r"dog/big\.png' in .* is larger than the 1000 bytes"):
        dataset[1]


def test_a_size_that_lies_is_a_data_error(make_zip):
    path = make_zip({"cat/a.png": bytes(10**6)}, compression=zipfile.ZIP_DEFLATED)
    _patch_directory(path, 24, struct.pack("<I", 100))
    dataset = open_dataset(path, classes=["cat"])
    with pytest.raises(DataError, match=r"cat/a\.png' in .*set\.zip cannot be read .*Bad CRC"):
        dataset[0]


def test_damaged_content_is_a_data_error(make_zip, png):
    path = make_zip({"cat/a.png": png(), "dog/b.png": png(5)})
    data = bytearray(path.read_bytes())
    data[data.index(b"\x89PNG") + 20] ^= 0xFF
    path.write_bytes(data)
    dataset = open_dataset(path)
    with pytest.raises(DataError, match=r"cat/a\.png' in .*set\.zip cannot be read"):
        dataset[0]
    assert dataset[1].label == 1


def test_an_archive_that_vanished_is_a_data_error(make_zip):
    path = make_zip(["a/1.png", "b/2.png"])
    dataset = open_dataset(path)
    path.unlink()
    for read in (dataset.shape, dataset.__getitem__):
        with pytest.raises(DataError, match=r"a/1\.png' in .*set\.zip cannot be read"):
            read(0)


def test_broken_images_are_named_by_shape_and_by_reading(make_zip):
    dataset = open_dataset(make_zip({"a/1.png": b"junk", "b/2.png": b""}))
    for read in (dataset.shape, dataset.__getitem__):
        for index, entry in enumerate(["a/1.png", "b/2.png"]):
            with pytest.raises(
                DataError, match=f"{entry}' in .*set.zip cannot be read as an image"
            ):
                read(index)


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


def test_no_image_at_all_says_what_is_there(make_zip):
    with pytest.raises(DataError, match=r"set\.zip holds neither images nor .*'a/data\.pkl'"):
        open_dataset(make_zip({"a/data.pkl": b"x"}))
    with pytest.raises(DataError, match=r"holds neither images nor .*\(it holds: nothing\)"):
        open_dataset(make_zip([]))
    with pytest.raises(DataError, match=r"the archive .* holds no image"):
        open_dataset(make_zip(["__MACOSX/._a.png"]))


def test_files_that_are_not_read_are_named_as_in_a_folder(make_tree, make_zip, png):
    files = {"cat/a.png": png(), "cat/b.heic": b"x", "dog/c.png": png(), "README": b"x"}
    files |= {"cat/@eaDir/a/S.jpg": b"x", "cat/@eaDir/b/S.jpg": b"x", "Thumbs.db": b"x"}
    folder = open_dataset(make_tree(files)).reading
    assert open_dataset(make_zip(files)).reading == folder
    assert (folder.left_out, folder.hidden) == (
        ("README", "cat/b.heic"),
        ("Thumbs.db", "cat/@eaDir"),
    )
    wrapped = {f"test/{name}": data for name, data in files.items()}
    assert open_dataset(make_zip(wrapped)).reading == folder
    beside = {"t/0/a.png": png(), "t/1/c.png": png(), "docs/a.txt": b"x"}
    assert open_dataset(make_zip(beside)).labels == (0, 1)
    assert open_dataset(make_zip(beside)).reading.left_out == ("docs/a.txt",)
    gone = {"t/0/a.png": png(), "t/1/b.heic": b"x", "t/2/c.png": png()}
    with pytest.raises(DataError, match=r"'1'.*1/b\.heic"):
        open_dataset(make_zip(gone))


def test_a_folder_in_decomposed_form_meets_a_composed_name(make_zip):
    """As archives from macOS have it."""
    path = make_zip(["cafe\u0301/a.png", "tea/b.png"])
    assert open_dataset(path, classes=["tea", "caf\u00e9"]).labels == (0, 1)
