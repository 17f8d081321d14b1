"""As much of CuPy as rsonnx uses, on this machine: arrays and kernels are the host's."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import kernels_in_cpp
import numpy as np


class Memory:
    """What ``array.data`` is in CuPy."""

    def __init__(self, array: Array) -> None:
        self._array = array
        self.ptr = array.ctypes.data

    def memset_async(self, value: int, size: int, stream: Any) -> None:
        assert (size, stream.open) == (self._array.nbytes, True)
        self._array[...] = value


class Array(np.ndarray):
    """An array of a device; numpy must not be handed it by mistake."""

    @property
    def data(self) -> Memory:  # type: ignore[override]
        return Memory(self)

    def set(self, host: Any, stream: Any) -> None:
        assert type(host) is np.ndarray
        assert (host.shape, host.dtype) == (self.shape, self.dtype)
        self[...] = host

    def get(self, stream: Any) -> Any:
        assert stream.synchronized >= 0
        return np.array(self)


class Context:
    """A device or a stream, which is current inside its ``with``."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)
        self.open = True
        self.entered = 0
        self.synchronized = 0

    def __enter__(self) -> Context:
        self.entered += 1
        return self

    def __exit__(self, *error: object) -> None:
        self.entered -= 1

    def synchronize(self) -> None:
        self.synchronized += 1

    def end_capture(self) -> None:
        raise RuntimeError("there is none")


class FakeCupy(SimpleNamespace):
    """The module.

    Attributes:
        devices: how many there are.
        failure: what the next kernel raises.
        memory: bytes that may be allocated at a time.
    """

    def __init__(self, devices: int = 1, memory: int = 1 << 40) -> None:
        self.devices, self.memory, self.freed = devices, memory, 0
        self.streams: list[Context] = []
        error = type("OutOfMemoryError", (MemoryError,), {})
        self.failure: Exception | None = None
        self.cuda = SimpleNamespace(
            Device=lambda number: Context(number=number),
            Stream=self._stream,
            memory=SimpleNamespace(OutOfMemoryError=error),
            runtime=SimpleNamespace(
                getDeviceCount=lambda: self.devices,
                memGetInfo=lambda: (self.memory, self.memory),
                CUDARuntimeError=type("CUDARuntimeError", (RuntimeError,), {}),
            ),
            driver=SimpleNamespace(CUDADriverError=type("CUDADriverError", (RuntimeError,), {})),
        )

    def _stream(self, non_blocking: bool) -> Context:
        assert non_blocking
        self.streams.append(Context(ptr=4096 + len(self.streams)))
        return self.streams[-1]

    def zeros(self, shape: tuple[int, ...], dtype: Any) -> Any:
        assert sum(stream.entered for stream in self.streams) == 1
        found = np.zeros(shape, dtype)
        if found.nbytes > self.memory:
            raise self.cuda.memory.OutOfMemoryError("Out of memory allocating")
        return found.view(Array)

    def RawModule(self, code: str, backend: str) -> Any:  # noqa: N802 - CuPy's name
        assert (backend, 'extern "C" __global__' in code) == ("nvrtc", True)
        return SimpleNamespace(get_function=self._function)

    def _function(self, name: str) -> Any:
        def launch(grid: tuple[int], block: tuple[int], arguments: tuple[Any, ...]) -> None:
            assert sum(stream.entered for stream in self.streams) == 1
            assert all(isinstance(a, Array | np.generic) for a in arguments)
            if self.failure is not None:
                raise self.failure
            kernels_in_cpp.launch(name, grid[0], block[0], arguments)

        return launch

    def get_default_memory_pool(self) -> Any:
        return SimpleNamespace(free_all_blocks=self._free)

    def _free(self) -> None:
        self.freed += 1
