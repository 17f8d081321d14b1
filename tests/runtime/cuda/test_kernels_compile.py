"""The kernels through NVIDIA's own compiler, which needs no card: no fused or approximate float."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from rsonnx.runtime.cuda.cupy_device import KERNELS, kernel_source

_NVIDIA = find_spec("nvidia")
_WHEEL = [
    str(path)
    for folder in (_NVIDIA and _NVIDIA.submodule_search_locations) or ()
    for path in sorted(Path(folder).glob("*/lib/libnvrtc.so.*"))
]


def _library() -> Any:
    """Return NVRTC from NVIDIA's wheel or from the system, or None."""
    for path in _WHEEL:  # what NVRTC 13.0 looks for by name alone
        for builtins in Path(path).parent.glob("libnvrtc-builtins.so.*"):
            ctypes.CDLL(str(builtins))
    for name in (*_WHEEL, "libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"):
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None


_NVRTC = _library()
_NVCC = shutil.which("nvcc", path=os.pathsep.join([os.environ["PATH"], "/usr/local/cuda/bin"]))


def by_nvrtc(options: tuple[str, ...]) -> str:
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    source = kernel_source().encode()
    assert _NVRTC.nvrtcCreateProgram(ctypes.byref(program), source, b"k.cu", 0, None, None) == 0
    # What CuPy adds of its own.
    options = (*options, "--device-as-default-execution-space")
    given = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
    failed = _NVRTC.nvrtcCompileProgram(program, len(options), given)
    _NVRTC.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    _NVRTC.nvrtcGetProgramLog(program, log)
    assert not failed, log.value.decode()
    _NVRTC.nvrtcGetPTXSize(program, ctypes.byref(size))
    text = ctypes.create_string_buffer(size.value)
    assert _NVRTC.nvrtcGetPTX(program, text) == 0
    return text.value.decode()


def by_nvcc(options: tuple[str, ...]) -> str:
    assert _NVCC is not None
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder, "k.cu"), Path(folder, "k.ptx")
        source.write_text(kernel_source())
        subprocess.run([_NVCC, *options, "-ptx", "-o", str(made), str(source)], check=True)
        return made.read_text()


@pytest.mark.parametrize(
    "compiled",
    [
        pytest.param(
            by_nvrtc,
            marks=pytest.mark.skipif(
                _NVRTC is None, reason="NVRTC is not installed (pip install nvidia-cuda-nvrtc)"
            ),
        ),
        pytest.param(
            by_nvcc, marks=pytest.mark.skipif(_NVCC is None, reason="nvcc is not installed")
        ),
    ],
)
@pytest.mark.parametrize("architecture", [75, 90])
def test_every_float_is_rounded_once_and_to_nearest(
    compiled: Callable[[tuple[str, ...]], str], architecture: int
) -> None:
    """CuPy has subnormal numbers flushed (-ftz=true); they never come up."""
    ptx = compiled((f"--gpu-architecture=compute_{architecture}", "-ftz=true"))
    assert set(re.findall(r"\.visible \.entry (\w+)", ptx)) == set(KERNELS)
    floats = set(re.findall(r"\b((?:\w+\.)+f32)\b", ptx)) - {"ld.param.f32", "st.global.f32"}
    arithmetic = {name for name in floats if name.split(".")[0] not in ("mov", "cvt", "selp")}
    assert arithmetic == {"div.rn.ftz.f32", "mul.rn.ftz.f32", "add.rn.ftz.f32"}
    assert ".local" not in ptx  # nothing that belongs into registers is in memory


BY_CUPY = """
import sys
from cupy_backends.cuda.libs import nvrtc
from rsonnx.runtime.cuda.cupy_device import kernel_source
from rsonnx.runtime.device_options import CUDA
from rsonnx.runtime.providers import provider_problem

provider_problem(CUDA)
program = nvrtc.createProgram(kernel_source(), "k.cu", (), ())
try:
    nvrtc.compileProgram(program, ("-arch=sm_90", "-ftz=true"))
except nvrtc.NVRTCError:
    sys.exit(nvrtc.getProgramLog(program))
assert nvrtc.getCUBIN(program)
"""


@pytest.mark.slow
@pytest.mark.skipif(
    find_spec("cupy_backends") is None or not _WHEEL,
    reason="pip install cupy-cuda13x nvidia-cuda-nvrtc==13.0.88 onnxruntime-gpu",
)
def test_cupy_compiles_them_with_the_libraries_that_pip_brought() -> None:
    """In a process that loads them as a run does. NVRTC 13.0 finds no builtins by itself; from 13.1
    on it does, which proves nothing of ours."""
    ended = subprocess.run(
        [sys.executable, "-c", BY_CUPY], check=False, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
