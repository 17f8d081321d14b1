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
    words = ["certify", model, data, "--sigma", "0.5", "--n", "300", "--limit", "5", "--first"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rsonnx.runs.opening.try_in_child", lambda *_, **__: None)
        for name, options in WAYS.items():
            path = folder / f"{name}.jsonl"
            assert run_command([*map(str, words), "--seed", "1", *options, "-o", str(path)]) == 0
    return {name: folder / f"{name}.jsonl" for name in WAYS}


def _flip(row: dict[str, Any]) -> None:
    counts = row["counts"]["estimation"]
    top = str(row["top_class"])
    counts[top] -= 1
    counts["9" if top != "9" else "8"] = counts.get("9" if top != "9" else "8", 0) + 1


def _raise(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda row: row.update({name: row[name] * (1 + 2**-50)})


CHANGES: list[tuple[Callable[[dict[str, Any]], None], str]] = [
    (_flip, "p_a_lower is"),
    (_raise("radius"), "radius is"),
    (_raise("p_a_lower"), "p_a_lower is"),
    (lambda row: row.update(prediction=(row["prediction"] + 1) % 10), "prediction is"),
    (lambda row: row["counts"]["estimation"].update(watched_rows=1), "watched"),
]


@pytest.mark.parametrize("name", WAYS)
def test_a_run_holds_as_it_was_written_and_one_changed_figure_is_found(
    name: str, files: dict[str, Path], tmp_path: Path
) -> None:
    found = verify(read_run(files[name]))
    assert found == Verification(
        5, 5, *((5, 5) if name in PROVED else (0, 0)), manifest=True, faults=()
    )
    for change, named in CHANGES:
        found = verify(
            read_run(changed(files[name], tmp_path / "x.jsonl", 3, change), checked=False)
        )
        assert {fault.index for fault in found.faults} == {2}
        # The flipped hit is missing from the look that an adaptive run claims.
        expected = "claim" if (name, change) == ("adaptive", _flip) else named
        assert any(expected in fault.what for fault in found.faults)
        assert found.derived == 4


@pytest.mark.parametrize(("key", "value"), [("alpha", 0.002), ("n0", 99), ("bound", "chernoff-kl")])
def test_a_changed_header_is_found(
    files: dict[str, Path], tmp_path: Path, key: str, value: Any
) -> None:
    path = changed(
        files["one-sided"], tmp_path / "x", 0, lambda header: header.update({key: value})
    )
    assert {fault.index for fault in verify(read_run(path, checked=False)).faults} >= set(range(5))


def test_rows_that_were_taken_out_are_missed(files: dict[str, Path], tmp_path: Path) -> None:
    lines = files["one-sided"].read_text().splitlines()
    end = json.loads(lines[-1]) | {"inputs": 4}
    path = tmp_path / "x.jsonl"
    path.write_text("\n".join([*lines[:3], *lines[4:-1], json.dumps(end)]) + "\n")
    faults = verify(read_run(path, checked=False)).faults
    assert {fault.index for fault in faults} == {None}
    assert any("4 rows" in fault.what for fault in faults)


def test_the_command(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert run_command(["verify", str(files["one-sided"])]) == 0
    assert "5 derived again" in capsys.readouterr().out
    path = changed(files["one-sided"], tmp_path / "x.jsonl", 1, _raise("radius"))
    assert run_command(["verify", str(path), "--json"]) == 1
    shown = capsys.readouterr()
    assert json.loads(shown.out)["faults"][0]["index"] == 0
    assert shown.err.count("Error:") == 1
