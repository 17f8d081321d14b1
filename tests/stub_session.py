"""What ``stub_cuda`` gives for onnxruntime's sessions on a device."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
from stub_streams import Stream

from rsonnx.runtime.device_options import CPU

if TYPE_CHECKING:
    from stub_cuda import StubCuda

_NO_SYNC = "disable_synchronize_execution_providers"
_SHRINK = "memory.enable_memory_arena_shrinkage"
_OUT_OF_MEMORY = "Failed to allocate memory for requested buffer of size"


class StubSession:
    """An onnxruntime session on CUDA or TensorRT, which computes on the processor."""

    def __init__(
        self, cuda: StubCuda, real: Any, model: Any, options: Any, providers: list[Any]
    ) -> None:
        self._cuda, self._asked = cuda, {name: dict(given) for name, given in providers}
        given = self._asked[providers[0][0]]
        self._number = int(given.get("device_id", 0))
        if self._number >= cuda.devices:
            raise RuntimeError(f"Invalid device ID: {self._number}, must be below {cuda.devices}")
        for key, value in given.items():
            if key.startswith("trt_") and key.endswith("_enable"):
                assert value in ("True", "False"), key
        plain = onnxruntime.SessionOptions()
        plain.intra_op_num_threads = 1
        plain.use_deterministic_compute = options is not None and options.use_deterministic_compute
        plain.log_severity_level = 4 if options is None else options.log_severity_level
        self._real = real(model, plain, providers=[CPU])
        address = given.get("user_compute_stream")
        self._stream = Stream(cuda) if address is None else cuda.streams[int(address)]
        self._arena = self._pieces = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def get_providers(self) -> list[str]:
        """Return what it runs on."""
        return [*self._asked, CPU]

    def get_provider_options(self) -> dict[str, dict[str, str]]:
        """Return the options of each."""
        return {name: dict(given) for name, given in self._asked.items()} | {CPU: {}}

    def get_input_memory_infos(self) -> list[Any]:
        """Return where each input is read."""
        return [SimpleNamespace(name=self._cuda.input_memory) for _ in self._real.get_inputs()]

    def disable_fallback(self) -> None:
        """Do nothing: there is none."""

    def run(
        self, outputs: list[str] | None, feed: dict[str, Any], options: Any = None
    ) -> list[Any]:
        """Run a batch of the host's; what is returned may not be written yet."""
        with self._cuda.lock:
            names = outputs or [output.name for output in self._real.get_outputs()]
            answers = dict(zip(names, self._real.run(names, feed), strict=True))
            returned = {n: self._cuda.garbage(np.empty_like(a)) for n, a in answers.items()}

            def work() -> None:
                if self._cuda.distort is not None:
                    self._cuda.distort(answers)
                for name, answer in answers.items():
                    returned[name][...] = answer

            self._do(work, len(next(iter(feed.values()))), options)
            return [returned[name] for name in names]

    def io_binding(self) -> Binding:
        """Return a new binding."""
        return Binding(self._cuda)

    def run_with_iobinding(self, binding: Binding, options: Any = None) -> None:
        """Run a batch of the device's."""
        with self._cuda.lock:
            feed, answers = binding.arrays(binding.inputs), binding.arrays(binding.outputs)
            for data in self._real.get_inputs():
                got = feed[data.name].shape
                if any(isinstance(d, int) and d != n for d, n in zip(data.shape, got, strict=True)):
                    raise RuntimeError(f"Got invalid dimensions for input: {got}")

            def work() -> None:
                computed = dict(zip(answers, self._real.run([*answers], feed), strict=True))
                if self._cuda.distort is not None:
                    self._cuda.distort(computed)
                for name, answer in answers.items():
                    answer[...] = computed[name]

            self._do(work, len(next(iter(feed.values()))), options)

    def _do(self, work: Callable[[], None], rows: int, options: Any) -> None:
        cuda, needed = self._cuda, rows * self._cuda.row_memory
        fault = cuda.called("run")
        cuda.runs.append(rows)
        if number := cuda.last_error():
            raise RuntimeError(f"CUDA failure {number}: resource already mapped ; GPU=0")
        cuda.queue(self._stream, fault, work)
        if fault in ("memory", "capture") or not self._grown(needed):
            self._stream.recording = fault == "capture"
            raise RuntimeError(f"[ONNXRuntimeError] : 1 : FAIL : {_OUT_OF_MEMORY} {needed}")
        if _entry(options, _SHRINK) == f"gpu:{self._number}":
            cuda.used -= self._arena + self._pieces
            self._arena = self._pieces = 0
        if _entry(options, _NO_SYNC) != "1":
            self._stream.synchronize()

    def _grown(self, needed: int) -> bool:
        """Return whether the arena has so much; what it took on the way it keeps."""
        if needed <= self._pieces // 8:
            return True
        more = max(0, needed - self._arena)
        taken = min(more, self._cuda.memory - self._cuda.used)
        self._cuda.used += taken
        if taken == more:
            self._arena += taken
        else:
            self._pieces += taken
        return taken == more


class Binding:
    """Addresses that a run reads and writes."""

    def __init__(self, cuda: StubCuda) -> None:
        self._cuda = cuda
        self.inputs: dict[str, tuple[Any, ...]] = {}
        self.outputs: dict[str, tuple[Any, ...]] = {}
        self._copied: dict[str, Any] = {}

    def bind_input(self, name: str, kind: str, device: int, *memory: Any) -> None:
        """Bind an input to an address."""
        assert (kind, device < self._cuda.devices) == ("cuda", True)
        self.inputs[name] = memory
        if self._cuda.input_memory == "Cpu":
            self._copied = {name: np.array(self.arrays({name: memory})[name])}

    def bind_output(self, name: str, kind: str, device: int, *memory: Any) -> None:
        """Bind an output to an address."""
        assert (kind, device < self._cuda.devices) == ("cuda", True)
        self.outputs[name] = memory

    def arrays(self, bound: dict[str, tuple[Any, ...]]) -> dict[str, Any]:
        """Return arrays over the memory at the addresses."""
        return {
            name: self._cuda.memory_at(address, prod(shape) * np.dtype(dtype).itemsize)
            .view(dtype)
            .reshape(shape)
            for name, (dtype, shape, address) in bound.items()
        } | {name: copy for name, copy in self._copied.items() if name in bound}


def _entry(options: Any, key: str) -> str | None:
    try:
        return None if options is None else str(options.get_run_config_entry(key))
    except (RuntimeError, KeyError):  # it is not set
        return None
