"""WebDataset's tar archives: pictures and labels by name, read where they lie."""

from __future__ import annotations

import gzip
import io
import pickle
import tarfile

import numpy as np
import pytest

from rsonnx.data import open_dataset
from rsonnx.errors import DataError, UsageError


@pytest.fixture
def levels(png):
    return {str(level): png(level) for level in range(1, 4)}


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
@pytest.mark.parametrize(
    ("notes", "rule"),
    [
        ({"1.cls": b"2", "2.cls": b"0\n", "3.cls": b"1"}, "cls"),
        ({"1.json": b'{"label": 2}', "2.json": b'{"label": 0}', "3.json": b'{"label": "1"}'},
         "label"),
    ],
)  # fmt: skip
def test_pictures_and_labels_by_name(make_tar, levels, form, notes, rule):
    files = {f"{key}.PNG": data for key, data in levels.items()} | notes
    dataset = open_dataset(make_tar({**files, "1.txt": b"a caption"}, format=form))
    assert (dataset.kind, dataset.labels, dataset.label_rule) == (
        "image-tar",
        (2, 0, 1),
        f"{rule!r} of each",
    )
    assert dataset.reading.left_out == ("1.txt",)
    for data in (dataset, pickle.loads(pickle.dumps(dataset))):  # noqa: S301 - our own bytes
        for at in (2, 0, 1):
            assert data.name(at) == f"{at + 1}.PNG"
            assert data.shape(at) == (2, 3, 3)
            assert np.unique(data[at].values) == [at + 1]


def test_names_of_classes_folders_and_long_names(make_tar, levels):
    long = "folder/" * 30 + "x" * 120
    files = {f"./{long}{key}.png": data for key, data in levels.items()}
    names = {f"./{long}{key}.cls": b"owl" if key == "2" else b"cat" for key in levels}
    dataset = open_dataset(make_tar(files | names))
    assert (dataset.labels, dataset.class_names) == ((0, 1, 0), ("cat", "owl"))
    assert dataset.name(0) == f"{long}1.png"


def test_shards_of_a_split(make_tar, levels, refused):
    for at, (key, data) in enumerate(levels.items()):
        files = {f"{key}.png": data, f"{key}.cls": key.encode()}
        make_tar(files, f"set/{'train' if at else 'val'}-00000{at}.tar")
    path = make_tar({}, "set/notes.txt").parent
    with refused("train", "val", "--split", error=UsageError):
        open_dataset(path)
    dataset = open_dataset(path, split="train")
    assert dataset.labels == (2, 3)
    assert [dataset.name(at) for at in (0, 1)] == [
        "train-000001.tar/2.png",
        "train-000002.tar/3.png",
    ]
    with refused("'val'", error=UsageError):
        open_dataset(path / "train-000001.tar", split="val")


def test_pictures_without_labels(make_tar, levels, refused):
    flat = make_tar({f"{key}.png": data for key, data in levels.items()})
    assert open_dataset(flat).labels is None
    inside = make_tar({f"cat/{key}.png": data for key, data in levels.items()}, "inside.tar")
    with refused("folder", error=UsageError):
        open_dataset(inside)
    assert open_dataset(inside, label_column="none").labels is None
    (inside.parent / "labels.csv").write_text("cat/1.png,0\ncat/2.png,1\ncat/3.png,1\n")
    assert open_dataset(inside, labels=inside.parent / "labels.csv").labels == (0, 1, 1)


def test_another_key_may_be_the_label(make_tar, levels):
    notes = {f"{key}.json": b'{"label": 9, "fine": %s}' % key.encode() for key in levels}
    path = make_tar({f"{key}.png": data for key, data in levels.items()} | notes)
    assert open_dataset(path, label_column="fine").labels == (1, 2, 3)


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ({"1.cls": b"0"}, "2"),
        ({"1.cls": b"0", "2.cls": b"\xff"}, "2"),
        ({"1.cls": b"0", "2.cls": bytes(2**20 + 1)}, "2"),
        ({"1.json": b'{"label": 0}', "2.json": b"[0]"}, "2"),
        ({"1.json": b'{"label": 0}', "2.json": b"{"}, "2"),
        ({"1.json": b'{"label": 0}', "2.json": b"[" * 10**5}, "2"),
        ({"1.mask.png": b"x"}, "1"),
        ({"2.png": b"x"}, "2.png"),
    ],
)
def test_what_is_no_sample_is_refused(make_tar, png, refused, files, named):
    path = make_tar({"1.png": png(1), "2.PNG": png(2)} | files)
    with refused(path, named):
        open_dataset(path)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, b"S"])
def test_links_devices_and_sparse_files_are_refused(tmp_path, png, refused, kind):
    path = tmp_path / "set.tar"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        info = tarfile.TarInfo("1.png")
        info.size = len(png(1))
        archive.addfile(info, io.BytesIO(png(1)))
        other = tarfile.TarInfo("2.png")
        other.type, other.linkname = kind, "1.png"
        archive.addfile(other)
    with refused(path):
        open_dataset(path)


def test_a_broken_archive_is_refused(make_tar, levels, refused):
    path = make_tar({f"{key}.png": data * 100 for key, data in levels.items()})
    whole = path.read_bytes()
    for damaged in (whole[:3000], whole[:600] + b"x" * 600, whole[:512] + b"y" * 3000):
        path.write_bytes(damaged)
        with refused(path):
            dataset = open_dataset(path)
            [dataset[at] for at in range(len(dataset))]
    rng = np.random.default_rng(0)
    for _ in range(60):
        data = bytearray(whole)
        for at in rng.integers(0, 3000, 3):
            data[at] = rng.integers(256)
        path.write_bytes(data)
        try:
            dataset = open_dataset(path)
            [dataset[at] for at in range(len(dataset))]
        except (DataError, UsageError) as error:
            assert str(error).isprintable()  # noqa: PT017 - either is right


def test_a_gzipped_archive_names_what_unpacks_it(make_tar, levels, refused):
    path = make_tar({f"{key}.png": data for key, data in levels.items()})
    packed = path.with_name("set.tar.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    with refused(packed, "gunzip"):
        open_dataset(packed)
