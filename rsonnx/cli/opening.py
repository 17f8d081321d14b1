"""From the words of a command line to a job that is ready to run."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rsonnx import runs
from rsonnx.cli.noises import asked_noise
from rsonnx.cli.settings import data_settings, engine_settings, model_settings
from rsonnx.noise import check_seed, fresh_seed
from rsonnx.runs import Job, SeedUsed
from rsonnx.runs.sample import Sample


def open_job(model: Path, data: Path, given: dict[str, Any], stack: ExitStack) -> Job:
    """Open what a command names, and what counts on ``stack``."""
    return runs.open_job(model, data, stack, **opening_arguments(given))


def opening_arguments(given: dict[str, Any]) -> dict[str, Any]:
    """Return what a command's options mean to :func:`rsonnx.runs.open_job`."""
    return {
        "settings": model_settings(given),
        "engine": engine_settings(given),
        "noise": asked_noise(given),
        "reading": data_settings(given),
        "sample": Sample(given["limit"], given["skip_every"], given["first"], given["sample"]),
        "share_noise": given.get("share_noise", False),
    }


def choose_seed(seed: int | None) -> SeedUsed:
    """Return the seed that was given, or a fresh one."""
    if seed is not None:
        return SeedUsed(check_seed(seed), "argument")
    return SeedUsed(fresh_seed(), "operating system")
