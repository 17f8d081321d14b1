"""From the words of a command line to a job that is ready to run."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from typing import Any

from rsonnx import runs
from rsonnx.cli.engines import engine_settings
from rsonnx.cli.noises import asked_noise
from rsonnx.data import DataSettings
from rsonnx.model import ModelSettings, read_feed, read_shape
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


def data_settings(given: Mapping[str, Any]) -> DataSettings:
    """Return what the options declare of the data; a command may lack some of them."""
    names = [f.name for f in fields(DataSettings)]
    return DataSettings(**{name: given[name] for name in names if given.get(name) is not None})


def model_settings(given: Mapping[str, Any]) -> ModelSettings:
    """Return what the options declare of a model."""
    shape = given["input_shape"]
    return ModelSettings(
        bounds=given["bounds"],
        preprocess=given["preprocess"],
        output_name=given["output_name"],
        threshold=given["threshold"],
        input_shape=None if shape is None else read_shape(shape),
        feeds=dict(map(read_feed, given["feed"])),
        float16=given["float16"],
        rows=given["rows"],
    )


def choose_seed(seed: int | None) -> SeedUsed:
    """Return the seed that was given, or a fresh one."""
    if seed is not None:
        return SeedUsed(check_seed(seed), "argument")
    return SeedUsed(fresh_seed(), "operating system")
