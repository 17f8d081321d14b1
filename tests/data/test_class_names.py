"""A list of class names: line i is class i, and nothing may shift a line."""

from __future__ import annotations

import contextlib
import os
import re

import pytest

from rsonnx.data import class_files, open_dataset, read_class_names
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


SEPARATORS = (" - ", ". ", ") ", " -> ", "->", " => ", "|", " | ", "\t", "\u00a0", "\uff1a", " ; ")

RED_GREEN = ("red", "sea green")


@pytest.mark.parametrize(
    "text",
    [
        "0 red\n1 sea green\n",
        "0: red\r\n1: sea green\r\n\r\n",
        "\ufeff0\tred\n1\tsea green",
        "1,sea green\n0,red",
        "red,0\nsea green,1",
        "red 0\nsea green 1",
        '["red", "sea green"]',
        '\ufeff{"red": 0, "sea green": 1}',
        '{"sea green": 1, "red": 0}',
        '{"0": "red", "1": "sea green"}',
        '{"0": ["red", "a dark one"], "1": ["sea green", "a light one"]}',
        '{"id2label": {"1": "sea green", "0": "red"}, "model_type": "vit"}',
        '{"id2label": {"0": "red", "1": "sea green"}, "label2id": {"red": 0, "sea green": 1}}',
        '{"label2id": {"red": 0, "sea green": 1}, "num_classes": 2}',
        '{"names": {"0": "red", "1": "sea green"}}',
        "{0: 'red',\n 1: 'sea green'}",
        '[{"id": 1, "name": "sea green"}, {"id": 0, "name": "red"}]',
        '{"categories": [{"id": 0, "name": "red"}, {"id": 1, "name": "sea green"}]}',
        *(f"0{by}red\n1{by}sea green\n" for by in SEPARATORS),
        *(f"1{by}red\n2{by}sea green\n" for by in SEPARATORS if by.strip()),
        *(f"red{by}0\nsea green{by}1\n" for by in SEPARATORS if by[0] not in ".)]"),
        "[0] red\n[1] sea green\n",
        "(0) red\n(1) sea green\n",
        "[1] sea green\n[0] red\n",
        "\uff10\u3000red\n\uff11\u3000sea green",
        '"red"\n"sea green"\n',
        "'red',\n'sea green'\n",
        '0,"red"\n1,"sea green"\n',
        '0: "red",\n1: "sea green",\n',
        "index,name\n0,red\n1,sea green\n",
        "Class Name;Class ID\nred;0\nsea green;1\n",
        "1\tred\n2\tsea green\n",
    ],
)
def test_the_usual_class_files(tmp_path, text):
    path = tmp_path / "classes"
    path.write_bytes(text.encode())
    assert read_class_names(path) == RED_GREEN


@pytest.mark.parametrize(
    "text",
    [
        "path: data\nnames:\n  0: red  # the first\n  1: 'sea green'\n\nnc: 2\n",
        "nc: 2\nnames:\n- red\n# a word\n- sea green\ndownload: x\n",
        "names: [red, 'sea green']\n",
        'names: ["red",\n  "sea green"]\nnc: 2',
        "names: {1: sea green, 0: red}",
    ],
)
def test_the_names_of_a_yaml_file(tmp_path, text):
    path = tmp_path / "data.yaml"
    path.write_text(text)
    assert read_class_names(path) == RED_GREEN


@pytest.mark.parametrize(
    "names",
    [
        ("speed limit 20", "speed limit 30"),
        ("class 0", "class 1"),
        ("0 red", "green"),
        ("0", "1", "10", "2"),
        ("3d model", "2d model"),
        ("1 kg", "2 kg"),
        ("20 mph", "30 mph"),
        ('12" pipe', "pipe"),
    ],
)
def test_numbers_that_number_no_classes_are_part_of_the_names(tmp_path, names):
    path = tmp_path / "classes.txt"
    path.write_text("\n".join(names))
    assert read_class_names(path) == names


def test_names_that_end_in_numbers_may_be_numbered(tmp_path):
    path = tmp_path / "classes.txt"
    path.write_text("0 Class 1\n1 Class 2\n")
    assert read_class_names(path) == ("Class 1", "Class 2")
    path.write_text("0: 1\n1: 10\n2: 11\n")
    assert read_class_names(path) == ("1", "10", "11")


def test_words_behind_the_folders_of_imagenet_are_no_part_of_the_name(tmp_path):
    path = tmp_path / "synset_words.txt"
    path.write_text("n01440764 tench, Tinca tinca\nn01443537 goldfish\n")
    assert read_class_names(path) == ("n01440764", "n01443537")
    path.write_text("0 n01440764 tench, Tinca tinca\n1 n01443537 goldfish\n")
    assert read_class_names(path) == ("n01440764", "n01443537")
    path.write_text('1,n01443537,goldfish\n0,n01440764,"tench, Tinca tinca"\n')
    assert read_class_names(path) == ("n01440764", "n01443537")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("{not json", "c.json"),
        ("[1, 2]", "c.json"),
        ("[]", "c.json"),
        ("{}", "c.json"),
        ('["a", ""]', "c.json"),
        ('["a", "a"]', "c.json"),
        ('["\u00e9", "e\u0301"]', "c.json"),
        ('{"a": 0, "b": 2}', "c.json"),
        ('{"a": 0, "b": true}', "c.json"),
        ('{"a": 1, "b": 2}', "c.json"),
        ('{"0": "a", "0": "b", "1": "c"}', "c.json"),
        ('{"id2label": {"0": "a", "1": "b"}, "label2id": {"a": 1, "b": 0}}', "c.json"),
        ('{"version": 3}', "c.json"),
        ("[" * 100_000, "c.json"),
        ("0 1\n1 2\n2 0\n", "c.txt"),
        ("1 0\n2 1\n3 2\n", "c.txt"),
        ("1 red\n2 green\n", "c.txt"),  # numbers, or part of the names as in `1 kg`
        ("0: red\n2: green\n", "c.txt"),
        ("red,1\ngreen,3\n", "c.txt"),
        ("0: red\n0: green\n2: blue\n", "c.txt"),
        ("index,name\nred\ngreen\n", "c.txt"),
        ("index,name,label\n0,red,a\n1,green,b\n", "c.txt"),
        ("# classes\nred\ngreen\n", "c.txt"),
        ('0,"red\n1,"green\n', "c.txt"),
        ('0,"red"\n1,red\n', "c.txt"),
        ('[{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]', "c.json"),
        ('[{"id": 0}, {"id": 1}]', "c.json"),
        ('[{"id": 0, "name": "a"}, {"id": "1", "name": "b"}]', "c.json"),
        ("\u00e9\ne\u0301\n", "c.txt"),
        ("nc: 3\n", "c.yaml"),
        ("names: &anchor\n- a\n", "c.yaml"),
        ("names: ['a, b', c]\n", "c.yaml"),
        ("names:\n- a\nnames:\n- b\n", "c.yaml"),
    ],
)
def test_what_states_no_order_of_classes_is_refused(tmp_path, text, name):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as e:
        read_class_names(path)
    assert str(path) in str(e.value)


def test_paths_that_cannot_be_read_are_usage_errors(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (
        tmp_path / "gone.txt",
        tmp_path,
        tmp_path / "pipe",
        tmp_path / "nul\0",
        "/dev/zero",
    ):
        with pytest.raises(UsageError, match=re.escape(str(path))):
            read_class_names(path)


def test_a_file_too_large_for_class_names_is_refused(tmp_path):
    with (tmp_path / "disk").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(DataError, match="disk"):
        read_class_names(tmp_path / "disk")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c.txt", "{}: red\n1: green\n"),
        ("c.txt", "red {}\ngreen 1\n"),
        ("c.json", '{{"red": {}, "green": 1}}'),
        ("c.json", '{{"{}": "red", "1": "green"}}'),
        ("c.yaml", "names:\n  {}: red\n  1: green\n"),
    ],
)
@pytest.mark.parametrize("digits", [90, 4300, 5000])
def test_a_number_of_any_length_is_a_name_or_refused(tmp_path, name, text, digits):
    path = tmp_path / name
    path.write_text(text.format("9" * digits))
    with contextlib.suppress(DataError):
        assert len(read_class_names(path)) == 2


BLANKS = " " * 200_000


@pytest.mark.parametrize(
    ("name", "text", "names"),
    [
        ("c.txt", f"a{BLANKS}b\nc", (f"a{BLANKS}b", "c")),
        ("c.txt", f"a{BLANKS}0\nb{BLANKS}-{BLANKS}1", ("a", "b")),
        ("c.txt", f"0{BLANKS}a\n1{BLANKS}->{BLANKS}b", ("a", "b")),
        ("c.txt", f"index{BLANKS},{BLANKS}name\n0,a\n1,b", ("a", "b")),
        ("c.yaml", f"names:{BLANKS}\n-{BLANKS}a{BLANKS}b{BLANKS}\n-{BLANKS}c", None),
        ("c.yaml", f"names:\n  0{BLANKS}:{BLANKS}a{BLANKS}#{BLANKS}\n  1: b", ("a", "b")),
        ("c.txt", "a" + "\u0301\u0323" * 200_000, None),
    ],
)
def test_the_time_follows_the_length_of_a_file(tmp_path, name, text, names):
    """Each of them took hours: that of a row of blanks or accents grew with its square."""
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    read = read_class_names(path)
    assert names is None or read == names


@pytest.mark.parametrize(
    "form",
    [
        "a{}1",
        "a -{}1",
        "a={}1",
        "a{}->{}1",
        "a{}=>={}1",
        "a - -{}1",
        "a:{}:{}1",
        "a|{}- 1",
        "-{}1",
    ],
)
@pytest.mark.parametrize("blank", ["", " ", "\t", " \t "])
def test_a_number_behind_a_name_parts_from_it_as_early_as_it_can(form, blank):
    """An oracle that tries where a name ends from the left."""
    slow = re.compile(
        r"(?P<name>\S.*?)(?P<by>\s*(?:->|=>|[:\uff1a,;=|])\s*|\s+[-\u2013]\s+|\s+)(?P<number>\d+)"
    )
    lines = [form.replace("{}", blank), form.replace("{}", blank).replace("a", "b") + "0"]
    matches = [slow.fullmatch(line) for line in lines]
    numbering = class_files._numbering(class_files._NUMBERED[1], [s[::-1] for s in lines], -1)
    if not all(matches) or len({match["name"] for match in matches}) < 2:
        assert numbering is None
    else:
        assert numbering.names == tuple(match["name"] for match in matches)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (["cat", "dog", "cat"], "class name 'cat' is given twice; name every class once"),
        (["\u00e9", "e\u0301"], "is given twice"),
        ([], "the class names are empty"),
        ("cat", "the class names are the text 'cat'; give a sequence of names"),
    ],
)
def test_given_names_are_checked(make_tree, classes, message):
    with pytest.raises(UsageError, match=message):
        open_dataset(make_tree(["cat/a.png"]), classes=classes)
