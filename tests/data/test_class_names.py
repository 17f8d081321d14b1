"""A list of class names: line i is class i, and nothing may shift a line."""

from __future__ import annotations

import pytest

from rsonnx.data import open_dataset, read_class_names
from rsonnx.errors import DataError, UsageError


@pytest.mark.parametrize(
    "data",
    [
        "cat\nsea lion\nÄsche\n",
        "cat\nsea lion\nÄsche",
        "cat\r\nsea lion\r\nÄsche\r\n\r\n  \n",
        "\ufeffcat\n sea lion \nÄsche\n\n",
    ],
)
def test_one_name_a_line(tmp_path, data):
    path = tmp_path / "classes.txt"
    path.write_bytes(data.encode())
    assert read_class_names(path) == ("cat", "sea lion", "Äsche")
    assert read_class_names(str(path)) == ("cat", "sea lion", "Äsche")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"cat\n\ndog\n", "line 2 of the class names .* is blank; remove it, or name class 1"),
        (b"cat\ndog\ncat\n", "have 'cat' on line 1 and again on line 3; give every class its own"),
        (b"", "hold no name; write one name a line"),
        (b"\n \n", "hold no name"),
        (b"cat\n\xff\n", "are not UTF-8 text; write one name a line in UTF-8"),
    ],
)
def test_lists_that_would_misnumber_are_refused(tmp_path, data, message):
    path = tmp_path / "classes.txt"
    path.write_bytes(data)
    with pytest.raises(DataError, match=message) as e:
        read_class_names(path)
    assert str(path) in str(e.value)


def test_paths_that_cannot_be_read_are_usage_errors(tmp_path):
    with pytest.raises(UsageError, match=r"gone\.txt cannot be read \(No such file"):
        read_class_names(tmp_path / "gone.txt")
    with pytest.raises(UsageError, match=r"cannot be read \(Is a directory\); name a file"):
        read_class_names(tmp_path)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (["cat", "dog", "cat"], "class name 'cat' is given twice; name every class once"),
        ([], "the class names are empty"),
        ("cat", "the class names are the text 'cat'; give a sequence of names"),
    ],
)
def test_given_names_are_checked(make_tree, classes, message):
    with pytest.raises(UsageError, match=message):
        open_dataset(make_tree(["cat/a.png"]), classes=classes)
