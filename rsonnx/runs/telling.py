"""What a listener is told of a job before it runs: what will run on what, and what to doubt."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from rsonnx.columns import listed_columns, plain_name
from rsonnx.errors import first_line
from rsonnx.procedures import Procedure, radius_text
from rsonnx.runs.job import TOLD, Job
from rsonnx.runs.manifest import Manifest
from rsonnx.runs.new_header import SeedUsed
from rsonnx.runs.sample import in_time, spread_over
from rsonnx.runs.variation import variation_of
from rsonnx.statistics import clopper_pearson_lower

_CONVERTED = {
    "CMYK": "made RGB by Pillow's convert, as torchvision does, without colour profiles",
    "YCbCr": "made RGB by Pillow's convert",
    "16-bit": "read as levels of 65,535 between the bounds",
    "float": "read as values in the units of the bounds",
}

Tell = Callable[[str, str], None]
"""Hears a topic and a text, which may quote strangers: see :class:`rsonnx.listener.Listener`."""

_CLEAN_INPUTS = 100
"""Inputs on which the clean accuracy is measured, spread over those of the run."""

_CLEAN_ERROR = 0.001
"""Probability at most that a model that guesses passes as one that does not."""

_BRIGHT = 128
"""Level of 255 that some pixel of pictures reaches, unless their numbers are no levels."""

_MOST_UNITS = 16
"""Largest upper bound that is surely one of normalized inputs, and no count of levels."""

_MOST_ENDINGS = 8
"""Endings of files that are left out which are named."""


def tell_job(job: Job, seed: SeedUsed | None, tell: Tell) -> None:
    """Tell what will run on what, in which units, and by which seed, where it is known."""
    facts = job.model.facts
    _tell_model(job, tell)
    all_taken = len(job.indices) + len(job.unreadable) == len(job.dataset)
    how = "" if all_taken else f", {job.sample}"
    tell(
        "inputs",
        f"{len(job.indices):,} of {len(job.dataset):,} in {job.dataset.path}{how}, labels: "
        f"{job.labels.rule}",
    )
    _tell_data(job, tell)
    asked = ", ".join(facts["providers"]["requested"]) or "none, so the best that works"
    tell("provider", f"{facts['providers']['used'][0]} (asked for: {asked})")
    preprocess = {k: v for k, v in facts["preprocess"].items() if k != "source"}
    tell("preprocess", f"{preprocess} (from: {facts['preprocess']['source']})")
    _tell_noise(job, tell)
    inputs = set(map(plain_name, facts["input"]["name"].split(", ")))
    read = [column.name for column in job.dataset.reading.columns]
    if in_order := [name for name in read if plain_name(name) not in inputs]:
        tell(
            "columns",
            f"{listed_columns(in_order)}: no input of the model is called so; they are taken in "
            "this order",
        )
    fixed = [column.name for column in job.columns if column.fixed]
    if fixed:
        tell(
            "fixed",
            f"{listed_columns(fixed)}: these columns get no noise, and every certificate is for "
            "inputs with their values as they are",
        )
    if job.model.rows == "watched":
        tell(
            "warning",
            "every certificate will rest on the assumption that inputs of a batch leave each "
            "other's answers alone, which the graph does not prove; one answer of 1,024 is "
            "computed again alone",
        )
    _tell_monotony(job, tell)
    if job.trained is not None and (other := job.trained.mismatch(job.smoothed.noise)) is not None:
        tell("warning", other)
    if seed is not None:
        tell("seed", f"{seed.value} (from: {seed.source})")
    here, there = job.classes or (0, 0)
    if here == there == 1:
        tell("warning", "all inputs are of one class, and figures are of these alone")
    elif here < there:
        tell(
            "warning",
            f"the sample holds {here:,} of the {there:,} classes of the data, and figures are of "
            "these alone",
        )


def _tell_model(job: Job, tell: Tell) -> None:
    facts, shape = job.model.facts, "x".join(map(str, job.model.shape))
    tell(
        "model",
        f"{variation_of(facts, {}).named(facts['file'])} (sha256 {facts['sha256'][:16]}...), "
        f"{job.model.num_classes or '?'} classes, input {shape}, batch: {facts['batch']}",
    )
    if facts["insisted"]:
        tell("answer", f"the output {facts['output']['name']} is {facts['insisted']}")
    probes = facts["probes"]
    if probes["no_class"]:
        tell(
            "no class",
            f"{probes['no_class']} of {probes['rows']} probe inputs got NaN, or an infinite "
            "largest score, which is no class and is never certified; look at the --preprocess and "
            "--bounds",
        )
    for note in facts["class_names_notes"]:
        tell("names", note)


def _tell_noise(job: Job, tell: Tell) -> None:
    low, high = job.model.bounds
    law, levels = job.smoothed.noise, ""
    sigma = None if law.measure.unit else law.deviation  # in the units of the input
    if sigma is not None and high - low < float("inf"):
        levels = f", {sigma / (high - low) * 255:g} of 255 levels"
    tell(
        "noise",
        f"{law.label} where inputs lie in [{low:g}, {high:g}]{levels}, radii in {law.norm}; "
        f"{job.smoothed.arithmetic} arithmetic",
    )
    if sigma is not None and sigma > high - low:
        tell(
            "warning",
            f"sigma is {sigma / (high - low):.3g} times the whole range of an input; "
            "if it is meant in other units, declare them with --bounds",
        )


def _tell_monotony(job: Job, tell: Tell) -> None:
    """Warn of a model whose answers cannot tell inputs apart, as far as probes and noise show."""
    probes = job.model.facts["probes"]
    if probes["ties"] == probes["rows"]:
        tell(
            "warning",
            "the two largest scores tie on every probe input, so ties decide the class: the "
            "lowest; look for scores that are no scores of classes",
        )
    elif probes["classes"] == 1 and (label := job.one_answer()) is not None:
        name = job.class_name(label) or label
        tell(
            "warning",
            f"the model answers class {name} to every probe input, to noise alone and to every "
            "input of the run that was tried; check --preprocess, --bounds and the output before "
            "you trust a certificate",
        )


def _tell_data(job: Job, tell: Tell) -> None:
    """Tell what is no plain reading of the data."""
    reading = job.dataset.reading
    if job.labels.tried is not None:
        tell("labels", job.labels.tried)
    if reading.unused_labels:
        tell(
            "labels",
            f"{len(reading.unused_labels):,} of the labels file are of no input, such as "
            f"{reading.unused_labels[0]!r}",
        )
    if job.turned:
        tell(
            "pictures",
            f"{job.turned:,} of {len(job.indices):,} are turned as their EXIF orientation says; "
            "--exif ignore reads them as they are stored",
        )
    if job.unreadable:
        first, why = next(iter(job.unreadable.items()))
        tell(
            "left out",
            f"{len(job.unreadable):,} of {len(job.unreadable) + len(job.indices):,} pictures "
            f"cannot be read, such as {job.dataset.name(first)!r}: {first_line(why)}",
        )
    for kind, count in job.converted.items():
        tell("pictures", f"{count:,} of {len(job.indices):,} are {kind}: {_CONVERTED[kind]}")
    if reading.left_out:
        endings = list(reading.endings.items())
        counts = ", ".join(
            f"{count:,} {ending or 'without an ending'}"
            for ending, count in endings[:_MOST_ENDINGS]
        )
        more = len(endings) - _MOST_ENDINGS
        tell(
            "left out",
            f"{_files(reading.left_out)} not read as pictures: {counts}"
            f"{f' and {more} more endings' if more > 0 else ''}, such as {reading.left_out[0]}",
        )
    if reading.hidden:
        tell(
            "left out",
            f"{_files(reading.hidden)} hidden or a system's own, such as {reading.hidden[0]}",
        )
    if reading.largest is not None and job.model.bounds != (0, 255):
        _tell_levels(reading.largest, job.model.bounds, "save them as float32", tell)


def tell_dark_pictures(job: Job, manifest: Manifest, tell: Tell) -> None:
    """Warn of pictures whose numbers may be no levels, as those of masks, digits and indices."""
    low, high = job.model.bounds
    reading, first = job.dataset.reading, job.dataset[job.indices[0]].values
    pictures = reading.exif is not None or (reading.largest is None and first.dtype == np.uint8)
    levels = pictures and math.isfinite(high - low)
    if levels and manifest.largest is not None and (low, high) != (0, 255):
        level = round((manifest.largest - low) / (high - low) * 255)
        if 0 < level < _BRIGHT:
            _tell_levels(level, (low, high), "save them as float32 in an .npz file", tell)


def _tell_levels(largest: int, bounds: tuple[float, float], remedy: str, tell: Tell) -> None:
    """Warn of values of uint8 that may be meant as numbers, being small or near the bounds."""
    low, high = bounds
    if largest < _BRIGHT:
        tell(
            "warning",
            f"the largest value of all inputs is {largest} of 255 levels; if the numbers are "
            f"meant, {remedy}",
        )
    elif _MOST_UNITS < high < largest:
        tell(
            "warning",
            f"the largest value of all inputs is {largest} of 255 levels, which are read as values "
            f"between the bounds {low:g} and {high:g}; if the numbers are meant, {remedy} and "
            f"declare --bounds {min(low, 0):g} {largest}",
        )


def _files(names: Sequence[str]) -> str:
    return "1 file, which is" if len(names) == 1 else f"{len(names):,} files, which are"


def tell_samples(procedure: Procedure, tell: Tell) -> None:
    """Tell how many samples are drawn and what they can give at most."""
    if not procedure.samples:
        tell("exact", procedure.words)
        return
    enumerated = procedure.noise.enumerated
    tell(
        "counting" if enumerated else "samples",
        f"{procedure.words}; the largest radius that they can give is "
        f"{radius_text(procedure.largest_radius)}",
    )
    if enumerated and not procedure.largest_radius > 0:
        tell(
            "warning",
            f"{procedure.noise.label} can certify no radius above 0 here, since the least change "
            "of an input may alter half of what is counted",
        )


def tell_clean_accuracy(job: Job, tell: Tell) -> None:
    """Tell how the model does without noise, where labels show it."""
    labels = {i: label for i in job.indices if (label := job.label(i)) is not None}
    if not labels:
        tell("clean", "unknown: the inputs have no labels")
        return
    labelled = tuple(labels)
    chosen = [labelled[j] for j in spread_over(tuple(labels.values()), _CLEAN_INPUTS)]
    answers = {i: job.smoothed.base_label(job.point(i)) for i in in_time(chosen, TOLD)}
    tried = list(answers)
    right = sum(answers[i] == labels[i] for i in tried)
    where = "run" if job.sample.first else "data"
    tell(
        "clean",
        f"{right} of {len(tried)} labelled inputs spread over the {where} are classified correctly "
        "without noise",
    )
    by_class = Counter(labels[i] for i in tried)
    guessing, how = 1 / (job.model.num_classes or 2), "guessing"
    share = max(by_class.values()) / len(tried)
    if len(by_class) > 1 and share > guessing:  # of inputs of one class a share of 1 says nothing
        guessing, how = share, "always answering the most frequent class"
    # The exact binomial test; what closes half of the gap is no bad sign, however few the inputs.
    surely = clopper_pearson_lower(right, len(tried), _CLEAN_ERROR)
    if surely <= guessing and 2 * right < (1 + guessing) * len(tried):
        tell(
            "warning",
            f"that is hardly better than {how} ({100 * guessing:.1f} %); check --preprocess, "
            "--bounds, the order of the classes and the labels before you trust a low certified "
            "accuracy",
        )
