"""Runs for other programs: the field's log, CSV, Parquet; read back by other readers."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from headers import header

from rsonnx.errors import RunFileError, UsageError
from rsonnx.logs import audit_log, read_log
from rsonnx.report import certified
from rsonnx.runs import Row, Run, read_run
from rsonnx.runs import export as export_module
from rsonnx.runs.export import export_run
from rsonnx.runs.rows import COLUMNS

FORMULAS = (
    "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "\u00a0=1", "\uff1d1",
    "=HYPERLINK(\"http://x\",\"y\")", "'=1", "'quoted'",
)  # fmt: skip
STRANGE = (*FORMULAS, "a\tb", "a\nb\r\n", 'a"b,c;d', "a=b", "\udc80half", "\x1b[31m", "\u202e", "")
HUGE = 1.7976931348623157e308


@pytest.fixture
def run(
    tmp_path: Path,
    make_row: Callable[..., Row],
) -> Run:
    """Three certified rows and one without a certificate; one has no label."""
    rows = (
        make_row(0, hits=990),
        make_row(1, hits=700, label=2),
        make_row(5, hits=500),
        make_row(7, hits=995, label=None),
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
    first, wrong, abstained, unlabelled = (line.split("\t") for line in lines)
    assert first[:3] == ["0", "3", "3"]
    assert first[4:] == ["1", "0:00:00.125000"]
    assert wrong[:3] + wrong[4:5] == ["1", "2", "3", "0"]
    assert abstained == ["5", "3", "-1", "0.0", "0", "0:00:00.125000"]
    assert unlabelled[:3] + unlabelled[4:5] == ["7", "", "3", "0"]
    for cells, row in zip((first, wrong, unlabelled), (run.rows[0], run.rows[1], run.rows[3]),
                          strict=True):  # fmt: skip
        assert re.fullmatch(r"[0-9]+\.[0-9]{6}", cells[3])
        assert 0 <= Fraction(row.radius) - Fraction(cells[3]) < Fraction(1, 10**6)


def test_the_log_gives_the_same_table(run: Run, tmp_path: Path) -> None:
    labelled = dataclasses.replace(run, rows=run.rows[:3])
    export_run(labelled, tmp_path / "log", "tsv")
    log = read_log(tmp_path / "log")
    assert log.notes == ()
    assert [(r.index, r.label, r.prediction, r.correct, r.abstained) for r in log.rows] == [
        (r.index, r.label, r.prediction, r.correct, r.abstained) for r in labelled.rows
    ]
    radii = [0.01 * step for step in range(200)]
    ours, theirs = certified(labelled.rows, radii), certified(log.rows, radii)
    assert theirs.certified_accuracy == ours.certified_accuracy
    assert theirs.certified_share == ours.certified_share
    assert ours.acr is not None
    assert theirs.acr is not None
    assert ours.acr - 1e-6 < theirs.acr <= ours.acr


def test_an_unlabelled_row_comes_back_unlabelled(run: Run, tmp_path: Path) -> None:
    export_run(run, tmp_path / "log", "tsv")
    log = read_log(tmp_path / "log")
    assert [row.label for row in log.rows] == [row.label for row in run.rows]
    assert [str(note) for note in log.notes] == ["line 5: the label is empty"]


def test_our_own_log_passes_the_audit(
    run: Run, tmp_path: Path, make_row: Callable[..., Row]
) -> None:
    rows = tuple(make_row(i, hits=600 + i) for i in range(401))
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
    assert 0 <= Fraction(radius) - Fraction(cell) < Fraction(1, 10**6)
    assert read_log(tmp_path / "log").rows[0].prediction == 3


def test_every_field_has_a_column(run: Run) -> None:
    written = run.rows[0].to_json()
    nested = {"counts": ("selection", "estimation"), "samples": ("selection", "estimation"),
              "claim": ("hits", "samples")}  # fmt: skip
    expected: list[str] = []
    for name in written:
        if name != "kind":
            expected += [f"{name}_{part}" for part in nested[name]] if name in nested else [name]
    assert [column.name for column in COLUMNS] == expected


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_csv_has_all_fields_to_the_last_digit(run: Run, tmp_path: Path) -> None:
    full = changed(run, claim=(9, 10), uniform=0.25, p_b_upper=0.1)
    export_run(full, tmp_path / "rows.csv", "csv")
    first, _, abstained, unlabelled = read_csv(tmp_path / "rows.csv")
    row = full.rows[0]
    assert float(first["radius"]) == row.radius
    assert float(first["p_a_lower"]) == row.p_a_lower
    assert json.loads(first["counts_estimation"]) == row.estimation.to_json()
    assert (first["claim_hits"], first["claim_samples"]) == ("9", "10")
    assert (first["uniform"], first["p_b_upper"]) == ("0.25", "0.1")
    assert (first["abstained"], first["reason"]) == ("false", "")
    assert (abstained["abstained"], abstained["prediction"]) == ("true", "-1")
    assert abstained["radius"] == "0.0"
    assert abstained["reason"]
    assert (unlabelled["label"], unlabelled["one_sided_radius"]) == ("", "")


@pytest.mark.parametrize("name", STRANGE)
def test_a_stranger_s_name_is_data(run: Run, tmp_path: Path, name: str) -> None:
    """No cell starts a formula, whatever it is named; the name comes back, and the table holds."""
    for field in ("name", "digest", "explanation", "arithmetic"):
        path = tmp_path / f"{field}.csv"
        export_run(changed(run, **{field: name}), path, "csv")
        rows = read_csv(path)
        cell = rows[0][field]
        assert not cell.lstrip().startswith(("=", "+", "-", "@", "\uff1d"))
        assert cell[:1] not in ("\t", "\r", "\n")
        assert cell.removeprefix("'") == name.replace("\udc80", "\\udc80")
        if name in FORMULAS:
            assert cell.startswith("'")
        assert [row["index"] for row in rows] == ["0", "1", "5", "7"]


def test_csv_loads_in_pandas_with_one_line(run: Run, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    export_run(run, tmp_path / "run.csv", "csv")
    frame = pandas.read_csv(tmp_path / "run.csv")
    # Before version 3 its quick reader of numbers may miss the last bit.
    assert frame["radius"].tolist() == pytest.approx([row.radius for row in run.rows], rel=1e-15)
    assert frame["p_a_lower"].tolist() == pytest.approx(
        [row.p_a_lower for row in run.rows], rel=1e-15
    )
    assert frame["prediction"].tolist() == [row.prediction for row in run.rows]
    assert frame["abstained"].tolist() == [row.abstained for row in run.rows]
    assert str(frame["abstained"].dtype) == "bool"
    assert frame["label"].isna().tolist() == [False, False, False, True]


def test_tsv_loads_in_pandas_with_one_line(run: Run, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    export_run(run, tmp_path / "run.tsv", "tsv")
    frame = pandas.read_csv(tmp_path / "run.tsv", sep="\t")
    assert frame["correct"].tolist() == [1, 0, 0, 0]
    assert frame["predict"].tolist() == [3, 3, -1, 3]


def test_parquet_holds_everything(run: Run, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    partial = dataclasses.replace(changed(run, name="=a\udc80"), status="incomplete")
    export_run(partial, tmp_path / "run.parquet", "parquet")
    table = parquet.read_table(tmp_path / "run.parquet")
    assert table.column_names == [column.name for column in COLUMNS]
    rows = table.to_pylist()
    assert [row["radius"] for row in rows] == [row.radius for row in run.rows]
    assert [row["label"] for row in rows] == [3, 2, 3, None]
    assert rows[0]["name"] == "=a\\udc80"
    assert rows[0]["p_b_upper"] is None
    assert json.loads(rows[0]["counts_selection"]) == run.rows[0].selection.to_json()
    metadata = table.schema.metadata
    assert metadata[b"rsonnx.status"] == b"incomplete"
    assert json.loads(metadata[b"rsonnx.header"]) == run.header.record


def test_parquet_loads_in_pandas_with_one_line(run: Run, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    export_run(run, tmp_path / "run.parquet", "parquet")
    frame = pandas.read_parquet(tmp_path / "run.parquet")
    assert frame["radius"].tolist() == [row.radius for row in run.rows]


@pytest.mark.parametrize("file_format", ["tsv", "csv", "parquet"])
def test_a_run_without_rows_has_its_columns(run: Run, tmp_path: Path, file_format: Any) -> None:
    if file_format == "parquet":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    path = tmp_path / "none"
    export_run(dataclasses.replace(run, rows=()), path, file_format)
    if file_format == "tsv":
        assert read_log(path).rows == ()
    elif file_format == "csv":
        assert read_csv(path) == []
        assert path.read_text().startswith("index,name,")
    else:
        assert path.stat().st_size > 0


def test_without_pyarrow_one_sentence_says_so(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(UsageError, match=r"pip install 'rsonnx\[parquet\]'"):
        export_run(run, tmp_path / "run.parquet", "parquet")
    assert list(tmp_path.iterdir()) == []


def test_pyarrow_is_only_loaded_for_parquet() -> None:
    code = "import sys, rsonnx.cli, rsonnx.runs.export; print('pyarrow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.decode().strip() == "False"


def test_nothing_is_overwritten(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("precious")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for target in (path, tmp_path, tmp_path / "link"):
        with pytest.raises(UsageError, match="exists already and is never overwritten"):
            export_run(run, target, "csv")
    assert path.read_text() == "precious"
    assert not (tmp_path / "nowhere").exists()
    with pytest.raises(UsageError, match="cannot be created: No such file"):
        export_run(run, tmp_path / "none" / "rows.csv", "csv")
    with pytest.raises(UsageError, match="cannot be created: File name too long"):
        export_run(run, tmp_path / ("x" * 5000), "csv")
    with pytest.raises(UsageError, match="the format is 'xls'"):
        export_run(run, tmp_path / "x", "xls")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "raised"),
    [(OSError(28, "No space left on device"), RunFileError), (KeyboardInterrupt(),) * 2],
)
def test_a_failed_export_leaves_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Any, raised: Any
) -> None:
    def fail(descriptor: int) -> None:
        raise error

    monkeypatch.setattr(export_module.os, "fsync", fail)
    with pytest.raises(raised if isinstance(raised, type) else type(raised)):
        export_run(run, tmp_path / "rows.csv", "csv")
    assert list(tmp_path.iterdir()) == []


def test_a_run_file_is_exported(run_file: Callable[..., Path], tmp_path: Path) -> None:
    export_run(read_run(run_file(3)), tmp_path / "log", "tsv")
    assert len(read_log(tmp_path / "log").rows) == 3
