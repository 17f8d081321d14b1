from __future__ import annotations

import os
import sys

import numpy as np
import onnxruntime
import pytest
from onnx_models import echo

from rsonnx.errors import InferenceError, ModelError, ProviderError, UsageError
from rsonnx.runtime import (
    ProviderChoice,
    Session,
    choose_provider,
    installed_wheels,
    provider_problem,
)
from rsonnx.runtime.device_options import CPU, CUDA
from rsonnx.runtime.providers import first_line, silence

WITHOUT_CUDA = pytest.mark.skipif(provider_problem(CUDA) is None, reason="this machine has CUDA")


@pytest.mark.parametrize("names", [["cpu"], ["CPU"], ["CPUExecutionProvider"], ["cpu", "cuda"]])
def test_the_processor_works_everywhere(names: list[str]) -> None:
    choice = choose_provider(names)
    assert (choice.name, choice.requested, choice.is_cpu) == (CPU, tuple(names), True)


def test_without_a_wish_the_best_that_works_is_taken() -> None:
    choice = choose_provider(None)
    assert provider_problem(choice.name) is None
    assert choice.requested == ()
    assert choice.name == (CUDA if provider_problem(CUDA) is None else CPU)


@pytest.mark.parametrize("names", [["gpu"], [""], ["cpu", "cdua"], ["cudaexecutionprovider"]])
def test_a_mistyped_name_is_refused_with_the_names_that_are_known(names: list[str]) -> None:
    with pytest.raises(UsageError, match=f"{names[-1]!r} is not known; cpu, cuda"):
        choose_provider(names)


@WITHOUT_CUDA
def test_a_provider_that_does_not_work_is_refused_and_never_replaced() -> None:
    """onnxruntime makes a CPU session where CUDA does not work; at last it is asked directly."""
    for names in (["cuda"], ["cuda", "cpu"]):
        with pytest.raises(ProviderError, match="'cuda'"):
            choose_provider(names)
    with silence(), pytest.raises((ProviderError, ModelError)):
        Session(echo().SerializeToString(), ProviderChoice(CUDA, ("cuda",)), "a.onnx")
    assert "was built without" in str(provider_problem("NoSuchExecutionProvider"))


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
