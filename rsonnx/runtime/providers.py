"""Execution providers: which were asked for, which really work, and never another in silence.

onnxruntime hands out a CPU session where CUDA was asked for and does not work, without an
exception, and lists CUDA as available all the same; and it opens a CUDA session without cuDNN,
which fails at the first convolution. So a provider counts as working only when a session says that
it has it and computes a convolution right.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from rsonnx.arguments import check_texts
from rsonnx.errors import ProviderError, UsageError, first_line
from rsonnx.runtime.device_options import (
    CPU,
    CUDA,
    DIRECTML,
    OPENVINO,
    STRICT,
    TENSORRT,
    DeviceOptions,
    tf32_override,
)
from rsonnx.runtime.wheels import (
    CUDA_EXTRA,
    CUDA_PLATFORMS,
    damage,
    installed_wheels,
    onnxruntime,
    reinstall,
)
from rsonnx.scalars import shown

_NAMES = {
    **{"cpu": CPU, "cuda": CUDA, "tensorrt": TENSORRT, "openvino": OPENVINO, "directml": DIRECTML},
    **{"coreml": "CoreMLExecutionProvider", "migraphx": "MIGraphXExecutionProvider"},
}
_WHEELS = {CUDA: CUDA_EXTRA, TENSORRT: CUDA_EXTRA, OPENVINO: "onnxruntime-openvino"}
"""What brings a provider that another build lacks, where it is built."""
_PREFERENCE = (CUDA, CPU)
"""What is tried, best first, where no provider was asked for."""

_VALUE = 1 + 2.0**-12
"""Is 1 where numbers have the 10 bits of TF32 or float16."""


@dataclass(frozen=True)
class ProviderChoice:
    """The provider that a session is made with, and what was asked for.

    Attributes:
        name: onnxruntime's name of the provider that works.
        requested: the names as they were given; empty where none were.
    """

    name: str
    requested: tuple[str, ...]

    @property
    def is_cpu(self) -> bool:
        """Whether inference runs on the processor."""
        return self.name == CPU


def choose_provider(
    requested: Sequence[str] | None, options: DeviceOptions | None = None
) -> ProviderChoice:
    """Return the first provider of ``requested``, which must work, or the best one that does.

    Args:
        requested: names such as ``"cpu"`` or ``"CUDAExecutionProvider"``. One is expected; a CPU
            behind it is accepted, since onnxruntime's users write so, but nothing falls back to it.
        options: which device it must work on, and whether with TF32; None for the first, without.

    Raises:
        UsageError: a name that is not known.
        ProviderError: the provider does not work on this machine, or onnxruntime itself does not.
    """
    check_runtime()
    options = options or DeviceOptions()
    requested = check_texts("providers", requested)
    if not requested:
        tried = (options.device, options.tf32)
        working = next(name for name in _PREFERENCE if provider_problem(name, *tried) is None)
        return ProviderChoice(working, ())
    names = [_NAMES.get(name.lower(), name) for name in requested]
    for name in names:
        if name not in onnxruntime.get_all_providers():
            raise UsageError(
                f"the provider {shown(name)} is not known; {', '.join(_NAMES)} or one of "
                "onnxruntime's own names was expected"
            )
    problem = provider_problem(names[0], options.device, options.tf32)
    if problem is not None:
        advice = "run `rsonnx doctor`, or ask for --providers cpu"
        built_in = onnxruntime.get_available_providers()
        built_here = (platform.system(), platform.machine().lower()) in CUDA_PLATFORMS
        if names[0] in _WHEELS and names[0] not in built_in and built_here:
            advice = f"mend it: {reinstall(installed_wheels(), _WHEELS[names[0]])}"
        where = f"on device {options.device}" if options.device else "here"
        raise ProviderError(
            f"the provider {requested[0]!r} does not work {where}: {problem}; {advice}"
        )
    return ProviderChoice(names[0], requested)


def check_runtime() -> None:
    """Refuse to go on without an onnxruntime that works on the processor.

    Raises:
        ProviderError: none is installed, or it is damaged; with the command that mends it.
    """
    if (problem := provider_problem(CPU)) is not None:
        raise ProviderError(f"{problem}; mend it: {reinstall(installed_wheels())}")


@cache
def provider_problem(name: str, device: int = 0, tf32: bool = False) -> str | None:
    """Return why a provider does not work on this machine, or None where it does.

    Args:
        name: onnxruntime's name of it.
        device: which of its devices is tried; no other is touched.
        tf32: whether float32 products may be rounded to 10 bits there.
    """
    if onnxruntime is None:
        return damage()
    if name not in onnxruntime.get_available_providers():
        return f"onnxruntime {onnxruntime.__version__} was built without it"
    on_cuda = name in (CUDA, TENSORRT)
    rounds = tf32_override(tf32) != "0" if on_cuda else name != CPU
    asked = DeviceOptions(device, tf32=tf32) if on_cuda else DeviceOptions()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # not one a core of a node
    if not on_cuda and name != CPU:  # which may leave the work to the processor and stand first
        options.add_session_config_entry(STRICT, "1")
    try:
        with silence():
            if on_cuda:
                _load_libraries()
            session = onnxruntime.InferenceSession(
                _convolution(), options, providers=asked.providers(name), enable_fallback=0
            )
            (answer,) = session.run(None, {"x": np.full((1, 8, 16, 16), _VALUE, np.float32)})
    except Exception as error:  # onnxruntime raises a class of its own for each status code
        return first_line(error)
    got = session.get_providers()[0]
    if got != name:
        return (
            f"onnxruntime gave a session on {got} instead, as it does when the driver or one of "
            "the libraries of the provider is missing"
        )
    rounding, most = (
        float(np.abs(answer / (144 * _VALUE) - 1).max()),
        2.0 ** (-6 if rounds else -14),
    )
    if rounding <= most:
        return None
    return (
        f"a convolution on it is off by {rounding:.1g}, where {most:.1g} at most was expected, so "
        "TF32 or a defect rounds its products"
    )


def _load_libraries() -> None:
    """Load CUDA's libraries from where pip has put them, before anything asks for them by name."""
    if hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()
    # That loads NVRTC without the library beside it, which NVRTC 13.0 looks for by name alone when
    # it compiles: CuPy's kernels would fail.
    package = find_spec("nvidia")
    for folder in (package and package.submodule_search_locations) or ():
        for path in Path(folder).glob("*/lib/libnvrtc-builtins.so.*"):
            with contextlib.suppress(OSError):
                ctypes.CDLL(str(path))


def cudnn_version() -> str | None:
    """Return the version of cuDNN 9 that this process uses, such as ``9.28.1``; None without it."""
    for name in ("libcudnn.so.9", "cudnn64_9.dll"):
        with contextlib.suppress(OSError):
            number = int(ctypes.CDLL(name).cudnnGetVersion())
            return f"{number // 10_000}.{number // 100 % 100}.{number % 100}"
    return None


def _convolution() -> bytes:
    """Return a model of a kernel of cuDNN and one of onnxruntime: sums of 72 values, doubled."""
    x, y = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 8, side, side])
        for name, side in (("x", 16), ("y", 14))
    )
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["z"]),
        helper.make_node("Add", ["z", "z"], ["y"]),
    ]
    weights = numpy_helper.from_array(np.ones((8, 8, 3, 3), np.float32), "w")
    graph = helper.make_graph(nodes, "probe", [x], [y], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return bytes(model.SerializeToString())


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Keep what is written to the standard streams out of a user's terminal.

    onnxruntime reports missing CUDA libraries there, by Python and past it, while we ask whether
    CUDA works.
    """
    try:
        saved = [os.dup(1), os.dup(2)]
    except OSError:  # the streams are closed: nothing to keep quiet
        yield
        return
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        with (
            open(os.devnull, "w", encoding="utf-8") as sink,
            contextlib.redirect_stdout(sink),
            contextlib.redirect_stderr(sink),
        ):
            os.dup2(sink.fileno(), 1)
            os.dup2(sink.fileno(), 2)
            yield
    finally:
        for descriptor, copy in enumerate(saved, 1):
            os.dup2(copy, descriptor)
            os.close(copy)
