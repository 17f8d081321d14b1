"""predict, report, inspect, doctor, and the help of all commands, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import rsonnx as package
from rsonnx import Counts, certify_from_counts, predict_from_counts
from rsonnx.cli import run
from rsonnx.runs import Row, RunWriter

COMMANDS = (
    "certify",
    "predict",
    "preview",
    "report",
    "verify",
    "merge",
    "bounds",
    "plan",
    "inspect",
    "doctor",
    "audit",
    "export",
)
PREDICT = ("predict", "tiny.onnx", "set", "--sigma", "0.25", "--n", "200", "--seed", "3")
HEADER: dict[str, Any] = {
    "kind": "header",
    "format": "rsonnx-run",
    "format_version": 1,
    "model": {"file": "one\x1b[31m.onnx"},
    "data": {"inputs": 3, "size": 3},
    "noise": {"sigma": 0.5, "units": "levels\x07", "norm": "l2", "arithmetic": "exact"}
    | {"distribution": "gaussian"},
    "n": 1000,
    "alpha": 0.001,
    "bound": "clopper-pearson",
    "radius_rule": "one-sided",
    "num_classes": 4,
    "target_radii": None,
    "family_wise": None,
    "largest_radius": 1.2,
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two run files: a.jsonl is complete, b.jsonl was interrupted and lacks a label."""
    here = tmp_path_factory.mktemp("runs")
    _write(here / "a.jsonl", HEADER, [3, 3, 3])
    _write(here / "b.jsonl", HEADER | {"model": {"file": "two.onnx"}}, [3, None], stop=True)
    _write(here / "empty.jsonl", HEADER, [])
    return here


def _write(
    path: Path, header: dict[str, Any], labels: list[int | None], stop: bool = False
) -> None:
    def write() -> None:
        with RunWriter(path, header) as writer:
            for index, label in enumerate(labels):
                hits = (990, 700, 500)[index]
                found = certify_from_counts(
                    Counts([0, 1, 0, 99]), Counts([0, 1000 - hits, 0, hits]), sigma=0.5
                )
                row = Row.of(
                    found, index=index, name="x", label=label, base_prediction=3, seconds=0
                )
                writer.write(row)
            if stop:
                raise KeyboardInterrupt

    if stop:
        with pytest.raises(KeyboardInterrupt):
            write()
    else:
        write()


@pytest.fixture(scope="module")
def outcomes(rsonnx: Callable[..., Any], workshop: Path, runs: Path) -> dict[str, Any]:
    commands: dict[str, tuple[Any, ...]] = {
        "predict": (*PREDICT, "--providers", "cpu"),
        "predict json": (*PREDICT, "--providers", "cpu", "--json"),
        "report": ("report", runs / "a.jsonl", runs / "b.jsonl"),
        "report json": ("report", runs / "a.jsonl", runs / "b.jsonl", "--json"),
        "inspect": ("inspect", "tiny.onnx"),
        "inspect json": ("inspect", "tiny.onnx", "--json"),
        "doctor": ("doctor",),
        "doctor json": ("doctor", "--json"),
        "version": ("--version",),
        "help": ("--help",),
        "certify help": ("certify", "--help"),
    }
    with ThreadPoolExecutor(4) as pool:
        running = {k: pool.submit(rsonnx, *v, cwd=workshop) for k, v in commands.items()}
        return {name: future.result() for name, future in running.items()}


def test_predict_prints_a_line_an_input(outcomes: dict[str, Any]) -> None:
    done = outcomes["predict"]
    assert done.code == 0
    lines = [line.split("\t") for line in done.out.splitlines()]
    assert len(lines) == 20
    assert [line[0] for line in lines[:2]] == ["0/centre.png", "0/edge.png"]
    assert [int(line[1]) for line in lines] == [k // 2 for k in range(20)]
    assert all(int(line[2]) == int(line[1]) for line in lines[::2])
    assert all(0 <= float(line[3]) <= 1 for line in lines)
    abstained = sum(line[2] == "-1" for line in lines)
    assert abstained > 0
    assert done.err.splitlines()[-1].startswith(f"20 inputs, {abstained} abstentions, accuracy")


def test_predict_json_has_the_same_answers_and_their_counts(outcomes: dict[str, Any]) -> None:
    found = [json.loads(line) for line in outcomes["predict json"].out.splitlines()]
    lines = [line.split("\t") for line in outcomes["predict"].out.splitlines()]
    assert [str(one["prediction"]) for one in found] == [line[2] for line in lines]
    for one, line in zip(found, lines, strict=True):
        counts = Counts.from_json(one["counts"])
        derived = predict_from_counts(counts, alpha=one["alpha"], method=one["method"])
        assert (derived.label, derived.p_value) == (one["prediction"], one["p_value"])
        assert derived.abstained is one["abstained"]
        assert float(line[3]) >= one["p_value"]
        assert (counts.total, one["seed"], one["arithmetic"]) == (200, "3", "exact")


def test_report_of_two_runs(outcomes: dict[str, Any]) -> None:
    done = outcomes["report"]
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[1].split()[0] == "one\\x1b[31m.onnx"
    assert lines[2].split()[:5] == ["two.onnx", "0.5", "2", "?", "?"]
    assert "this run is interrupted: the figures are of the 2 inputs" in done.out
    assert done.out.isascii()
    assert all(c.isprintable() or c == "\n" for c in done.out)


def test_report_json(outcomes: dict[str, Any]) -> None:
    one, two = json.loads(outcomes["report json"].out)
    assert (one["status"], two["status"]) == ("complete", "interrupted")
    assert one["certified_accuracy"][0] == pytest.approx(2 / 3)
    assert one["certified_accuracy"][0] <= 2 / 3
    assert two["certified_accuracy"] is None
    assert one["radii"] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert one["samples"]["mean"] == 1100
    stated = one["statements"]
    assert stated["false_certificates"]["expected"] == pytest.approx(0.003)
    assert stated["false_certificates"]["quantile"] == 0
    low, high = stated["certified_accuracy"]["low"][0], stated["certified_accuracy"]["high"][0]
    assert low < 2 / 3 < high
    assert stated["acr"]["low"] <= one["acr"] <= stated["acr"]["high"]
    assert two["statements"]["certified_accuracy"] is None
    assert outcomes["report json"].err == ""


def test_report_at_radii_of_ones_own(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", str(runs / "a.jsonl"), "--radii", "0,0.123456789,1"]) == 0
    assert capsys.readouterr().out.split()[5:8] == ["r=0", "r=0.123456789", "r=1"]


def test_report_names_the_run_that_has_no_inputs(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["report", str(runs / "a.jsonl"), str(runs / "empty.jsonl")]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Error: ")
    assert "empty.jsonl" in err


def test_inspect(outcomes: dict[str, Any]) -> None:
    done = outcomes["inspect"]
    assert (done.code, done.err) == (0, "")
    assert "x: float32 [N, 1, 8, 8]" in done.out
    assert "can be certified, as far as the file shows; one input is 1x8x8" in done.out
    found = json.loads(outcomes["inspect json"].out)
    assert found["operators"]["Gemm"] == 1
    assert found["inputs"][0]["shape"] == ["N", 1, 8, 8]
    assert len(found["sha256"]) == 64


def test_doctor(outcomes: dict[str, Any]) -> None:
    done = outcomes["doctor"]
    assert (done.code, done.err) == (0, "")
    assert "CPUExecutionProvider: works" in done.out
    found = json.loads(outcomes["doctor json"].out)
    assert found["providers"]["CPUExecutionProvider"] is None
    assert found["versions"]["rsonnx"] == package.__version__
    assert found["providers"][found["default"]] is None


def test_version(outcomes: dict[str, Any]) -> None:
    assert outcomes["version"].out == f"rsonnx {package.__version__}\n"


def test_the_help_of_the_group(
    outcomes: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert outcomes["help"].code == run(["-h"]) == 0
    assert outcomes["help"].out == capsys.readouterr().out
    assert all(f"\n  {name} " in outcomes["help"].out for name in COMMANDS)
    assert "130 interrupted" in outcomes["help"].out


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_has_an_example(
    name: str,
    outcomes: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run([name, "--help"]) == 0
    long = capsys.readouterr()
    assert run([name, "-h"]) == 0
    assert capsys.readouterr() == long
    example = long.out.partition("Example:\n")[2]
    assert example.lstrip().startswith(f"rsonnx {name}")
    assert long.err == ""
    if name == "certify":
        assert outcomes["certify help"].out == long.out


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_shell_completion(rsonnx: Callable[..., Any], tmp_path: Path, shell: str) -> None:
    done = rsonnx(cwd=tmp_path, _RSONNX_COMPLETE=f"{shell}_source")
    assert done.code == 0
    assert "_RSONNX_COMPLETE" in done.out


@pytest.mark.skipif(sys.platform == "win32", reason="pipes close in another way there")
def test_a_reader_that_leaves_early(workshop: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "rsonnx", *PREDICT, "--providers", "cpu"],
            cwd=workshop,
            stdout=writing,
            stderr=subprocess.PIPE,
            check=False,
            text=True,
            timeout=60,
        )
    finally:
        os.close(writing)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert "has a bug" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="there is no shell to close a stream")
@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_closed_streams_are_no_errors(runs: Path, closed: str) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$0" -m rsonnx report a.jsonl {closed}', sys.executable],
        cwd=runs,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0
    assert done.stderr == b""
