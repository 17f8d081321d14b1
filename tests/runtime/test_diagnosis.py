"""Every way in which CUDA can be missing, and what mends it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rsonnx.runtime.diagnosis import Finding, diagnose, no_card
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
NO_CUDNN = "cuDNN is not available"
LIBRARIES = ("libcublasLt.so.13", "libcudnn.so.9")
TWO_WHEELS = {"onnxruntime": "1.31.1", "onnxruntime-gpu": "1.31.1"}
OLD_DRIVER = Driver(12040, 0, 1)
WRONG_CUDA = {"nvidia-cublas-cu12": "12", "nvidia-cudnn-cu13": "9"}
NO_CARD: dict[str, Any] = {"on_bus": 0, "device_files": False, "driver": None, "cards": ()}
NO_CARD |= {"missing": LIBRARIES, "cupy": {}}
OFFLINE: dict[str, Any] = {"device_files": False, "cards": ()}


def ill(**changes: Any) -> list[Finding]:
    return diagnose(replace(WELL, **({"problem": GONE} | changes)))


@pytest.mark.parametrize(
    ("changes", "problem", "mend"),
    [
        ({"wheels": TWO_WHEELS, "build": None}, "onnxruntime-gpu", "pip uninstall -y onnxruntime"),
        ({"wheels": {"onnxruntime": "1"}, "build": None}, "without CUDA", "pip uninstall -y onnx"),
        (OFFLINE | {"driver": None}, "libcuda.so.1", "sudo apt install nvidia-driver-580"),
        ({"driver": OLD_DRIVER}, "CUDA up to 12.4", "nvidia-driver-580, then reboot"),
        ({"driver": OLD_DRIVER, "system": "Windows"}, "CUDA up to 12.4", "nvidia.com/drivers"),
        ({"missing": LIBRARIES, "packages": {}}, "libcublasLt.so.13", "'rsonnx[cuda]', which"),
        ({"missing": LIBRARIES, "packages": WRONG_CUDA}, "cublas-cu12", "-y nvidia-cublas-cu12 &"),
        ({"cards": (PASCAL,)}, "GTX 1080 Ti (6.1)", "'onnxruntime-gpu[cuda,cudnn]<1.27'"),
        (OFFLINE | {"container": True, "driver": None}, "container", "docker run --gpus all"),
        (OFFLINE | {"container": True, "driver": Driver(13000, 100, 0)}, "container", "toolkit"),
        ({"visible": "", "driver": Driver(13000, 100, 0)}, "CUDA_VISIBLE_DEVICES is ''", "unset"),
        ({"driver": Driver(13000, 100, 0)}, "cuInit returned 100", "nvidia-smi -L"),
        ({"driver": Driver(13000, 803, 0)}, "cuInit returned 803", "sudo reboot"),
        ({"driver": Driver(13000, 802, 0)}, "fabric manager", "nvidia-fabricmanager"),
        ({"driver": Driver(13000, 12345, 0)}, "cuInit returned 12345", "dmesg"),
        ({"driver": Driver(13000, 0, 0)}, "no device", "nvidia-smi -L"),
        ({}, GONE, "pip install 'rsonnx[cuda]' --force-reinstall"),
        ({"cards": (PASCAL, H200)}, GONE, "--force-reinstall"),  # one is young enough
        # Where CUDA works, what keeps the noise on the host is said.
        ({"problem": None, "cupy": {}}, "CuPy is not installed", "cupy-cuda13x"),
        ({"problem": None, "cupy": {"cupy-cuda12x": "1"}}, "cupy-cuda12x", "install cupy-cuda13x"),
        (
            {"problem": None, "cupy": {"cupy-cuda12x": "1", "cupy-cuda13x": "1"}},
            "cupy-cuda12x and cupy-cuda13x",
            "pip uninstall -y cupy-cuda12x cupy-cuda13x && pip install cupy-cuda13x",
        ),
        ({"problem": None, "cupy_problem": "x"}, "host: x", "--force-reinstall cupy-cuda13x"),
        ({"problem": None, "cupy_problem": "NVRTC_ERROR"}, "NVRTC", "reinstall nvidia-cuda-nvrtc"),
        ({"problem": NO_CUDNN, "missing": ("libcudnn.so.9",)}, "libcudnn", "'rsonnx[cuda]', which"),
        ({"problem": NO_CUDNN}, NO_CUDNN, "--force-reinstall"),
    ],
)
def test_one_cause_is_one_finding_with_the_command_that_mends_it(
    changes: dict[str, Any], problem: str, mend: str
) -> None:
    (finding,) = ill(**changes)
    assert problem in finding.problem
    assert mend in finding.mend
    assert "\n" not in finding.problem + finding.mend


def test_a_machine_on_which_all_works_has_no_findings() -> None:
    assert diagnose(WELL) == []
    assert no_card(WELL) is None


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"container": True},
        {"on_bus": None},
        {"system": "Darwin", "on_bus": None, "build": None},
        {"wheels": {"onnxruntime": "1.31.1"}, "build": None},
        {"wheels": {"onnxruntime-openvino": "1.24.1"}, "build": None},
    ],
)
def test_without_a_card_nothing_is_wrong(changes: dict[str, Any]) -> None:
    """Neither drivers nor libraries would help; two wheels break each other all the same."""
    machine = replace(WELL, **({"problem": GONE} | NO_CARD | changes))
    assert diagnose(machine) == []
    assert "--gpus all" in str(no_card(machine)) or not machine.container
    (finding,) = diagnose(replace(machine, wheels=TWO_WHEELS))
    assert finding.mend.endswith("pip install onnxruntime-gpu")


@pytest.mark.parametrize(
    ("wheels", "removed", "kept"),
    [
        ({"onnxruntime-openvino": "1"}, ["onnxruntime-openvino"], "onnxruntime-openvino"),
        ({"onnxruntime": "1", "onnxruntime-directml": "1"}, None, "onnxruntime-directml"),
        ({}, [], "'rsonnx[gpu]'"),
    ],
)
def test_a_damaged_onnxruntime_is_replaced_by_the_build_that_it_was(
    wheels: dict[str, str], removed: list[str] | None, kept: str
) -> None:
    (finding,) = ill(damage="its files are gone", wheels=wheels)
    assert finding.problem == "its files are gone"
    assert f"pip install {kept}" in finding.mend
    for name in wheels if removed is None else removed:
        assert name in finding.mend.partition("&&")[0].split()


def test_several_causes_are_all_named_the_first_first() -> None:
    findings = ill(driver=OLD_DRIVER, missing=LIBRARIES, packages={}, cupy={})
    assert [f.problem.split()[0] for f in findings] == ["the", "libcublasLt.so.13,", "CuPy"]


def test_a_build_for_cuda_12_is_judged_as_such() -> None:
    twelve = replace(
        WELL, build="12.8", driver=OLD_DRIVER, cards=(PASCAL,), cupy={"cupy-cuda12x": "1"}
    )
    assert diagnose(twelve) == []
    (old,) = diagnose(replace(twelve, problem=GONE, driver=Driver(11080, 0, 1)))
    assert "nvidia-driver-525" in old.mend
