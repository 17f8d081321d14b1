"""The extras of the package, on every system that it is installed on."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))[
    "project"
]
GPU = [("linux", "x86_64"), ("win32", "AMD64")]
"""Where onnxruntime-gpu is built."""


def brought(extra: str, system: str, machine: str) -> list[str]:
    """Return the builds of onnxruntime that an extra, or none, brings."""
    lines = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    here = {"sys_platform": system, "platform_machine": machine}
    wanted = [r for r in map(Requirement, lines) if r.marker is None or r.marker.evaluate(here)]
    return [r.name for r in wanted if r.name.startswith("onnxruntime")]


@pytest.mark.parametrize(
    ("system", "machine"),
    [*GPU, ("linux", "aarch64"), ("win32", "ARM64"), ("darwin", "arm64"), ("darwin", "x86_64")],
)
def test_gpu_and_cpu_bring_one_onnxruntime_and_nothing_else_does(system: str, machine: str) -> None:
    """Any build of it would overwrite another that is there."""
    gpu = ["onnxruntime-gpu"] if (system, machine) in GPU else ["onnxruntime"]
    assert brought("gpu", system, machine) == gpu
    assert brought("cpu", system, machine) == ["onnxruntime"]
    for extra in {"", *PROJECT["optional-dependencies"]} - {"gpu", "cpu", "cuda"}:
        assert brought(extra, system, machine) == []
