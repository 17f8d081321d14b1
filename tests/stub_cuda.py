"""A machine with CUDA devices that is this processor: CuPy and onnxruntime as rsonnx sees them.

The code of rsonnx above it is the real one: sessions, engines, devices, and the kernels, which are
compiled for the processor. Sessions are onnxruntime's own on the processor::

    cuda = StubCuda(seed=3)
    cuda.faults["run", 2] = "memory"        # the second run of a session finds no memory
    with cuda.installed():
        model = rsonnx.load(path, providers="cuda")

What a card does to those who do not wait, the stub does too. Work that is asked for lies in a queue
of its stream, in order, and is done when the stream is synchronized or at any call before, as
chance (``seed``) has it; streams know nothing of each other. Memory holds garbage until it is
written, and may be another's as soon as nobody holds it. A session's run is done in the stream that
its provider was given, else in one of its own; it waits for its end unless the run option
``disable_synchronize_execution_providers`` is ``"1"``.
"""

from __future__ import annotations

import contextlib
import random
import sys
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from math import prod
from types import SimpleNamespace
from typing import Any
from unittest import mock

import kernels_in_cpp
import numpy as np
import onnxruntime
import pytest
from stub_session import StubSession
from stub_streams import (
    Allocation,
    CUDARuntimeError,
    DeviceArray,
    Event,
    OutOfMemoryError,
    Stream,
    hang,
)

import rsonnx.runtime.cuda.pinned
from rsonnx.runtime.cuda.cupy_device import CupyDevice
from rsonnx.runtime.device_options import CPU, CUDA, TENSORRT
from rsonnx.runtime.providers import provider_problem

_ALIGNMENT = 512


class StubCuda:
    """The devices, their one memory, and all that is asked of them.

    Args:
        seed: of what is done when, and of the garbage.
        devices: how many there are.
        memory: bytes that may be in use at a time.
        row_memory: bytes that a session takes a row of a batch, beside its inputs and outputs. It
            keeps what it has; what it took for a batch that failed is in pieces, of use to small
            batches only, until the run option ``memory.enable_memory_arena_shrinkage``.

    Attributes:
        faults: what goes wrong at a call, by its name and its number of that name, from 1:
            ``"allocate"``, ``"copy"``, ``"launch"``, ``"run"`` (of a session), ``"synchronize"``
            and ``"register"`` (of host memory). ``"memory"``: there is none (allocate, run; what a
            run wrote is there all the same). ``"device"``: the work fails when it is done, and all
            calls after that. ``"hang"``: it is never done, nor what is behind it. ``"lost"``:
            nothing is done, in silence. ``"capture"``: no memory (run), and the stream is left
            recording, so that it refuses all until that is ended. Any fault of ``"register"`` is a
            refusal, after which the next run of a session fails unless somebody asked for the last
            error.
        calls: how many calls there were, by name.
        runs: rows of each run of a session, in order.
        distort: is given a session's answers of each run by name, arrays that it may change.
        input_memory: where sessions read their inputs: ``"Cuda"``, or ``"Cpu"`` to have inputs that
            are bound copied once, when they are bound.
        cupy: what ``import cupy`` gives.
        runtime: what CUDA's runtime library gives.
    """

    def __init__(
        self, seed: int = 0, *, devices: int = 1, memory: int = 1 << 34, row_memory: int = 0
    ) -> None:
        self.devices, self.memory, self.row_memory = devices, memory, row_memory
        self.faults: dict[tuple[str, int], str] = {}
        self.calls: Counter[str] = Counter()
        self.runs: list[int] = []
        self.distort: Callable[[dict[str, Any]], None] | None = None
        self.input_memory = "Cuda"
        self.streams: dict[int, Stream] = {}
        self.events: weakref.WeakValueDictionary[int, Event] = weakref.WeakValueDictionary()
        self.current: list[Stream] = []
        self.lock = threading.RLock()
        self.used = 0
        self._chance = random.Random(seed)  # noqa: S311 - no secret
        self._failed: str | None = None
        self._last_error = 0
        self._live: dict[int, Any] = {}
        self._free: list[tuple[Stream, Any]] = []
        self.cupy = self._cupy()
        self.runtime = SimpleNamespace(
            cudaSetDevice=lambda number: 0,  # noqa: ARG005
            cudaHostRegister=self._register,
            cudaHostUnregister=lambda address: 0,  # noqa: ARG005
            cudaGetLastError=self.last_error,
        )

    @contextlib.contextmanager
    def installed(self) -> Iterator[StubCuda]:
        """Put the stub in the place of CuPy, onnxruntime's sessions and CUDA's runtime library."""
        real = onnxruntime.InferenceSession

        def opened(model: Any, options: Any = None, providers: Any = None, **more: Any) -> Any:
            asked = [(p, {}) if isinstance(p, str) else p for p in providers or [CPU]]
            if asked[0][0] not in (CUDA, TENSORRT):
                return real(model, options, providers=providers, **more)
            return StubSession(self, real, model, options, asked)

        patch, library = mock.patch.object, rsonnx.runtime.cuda.pinned
        names = [TENSORRT, CUDA, CPU]
        with (
            pytest.MonkeyPatch.context() as modules,  # mock would forget what is imported meanwhile
            patch(onnxruntime, "InferenceSession", opened),
            patch(onnxruntime, "get_available_providers", return_value=names),
            patch(onnxruntime, "preload_dlls", create=True),
            patch(library, "cuda_runtime", return_value=self.runtime),
        ):
            modules.setitem(sys.modules, "cupy", self.cupy)
            provider_problem.cache_clear()
            try:
                yield self
            finally:
                provider_problem.cache_clear()

    def garbage(self, array: Any) -> Any:
        """Fill a C-contiguous array with what may look like labels, or like nothing."""
        values = array.reshape(-1).view(np.uint8)
        pattern = self._chance.choice((b"\xff", b"\1\0\0\0\0\0\0\0", self._chance.randbytes(64)))
        values[...] = np.resize(np.frombuffer(pattern, np.uint8), values.size)
        return array

    def called(self, name: str) -> str | None:
        """Note a call and return its fault, if any; do some of the work that waits."""
        self.calls[name] += 1
        self.check()
        self._work()
        return self.faults.get((name, self.calls[name]))

    def _work(self) -> None:
        """Do some of what waits."""
        while self._chance.random() < 0.5:
            waiting = [s for s in self.streams.values() if s.waiting and not s.hangs]
            if not waiting:
                break
            self._chance.choice(waiting).step()

    def check(self) -> None:
        """Fail if the device has failed before."""
        if self._failed is not None:
            raise CUDARuntimeError(self._failed)

    def fail(self) -> None:
        """Let the device fail, for good."""
        self._failed = "cudaErrorIllegalAddress: an illegal memory access was encountered"

    def queue(self, stream: Stream, fault: str | None, work: Callable[[], None]) -> None:
        """Leave work to a stream, as a fault has it."""
        if stream.recording:
            raise CUDARuntimeError("cudaErrorStreamCaptureInvalidated: operation failed")
        if fault != "lost":
            special = {"device": self.fail, "hang": hang}
            stream.waiting.append(special.get(fault or "", work))

    def allocate(self, size: int, stream: Stream) -> Allocation:
        """Return memory, of what the stream itself used before if it can be."""
        size = -(-max(1, size) // _ALIGNMENT) * _ALIGNMENT
        if self.called("allocate") == "memory":
            raise OutOfMemoryError(f"Out of memory allocating {size:,} bytes")
        for index, (owner, raw) in enumerate(self._free):
            if owner is stream and raw.nbytes == size:
                del self._free[index]
                return self._allocation(raw, stream)
        if self.used + size > self.memory:
            self.free_all_blocks()
        if self.used + size > self.memory:
            raise OutOfMemoryError(f"Out of memory allocating {size:,} bytes")
        self.used += size
        return self._allocation(self.garbage(np.empty(size, np.uint8)), stream)

    def _allocation(self, raw: Any, stream: Stream) -> Allocation:
        allocation = Allocation(raw)
        self._live[raw.ctypes.data] = raw

        def freed() -> None:
            del self._live[raw.ctypes.data]
            self._free.append((stream, raw))

        weakref.finalize(allocation, freed).atexit = False
        return allocation

    def free_all_blocks(self) -> None:
        """Give back memory that nobody holds; freeing it waits for the device."""
        for stream in self.streams.values():
            stream.drain()
        self.used -= sum(raw.nbytes for _, raw in self._free)
        for _, raw in self._free:
            self.garbage(raw)
        self._free.clear()

    def memory_at(self, address: int, size: int) -> Any:
        """Return the bytes at an address, which somebody must hold."""
        for begin, raw in [*self._live.items()]:
            if begin <= address and address + size <= begin + raw.nbytes:
                return raw[address - begin : address - begin + size]
        raise AssertionError(f"nobody holds the {size} bytes at {address:#x}")

    def last_error(self) -> int:
        """Return the runtime's last error, and forget it."""
        number, self._last_error = self._last_error, 0
        return number

    def _register(self, address: Any, size: Any, flags: Any) -> int:
        with self.lock:
            if self.called("register") is not None:
                self._last_error = 712
            return self._last_error

    def _cupy(self) -> Any:
        return SimpleNamespace(
            __version__="13.6.0",
            zeros=self._zeros,
            RawModule=self._module,
            get_default_memory_pool=lambda: SimpleNamespace(free_all_blocks=self._release),
            cuda=SimpleNamespace(
                Device=self._device,
                Stream=lambda non_blocking: Stream(self, non_blocking),
                Event=lambda disable_timing: Event(self, disable_timing),
                memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
                runtime=SimpleNamespace(
                    getDeviceCount=lambda: self.devices,
                    memGetInfo=lambda: (self.memory - self.used, self.memory),
                    eventQuery=self._query,
                    CUDARuntimeError=CUDARuntimeError,
                ),
                driver=SimpleNamespace(CUDADriverError=type("CUDADriverError", (Exception,), {})),
            ),
        )

    def _device(self, number: int) -> Any:
        assert 0 <= number < self.devices
        return contextlib.nullcontext()

    def _release(self) -> None:
        with self.lock:
            self.check()
            self.free_all_blocks()

    def _query(self, address: int) -> int:
        with self.lock:
            self._work()
            if self._failed is not None:
                return 700
            return 0 if self.events[address].done else 600

    def _zeros(self, shape: tuple[int, ...], dtype: Any) -> DeviceArray:
        with self.lock:
            stream = self.current[-1]
            size = prod(shape) * np.dtype(dtype).itemsize
            array = DeviceArray(self.allocate(size, stream), 0, tuple(shape), np.dtype(dtype))
            self.queue(stream, None, lambda raw=array.raw: raw.fill(0))  # type: ignore[misc]
            return array

    def _module(self, code: str, backend: str) -> Any:
        assert (backend, 'extern "C" __global__' in code) == ("nvrtc", True)
        return SimpleNamespace(get_function=self._function)

    def _function(self, name: str) -> Callable[..., None]:
        def launch(grid: tuple[int], block: tuple[int], arguments: tuple[Any, ...]) -> None:
            assert all(isinstance(a, DeviceArray | np.generic) for a in arguments)
            given = tuple(a.raw if isinstance(a, DeviceArray) else a for a in arguments)
            with self.lock:
                fault = self.called("launch")
                stream = self.current[-1]
                run = kernels_in_cpp.launch
                self.queue(stream, fault, lambda: run(name, grid[0], block[0], given))

        return launch


def open_stub(**arguments: Any) -> CupyDevice:
    """Return the first device of a new stub, by itself."""
    return CupyDevice(StubCuda(**arguments).cupy, 0)
