"""Hugging Face data sets: pictures and labels in Parquet, as `datasets` writes them."""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rsonnx.data import open_dataset
from rsonnx.errors import DataError, UsageError

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

IMAGE = {"_type": "Image"}
CLASSES = {"names": ["cat", "dog", "owl"], "_type": "ClassLabel"}


@pytest.fixture
def save(tmp_path: Path):
    def write(
        columns: dict[str, Any],
        name: str = "set/data/test-00000-of-00001.parquet",
        features: dict[str, Any] | None = None,
        **options: Any,
    ) -> Path:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        note = {"huggingface": json.dumps({"info": {"features": features or {}}})}
        pq.write_table(pa.table(columns).replace_schema_metadata(note), file, **options)
        return tmp_path / "set"

    return write


@pytest.fixture
def pictures(png):
    return lambda *levels: [{"bytes": png(level), "path": f"{level}.png"} for level in levels]


def test_pictures_and_labels_across_files_and_row_groups(save, pictures):
    for at, levels in enumerate([(1, 2, 3), (4,), (5, 6)]):
        columns = {"image": pictures(*levels), "label": [level % 3 for level in levels]}
        name = f"set/data/test-0000{at}-of-00003.parquet"
        path = save(columns, name, {"image": IMAGE, "label": CLASSES}, row_group_size=2)
    dataset = open_dataset(path)
    assert (dataset.kind, len(dataset)) == ("image-parquet", 6)
    assert (dataset.labels, dataset.class_names) == ((1, 2, 0, 1, 2, 0), ("cat", "dog", "owl"))
    assert "label" in dataset.label_rule
    for data in (dataset, pickle.loads(pickle.dumps(dataset))):  # noqa: S301 - our own bytes
        for at in (3, 0, 5, 2, 4, 1, 1):
            assert data.name(at) == str(at)
            assert data.shape(at) == (2, 3, 3)
            assert np.unique(data[at].values) == [at + 1]


def test_plain_bytes_are_pictures_under_their_usual_names_alone(save, png, refused):
    assert len(open_dataset(save({"img": [png(1)]}))) == 1
    with refused("set"):
        open_dataset(save({"digest": [b"12"]}))


@pytest.mark.parametrize(
    "names",
    [
        ["data/train-00000-of-00001.parquet", "data/test-00000-of-00001-0123456789abcdef.parquet"],
        ["default/train/0000.parquet", "default/test/0000.parquet"],
        ["train.parquet", "test.parquet"],
        ["a/test-00000-of-00001.parquet", "b/test-00000-of-00001.parquet"],
    ],
)
def test_the_split_is_asked_for(save, pictures, refused, names):
    for level, name in enumerate(names):
        path = save({"image": pictures(level)}, f"set/{name}")
    with refused("--split", error=UsageError) as _:
        open_dataset(path)
    last = "b/test" if "/test" in names[0] else "test"
    assert np.unique(open_dataset(path, split=last)[0].values) == [1]
    assert len(open_dataset(path / names[0])) == 1


def test_a_split_of_which_a_file_is_missing_is_refused(save, pictures, refused):
    path = save({"image": pictures(1)}, "set/test-00001-of-00002.parquet")
    with refused("test-00001-of-00002.parquet", "2"):
        open_dataset(path)
    assert len(open_dataset(path / "test-00001-of-00002.parquet")) == 1


def test_the_column_of_labels_is_asked_for_where_several_may_be_meant(save, pictures, refused):
    columns = {"img": pictures(1, 2), "fine_label": [2, 0], "coarse_label": [0, 1]}
    path = save(columns, features={"fine_label": CLASSES, "coarse_label": CLASSES})
    with refused("fine_label", "coarse_label", "--label-column", error=UsageError):
        open_dataset(path)
    assert open_dataset(path, label_column="fine_label").labels == (2, 0)
    assert open_dataset(path, label_column="none").labels is None
    with refused("'label'", error=UsageError):
        open_dataset(path, label_column="label")


def test_given_names_meet_those_of_the_labels(save, pictures):
    path = save({"image": pictures(1, 2), "label": [0, 2]}, features={"label": CLASSES})
    dataset = open_dataset(path, classes=["owl", "cow", "dog", "cat"])
    assert dataset.labels == (3, 0)
    assert open_dataset(path, classes=["a", "b", "c"]).labels == (0, 2)


@pytest.mark.parametrize("given", [["Owl", "COW", "dog", "Cat "], ["OWL", "cow", "Dog", "cat"]])
def test_given_names_in_another_case_are_the_same_names(save, pictures, given):
    """Else they would rename classes that stand in other places."""
    path = save({"image": pictures(1, 2), "label": [0, 2]}, features={"label": CLASSES})
    assert open_dataset(path, classes=given).labels == (3, 0)


def test_given_names_that_some_labels_lack_are_refused_in_any_case(save, pictures, refused):
    path = save({"image": pictures(1, 2), "label": [0, 2]}, features={"label": CLASSES})
    with refused("class"):
        open_dataset(path, classes=["Owl", "bee", "Cat"])


def test_labels_that_are_texts_are_names(save, pictures):
    dataset = open_dataset(save({"image": pictures(1, 2, 3), "label": ["owl", "cat", "owl"]}))
    assert (dataset.labels, dataset.class_names) == ((1, 0, 1), ("cat", "owl"))


def test_labels_that_are_texts_of_numbers_are_numbers(save, pictures):
    dataset = open_dataset(save({"image": pictures(1, 2, 3), "label": ["2", "0", "10"]}))
    assert (dataset.labels, dataset.class_names) == ((2, 0, 10), None)


@pytest.mark.parametrize("label", [-1, 3, None])
def test_a_label_of_no_class_is_refused(save, pictures, refused, label):
    columns = {"image": pictures(1, 2), "label": pa.array([0, label], "int64")}
    with refused("row 1", "'label'"):
        open_dataset(save(columns, features={"label": CLASSES}))


def test_no_bytes_no_picture(save, png, refused):
    elsewhere = {"bytes": None, "path": "/etc/passwd"}
    broken = {"bytes": b"no picture", "path": "x.png"}
    rows = [{"bytes": png(1), "path": None}, None, elsewhere, broken]
    dataset = open_dataset(save({"image": rows}))
    assert np.unique(dataset[0].values) == [1]
    for at in (1, 2, 3):
        with refused(str(at)):
            dataset[at]


def test_several_columns_of_pictures(save, pictures, refused):
    columns = {"mask": pictures(1), "image": pictures(2)}
    assert np.unique(open_dataset(save(columns))[0].values) == [2]
    with refused("left", "right"):
        open_dataset(save({"left": pictures(1), "right": pictures(2)}))


def test_a_broken_file_is_refused(save, pictures, refused):
    path = save({"image": pictures(1, 2), "label": [0, 1]}) / "data/test-00000-of-00001.parquet"
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for cut in (5, 100, len(whole) // 2, len(whole) - 9):
        path.write_bytes(whole[:cut] + whole[-8:])
        with refused(path.name):
            open_dataset(path)
    for _ in range(40):
        damaged = bytearray(whole)
        for at in rng.integers(4, len(whole), 5):
            damaged[at] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            dataset = open_dataset(path)
            [dataset[at] for at in range(len(dataset))]
        except (DataError, UsageError) as error:
            assert str(error).isprintable()  # noqa: PT017 - either is right


def test_a_picture_that_is_there_once_is_held_once(save, pictures):
    """A dictionary has 8 MiB of it, and a column of a small file has 65,536 of it, 512 GiB."""
    picture = pictures(1)[0]["bytes"] + bytes(2**23)
    indices = pa.array(np.zeros(2**16, np.int32))
    column = pa.DictionaryArray.from_arrays(indices, pa.array([picture]))
    path = save({"image": column}, store_schema=False)
    assert sum(file.stat().st_size for file in path.rglob("*.parquet")) < 2**25
    dataset = open_dataset(path)
    assert [np.unique(dataset[at].values).tolist() for at in (0, 2**16 - 1)] == [[1], [1]]
    assert dataset.kept.pictures[1].nbytes < 2**25


def test_without_pyarrow_the_sentence_names_the_extra(save, pictures, monkeypatch, refused):
    path = save({"image": pictures(1)})
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with refused("pyarrow", "rsonnx[", error=UsageError):
        open_dataset(path)


def test_any_index_beyond_what_is_written_once_is_refused(save, pictures):
    """Arrow reads indices unchecked, and a negative one would be another's label."""
    folder = save({"image": pictures(1, 2, 3), "label": ["owl", "cat", "owl"]})
    (path,) = folder.rglob("*.parquet")
    parts, whole = pq.ParquetFile(path).metadata.row_group(0), path.read_bytes()
    columns = [parts.column(at) for at in range(parts.num_columns)]
    for column in columns:
        end = column.dictionary_page_offset + column.total_compressed_size
        for at in range(end - 6, end):
            path.write_bytes(whole[:at] + b"\xff" + whole[at + 1 :])
            try:
                dataset = open_dataset(path)
                for index in range(len(dataset)):
                    dataset[index]
            except DataError as error:
                assert str(error).isprintable()  # noqa: PT017 - either outcome is right
