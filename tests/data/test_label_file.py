"""Labels that a file has for a flat folder, an archive or rows."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rsonnx.data import GIVEN_NAMES, LABEL_NUMBERS, NAMED_LABELS, limits, open_dataset
from rsonnx.errors import DataError, UsageError

FILES = ["val/a b.png", "val/c.JPEG", "d.png"]


def labels_file(folder: Path, text: str, name: str = "labels.txt") -> Path:
    (folder / name).write_text(text, "utf-8")
    return folder / name


@pytest.mark.parametrize(
    "text",
    [
        "d.png 2\nval/a b.png 0\nval/c.JPEG 1\n",
        "path,label\nd.png,2\nc.JPEG,1\n./val/a b.png,0\n",
        '\ufeff"filename";"class"\r\n"d";"2"\r\n"val/a b";"0"\r\n"val/c";"1"\r\n',
        "d\t2.0\na b\t0.0\nc\t1.0\n",
        ",ImageId,width,label\n0,d,9,2\n1,a b,9,0\n2,c,9,1\n",
        "/data/set/d.png, 2\n\\data\\val\\c.JPEG, 1\nset/val/a b.png, 0\n",
        "picture,truth\nd.png,2\nc.JPEG,1\na b.png,0\n",
        "2\n0\n1\n",
        "label\n2\n0\n1",
    ],
)
def test_every_form_gives_each_input_its_label(make_images, tmp_path, text):
    dataset = open_dataset(make_images(FILES), labels=labels_file(tmp_path, text))
    assert [dataset.name(i) for i in range(3)] == ["d.png", "val/a b.png", "val/c.JPEG"]
    assert (dataset.labels, dataset.class_names) == ((2, 0, 1), None)
    assert (dataset.label_rule, dataset.reading.unused_labels) == (LABEL_NUMBERS, ())


def test_folders_are_no_classes_where_a_file_has_the_labels(make_images, tmp_path):
    path = make_images(["cat/1.png", "dog/2.png"])
    dataset = open_dataset(path, labels=labels_file(tmp_path, "1.png 4\n2.png 3\n"))
    assert (dataset.labels, dataset.class_names) == ((4, 3), None)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a.png,sea lion\nb.png,ant\n", ("ant", "sea lion")),
        ("sea lion\nfire ant\n", ("fire ant", "sea lion")),
        (
            "ImageId,PredictionString\na,n02 1 2 30 40 n02 5 6 7 8 \nb,n01 0 0 9 9\n",
            ("n01", "n02"),
        ),
    ],
)
def test_labels_that_are_no_numbers_are_names(make_tree, tmp_path, text, names):
    file = labels_file(tmp_path, text)
    dataset = open_dataset(make_tree(["a.png", "b.png"]), labels=file)
    assert (dataset.labels, dataset.class_names) == ((1, 0), names)
    assert dataset.label_rule == NAMED_LABELS
    by_position = open_dataset(dataset.path, labels=file, classes=["x", *reversed(names)])
    assert (by_position.labels, by_position.label_rule) == ((1, 2), GIVEN_NAMES)


def test_rows_of_an_array_are_labelled_by_their_indices_or_their_order(tmp_path, refused):
    np.savez(tmp_path / "x.npz", x=np.zeros((3, 2), np.float32))
    for text in ("2 7\n0 5\n1 6\n", "index,label\n0,5\n1,6\n2,7\n", "5\n6\n7\n"):
        dataset = open_dataset(tmp_path / "x.npz", labels=labels_file(tmp_path, text))
        assert dataset.labels == (5, 6, 7)
    np.savez(tmp_path / "x.npz", x=np.zeros((3, 2), np.float32), y=np.arange(3))
    with refused("x.npz", "array y", "labels.txt"):
        open_dataset(tmp_path / "x.npz", labels=tmp_path / "labels.txt")


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC")])
def test_names_with_accents_meet_however_they_are_stored(make_tree, tmp_path, forms):
    stored, written = (unicodedata.normalize(form, "b\u00e4r.png") for form in forms)
    path, labels = make_tree([stored, "a.png"]), labels_file(tmp_path, f"{written},1\na.png,0\n")
    assert open_dataset(path, labels=labels).labels == (0, 1)
    listed = labels_file(path, f"{written}\n", "list.txt")
    assert open_dataset(listed)[0].name == stored


@pytest.mark.parametrize("names", [["1.png", "10.png", "2.png"], ["B.png", "a.png"]])
@pytest.mark.parametrize("array", [False, True])
def test_an_order_that_systems_sort_otherwise_labels_nothing(
    make_tree, tmp_path, refused, names, array
):
    labels = labels_file(tmp_path, "".join(f"{at}\n" for at in range(len(names))))
    if array:
        np.save(tmp_path / "y.npy", np.arange(len(names)))
        labels = tmp_path / "y.npy"
    with refused(names[-2], names[-1]):
        open_dataset(make_tree(names), labels=labels)
    pairs = "".join(f"{name} {at}\n" for at, name in enumerate(names))
    assert open_dataset(make_tree(names), labels=labels_file(tmp_path, pairs)).labels is not None


@pytest.mark.parametrize("kind", ["int64", "U2"])
def test_numbers_beside_names_that_are_other_numbers_are_refused(tmp_path, refused, kind):
    """As a class file in text order has them: is 2 the class called 2, or the third?"""
    np.savez(tmp_path / "x.npz", x=np.zeros((2, 2), np.float32), y=np.array([2, 1]).astype(kind))
    np.savez(tmp_path / "bare.npz", x=np.zeros((2, 2), np.float32))
    labels = labels_file(tmp_path, "2\n1\n")
    for name, file in (("x.npz", None), ("bare.npz", labels)):
        with refused(name, "numbers"):
            open_dataset(tmp_path / name, labels=file, classes=["0", "1", "10", "2"])
        for classes in (["0", "1", "2"], ["a", "b", "c"], ["7", "8", "9"]):
            read = open_dataset(tmp_path / name, labels=file, classes=classes)
            assert (read.labels, read.class_names) == ((2, 1), tuple(classes))


def test_an_archive_of_several_files_is_no_labels(make_tree, make_zip, refused):
    """As a workbook is."""
    with refused("labels.xlsx", "2"):
        open_dataset(
            make_tree(["a.png"]), labels=make_zip({"a.xml": b"", "b.xml": b""}, "labels.xlsx")
        )


def test_a_labels_file_beyond_the_memory_is_refused(make_tree, tmp_path, refused, monkeypatch):
    monkeypatch.setattr(limits, "available_memory", lambda: 2**20)
    with refused("labels.txt", "memory"):
        open_dataset(make_tree(["a.png"]), labels=labels_file(tmp_path, "a.png,1\n" * 10_000))


def test_labels_without_an_input_are_counted(make_tree, tmp_path):
    file = labels_file(tmp_path, "a.png 1\nz.png 2\nb.png 3\ny.png 4\n")
    dataset = open_dataset(make_tree(["a.png", "b.png"]), labels=file)
    assert dataset.labels == (1, 3)
    assert dataset.reading.unused_labels == ("z.png", "y.png")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("a.png 1\nz.png 2\n", ["1 of the 2", "b.png", "z.png"]),
        ("a.png 1\nb.png 2\n./a.png 1\n", ["a.png", "twice"]),
        ("1\n2\n3\n", ["3 labels", "2 inputs"]),
        ("1\n\n2\n", ["line 2"]),
        ("", ["empty"]),
        ("a.png,1\nb.png,2,3\n", ["line 2", "3 columns"]),
        ("a.png,1,2\nb.png,2,3\n", ["3 columns"]),
        ("file,label,class\na.png,1,2\nb.png,2,3\n", ["3 columns", "class"]),
    ],
)
def test_what_is_no_label_an_input_is_refused(make_tree, tmp_path, refused, text, named):
    with refused("labels.txt", *named):
        open_dataset(make_tree(["a.png", "b.png"]), labels=labels_file(tmp_path, text))


def test_an_ending_that_is_left_out_may_not_mean_two_inputs(make_tree, tmp_path, refused):
    path = make_tree(["a.png", "a.jpg"])
    with refused("a.jpg", "labels.txt"):
        open_dataset(path, labels=labels_file(tmp_path, "a 1\na.png 2\n"))


@given(
    st.lists(
        st.sampled_from(
            ["a.png", "b.png", "0", "1", "cat", "label", ",", "\t", " ", '"', "\n", "\r\n"]
        )
        | st.text(max_size=3)
    ).map("".join)
    | st.binary(max_size=20)
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_file_labels_both_inputs_or_is_refused(make_tree, tmp_path, content):
    """And as a list of pictures it names pictures that are there, or is refused."""
    path, file = make_tree(["a.png", "b.png"]), tmp_path / "set" / "labels.txt"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    for data, labels in ((path, file), (file, None)):
        try:
            dataset = open_dataset(data, labels=labels)
        except DataError as error:
            assert str(error).isprintable()  # noqa: PT017 - either outcome is right
        else:
            there = {dataset.name(index) for index in range(len(dataset))}
            assert dataset.kind == "picture" or there <= {"a.png", "b.png"}
            assert labels is None or len(dataset.labels) == 2


def test_bytes_that_are_no_text_and_missing_files_are_refused(make_tree, tmp_path, refused):
    path = make_tree(["a.png"])
    (tmp_path / "labels.txt").write_bytes(b"\xff\xfe1")
    with refused("labels.txt"):
        open_dataset(path, labels=tmp_path / "labels.txt")
    with pytest.raises(UsageError, match=r"none\.csv"):
        open_dataset(path, labels=tmp_path / "none.csv")
