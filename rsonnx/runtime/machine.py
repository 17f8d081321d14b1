"""What this machine has of CUDA: cards, driver, libraries, packages. Nothing is concluded here."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from rsonnx.runtime.cuda import cupy_problem
from rsonnx.runtime.device_options import CUDA
from rsonnx.runtime.providers import provider_problem, silence
from rsonnx.runtime.wheels import damage, installed_wheels, onnxruntime

Loader = Callable[[str], Any]
"""Loads a shared library by its name, or raises OSError."""

_NVIDIA = "0x10de"
_DISPLAY = "0x03"
"""The class of a PCI device that is a display or a 3D controller."""

_SMI = ("nvidia-smi", "--query-gpu=name,driver_version,compute_cap", "--format=csv,noheader")
_CONTAINERS = (".dockerenv", "run/.containerenv", "run/secrets/kubernetes.io")
_DEVICE_FILES = ("dev/nvidiactl", "dev/dxg")
"""Of a card, and of one under WSL."""

_CUFFT = {12: 11, 13: 12}
"""The major version of cuFFT that comes with a major version of CUDA."""


@dataclass(frozen=True)
class Card:
    """A card as nvidia-smi lists it; ``capability`` is its compute capability, such as ``8.6``."""

    name: str
    driver: str
    capability: str


@dataclass(frozen=True)
class Driver:
    """The driver's own library.

    Attributes:
        cuda: the newest CUDA that it runs, 1000 * major + 10 * minor.
        status: what cuInit returned; 0 where it works.
        devices: how many devices it gives to this process.
    """

    cuda: int
    status: int
    devices: int


@dataclass(frozen=True)
class Machine:
    """All that is known about CUDA on this machine.

    Attributes:
        system, processor: such as ``Linux`` and ``x86_64``.
        wheels: the distributions that provide onnxruntime, with their versions.
        build: the CUDA version that onnxruntime was built for; None for a build without CUDA.
        problem: why a CUDA session cannot be opened; None where it can.
        on_bus: NVIDIA cards on the PCI bus; None where the system does not say.
        container: whether this is a container of Docker, Podman or Kubernetes.
        device_files: whether the card's device files are there.
        visible: CUDA_VISIBLE_DEVICES; None where it is not set.
        driver: None where its library is not there.
        cards: as nvidia-smi lists them; none where it is not there or fails.
        missing: shared libraries that a CUDA session needs and that cannot be loaded.
        packages: NVIDIA's Python packages, with their versions.
        cupy: CuPy's packages, with their versions.
        cupy_problem: why CuPy cannot draw noise; None where it can.
        damage: why onnxruntime cannot be used at all; None where it can.
    """

    system: str
    processor: str
    wheels: dict[str, str]
    build: str | None
    problem: str | None
    on_bus: int | None
    container: bool
    device_files: bool
    visible: str | None
    driver: Driver | None
    cards: tuple[Card, ...]
    missing: tuple[str, ...]
    packages: dict[str, str]
    cupy: dict[str, str]
    cupy_problem: str | None
    damage: str | None = None


def this_machine(
    root: Path = Path("/"), load: Loader = ctypes.CDLL, smi: Sequence[str] = _SMI
) -> Machine:
    """Look at this machine.

    Args:
        root: of the file system.
        load: loads a shared library.
        smi: the command that lists the cards.
    """
    version = getattr(onnxruntime, "cuda_version", None)
    build = str(version) if version and CUDA in onnxruntime.get_available_providers() else None
    problem = provider_problem(CUDA)  # first: it loads the libraries that pip brought
    return Machine(
        system=platform.system(),
        processor=platform.machine(),
        wheels=installed_wheels(),
        build=build,
        problem=problem,
        on_bus=_cards_on_bus(root),
        container=any((root / name).exists() for name in _CONTAINERS),
        device_files=any((root / name).exists() for name in _DEVICE_FILES),
        visible=os.environ.get("CUDA_VISIBLE_DEVICES"),
        driver=find_driver(load),
        cards=_cards(smi),
        missing=missing_libraries(build, load),
        packages=packages_named("nvidia-"),
        cupy=packages_named("cupy"),
        cupy_problem=cupy_problem(),
        damage=damage(),
    )


def _cards_on_bus(root: Path) -> int | None:
    bus = root / "sys/bus/pci/devices"
    if not bus.is_dir():
        return None
    cards = 0
    for device in bus.iterdir():
        with contextlib.suppress(OSError, UnicodeDecodeError):
            vendor, kind = ((device / name).read_text("utf-8") for name in ("vendor", "class"))
            cards += vendor.strip().lower() == _NVIDIA and kind.startswith(_DISPLAY)
    return cards


def find_driver(load: Loader = ctypes.CDLL) -> Driver | None:
    """Ask the driver's library; None where it is not there."""
    for name in ("libcuda.so.1", "nvcuda.dll"):
        with contextlib.suppress(OSError, AttributeError):
            library = load(name)
            version, devices = ctypes.c_int(0), ctypes.c_int(0)
            library.cuDriverGetVersion(ctypes.byref(version))
            status = int(library.cuInit(0))
            if status == 0:
                library.cuDeviceGetCount(ctypes.byref(devices))
            return Driver(version.value, status, devices.value)
    return None


def _cards(smi: Sequence[str]) -> tuple[Card, ...]:
    try:
        # The command is ours; whose nvidia-smi it is, the PATH of the user says.
        done = subprocess.run(smi, capture_output=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    lines = done.stdout.decode(errors="replace").splitlines()
    rows = [[part.strip() for part in line.split(",")] for line in lines]
    return tuple(Card(*row) for row in rows if len(row) == 3 and _is_version(row[2]))


def _is_version(text: str) -> bool:
    return all(part.isdecimal() for part in text.split(".")) and "." in text


def missing_libraries(build: str | None, load: Loader) -> tuple[str, ...]:
    """Return the libraries that a session of a CUDA version needs and that cannot be loaded."""
    if build is None or platform.system() != "Linux":
        return ()
    major = int(build.split(".")[0])
    names = [f"lib{name}.so.{major}" for name in ("cudart", "cublasLt", "cublas")]
    names += ["libcurand.so.10", "libcudnn.so.9"]
    if major in _CUFFT:
        names.append(f"libcufft.so.{_CUFFT[major]}")
    missing = []
    for name in names:
        try:
            with silence():
                load(name)
        except OSError:
            missing.append(name)
    return tuple(missing)


def packages_named(*beginnings: str) -> dict[str, str]:
    """Return the installed distributions whose names begin so, with their versions."""
    installed = {str(d.metadata["Name"] or "").lower(): d.version for d in distributions()}
    return {name: installed[name] for name in sorted(installed) if name.startswith(beginnings)}
