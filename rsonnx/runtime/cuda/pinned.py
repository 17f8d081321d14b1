"""Host memory that a device can read by itself, for noise that is drawn on the host.

A copy from page-locked memory needs no second copy by the driver. It is a matter of speed alone:
where the memory cannot be locked, ordinary memory does the same work.
"""

from __future__ import annotations

import ctypes
import math
import weakref
from functools import cache
from mmap import mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsonnx.runtime.wheels import onnxruntime

_PORTABLE = 1
"""Locked for every device of the process, not only for the one that is current."""


def pinned(shape: tuple[int, ...], device: int = 0) -> NDArray[np.float32]:
    """Return a new array, C-contiguous, with any values in it, page-locked where that works.

    Args:
        shape: of the array.
        device: the one that will read it; no other is touched.
    """
    size = 4 * math.prod(shape)
    runtime = cuda_runtime() if size else None
    if runtime is None:
        return np.empty(shape, np.float32)
    # Pages of its own: CUDA refuses one that is locked already.
    values = np.frombuffer(mmap(-1, size), np.float32)
    address = ctypes.c_void_p(values.ctypes.data)
    runtime.cudaSetDevice(ctypes.c_int(device))
    if runtime.cudaHostRegister(address, ctypes.c_size_t(size), ctypes.c_uint(_PORTABLE)) == 0:
        # The memory must not go back to the system while it is locked.
        weakref.finalize(values, runtime.cudaHostUnregister, address)
    else:
        runtime.cudaGetLastError()  # which onnxruntime would take for a failure of its own kernels
    return values.reshape(shape)


@cache
def cuda_runtime() -> Any:
    """Return CUDA's runtime library of the major version that onnxruntime uses, or None."""
    major, _, _ = str(getattr(onnxruntime, "cuda_version", "") or "").partition(".")
    try:
        return ctypes.CDLL(f"libcudart.so.{major}") if major else None
    except OSError:
        return None
