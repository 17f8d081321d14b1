"""A device that is this machine: numpy arrays for its memory, either form of the kernels."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import kernels_in_cpp
import kernels_in_numpy
import numpy as np
import pytest
from numpy.typing import DTypeLike, NDArray

from rsonnx.runtime.cuda.cupy_device import KERNELS
from rsonnx.runtime.session import Buffer, DeviceMemoryError

Launch = Callable[[str, int, int, tuple[Any, ...]], None]

LAUNCHERS: dict[str, Launch] = {"numpy": kernels_in_numpy.launch, "c++": kernels_in_cpp.launch}
EACH_LAUNCHER = [
    "numpy",
    pytest.param(
        "c++",
        marks=pytest.mark.skipif(
            kernels_in_cpp.missing is not None, reason=str(kernels_in_cpp.missing)
        ),
    ),
]


class HostDevice:
    """Follows the Device protocol.

    Attributes:
        memory: bytes that may be allocated at a time; more is refused as a device refuses it.
        launches: names of the kernels that were run.
        sent: how many arrays were copied in.
        released: bytes of the largest array that was still in use when memory was given back.
    """

    def __init__(self, launcher: str = "numpy", memory: int = 1 << 40) -> None:
        self._launch = LAUNCHERS[launcher]
        self.memory = memory
        self.launches: list[str] = []
        self.sent = 0
        self.released: list[int] = []
        self._alive: list[weakref.ref[NDArray[Any]]] = []

    def zeros(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        found = np.zeros(shape, dtype)
        if found.nbytes > self.memory:
            raise DeviceMemoryError(f"there is no memory for {found.nbytes} bytes")
        self._alive.append(weakref.ref(found))
        return found

    def copy_in(self, memory: NDArray[Any], host: NDArray[Any]) -> None:
        assert memory.shape == host.shape
        assert memory.dtype == host.dtype
        memory[...] = host
        self.sent += 1

    def copy_out(self, memory: NDArray[Any]) -> NDArray[Any]:
        return memory.copy()

    def clear(self, memory: NDArray[Any]) -> None:
        memory[...] = 0

    def buffer(self, memory: NDArray[Any]) -> Buffer:
        return Buffer("cpu", 0, memory.ctypes.data, memory.shape, memory.dtype.type)

    def launch(self, kernel: str, threads: int, *arguments: Any) -> None:
        assert kernel in KERNELS
        assert threads >= 1
        self.launches.append(kernel)
        self._launch(kernel, -(-threads // 128), 128, arguments)

    def free_memory(self) -> int:
        return self.memory

    def release(self) -> None:
        alive = [memory for memory in (ref() for ref in self._alive) if memory is not None]
        self.released.append(max((memory.nbytes for memory in alive), default=0))
