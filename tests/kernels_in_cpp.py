"""The kernels of ``rsonnx/runtime/cuda/kernels.cu``, the same text, compiled for this processor."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rsonnx.runtime.cuda.cupy_device import KERNELS, kernel_source

_HEADER = Path(__file__).parent / "runtime" / "cuda" / "cuda_on_cpu.h"
_COMPILER = shutil.which("g++") or shutil.which("clang++")
_FLAGS = (
    *("-std=c++17", "-O2", "-ffp-contract=off", "-shared", "-fPIC"),
    *("-Wall", "-Wextra", "-Werror", "-Wno-unused-function"),
)
_MOST_ARGUMENTS = 32

NEEDS_COMPILER = pytest.mark.skipif(_COMPILER is None, reason="there is no C++ compiler here")


@cache
def _library() -> ctypes.CDLL:
    assert _COMPILER is not None
    with tempfile.TemporaryDirectory() as folder:
        source, built = Path(folder, "kernels.cpp"), Path(folder, "kernels.so")
        exports = "".join(f"ON_CPU({name})\n" for name in KERNELS)
        source.write_text(f'#include "{_HEADER}"\n{kernel_source()}\n{exports}')
        subprocess.run(
            [_COMPILER, *_FLAGS, "-o", str(built), str(source)],
            check=True,
        )
        return ctypes.CDLL(str(built))


def argument_sizes(kernel: str) -> list[int]:
    """Return how many bytes each argument of a kernel has."""
    sizes = (ctypes.c_int * _MOST_ARGUMENTS)()
    getattr(_library(), f"sizes_{kernel}")(sizes)
    return list(sizes)[: list(sizes).index(-1)]


def launch(kernel: str, blocks: int, threads: int, arguments: tuple[Any, ...]) -> None:
    """Run a kernel; arguments are numpy scalars of its types, or arrays for its pointers."""
    holders = [
        np.array(a.ctypes.data, np.uint64) if isinstance(a, np.ndarray) else np.asarray(a)
        for a in arguments
    ]
    assert [h.nbytes for h in holders] == argument_sizes(kernel), kernel
    pointers = (ctypes.c_void_p * len(holders))(*(h.ctypes.data for h in holders))
    getattr(_library(), f"launch_{kernel}")(ctypes.c_uint(blocks), ctypes.c_uint(threads), pointers)
