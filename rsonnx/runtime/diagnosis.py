"""Why CUDA does not work on a machine, and the command that mends it.

Sources: NVIDIA's CUDA release notes for the oldest driver and card of a CUDA version (CUDA 13 needs
driver 580 and compute capability 7.5, CUDA 12 driver 525 and 5.0); cuda.h for cuInit's numbers;
onnxruntime issues 26996 (two wheels) and 23372 (no exception without CUDA).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rsonnx.runtime.machine import Machine
from rsonnx.runtime.wheels import CUDA_EXTRA, CUDA_PLATFORMS, reinstall

_OLDEST_DRIVER = {12: 525, 13: 580}
_OLDEST_CARD = {12: (5, 0), 13: (7, 5)}
_NEWEST = 13
_EXTRA = f"pip install {CUDA_EXTRA}"

_STATUS = {
    35: ("the driver is too old", "update the driver"),
    100: (
        "the driver finds no device",
        "look for the card with nvidia-smi -L; in a container, start it with --gpus all",
    ),
    101: ("CUDA_VISIBLE_DEVICES names a device that is not there", "unset CUDA_VISIBLE_DEVICES"),
    802: (
        "the system is not ready: the fabric manager of an NVSwitch machine does not run",
        "sudo systemctl start nvidia-fabricmanager",
    ),
    803: ("the driver's library and its kernel module are of different versions", "sudo reboot"),
    804: (
        "the CUDA compatibility library is in the way of the driver's own",
        "take the folder of cuda-compat out of LD_LIBRARY_PATH",
    ),
    999: (
        "the kernel module is in no state to work",
        "sudo modprobe -r nvidia_uvm && sudo modprobe nvidia_uvm, or reboot",
    ),
}
"""What cuInit's result means, and what mends it."""


@dataclass(frozen=True)
class Finding:
    """One thing that keeps CUDA away or makes it slower, and the command that mends it."""

    problem: str
    mend: str


def diagnose(machine: Machine) -> list[Finding]:
    """Return what is wrong with CUDA on a machine, what comes first first; empty where nothing is.

    Without a card nothing is wrong with CUDA. Nothing is found out while onnxruntime itself is
    damaged.
    """
    if machine.damage is not None:
        return [Finding(machine.damage, reinstall(machine.wheels))]
    findings = list(_two_wheels(machine))
    if no_card(machine) is not None:
        return findings
    findings = findings or list(_no_cuda(machine))
    # The CUDA version that counts is onnxruntime's, else the newest.
    major = _NEWEST if machine.build is None else int(machine.build.split(".")[0])
    if machine.problem is not None:
        causes = [*_driver(machine, major), *_cards(machine, major), *_libraries(machine, major)]
        if not findings and not causes:
            causes = [Finding(machine.problem, f"reinstall: {_EXTRA} --force-reinstall")]
        findings += causes
    return findings + list(_cupy(machine, major))


def _two_wheels(machine: Machine) -> Iterator[Finding]:
    if len(machine.wheels) > 1:
        yield Finding(
            f"{' and '.join(machine.wheels)} are all installed and overwrite each other, so that "
            "providers vanish",
            reinstall(machine.wheels),
        )


def _no_cuda(machine: Machine) -> Iterator[Finding]:
    if machine.build is None and (machine.system, machine.processor.lower()) in CUDA_PLATFORMS:
        installed = " ".join(f"{name} {version}" for name, version in machine.wheels.items())
        yield Finding(
            f"the installed {installed or 'onnxruntime'} was built without CUDA",
            reinstall(machine.wheels, CUDA_EXTRA),
        )


def no_card(machine: Machine) -> str | None:
    """Return in words that there is no card, where nothing speaks for one; else None."""
    signs = machine.cards or machine.on_bus or machine.device_files
    if signs or (machine.driver is not None and machine.driver.devices):
        return None
    if machine.on_bus is None and machine.driver is not None:
        return None  # the system does not list its cards, and there is a driver: let it speak
    if machine.container:
        return "no NVIDIA card in this container; docker run --gpus all gives it those of the host"
    return "no NVIDIA card"


def _driver(machine: Machine, major: int) -> Iterator[Finding]:
    """Find one thing that is wrong with the driver, if anything is."""
    driver, oldest = machine.driver, _OLDEST_DRIVER.get(major, _OLDEST_DRIVER[_NEWEST])
    install = f"install driver {oldest} or later"
    if machine.system == "Windows":
        install += " from nvidia.com/drivers"
    else:
        install += f", on Ubuntu: sudo apt install nvidia-driver-{oldest}"
    if machine.container and (driver is None or not machine.device_files):
        yield Finding(
            "this container was started without the card: its driver or its device files are not "
            "there",
            "on the host, install nvidia-container-toolkit, then docker run --gpus all",
        )
    elif driver is None:
        yield Finding(
            "there is an NVIDIA card, but its driver is not installed (libcuda.so.1 is not there)",
            install,
        )
    elif driver.cuda // 1000 < major:
        name = f"the driver {machine.cards[0].driver}" if machine.cards else "the driver"
        newest = f"{driver.cuda // 1000}.{driver.cuda % 1000 // 10}"
        yield Finding(
            f"{name} runs CUDA up to {newest}, but onnxruntime was built for CUDA "
            f"{machine.build or major}",
            f"{install}, then reboot",
        )
    elif machine.visible is not None and driver.devices == 0 and driver.status in (0, 100):
        yield Finding(
            f"CUDA_VISIBLE_DEVICES is {machine.visible!r}, which hides every card",
            "unset CUDA_VISIBLE_DEVICES",
        )
    elif driver.status:
        unknown = ("the driver does not start", "reboot, and look at sudo dmesg")
        what, mend = _STATUS.get(driver.status, unknown)
        yield Finding(f"{what} (cuInit returned {driver.status})", mend)
    elif driver.devices == 0:
        yield Finding("the driver works but gives this process no device", "nvidia-smi -L")


def _cards(machine: Machine, major: int) -> Iterator[Finding]:
    oldest = _OLDEST_CARD.get(major, (0, 0))
    capabilities = [tuple(map(int, card.capability.split(".")[:2])) for card in machine.cards]
    if capabilities and max(capabilities) < oldest:
        names = ", ".join(f"{card.name} ({card.capability})" for card in machine.cards)
        yield Finding(
            f"{names} is older than CUDA {major} supports, which is compute capability "
            f"{oldest[0]}.{oldest[1]} and later",
            "pip install 'onnxruntime-gpu[cuda,cudnn]<1.27', which is built for CUDA 12, or "
            "ask for --providers cpu",
        )


def _libraries(machine: Machine, major: int) -> Iterator[Finding]:
    if not machine.missing:
        return
    missing = f"{', '.join(machine.missing)} cannot be loaded"
    versions = [(name, name.rpartition("-cu")[2]) for name in machine.packages]
    wrong = [name for name, cuda in versions if cuda.isdecimal() and cuda != str(major)]
    if wrong:
        yield Finding(
            f"{missing}; not of the CUDA {machine.build} that onnxruntime was built for: "
            f"{', '.join(wrong)}",
            f"pip uninstall -y {' '.join(wrong)} && {_EXTRA}",
        )
    else:
        yield Finding(
            f"{missing}; onnxruntime needs CUDA {major} and cuDNN 9", f"{_EXTRA}, which brings them"
        )


def _cupy(machine: Machine, major: int) -> Iterator[Finding]:
    """Say what keeps the noise on the host, where CUDA itself could work."""
    if machine.build is None:
        return
    right = f"cupy-cuda{major}x"
    own = [name for name in machine.cupy if name == "cupy" or name.startswith("cupy-")]
    if len(machine.cupy) > 1 or own not in ([], [right]):
        yield Finding(
            f"CuPy is installed as {' and '.join(machine.cupy)}, but onnxruntime was built for "
            f"CUDA {machine.build}, for which {right} alone is right",
            f"pip uninstall -y {' '.join(machine.cupy)} && pip install {right}",
        )
    elif not machine.cupy:
        yield Finding(
            "CuPy is not installed, so noise is drawn on the host, which is slower",
            f"pip install {right}",
        )
    elif machine.problem is None and machine.cupy_problem is not None:
        yield Finding(
            f"CuPy does not work, so noise is drawn on the host: {machine.cupy_problem}",
            "pip install --force-reinstall "
            + ("nvidia-cuda-nvrtc" if "nvrtc" in machine.cupy_problem.lower() else right),
        )
