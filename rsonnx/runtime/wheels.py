"""onnxruntime as it is installed here, or what is wrong with it and the command that mends it.

Several distributions, the wheels for CPU and CUDA among them, write the same files. Where two were
installed and one is removed, the files of both are gone, and Python imports the folder that is left
without a word. So onnxruntime is imported here alone, and looked at.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from importlib.metadata import Distribution, distributions
from typing import Any

from rsonnx.errors import first_line

CUDA_EXTRA = "'rsonnx[cuda]'"
"""What brings onnxruntime with CUDA and its libraries."""

_MISSING = "onnxruntime is not installed"
_EXTRAS = "'rsonnx[gpu]', or 'rsonnx[cpu]' for the processor alone"
"""What brings onnxruntime where none is."""

CUDA_PLATFORMS = {("Linux", "x86_64"), ("Windows", "amd64")}
"""Systems and processors for which onnxruntime-gpu is built."""


def _imported() -> tuple[Any, str | None]:
    try:
        import onnxruntime as module  # noqa: PLC0415 - where it may fail
    except Exception as error:  # native code that does not load raises more than ImportError
        return None, first_line(error)
    if hasattr(module, "InferenceSession"):
        return module, None
    return None, "its files are gone"


onnxruntime, _damage = _imported()
"""The module; None where :func:`damage` says why."""


def damage() -> str | None:
    """Return why onnxruntime cannot be used at all; None where it can."""
    if _damage is None:
        return None
    installed = " and ".join(f"{name} {number}" for name, number in installed_wheels().items())
    return f"{installed} cannot be imported: {_damage}" if installed else _MISSING


@cache
def installed_wheels() -> dict[str, str]:
    """Return the distributions that provide onnxruntime; two of them break each other."""
    wheels = {
        str(wheel.metadata["Name"]): wheel.version
        for wheel in distributions()
        if _provides(wheel, "top_level.txt", "onnxruntime\n")
        or _provides(wheel, "RECORD", "onnxruntime/__init__.py,")
    }
    return dict(sorted(wheels.items()))


def _provides(wheel: Distribution, listing: str, line: str) -> bool:
    """Return whether a distribution's list of what it brings has a line that begins so."""
    return f"\n{line}" in f"\n{wheel.read_text(listing) or ''}\n"


def reinstall(wheels: Collection[str], requirement: str | None = None) -> str:
    """Return the command that puts one whole onnxruntime in the place of these wheels.

    Args:
        wheels: those that are installed.
        requirement: what brings it; None keeps the build that is there, of two the special one.
    """
    if not wheels:
        return f"pip install {requirement or _EXTRAS}"
    removed = " ".join(sorted(wheels))
    return f"pip uninstall -y {removed} && pip install {requirement or max(wheels)}"
