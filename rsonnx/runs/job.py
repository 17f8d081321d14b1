"""A job: a smoothed model and the inputs of a data set, checked before hours of work."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial

import numpy as np

from rsonnx.data import Dataset, arrange, resize_and_crop, resized_shape
from rsonnx.errors import DataError, UsageError
from rsonnx.noise import EnumeratedNoise, Gaussian, Point, SmoothingDistribution, Stage
from rsonnx.runs.labels import Labels, align_labels
from rsonnx.runtime import Engine, OnnxClassifier
from rsonnx.smoothing import SmoothedClassifier


@dataclass(frozen=True)
class Job:
    """What a run works on.

    Attributes:
        model: the base classifier.
        smoothed: the smoothed classifier of ``model``, with one arithmetic for all inputs.
        dataset: where the inputs come from.
        indices: which of them, in order.
        labels: the true classes of the whole data set, in the model's numbering.
    """

    model: OnnxClassifier
    smoothed: SmoothedClassifier
    dataset: Dataset
    indices: tuple[int, ...]
    labels: Labels

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of an input, which noise may turn into samples of another shape."""
        return self.smoothed.noise.input_shape(self.model.shape)

    def point(self, index: int) -> Point:
        """Bring one example into the model's input space.

        Raises:
            DataError: it does not fit; the message names it.
        """
        values = self.dataset[index].values
        with _naming(self.dataset, index):
            sized = resize_and_crop(values, **asdict(self.model.geometry))
            return self.smoothed.point(arrange(sized, self.shape, self.smoothed.layout))

    def class_name(self, number: int | None) -> str | None:
        """Return what a class is called by the model, else by the data; None where by neither."""
        names = self.model.class_names or self.dataset.class_names or ()
        return names[number] if number is not None and 0 <= number < len(names) else None

    def label(self, index: int) -> int | None:
        """Return the true class of one example, None where it is not known."""
        return None if self.labels.values is None else self.labels.values[index]


def prepare_job(
    model: OnnxClassifier,
    noise: SmoothingDistribution | float,
    dataset: Dataset,
    *,
    skip_every: int = 1,
    limit: int | None = None,
    batch_size: int | None = None,
    workers: int | None = None,
    engine: Engine | None = None,
    share_noise: bool = False,
) -> Job:
    """Choose the inputs, check them, and smooth the model for them.

    The arithmetic is exact where every input lies on the 8-bit grid: images do by their type; the
    rows of an array of floats are looked at one by one, which checks their range too.

    Args:
        model: the base classifier.
        noise: the smoothing distribution; a number is the sigma of a Gaussian, in the units of the
            model's bounds.
        dataset: where the inputs come from.
        skip_every: take every so many-th input, >= 1.
        limit: take at most so many, >= 1; None takes all.
        batch_size: inputs a call of the model, >= 1; None chooses.
        workers: threads, >= 1; None chooses.
        engine: what counts, in place of the embedded one; then batch_size and workers are its.
        share_noise: give all inputs the same noise.

    Raises:
        UsageError: an argument is out of range, or the noise too wide for exact noise.
        DataError: a label is none of the model's classes, or an input does not fit.
        InferenceError: the model fails on a noisy input.
    """
    for name, value in (("skip-every", skip_every), ("limit", limit)):
        if value is not None and value < 1:
            raise UsageError(f"{name} is {value}, but it must be at least 1")
    indices = tuple(range(0, len(dataset), skip_every))[:limit]
    labels = align_labels(dataset, model)
    law = noise if isinstance(noise, SmoothingDistribution) else Gaussian(noise)
    smooth = partial(
        SmoothedClassifier,
        model,
        noise=law,
        batch_size=batch_size,
        workers=workers,
        engine=engine,
        share_noise=share_noise,
    )
    smoothed = smooth()
    job = Job(model, smoothed, dataset, indices, labels)
    _check_shapes(job)
    images = dataset[indices[0]].values.dtype == np.uint8
    looked_at = indices[:1] if images else indices
    found = {job.point(index).arithmetic for index in looked_at}
    smoothed = smooth(arithmetic="float" if "float" in found or not law.exact else "exact")
    job = replace(job, smoothed=smoothed)
    # One sample shows that this noise can be drawn and that the model runs on it.
    stage: Stage = "estimation" if isinstance(law, EnumeratedNoise) else "selection"
    smoothed.sample_counts(job.point(indices[0]), 0, 1, stage=stage, seed=0)
    return job


def _check_shapes(job: Job) -> None:
    dataset, geometry = job.dataset, job.model.geometry
    fitting: set[tuple[int, ...]] = set()
    for index in job.indices:
        shape = dataset.shape(index)
        if shape not in fitting:
            with _naming(dataset, index):
                sized = resized_shape(shape, resize=geometry.resize, crop=geometry.crop)
                arrange(np.zeros(sized, np.uint8), job.shape, job.smoothed.layout)
            fitting.add(shape)


@contextlib.contextmanager
def _naming(dataset: Dataset, index: int) -> Iterator[None]:
    """Put the name of an input in front of an error about its values, which cannot have it."""
    try:
        yield
    except DataError as error:
        raise DataError(f"the input {dataset.name(index)!r}: {error}") from None
