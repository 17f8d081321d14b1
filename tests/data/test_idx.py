"""MNIST's format: header, labels beside, gzip; any damage is a DataError and nothing else."""

from __future__ import annotations

import gzip
import pickle
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsonnx.data import Dataset, open_dataset
from rsonnx.errors import DataError

PIXELS = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
IMAGES = struct.pack(">IIII", 0x803, 3, 4, 5) + PIXELS.tobytes()
LABELS = struct.pack(">II", 0x801, 3) + bytes([7, 0, 255])


@pytest.fixture
def write(tmp_path: Path):
    def write_files(**files: bytes) -> Path:
        names = {"images": "t10k-images-idx3-ubyte", "labels": "t10k-labels-idx1-ubyte"}
        for key, data in files.items():
            name = names[key.removesuffix("_gz")] + (".gz" if key.endswith("_gz") else "")
            (tmp_path / name).write_bytes(gzip.compress(data) if key.endswith("_gz") else data)
        return tmp_path / (names["images"] + (".gz" if "images_gz" in files else ""))

    return write_files


@pytest.mark.parametrize("images", ["images", "images_gz"])
@pytest.mark.parametrize("labels", ["labels", "labels_gz"])
def test_images_with_labels_beside_them(write, images, labels):
    dataset = open_dataset(write(**{images: IMAGES, labels: LABELS}))
    assert isinstance(dataset, Dataset)
    assert (dataset.kind, len(dataset), dataset.labels) == ("idx", 3, (7, 0, 255))
    suffix = ".gz" if labels == "labels_gz" else ""
    assert dataset.label_rule == f"label file t10k-labels-idx1-ubyte{suffix}"
    assert dataset.class_names is None
    example = dataset[1]
    assert (example.name, example.label, dataset.name(1)) == ("1", 0, "1")
    assert example.values.dtype == np.uint8
    assert np.array_equal(example.values, PIXELS[1][:, :, None])
    assert dataset.shape(1) == (4, 5, 1)
    assert not example.values.flags.writeable


@pytest.mark.parametrize(("images", "taken"), [("images", ""), ("images_gz", ".gz")])
def test_of_two_labels_files_the_one_packed_alike_is_read(write, images, taken):
    dataset = open_dataset(write(**{images: IMAGES}, labels=LABELS, labels_gz=LABELS))
    assert dataset.label_rule == f"label file t10k-labels-idx1-ubyte{taken}"


def test_without_labels_it_is_unlabelled(write):
    dataset = open_dataset(write(images=IMAGES), classes=["a"])
    assert (dataset.labels, dataset.label_rule, dataset[2].label) == (None, "none", None)
    assert dataset.class_names == ("a",)


def test_a_folder_that_cannot_be_searched_for_labels_is_named(write, monkeypatch):
    path = write(images=IMAGES)

    def denied(folder: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", denied)
    with pytest.raises(
        DataError, match=r"idx3-ubyte cannot be searched for its labels file \(Perm"
    ):
        open_dataset(path)


def test_dots_in_the_name_and_names_without_a_partner(tmp_path):
    (tmp_path / "Train-Images.idx3-ubyte").write_bytes(IMAGES)
    (tmp_path / "Train-Labels.idx1-ubyte").write_bytes(LABELS)
    dataset = open_dataset(tmp_path / "Train-Images.idx3-ubyte")
    assert dataset.label_rule == "label file Train-Labels.idx1-ubyte"
    (tmp_path / "pixels").write_bytes(IMAGES)
    assert open_dataset(tmp_path / "pixels").labels is None


def test_a_directory_with_one_images_file(write):
    path = write(images_gz=IMAGES, labels=LABELS)
    dataset = open_dataset(path.parent)
    assert (dataset.kind, dataset.path, dataset.labels) == ("idx", path, (7, 0, 255))


def test_a_directory_with_several_images_files_lists_them(write):
    path = write(images_gz=IMAGES)
    (path.parent / "train-images-idx3-ubyte").write_bytes(IMAGES)
    with pytest.raises(DataError, match=r"holds several idx files .*name one") as e:
        open_dataset(path.parent)
    assert "(t10k-images-idx3-ubyte.gz, train-images-idx3-ubyte)" in str(e.value)


def test_a_directory_with_idx_and_images_is_refused(write, png):
    path = write(images=IMAGES)
    (path.parent / "a.png").write_bytes(png())
    with pytest.raises(DataError, match=r"both images \('a\.png'\) and an idx file .*name the idx"):
        open_dataset(path.parent)


def test_indices_outside_raise_index_error(write):
    dataset = open_dataset(write(images=IMAGES))
    for index in (-1, 3):
        for read in (dataset.name, dataset.shape, dataset.__getitem__):
            with pytest.raises(IndexError, match=r"outside 0\.\.2"):
                read(index)
    assert [example.name for example in dataset] == ["0", "1", "2"]


def test_a_pickled_copy_reads_the_same(write):
    dataset = open_dataset(write(images=IMAGES, labels=LABELS))
    copy = pickle.loads(pickle.dumps(dataset))  # noqa: S301 - our own bytes
    assert np.array_equal(copy[2].values, dataset[2].values)
    assert copy.labels == (7, 0, 255)


@pytest.mark.parametrize("form", ["images", "images_gz"])
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "begins with nothing, not with the magic number 00 00 08 03"),
        (b"\0\0\x08", "begins with 00 00 08, not with"),
        (b"\0\0\x0d\x03" + IMAGES[4:], "begins with 00 00 0d 03, not with .* name an idx file"),
        (LABELS, "begins with 00 00 08 01, not with"),
        (IMAGES[:12], "ends inside its header; fetch it again"),
        (IMAGES[:-1], r"announces 60 bytes \(shape \(3, 4, 5\)\), but holds only 59"),
        (IMAGES + b"\0", r"announces 60 bytes .* but holds more; fetch it again"),
        (struct.pack(">IIII", 0x803, 0, 28, 28), r"holds no pixel \(shape \(0, 28, 28\)\)"),
        (struct.pack(">IIII", 0x803, 2**31, 28, 28), "more than the 17179869184 that are read"),
        (struct.pack(">IIII", 0x803, 10**6, 28, 28), r"but the \d+ compressed bytes present"),
    ],
)
def test_damage_is_named(write, form, data, message):
    path = write(**{form: data})
    with pytest.raises(DataError, match=message) as e:
        open_dataset(path)
    assert str(path) in str(e.value)


def test_a_gzip_that_unpacks_to_more_than_announced_is_stopped(write):
    path = write(images_gz=IMAGES + bytes(50_000_000))
    with pytest.raises(DataError, match=r"announces 60 bytes .* but holds more"):
        open_dataset(path)


def test_broken_gzip_is_a_data_error(write):
    path = write(images_gz=IMAGES)
    whole = path.read_bytes()
    for damaged in (whole[:-9], whole[:20], whole[:-8] + bytes(8)):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"idx3-ubyte\.gz cannot be read .*fetch it again"):
            open_dataset(path)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (struct.pack(">II", 0x801, 2) + bytes(2), "has 2 labels, but .* has 3 images; put the"),
        (IMAGES, "labels file .* begins with 00 00 08 03, not with the magic number 00 00 08 01"),
        (LABELS[:-1], "labels file .* but holds only 2"),
        (LABELS + b"\0", "labels file .* but holds more"),
    ],
)
def test_labels_that_do_not_belong_are_refused(write, labels, message):
    with pytest.raises(DataError, match=message) as e:
        open_dataset(write(images=IMAGES, labels_gz=labels))
    assert "t10k-labels-idx1-ubyte.gz" in str(e.value)


@given(
    packed=st.booleans(),
    changes=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=4),
    cut=st.integers(0, 80),
    tail=st.binary(max_size=4),
)
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_images_or_a_data_error(packed, changes, cut, tail):
    data = bytearray(gzip.compress(IMAGES, mtime=0) if packed else IMAGES)
    for at, byte in changes:
        data[at % len(data)] = byte
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "t10k-images-idx3-ubyte")
        path.write_bytes(data[: len(data) - cut] + tail)
        try:
            dataset = open_dataset(path)
        except DataError as error:
            assert path.name in str(error)  # noqa: PT017 - either outcome is right
        else:
            shapes = {dataset[i].values.shape for i in range(len(dataset))}
            assert shapes == {dataset.shape(0)}
            assert len(dataset) * int(np.prod(dataset.shape(0))) >= 1
