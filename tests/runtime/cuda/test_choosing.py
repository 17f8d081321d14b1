from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import numpy as np
import onnxruntime
import pytest
from kernels_in_cpp import NEEDS_COMPILER
from onnx_models import linear, save
from stub_cuda import StubCuda, open_stub

from rsonnx.errors import UsageError
from rsonnx.runtime import ProviderChoice, ThreadEngine
from rsonnx.runtime.cuda import DeviceEngine, engine_for, open_place
from rsonnx.runtime.device_options import CPU, CUDA, TENSORRT, DeviceOptions
from rsonnx.runtime.workers.worker import Ready, Worker
from rsonnx.smoothing import load


@pytest.mark.parametrize("name", [CUDA, TENSORRT])
def test_where_cupy_works_session_and_noise_share_a_stream(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setitem(sys.modules, "cupy", StubCuda(devices=2).cupy)
    place = open_place(ProviderChoice(name, ()), DeviceOptions(device=1, tf32=True))
    assert place.device is not None
    assert place.options == DeviceOptions(device=1, tf32=True, stream=place.device.stream)
    assert place.facts == {"noise": "device"}


def no_builtins() -> Any:
    """Return CuPy over an NVRTC that does not find its builtins."""
    cupy, failure = StubCuda().cupy, RuntimeError("failed to open libnvrtc-builtins.so.13.0")
    cupy.RawModule = Mock(side_effect=failure)
    return cupy


@pytest.mark.parametrize(
    ("cupy", "why"),
    [(None, "not installed"), (StubCuda(devices=0).cupy, "device 0"), (no_builtins(), "nvrtc")],
)
def test_where_cupy_fails_noise_is_drawn_on_the_host_and_the_header_says_why(
    monkeypatch: pytest.MonkeyPatch, cupy: Any, why: str
) -> None:
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    place = open_place(ProviderChoice(CUDA, ()), DeviceOptions())
    assert (place.device, place.options) == (None, DeviceOptions())
    assert place.facts["noise"] == "host"
    assert why in place.facts["why"]
    with pytest.raises(UsageError, match="CUDA graph"):
        open_place(ProviderChoice(CUDA, ()), DeviceOptions(cuda_graph=True))


def test_a_processor_needs_nothing_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", StubCuda().cupy)
    place = open_place(ProviderChoice(CPU, ()), DeviceOptions())
    assert (place.device, place.facts) == (None, {"noise": "host"})


ELSEWHERE = {"on_cpu": False, "session": SimpleNamespace(device=DeviceOptions(3))}


def base(**claims: Any) -> Any:
    return SimpleNamespace(classify=lambda batch: np.zeros(len(batch), np.int64), **claims)


@pytest.mark.parametrize(
    ("claims", "workers", "expected"),
    [
        (ELSEWHERE, None, 2),
        (ELSEWHERE, 5, 5),
        ({}, None, 1),
        ({"on_cpu": True}, None, 1),
        ({"thread_safe": True}, None, 3),
        (ELSEWHERE | {"device": None}, None, 2),
        (ELSEWHERE | {"device": open_stub(), "num_classes": None}, None, 2),
    ],
)
def test_without_a_device_threads_count(
    claims: dict[str, Any], workers: int | None, expected: int
) -> None:
    engine = engine_for(base(**claims), 8, workers, cores=3)
    assert isinstance(engine, ThreadEngine)
    assert engine.workers == expected


def test_with_a_device_the_device_counts(tmp_path: Path) -> None:
    model = load(save(linear(), tmp_path), preprocess="none", providers="cpu")
    assert isinstance(engine_for(model), ThreadEngine)
    claims = {"num_classes": 3, "shape": (2,), "most_rows": None, "session": None}
    engine = engine_for(base(device=open_stub(), **claims), 8)
    assert isinstance(engine, DeviceEngine)
    assert engine.size == 8


@NEEDS_COMPILER
def test_a_worker_touches_no_device_but_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight workers would else make a context each on the first card, which may be full."""
    origin = load(save(linear(), tmp_path), preprocess="none", providers="cpu").elsewhere
    cuda, numbers = StubCuda(devices=8), set[str]()
    with cuda.installed():
        stub, device = onnxruntime.InferenceSession, cuda.cupy.cuda.Device

        def session(*arguments: Any, providers: Any, **more: Any) -> Any:
            numbers.update(options.get("device_id", "none") for _, options in providers)
            return stub(*arguments, providers=providers, **more)

        def opened(number: int) -> Any:
            numbers.add(f"CuPy {number}")
            return device(number)

        monkeypatch.setattr(onnxruntime, "InferenceSession", session)
        monkeypatch.setattr(cuda.cupy.cuda, "Device", opened)
        ready = Worker().open(partial(replace(origin, providers=("cuda",)).on, 7), engine_for)
        monkeypatch.undo()
    assert isinstance(ready, Ready)
    assert numbers == {"7", "CuPy 7", "none"}  # that the processor works is looked at, too
