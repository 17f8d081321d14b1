"""MNIST's format: header, labels beside, gzip; any damage is a DataError and nothing else."""

from __future__ import annotations

import gzip
import os
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsonnx.data import open_dataset
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
    assert (dataset.kind, dataset.labels) == ("idx", (7, 0, 255))
    suffix = ".gz" if labels == "labels_gz" else ""
    assert dataset.label_rule == f"label file t10k-labels-idx1-ubyte{suffix}"
    assert np.array_equal(dataset[1].values, PIXELS[1][:, :, None])


@pytest.mark.parametrize(("images", "taken"), [("images", ""), ("images_gz", ".gz")])
def test_of_two_labels_files_the_one_packed_alike_is_read(write, images, taken):
    dataset = open_dataset(write(**{images: IMAGES}, labels=LABELS, labels_gz=LABELS))
    assert dataset.label_rule == f"label file t10k-labels-idx1-ubyte{taken}"


def test_a_folder_that_cannot_be_searched_for_labels_is_named(write, monkeypatch, refused):
    path = write(images=IMAGES)

    def denied(folder: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", denied)
    with refused(path, "Permission denied"):
        open_dataset(path)


def test_dots_in_the_name_and_names_without_a_partner(tmp_path):
    (tmp_path / "Train-Images.idx3-ubyte").write_bytes(IMAGES)
    (tmp_path / "Train-Labels.idx1-ubyte").write_bytes(LABELS)
    dataset = open_dataset(tmp_path / "Train-Images.idx3-ubyte")
    assert dataset.label_rule == "label file Train-Labels.idx1-ubyte"
    (tmp_path / "pixels").write_bytes(IMAGES)
    assert open_dataset(tmp_path / "pixels").labels is None


def test_a_directory_holds_one_images_file_and_no_image(write, png, refused):
    path = write(images_gz=IMAGES, labels=LABELS)
    dataset = open_dataset(path.parent)
    assert (dataset.kind, dataset.path, dataset.labels) == ("idx", path, (7, 0, 255))
    (path.parent / "train-images-idx3-ubyte").write_bytes(IMAGES)
    with refused("t10k-images-idx3-ubyte.gz, train-images-idx3-ubyte"):
        open_dataset(path.parent)
    (path.parent / "a.png").write_bytes(png())
    with refused("'a.png'", "idx"):
        open_dataset(path.parent)


def _of(count: int, magic: int = 0x803) -> bytes:
    return struct.pack(">IIII", magic, count, 28, 28)


@pytest.mark.parametrize("form", ["images", "images_gz"])
@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"", "nothing"),
        (b"\0\0\x08", "00 00 08"),
        (_of(3, 0xD03), "00 00 0d 03"),
        (LABELS, "00 00 08 01"),
        (IMAGES[:12], "header"),
        (IMAGES[:-1], "only 59"),
        (IMAGES + b"\0", "60 bytes"),
        (IMAGES + bytes(50_000_000), "60 bytes"),
        (_of(0), "(0, 28, 28)"),
        (_of(2**31), 2**34),
        (_of(10**6), 784 * 10**6),
    ],
)
def test_damage_is_named(write, form, data, named, refused):
    path = write(**{form: data})
    with refused(path, named):
        open_dataset(path)


def test_broken_gzip_is_a_data_error(write, refused):
    path = write(images_gz=IMAGES)
    whole = path.read_bytes()
    for damaged in (whole[:-9], whole[:20], whole[:-8] + bytes(8)):
        path.write_bytes(damaged)
        with refused(path, "cannot be read"):
            open_dataset(path)


@pytest.mark.parametrize(
    ("labels", "named"),
    [
        (struct.pack(">II", 0x801, 2) + bytes(2), "2 labels"),
        (IMAGES, "00 00 08 03"),
        (LABELS[:-1], "only 2"),
        (LABELS + b"\0", "3 bytes"),
    ],
)
def test_labels_that_do_not_belong_are_refused(write, labels, named, refused):
    with refused("t10k-labels-idx1-ubyte.gz", named):
        open_dataset(write(images=IMAGES, labels_gz=labels))


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


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
@pytest.mark.parametrize("pipe", ["images", "labels"])
def test_a_pipe_is_neither_images_nor_labels(write, pipe, refused):
    path = write(images=IMAGES, labels=LABELS)
    name = path.parent / {"images": path.name, "labels": "t10k-labels-idx1-ubyte"}[pipe]
    name.unlink()
    os.mkfifo(name)
    with refused(name):
        open_dataset(path.parent)
