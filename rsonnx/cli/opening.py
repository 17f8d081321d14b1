"""From the words of a command line to a job that is ready to run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rsonnx.data import open_dataset, read_class_names
from rsonnx.noise import check_seed, fresh_seed
from rsonnx.runs import Job, SeedUsed, prepare_job
from rsonnx.smoothing import load


def open_job(model: Path, data: Path, given: dict[str, Any]) -> Job:
    """Open the data, which is quick, then the model, and check that they fit.

    Args:
        model: the model file.
        data: the data set.
        given: the values of the shared options by name.
    """
    names = None if given["classes"] is None else read_class_names(given["classes"])
    dataset = open_dataset(data, classes=names)
    providers = given["providers"]
    classifier = load(
        model,
        bounds=given["bounds"],
        preprocess=given["preprocess"],
        providers=None if providers is None else [p.strip() for p in providers.split(",")],
    )
    return prepare_job(
        classifier,
        given["sigma"],
        dataset,
        skip_every=given["skip_every"],
        limit=given["limit"],
        batch_size=given["batch_size"],
    )


def choose_seed(seed: int | None) -> SeedUsed:
    """Return the seed that was given, or a fresh one."""
    if seed is not None:
        return SeedUsed(check_seed(seed), "argument")
    return SeedUsed(fresh_seed(), "operating system")
