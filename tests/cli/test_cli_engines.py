"""Where a run counts cannot be seen in its rows, and what cannot count is refused in a sentence."""

from __future__ import annotations

import importlib.util
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from loading_on_the_processor import OnTheProcessor

from rsonnx.cli import engines
from rsonnx.cli import run as run_command
from rsonnx.cli.engines import Loading, device_numbers, open_engine
from rsonnx.errors import ModelError, ProviderError, UsageError
from rsonnx.model import ModelSettings
from rsonnx.noise import Gaussian, InputSpace, NoisyStream
from rsonnx.runs import Row, read_run
from rsonnx.runtime import CountRequest, DeviceOptions, ThreadEngine
from rsonnx.runtime.machine import Driver
from rsonnx.runtime.workers import ProcessEngine

NEEDS_RAY = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is missing")
SETTINGS = ModelSettings(preprocess="none")


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
        (["--devices", "0"], 2, "the model runs on the processor"),
        (["--devices", "1,1"], 2, "names a device twice"),
        (["--devices", "0,x"], 2, "'0,x', but numbers such as 0,1"),
        (["--devices", ""], 2, "numbers such as 0,1"),
        (["--tf32"], 2, "CPUExecutionProvider has none of them"),
        (["--address", "x:1"], 2, "--address is of --engine ray"),
        (["--gpus-per-worker", "1"], 2, "--gpus-per-worker is of --engine ray"),
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
    monkeypatch.setattr(engines, "find_driver", lambda _: Driver(13000, 0, 3))
    assert list(device_numbers("all")) == [0, 1, 2]
    assert list(device_numbers("2,0")) == [2, 0]
    assert list(device_numbers(None)) == []
    for driver in (None, Driver(13000, 100, 0)):
        monkeypatch.setattr(engines, "find_driver", lambda _, driver=driver: driver)
        with pytest.raises(ProviderError, match="no CUDA device here"):
            device_numbers("all")


def test_several_devices_are_a_process_each(workshop: Path, tmp_path: Path) -> None:
    path = workshop / "tiny.onnx"
    loading = OnTheProcessor(SETTINGS, ["cpu"], DeviceOptions())
    model = loading.load(path)
    given = {"devices": "0,1", "batch_size": 50, "workers": 1}
    space = InputSpace(model.shape)
    point = space.point(space.values_of(_levels(model.shape)))
    asked = [CountRequest(NoisyStream(point, Gaussian(0.5), 1, "estimation"), 0, 5_000)]
    with ExitStack() as stack:
        engine = open_engine(path, model, loading, given, stack)
        assert isinstance(engine, ProcessEngine)
        assert engine.facts == {"processes": 2}
        assert engine.count(asked) == ThreadEngine(model).count(asked)
    changed = tmp_path / "tiny.onnx"
    changed.write_bytes((workshop / "undeclared.onnx").read_bytes())
    with ExitStack() as stack, pytest.raises(ModelError, match="was changed after it had been"):
        open_engine(changed, model, loading, given, stack)


def _levels(shape: tuple[int, ...]) -> Any:
    import numpy as np

    return np.random.default_rng(2).integers(0, 256, shape, np.uint8)


def test_ray_takes_no_device_numbers(workshop: Path) -> None:
    loading = Loading(SETTINGS, ["cpu"], DeviceOptions())
    model = loading.load(workshop / "tiny.onnx")
    given = {"engine": "ray", "devices": "0", "workers": None, "batch_size": None}
    with ExitStack() as stack, pytest.raises(UsageError, match="Ray places the workers"):
        open_engine(workshop / "tiny.onnx", model, loading, given, stack)
