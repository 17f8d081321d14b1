"""Tables of text: what pandas reads of them is what is read, and what is no table is refused."""

import csv
import io
import tempfile
from pathlib import Path

import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsonnx.data import open_dataset
from rsonnx.errors import DataError, RsonnxError, UsageError

CELLS = "a,b,k,y\n1,0.5,red,2\n2,1.5,blue,0\n3,-2,red,1\n"


def saved(folder: Path, text: str, name: str = "data.csv") -> Path:
    """Return the path of a file that holds a text."""
    path = folder / name
    path.write_bytes(text.encode())
    return path


def test_a_table_is_what_pandas_reads(tmp_path: Path) -> None:
    """Numbers are the same; a column of text is numbered as its texts first occur."""
    dataset = open_dataset(saved(tmp_path, CELLS))
    frame = pandas.read_csv(io.StringIO(CELLS))
    a, b, k = dataset.reading.columns
    assert [c.name for c in (a, b, k)] == ["a", "b", "k"]
    assert [c.fixed for c in (a, b, k)] == [False, False, True]
    assert (a.whole, b.whole, k.texts) == (True, False, ("red", "blue"))
    assert dataset.labels == tuple(frame["y"])
    for at, row in enumerate(frame.itertuples()):
        assert dataset[at].values.tolist() == [row.a, row.b, k.texts.index(row.k)]


@pytest.mark.parametrize(("name", "delimiter"), [("t.tsv", "\t"), ("t.csv", ";"), ("t.CSV", ",")])
def test_separators_are_told_by_the_ending_or_the_first_line(
    tmp_path: Path, name: str, delimiter: str
) -> None:
    """Tabs by the ending, else what the heading has."""
    dataset = open_dataset(saved(tmp_path, "﻿" + CELLS.replace(",", delimiter), name))
    assert [column.name for column in dataset.reading.columns] == ["a", "b", "k"]


@given(
    rows=st.lists(
        st.tuples(
            st.floats(allow_nan=False, allow_infinity=False), st.text("ab ,\"'\n;x", min_size=1)
        ),
        min_size=1,
        max_size=30,
    )
)
def test_every_number_and_text_that_was_written_is_read(rows: list[tuple[float, str]]) -> None:
    """Numbers to the last bit, texts with the blanks around them, which a model may have learnt."""
    rows = [(number, f"t{text}") for number, text in rows]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "t.csv")
        with path.open("w", newline="") as stream:
            csv.writer(stream).writerows([("x", "k", "y"), *((*row, 0) for row in rows)])
        dataset = open_dataset(path)
    _, k = dataset.reading.columns
    read = [
        (float(e.values[0]), k.texts[int(e.values[1])])
        for e in map(dataset.__getitem__, range(len(dataset)))
    ]
    assert read == rows


@pytest.mark.parametrize("cell", ["1_000", "\u0661\u0662", "\uff11"])
def test_what_only_python_reads_as_a_number_is_text(tmp_path: Path, cell: str) -> None:
    dataset = open_dataset(saved(tmp_path, f"a,b,y\n{cell},1,0\n2,2,1\n"))
    assert [column.texts for column in dataset.reading.columns] == [(cell, "2"), ()]


def test_text_far_behind_numbers_makes_the_column_one_of_text(tmp_path: Path) -> None:
    """The cells before are texts too, as they are written."""
    cells = [f"{n % 7:02}" for n in range(100_000)] + ["none of these"]
    text = "x,k,y\n" + "".join(f"{n},{cell},0\n" for n, cell in enumerate(cells))
    dataset = open_dataset(saved(tmp_path, text))
    k = dataset.reading.columns[1]
    assert k.texts == (*(f"{n:02}" for n in range(7)), "none of these")
    assert dataset[10].values.tolist() == [10, 3]


@pytest.mark.parametrize("cell", ["", "NA", "NaN", "nan", " ", "null", "inf"])
@pytest.mark.parametrize("column", ["a", "k", "y"])
def test_a_missing_value_is_named_by_line_and_column(
    tmp_path: Path, cell: str, column: str
) -> None:
    """Whatever the column holds."""
    if cell == "inf" and column == "k":
        return  # a text like any other
    row = ["2" if name != column else cell for name in ("a", "b")]
    row += [cell if column == "k" else "red", cell if column == "y" else "0"]
    text = CELLS + "4,1,blue,0\n" + ",".join(row) + "\n"
    with pytest.raises(DataError, match=rf"'{column}'.*line 6"):
        open_dataset(saved(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "empty"),
        ("a,b,y\n", "no row"),
        ("a,,y\n1,2,0\n", "no name"),
        ("a,a,y\n1,2,0\n", "'a'"),
        ("5.1,3.5,0\n4.9,3.0,0\n", "5.1"),
        ("a,b,y\n1,2,0\n1,2\n", "line 3"),
        ('a,b,y\n1,"2,0\n', "line 2"),
        ("a,b,y\n1,2,0.5\n", "0.5"),
        ("y\n1\n", "'y'"),
        ("x,y\n" + "".join(f"{n}?,0\n" for n in range(10_001)), "10,000"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, text: str, named: str) -> None:
    """The sentence names what is wrong."""
    with pytest.raises(DataError, match=named):
        open_dataset(saved(tmp_path, text))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    """UTF-8 alone is read."""
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,y\n\xff,0\n")
    with pytest.raises(DataError, match="UTF-8"):
        open_dataset(path)


def test_the_label_is_one_usual_name_or_is_asked_for(tmp_path: Path) -> None:
    """None and two of them are both refused, with the columns listed."""
    for names in ("a,b,c", "y,b,label"):
        path = saved(tmp_path, f"{names}\n1,2,0\n3,4,1\n")
        with pytest.raises(UsageError, match=names.replace(",", ", ")):
            open_dataset(path)
        dataset = open_dataset(path, label_column="b")
        assert dataset.labels == (2, 4)
        assert np.array_equal(dataset[1].values, [3, 1])
        assert open_dataset(path, label_column="none").labels is None
        with pytest.raises(UsageError, match="'z'"):
            open_dataset(path, label_column="z")


def test_labels_that_are_texts_are_classes_in_sorted_order(tmp_path: Path) -> None:
    """Or in the order of the given names, which must have them all."""
    path = saved(tmp_path, "a,target\n1,virginica\n2,setosa\n3,virginica\n")
    dataset = open_dataset(path)
    assert (dataset.labels, dataset.class_names) == ((1, 0, 1), ("setosa", "virginica"))
    given_names = ("virginica", "versicolor", "setosa")
    assert open_dataset(path, classes=given_names).labels == (0, 2, 0)
    with pytest.raises(DataError, match="virginica"):
        open_dataset(path, classes=("setosa", "versicolor"))


def test_columns_are_fixed_by_name(tmp_path: Path) -> None:
    """In one text or several; the label and what is not there cannot be."""
    path = saved(tmp_path, CELLS)
    for names in ("a, k", ("a", "k")):
        columns = open_dataset(path, fixed_columns=names).reading.columns
        assert [column.fixed for column in columns] == [True, False, True]
    for name in ("y", "z"):
        with pytest.raises(UsageError, match=f"'{name}'"):
            open_dataset(path, fixed_columns=name)


@given(
    head=st.sampled_from([b"", b"a,b,y\n1,2,0\n", b"a\ty\n", b"\xef\xbb\xbfa;y\n1;0\n", b'a,y\n"']),
    tail=st.binary(max_size=80) | st.text('019.,;\t\n"eaN-', max_size=80).map(str.encode),
    ending=st.sampled_from([".csv", ".tsv"]),
)
def test_bytes_of_a_stranger_are_a_table_or_a_sentence(
    head: bytes, tail: bytes, ending: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"t{ending}")
        path.write_bytes(head + tail)
        try:
            dataset = open_dataset(path)
        except RsonnxError:
            return
    for at in range(len(dataset)):
        assert np.isfinite(dataset[at].values).all()
        assert len(dataset[at].values) == len(dataset.reading.columns)
