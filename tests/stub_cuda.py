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
from collections import Counter, deque
from collections.abc import Callable, Iterator
from math import prod
from types import SimpleNamespace
from typing import Any
from unittest import mock

import kernels_in_cpp
import numpy as np
import onnxruntime
import pytest

import rsonnx.runtime.cuda.pinned
from rsonnx.runtime.cuda.cupy_device import CupyDevice
from rsonnx.runtime.device_options import CPU, CUDA, TENSORRT
from rsonnx.runtime.providers import provider_problem

_ALIGNMENT = 512
_NO_SYNC = "disable_synchronize_execution_providers"
_SHRINK = "memory.enable_memory_arena_shrinkage"
OUT_OF_MEMORY = "Failed to allocate memory for requested buffer of size"


class OutOfMemoryError(MemoryError):
    """CuPy's."""


class CUDARuntimeError(RuntimeError):
    """CuPy's."""


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


def hang() -> None:
    """Work that is never done."""
    raise AssertionError("the host waits for ever")


class Event:
    """A place in a stream."""

    def __init__(self, cuda: StubCuda, disable_timing: bool) -> None:
        assert disable_timing, "it would cost the device time"
        self._cuda, self.ptr, self.done = cuda, id(self), False
        cuda.events[self.ptr] = self

    def record(self, stream: Stream) -> None:
        """Be done when all that waits in a stream now is."""
        with self._cuda.lock:
            self._cuda.called("record")
            self._cuda.queue(stream, None, self._reached)

    def _reached(self) -> None:
        self.done = True


class Stream:
    """A stream of a device; what waits in it is done in order."""

    def __init__(self, cuda: StubCuda, non_blocking: bool = True) -> None:
        assert non_blocking, "the default stream would wait for it"
        self._cuda = cuda
        self.waiting: deque[Callable[[], None]] = deque()
        self.recording = False
        self.ptr = 4096 * (len(cuda.streams) + 1)
        cuda.streams[self.ptr] = self

    def __enter__(self) -> Stream:
        self._cuda.lock.acquire()
        self._cuda.current.append(self)
        return self

    def __exit__(self, *error: object) -> None:
        self._cuda.current.pop()
        self._cuda.lock.release()

    @property
    def hangs(self) -> bool:
        """Whether what comes next is never done."""
        return bool(self.waiting) and self.waiting[0] is hang

    def step(self) -> None:
        """Do what comes next."""
        self.waiting.popleft()()

    def drain(self) -> None:
        """Do all."""
        while self.waiting:
            self.step()

    def synchronize(self) -> None:
        """Wait until all is done."""
        with self._cuda.lock:
            fault = self._cuda.called("synchronize")
            self._cuda.queue(self, fault, lambda: None)
            self.drain()
            self._cuda.check()

    def end_capture(self) -> None:
        """End a recording."""
        if not self.recording:
            raise CUDARuntimeError("cudaErrorIllegalState: the operation cannot be performed")
        self.recording = False
        raise CUDARuntimeError("cudaErrorStreamCaptureInvalidated: operation failed")


class Allocation:
    """Memory of a device as long as somebody holds it."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw


class DeviceArray:
    """An array of a device, C-contiguous: the host cannot look into it."""

    def __init__(self, held: Allocation, start: int, shape: tuple[int, ...], dtype: Any) -> None:
        self._held, self._start, self.shape, self.dtype = held, start, shape, dtype
        self.ndim, self.nbytes = len(shape), prod(shape) * dtype.itemsize

    @property
    def raw(self) -> Any:
        """The bytes, for work that waits: they outlive the array, and may be another's then."""
        return self._held.raw[self._start : self._start + self.nbytes]

    @property
    def data(self) -> Any:
        """What CuPy knows of the memory."""
        return SimpleNamespace(ptr=self.raw.ctypes.data, memset_async=self._fill)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, place: int | slice) -> DeviceArray:
        rows = range(len(self))[place]
        step = prod(self.shape[1:]) * self.dtype.itemsize
        if isinstance(rows, int):
            return DeviceArray(self._held, self._start + rows * step, self.shape[1:], self.dtype)
        assert rows.step == 1
        shape = (len(rows), *self.shape[1:])
        return DeviceArray(self._held, self._start + rows.start * step, shape, self.dtype)

    def _fill(self, value: int, size: int, stream: Stream) -> None:
        assert size == self.nbytes
        _cuda_of(stream).queue(stream, None, lambda raw=self.raw: raw.fill(value))

    def set(self, host: Any, stream: Stream) -> None:
        """Copy from the host, whose memory is read when that is done: another's, if it is freed."""
        assert (type(host), host.shape, host.dtype) == (np.ndarray, self.shape, self.dtype)
        raw, cuda, source = self.raw, _cuda_of(stream), weakref.ref(host)

        def copy() -> None:
            there = source()
            if there is None:
                cuda.garbage(raw)
            else:
                np.copyto(raw, there.reshape(-1).view(np.uint8))

        with cuda.lock:
            cuda.queue(stream, cuda.called("copy"), copy)

    def get(self, stream: Stream) -> Any:
        """Copy to the host, and wait."""
        raw, cuda = self.raw, _cuda_of(stream)
        host = cuda.garbage(np.empty(self.shape, self.dtype))
        target = host.reshape(-1).view(np.uint8)
        with cuda.lock:
            cuda.queue(stream, cuda.called("copy"), lambda: np.copyto(target, raw))
            stream.synchronize()
        return host


def _cuda_of(stream: Stream) -> StubCuda:
    return stream._cuda


class StubSession:
    """An onnxruntime session on CUDA or TensorRT, which computes on the processor."""

    def __init__(
        self, cuda: StubCuda, real: Any, model: Any, options: Any, providers: list[Any]
    ) -> None:
        self._cuda, self._asked = cuda, {name: dict(given) for name, given in providers}
        given = self._asked[providers[0][0]]
        self._number = int(given.get("device_id", 0))
        if self._number >= cuda.devices:
            raise RuntimeError(f"Invalid device ID: {self._number}, must be below {cuda.devices}")
        for key, value in given.items():
            if key.startswith("trt_") and key.endswith("_enable"):
                assert value in ("True", "False"), key
        plain = onnxruntime.SessionOptions()
        plain.intra_op_num_threads = 1
        plain.use_deterministic_compute = options is not None and options.use_deterministic_compute
        plain.log_severity_level = 4 if options is None else options.log_severity_level
        self._real = real(model, plain, providers=[CPU])
        address = given.get("user_compute_stream")
        self._stream = Stream(cuda) if address is None else cuda.streams[int(address)]
        self._arena = self._pieces = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def get_providers(self) -> list[str]:
        """Return what it runs on."""
        return [*self._asked, CPU]

    def get_provider_options(self) -> dict[str, dict[str, str]]:
        """Return the options of each."""
        return {name: dict(given) for name, given in self._asked.items()} | {CPU: {}}

    def get_input_memory_infos(self) -> list[Any]:
        """Return where each input is read."""
        return [SimpleNamespace(name=self._cuda.input_memory) for _ in self._real.get_inputs()]

    def disable_fallback(self) -> None:
        """Do nothing: there is none."""

    def run(
        self, outputs: list[str] | None, feed: dict[str, Any], options: Any = None
    ) -> list[Any]:
        """Run a batch of the host's; what is returned may not be written yet."""
        with self._cuda.lock:
            names = outputs or [output.name for output in self._real.get_outputs()]
            answers = dict(zip(names, self._real.run(names, feed), strict=True))
            returned = {n: self._cuda.garbage(np.empty_like(a)) for n, a in answers.items()}

            def work() -> None:
                if self._cuda.distort is not None:
                    self._cuda.distort(answers)
                for name, answer in answers.items():
                    returned[name][...] = answer

            self._do(work, len(next(iter(feed.values()))), options)
            return [returned[name] for name in names]

    def io_binding(self) -> Binding:
        """Return a new binding."""
        return Binding(self._cuda)

    def run_with_iobinding(self, binding: Binding, options: Any = None) -> None:
        """Run a batch of the device's."""
        with self._cuda.lock:
            feed, answers = binding.arrays(binding.inputs), binding.arrays(binding.outputs)
            for data in self._real.get_inputs():
                got = feed[data.name].shape
                if any(isinstance(d, int) and d != n for d, n in zip(data.shape, got, strict=True)):
                    raise RuntimeError(f"Got invalid dimensions for input: {got}")

            def work() -> None:
                computed = dict(zip(answers, self._real.run([*answers], feed), strict=True))
                if self._cuda.distort is not None:
                    self._cuda.distort(computed)
                for name, answer in answers.items():
                    answer[...] = computed[name]

            self._do(work, len(next(iter(feed.values()))), options)

    def _do(self, work: Callable[[], None], rows: int, options: Any) -> None:
        cuda, needed = self._cuda, rows * self._cuda.row_memory
        fault = cuda.called("run")
        cuda.runs.append(rows)
        if number := cuda.last_error():
            raise RuntimeError(f"CUDA failure {number}: resource already mapped ; GPU=0")
        cuda.queue(self._stream, fault, work)
        if fault in ("memory", "capture") or not self._grown(needed):
            self._stream.recording = fault == "capture"
            raise RuntimeError(f"[ONNXRuntimeError] : 1 : FAIL : {OUT_OF_MEMORY} {needed}")
        if _entry(options, _SHRINK) == f"gpu:{self._number}":
            cuda.used -= self._arena + self._pieces
            self._arena = self._pieces = 0
        if _entry(options, _NO_SYNC) != "1":
            self._stream.synchronize()

    def _grown(self, needed: int) -> bool:
        """Return whether the arena has so much; what it took on the way it keeps."""
        if needed <= self._pieces // 8:
            return True
        more = max(0, needed - self._arena)
        taken = min(more, self._cuda.memory - self._cuda.used)
        self._cuda.used += taken
        if taken == more:
            self._arena += taken
        else:
            self._pieces += taken
        return taken == more


class Binding:
    """Addresses that a run reads and writes."""

    def __init__(self, cuda: StubCuda) -> None:
        self._cuda = cuda
        self.inputs: dict[str, tuple[Any, ...]] = {}
        self.outputs: dict[str, tuple[Any, ...]] = {}
        self._copied: dict[str, Any] = {}

    def bind_input(self, name: str, kind: str, device: int, *memory: Any) -> None:
        """Bind an input to an address."""
        assert (kind, device < self._cuda.devices) == ("cuda", True)
        self.inputs[name] = memory
        if self._cuda.input_memory == "Cpu":
            self._copied = {name: np.array(self.arrays({name: memory})[name])}

    def bind_output(self, name: str, kind: str, device: int, *memory: Any) -> None:
        """Bind an output to an address."""
        assert (kind, device < self._cuda.devices) == ("cuda", True)
        self.outputs[name] = memory

    def arrays(self, bound: dict[str, tuple[Any, ...]]) -> dict[str, Any]:
        """Return arrays over the memory at the addresses."""
        return {
            name: self._cuda.memory_at(address, prod(shape) * np.dtype(dtype).itemsize)
            .view(dtype)
            .reshape(shape)
            for name, (dtype, shape, address) in bound.items()
        } | {name: copy for name, copy in self._copied.items() if name in bound}


def _entry(options: Any, key: str) -> str | None:
    try:
        return None if options is None else str(options.get_run_config_entry(key))
    except (RuntimeError, KeyError):  # it is not set
        return None
