"""A session on a device, against an onnxruntime that says where it put which node."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx_models import echo

from rsonnx.errors import InferenceError, ModelError, ProviderError, UsageError
from rsonnx.runs.header_fields import KINDS
from rsonnx.runtime import DeviceOptions, ProviderChoice, Session, provider_problem
from rsonnx.runtime.device_options import CPU, CUDA, DIRECTML, TENSORRT
from rsonnx.runtime.placement import RECORD, shape_nodes_on_cpu
from rsonnx.runtime.session import Buffer, DeviceMemoryError

STRICT = "session.disable_cpu_ep_fallback"
TF32 = "NVIDIA_TF32_OVERRIDE"
REFUSAL = (  # onnxruntime 1.31's own words
    "[ONNXRuntimeError] : 1 : FAIL : This session contains graph nodes that are assigned to the "
    "default CPU EP, but fallback to CPU EP has been explicitly disabled by the user."
)
Nodes = dict[str, list[str]]


class FakeSession:
    """What onnxruntime would give for a graph whose nodes go where ``nodes`` says.

    Attributes:
        opened: the providers and the config entries of every session, in order.
    """

    def __init__(self, nodes: Nodes, *, works: bool = True, error: str = "") -> None:
        self.nodes, self.works, self.error = nodes, works, error
        self.opened: list[tuple[list[Any], dict[str, str]]] = []
        self.failure = ""
        self.ran: list[Any] = []
        self.bound: list[Any] = []

    def __call__(
        self, model: bytes, options: Any, providers: list[Any], enable_fallback: int
    ) -> FakeSession:
        assert enable_fallback == 0  # which would hide why a session does not open
        entries = {}
        for key in (STRICT, RECORD):
            try:
                entries[key] = options.get_session_config_entry(key)
            except RuntimeError:  # it is not set
                continue
        self.opened.append((providers, entries))
        self.options = options
        if self.error:
            raise RuntimeError(self.error)
        if entries.get(STRICT) == "1" and (self.nodes.get(CPU) or not self.works):
            raise RuntimeError(REFUSAL)
        return self

    def get_providers(self) -> list[str]:
        return [*(name for name, _ in self.opened[-1][0]), CPU] if self.works else [CPU]

    def get_session_options(self) -> Any:
        return self.options

    def get_provider_options(self) -> dict[str, dict[str, str]]:
        return {name: dict(options) | {"more": "1"} for name, options in self.opened[-1][0]}

    def get_provider_graph_assignment_info(self) -> list[Any]:
        assert self.opened[-1][1] == {RECORD: "1"}
        return [
            SimpleNamespace(
                ep_name=name,
                get_nodes=lambda ops=ops: [SimpleNamespace(op_type=op) for op in ops],
            )
            for name, ops in self.nodes.items()
        ]

    def get_input_memory_infos(self) -> list[Any]:
        return [SimpleNamespace(name="Cuda")]

    def run(self, outputs: list[str], feed: dict[str, Any], options: Any) -> list[Any]:
        if self.failure:
            raise RuntimeError(self.failure)
        self.ran.append(options)
        return [np.zeros(1)]

    def io_binding(self) -> Any:
        def bind(*arguments: Any) -> None:
            self.bound.append(arguments)

        return SimpleNamespace(bind_input=bind, bind_output=bind)

    def run_with_iobinding(self, binding: Any, options: Any) -> None:
        self.run([], {}, options)


Opened = Callable[..., Session]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[Opened]:
    def build(fake: FakeSession, device: DeviceOptions | None = None, name: str = CUDA) -> Session:
        monkeypatch.setattr(onnxruntime, "InferenceSession", fake)
        return Session(b"", ProviderChoice(name, ()), "a.onnx", device)

    monkeypatch.delenv(TF32, raising=False)
    yield build
    os.environ.pop(TF32, None)


def test_the_strict_form_is_tried_first_and_is_enough(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = SimpleNamespace(cudnnGetVersion=lambda: 92801)
    monkeypatch.setattr(ctypes, "CDLL", {"libcudnn.so.9": library}.get)
    fake = FakeSession({CUDA: ["Conv", "Gemm"]})
    session = opened(fake, DeviceOptions(stream=123456))
    assert [entries for _, entries in fake.opened] == [{STRICT: "1"}]
    options = {
        "arena_extend_strategy": "kSameAsRequested",
        "cudnn_conv_algo_search": "HEURISTIC",
        "device_id": "0",
        "use_tf32": "0",
    }  # the address of a stream is no fact
    assert session.facts == {
        "options": {CUDA: options},
        "tf32": False,
        "deterministic": True,
        "cudnn": "9.28.1",
        "shape_nodes_on_cpu": {},
        "environment": {TF32: "0"},
    }
    for name, value in session.facts.items():  # or no run on a device could begin
        assert KINDS[f"model.session.{name}"].accepts(value)


def test_nodes_that_work_out_shapes_are_accepted_and_listed(opened: Opened) -> None:
    """What torch.onnx writes for x.view(x.size(0), -1), which onnxruntime keeps on the CPU."""
    fake = FakeSession({CUDA: ["Conv", "Reshape"], CPU: ["Shape", "Gather", "Concat", "Shape"]})
    session = opened(fake)
    assert [entries for _, entries in fake.opened] == [{STRICT: "1"}, {RECORD: "1"}]
    assert session.facts["shape_nodes_on_cpu"] == {"Concat": 1, "Gather": 1, "Shape": 2}


@pytest.mark.parametrize(
    ("nodes", "named"),
    [
        ({CUDA: ["Conv"], CPU: ["Shape", "QLinearConv", "QLinearConv", "LSTM"]}, r"LSTM \(1\), QL"),
        ({CPU: ["TreeEnsembleClassifier"]}, r"TreeEnsembleClassifier \(1\)"),
        ({CPU: ["Shape", "Cast"]}, CUDA),
    ],
)
def test_nodes_that_compute_on_the_processor_are_refused(
    opened: Opened, nodes: Nodes, named: str
) -> None:
    with pytest.raises(ModelError, match=named) as caught:
        opened(FakeSession(nodes))
    assert "\n" not in str(caught.value)


def test_a_provider_that_is_not_there_is_refused_even_so(opened: Opened) -> None:
    """Without CUDA every node is on the processor; the message must not blame the model."""
    with pytest.raises(ProviderError, match=CPU):
        opened(FakeSession({CPU: ["Shape"]}, works=False))


def test_nodes_of_a_real_session() -> None:
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry(RECORD, "1")
    real = onnxruntime.InferenceSession(echo().SerializeToString(), options, providers=[CPU])
    assert shape_nodes_on_cpu(real, [CPU], "a.onnx") == {"Identity": 1}
    with pytest.raises(ProviderError, match=r"1\.24"):  # it cannot say
        shape_nodes_on_cpu(SimpleNamespace(), [CPU], "a.onnx")


@pytest.mark.parametrize("name", [CUDA, TENSORRT])
@pytest.mark.parametrize(
    "text",
    [
        "CUDA failure 101: invalid device ordinal ; GPU=7",
        "Invalid device ID: 7, must be between 0 and 1 (inclusive).",
        "CUDA failure 2: out of memory ; GPU=7",
    ],
)
def test_what_onnxruntime_says_of_a_device_that_is_not_there_or_full(
    opened: Opened, name: str, text: str
) -> None:
    fake = FakeSession({}, error=text)
    with pytest.raises(ProviderError, match="device 7 "):
        opened(fake, DeviceOptions(device=7), name)
    with pytest.raises(ModelError, match=r"a\.onnx: bad$"):
        opened(FakeSession({}, error="bad.\nmore"))


def test_tensorrt_has_cuda_behind_it_and_no_reduced_precision(opened: Opened) -> None:
    session = opened(FakeSession({TENSORRT: ["TRT"], CUDA: ["ArgMax"]}), None, TENSORRT)
    assert session.providers == (TENSORRT, CUDA, CPU)
    options = session.facts["options"][TENSORRT]
    switches = {key for key in options if key.startswith("trt_")}
    assert {"trt_fp16_enable", "trt_bf16_enable", "trt_int8_enable"} < switches
    # Its parser of options refuses "0" and "1".
    assert {options[key] for key in switches} == {"False"}
    assert session.facts["environment"] == {TF32: "0"} == {TF32: os.environ[TF32]}


@pytest.mark.parametrize("name", [CUDA, TENSORRT])
def test_a_provider_is_tried_without_tf32_too(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The libraries read the variable once, when the first session of a process is opened."""
    monkeypatch.setenv(TF32, "")
    del os.environ[TF32]
    seen: list[str | None] = []

    def look(*args: Any, **kwargs: Any) -> Any:
        seen.append(os.environ.get(TF32))
        raise RuntimeError("none")

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [name])
    monkeypatch.setattr(onnxruntime, "InferenceSession", look)
    assert provider_problem.__wrapped__(name) == "none"
    assert seen == ["0"]


@pytest.mark.parametrize(("name", "value"), [(CUDA, "0"), (CUDA, "1"), (TENSORRT, "1")])
def test_the_environment_is_recorded_and_must_not_contradict(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(TF32, value)
    fake, asked = FakeSession({CUDA: ["Conv"], TENSORRT: ["TRT"]}), value == "1"
    with pytest.raises(UsageError, match=TF32):
        opened(fake, DeviceOptions(tf32=not asked), name)
    session = opened(fake, DeviceOptions(tf32=asked), name)
    assert session.facts["environment"] == {TF32: value}


def test_options_become_provider_options() -> None:
    ((name, options),) = DeviceOptions(3, tf32=True, stream=77, cuda_graph=True).providers(CUDA)
    assert name == CUDA
    assert options == {
        "device_id": "3",
        "use_tf32": "1",
        "cudnn_conv_algo_search": "HEURISTIC",
        "arena_extend_strategy": "kSameAsRequested",
        "enable_cuda_graph": "1",
        "user_compute_stream": "77",
    }
    first, behind = DeviceOptions(device=2, stream=5).providers(TENSORRT)
    assert [(o["device_id"], o["user_compute_stream"]) for _, o in (first, behind)] == [
        ("2", "5")
    ] * 2


@pytest.mark.parametrize("device", [-1, 1.5, True, 5000, "0"])
def test_what_is_no_device_number_is_refused(device: Any) -> None:
    with pytest.raises(UsageError, match="number"):
        DeviceOptions(device=device)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (DeviceOptions(device=1), CPU),
        (DeviceOptions(tf32=True), CPU),
        (DeviceOptions(cuda_graph=True), CPU),
        (DeviceOptions(cuda_graph=True), TENSORRT),
    ],
)
def test_options_that_a_provider_does_not_have_are_refused(
    options: DeviceOptions, name: str
) -> None:
    with pytest.raises(UsageError, match="--providers cuda"):
        Session(echo().SerializeToString(), ProviderChoice(name, ()), "a.onnx", options)


@pytest.mark.parametrize(
    "text",
    [
        "CUDA failure 2: out of memory ; GPU=0",
        "Failed to allocate memory for requested buffer of size 1073741824",
        "Available memory of 1024 is smaller than requested bytes of 4096",
        "CUDNN failure 4000: CUDNN_STATUS_ALLOC_FAILED",
        "CUDNN failure 4005: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
        "CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED",
        "CUBLAS failure 1: CUBLAS_STATUS_NOT_INITIALIZED",
    ],
)
def test_out_of_memory_is_told_from_other_failures(opened: Opened, text: str) -> None:
    fake = FakeSession({CUDA: ["Conv"]})
    session = opened(fake)
    buffer = Buffer("cuda", 0, 0, (2, 3), np.float32)
    bound = session.bind("x", buffer, "y", buffer)
    for failure, kind in ((f"a.\n{text}", DeviceMemoryError), ("wrong", InferenceError)):
        fake.failure = failure
        for run in (lambda: session.run("y", "x", np.zeros((2, 3), np.float32)), bound):
            with pytest.raises(kind, match=r"a\.onnx .*\[2, 3\]") as caught:
                run()
            assert type(caught.value) is kind


def test_a_session_on_directml_runs_one_batch_at_a_time(opened: Opened) -> None:
    """It allows no more, and noise that is drawn on the host comes from two threads."""
    inside: list[int] = []
    most = 0

    class Busy(FakeSession):
        def run(self, *arguments: Any) -> list[Any]:
            nonlocal most
            inside.append(1)
            most = max(most, len(inside))
            time.sleep(0.01)
            inside.pop()
            return [np.zeros(1)]

    session = opened(Busy({DIRECTML: ["Conv"]}), None, DIRECTML)
    batch = np.zeros((2, 3), np.float32)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: session.run("y", "x", batch), range(8)))
    assert most == 1


def test_a_graph_is_recorded_for_each_binding_and_for_no_plain_run(opened: Opened) -> None:
    fake = FakeSession({CUDA: ["Conv"]})
    session = opened(fake, DeviceOptions(cuda_graph=True))
    buffer = Buffer("cuda", 0, 64, (2, 3), np.float32)
    runs = [session.bind("x", buffer, "y", buffer) for _ in range(2)]
    bound = [(name, "cuda", 0, np.float32, [2, 3], 64) for name in "xy"]
    assert fake.bound == bound * 2
    for run in runs:
        run()
    session.run("y", "x", np.zeros((2, 3), np.float32))
    graphs = [options.get_run_config_entry("gpu_graph_id") for options in fake.ran]
    assert graphs == ["1", "2", "-1"]


def test_a_bound_run_of_a_real_session_copies_nothing() -> None:
    session = Session(echo().SerializeToString(), ProviderChoice(CPU, ()), "a.onnx")
    assert session.facts == {}
    data, answer = np.eye(3, dtype=np.float32), np.zeros((3, 3), np.float32)

    def buffer(array: Any) -> Buffer:
        return Buffer("cpu", 0, array.ctypes.data, array.shape, np.float32)

    run = session.bind("x", buffer(data), "scores", buffer(answer))
    for _ in range(2):
        data *= 2
        run()
        np.testing.assert_array_equal(answer, data)
