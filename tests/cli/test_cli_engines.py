"""Where a run counts cannot be seen in its rows, and what cannot count is refused in a sentence."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from rsonnx.cli import engines
from rsonnx.cli import run as run_command
from rsonnx.cli.engines import device_numbers
from rsonnx.errors import ProviderError
from rsonnx.runs import Row, read_run
from rsonnx.runtime.machine import Driver

NEEDS_RAY = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is missing")


def certify(workshop: Path, out: Path, *options: str) -> int:
    words = ["certify", workshop / "tiny.onnx", workshop / "set", "--sigma", "0.25", "--n", "300"]
    return run_command([*map(str, words), "--seed", "4", "--quiet", "-o", str(out), *options])


def rows(path: Path) -> list[Row]:
    return [Row.from_json(row.to_json() | {"seconds": 0.0}) for row in read_run(path).rows]


@pytest.mark.parametrize(
    "options",
    [
        ["--workers", "3"],
        ["--batch-size", "7"],
        pytest.param(["--engine", "ray", "--workers", "2"], marks=NEEDS_RAY),
    ],
)
def test_the_engine_cannot_be_seen_in_the_rows(
    options: list[str], workshop: Path, tmp_path: Path
) -> None:
    assert certify(workshop, tmp_path / "plain.jsonl") == 0
    assert certify(workshop, tmp_path / "other.jsonl", *options) == 0
    assert rows(tmp_path / "other.jsonl") == rows(tmp_path / "plain.jsonl")


def test_shared_noise_is_recorded(workshop: Path, tmp_path: Path) -> None:
    assert certify(workshop, tmp_path / "own.jsonl") == 0
    assert certify(workshop, tmp_path / "shared.jsonl", "--share-noise") == 0
    own, shared = (read_run(tmp_path / f"{name}.jsonl") for name in ("own", "shared"))
    assert not own.header["noise"]["shared"]
    assert shared.header["noise"]["shared"]
    assert rows(tmp_path / "own.jsonl") != rows(tmp_path / "shared.jsonl")
    words = ["verify", tmp_path / "shared.jsonl", "--model", workshop / "tiny.onnx"]
    words += ["--data", workshop / "set", "--replay", "9"]
    assert run_command([*map(str, words)]) == 0


def test_float16_is_another_classifier_and_says_so(workshop: Path, tmp_path: Path) -> None:
    assert certify(workshop, tmp_path / "half.jsonl", "--float16") == 0
    facts = read_run(tmp_path / "half.jsonl").header["model"]
    assert facts["float16"]["sha256"] != facts["sha256"]
    assert "none for the file's own" in facts["float16"]["statement"]
    words = ["verify", tmp_path / "half.jsonl", "--model", workshop / "tiny.onnx"]
    words += ["--data", workshop / "set", "--replay", "3"]
    assert run_command([*map(str, words)]) == 0


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--devices", "0"], 2, "--devices"),
        (["--devices", "1,1"], 2, "1, 1"),
        (["--devices", "0,x"], 2, "'0,x'"),
        (["--devices", ""], 2, "--devices"),
        (["--tf32"], 2, "TF32"),
        (["--address", "x:1"], 2, "--address"),
        (["--gpus-per-worker", "1"], 2, "--gpus-per-worker"),
        (["--engine", "ray", "--devices", "0"], 2, "--gpus-per-worker"),
        (["--workers", "0"], 2, "workers is 0"),
    ],
)
def test_what_cannot_count_is_refused(
    options: list[str],
    code: int,
    said: str,
    workshop: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "none.jsonl"
    assert certify(workshop, out, "--providers", "cpu", *options) == code
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not out.exists()


def test_all_devices_are_those_of_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "find_driver", lambda: Driver(13000, 0, 3))
    assert list(device_numbers("all")) == [0, 1, 2]
    assert list(device_numbers("2,0")) == [2, 0]
    assert list(device_numbers(None)) == []
    for driver in (None, Driver(13000, 100, 0)):
        monkeypatch.setattr(engines, "find_driver", lambda driver=driver: driver)
        with pytest.raises(ProviderError, match="no CUDA device here"):
            device_numbers("all")
