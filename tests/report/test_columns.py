"""Columns of choice: the same cells in every format, and nothing asked for that is not shown."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reported import figures

from rsonnx.errors import UsageError
from rsonnx.noise import Gaussian
from rsonnx.report import FORMATS, accuracy_report
from rsonnx.report.columns import Arrangement, parse_columns, without_alike

RUNS = [figures([1.0, 0.5, 0.25, -1.0]), figures([0.75, 0.5, 0.25, -1.0], noise=Gaussian(0.25))]
REPORT = accuracy_report(RUNS)
CHOICE = "acc@0.50, ACR,standard"


@pytest.mark.parametrize("form", ["table", "markdown", "latex", "csv"])
def test_the_columns_of_choice_stand_in_their_order_in_every_format(form: str) -> None:
    report = Arrangement(form, parse_columns(CHOICE)).of(REPORT)
    names = [column.name for column in report.tables[0].columns]
    assert names == ["model", "r=0.5", "ACR", "standard"]
    whole = {c.name: k for k, c in enumerate(REPORT.tables[0].columns)}
    for own, line in zip(report.tables[0].rows, REPORT.tables[0].rows, strict=True):
        assert list(own) == [line[whole[name]] for name in names]
    text = FORMATS[form](report)
    assert "alpha" not in text.splitlines()[0]
    if form == "csv":
        lines = list(csv.DictReader(io.StringIO(text)))
        assert [float(line["r=0.5"]) for line in lines] == [0.5, 0.5]
    assert Arrangement(form, parse_columns(CHOICE)).radii == (0.5,)


def test_latex_leaves_out_what_is_the_same_for_all_runs_and_says_it_once() -> None:
    table, alike = without_alike(REPORT.tables[0])
    names = {column.name for column in table.columns}
    assert {"alpha", "n", "inputs"} & names == set()
    assert {"model", "sigma", "ACR"} <= names
    assert alike == "alpha = 0.001, n = 1,000, inputs = 4"
    assert alike in FORMATS["latex"](Arrangement("latex").of(REPORT))
    lone = accuracy_report(RUNS[:1]).tables[0]
    assert len(without_alike(lone)[0].columns) == len(lone.columns)
    assert Arrangement("table").of(REPORT) == REPORT


@pytest.mark.parametrize(
    ("arranged", "named"),
    [
        ({"form": "json", "columns": ("acr",)}, "columns"),
        ({"form": "table", "caption": "x"}, "caption"),
        ({"form": "csv", "label": "tab:x"}, "label"),
        ({"form": "latex", "label": "x}y"}, "label"),
    ],
)
def test_what_a_format_does_not_show_is_refused(arranged: dict[str, Any], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        Arrangement(**arranged)


@given(
    st.text(max_size=20)
    | st.lists(st.text(max_size=9) | st.sampled_from(["acr", "acc@", "acc@1", "acc@1.0", "n"]))
)
def test_columns_are_names_each_once_or_are_refused(columns: str | list[str]) -> None:
    try:
        names = parse_columns(columns)
    except UsageError:
        return
    text = columns if isinstance(columns, str) else ",".join(columns)
    assert len(names) == len(set(names)) == text.count(",") + bool(columns)
    assert all(names)


def test_a_column_that_no_table_has_is_named_beside_those_that_it_has() -> None:
    with pytest.raises(UsageError, match=r"acc@0\.75.*acc@0\.5"):
        Arrangement("table", ("acc@0.75",)).of(REPORT)
