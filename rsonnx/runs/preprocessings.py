"""Try every known preprocessing on labelled data, so that the right one shows by its accuracy."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsonnx.data import Dataset, DataSettings
from rsonnx.errors import DataError, ModelError, RsonnxError, UsageError
from rsonnx.listener import Listener
from rsonnx.model import (
    PRESETS,
    ModelFile,
    ModelSettings,
    Preprocessing,
    declared_preprocessing,
    parse_preprocessing,
)
from rsonnx.noise import AskedNoise, Columns, InputSpace, Law, Point
from rsonnx.runs.job import Job, prepare_job
from rsonnx.runs.labels import UndecidedOrderError
from rsonnx.runs.sample import Sample
from rsonnx.runs.unreadable import leave_out
from rsonnx.runtime import EngineSettings, Geometry, OnnxClassifier
from rsonnx.smoothing import Plan, make_plan, open_plan, try_in_child
from rsonnx.statistics import clopper_pearson_lower, clopper_pearson_upper, paired_accuracy

_INPUTS = 200
"""Inputs on which each preprocessing is tried, spread over the data set."""

_DELTA = 0.05
"""1 - the level of each interval, and of all comparisons with the best together."""

_Work = Callable[[OnnxClassifier, Law | float], Job]

_PAUSE = 10.0
"""Seconds between two lines of progress."""

_BGR = ("none", "raw-255", "imagenet", "minus-one-one")
"""Presets that are tried with blue first too."""


@dataclass(frozen=True)
class Trial:
    """One preprocessing and what came of it.

    Attributes:
        preprocessing: as it would be given to --preprocess.
        right: which of the inputs were classified correctly; empty where it could not be tried.
        problem: why it could not be tried, else None.
    """

    preprocessing: str
    right: tuple[bool, ...] = ()
    problem: RsonnxError | None = None

    @property
    def hits(self) -> int:
        """How many inputs were classified correctly."""
        return sum(self.right)

    @cached_property
    def interval(self) -> tuple[float, float]:
        """Clopper & Pearson's two-sided interval of 95 % on the accuracy."""
        bounds = (clopper_pearson_lower, clopper_pearson_upper)
        low, high = (bound(self.hits, len(self.right), _DELTA / 2) for bound in bounds)
        return low, high

    def p_value(self, best: Trial) -> float:
        """Return McNemar's exact p-value that this one and the best are equally often right."""
        pairs = Counter(zip(best.right, self.right, strict=True))
        lost, won = pairs[True, False], pairs[False, True]
        return paired_accuracy(lost, won, len(self.right), _DELTA).p_value


@dataclass(frozen=True)
class Ranking:
    """All preprocessings that were tried on the same inputs.

    Attributes:
        trials: those that could be tried, best first.
        impossible: those that could not.
        commonest: how many of the inputs are of their commonest class.
        resized: the size of the model, where pictures had to be brought to it; else None.
    """

    trials: tuple[Trial, ...]
    impossible: tuple[Trial, ...]
    commonest: int
    resized: tuple[int, int] | None

    @cached_property
    def alike(self) -> frozenset[str]:
        """The preprocessings that the inputs cannot tell from the best one, and that one.

        The 5 % are shared out over all comparisons (Bonferroni), since the best was picked.
        """
        best, *others = self.trials
        alike = (t for t in others if t.p_value(best) > _DELTA / len(others))
        return frozenset(trial.preprocessing for trial in (best, *alike))

    @property
    def possible(self) -> tuple[str, ...]:
        """Those that the data leave possible, best first; empty where none is right."""
        if self.trials[0].hits <= self.commonest:
            return ()
        return tuple(t.preprocessing for t in self.trials if t.preprocessing in self.alike)

    def to_json(self) -> dict[str, Any]:
        """Return the ranking for a program."""
        best = self.trials[0]
        tried = [
            {
                "preprocess": trial.preprocessing,
                "accuracy": trial.hits / len(trial.right),
                "right": trial.hits,
                "inputs": len(trial.right),
                "interval": list(trial.interval),
                "p_value": trial.p_value(best),
                "like_best": trial.preprocessing in self.alike,
                "problem": None,
            }
            for trial in self.trials
        ]
        untried = [
            {
                "preprocess": t.preprocessing,
                "accuracy": None,
                "inputs": 0,
                "problem": str(t.problem),
            }
            for t in self.impossible
        ]
        return {"preprocessings": tried + untried, "preprocessings_said": list(self.said())}

    def said(self) -> Iterator[str]:
        """Yield what should be known of the ranking, a sentence each."""
        best, inputs = self.trials[0], len(self.trials[0].right)
        if self.resized is not None:
            size = "x".join(map(str, self.resized))
            yield f"not all pictures are of the model's size, {size}: each line says how it resizes"
        test = f"on these {inputs} inputs (McNemar's exact test, 5 % for all comparisons together)"
        if len(self.alike) > 1:
            yield f"the data cannot tell apart the {len(self.alike)} lines marked = {test}"
        elif len(self.trials) > 1:
            yield f"the first line is told from all others {test}"
        if self.commonest == inputs:
            yield "all inputs are of one class, on which any may be right; give data of several"
        elif best.hits <= self.commonest:
            yield (
                f"none is right more often than always the commonest class, {self.commonest} of "
                f"{inputs}; look at the order of classes, the output and the labels"
            )


def try_preprocessings(
    plan: Plan,
    settings: ModelSettings,
    stated: Preprocessing | None,
    dataset: Dataset,
    *,
    named: str | None = None,
    reading: DataSettings | None = None,
    engine: EngineSettings | None = None,
    listener: Listener | None = None,
) -> Ranking:
    """Measure the accuracy without noise under every preset, on inputs spread over the data.

    Args:
        plan: for the model's file.
        settings: what is declared of it.
        stated: the preprocessing that the caller or the file states, if any: it is tried too, and
            its resizing and layout hold for the others.
        dataset: labelled data.
        named: what the caller calls the stated one.
        reading: how the data are read, where pictures that cannot be are left out.
        engine: where it runs.
        listener: hears every ten seconds how far it is.

    Raises:
        DataError: the data have no labels, or do not fit the model.
        ModelError: the model is refused.
        RsonnxError: no preprocessing can be tried, and why not the first.
    """
    if dataset.labels is None:
        raise DataError(
            f"{dataset.path} has no labels, but the right preprocessing shows only by accuracy; "
            "give labelled data"
        )
    every = _stride(dataset.labels)
    engine = engine or EngineSettings()
    if plan.model.path is not None:
        try_in_child(
            plan.model.path,
            replace(settings, preprocess=plan.preprocessing),
            time_limit_per_call=engine.time_limit_per_call,
            seconds=engine.time_limit_to_try,
        )
    reading = reading or DataSettings()
    taken, _ = leave_out(dataset, range(0, len(dataset), every), reading)
    size = _other_size(plan, dataset, taken)
    geometries = [""] if size is None else _geometries(size)
    first = None if stated is None else named if named and size is None else stated.to_text()
    names = [
        f"{name}{layout}"
        for layout in _layouts(plan, dataset[taken[0]].values)
        for name in _candidates(plan, stated, first)
    ]
    trials = len(names) + len(geometries) - 1
    listener = listener or Listener()
    work = partial(prepare_job, dataset=dataset, sample=Sample(skip_every=every), reading=reading)
    trial = _Trials(plan.model, settings, engine, work, trials, listener)
    tried = [trial(f"{name}{geometries[0]}") for name in names]
    possible = [t for t in tried if t.problem is None]
    if not possible and tried[0].problem is not None:
        raise tried[0].problem
    best = names[tried.index(max(possible, key=lambda t: t.hits))]
    possible += [trial(f"{best}{geometry}") for geometry in geometries[1:]]
    return Ranking(
        tuple(sorted(possible, key=lambda t: -t.hits)),
        tuple(t for t in tried if t.problem is not None),
        max(Counter(dataset.labels[index] for index in taken).values()),
        size,
    )


class _Trials:
    """Tries preprocessings on the same inputs, read once a size and layout; says how far it is."""

    def __init__(
        self,
        model: ModelFile,
        settings: ModelSettings,
        engine: EngineSettings,
        work: _Work,
        trials: int,
        listener: Listener,
    ) -> None:
        self._model, self._settings, self._device = model, settings, engine.device
        self._provider = engine.provider()
        self._work, self._listener = work, listener
        self._trials, self._begun, self._next = trials, 0, time.monotonic() + _PAUSE
        self._points: dict[tuple[Geometry, str | None], list[Point]] = {}

    def __call__(self, text: str) -> Trial:
        self._begun += 1
        try:
            settings = replace(self._settings, preprocess=declared_preprocessing(text))
            plan = make_plan(self._model, settings)
            classifier = open_plan(plan, self._provider, self._device).classifier
            job = _job(classifier, self._work)
        except (UsageError, ModelError, UndecidedOrderError) as error:
            return Trial(text, problem=error)
        way = (classifier.geometry, classifier.layout)
        if way not in self._points:
            self._points[way] = [job.point(index) for index in job.indices]
        right: list[bool] = []
        for index, point in zip(job.indices, self._points[way], strict=True):
            right.append(job.smoothed.base_label(point) == job.label(index))
            if time.monotonic() >= self._next:
                self._next = time.monotonic() + _PAUSE
                done = f"{len(right)} of {len(job.indices)} inputs"
                self._listener.said("trial", f"{self._begun} of {self._trials}, {text}: {done}")
        return Trial(text, tuple(right))


def _stride(labels: Sequence[int]) -> int:
    """Return a stride that takes 200 inputs at most, and meets the most classes.

    In data whose classes take turns, a multiple of their number would meet a single one.
    """
    least = -(-len(labels) // _INPUTS)
    return max(range(least, 2 * least), key=lambda every: len(set(labels[::every])))


def _job(classifier: OnnxClassifier, work: _Work) -> Job:
    """Return the work on the inputs that are tried, none of which is given noise.

    Where the data have half the channels that the model takes, it may be one that is shown x and
    1 - x; every noise that shows these shows an input without noise alike.
    """
    if classifier.codes:
        low, high = classifier.bounds
        flips = AskedNoise(f"flips,keep=0.5,values={high - low + 1:.0f}")
        return work(classifier, flips.for_model(classifier.shape, classifier.layout))
    try:
        return work(classifier, 1.0)
    except DataError as error:
        space = InputSpace(classifier.shape, classifier.bounds, classifier.layout)
        if Columns.suits(space) is None:
            raise
        whole = AskedNoise("columns,width=1").for_model(classifier.shape, classifier.layout)
        try:
            return work(classifier, whole)
        except DataError:
            raise error from None


def _candidates(plan: Plan, stated: Preprocessing | None, first: str | None) -> Iterator[str]:
    """Yield what is tried: as stated, then each preset, in both orders of colours."""
    rest = ""
    if stated is not None:
        yield first or stated.to_text()
        rest = replace(stated, identity=True, channels="rgb").to_text().removeprefix("none")
    if plan.data.columns:  # a preset is of pixels
        yield from ["none"] * (stated is None)
        return
    names = (*PRESETS, *(f"{name},channels=bgr" for name in _BGR))
    for name in names:
        same = stated is not None and parse_preprocessing(f"{name}{rest}") == stated
        # Between 0 and 1 a value is itself.
        if not same and (name != "zero-one" or plan.bounds != (0.0, 1.0)):
            yield f"{name}{rest}"


def _other_size(plan: Plan, dataset: Dataset, taken: Sequence[int]) -> tuple[int, int] | None:
    """Return the model's height and width if pictures of others are brought to no size; else None.

    What a preprocessing states of sizes is taken as it is.
    """
    shape, stated = plan.data.shape, plan.preprocessing
    if len(shape) != 3 or plan.data.layout is None or stated.resize or stated.crop:
        return None
    size = (shape[1], shape[2]) if plan.data.layout == "NCHW" else (shape[0], shape[1])
    shapes = {dataset.shape(index)[:2] for index in taken}
    return None if shapes == {size} or not _is_picture(dataset[taken[0]].values) else size


def _layouts(plan: Plan, values: NDArray[Any]) -> list[str]:
    """Return the layouts that a flat input may have been flattened from, where it shows colours."""
    flat = plan.data.shape == (values.size,) and plan.data.layout is None
    colours = _is_picture(values) and values.shape[2] == 3
    return [",layout=NCHW", ",layout=NHWC"] if flat and colours else [""]


def _is_picture(values: NDArray[Any]) -> bool:
    return values.dtype == np.uint8 and values.ndim == 3 and values.shape[2] in (1, 3)


def _geometries(size: tuple[int, int]) -> list[str]:
    """Return the usual ways to bring a picture to a size: 7/8 of its middle, or all of it."""
    height, width = size
    whole = f",resize={height}/{width}"
    return [whole] if height != width else [f",resize={height * 256 // 224},crop={height}", whole]
