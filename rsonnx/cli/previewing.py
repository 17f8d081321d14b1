"""Noisy inputs and the model's answers to them: made, drawn and printed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from rsonnx.cli.noises import asked_noise, read_sigma_list
from rsonnx.cli.opening import choose_seed, open_job
from rsonnx.cli.progress import ProgressBar
from rsonnx.cli.terminal import say
from rsonnx.counts import NO_CLASS
from rsonnx.data import arrange, resized_shape
from rsonnx.errors import DataError, UsageError
from rsonnx.listener import Extent
from rsonnx.noise import Gaussian, Law, NoisyStream, Point
from rsonnx.report import printable
from rsonnx.report.plotting import drawing, format_of, save
from rsonnx.report.preview import (
    Preview,
    PreviewRow,
    Seen,
    check_size,
    preview_figure,
)
from rsonnx.runs import Job, check_output
from rsonnx.runs.telling import tell_clean_accuracy, tell_job
from rsonnx.runs.variation import variation_of
from rsonnx.runtime import checked_labels
from rsonnx.smoothing import SmoothedClassifier
from rsonnx.statistics import check_samples


def show(
    model: Path,
    data: Path,
    output: Path,
    given: dict[str, Any],
    stack: ExitStack,
    *,
    as_json: bool,
) -> None:
    """Draw the picture, and print a line for each input and sigma; what counts is on ``stack``.

    Raises:
        UsageError: the noise or a number is none that a picture can show.
        DataError: the inputs are no images.
    """
    law = asked_noise(given).law
    if not law.takes_sigma():
        raise UsageError(
            f"preview shows a --sigma a column, but {law.name} noise has none; `rsonnx certify` "
            "takes it"
        )
    sigmas = _sigmas(given["sigmas"])
    check_samples("n0", given["n0"])
    check_size(given["limit"], len(sigmas))
    format_of(output)
    check_output(output)
    with drawing():
        pass  # matplotlib is there
    seed = choose_seed(given["seed"])
    # The widest noise is the one that may be too wide.
    job = open_job(model, data, given | {"sigma": max(sigmas)}, stack)
    pictures = {index: _Unarranged(job, index) for index in job.indices}
    tell_job(job, seed, say)
    if len(sigmas) > 1:
        others = ", ".join(f"{sigma:g}" for sigma in sigmas if sigma != max(sigmas))
        say("also", f"noise of sigma = {others}")
    tell_clean_accuracy(job, say)
    laws = [
        asked_noise(given | {"sigma": sigma}).for_model(job.model.shape, job.model.layout)
        for sigma in sigmas
    ]
    shown = Preview(
        model=variation_of(job.model.facts, {}).named(job.model.facts["file"]),
        noise=law.name,
        in_levels=laws[0].measure.unit is None,
        sigmas=sigmas,
        bounds=job.model.bounds,
        arithmetic=job.smoothed.arithmetic or "float",
        samples=given["n0"],
        seed=seed.value,
        class_names=job.labels.class_names,
        rows=tuple(_rows(job, laws, pictures, given["n0"], seed.value, given["batch_size"])),
    )
    save(preview_figure(shown), output)
    for row in shown.rows:
        value = shown.to_json(row)
        click.echo(json.dumps(value) if as_json else _lines(value))
    say("picture", printable(str(output)))


def _sigmas(texts: Sequence[str]) -> tuple[float, ...]:
    """Return the values of --sigma in the order given, each once."""
    if not texts:
        raise UsageError("preview needs the standard deviations to show; give --sigma S,S,...")
    return tuple(Gaussian(sigma).sigma for sigma in read_sigma_list(",".join(texts)))


def _rows(
    job: Job,
    laws: Sequence[Law],
    pictures: dict[int, _Unarranged],
    n0: int,
    seed: int,
    batch_size: int | None,
) -> Iterator[PreviewRow]:
    arithmetic = job.smoothed.arithmetic
    smoothed = [
        SmoothedClassifier(job.model, noise=law, batch_size=batch_size, arithmetic=arithmetic)
        for law in laws
    ]
    with ProgressBar() as progress:
        progress.begun(Extent(len(job.indices), n0 * len(laws), outcome=None))
        for index in job.indices:
            point, picture, noisy = job.point(index), pictures[index], []
            for classifier in smoothed:
                noisy.append(_noisy(classifier, point, picture, n0, seed))
                progress.drawn(n0)
            clean = Seen(picture.of(point.values()), job.smoothed.base_label(point))
            yield PreviewRow(job.dataset.name(index), job.label(index), clean, tuple(noisy))
            progress.finished(None, certified=False)


def _noisy(
    smoothed: SmoothedClassifier, point: Point, picture: _Unarranged, n0: int, seed: int
) -> Seen:
    """Return sample 0 of the selection, which certify draws too, and the answers to n0 of them.

    Of an interval it is the image at the farther end.
    """
    point = smoothed.noise.farthest_of(point)
    sample = np.empty((1, *point.space.shape), np.float32)
    NoisyStream(point, smoothed.noise, seed, "selection").write(0, sample)
    answer = int(checked_labels(smoothed.base, sample.copy())[0])
    counts = smoothed.sample_counts(point, 0, n0, stage="selection", seed=seed)
    top = counts.top()[0] if counts.seen else NO_CLASS
    count = counts.no_class if top == NO_CLASS else counts[top]
    return Seen(picture.of(sample[0]), answer, top, count)


class _Unarranged:
    """The way back from a model's input to a picture, (H, W) or (H, W, 3)."""

    def __init__(self, job: Job, index: int) -> None:
        model = job.model
        stored = job.dataset.shape(index)
        size = _picture_size(
            resized_shape(stored, resize=model.geometry.resize, crop=model.geometry.crop),
            model.shape,
            model.layout,
        )
        channels, rest = divmod(math.prod(model.shape), math.prod(size)) if size else (0, 0)
        if rest or channels not in (1, 3):
            raise DataError(
                f"preview shows images of 1 or 3 channels, but {job.dataset.path} has "
                f"{list(stored)} and the model takes {list(model.shape)}; use `rsonnx predict`"
            )
        if not all(map(math.isfinite, model.bounds)):
            raise UsageError(
                "a picture needs a darkest and a brightest value, but the bounds are "
                f"{model.bounds}; declare finite ones with --bounds"
            )
        # Numbers in place of values show where each value of a picture goes.
        places = np.arange(math.prod(model.shape)).reshape(*size, channels)
        self._places = arrange(places, model.shape, model.layout).reshape(-1)
        self._shape = size if channels == 1 else (*size, 3)
        self._bounds = model.bounds

    def of(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a model's input as a picture, 0 and 1 standing for the bounds."""
        low, high = self._bounds
        picture = np.empty(values.size, np.float32)
        picture[self._places] = (values.reshape(-1) - low) / (high - low)
        return picture.reshape(self._shape)


def _picture_size(
    shape: tuple[int, ...], takes: tuple[int, ...], layout: str | None
) -> tuple[int, ...]:
    """Return height and width of an input of ``shape``; () for one that is no picture."""
    if len(shape) == 2:
        return shape
    if len(shape) != 3:
        return ()
    if shape == takes and layout is not None:
        return shape[1:] if layout == "NCHW" else shape[:2]
    if shape[2] in (1, 3):
        return shape[:2]
    return shape[1:] if shape[0] in (1, 3) else ()


def _lines(value: dict[str, Any]) -> str:
    """Return what JSON says of an input as lines of a table, one a sigma."""
    label = "?" if value["label"] is None else value["label"]
    start = (printable(value["name"]), label, value["answer"])
    counts = [f"{at['count']} of {value['samples']}" for at in value["noisy"]]
    lines = (
        (*start, f"{at['sigma']:g}", at["answer"], at["top_class"], count)
        for at, count in zip(value["noisy"], counts, strict=True)
    )
    return "\n".join("\t".join(map(str, line)) for line in lines)
