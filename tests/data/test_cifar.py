"""CIFAR-10 and CIFAR-100 in every published form, and what is none of them."""

from __future__ import annotations

import pickle
import tarfile
from typing import Any

import numpy as np
import pytest

from rsonnx.data import arrange, open_dataset
from rsonnx.data.forms import cifar
from rsonnx.errors import UsageError

FORMS = ("cifar-10-binary", "cifar-10-python", "cifar-100-binary", "cifar-100-python")
NAMES = {10: [f"name_{k}" for k in range(10)], 100: [f"name_{k}" for k in range(100)]}


def batch(form: str, seed: int, count: int = 3) -> tuple[bytes, np.ndarray, list[int]]:
    """A batch as its publisher writes it, with its pictures (N, 3, 32, 32) and labels."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (count, 3072), np.uint8)
    labels = rng.integers(0, 100 if "100" in form else 10, count).tolist()
    heads = [[7, label] if "100" in form else [label] for label in labels]
    fields = {"data": pixels, "fine_labels" if "100" in form else "labels": labels}
    data = (
        np.hstack([np.array(heads, np.uint8), pixels]).tobytes()
        if form.endswith("binary")
        else pickle.dumps(fields | {"filenames": ["a.png"] * count}, protocol=2)
    )
    return data, pixels.reshape(-1, 3, 32, 32), labels


def files_of(form: str) -> dict[str, bytes]:
    """The files of a form, with two training batches where it has several."""
    end = ".bin" if form.endswith("binary") else ""
    train = ["data_batch_1", "data_batch_2"] if "-10-" in form else ["train"]
    test = "test_batch" if "-10-" in form else "test"
    files = {f"{name}{end}": batch(form, seed)[0] for seed, name in enumerate([test, *train])}
    names = NAMES[10 if "-10-" in form else 100]
    if form.endswith("python"):
        key = "label_names" if "-10-" in form else "fine_label_names"
        meta = {key: names, "num_vis": 3072}
        return files | {"batches.meta" if "-10-" in form else "meta": pickle.dumps(meta)}
    listed = "batches.meta.txt" if "-10-" in form else "fine_label_names.txt"
    return files | {listed: "\n".join([*names, "", ""]).encode()}


def packed(files: dict[str, bytes], folder: str = "cifar-10-batches-bin") -> dict[str, bytes]:
    """The files in the folder that a published archive has."""
    return {f"{folder}/{name}": data for name, data in files.items()}


@pytest.fixture(params=["folder", "tar.gz", "tar"])
def opened(request, make_tree, make_tar):
    def of(form: str, files: dict[str, bytes] | None = None, **settings: Any):
        files = files_of(form) if files is None else files
        if request.param == "folder":
            return open_dataset(make_tree(files, root="-".join(files)), **settings)
        mode = "w:gz" if request.param == "tar.gz" else "w"
        return open_dataset(make_tar(packed(files, form), "any", mode), **settings)

    return of


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_pictures_and_labels_of_the_split_that_is_meant(opened, form):
    for split, seeds in (("test", [0]), ("train", [1, 2] if "-10-" in form else [1])):
        dataset = opened(form, split=split)
        batches = [batch(form, seed) for seed in seeds]
        assert dataset.kind == form
        assert dataset.labels == tuple(label for _, _, labels in batches for label in labels)
        assert dataset.class_names == tuple(NAMES[100 if "100" in form else 10])
        pictures = np.concatenate([pixels for _, pixels, _ in batches])
        assert len(dataset) == len(pictures)
        for at, picture in enumerate(pictures):
            assert dataset.name(at) == str(at)
            assert dataset[at].values.shape == dataset.shape(at) == (32, 32, 3)
            assert np.array_equal(arrange(dataset[at].values, (3, 32, 32), "NCHW"), picture)


@pytest.mark.parametrize("form", FORMS)
def test_the_split_is_asked_for(opened, form, refused):
    with refused("test", "train", "--split", error=UsageError):
        opened(form)
    with refused("'validation'", "test", "train", error=UsageError):
        opened(form, split="validation")
    only = {name: data for name, data in files_of(form).items() if "test" in name}
    assert opened(form, only).labels == tuple(batch(form, 0)[2])


@pytest.mark.parametrize("form", FORMS)
def test_one_batch_by_itself(make_tree, form):
    folder = make_tree(files_of(form))
    name = next(name for name in files_of(form) if "test" in name)
    dataset = open_dataset(folder / name)
    assert (dataset.labels, dataset.kind) == (tuple(batch(form, 0)[2]), form)
    assert dataset.class_names is not None


def test_given_names_meet_those_of_the_classes(opened, refused):
    backwards = NAMES[10][::-1]
    dataset = opened("cifar-10-binary", split="test", classes=backwards)
    own = opened("cifar-10-binary", split="test")
    assert [dataset.class_names[k] for k in dataset.labels] == [
        own.class_names[k] for k in own.labels
    ]
    renamed = opened("cifar-10-binary", split="test", classes=["plane", *NAMES[10][1:]])
    assert (renamed.labels, renamed.class_names[0]) == (own.labels, "plane")
    with refused("'name_2'", "'name_0'"):
        opened("cifar-10-binary", split="test", classes=["0", "name_2", *map(str, range(2, 10))])


@pytest.mark.parametrize(
    "files",
    [
        {"test_batch.bin": b""},
        {"test_batch.bin": bytes(3072)},
        {"test_batch.bin": bytes([10]) + bytes(3072)},
        {"test.bin": bytes([0, 100]) + bytes(3072)},
        {"test_batch": pickle.dumps({"data": np.zeros((1, 3072), np.uint8), "labels": [-1]})},
        {"test_batch": pickle.dumps({"data": np.zeros((1, 3072), np.uint8), "labels": [0, 1]})},
        {"test_batch": pickle.dumps({"data": np.zeros((1, 3072), np.uint8), "labels": [[0]]})},
        {"test_batch": pickle.dumps({"data": np.zeros((1, 3072), np.int8), "labels": [0]})},
        {"test_batch": pickle.dumps({"data": np.zeros((1, 3071), np.uint8), "labels": [0]})},
        {"test_batch": pickle.dumps({"labels": [0]})},
        {"test_batch": pickle.dumps([1])},
        {"test_batch.bin": bytes(3073), "test": pickle.dumps({})},
        {"test_batch.bin": bytes(3073), "batches.meta.txt": b"one\ntwo\n"},
    ],
)
def test_what_is_no_batch_is_refused(opened, files, refused):
    with refused():
        opened("cifar-10", files)


def test_a_file_that_is_only_named_like_a_batch_is_none(make_tree, refused):
    folder = make_tree({"test": b"some text", "train": b"more text"})
    with refused("test"):
        open_dataset(folder)
    with refused():
        open_dataset(folder / "test")


def test_an_archive_may_not_unpack_to_more_than_a_published_one(make_tar, monkeypatch, refused):
    files = {"test_batch.bin": bytes(2**20)}
    path = make_tar(packed(files), "set.tar.gz", "w:gz")
    monkeypatch.setattr(cifar, "_MOST_BYTES", 2**19)
    with refused(path):
        open_dataset(path)


def test_a_broken_archive_is_refused(make_tar, refused):
    path = make_tar(packed(files_of("cifar-10-binary")), "set.tar.gz", "w:gz")
    path.write_bytes(path.read_bytes()[:-1000])
    with refused(path):
        open_dataset(path, split="test")


def test_a_split_of_data_that_have_none_is_refused(make_tree, refused):
    with refused("split", error=UsageError):
        open_dataset(make_tree(["a.png"]), split="test")


def test_links_and_devices_in_an_archive_are_no_files(tmp_path, refused):
    path = tmp_path / "set.tar"
    with tarfile.open(path, "w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo("cifar-10-batches-bin/test_batch.bin")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    with refused(path):
        open_dataset(path)
