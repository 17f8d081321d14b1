"""A CUDA device as CuPy sees it: its memory, one stream, and the kernels, compiled when needed.

Everything goes into one stream, which the session is opened with too, so that noise, model and
counting follow each other without the host waiting in between.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from rsonnx.errors import InferenceError
from rsonnx.runtime.providers import first_line
from rsonnx.runtime.session import Buffer, DeviceMemoryError

KERNELS = ("rsonnx_draw", "rsonnx_sum", "rsonnx_settle", "rsonnx_count")
_THREADS_A_BLOCK = 128


def kernel_source() -> str:
    """Return the text of the kernels."""
    return (files("rsonnx.runtime.cuda") / "kernels.cu").read_text(encoding="utf-8")


class CupyDevice:
    """One CUDA device, for one thread at a time.

    Args:
        cupy: the module CuPy.
        number: of the device, 0 for the first.
    """

    def __init__(self, cupy: Any, number: int) -> None:
        self._cupy = cupy
        self._number = number
        self._device = cupy.cuda.Device(number)
        with self._device:
            self._stream = cupy.cuda.Stream(non_blocking=True)
            module = cupy.RawModule(code=kernel_source(), backend="nvrtc")
            self._kernels = {name: module.get_function(name) for name in KERNELS}

    @property
    def stream(self) -> int:
        """Address of the stream: what a session must be opened with."""
        return int(self._stream.ptr)

    @contextlib.contextmanager
    def _current(self) -> Iterator[None]:
        """Make device and stream current, and turn CuPy's errors into ours."""
        cuda = self._cupy.cuda
        try:
            with self._device, self._stream:
                yield
        except cuda.memory.OutOfMemoryError as error:
            raise DeviceMemoryError(
                f"device {self._number} has too little memory: {first_line(error)}"
            ) from None
        except (cuda.runtime.CUDARuntimeError, cuda.driver.CUDADriverError) as error:
            raise InferenceError(f"device {self._number} failed: {first_line(error)}") from None

    def zeros(self, shape: tuple[int, ...], dtype: DTypeLike) -> Any:
        """Return new memory of the device, filled with zeros; raises DeviceMemoryError."""
        with self._current():
            return self._cupy.zeros(shape, dtype)

    def copy_in(self, memory: Any, host: NDArray[Any]) -> None:
        """Copy a host array into memory of the same shape and type."""
        with self._current():
            memory.set(host, stream=self._stream)
            self._stream.synchronize()  # the caller may change the array now

    def copy_out(self, memory: Any) -> NDArray[Any]:
        """Return a host copy, after all work asked for so far."""
        with self._current():
            return np.asarray(memory.get(stream=self._stream))

    def clear(self, memory: Any) -> None:
        """Fill memory with zeros."""
        with self._current():
            memory.data.memset_async(0, memory.nbytes, self._stream)

    def buffer(self, memory: Any) -> Buffer:
        """Return what onnxruntime must know to read or write the memory."""
        return Buffer(
            "cuda", self._number, int(memory.data.ptr), tuple(memory.shape), memory.dtype.type
        )

    def launch(self, kernel: str, threads: int, *arguments: Any) -> None:
        """Run a kernel with at least so many threads."""
        blocks = -(-threads // _THREADS_A_BLOCK)
        with self._current():
            self._kernels[kernel]((blocks,), (_THREADS_A_BLOCK,), arguments)

    def free_memory(self) -> int:
        """Return how many bytes are free."""
        with self._current():
            return int(self._cupy.cuda.runtime.memGetInfo()[0])

    def release(self) -> None:
        """Give back memory that nothing uses any more."""
        with self._current():
            self._cupy.get_default_memory_pool().free_all_blocks()
