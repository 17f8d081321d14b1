from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx_models import echo

from rsonnx.errors import InferenceError, ModelError, ProviderError, UsageError, first_line
from rsonnx.runtime import (
    DeviceOptions,
    ProviderChoice,
    Session,
    choose_provider,
    installed_wheels,
    provider_problem,
)
from rsonnx.runtime.device_options import CPU, CUDA, TENSORRT
from rsonnx.runtime.providers import silence

WITHOUT_CUDA = pytest.mark.skipif(provider_problem(CUDA) is None, reason="this machine has CUDA")


@pytest.mark.parametrize("names", [["cpu"], ["CPU"], ["CPUExecutionProvider"], ["cpu", "cuda"]])
def test_the_processor_works_everywhere(names: list[str]) -> None:
    choice = choose_provider(names)
    assert (choice.name, choice.requested, choice.is_cpu) == (CPU, tuple(names), True)


def test_trying_a_provider_starts_no_thread_a_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node of 64 cores has 64 workers, each of which tries it."""
    asked: list[Any] = []

    def session(model: bytes, options: Any, **_: Any) -> Any:
        asked.append((options.intra_op_num_threads, options.inter_op_num_threads))
        raise RuntimeError("seen")

    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    provider_problem.__wrapped__(CPU)
    assert asked == [(1, 1)]


def test_without_a_wish_the_best_that_works_is_taken() -> None:
    choice = choose_provider(None)
    assert provider_problem(choice.name) is None
    assert choice.requested == ()
    assert choice.name == (CUDA if provider_problem(CUDA) is None else CPU)


@pytest.mark.parametrize("names", [["gpu"], [""], ["cpu", "cdua"], ["cudaexecutionprovider"]])
def test_a_mistyped_name_is_refused_with_the_names_that_are_known(names: list[str]) -> None:
    with pytest.raises(UsageError, match=f"{names[-1]!r} is not known; cpu, cuda"):
        choose_provider(names)


@pytest.mark.parametrize("name", ["openvino", "directml", "coreml", "migraphx", "tensorrt"])
def test_every_short_name_is_one_of_onnxruntime_s(name: str) -> None:
    """Where the build here lacks it, it is refused by its problem, and not as a name."""
    with contextlib.suppress(ProviderError):
        assert choose_provider([name]).name in onnxruntime.get_available_providers()


@WITHOUT_CUDA
def test_a_provider_that_does_not_work_is_refused_and_never_replaced() -> None:
    """onnxruntime makes a CPU session where CUDA does not work; at last it is asked directly."""
    for names in (["cuda"], ["cuda", "cpu"]):
        with pytest.raises(ProviderError, match="'cuda'"):
            choose_provider(names)
    with silence(), pytest.raises((ProviderError, ModelError)):
        Session(echo().SerializeToString(), ProviderChoice(CUDA, ("cuda",)), "a.onnx")
    assert "was built without" in str(provider_problem("NoSuchExecutionProvider"))


def test_a_provider_that_leaves_all_work_to_the_processor_does_not_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Azure's is in every wheel for the processor, and stands first in a session where it is."""
    strict: list[str] = []

    def refuse(model: bytes, options: Any, **_: Any) -> None:
        strict.append(options.get_session_config_entry("session.disable_cpu_ep_fallback"))
        raise RuntimeError("fallback to CPU EP has been explicitly disabled")

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["AzureExecutionProvider"])
    monkeypatch.setattr(onnxruntime, "InferenceSession", refuse)
    problem = provider_problem.__wrapped__("AzureExecutionProvider")
    assert (strict, problem is not None) == (["1"], True)


class Tried:
    """An onnxruntime whose sessions on CUDA run here, and what becomes of their answers there.

    Attributes:
        devices: numbers of the devices on which sessions were opened.
    """

    def __init__(self, inputs: Callable[[Any], Any], answer: Callable[[Any], Any]) -> None:
        self._inputs, self._answer = inputs, answer
        self.devices: list[str] = []

    def __call__(self, model: bytes, options: Any, providers: Any, enable_fallback: int) -> Tried:
        assert enable_fallback == 0  # Python's own would print, and hide why a session fails
        self.devices += [options["device_id"] for _, options in providers if options]
        self._names = [name for name, _ in providers]
        self._here = REAL(model, options, providers=[CPU])
        return self

    def get_providers(self) -> list[str]:
        return [*self._names, CPU]

    def run(self, outputs: None, feed: dict[str, Any]) -> Any:
        feed = {name: self._inputs(values) for name, values in feed.items()}
        return [self._answer(values) for values in self._here.run(outputs, feed)]


REAL = onnxruntime.InferenceSession


def tf32(values: Any) -> Any:
    """Round float32 to 10 bits of fraction."""
    bits = values.view(np.uint32)
    return ((bits + 0x1000) & 0xFFFFE000).view(np.float32)


def same(values: Any) -> Any:
    return values


def no_cudnn(values: Any) -> Any:
    raise RuntimeError("cuDNN is not available. Install cuDNN, ...")


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> Any:
    def use(inputs: Callable[[Any], Any] = same, answer: Callable[[Any], Any] = same) -> Tried:
        fake = Tried(inputs, answer)
        monkeypatch.setattr(onnxruntime, "InferenceSession", fake)
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [TENSORRT, CUDA, CPU])
        return fake

    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "")
    del os.environ["NVIDIA_TF32_OVERRIDE"]
    provider_problem.cache_clear()
    yield use
    provider_problem.cache_clear()


@pytest.mark.parametrize("name", [CUDA, TENSORRT])
def test_a_provider_works_where_a_convolution_comes_out_right(tried: Any, name: str) -> None:
    tried()
    assert provider_problem(name) is None
    tried(no_cudnn)
    provider_problem.cache_clear()
    assert "cuDNN is not available" in str(provider_problem(name))
    for wrong in (np.zeros_like, lambda y: y * np.nan, lambda y: y * np.float32(1 + 2e-4)):
        tried(answer=wrong)
        provider_problem.cache_clear()
        assert "convolution" in str(provider_problem(name))


@pytest.mark.parametrize("name", [CUDA, TENSORRT])
def test_tf32_is_found_out_unless_it_was_asked_for(tried: Any, name: str) -> None:
    tried(tf32)
    assert "TF32" in str(provider_problem(name))
    del os.environ["NVIDIA_TF32_OVERRIDE"]
    assert provider_problem(name, 0, True) is None
    assert os.environ["NVIDIA_TF32_OVERRIDE"] == "1"


@pytest.mark.parametrize("name", [CUDA, TENSORRT])
def test_no_device_but_the_one_that_is_used_is_touched(tried: Any, name: str) -> None:
    """A worker for the last of eight cards makes no context on the first."""
    fake = tried()
    assert choose_provider([name], DeviceOptions(7)).name == name
    assert choose_provider(None, DeviceOptions(7)).name == CUDA
    assert set(fake.devices) == {"7"}


def test_cuda_s_libraries_of_pip_are_loaded_with_what_they_load_by_name_alone(
    tried: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """NVRTC 13.0 has no path in it; ``test_kernels_compile.py`` has the real one compile."""
    builtins = tmp_path / "nvidia/cu13/lib/libnvrtc-builtins.so.13.0"
    builtins.parent.mkdir(parents=True)
    builtins.touch()
    loaded: list[str] = []
    monkeypatch.setattr("rsonnx.runtime.providers.find_spec", lambda _: Package(tmp_path))
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: loaded.append("onnxruntime's"))
    monkeypatch.setattr(ctypes, "CDLL", loaded.append)
    tried()
    assert provider_problem(CUDA) is None
    assert loaded == ["onnxruntime's", str(builtins)]


class Package:
    """Where Python finds the package ``nvidia``."""

    def __init__(self, folder: Path) -> None:
        self.submodule_search_locations = [str(folder / "nvidia")]


def test_a_strict_session_runs_and_names_model_and_shape_where_it_fails() -> None:
    session = Session(echo().SerializeToString(), ProviderChoice(CPU, ()), "a.onnx")
    assert session.providers == (CPU,)
    batch = np.eye(3, dtype=np.float32)
    np.testing.assert_array_equal(session.run("scores", "x", batch), batch)
    with pytest.raises(InferenceError, match=r"a\.onnx .*\[2, 4\]"):
        session.run("scores", "x", np.zeros((2, 4), np.float32))
    with pytest.raises(ModelError, match=r"a\.onnx") as caught:
        Session(b"no model", ProviderChoice(CPU, ()), "a.onnx")
    assert "\n" not in str(caught.value)


def test_the_installed_wheel_is_known() -> None:
    assert onnxruntime.__version__ in installed_wheels().values()


def test_first_line_of_an_error() -> None:
    assert first_line(ValueError("a. \nb")) == "a"
    assert first_line(ValueError("")) == "ValueError"


def test_silence_keeps_native_output_away_and_gives_the_streams_back(
    capfd: pytest.CaptureFixture[str],
) -> None:
    before = set(os.listdir("/proc/self/fd")) if sys.platform == "linux" else set()
    with silence():
        os.write(1, b"hidden")
        os.write(2, b"hidden")
    os.write(1, b"out")
    os.write(2, b"err")
    assert capfd.readouterr() == ("out", "err")
    if before:
        assert set(os.listdir("/proc/self/fd")) == before


def test_what_python_prints_in_silence_is_not_printed_later() -> None:
    code = "from rsonnx.runtime.providers import silence\nwith silence(): print('hidden')"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert (ended.stdout, ended.stderr) == (b"", b"")
