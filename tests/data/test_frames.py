"""Parquet tables and data frames are read as the same table of text is."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pyarrow
import pyarrow.parquet
import pytest

from rsonnx.data import open_dataset
from rsonnx.data.dataset import Dataset
from rsonnx.data.forms.frames import is_frame, open_frame
from rsonnx.data.settings import DataSettings
from rsonnx.errors import DataError

CELLS = "a,b,k,y\n1,0.5,red,2\n2,1.5,blue,0\n3,-2,red,1\n"


def opened(frame: pandas.DataFrame, folder: Path, form: str, **further: Any) -> Dataset:
    """Return a frame as a data set, by way of a file or without."""
    if form == "frame":
        return open_frame(frame, DataSettings(**further))
    path = folder / "t.parquet"
    # Row groups of two rows, so that columns go on from one to the next.
    pyarrow.parquet.write_table(
        pyarrow.Table.from_pandas(frame, preserve_index=False), path, row_group_size=2
    )
    return open_dataset(path, **further)


@pytest.mark.parametrize("form", ["parquet", "frame"])
@pytest.mark.parametrize("kind", ["str", "category"])
def test_a_typed_table_is_that_of_text(form: str, kind: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(CELLS)
    text = open_dataset(tmp_path / "t.csv")
    frame = pandas.read_csv(io.StringIO(CELLS)).astype({"k": kind})
    typed = opened(frame, tmp_path, form)
    assert typed.labels == text.labels
    assert typed.reading.columns == text.reading.columns
    for at in range(len(text)):
        assert np.array_equal(typed[at].values, text[at].values)


@pytest.mark.parametrize("form", ["parquet", "frame"])
def test_a_text_of_digits_is_text(form: str, tmp_path: Path) -> None:
    """The type says so, where a table of text cannot."""
    frame = pandas.DataFrame({"zip": ["01234", "99999"], "flag": [True, False], "y": ["no", "yes"]})
    dataset = opened(frame, tmp_path, form)
    assert dataset.reading.columns[0].texts == ("01234", "99999")
    assert dataset[0].values.tolist() == [0, 1]
    assert dataset.class_names == ("no", "yes")


@pytest.mark.parametrize("form", ["parquet", "frame"])
@pytest.mark.parametrize(
    "values", [[1, None, 3], [1.0, float("nan"), 2], ["u", None, "v"], [1, pandas.NA, 3]]
)
def test_missing_values_are_named_by_row_and_column(
    form: str, values: list[Any], tmp_path: Path
) -> None:
    kind = "Int64" if values[1] is pandas.NA else None
    frame = pandas.DataFrame({"a": pandas.Series(values, dtype=kind), "y": [0, 1, 0]})
    with pytest.raises(DataError, match=r"'a'.*row 2"):
        opened(frame, tmp_path, form)


@pytest.mark.parametrize("form", ["parquet", "frame"])
def test_columns_of_neither_numbers_nor_text_are_refused(form: str, tmp_path: Path) -> None:
    for values in ([[1, 2], [3, 4]], pandas.to_datetime(["2020-01-01", "2021-01-01"])):
        with pytest.raises(DataError, match="'a'"):
            opened(pandas.DataFrame({"a": values, "y": [0, 1]}), tmp_path, form)


def test_one_text_in_a_million_rows_is_one_text(tmp_path: Path) -> None:
    """A small file that announces gigabytes of text."""
    long = pyarrow.array(["x" * 2**20]).dictionary_encode().dictionary
    codes = pyarrow.array(np.zeros(10**6, np.int32))
    column = pyarrow.DictionaryArray.from_arrays(codes, long)
    path = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"k": column, "y": codes}), path)
    with pytest.raises(DataError, match="letters"):
        open_dataset(path)


def test_a_broken_file_is_one_sentence(tmp_path: Path) -> None:
    frame = pandas.DataFrame({"a": np.arange(1000.0), "y": 0})
    opened(frame, tmp_path, "parquet")
    content = (tmp_path / "t.parquet").read_bytes()
    for broken in (content[:500], content[:200] + bytes(100) + content[300:]):
        (tmp_path / "t.parquet").write_bytes(broken)
        with pytest.raises(DataError, match="Parquet"):
            open_dataset(tmp_path / "t.parquet")


def test_arrays_and_lists_are_no_frames() -> None:
    table = pyarrow.table({"a": [1]})
    for data in (np.zeros((2, 2)), [[1, 2]], ([[1]], [0]), "t.csv", table, pandas.DataFrame()):
        assert not is_frame(data)
