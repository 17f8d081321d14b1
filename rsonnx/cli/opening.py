"""From the words of a command line to a job that is ready to run."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rsonnx.cli.engines import engine_settings
from rsonnx.cli.noises import asked_noise
from rsonnx.data import Dataset, Exif, open_dataset, read_class_names
from rsonnx.model import ModelSettings, read_feed, read_shape
from rsonnx.noise import STREAM_VERSION, check_seed, fresh_seed
from rsonnx.runs import Job, SeedUsed, prepare_job
from rsonnx.runs.sample import Sample
from rsonnx.runtime import open_engine
from rsonnx.smoothing import load_with, try_in_child


def open_job(
    model: Path,
    data: Path,
    given: dict[str, Any],
    stack: ExitStack | None = None,
    *,
    stream_version: int = STREAM_VERSION,
) -> Job:
    """Open the data, which is quick, then the model, and check that they fit.

    The model is tried in a child process first, since it may come from a stranger.

    Args:
        model: the model file.
        data: the data set.
        given: the values of the shared options by name.
        stack: closes what counts elsewhere; None for commands that count in this process only.
        stream_version: how noise is derived from an input.
    """
    dataset = open_dataset_with(data, given["classes"], given["exif"])
    settings, counting = model_settings(given), engine_settings(given)
    counting.provider()  # what is refused is refused before the model is tried
    try_in_child(model, settings)
    opened = load_with(model, settings, counting.providers, counting.device)
    engine = (stack or ExitStack()).enter_context(open_engine(opened, counting))
    return prepare_job(
        opened,
        asked_noise(given).for_model(opened.shape, opened.layout),
        dataset,
        sample=Sample(given["limit"], given["skip_every"], given["first"], given["sample"]),
        engine=engine,
        share_noise=given.get("share_noise", False),
        stream_version=stream_version,
    )


def open_dataset_with(data: Path, classes: Path | None, exif: Exif = "apply") -> Dataset:
    """Open a data set, with the class names of a file where one is given."""
    names = None if classes is None else read_class_names(classes)
    return open_dataset(data, classes=names, exif=exif)


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
