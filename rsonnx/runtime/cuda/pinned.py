"""Host memory that a device can read by itself, for noise that is drawn on the host.

A copy from page-locked memory needs no second copy by the driver. It is a matter of speed alone:
where the memory cannot be locked, ordinary memory does the same work.
"""

from __future__ import annotations

import ctypes
import threading
import weakref
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

_PORTABLE = 1
"""Locked for every device of the process, not only for the one that is current."""


class PinnedBuffers:
    """Gives out float32 arrays in page-locked memory, as long as the system allows it.

    Attributes:
        pinned: whether every array so far is page-locked; a run's header says it.
    """

    def __init__(self, runtime: Any = None) -> None:
        self._runtime = _cuda_runtime() if runtime is None else runtime
        self._lock = threading.Lock()
        self.pinned = self._runtime is not None

    def empty(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Return a new array, C-contiguous, with any values in it."""
        array = np.empty(shape, np.float32)
        if self._runtime is None or not array.nbytes:
            return array
        address = array.ctypes.data
        failed = self._runtime.cudaHostRegister(
            ctypes.c_void_p(address), ctypes.c_size_t(array.nbytes), ctypes.c_uint(_PORTABLE)
        )
        if failed:
            with self._lock:
                self.pinned = False
            return array
        # The memory must not go back to the system while it is locked.
        weakref.finalize(array, self._runtime.cudaHostUnregister, ctypes.c_void_p(address))
        return array


def _cuda_runtime() -> Any:
    """Return CUDA's runtime library of the major version that onnxruntime uses, or None."""
    major, _, _ = str(getattr(onnxruntime, "cuda_version", "") or "").partition(".")
    try:
        return ctypes.CDLL(f"libcudart.so.{major}") if major else None
    except OSError:
        return None
