"""Verification: a run holds as it was written, and nothing that was changed in it does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from damaged import changed

from rsonnx.cli import run as run_command
from rsonnx.runs import Verification, read_run, verify

SAMPLES = Path(__file__).resolve().parents[2] / "sample_models"
WAYS = {
    "one-sided": [],
    "two-sided": ["--radius", "two-sided"],
    "hoeffding": ["--bound", "hoeffding"],
    "randomised": ["--bound", "randomized-clopper-pearson"],
    "family-wise": ["--family-wise"],
    "adaptive": ["--target-radius", "0.5"],
}
PROVED = {"one-sided", "two-sided", "hoeffding", "family-wise"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small run of the sample model in every way."""
    folder = tmp_path_factory.mktemp("runs")
    model, data = SAMPLES / "mnist_gaussian_0.50.onnx", SAMPLES / "mnist_test_500"
    for name, options in WAYS.items():
        words = ["certify", model, data, "--sigma", "0.5", "--n", "300", "--limit", "5", "--first"]
        path = folder / f"{name}.jsonl"
        assert run_command([*map(str, words), "--seed", "1", *options, "-o", str(path)]) == 0
    return {name: folder / f"{name}.jsonl" for name in WAYS}


@pytest.mark.parametrize("name", WAYS)
def test_a_run_holds_as_it_was_written(name: str, files: dict[str, Path]) -> None:
    found = verify(read_run(files[name]))
    assert found == Verification(5, 5, *((5, 5) if name in PROVED else (0, 0)), ())


def _flip(row: dict[str, Any]) -> None:
    counts = row["counts"]["estimation"]
    top = str(row["top_class"])
    counts[top] -= 1
    counts["9" if top != "9" else "8"] = counts.get("9" if top != "9" else "8", 0) + 1


def _next_up(key: str) -> Callable[[dict[str, Any]], None]:
    def change(row: dict[str, Any]) -> None:
        row[key] = row[key] * (1 + 2**-50)

    return change


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize(
    ("change", "named"),
    [
        (_flip, "p_a_lower is"),
        (_next_up("radius"), "radius is"),
        (_next_up("p_a_lower"), "p_a_lower is"),
        (lambda row: row.update(prediction=(row["prediction"] + 1) % 10), "prediction is"),
    ],
    ids=["count", "radius", "bound", "class"],
)
def test_one_changed_figure_is_found(
    name: str,
    change: Callable[[dict[str, Any]], None],
    named: str,
    files: dict[str, Path],
    tmp_path: Path,
) -> None:
    if (name, named) == ("adaptive", "p_a_lower is") and change is _flip:
        named = "claim"  # the flipped hit is missing from the look that is claimed
    found = verify(read_run(changed(files[name], tmp_path / "x.jsonl", 3, change)))
    assert [fault.index for fault in found.faults] == [2] * len(found.faults)
    assert any(named in fault.what for fault in found.faults)
    assert found.derived == 4


def test_a_changed_header_is_found(files: dict[str, Path], tmp_path: Path) -> None:
    for key, value in (("alpha", 0.002), ("n0", 99), ("bound", "chernoff-kl")):
        path = changed(
            files["one-sided"], tmp_path / "x.jsonl", 0, lambda h, k=key, v=value: h.update({k: v})
        )
        assert len({fault.index for fault in verify(read_run(path)).faults}) == 5


def test_rows_that_were_taken_out_are_missed(files: dict[str, Path], tmp_path: Path) -> None:
    lines = files["one-sided"].read_text().splitlines()
    end = json.loads(lines[-1]) | {"inputs": 4}
    path = tmp_path / "x.jsonl"
    path.write_text("\n".join([*lines[:3], *lines[4:-1], json.dumps(end)]) + "\n")
    faults = verify(read_run(path)).faults
    assert [fault.index for fault in faults] == [None, None]
    assert "4 rows, but announces 5" in faults[0].what


def test_the_command(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert run_command(["verify", str(files["one-sided"])]) == 0
    assert "5 rows (complete): 5 derived again" in capsys.readouterr().out
    path = changed(files["one-sided"], tmp_path / "x.jsonl", 1, _next_up("radius"))
    assert run_command(["verify", str(path), "--json"]) == 1
    shown = capsys.readouterr()
    assert json.loads(shown.out)["faults"][0]["index"] == 0
    assert "Error:" in shown.err
    assert "1 faults were found" not in shown.err
