"""The CuPy device over a CuPy that is numpy: which call is made with what, and what comes of it."""

from __future__ import annotations

import ctypes
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_cupy import FakeCupy
from host_device import EACH_LAUNCHER
from onnx_models import linear, save

from rsonnx.errors import InferenceError, ProviderError, UsageError
from rsonnx.model import INPUT, LABEL
from rsonnx.noise import Gaussian, InputSpace, NoisyStream
from rsonnx.runtime import CountRequest, ThreadEngine
from rsonnx.runtime.cuda import DeviceEngine, PinnedBuffers, cupy_problem, open_device
from rsonnx.runtime.cuda.cupy_device import CupyDevice, kernel_source
from rsonnx.runtime.session import Buffer, DeviceMemoryError
from rsonnx.smoothing import load


class OnHost(CupyDevice):
    """Says to onnxruntime that its memory is the host's, which it is."""

    def buffer(self, memory: Any) -> Buffer:
        found = super().buffer(memory)
        assert (found.kind, found.device) == ("cuda", 0)
        return replace(found, kind="cpu")


class Model:
    def __init__(self, folder: Path) -> None:
        self.loaded = load(save(linear(), folder), preprocess="none", providers="cpu")
        self.session, self.shape = self.loaded.session, self.loaded.shape
        self.num_classes, self.batch_size = 5, None
        self.input_name, self.label_name = INPUT, LABEL


@pytest.mark.parametrize("launcher", EACH_LAUNCHER)
def test_counts_through_cupy_are_those_of_worker_threads(tmp_path: Path, launcher: str) -> None:
    model = Model(tmp_path)
    levels = np.random.default_rng(3).integers(0, 256, model.shape, np.uint8)
    point = InputSpace(model.shape).point(levels)
    stream = NoisyStream(point, Gaussian(0.5), 3, "estimation")
    cupy = FakeCupy(launcher)
    device = OnHost(cupy, 0)
    asked = [CountRequest(stream, 0, 700), CountRequest(stream, 300, 301)]
    found = DeviceEngine(model, device, 64).count(asked)
    assert found == ThreadEngine(model.loaded).count(asked)
    assert device.stream == cupy.streams[0].ptr
    assert len(cupy.streams) == 1
    assert cupy.streams[0].entered == 0


def test_memory_that_is_not_there_is_an_error_of_ours() -> None:
    device = CupyDevice(FakeCupy(memory=100), 0)
    with pytest.raises(
        DeviceMemoryError, match="device 0 has too little memory: Out of memory allocating"
    ):
        device.zeros((26,), np.float32)
    assert device.zeros((25,), np.float32).sum() == 0
    assert device.free_memory() == 100


@pytest.mark.parametrize("kind", ["runtime", "driver"])
def test_a_device_that_fails_is_an_error_of_ours(kind: str) -> None:
    cupy = FakeCupy()
    device = CupyDevice(cupy, 0)
    failure = getattr(getattr(cupy.cuda, kind), f"CUDA{kind.capitalize()}Error")
    cupy.failure = failure("cudaErrorIllegalAddress: an illegal access\nmore")
    with pytest.raises(InferenceError, match=r"device 0 failed: cudaErrorIll\w+: an illegal acc"):
        device.launch("rsonnx_sum", 1, np.int64(1), np.int64(1), device.zeros((1,), np.uint32))
    assert cupy.streams[0].entered == 0


def test_memory_is_given_back() -> None:
    cupy = FakeCupy()
    CupyDevice(cupy, 0).release()
    assert cupy.freed == 1


def test_without_cupy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(UsageError, match=r"pip install 'rsonnx\[cuda\]'"):
        open_device(0)
    assert "not installed" in str(cupy_problem())


class Broken(FakeCupy):
    def _stream(self, non_blocking: bool) -> Any:
        raise RuntimeError("cudaErrorInsufficientDriver: too old.\nmore")


@pytest.mark.parametrize(
    ("cupy", "number", "error", "message"),
    [
        (FakeCupy(devices=2), 2, ProviderError, "device 2 was asked for, but there are 2, numb"),
        (FakeCupy(devices=0), 0, ProviderError, "device 0 was asked for, but there are 0, numb"),
        (FakeCupy(), -1, UsageError, "the device is -1, but the number of one was expected"),
        (FakeCupy(), True, UsageError, "the device is True"),
        (Broken(), 0, ProviderError, r"CuPy cannot use device 0: cudaErr\w+: too old; run"),
    ],
)
def test_a_device_that_is_not_there_is_refused(
    monkeypatch: pytest.MonkeyPatch, cupy: Any, number: Any, error: Any, message: str
) -> None:
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    with pytest.raises(error, match=message) as caught:
        open_device(number)
    assert "\n" not in str(caught.value)


def test_a_device_that_is_there_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", FakeCupy(devices=2))
    assert cupy_problem() is None
    assert open_device(1).stream == 4096


def test_the_kernels_travel_with_the_package() -> None:
    assert 'extern "C" __global__ void rsonnx_settle' in kernel_source()


class Runtime:
    """CUDA's runtime library, which locks memory up to a limit of arrays."""

    def __init__(self, most: int) -> None:
        self.most, self.locked = most, set[int]()

    def cudaHostRegister(self, address: Any, size: Any, flags: Any) -> int:  # noqa: N802
        assert (size.value, flags.value) == (4 * 6, 1)
        if len(self.locked) >= self.most:
            return 2
        self.locked.add(address.value)
        return 0

    def cudaHostUnregister(self, address: Any) -> int:  # noqa: N802
        self.locked.remove(address.value)
        return 0


def test_locked_memory_is_unlocked_with_its_last_user() -> None:
    runtime = Runtime(2)
    buffers = PinnedBuffers(runtime)
    first, second = buffers.empty((2, 3)), buffers.empty((6,))
    assert (first.shape, first.dtype, buffers.pinned) == ((2, 3), np.float32, True)
    view = first[1:]
    del first
    assert len(runtime.locked) == 2
    del view, second
    assert runtime.locked == set()


def test_memory_that_cannot_be_locked_is_ordinary_memory() -> None:
    runtime = Runtime(0)
    buffers = PinnedBuffers(runtime)
    buffers.empty((6,))[...] = 1
    assert (buffers.pinned, runtime.locked) == (False, set())
    assert buffers.empty((0, 6)).size == 0


def test_without_cuda_s_runtime_memory_is_ordinary(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", missing)
    buffers = PinnedBuffers()
    assert (buffers.pinned, buffers.empty((3,)).shape) == (False, (3,))
