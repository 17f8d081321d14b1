"""A job: a smoothed model and the inputs of a data set, checked before hours of work."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from rsonnx.columns import Column
from rsonnx.counts import Counts
from rsonnx.data import (
    Dataset,
    DataSettings,
    arrange,
    arranged_places,
    check_levels,
    resize_and_crop,
    resized_shape,
    values_between,
)
from rsonnx.errors import DataError, UnreadableInputError
from rsonnx.noise import (
    STREAM_VERSION,
    Gaussian,
    Law,
    Point,
)
from rsonnx.runs.labels import Labels, align_labels
from rsonnx.runs.sample import Sample, in_time, spread_over
from rsonnx.runs.unreadable import all_named, leave_out
from rsonnx.runtime import Engine, OnnxClassifier
from rsonnx.smoothing import SmoothedClassifier, Trained

_NOISE_ALONE = 64
"""Samples of noise alone, which show whether a model ever answers another class."""


TOLD = 4.0
"""Seconds at most that are spent on a thing that is told of a model before a run, for each."""

_PROBE = "probe"
"""Samples of no certificate."""

_OFF_GRID = frozenset({"16-bit", "float"})
"""Kinds of pictures whose values may lie between the levels of 8 bits."""

_TRIED = 20
"""Inputs, spread over the run, that show it too."""


_LOADED_BEFORE = (
    "the columns of {} are not those of the classifier, which was loaded without this table; give "
    "the model's file in its place"
)


@dataclass(frozen=True)
class Job:
    """What a run works on.

    Attributes:
        model: the base classifier.
        smoothed: the smoothed classifier of ``model``, with one arithmetic for all inputs.
        dataset: where the inputs come from.
        sample: by which rule inputs are taken.
        indices: which that are, in order.
        unreadable: which the rule takes too, but are left out as pictures that cannot be read; each
            with the reason.
        labels: the true classes of the whole data set, in the model's numbering.
        reading: how the data are read.
        turned: how many of the inputs are read turned, as their EXIF orientation says.
        converted: how many of them are pictures of which other kinds than 8-bit grey and RGB.
        columns: what the values of an input are, where they are columns of a table; else empty.
    """

    model: OnnxClassifier
    smoothed: SmoothedClassifier
    dataset: Dataset
    sample: Sample
    indices: tuple[int, ...]
    labels: Labels
    reading: DataSettings
    turned: int = 0
    converted: Mapping[str, int] = field(default_factory=dict)
    unreadable: Mapping[int, UnreadableInputError] = field(default_factory=dict)
    columns: tuple[Column, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of an input, which noise may turn into samples of another shape."""
        return self.smoothed.noise.input_shape(self.model.shape)

    @property
    def trained(self) -> Trained | None:
        """What the model says of the noise that it was trained with."""
        recorded = self.model.facts["trained"]
        return None if recorded is None else Trained(**recorded)

    def point(self, index: int) -> Point:
        """Bring one example into the model's input space.

        Raises:
            DataError: it does not fit; the message names it.
        """
        values = values_between(self.dataset, index, self.model.bounds)
        with _naming(self.dataset, index):
            sized = resize_and_crop(values, **vars(self.model.geometry))
            return self.smoothed.point(arrange(sized, self.shape, self.smoothed.layout))

    def levels(self, indices: Sequence[int]) -> NDArray[np.uint8] | None:
        """Return the levels of several inputs together, (inputs, *shape), as points have them.

        None where inputs are looked at one by one, as are then all others: they are no rows of an
        array of uint8, or are not alike but for their values.

        Raises:
            DataError: as for :meth:`point`.
        """
        model, smoothed = self.model, self.smoothed
        if smoothed.noise.in_units or model.geometry.resize or model.geometry.crop:
            return None
        levels = self.dataset.levels(indices)
        if levels is None:
            return None
        places = arranged_places(levels.shape[1:], self.shape, smoothed.layout)
        if places is None:
            return None
        flat = levels.reshape(len(levels), -1)
        if not np.array_equal(places.reshape(-1), np.arange(flat.shape[1])):
            flat = flat[:, places.reshape(-1)]
        levels = flat.reshape(len(levels), *self.shape)
        with _naming(self.dataset, indices[0]):
            smoothed.point(levels[0])  # what all would be refused for, the first is
        return levels

    def one_answer(self) -> int | None:
        """Return the class that noise alone and inputs of the run are answered; None if several."""
        low = self.smoothed.bounds[0]
        nothing = np.full(self.shape, low if np.isfinite(low) else 0.0)
        for at in self.smoothed.noise.fixed if self.columns else ():
            nothing.reshape(-1)[at] = self.columns[at].first  # on others the model may not run
        tried = spread_over([self.label(index) or 0 for index in self.indices], _TRIED)
        answers = {
            self.smoothed.base_label(self.point(self.indices[j])) for j in in_time(tried, TOLD)
        }
        if len(answers) > 1:
            return None
        counts, due = Counts([]), time.monotonic() + TOLD
        while counts.total < _NOISE_ALONE and time.monotonic() < due:
            start, stop = counts.total, max(1, 2 * counts.total)
            counts += self.smoothed.sample_counts(nothing, start, stop, stage=_PROBE, seed=0)
        return counts.top()[0] if answers == set(counts.seen) and not counts.no_class else None

    def class_name(self, number: int | None) -> str | None:
        """Return what a class is called by the model, else by the data; None where by neither."""
        return _name(self.labels.class_names, number)

    def label_name(self, index: int) -> str | None:
        """Return what the true class of one example is called by the data, else by the model."""
        names = self.labels.own_names or self.labels.class_names
        return _name(names, self.label(index))

    def label(self, index: int) -> int | None:
        """Return the true class of one example, None where it is not known."""
        return None if self.labels.values is None else self.labels.values[index]

    @property
    def classes(self) -> tuple[int, int] | None:
        """How many classes the inputs have, and how many the data set; None if unlabelled."""
        values = self.labels.values
        if values is None:
            return None
        return len({values[index] for index in self.indices}), len(set(values))


def _name(names: Sequence[str], number: int | None) -> str | None:
    return names[number] if number is not None and 0 <= number < len(names) else None


def columns_of(model: OnnxClassifier, dataset: Dataset) -> tuple[Column, ...]:
    """Return what the values of an input are; empty where neither model nor data name columns.

    Raises:
        DataError: the model was loaded without the table that the data are, and takes others.
    """
    own, read = model.columns, dataset.reading.columns
    if not (own and read):
        if any(column.texts for column in read):
            raise DataError(_LOADED_BEFORE.format(dataset.path))
        return own or read
    if [column.name for column in own] != [column.name for column in read]:
        raise DataError(_LOADED_BEFORE.format(dataset.path))
    return tuple(replace(b, fixed=a.fixed or b.fixed) for a, b in zip(own, read, strict=True))


def prepare_job(
    model: OnnxClassifier,
    noise: Law | float,
    dataset: Dataset,
    *,
    sample: Sample | None = None,
    reading: DataSettings | None = None,
    engine: Engine | None = None,
    share_noise: bool = False,
    stream_version: int = STREAM_VERSION,
) -> Job:
    """Choose the inputs, check them, and smooth the model for them.

    The arithmetic is exact where every input lies on the 8-bit grid: images do by their type; the
    rows of an array of floats are looked at one by one, which checks their range too.

    Args:
        model: the base classifier.
        noise: the smoothing distribution; a number is the sigma of a Gaussian, in the units of the
            model's bounds.
        dataset: where the inputs come from.
        sample: which inputs are taken; None takes all.
        reading: how ``dataset`` was read, for the header; None where it was not read here.
        engine: what counts; None takes threads of this process, or the model's device.
        share_noise: give all inputs the same noise.
        stream_version: how noise is derived from an input; 1 draws what older run files hold.

    Raises:
        UsageError: an argument is out of range, or the noise too wide for exact noise.
        DataError: a label is none of the model's classes, an array of uint8 holds no levels, or an
            input does not fit.
        InferenceError: the model fails on a noisy input.
    """
    chosen, reading = sample or Sample(), reading or DataSettings()
    indices, unreadable = leave_out(dataset, tuple(chosen.indices(len(dataset))), reading)
    check_levels(dataset, model.bounds)
    law = noise if isinstance(noise, Law) else Gaussian(noise)
    columns = columns_of(model, dataset)
    if any(column.fixed for column in columns):
        fixed = tuple(at for at, column in enumerate(columns) if column.fixed)
        law = law.with_fixed(fixed, len(columns))
    smooth = partial(
        SmoothedClassifier,
        model,
        noise=law,
        engine=engine,
        share_noise=share_noise,
        stream_version=stream_version,
    )
    smoothed = smooth()
    labels = Labels(None, dataset.label_rule)
    job = Job(
        model,
        smoothed,
        dataset,
        chosen,
        indices,
        labels,
        reading,
        unreadable=unreadable,
        columns=columns,
    )

    def answer(index: int) -> int:
        try:
            return smoothed.base_label(job.point(index))
        except UnreadableInputError:  # of the whole data set, which may hold more of them
            if reading.on_bad_image != "skip":
                raise
            return -1

    with all_named(dataset, indices):
        labels = align_labels(dataset, model, answer)
        turned, converted = _check_headers(job)
        job = replace(job, labels=labels, turned=turned, converted=converted)
        images = dataset[indices[0]].values.dtype == np.uint8
        looked_at = indices[:1] if images and not converted.keys() & _OFF_GRID else indices
        arithmetics = {job.point(index).arithmetic for index in looked_at}
    smoothed = smooth(arithmetic="float" if "float" in arithmetics or not law.exact else "exact")
    job = replace(job, smoothed=smoothed)
    # One sample shows that this noise can be drawn and that the model runs on it.
    smoothed.sample_counts(job.point(indices[0]), 0, 1, stage=_PROBE, seed=0)
    return job


def _check_headers(job: Job) -> tuple[int, Counter[str]]:
    """Check that every input fits; return how many are read turned, and how many from what."""
    turned, converted = 0, Counter[str]()
    dataset, geometry = job.dataset, job.model.geometry
    undeclared = job.model.facts["bounds"]["source"] == "default"
    fitting: set[tuple[int, ...]] = set()
    for index in job.indices:
        header = dataset.header(index)
        if header.shape not in fitting:
            with _naming(dataset, index):
                sized = resized_shape(header.shape, resize=geometry.resize, crop=geometry.crop)
                arrange(np.zeros(sized, np.uint8), job.shape, job.smoothed.layout)
            fitting.add(header.shape)
        turned += header.turned
        if header.converted == "16-bit" and undeclared:
            raise DataError(
                f"{dataset.name(index)!r} is a picture of 16 bits; say what black and white are to "
                "the model with --bounds: 0 1, or 0 65535 for its numbers themselves"
            )
        if header.converted is not None:
            converted[header.converted] += 1
    return turned, converted


@contextlib.contextmanager
def _naming(dataset: Dataset, index: int) -> Iterator[None]:
    """Put the name of an input in front of an error about its values, which cannot have it."""
    try:
        yield
    except DataError as error:
        raise DataError(f"the input {dataset.name(index)!r}: {error}") from None
