"""``rsonnx doctor``: what this machine can run, and what keeps CUDA from it."""

from __future__ import annotations

import json
import os
from typing import Any

import click
import onnxruntime

from rsonnx.cli.options import json_option
from rsonnx.runs import versions
from rsonnx.runtime import choose_provider, installed_wheels, provider_problem


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Say which execution providers work here, and what to do about those that do not.

    \b
    Example:
      rsonnx doctor
    """
    found = facts()
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for name, value in found["versions"].items():
        click.echo(f"{name:<17}{value}")
    click.echo(f"{'cores':<17}{found['cores']}")
    for name, problem in found["providers"].items():
        click.echo(f"{name}: {'works' if problem is None else problem}")
    click.echo(f"used where --providers is not given: {found['default']}")
    for line in found["advice"]:
        click.echo(f"advice: {line}")


def facts() -> dict[str, Any]:
    """Return what can be said of this machine."""
    problems = {name: provider_problem(name) for name in onnxruntime.get_available_providers()}
    wheels = installed_wheels()
    advice = []
    if len(wheels) > 1:
        advice.append(
            f"{' and '.join(wheels)} are both installed and overwrite each other, so that CUDA "
            "vanishes: pip uninstall onnxruntime onnxruntime-gpu, then install one of them"
        )
    cuda = "CUDAExecutionProvider"
    if cuda not in problems:
        advice.append(
            "this onnxruntime has no CUDA; for an NVIDIA card: pip install onnxruntime-gpu"
        )
    elif problems[cuda] is not None:
        advice.append(
            "CUDA does not work; with an NVIDIA card and its driver present: pip install "
            "'onnxruntime-gpu[cuda,cudnn]', which brings the CUDA and cuDNN libraries"
        )
    return {
        "versions": versions(),
        "cores": os.cpu_count(),
        "providers": problems,
        "default": choose_provider(None).name,
        "advice": advice,
    }
