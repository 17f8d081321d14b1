"""A single picture, and pictures that a text lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from rsonnx.data import LABEL_NUMBERS, NAMED_LABELS, Dataset, open_dataset


def listed(folder: Path, text: str, name: str = "list.txt") -> Dataset:
    (folder / name).write_text(text, "utf-8")
    return open_dataset(folder / name)


def names(dataset: Dataset) -> list[str]:
    return [dataset.name(index) for index in range(len(dataset))]


@pytest.mark.parametrize("name", ["a.png", "a.JFIF", "no ending"])
def test_a_picture_is_data(tmp_path, png, name):
    (tmp_path / name).write_bytes(png(7))
    dataset = open_dataset(tmp_path / name)
    assert (names(dataset), dataset.labels) == ([name], None)
    assert dataset[0].values.tolist() == [[[7] * 3] * 3] * 2
    (tmp_path / "labels").write_text("4")
    assert open_dataset(tmp_path / name, labels=tmp_path / "labels").labels == (4,)


def test_a_list_has_the_pictures_in_its_order(make_tree):
    folder = make_tree(["b c.png", "in/a.png"])
    for text in (
        "in/a.png\nb c.png\n",
        "path\r\n./in/a.png\r\nin/../b c.png",
        "in\\a.png\nb c.png",
    ):
        dataset = listed(folder, text)
        assert (names(dataset), dataset.labels) == (["in/a.png", "b c.png"], None)
        assert dataset[1].values.shape == (2, 3, 3)
    absolute = "".join(f"{folder / name}\n" for name in ("in/a.png", "b c.png"))
    assert names(listed(folder, absolute)) == ["in/a.png", "b c.png"]
    (folder / "lists").mkdir()
    assert names(listed(folder / "lists", absolute)) == ["../in/a.png", "../b c.png"]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("val.txt", "in/a.png 65\nb c.png 9\n"),
        ("val.csv", "image,label\nin/a.png,65\nb c.png,9\n"),
        ("val.tsv", "in/a.png\t65\nb c.png\t9\n"),
        ("val.csv", ",height,path,label\n0,2,in/a.png,65\n1,2,b c.png,9\n"),
    ],
)
def test_labels_may_stand_behind_the_paths(make_tree, file, text, refused, tmp_path):
    dataset = listed(make_tree(["b c.png", "in/a.png"]), text, file)
    assert names(dataset) == ["in/a.png", "b c.png"]
    assert (dataset.labels, dataset.label_rule) == ((65, 9), LABEL_NUMBERS)
    (tmp_path / "labels").write_text("1\n2")
    with refused(file, "labels"):
        open_dataset(dataset.path, labels=tmp_path / "labels")


def test_classes_may_stand_behind_the_paths(make_tree):
    dataset = listed(make_tree(["a.png", "b.png"]), "a.png dog\nb.png cat\n")
    assert (dataset.labels, dataset.class_names) == ((1, 0), ("cat", "dog"))
    assert dataset.label_rule == NAMED_LABELS


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("a.png\nz.png\ny.png\n", ["2 of the 3", "'z.png'"]),
        ("a.png\n./a.png\n", ["'a.png'", "2 times"]),
        ("a.png 1\n\nb.png 2\n", ["line 2"]),
    ],
)
def test_what_lists_no_pictures_is_refused(make_tree, refused, text, named):
    with refused("list.txt", *named):
        listed(make_tree(["a.png"]), text)


def test_a_table_that_names_no_picture_is_a_table(make_tree):
    dataset = listed(make_tree(["a.png"]), "length,file,label\n1.5,z.png,0\n2.5,y.png,1\n", "t.csv")
    assert dataset.kind != "picture-list"
