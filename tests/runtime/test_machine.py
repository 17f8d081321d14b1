"""What is found out of a machine, asked of machines that are made up."""

from __future__ import annotations

import platform
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rsonnx.runtime import machine
from rsonnx.runtime.machine import Card, Driver

SMI = """NVIDIA H200, 580.95.05, 9.0
NVIDIA GeForce GTX 1080 Ti, 580.95.05, 6.1
"""


def driver(cuda: int, status: int = 0, devices: int = 1) -> Any:
    """Return the driver's library, which writes through the pointers that it is given."""

    def version(out: Any) -> int:
        out._obj.value = cuda
        return 0

    def count(out: Any) -> int:
        out._obj.value = devices
        return 0

    return SimpleNamespace(
        cuDriverGetVersion=version, cuInit=lambda _: status, cuDeviceGetCount=count
    )


def loader(libraries: dict[str, Any]) -> machine.Loader:
    def load(name: str) -> Any:
        if name not in libraries:
            raise OSError(f"{name}: cannot open shared object file")
        return libraries[name]

    return load


@pytest.mark.parametrize("name", ["libcuda.so.1", "nvcuda.dll"])
def test_the_driver_says_its_version_and_its_devices(name: str) -> None:
    assert machine.find_driver(loader({name: driver(13000, devices=4)})) == Driver(13000, 0, 4)
    assert machine.find_driver(loader({name: driver(12040, status=100)})) == Driver(12040, 100, 0)


def test_no_driver() -> None:
    assert machine.find_driver(loader({})) is None
    assert machine.find_driver(loader({"libcuda.so.1": SimpleNamespace()})) is None


def test_cards_are_read_from_nvidia_smi() -> None:
    assert machine.find_cards(lambda _: SMI) == (
        Card("NVIDIA H200", "580.95.05", "9.0"),
        Card("NVIDIA GeForce GTX 1080 Ti", "580.95.05", "6.1"),
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.",
        "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 580.9",
        "A, B, [N/A]",
    ],
)
def test_what_is_no_card_is_none(text: str) -> None:
    assert machine.find_cards(lambda _: text) == ()


def test_a_command_that_is_not_there_gives_nothing() -> None:
    assert machine._output_of(["no-such-command-of-nvidia"]) == ""
    assert machine._output_of(["false"]) == ""


def test_cards_on_the_bus(tmp_path: Path) -> None:
    assert machine.cards_on_bus(tmp_path) is None
    bus = tmp_path / "sys/bus/pci/devices"
    for name, vendor, kind in (
        ("0", "0x10de", "0x030200"),
        ("1", "0x10DE", "0x030000"),
        ("2", "0x10de", "0x040300"),  # the sound of a card
        ("3", "0x8086", "0x030000"),
    ):
        (bus / name).mkdir(parents=True)
        (bus / name / "vendor").write_text(vendor + "\n")
        (bus / name / "class").write_text(kind + "\n")
    (bus / "4").mkdir()
    assert machine.cards_on_bus(tmp_path) == 2


@pytest.mark.parametrize("mark", [".dockerenv", "run/.containerenv", "run/secrets/kubernetes.io"])
def test_containers(tmp_path: Path, mark: str) -> None:
    assert not machine.in_container(tmp_path)
    (tmp_path / mark).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / mark).touch()
    assert machine.in_container(tmp_path)


@pytest.mark.parametrize("name", ["nvidiactl", "dxg"])
def test_device_files(tmp_path: Path, name: str) -> None:
    assert not machine.has_device_files(tmp_path)
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / name).touch()
    assert machine.has_device_files(tmp_path)


def test_libraries_of_the_right_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """onnxruntime 1.31's CUDA library names these (readelf -d), cuDNN and cuFFT aside."""
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    needed = ["libcudart.so.13", "libcublasLt.so.13", "libcublas.so.13", "libcurand.so.10"]
    needed += ["libcudnn.so.9", "libcufft.so.12"]
    assert machine.missing_libraries("13.0", loader(dict.fromkeys(needed))) == ()
    assert machine.missing_libraries("13.0", loader({})) == tuple(needed)
    assert "libcublas.so.12" in machine.missing_libraries("12.8", loader(dict.fromkeys(needed)))
    assert machine.missing_libraries(None, loader({})) == ()
    monkeypatch.setattr(platform, "system", lambda: "Windows")
    assert machine.missing_libraries("13.0", loader({})) == ()


def test_packages_by_the_beginning_of_their_names() -> None:
    found = machine.packages_named(("num",))
    assert set(found) >= {"numpy"}
    assert all(name.startswith("num") for name in found)


def test_this_machine_can_be_looked_at() -> None:
    found = machine.this_machine()
    assert found.wheels
    assert (found.problem is None) <= (found.driver is not None)
