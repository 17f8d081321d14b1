"""``tools/gpu_check.py`` without a card: what a processor can do of it, and the rest over fakes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from fake_cupy import FakeCupy
from host_device import NEEDS_COMPILER
from onnx_models import linear, save

from rsonnx.runtime import ProviderChoice, choose_provider, provider_problem
from rsonnx.runtime.cuda import Place, open_place
from rsonnx.runtime.cuda.cupy_device import CupyDevice
from rsonnx.runtime.device_options import CUDA, DeviceOptions

pytestmark = NEEDS_COMPILER


@pytest.fixture
def tools(tool: Callable[[str], Any]) -> Any:
    names = {"check": "gpu_check", "checks": "gpu_checks", "subjects": "gpu_subjects"}
    return SimpleNamespace(**{key: tool(name) for key, name in names.items()})


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save(linear(("n", 3, 8, 8)), tmp_path)


@pytest.mark.skipif(provider_problem(CUDA) is None, reason="this machine has CUDA")
def test_without_cuda_it_is_one_sentence_and_exit_code_4(
    tools: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tools.check.main([]) == 4
    out = capsys.readouterr().out
    assert out.startswith("CUDA does not work here: ")
    assert out.count("\n") == 1


@pytest.mark.parametrize("restart", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_processor_runs_what_it_can(
    tools: Any,
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    restart: bool,
) -> None:
    if not restart:  # three runs of a command take most of the time
        whole = tools.checks.Check("killed and resumed", True, "left out")
        monkeypatch.setattr(tools.check, "check_restart", lambda *_: whole)
    output = tmp_path / "found.json"
    sizes = ["--samples", "300", "--n", "500", "--rounds", "2", "--seconds", "0.01"]
    given = ["--provider", "cpu", "--model", str(model), "--preprocess", "none", *sizes]
    assert tools.check.main([*given, "--output", str(output)]) == 0
    found = json.loads(output.read_text())
    passed = {check["name"]: check["passed"] for check in found["checks"]}
    assert passed == {
        "noise, bit for bit": None,
        "ties and NaN": True,
        "counts": True,
        "speed": True,
        "out of memory": None,
        "killed and resumed": True,
        "certificate": True,
        "all devices": None,
    }
    assert {"date", "cards", "driver", "versions", "model"} <= set(found)
    assert capsys.readouterr().out.count("\n") == 1 + len(passed)


def test_wrong_usage_is_one_sentence(
    tools: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = str(tmp_path / "none.onnx")
    assert tools.check.main(["--provider", "cpu", "--model", missing]) == 2
    assert "Error: the model file" in capsys.readouterr().err
    fixed = save(linear((4, 3, 8, 8)), tmp_path)
    arguments = ["--provider", "cpu", "--model", str(fixed), "--preprocess", "none"]
    assert tools.check.main(arguments) == 2
    assert "has a fixed batch size" in capsys.readouterr().err
    nowhere = str(tmp_path / "none" / "found.json")
    assert tools.check.main([*arguments, "--output", nowhere]) == 2
    assert "cannot be written: No such file" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        tools.check.main([*arguments, "--n", "0"])
    assert "0 is below 1" in capsys.readouterr().err


def test_a_check_that_breaks_fails_and_does_not_stop_the_others(
    tools: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> Any:
        raise RuntimeError("of the card")

    found = tools.check._tried("it", None, broken)
    assert (found.passed, found.note) == (False, "RuntimeError: of the card")


def on_host(provider: Any, options: DeviceOptions) -> Place:
    """Open the fake device beside a session on the processor."""
    found = open_place(ProviderChoice(CUDA, ()), options)
    return Place(DeviceOptions(), found.device, found.facts)


@pytest.fixture
def device(tools: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A device that CuPy would give, of fakes, whose memory holds 3 MB at a time."""
    cupy = FakeCupy(devices=2, memory=3_000_000)
    real = CupyDevice.buffer
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setattr(
        CupyDevice, "buffer", lambda self, memory: replace(real(self, memory), kind="cpu", device=0)
    )
    # A session on the processor takes no options of a device, and has no stream.
    monkeypatch.setattr(tools.subjects, "open_place", on_host)
    monkeypatch.setattr(tools.checks, "_SIZES", (1, 10, 784))
    monkeypatch.setattr(tools.checks, "_SIGMAS", (0.25,))
    monkeypatch.setattr(tools.checks, "_MOST_VALUES", 20_000)
    return tools.subjects.Where(choose_provider(["cpu"]))


def test_the_checks_of_a_device_over_fakes(tools: Any, device: Any, model: Path) -> None:
    subject, engine = tools.subjects.open_subject(model, "none", device, 256)
    found = [
        tools.checks.check_noise(0),
        tools.checks.check_ties(device),
        tools.checks.check_counts(model, "none", subject, engine, 1_000),
        tools.checks.check_speed(subject, engine, 2, 0.01),
        tools.checks.check_memory(model, "none", device),
        tools.checks.check_devices(model, "none", device, 2, engine),
        tools.checks.check_certificate(subject, engine, 700),
    ]
    assert [check.note for check in found if not check.passed] == []
    memory = found[4]
    assert memory.figures["batch"] <= 3_000_000 // (4 * 3 * 8 * 8)
    assert found[2].figures == {"samples": 1_024, "differ_from_cpu": 0}


def test_noise_that_differs_in_a_bit_fails(
    tools: Any, device: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = CupyDevice.copy_out

    def off_by_a_bit(self: CupyDevice, memory: Any) -> Any:
        found = real(self, memory)
        found.view(np.uint32).reshape(-1)[0] ^= 1
        return found

    monkeypatch.setattr(CupyDevice, "copy_out", off_by_a_bit)
    found = tools.checks.check_noise(0)
    assert found.passed is False
    assert found.figures["differ"] == 3 * 3 * 3


def test_counts_that_a_device_gets_wrong_fail(
    tools: Any, device: Any, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject, engine = tools.subjects.open_subject(model, "none", device, 256)
    count = engine.count

    def shifted(requests: Any, progress: Any = None) -> Any:
        moved = [replace(r, start=r.start + 1, stop=r.stop + 1) for r in requests]
        return count(moved, progress)

    monkeypatch.setattr(engine, "count", shifted)
    assert tools.checks.check_counts(model, "none", subject, engine, 1_000).passed is False


def test_the_resnet_50_is_one(tools: Any, tmp_path: Path) -> None:
    """25.5 million weights (torchvision's has 25,557,032, its batch norms' scales among them)."""
    path = tmp_path / "resnet50.onnx"
    tools.subjects.resnet50(path)
    proto = onnx.load(path)
    weights = sum(int(np.prod(t.dims)) for t in proto.graph.initializer)
    assert weights == 25_530_472
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    scores = session.run(None, {"x": np.random.default_rng(0).random((1, 3, 224, 224), np.float32)})
    assert scores[0].shape == (1, 1000)
    assert 0.01 < np.abs(scores[0]).max() < 1000
