"""``rsonnx doctor``: what this machine can run, and what keeps CUDA from it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
from cloup import command

from rsonnx.cli.options import json_option

if TYPE_CHECKING:
    from rsonnx.runtime.machine import Machine


@command()
@json_option
def doctor(as_json: bool) -> None:
    """Say which execution providers work here, and what mends those that do not.

    \b
    Example:
      rsonnx doctor
    """
    from rsonnx.runtime import choose_provider
    from rsonnx.runtime.machine import this_machine

    answer = facts(this_machine())
    if as_json:
        click.echo(json.dumps(answer, indent=2))
    else:
        _show(answer)
    if answer["default"] is None:
        choose_provider(None)  # which says why, and what mends it


def _show(answer: dict[str, Any]) -> None:
    from rsonnx.report import printable

    for name, value in answer["versions"].items():
        click.echo(f"{name:<21} {printable(str(value))}")
    click.echo(f"{'cores':<21} {answer['cores']}")
    for card in answer["cuda"]["cards"]:
        click.echo(f"{'card':<21} {printable(_line(card))}")
    for name, problem in answer["providers"].items():
        click.echo(f"{name}: {'works' if problem is None else printable(problem)}")
    if answer["default"] is None:
        return  # the error says it all
    click.echo(f"used where --providers is not given: {answer['default']}")
    for finding in answer["findings"]:
        click.echo(f"problem: {printable(finding['problem'])}")
        click.echo(f"   mend: {printable(finding['mend'])}")


def facts(machine: Machine) -> dict[str, Any]:
    """Return what can be said of a machine, as ``--json`` prints it."""
    from rsonnx.runs import versions
    from rsonnx.runtime import choose_provider, provider_problem
    from rsonnx.runtime.device_options import CPU, CUDA, TENSORRT
    from rsonnx.runtime.diagnosis import diagnose, no_card
    from rsonnx.runtime.wheels import onnxruntime

    available = [] if onnxruntime is None else onnxruntime.get_available_providers()
    problems = {name: provider_problem(name) for name in available}
    for name in (CUDA, TENSORRT):  # whose own words speak of libraries, which would not help
        if problems.get(name) is not None:
            problems[name] = no_card(machine) or problems[name]
    return {
        "versions": versions(),
        "cores": os.cpu_count(),
        "providers": problems,
        "default": choose_provider(None).name if problems.get(CPU, "") is None else None,
        "cuda": asdict(machine),
        "findings": [asdict(finding) for finding in diagnose(machine)],
    }


def _line(card: dict[str, str]) -> str:
    return f"{card['name']}, compute capability {card['capability']}, driver {card['driver']}"
