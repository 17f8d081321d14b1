"""A strict onnxruntime session: the provider that was asked for or an error, and nothing random."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import DTypeLike, NDArray

from rsonnx.errors import InferenceError, ModelError, ProviderError
from rsonnx.runtime.device_options import (
    DeviceOptions,
    Providers,
    environment_of,
    provider_list,
)
from rsonnx.runtime.placement import RECORD, check_placement, read_placement
from rsonnx.runtime.providers import ProviderChoice, first_line

_STRICT = "session.disable_cpu_ep_fallback"
_REFUSED_CPU_NODES = "fallback to CPU EP has been explicitly disabled"
_NO_SUCH_DEVICE = "invalid device ordinal"
_OUT_OF_MEMORY = (
    "out of memory",
    "Failed to allocate memory",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_ALLOC_FAILED",
)
_NO_GRAPH = "-1"
"""The number of a graph that leaves a run out of recording."""


class DeviceMemoryError(InferenceError):
    """The memory of the device is too small for the batch; nothing of it was counted."""


@dataclass(frozen=True)
class Buffer:
    """Memory of a device that a session reads or writes.

    Attributes:
        kind: onnxruntime's name of the memory: ``"cuda"`` or ``"cpu"``.
        device: number of the device.
        address: of the first value.
        shape: of the tensor, C-contiguous.
        dtype: of its values.
    """

    kind: str
    device: int
    address: int
    shape: tuple[int, ...]
    dtype: DTypeLike


class Session:
    """An onnxruntime session on one provider, with one thread a call.

    Many threads may run it at once; that is how it is made fast on a processor. On a stream that it
    was given their runs go one after the other.

    Args:
        model: the serialized model.
        provider: the provider to run on.
        name: what to call the model in messages.
        device: how a device is used.

    Raises:
        UsageError: an option was given that the provider does not have.
        ModelError: onnxruntime refuses the model, or would compute on the processor.
        ProviderError: the session came out on another provider, or there is no such device.

    Attributes:
        name: what to call the model in messages.
    """

    def __init__(
        self,
        model: bytes,
        provider: ProviderChoice,
        name: str,
        device: DeviceOptions | None = None,
    ) -> None:
        self.name = name
        self._on_cpu = provider.is_cpu
        self.device = device or DeviceOptions()
        providers = provider_list(provider.name, self.device)
        self._providers = dict(providers)
        self._environment = environment_of(provider.name, self.device)
        self._cpu_nodes: dict[str, int] = {}
        self._session = self._opened(model, providers)
        self._one_at_a_time: contextlib.AbstractContextManager[Any] = (
            contextlib.nullcontext() if self.device.stream is None else threading.Lock()
        )
        self._graphs = 0
        self._plain_run = self._run_options(_NO_GRAPH)

    def _opened(self, model: bytes, providers: Providers) -> Any:
        try:
            session = _open(model, providers, {} if self._on_cpu else {_STRICT: "1"})
        except Exception as error:  # onnxruntime raises a class of its own for each status code
            if _REFUSED_CPU_NODES not in str(error):
                raise self._refusal(error, providers) from None
            session = self._opened_with_cpu_nodes(model, providers)
        session.disable_fallback()
        self._check_provider(session, providers)
        return session

    def _opened_with_cpu_nodes(self, model: bytes, providers: Providers) -> Any:
        """Open once more, and accept nodes on the processor if all they do is work out shapes."""
        try:
            session = _open(model, providers, {RECORD: "1"})
        except Exception as error:
            raise self._refusal(error, providers) from None
        self._check_provider(session, providers)
        placement = read_placement(session, self.name)
        check_placement(placement, list(self._providers), self.name)
        self._cpu_nodes = placement.on_cpu
        return session

    def _refusal(self, error: Exception, providers: Providers) -> Exception:
        if _NO_SUCH_DEVICE in str(error):
            return ProviderError(
                f"device {self.device.device} was asked for, but {providers[0][0]} has no device "
                "of that number here; nvidia-smi -L lists them"
            )
        return ModelError(f"onnxruntime cannot load {self.name}: {first_line(error)}")

    def _check_provider(self, session: Any, providers: Providers) -> None:
        wanted, got = [name for name, _ in providers], session.get_providers()
        if got[: len(wanted)] != wanted:
            raise ProviderError(
                f"onnxruntime gave a session on {got[0]} for {self.name}, but "
                f"{' with '.join(wanted)} was asked for; run `rsonnx doctor`"
            )

    @property
    def providers(self) -> tuple[str, ...]:
        """The providers that the session really has."""
        return tuple(self._session.get_providers())

    @property
    def facts(self) -> dict[str, Any]:
        """What a run's header says of a device: the options it really has, and what is not on it.

        Empty on a processor.
        """
        if self._on_cpu:
            return {}
        real = self._session.get_provider_options()
        found: dict[str, Any] = {
            "options": {
                name: {key: real.get(name, {}).get(key, "unknown") for key in sorted(asked)}
                for name, asked in self._providers.items()
                if asked
            },
            "tf32": self.device.tf32,
            "shape_nodes_on_cpu": self._cpu_nodes,
        }
        for options in found["options"].values():
            options.pop("user_compute_stream", None)  # an address: it says nothing, and varies
        return found | ({"environment": self._environment} if self._environment else {})

    def run(self, output: str, input_name: str, batch: NDArray[Any]) -> NDArray[Any]:
        """Return one output for one batch.

        Raises:
            InferenceError: the model failed on the batch.
            DeviceMemoryError: the batch does not fit the memory of the device.
        """
        try:
            with self._one_at_a_time:
                found = self._session.run([output], {input_name: batch}, self._plain_run)
        except Exception as error:  # onnxruntime raises a class of its own for each status code
            raise self._failure(error, batch.shape, "; use a smaller batch size") from None
        return np.asarray(found[0])

    def bind(self, input_name: str, data: Buffer, output: str, answer: Buffer) -> BoundRun:
        """Bind an input and an output to memory of the device, so that a run copies nothing."""
        binding = self._session.io_binding()
        binding.bind_input(
            input_name, data.kind, data.device, data.dtype, list(data.shape), data.address
        )
        binding.bind_output(
            output, answer.kind, answer.device, answer.dtype, list(answer.shape), answer.address
        )
        self._graphs += 1
        return BoundRun(self, binding, data.shape, self._run_options(str(self._graphs)))

    def _run_options(self, graph: str) -> Any:
        """Return options that name a graph; None where none is recorded, which costs nothing."""
        if not self.device.cuda_graph:
            return None
        options = onnxruntime.RunOptions()
        options.add_run_config_entry("gpu_graph_id", graph)
        return options

    def run_bound(self, binding: Any, options: Any, shape: tuple[int, ...]) -> None:
        """Run a binding of :meth:`bind`; raises as :meth:`run` does."""
        try:
            with self._one_at_a_time:
                self._session.run_with_iobinding(binding, options)
        except Exception as error:
            raise self._failure(error, shape) from None

    def _failure(
        self, error: Exception, shape: tuple[int, ...], advice: str = ""
    ) -> InferenceError:
        text = f"{self.name} failed on a batch of shape {list(shape)}: {first_line(error)}"
        if not self._on_cpu and any(sign in str(error) for sign in _OUT_OF_MEMORY):
            return DeviceMemoryError(text + advice)
        return InferenceError(text)


@dataclass(frozen=True, eq=False)
class BoundRun:
    """A session whose input and output are bound to memory of the device."""

    session: Session
    binding: Any
    shape: tuple[int, ...]
    options: Any

    def run(self) -> None:
        """Run once, from the bound input to the bound output.

        Raises:
            InferenceError: the model failed.
            DeviceMemoryError: the batch does not fit the memory of the device.
        """
        self.session.run_bound(self.binding, self.options, self.shape)


def _open(model: bytes, providers: Providers, entries: dict[str, str]) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.use_deterministic_compute = True
    # Idle threads that spin slow their neighbours down (there are none with one thread a call,
    # but a provider may add its own).
    for key, value in ({"session.intra_op.allow_spinning": "0"} | entries).items():
        options.add_session_config_entry(key, value)
    return onnxruntime.InferenceSession(model, options, providers=providers)
