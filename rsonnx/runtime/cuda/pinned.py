"""Host memory that a device can read by itself, for noise that is drawn on the host.

A copy from page-locked memory needs no second copy by the driver. It is a matter of speed alone:
where the memory cannot be locked, ordinary memory does the same work.
"""

from __future__ import annotations

import ctypes
import weakref
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsonnx.runtime.wheels import onnxruntime

_PORTABLE = 1
"""Locked for every device of the process, not only for the one that is current."""


def pinned(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return a new array, C-contiguous, with any values in it, page-locked where that works."""
    array = np.empty(shape, np.float32)
    runtime = cuda_runtime() if array.nbytes else None
    if runtime is not None:
        address = ctypes.c_void_p(array.ctypes.data)
        size, flags = ctypes.c_size_t(array.nbytes), ctypes.c_uint(_PORTABLE)
        if runtime.cudaHostRegister(address, size, flags) == 0:
            # The memory must not go back to the system while it is locked.
            weakref.finalize(array, runtime.cudaHostUnregister, address)
    return array


@cache
def cuda_runtime() -> Any:
    """Return CUDA's runtime library of the major version that onnxruntime uses, or None."""
    major, _, _ = str(getattr(onnxruntime, "cuda_version", "") or "").partition(".")
    try:
        return ctypes.CDLL(f"libcudart.so.{major}") if major else None
    except OSError:
        return None
