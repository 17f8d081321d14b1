"""What ``stub_cuda`` gives for CuPy's streams, events and arrays: work that waits for its turn."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable
from math import prod
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from stub_cuda import StubCuda


class OutOfMemoryError(MemoryError):
    """CuPy's."""


class CUDARuntimeError(RuntimeError):
    """CuPy's."""


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
        self.cuda = cuda
        self.waiting: deque[Callable[[], None]] = deque()
        self.recording = False
        self.ptr = 4096 * (len(cuda.streams) + 1)
        cuda.streams[self.ptr] = self

    def __enter__(self) -> Stream:
        self.cuda.lock.acquire()
        self.cuda.current.append(self)
        return self

    def __exit__(self, *error: object) -> None:
        self.cuda.current.pop()
        self.cuda.lock.release()

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
        with self.cuda.lock:
            fault = self.cuda.called("synchronize")
            self.cuda.queue(self, fault, lambda: None)
            self.drain()
            self.cuda.check()

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
        stream.cuda.queue(stream, None, lambda raw=self.raw: raw.fill(value))

    def set(self, host: Any, stream: Stream) -> None:
        """Copy from the host, whose memory is read when that is done: another's, if it is freed."""
        assert (type(host), host.shape, host.dtype) == (np.ndarray, self.shape, self.dtype)
        raw, cuda, source = self.raw, stream.cuda, weakref.ref(host)

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
        raw, cuda = self.raw, stream.cuda
        host = cuda.garbage(np.empty(self.shape, self.dtype))
        target = host.reshape(-1).view(np.uint8)
        with cuda.lock:
            cuda.queue(stream, cuda.called("copy"), lambda: np.copyto(target, raw))
            stream.synchronize()
        return host
