"""Runs for other programs: the field's log, CSV, Parquet; read back by other readers."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from headers import certified_row, header

from rsonnx.errors import RunFileError, UsageError
from rsonnx.logs import audit_log, read_log
from rsonnx.report import certified
from rsonnx.runs import Run
from rsonnx.runs import export as export_module
from rsonnx.runs.export import export_run
from rsonnx.runs.row_fields import columns_of

FORMULAS = (
    "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "\u00a0=1", "\uff1d1",
    "=HYPERLINK(\"http://x\",\"y\")", "'=1", "'quoted'",
)  # fmt: skip
STRANGE = (*FORMULAS, "a\tb", "a\nb\r\n", 'a"b,c;d', "a=b", "\udc80half", "\x1b[31m", "\u202e", "")
HUGE = 1.7976931348623157e308


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Right, wrong, an abstention, and one without a label."""
    rows = (
        certified_row(0, hits=990),
        certified_row(1, hits=700, label=2),
        certified_row(5, hits=500),
        certified_row(7, hits=995, label=None),
    )
    return Run(tmp_path / "run.jsonl", header(), rows, "complete")


def changed(run: Run, **fields: Any) -> Run:
    """The run with its first row changed."""
    return dataclasses.replace(
        run, rows=(dataclasses.replace(run.rows[0], **fields), *run.rows[1:])
    )


def test_a_log_is_that_of_the_field(run: Run, tmp_path: Path) -> None:
    export_run(run, tmp_path / "log", "tsv")
    head, *lines = (tmp_path / "log").read_bytes().decode().split("\n")
    assert head == "idx\tlabel\tpredict\tradius\tcorrect\ttime"
    assert lines.pop() == ""
    cells = [line.split("\t") for line in lines]
    shown = [["0", "3", "3"], ["1", "2", "3"], ["5", "3", "-1"], ["7", "", "3"]]
    assert [line[:3] for line in cells] == shown
    assert [line[4:] for line in cells] == [[right, "0:00:00.125000"] for right in "1000"]
    assert cells[2][3] == "0.0"
    log = read_log(tmp_path / "log")
    assert [row.label for row in log.rows] == [row.label for row in run.rows]
    assert [str(note) for note in log.notes] == ["line 5: the label is empty"]


def test_the_log_gives_the_same_table(run: Run, tmp_path: Path) -> None:
    labelled = dataclasses.replace(run, rows=run.rows[:3])
    export_run(labelled, tmp_path / "log", "tsv")
    log = read_log(tmp_path / "log")
    names = ("index", "label", "prediction", "correct", "abstained")
    for one, other in zip(log.rows, labelled.rows, strict=True):
        assert all(getattr(one, name) == getattr(other, name) for name in names)
    radii = [0.01 * step for step in range(200)]
    ours, theirs = certified(labelled.rows, radii), certified(log.rows, radii)
    assert theirs.certified_accuracy == ours.certified_accuracy
    assert theirs.certified_share == ours.certified_share
    assert ours.acr is not None
    assert theirs.acr is not None
    assert ours.acr - 1e-6 < theirs.acr <= ours.acr


def test_our_own_log_passes_the_audit(run: Run, tmp_path: Path) -> None:
    rows = tuple(certified_row(i, hits=600 + i) for i in range(401))
    export_run(dataclasses.replace(run, rows=rows), tmp_path / "sigma_0.5", "tsv")
    found = audit_log(read_log(tmp_path / "sigma_0.5")).grid
    assert found is not None
    best = found.fits[0]
    assert (best.n, best.alpha, best.rounding) == (1000, 0.001, "down")
    assert found.overstated is not None
    assert found.overstated.possibly == 0


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0, "0:00:00.000000"),
        (59.9999996, "0:01:00.000000"),
        (3661.25, "1:01:01.250000"),
        (400_000.0, "111:06:40.000000"),
    ],
)
def test_times(run: Run, tmp_path: Path, seconds: float, shown: str) -> None:
    export_run(changed(run, seconds=seconds), tmp_path / "log", "tsv")
    assert f"\t{shown}\n" in (tmp_path / "log").read_text()
    assert read_log(tmp_path / "log").rows


@pytest.mark.parametrize("radius", [5e-324, 1e-7, 0.1, 0.3, 1.0000005, 1e17, HUGE])
def test_radii_are_rounded_down_and_never_shortened(
    run: Run, tmp_path: Path, radius: float
) -> None:
    export_run(changed(run, radius=radius, seconds=HUGE), tmp_path / "log", "tsv")
    cell = (tmp_path / "log").read_text().split("\n")[1].split("\t")[3]
    assert re.fullmatch(r"[0-9]+\.[0-9]{6}", cell)
    assert 0 <= Fraction(radius) - Fraction(cell) < Fraction(1, 10**6)
    assert read_log(tmp_path / "log").rows[0].prediction == 3


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_csv_has_all_fields_to_the_last_digit(run: Run, tmp_path: Path) -> None:
    full = changed(run, claim=(9, 10), uniform=0.25, p_b_upper=0.1)
    export_run(full, tmp_path / "rows.csv", "csv")
    found = read_csv(tmp_path / "rows.csv")
    for cells, row in zip(found, full.rows, strict=True):
        for column in columns_of(full.rows):
            value = column.value(row)
            shown = str(value).lower() if isinstance(value, bool) else str(value)
            assert cells[column.name] == ("" if value is None else shown)
    assert float(found[0]["radius"]) == full.rows[0].radius
    assert json.loads(found[0]["counts_estimation"]) == full.rows[0].estimation.to_json()
    assert (found[0]["claim_hits"], found[0]["claim_samples"]) == ("9", "10")


@pytest.mark.parametrize("name", STRANGE)
def test_a_stranger_s_name_is_data(run: Run, tmp_path: Path, name: str) -> None:
    """No cell starts a formula, whatever it is named; the name comes back, and the table holds."""
    fields = dict.fromkeys(("name", "digest", "explanation", "arithmetic"), name)
    export_run(changed(run, **fields), tmp_path / "x.csv", "csv")
    rows = read_csv(tmp_path / "x.csv")
    for field in fields:
        cell = rows[0][field]
        assert not cell.lstrip().startswith(("=", "+", "-", "@", "\uff1d"))
        assert cell[:1] not in ("\t", "\r", "\n")
        assert cell.removeprefix("'") == name.replace("\udc80", "\\udc80")
        assert cell.startswith("'") or name not in FORMULAS
    assert [row["index"] for row in rows] == ["0", "1", "5", "7"]


@pytest.mark.parametrize("form", ["csv", "tsv", "parquet"])
def test_it_loads_in_pandas_with_one_line(run: Run, tmp_path: Path, form: Any) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    if form == "parquet":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    path = tmp_path / "run"
    export_run(run, path, form)
    if form == "tsv":
        frame = pandas.read_csv(path, sep="\t")
        assert frame["correct"].tolist() == [1, 0, 0, 0]
        assert frame["predict"].tolist() == [3, 3, -1, 3]
        return
    frame = pandas.read_csv(path) if form == "csv" else pandas.read_parquet(path)
    # Before version 3 its quick reader of numbers may miss the last bit.
    assert frame["radius"].tolist() == pytest.approx([row.radius for row in run.rows], rel=1e-15)
    assert frame["prediction"].tolist() == [row.prediction for row in run.rows]
    assert frame["abstained"].tolist() == [row.abstained for row in run.rows]
    assert str(frame["abstained"].dtype) == "bool"
    assert frame["label"].isna().tolist() == [False, False, False, True]


def test_parquet_holds_everything(run: Run, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    partial = dataclasses.replace(changed(run, name="=a\udc80"), status="incomplete")
    export_run(partial, tmp_path / "run.parquet", "parquet")
    table = parquet.read_table(tmp_path / "run.parquet")
    assert table.column_names == [column.name for column in columns_of(partial.rows)]
    expected = [{c.name: c.value(row) for c in columns_of(partial.rows)} for row in partial.rows]
    expected[0]["name"] = "=a\\udc80"
    assert table.to_pylist() == expected
    metadata = table.schema.metadata
    assert metadata[b"rsonnx.status"] == b"incomplete"
    assert json.loads(metadata[b"rsonnx.header"]) == run.header.to_json()
    export_run(dataclasses.replace(run, rows=()), tmp_path / "none", "parquet")
    assert parquet.read_table(tmp_path / "none").schema == table.schema


def test_a_run_without_rows_has_its_columns(run: Run, tmp_path: Path) -> None:
    empty = dataclasses.replace(run, rows=())
    export_run(empty, tmp_path / "tsv", "tsv")
    assert read_log(tmp_path / "tsv").rows == ()
    export_run(empty, tmp_path / "csv", "csv")
    assert (tmp_path / "csv").read_text() == ",".join(c.name for c in columns_of([])) + "\n"


def test_pyarrow_is_loaded_for_parquet_only_and_missed_in_a_sentence(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "import sys, rsonnx.cli, rsonnx.runs.export; print('pyarrow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.decode().strip() == "False"
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(UsageError, match=r"rsonnx\[tables\]"):
        export_run(run, tmp_path / "run.parquet", "parquet")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(run: Run, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("precious", ".", "link", "none/rows.csv", "x" * 5000):
        with pytest.raises(UsageError, match=name):
            export_run(run, tmp_path / name, "csv")
    with pytest.raises(UsageError, match="'xls'"):
        export_run(run, tmp_path / "x", "xls")  # type: ignore[arg-type]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "precious"]
    assert (tmp_path / "precious").read_text() == "precious"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_export_leaves_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def fail(descriptor: int) -> None:
        raise error

    monkeypatch.setattr(export_module.os, "fsync", fail)
    with pytest.raises(RunFileError if isinstance(error, OSError) else KeyboardInterrupt):
        export_run(run, tmp_path / "rows.csv", "csv")
    assert list(tmp_path.iterdir()) == []
