"""A CUDA device as CuPy sees it: its memory, one stream, and the kernels, compiled when needed.

Everything goes into one stream, which the session is opened with too, so that noise, model and
counting follow each other without the host waiting in between. What is asked of a device is done in
the order in which it was asked, also when a call returns before the work is done; what goes wrong
then is raised by a later call.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from rsonnx.errors import InferenceError, ProviderError, UsageError, first_line
from rsonnx.runtime.device_options import DeviceOptions
from rsonnx.runtime.session import Buffer, DeviceMemoryError

KERNELS = ("rsonnx_draw", "rsonnx_sum", "rsonnx_settle", "rsonnx_count")
_THREADS_A_BLOCK = 128
_NOT_READY = 600
"""CUDA's status of a mark that is not reached."""


def kernel_source() -> str:
    """Return the text of the kernels."""
    return (files("rsonnx.runtime.cuda") / "kernels.cu").read_text(encoding="utf-8")


def cupy_problem() -> str | None:
    """Return why CuPy cannot draw noise on the first device, or None where its kernels compile."""
    try:
        open_device(0)
    except (ProviderError, UsageError) as error:
        return str(error)
    return None


def open_device(number: int) -> CupyDevice:
    """Open a device for drawing noise and counting labels.

    Raises:
        UsageError: CuPy is not installed, or ``number`` is no device number.
        ProviderError: CuPy does not work here, or there is no such device.
    """
    cupy = _cupy()
    DeviceOptions(device=number)  # refuses what is no number of a device
    try:
        devices = int(cupy.cuda.runtime.getDeviceCount())
        if number < devices:
            return CupyDevice(cupy, number)
    except Exception as error:
        raise ProviderError(
            f"CuPy cannot use device {number}: {first_line(error)}; run `rsonnx doctor`"
        ) from None
    raise ProviderError(
        f"device {number} was asked for, but there are {devices}, numbered from 0; nvidia-smi -L "
        "lists them"
    )


def _cupy() -> Any:
    try:
        return importlib.import_module("cupy")
    except ModuleNotFoundError:
        raise UsageError(
            "drawing noise on the device needs CuPy, which is not installed: "
            "pip install 'rsonnx[cuda]'"
        ) from None
    except ImportError as error:
        raise ProviderError(
            "CuPy is installed but cannot be loaded: "
            f"{first_line(error.__cause__ or error)}; run `rsonnx doctor`"
        ) from None


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
        """Copy a host array into memory of the same shape and type; it is read before returning."""
        with self._current():
            memory.set(host, stream=self._stream)
            self._stream.synchronize()

    def copy_out(self, memory: Any) -> NDArray[Any]:
        """Return a host copy, after all work asked for so far."""
        with self._current():
            return np.asarray(memory.get(stream=self._stream))

    def fill(self, memory: Any, byte: int) -> None:
        """Set all bytes of memory to one value."""
        with self._current():
            memory.data.memset_async(byte, memory.nbytes, self._stream)

    def buffer(self, memory: Any) -> Buffer:
        """Return what onnxruntime must know to read or write the memory."""
        return Buffer(
            "cuda", self._number, int(memory.data.ptr), tuple(memory.shape), memory.dtype.type
        )

    def launch(self, kernel: str, threads: int, *arguments: Any) -> None:
        """Run a kernel with at least so many threads.

        Args:
            kernel: its name.
            threads: >= 1; those beyond it do nothing, which the kernels see to.
            arguments: memory of the device, or numpy scalars of exactly the kernel's types.
        """
        blocks = -(-threads // _THREADS_A_BLOCK)
        with self._current():
            self._kernels[kernel]((blocks,), (_THREADS_A_BLOCK,), arguments)

    def mark(self) -> Any:
        """Return a mark behind all work asked for so far."""
        with self._current():
            event = self._cupy.cuda.Event(disable_timing=True)
            event.record(self._stream)
            return event

    def has_reached(self, mark: Any) -> bool:
        """Return whether all before a mark is done, or the device failed: the next call says so."""
        return int(self._cupy.cuda.runtime.eventQuery(mark.ptr)) != _NOT_READY

    def free_memory(self) -> int:
        """Return how many bytes are free."""
        with self._current():
            return int(self._cupy.cuda.runtime.memGetInfo()[0])

    def release(self) -> None:
        """Give back memory that nothing uses any more, and end a recording that has failed."""
        with contextlib.suppress(RuntimeError):  # there is none, or it is no graph
            self._stream.end_capture()
        with self._current():
            self._cupy.get_default_memory_pool().free_all_blocks()
