"""Every way in which CUDA can be missing, and what mends it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rsonnx.runtime.diagnosis import Finding, diagnose
from rsonnx.runtime.machine import Card, Driver, Machine

H200 = Card("NVIDIA H200", "580.95.05", "9.0")
PASCAL = Card("NVIDIA GeForce GTX 1080 Ti", "580.95.05", "6.1")
WELL = Machine(
    system="Linux",
    processor="x86_64",
    wheels={"onnxruntime-gpu": "1.31.1"},
    build="13.0",
    problem=None,
    on_bus=1,
    container=False,
    device_files=True,
    visible=None,
    driver=Driver(13000, 0, 1),
    cards=(H200,),
    missing=(),
    packages={"nvidia-cublas": "13.0.1", "nvidia-cudnn-cu13": "9.13"},
    cupy={"cupy-cuda13x": "14.2.0"},
    cupy_problem=None,
)
GONE = "onnxruntime gave a session on CPUExecutionProvider instead"
LIBRARIES = ("libcublasLt.so.13", "libcudnn.so.9")


def ill(**changes: Any) -> list[Finding]:
    return diagnose(replace(WELL, **({"problem": GONE} | changes)))


def test_a_machine_on_which_all_works_has_no_findings() -> None:
    assert diagnose(WELL) == []


CASES: dict[str, tuple[dict[str, Any], str, str]] = {
    "two wheels": (
        {"wheels": {"onnxruntime": "1.31.1", "onnxruntime-gpu": "1.31.1"}, "build": None},
        "onnxruntime and onnxruntime-gpu are both installed",
        "pip uninstall -y onnxruntime onnxruntime-gpu && pip install onnxruntime-gpu",
    ),
    "the wheel for processors": (
        {"wheels": {"onnxruntime": "1.31.1"}, "build": None},
        "onnxruntime 1.31.1 was built without CUDA",
        "pip uninstall -y onnxruntime && pip install 'rsonnx[cuda]'",
    ),
    "no driver": (
        {"driver": None, "device_files": False, "cards": ()},
        "its driver is not installed (libcuda.so.1 is not there)",
        "sudo apt install nvidia-driver-580",
    ),
    "an old driver": (
        {"driver": Driver(12040, 0, 1), "cards": (replace(H200, driver="550.54"),)},
        "the driver 550.54 runs CUDA up to 12.4, but onnxruntime was built for CUDA 13.0",
        "nvidia-driver-580, then reboot",
    ),
    "an old driver on Windows": (
        {"driver": Driver(12040, 0, 1), "system": "Windows", "processor": "AMD64", "cards": ()},
        "the driver runs CUDA up to 12.4",
        "install driver 580 or later from nvidia.com/drivers, then reboot",
    ),
    "no libraries": (
        {"missing": LIBRARIES, "packages": {}},
        "libcublasLt.so.13, libcudnn.so.9 cannot be loaded; onnxruntime needs CUDA 13 and cuDNN 9",
        "pip install 'rsonnx[cuda]', which brings them",
    ),
    "libraries of another CUDA": (
        {"missing": LIBRARIES, "packages": {"nvidia-cublas-cu12": "12", "nvidia-cudnn-cu13": "9"}},
        "nvidia-cublas-cu12 is of another CUDA than the 13.0 that onnxruntime was built for",
        "pip uninstall -y nvidia-cublas-cu12 && pip install 'rsonnx[cuda]'",
    ),
    "an old card": (
        {"cards": (PASCAL,)},
        "GTX 1080 Ti (6.1) is older than CUDA 13 supports, which is compute capability 7.5",
        "pip install 'onnxruntime-gpu[cuda,cudnn]<1.27'",
    ),
    "a container without the card": (
        {"container": True, "driver": None, "device_files": False, "cards": ()},
        "this container was started without the card",
        "docker run --gpus all",
    ),
    "a container with the driver alone": (
        {"container": True, "driver": Driver(13000, 100, 0), "device_files": False, "cards": ()},
        "this container was started without the card",
        "nvidia-container-toolkit",
    ),
    "every card hidden": (
        {"visible": "", "driver": Driver(13000, 100, 0)},
        "CUDA_VISIBLE_DEVICES is '', which hides every card",
        "unset CUDA_VISIBLE_DEVICES",
    ),
    "no device": (
        {"driver": Driver(13000, 100, 0)},
        "the driver finds no device (cuInit returned 100)",
        "nvidia-smi -L",
    ),
    "driver and module differ": (
        {"driver": Driver(13000, 803, 0)},
        "are of different versions (cuInit returned 803)",
        "sudo reboot",
    ),
    "no fabric manager": (
        {"driver": Driver(13000, 802, 0)},
        "the fabric manager of an NVSwitch machine does not run",
        "sudo systemctl start nvidia-fabricmanager",
    ),
    "an unknown state": (
        {"driver": Driver(13000, 12345, 0)},
        "the driver does not start (cuInit returned 12345)",
        "dmesg",
    ),
    "devices that are not given": (
        {"driver": Driver(13000, 0, 0)},
        "gives this process no device",
        "nvidia-smi -L",
    ),
    "nothing that is known": ({}, GONE, "pip install 'rsonnx[cuda]' --force-reinstall"),
}


@pytest.mark.parametrize("case", CASES)
def test_one_cause_is_one_finding_with_the_command_that_mends_it(case: str) -> None:
    changes, problem, mend = CASES[case]
    (found,) = ill(**changes)
    assert problem in found.problem
    assert mend in found.mend
    assert "\n" not in found.problem + found.mend


NONE: dict[str, Any] = {"on_bus": 0, "device_files": False, "driver": None, "cards": ()}


@pytest.mark.parametrize(
    ("changes", "problem", "mend"),
    [
        (NONE, "no NVIDIA card was found", "ask for --providers cpu"),
        (NONE | {"container": True}, "found in this container", "docker run --gpus all; else ask"),
        (NONE | {"on_bus": None}, "no NVIDIA card was found", "ask for --providers cpu"),
        (NONE | {"system": "Darwin", "build": None}, "a Mac has no CUDA", "--providers cpu"),
    ],
)
def test_without_a_card_nothing_else_is_asked_for(
    changes: dict[str, Any], problem: str, mend: str
) -> None:
    """Neither drivers nor libraries nor CuPy would help."""
    (found,) = (
        ill(**changes, missing=LIBRARIES, cupy={}) if "build" not in changes else ill(**changes)
    )
    assert problem in found.problem
    assert mend in found.mend


def test_several_causes_are_all_named_the_first_first() -> None:
    found = ill(driver=Driver(12040, 0, 1), missing=LIBRARIES, packages={}, cupy={})
    assert [f.problem.split()[0] for f in found] == ["the", "libcublasLt.so.13,", "CuPy"]


def test_one_card_that_is_young_enough_is_enough() -> None:
    (found,) = ill(cards=(PASCAL, H200))
    assert found.problem == GONE


CUPY: dict[str, tuple[dict[str, Any], str, str]] = {
    "none": ({"cupy": {}}, "CuPy is not installed, so noise is drawn on the host", "cupy-cuda13x"),
    "of another CUDA": (
        {"cupy": {"cupy-cuda12x": "13.6"}},
        "cupy-cuda12x is installed, but onnxruntime was built for CUDA 13.0",
        "pip uninstall -y cupy-cuda12x && pip install cupy-cuda13x",
    ),
    "two of them": (
        {"cupy": {"cupy-cuda12x": "13.6", "cupy-cuda13x": "14.2"}},
        "cupy-cuda12x and cupy-cuda13x are installed",
        "pip uninstall -y cupy-cuda12x cupy-cuda13x && pip install cupy-cuda13x",
    ),
    "broken": (
        {"cupy_problem": "CuPy finds no device that works: x"},
        "CuPy does not work, so noise is drawn on the host: CuPy finds no device",
        "pip install --force-reinstall cupy-cuda13x",
    ),
}


@pytest.mark.parametrize("case", CUPY)
def test_where_cuda_works_cupy_is_looked_at(case: str) -> None:
    changes, problem, mend = CUPY[case]
    (found,) = diagnose(replace(WELL, **changes))
    assert problem in found.problem
    assert mend in found.mend


def test_a_build_for_cuda_12_is_judged_as_such() -> None:
    twelve = replace(
        WELL, build="12.8", driver=Driver(12040, 0, 1), cards=(PASCAL,), cupy={"cupy-cuda12x": "1"}
    )
    assert diagnose(twelve) == []
    (old,) = diagnose(replace(twelve, problem=GONE, driver=Driver(11080, 0, 1)))
    assert "nvidia-driver-525" in old.mend
