"""What is found out of a machine, asked of machines that are made up."""

from __future__ import annotations

import platform
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rsonnx.runtime.machine import (
    Card,
    Driver,
    Loader,
    find_driver,
    missing_libraries,
    packages_named,
    this_machine,
)


def driver(cuda: int, status: int = 0, devices: int = 1) -> Any:
    """Return the driver's library, which writes through the pointers that it is given."""
    return SimpleNamespace(
        cuDriverGetVersion=lambda out: setattr(out._obj, "value", cuda),
        cuInit=lambda _: status,
        cuDeviceGetCount=lambda out: setattr(out._obj, "value", devices),
    )


def loader(libraries: dict[str, Any]) -> Loader:
    def load(name: str) -> Any:
        if name not in libraries:
            raise OSError(f"{name}: cannot open shared object file")
        return libraries[name]

    return load


def printing(text: str) -> list[str]:
    return [sys.executable, "-c", f"print({text!r})"]


@pytest.mark.parametrize("name", ["libcuda.so.1", "nvcuda.dll"])
def test_the_driver_says_its_version_and_its_devices(name: str) -> None:
    assert find_driver(loader({name: driver(13000, devices=4)})) == Driver(13000, 0, 4)
    assert find_driver(loader({name: driver(12040, status=100)})) == Driver(12040, 100, 0)


def test_no_driver() -> None:
    assert find_driver(loader({})) is None
    assert find_driver(loader({"libcuda.so.1": SimpleNamespace()})) is None


@pytest.mark.parametrize(
    ("smi", "cards"),
    [
        (
            printing("NVIDIA H200, 580.95.05, 9.0\nNVIDIA GeForce GTX 1080 Ti, 580.95.05, 6.1"),
            (
                Card("NVIDIA H200", "580.95.05", "9.0"),
                Card("NVIDIA GeForce GTX 1080 Ti", "580.95.05", "6.1"),
            ),
        ),
        (printing("Failed to initialize NVML: mismatch\nNVML library version: 580.9"), ()),
        (printing("A, B, [N/A]"), ()),
        (["no-such-command-of-nvidia"], ()),
        ([sys.executable, "-c", "print('A, 1, 9.0'); raise SystemExit(9)"], ()),
    ],
)
def test_cards_are_read_from_nvidia_smi(smi: list[str], cards: tuple[Card, ...]) -> None:
    assert this_machine(smi=smi).cards == cards


def test_cards_on_the_bus(tmp_path: Path) -> None:
    assert this_machine(tmp_path).on_bus is None
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
    assert this_machine(tmp_path).on_bus == 2


@pytest.mark.parametrize(
    ("mark", "container"),
    [
        (".dockerenv", True),
        ("run/.containerenv", True),
        ("run/secrets/kubernetes.io", True),
        ("dev/nvidiactl", False),
        ("dev/dxg", False),
    ],
)
def test_containers_and_device_files(tmp_path: Path, mark: str, container: bool) -> None:
    before = this_machine(tmp_path)
    assert not before.container
    assert not before.device_files
    (tmp_path / mark).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / mark).touch()
    after = this_machine(tmp_path)
    assert (after.container, after.device_files) == (container, not container)


def test_libraries_of_the_right_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """onnxruntime 1.31's CUDA library names these (readelf -d), cuDNN and cuFFT aside."""
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    needed = ["libcudart.so.13", "libcublasLt.so.13", "libcublas.so.13", "libcurand.so.10"]
    needed += ["libcudnn.so.9", "libcufft.so.12"]
    assert missing_libraries("13.0", loader(dict.fromkeys(needed))) == ()
    assert missing_libraries("13.0", loader({})) == tuple(needed)
    assert "libcublas.so.12" in missing_libraries("12.8", loader(dict.fromkeys(needed)))
    assert missing_libraries(None, loader({})) == ()
    monkeypatch.setattr(platform, "system", lambda: "Windows")
    assert missing_libraries("13.0", loader({})) == ()


def test_packages_by_the_beginning_of_their_names() -> None:
    packages = packages_named("num")
    assert "numpy" in packages
    assert all(name.startswith("num") for name in packages)


def test_this_machine_can_be_looked_at() -> None:
    machine = this_machine()
    assert machine.wheels
    assert (machine.problem is None) <= (machine.driver is not None)
