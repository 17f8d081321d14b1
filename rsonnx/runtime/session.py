"""A strict onnxruntime session: the provider that was asked for or an error, and nothing random."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from rsonnx.errors import InferenceError, ModelError, ProviderError, first_line
from rsonnx.runtime.device_options import DIRECTML, STRICT, DeviceOptions, Providers
from rsonnx.runtime.placement import RECORD, shape_nodes_on_cpu
from rsonnx.runtime.providers import ProviderChoice, cudnn_version
from rsonnx.runtime.watchdog import limited
from rsonnx.runtime.wheels import onnxruntime
from rsonnx.weights import StoredWeight, in_memory, still_mapped

_REFUSED_CPU_NODES = "fallback to CPU EP has been explicitly disabled"
_NO_SUCH_DEVICE = ("invalid device ordinal", "invalid device id")
_OUT_OF_MEMORY = (
    "out of memory",
    "failed to allocate memory",
    "bad_alloc",
    "available memory of",  # ... is smaller than requested bytes of: the arena has a limit
    "alloc_failed",
    "allocation_failed",
    # No memory for a handle; that the libraries start at all was tried before.
    "cublas_status_not_initialized",
    "cudnn_status_not_initialized",
)
"""Parts of messages, in small letters."""
_WHERE = re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : (/\S+:\d+ .*?\) (?=[A-Z]))?")
"""What onnxruntime says before a reason: a code, and a place in its own source."""
_FOLDER = "session.model_external_initializers_file_folder_path"
_NO_GRAPH = -1
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
    was given their runs go one after the other, and so they do on DirectML, which allows no more.

    Args:
        model: the serialized model.
        provider: the provider to run on.
        name: what to call the model in messages.
        device: how a device is used.
        weights: values of its stored tensors that it says are elsewhere, by name. On a processor
            those of a file are read from there; all their files are in one folder.

    Raises:
        UsageError: an option was given that the provider does not have.
        ModelError: onnxruntime refuses the model, or would compute on the processor; or the file of
            a weight changed meanwhile.
        ProviderError: the session came out on another provider, or the device is not there or full.

    Attributes:
        name: what to call the model in messages.
        device: how a device is used.
    """

    def __init__(
        self,
        model: bytes,
        provider: ProviderChoice,
        name: str,
        device: DeviceOptions | None = None,
        weights: Mapping[str, NDArray[Any] | StoredWeight] | None = None,
    ) -> None:
        self.name = name
        self.device = device or DeviceOptions()
        self._on_cpu = provider.is_cpu
        self._in_files: dict[str, StoredWeight] = {}
        # Which a session reads where they lie, as long as it lives.
        self._weights: dict[str, Any] = {}
        for key, weight in (weights or {}).items():
            if isinstance(weight, StoredWeight) and self._on_cpu:
                self._in_files[key] = weight
            else:
                self._weights[key] = _value(weight)
        self._held = {k: _value(w) for k, w in self._in_files.items() if w.held is not None}
        providers = self.device.providers(provider.name)
        self._asked = dict(providers)
        self._environment = self.device.environment(provider.name)
        self._cpu_nodes: dict[str, int] = {}
        self._session = self._opened(model, providers)
        if self._in_files and (mapped := still_mapped(self._in_files)):
            # A later change of the file would change the model, or end the process.
            del self._session
            self._weights |= {key: _value(self._in_files.pop(key)) for key in mapped}
            self._session = self._opened(model, providers)
        for weight in self._in_files.values():
            weight.check()
        in_turn = self.device.stream is not None or provider.name == DIRECTML
        self._one_at_a_time: contextlib.AbstractContextManager[Any] = (
            threading.Lock() if in_turn else contextlib.nullcontext()
        )
        self._graphs = 0

    def _opened(self, model: bytes, providers: Providers) -> Any:
        """Open strictly; where that is refused, accept nodes on the processor that do shapes."""
        strict = {} if self._on_cpu else {STRICT: "1"}
        try:
            session = self._open(model, providers, strict)
        except ModelError as error:
            if _REFUSED_CPU_NODES not in str(error.__cause__):
                raise
            session = self._open(model, providers, {RECORD: "1"})
            self._cpu_nodes = shape_nodes_on_cpu(session, list(self._asked), self.name)
        return session

    def _open(self, model: bytes, providers: Providers, entries: dict[str, str]) -> Any:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        options.use_deterministic_compute = True
        # Idle threads that spin slow their neighbours down (there are none with one thread a call,
        # but a provider may add its own).
        for key, value in ({"session.intra_op.allow_spinning": "0"} | entries).items():
            options.add_session_config_entry(key, value)
        if self._in_files:
            folder = next(iter(self._in_files.values())).path.parent.resolve()
            options.add_session_config_entry(_FOLDER, str(folder))
        if self._weights:
            options.add_external_initializers(list(self._weights), list(self._weights.values()))
        if self._on_cpu:  # which copies nothing, and lets its graph optimizers read the file
            for key, value in (self._held | self._weights).items():
                options.add_initializer(key, value)
        try:
            # Python's own fallback would try a processor, print, and hide why it did.
            session = onnxruntime.InferenceSession(
                model, options, providers=providers, enable_fallback=0
            )
        except Exception as error:  # onnxruntime raises a class of its own for each status code
            if not self._on_cpu and _says(error, _OUT_OF_MEMORY):
                raise ProviderError(
                    f"device {self.device.device} has too little memory for {self.name}: "
                    f"{first_line(error)}; free some, or ask for another with --devices"
                ) from None
            if _says(error, _NO_SUCH_DEVICE):
                raise ProviderError(
                    f"device {self.device.device} was asked for, but {providers[0][0]} has no "
                    "device of that number here; nvidia-smi -L lists them"
                ) from None
            reason = _WHERE.sub("", first_line(error), count=1)
            raise ModelError(f"onnxruntime cannot load {self.name}: {reason}") from error
        wanted, got = [name for name, _ in providers], session.get_providers()
        if got[: len(wanted)] != wanted:
            raise ProviderError(
                f"onnxruntime gave a session on {got[0]} for {self.name}, but "
                f"{' with '.join(wanted)} was asked for; run `rsonnx doctor`"
            )
        return session

    @property
    def providers(self) -> tuple[str, ...]:
        """The providers that the session really has."""
        return tuple(self._session.get_providers())

    @property
    def facts(self) -> dict[str, Any]:
        """What a run's header says of a device: what its roundings depend on, what is not on it.

        Empty on a processor.
        """
        if self._on_cpu:
            return {}
        real = self._session.get_provider_options()
        hidden = {"user_compute_stream"}  # an address: it says nothing, and varies
        options = {
            name: {key: real.get(name, {}).get(key, "unknown") for key in sorted({*asked} - hidden)}
            for name, asked in self._asked.items()
            if asked
        }
        facts = {
            "options": options,
            "tf32": self.device.tf32,
            "deterministic": self._session.get_session_options().use_deterministic_compute,
            "cudnn": cudnn_version(),
            "shape_nodes_on_cpu": self._cpu_nodes,
        }
        return facts | ({"environment": self._environment} if self._environment else {})

    def run(self, output: str, input_name: str, batch: NDArray[Any]) -> NDArray[Any]:
        """Return one output for one batch; raises as :meth:`run_all` does."""
        return self.run_all([output], input_name, batch)[0]

    def run_all(
        self, outputs: Sequence[str], input_name: str, batch: NDArray[Any]
    ) -> list[NDArray[Any]]:
        """Return several outputs for one batch.

        Raises:
            InferenceError: the model failed on the batch.
            DeviceMemoryError: the batch does not fit the memory of the device.
        """
        options = _run_options(self._entries(_NO_GRAPH))

        def run() -> Any:
            return self._session.run(list(outputs), {input_name: batch}, options)

        answers = self._named(run, batch.shape, options, "; use a smaller batch size")
        return [np.asarray(answer) for answer in answers]

    def bind(
        self, input_name: str, data: Buffer, output: str, answer: Buffer
    ) -> Callable[[], None]:
        """Return a run from memory of the device to memory of the device, which copies nothing.

        The run is asked for, and done in its turn on the session's stream; one on a processor is
        done when it returns. It raises as :meth:`run` does; what the device reports later, a later
        call on the stream raises.

        Raises:
            ProviderError: the model reads its input elsewhere.
        """
        read_on = self._session.get_input_memory_infos()[0].name  # of the only input
        if data.kind != "cpu" and read_on == "Cpu":
            # It would be copied there once, now, and each run would read that copy.
            raise ProviderError(
                f"{self.name} reads its input on the processor, so noise on the device does not "
                "reach it; ask for --providers cpu"
            )
        binding = self._session.io_binding()
        for bind, name, memory in (
            (binding.bind_input, input_name, data),
            (binding.bind_output, output, answer),
        ):
            shape = list(memory.shape)
            bind(name, memory.kind, memory.device, memory.dtype, shape, memory.address)
        # The host may run ahead: what onnxruntime keeps there between two runs are shapes alone
        # (see shape_nodes_on_cpu), which are the same in every run of a binding.
        self._graphs += 1
        entries = self._entries(self._graphs) | {"disable_synchronize_execution_providers": "1"}

        def run() -> None:
            options = _run_options(entries)
            self._named(
                lambda: self._session.run_with_iobinding(binding, options), data.shape, options
            )

        return run

    def shrink(self, output: str, input_name: str, row: NDArray[Any]) -> None:
        """Give back the memory that earlier runs took of the device, by a run of one row.

        onnxruntime keeps what it once had, in the pieces of that batch. Recorded graphs need it.
        """
        if self._on_cpu or self.device.cuda_graph:
            return
        options = _run_options(
            {"memory.enable_memory_arena_shrinkage": f"gpu:{self.device.device}"}
        )
        with contextlib.suppress(InferenceError):
            self._named(
                lambda: self._session.run([output], {input_name: row}, options), row.shape, options
            )

    def _entries(self, graph: int) -> dict[str, str]:
        """Return the entries of a run's options that name a graph, where any is recorded."""
        return {"gpu_graph_id": str(graph)} if self.device.cuda_graph else {}

    def _named(
        self, run: Callable[[], Any], shape: tuple[int, ...], options: Any, advice: str = ""
    ) -> Any:
        """Run something, and name the model and the batch where that fails or takes too long."""
        limit = self.device.time_limit_per_call
        try:
            with self._one_at_a_time, limited(self.name, shape, limit, options):
                return run()
        except InferenceError:
            raise
        except Exception as error:  # onnxruntime raises a class of its own for each status code
            batch = f"a batch of shape {list(shape)}"
            text = f"{self.name} failed on {batch}: {first_line(error)}"
            if not _says(error, _OUT_OF_MEMORY):
                raise InferenceError(text) from None
            if not self._on_cpu:
                raise DeviceMemoryError(text + advice) from None
            raise InferenceError(
                f"{self.name} needs more memory for {batch} than is free; use a smaller "
                "--batch-size or fewer --workers"
            ) from None


def _value(weight: NDArray[Any] | StoredWeight) -> Any:
    return onnxruntime.OrtValue.ortvalue_from_numpy(in_memory(weight))


def _says(error: Exception, signs: tuple[str, ...]) -> bool:
    return any(sign in str(error).lower() for sign in signs)


def _run_options(entries: dict[str, str]) -> Any:
    """Return the options of one run."""
    options = onnxruntime.RunOptions()
    for key, value in entries.items():
        options.add_run_config_entry(key, value)
    return options
