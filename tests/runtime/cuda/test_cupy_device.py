"""The device over a CuPy that is numpy: which call is made with what, and what comes of it."""

from __future__ import annotations

import ctypes
import mmap
import sys
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from stub_cuda import StubCuda, open_stub

from rsonnx.errors import InferenceError, ProviderError, UsageError
from rsonnx.runtime.cuda import cupy_problem, open_device
from rsonnx.runtime.cuda.cupy_device import CupyDevice, kernel_source
from rsonnx.runtime.cuda.pinned import cuda_runtime, pinned
from rsonnx.runtime.session import DeviceMemoryError


def test_all_goes_into_one_stream_that_is_current_no_longer() -> None:
    cuda = StubCuda()
    device = CupyDevice(cuda.cupy, 0)
    device.copy_in(device.zeros((2,), np.int64), np.ones(2, np.int64))
    assert ([*cuda.streams], cuda.current) == ([device.stream], [])
    assert cuda.calls["synchronize"] == 1


def test_memory_that_is_not_there_is_an_error_of_ours() -> None:
    device = open_stub(memory=1024)
    with pytest.raises(DeviceMemoryError):
        device.zeros((257,), np.float32)
    assert not device.copy_out(device.zeros((128,), np.float32)).any()
    assert device.free_memory() == 512


def test_a_mark_is_reached_when_the_work_before_it_is_done_or_never_will_be() -> None:
    cuda = StubCuda()
    device = CupyDevice(cuda.cupy, 0)
    first = device.mark()
    device.copy_out(device.zeros((1,), np.uint32))
    assert device.has_reached(first)
    cuda.queue(cuda.streams[device.stream], "hang", lambda: None)
    second = device.mark()
    assert not any(device.has_reached(second) for _ in range(20))
    assert device.has_reached(first)
    cuda.fail()
    assert device.has_reached(second)  # what comes next says why
    with pytest.raises(InferenceError):
        device.mark()


@pytest.mark.parametrize("kind", ["runtime", "driver"])
def test_a_device_that_fails_is_an_error_of_ours(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    cuda = StubCuda()
    device = CupyDevice(cuda.cupy, 0)
    memory = device.zeros((1,), np.uint32)
    failure = getattr(getattr(cuda.cupy.cuda, kind), f"CUDA{kind.capitalize()}Error")
    text = "cudaErrorIllegalAddress: an illegal access\nmore"
    monkeypatch.setattr(cuda, "called", Mock(side_effect=failure(text)))
    with pytest.raises(InferenceError, match=r"device 0 .*cudaErrorIllegalAddress: an illegal acc"):
        device.launch("rsonnx_sum", 1, np.int64(1), np.int64(1), memory)
    assert cuda.current == []


def test_memory_is_given_back() -> None:
    cuda = StubCuda()
    device = CupyDevice(cuda.cupy, 0)
    for _ in range(2):  # the first is freed where the second is bound to its name
        memory = device.zeros((1_000,), np.float32)
    used = cuda.used
    device.release()
    assert 4_000 <= cuda.used == used / 2 == memory.nbytes + 96


def broken() -> Any:
    cupy = StubCuda().cupy
    cupy.cuda.Stream = Mock(side_effect=RuntimeError("cudaErrorInsufficientDriver: too old.\nmore"))
    return cupy


@pytest.mark.parametrize(
    ("cupy", "number", "error", "named"),
    [
        (None, 0, UsageError, r"rsonnx\[cuda\]"),
        (StubCuda(devices=2).cupy, 2, ProviderError, "device 2"),
        (StubCuda(devices=0).cupy, 0, ProviderError, "device 0"),
        (StubCuda().cupy, -1, UsageError, "-1"),
        (StubCuda().cupy, True, UsageError, "True"),
        (broken(), 0, ProviderError, r"device 0: cudaErrorInsufficientDriver"),
    ],
)
def test_a_device_that_is_not_there_is_refused(
    monkeypatch: pytest.MonkeyPatch, cupy: Any, number: Any, error: Any, named: str
) -> None:
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    with pytest.raises(error, match=named) as caught:
        open_device(number)
    assert "\n" not in str(caught.value)
    first_works = number != 0 and cupy is not None
    assert (cupy_problem() is None) == first_works


def test_why_cupy_does_not_load_is_said_and_not_that_it_says_so_at_length(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "cupy.py").write_text(
        "raise ImportError('=' * 64 + '\\nFailed to import CuPy.') from "
        "ImportError('libfar.so.1: cannot open shared object file')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    assert "libfar.so.1" in str(cupy_problem())


def test_a_device_that_is_there_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", StubCuda(devices=2).cupy)
    assert open_device(1).stream == 4096


def test_the_kernels_travel_with_the_package() -> None:
    assert 'extern "C" __global__ void rsonnx_settle' in kernel_source()


class Runtime:
    """CUDA's runtime library, which locks memory up to a limit of arrays."""

    def __init__(self, most: int) -> None:
        self.most, self.locked = most, set[int]()
        self.device, self.error = 0, 0

    def cudaSetDevice(self, device: Any) -> int:  # noqa: N802
        self.device = device.value
        return 0

    def cudaHostRegister(self, address: Any, size: Any, flags: Any) -> int:  # noqa: N802
        assert (self.device, size.value, flags.value) == (3, 4 * 6, 1)
        assert address.value % mmap.PAGESIZE == 0  # no array shares a page with another
        if len(self.locked) >= self.most:
            self.error = 2
        else:
            self.locked.add(address.value)
        return self.error

    def cudaHostUnregister(self, address: Any) -> int:  # noqa: N802
        self.locked.remove(address.value)
        return 0

    def cudaGetLastError(self) -> int:  # noqa: N802
        error, self.error = self.error, 0
        return error


@pytest.mark.parametrize("most", [0, 2])
def test_locked_memory_is_unlocked_with_its_last_user(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """What cannot be locked is ordinary memory, and no failure is left for others to find."""
    runtime = Runtime(most)
    monkeypatch.setattr("rsonnx.runtime.cuda.pinned.cuda_runtime", lambda: runtime)
    first, second = pinned((2, 3), device=3), pinned((6,), device=3)
    assert (first.shape, first.dtype, pinned((0, 6)).size) == ((2, 3), np.float32, 0)
    assert runtime.error == 0
    second[...] = 1
    view = first[1:]
    del first
    assert len(runtime.locked) == most
    del view, second
    assert runtime.locked == set()


def test_without_cuda_s_runtime_memory_is_ordinary(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert cuda_runtime.__wrapped__() is None
