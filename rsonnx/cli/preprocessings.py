"""Try every known preprocessing on labelled data, so that the right one shows by its accuracy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rsonnx.cli.noises import layout_of
from rsonnx.cli.opening import open_dataset_with, provider_names
from rsonnx.cli.suiting import paired
from rsonnx.data import Dataset
from rsonnx.errors import DataError, ModelError, UsageError
from rsonnx.model import PRESETS
from rsonnx.noise import Columns
from rsonnx.runs import Job, prepare_job
from rsonnx.runs.labels import UndecidedOrderError
from rsonnx.runtime import OnnxClassifier
from rsonnx.smoothing import load, try_in_child

_INPUTS = 200
"""Inputs on which each preprocessing is tried, spread over the data set."""


@dataclass(frozen=True)
class Trial:
    """One preprocessing and what came of it.

    Attributes:
        preprocessing: as it would be given to --preprocess.
        right: inputs that were classified correctly.
        inputs: inputs that were tried.
        problem: why it could not be tried, else None.
    """

    preprocessing: str
    right: int
    inputs: int
    problem: str | None

    def to_json(self) -> dict[str, Any]:
        """Return the trial for a program."""
        return {
            "preprocess": self.preprocessing,
            "accuracy": None if self.problem else self.right / self.inputs,
            "inputs": self.inputs,
            "problem": self.problem,
        }


def try_preprocessings(
    model: Path,
    data: Path,
    arguments: dict[str, Any],
    classes: Path | None,
    providers: str | None,
) -> list[Trial]:
    """Measure the accuracy without noise under every preset, best first.

    Args:
        model: the model file.
        data: a labelled data set.
        arguments: for :func:`rsonnx.load`; a declared preprocessing is tried first, and its
            resizing and layout hold for the others.
        classes: file of class names, if any.
        providers: the execution provider, if one was asked for.

    Raises:
        DataError: the data have no labels.
    """
    dataset = open_dataset_with(data, classes)
    if dataset.labels is None:
        raise DataError(
            f"{dataset.path} has no labels, but the right preprocessing shows only by accuracy; "
            "give labelled data"
        )
    try_in_child(model, arguments | {"preprocess": arguments["preprocess"] or "none"})
    trials = []
    for text in _candidates(arguments["preprocess"]):
        every = max(1, len(dataset) // _INPUTS)
        try:
            names = provider_names(providers)
            classifier = load(model, **(arguments | {"preprocess": text}), providers=names)
            job = _job(classifier, dataset, every)
            right = sum(job.smoothed.base_label(job.point(i)) == job.label(i) for i in job.indices)
            trials.append(Trial(text, right, len(job.indices), None))
        except (UsageError, ModelError, UndecidedOrderError) as error:
            trials.append(Trial(text, 0, 0, str(error)))
    return sorted(trials, key=lambda t: (t.problem is not None, -t.right))


def _job(classifier: OnnxClassifier, dataset: Dataset, every: int) -> Job:
    """Return the work on the inputs that are tried, none of which is given noise.

    Where the data have half the channels that the model takes, it may be one that is shown x and
    1 - x; every noise that shows these shows an input without noise alike.
    """
    work = partial(prepare_job, dataset=dataset, skip_every=every, limit=_INPUTS)
    try:
        return work(classifier, 1.0)
    except DataError as error:
        if not paired(classifier.shape, classifier.layout):
            raise
        whole = Columns(1, classifier.layout or layout_of(Columns.name, classifier.shape))
        try:
            return work(classifier, whole)
        except DataError:
            raise error from None


def _candidates(declared: str | None) -> Iterator[str]:
    if declared is not None and declared not in PRESETS:
        yield declared
    geometry = [
        part
        for part in (declared or "").split(",")
        if part.split("=")[0] in {"resize", "crop", "interpolation", "layout"}
    ]
    for preset in PRESETS:
        yield ",".join([preset, *geometry])
    for preset in ("raw-255", "imagenet", "zero-one", "minus-one-one"):
        yield ",".join([preset, "channels=bgr", *geometry])


def render_trials(trials: list[Trial]) -> str:
    """Return the table of accuracies, best first."""
    lines = ["", "accuracy without noise under each preprocessing:"]
    for trial in trials:
        if trial.problem is None:
            share = f"{100 * trial.right / trial.inputs:5.1f} % of {trial.inputs}"
            lines.append(f"  {share}  --preprocess {trial.preprocessing}")
    skipped = [t.preprocessing for t in trials if t.problem is not None]
    if skipped:
        lines.append(f"  not possible for this model: {'; '.join(skipped)}")
    return "\n".join(lines)
