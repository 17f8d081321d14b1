"""A device that is this machine: CuPy's arrays are numpy's, the kernels are compiled for it."""

from __future__ import annotations

import weakref
from dataclasses import replace
from typing import Any

import kernels_in_cpp
import pytest
from fake_cupy import FakeCupy
from numpy.typing import DTypeLike, NDArray

from rsonnx.runtime.cuda.cupy_device import CupyDevice
from rsonnx.runtime.session import Buffer

NEEDS_COMPILER = pytest.mark.skipif(
    kernels_in_cpp.missing is not None, reason=str(kernels_in_cpp.missing)
)


class HostDevice(CupyDevice):
    """Says to onnxruntime that its memory is the host's, which it is.

    Attributes:
        launches: names of the kernels that were run.
        sent: how many arrays were copied in.
        released: bytes of the largest array that was still in use when memory was given back.
    """

    def __init__(self, memory: int = 1 << 40) -> None:
        self.cupy = FakeCupy(memory=memory)
        super().__init__(self.cupy, 0)
        self.launches: list[str] = []
        self.sent = 0
        self.released: list[int] = []
        self._alive: list[weakref.ref[Any]] = []

    def zeros(self, shape: tuple[int, ...], dtype: DTypeLike) -> Any:
        memory = super().zeros(shape, dtype)
        self._alive.append(weakref.ref(memory))
        return memory

    def copy_in(self, memory: Any, host: NDArray[Any]) -> None:
        super().copy_in(memory, host)
        self.sent += 1

    def buffer(self, memory: Any) -> Buffer:
        buffer = super().buffer(memory)
        assert (buffer.kind, buffer.device) == ("cuda", 0)
        return replace(buffer, kind="cpu")

    def launch(self, kernel: str, threads: int, *arguments: Any) -> None:
        assert threads >= 1
        self.launches.append(kernel)
        super().launch(kernel, threads, *arguments)

    def release(self) -> None:
        super().release()
        alive = [memory for memory in (ref() for ref in self._alive) if memory is not None]
        self.released.append(max((memory.nbytes for memory in alive), default=0))
