"""What a session on a device is opened with: every choice that changes a rounding is written down.

TF32 rounds float32 products to 10 bits, and onnxruntime has it on by default; the exhaustive search
for a convolution picks another algorithm, and so other roundings, from run to run. Both are off
here unless TF32 is asked for. A session's own option is not enough: TensorRT's provider has none
(onnxruntime issue 26029), and CUDA's tries a convolution with TF32 where cuDNN has no plan without
it. The libraries obey the environment.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field

from rsonnx.arguments import check_flag
from rsonnx.errors import UsageError
from rsonnx.runtime.watchdog import SECONDS_A_CALL
from rsonnx.scalars import as_float, as_whole, shown

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
TENSORRT = "TensorrtExecutionProvider"
OPENVINO = "OpenVINOExecutionProvider"
DIRECTML = "DmlExecutionProvider"

STRICT = "session.disable_cpu_ep_fallback"
"""A session that would leave a node to the processor does not open."""

_TF32_VARIABLE = "NVIDIA_TF32_OVERRIDE"
"""The libraries read it once, when the first session of the process is opened."""

_MOST_DEVICES = 1024
"""More than any machine has; a number beyond it is a mistake."""

_CUDA_OPTIONS = {
    "cudnn_conv_algo_search": "HEURISTIC",
    # The memory that a model asks for, not the next power of two: noise lies beside it.
    "arena_extend_strategy": "kSameAsRequested",
}
_TENSORRT_OPTIONS = {  # whose provider takes True and False alone, as CUDA's takes 1 and 0
    "trt_fp16_enable": "False",
    "trt_bf16_enable": "False",
    "trt_int8_enable": "False",
    "trt_engine_cache_enable": "False",
    "trt_timing_cache_enable": "False",
}

Providers = list[tuple[str, dict[str, str]]]


def check_device(device: object) -> int:
    """Return the number of a device, or refuse what is none."""
    whole = as_whole(device)
    if whole is None or not 0 <= whole < _MOST_DEVICES:
        raise UsageError(
            f"the device is {shown(device)}, but the number of one was expected, 0 for the first; "
            "nvidia-smi -L lists them"
        )
    return whole


def check_time_limit(seconds: object) -> float:
    """Return how long a call may take, or refuse what is no number of seconds."""
    number = as_float(seconds)
    if not 0 <= number < math.inf:
        raise UsageError(
            f"the time limit is {shown(seconds)}, but seconds were expected, 0 for no limit"
        )
    return number


@dataclass(frozen=True)
class DeviceOptions:
    """How a device is used, and how long at a time.

    Attributes:
        device: its number, 0 for the first.
        tf32: let float32 products be rounded to 10 bits, which is faster and another classifier.
        stream: address of the CUDA stream that the session runs on; None gives it one of its own.
        cuda_graph: record the kernels of a run once and replay them. Bound runs only.
        time_limit_per_call: seconds that one call of the model may take; 0 for any time.
    """

    device: int = 0
    tf32: bool = False
    stream: int | None = None
    cuda_graph: bool = False
    time_limit_per_call: float = field(default=SECONDS_A_CALL, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "device", check_device(self.device))
        for name in ("tf32", "cuda_graph"):
            object.__setattr__(self, name, check_flag(name, getattr(self, name)))
        seconds = check_time_limit(self.time_limit_per_call)
        object.__setattr__(self, "time_limit_per_call", seconds)

    def providers(self, name: str) -> Providers:
        """Return the providers to open a session on ``name`` with, best first, with their options.

        TensorRT takes what it can of a graph and leaves the rest to CUDA, which is therefore there
        with the same strictness; its float16, its int8 and its cache of engines stay off.

        Raises:
            UsageError: an option was given that the provider does not have.
        """
        if name not in (CUDA, TENSORRT):
            if self != DeviceOptions():
                raise UsageError(
                    f"a device number, TF32, a stream or a CUDA graph was asked for, but {name} "
                    "has none of them; leave them out, or ask for --providers cuda"
                )
            return [(name, {})]
        common = {"device_id": str(self.device)}
        if self.stream is not None:
            common["user_compute_stream"] = str(self.stream)
        cuda = (CUDA, common | _CUDA_OPTIONS | {"use_tf32": str(int(self.tf32))})
        if name == TENSORRT:
            if self.cuda_graph:
                raise UsageError(
                    "a CUDA graph was asked for, but rsonnx records one with the cuda provider "
                    "only; ask for --providers cuda, or leave the graph out"
                )
            return [(TENSORRT, common | _TENSORRT_OPTIONS), cuda]
        if self.cuda_graph:
            cuda[1]["enable_cuda_graph"] = "1"
        return [cuda]

    def environment(self, name: str) -> dict[str, str]:
        """Return what of the environment changes roundings on a provider: it must be as asked.

        Raises:
            UsageError: the environment contradicts the options, and it would win.
        """
        if name not in (CUDA, TENSORRT):
            return {}
        wanted, value = str(int(self.tf32)), tf32_override(self.tf32)
        if value != wanted:
            raise UsageError(
                f"{_TF32_VARIABLE} is {value!r} in the environment, but TF32 was "
                f"{'' if self.tf32 else 'not '}asked for, and the variable wins; set it to "
                f"{wanted} before the program starts, or ask for what it says"
            )
        return {_TF32_VARIABLE: value}


def tf32_override(tf32: bool) -> str:
    """Return what the environment says of TF32: ``"0"`` for never. It is set where it is silent."""
    return os.environ.setdefault(_TF32_VARIABLE, str(int(tf32)))
