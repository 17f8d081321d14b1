"""Execution providers: which were asked for, which really work, and never another in silence.

onnxruntime hands out a CPU session where CUDA was asked for and does not work, without an
exception, and lists CUDA as available all the same. So a provider counts as working only when a
session that was made with it alone says that it has it.
"""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from onnx import TensorProto, helper

from rsonnx.errors import ProviderError, UsageError
from rsonnx.runtime.device_options import CPU, CUDA, TENSORRT, no_tf32_in_tensorrt
from rsonnx.runtime.wheels import (
    CUDA_EXTRA,
    CUDA_PLATFORMS,
    damage,
    installed_wheels,
    onnxruntime,
    reinstall,
)

_NAMES = {"cpu": CPU, "cuda": CUDA, "tensorrt": TENSORRT, "coreml": "CoreMLExecutionProvider"}
_PREFERENCE = (CUDA, CPU)
"""What is tried, best first, where no provider was asked for."""


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


def choose_provider(requested: Sequence[str] | None) -> ProviderChoice:
    """Return the first provider of ``requested``, which must work, or the best one that does.

    Args:
        requested: names such as ``"cpu"`` or ``"CUDAExecutionProvider"``. One is expected; a CPU
            behind it is accepted, since onnxruntime's users write so, but nothing falls back to it.

    Raises:
        UsageError: a name that is not known.
        ProviderError: the provider does not work on this machine, or onnxruntime itself does not.
    """
    if (problem := provider_problem(CPU)) is not None:
        raise ProviderError(f"{problem}; mend it: {reinstall(installed_wheels())}")
    if not requested:
        working = next(name for name in _PREFERENCE if provider_problem(name) is None)
        return ProviderChoice(working, ())
    names = [_NAMES.get(name.lower(), name) for name in requested]
    for name in names:
        if name not in onnxruntime.get_all_providers():
            raise UsageError(
                f"the provider {name!r} is not known; {', '.join(_NAMES)} or one of onnxruntime's "
                "own names was expected"
            )
    problem = provider_problem(names[0])
    if problem is not None:
        advice = "run `rsonnx doctor`, or ask for --providers cpu"
        built_in = onnxruntime.get_available_providers()
        built_here = (platform.system(), platform.machine().lower()) in CUDA_PLATFORMS
        if names[0] in (CUDA, TENSORRT) and names[0] not in built_in and built_here:
            advice = f"mend it: {reinstall(installed_wheels(), CUDA_EXTRA)}"
        raise ProviderError(
            f"the provider {requested[0]!r} does not work here: {problem}; {advice}"
        )
    return ProviderChoice(names[0], tuple(requested))


@cache
def provider_problem(name: str) -> str | None:
    """Return why a provider does not work on this machine, or None where it does."""
    if onnxruntime is None:
        return damage()
    if name not in onnxruntime.get_available_providers():
        return f"onnxruntime {onnxruntime.__version__} was built without it"
    if name == TENSORRT:
        no_tf32_in_tensorrt()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        with silence():
            if name in (CUDA, TENSORRT) and hasattr(onnxruntime, "preload_dlls"):
                onnxruntime.preload_dlls()
            session = onnxruntime.InferenceSession(_tiny_model(), options, providers=[name])
    except Exception as error:  # onnxruntime raises a class of its own for each status code
        return first_line(error)
    got = session.get_providers()[0]
    if got == name:
        return None
    return (
        f"onnxruntime gave a session on {got} instead, as it does when the driver or one of the "
        "libraries of the provider is missing"
    )


def _tiny_model() -> bytes:
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    node = helper.make_node("Add", ["x", "x"], ["y"])
    graph = helper.make_graph([node], "tiny", tensors[:1], tensors[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return bytes(model.SerializeToString())


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, without its final stop."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(". ")


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Keep what native code writes to the standard streams out of a user's terminal.

    onnxruntime reports missing CUDA libraries there, past Python, while we ask whether CUDA works.
    """
    try:
        saved = [os.dup(1), os.dup(2)]
    except OSError:  # the streams are closed: nothing to keep quiet
        yield
        return
    sink = os.open(os.devnull, os.O_WRONLY)
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        yield
    finally:
        os.dup2(saved[0], 1)
        os.dup2(saved[1], 2)
        for descriptor in (sink, *saved):
            os.close(descriptor)
