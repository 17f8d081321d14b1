"""Open a model and a data set for a run: whatever they are given as, checked before it starts."""

from __future__ import annotations

import contextlib
import inspect
import math
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

from numpy.typing import ArrayLike

from rsonnx.arguments import check_kind
from rsonnx.data import (
    Dataset,
    DataSettings,
    Examples,
    dataset_of,
    deviations,
    is_frame,
    is_sequence,
    labelled,
    open_dataset,
    open_frame,
    open_sequence,
    span,
)
from rsonnx.errors import ChoiceError, UsageError, all_at_once
from rsonnx.listener import Listener
from rsonnx.model import AUTO, PROBES, ModelSettings
from rsonnx.model.file import ModelSource
from rsonnx.noise import STREAM_VERSION, AskedNoise, Law, Values, check_law
from rsonnx.noise.asked import USUAL_SIGMAS
from rsonnx.noise.space import LEVELS, InputSpace
from rsonnx.resources import collecting_seldom
from rsonnx.runs.job import Job, columns_of, prepare_job
from rsonnx.runs.sample import Sample
from rsonnx.runtime import (
    EngineSettings,
    OnnxClassifier,
    before_engine,
    choose_provider,
    open_engine,
)
from rsonnx.scalars import shown
from rsonnx.smoothing import load_with, still_open, try_in_child

Model = ModelSource | OnnxClassifier
"""A file, its bytes, a parsed model, or a classifier that was loaded before."""

Data = str | os.PathLike[str] | Dataset | Examples | ArrayLike | tuple[ArrayLike, ArrayLike | None]
"""A folder, archive or file; a data set; inputs, or inputs and labels, as arrays or lists; or a
data set of torchvision, Hugging Face or your own: :class:`rsonnx.data.forms.sequences.Examples`."""

_SLOW = 0.5
"""Seconds that a call takes of a model of which it is said that trying it takes time."""

S = TypeVar("S", ModelSettings, DataSettings, EngineSettings)

Noise = Law | AskedNoise | str
"""A law; what is said of one, before the model is known; or its name, whose scale is sigma, with
what else it takes: ``"columns,width=4"``."""


def open_job(
    model: Model,
    data: Data,
    stack: ExitStack,
    /,
    *,
    sigma: float | str | None = None,
    noise: Noise | None = None,
    sample: Sample | None = None,
    share_noise: bool = False,
    stream_version: int = STREAM_VERSION,
    settings: ModelSettings | None = None,
    reading: DataSettings | None = None,
    engine: EngineSettings | None = None,
    listener: Listener | None = None,
    check: Callable[[], None] | None = None,
    **further: Any,
) -> Job:
    """Open the data, which is quick, then the model, and check that they fit.

    A model file is tried in a child process first, since it may come from a stranger. Meanwhile
    this process does what needs no model.

    Args:
        model: see ``Model``.
        data: see ``Data``.
        stack: closes what counts.
        sigma: standard deviation of the noise, Gaussian unless ``noise`` says otherwise; a text for
            one a value, a file of them or ``"0.25std"`` of what each has over all the data.
        noise: see ``Noise``.
        sample: which inputs are taken; None takes all.
        share_noise: give all inputs the same noise.
        stream_version: how noise is derived from an input.
        settings: what is declared of the model; None takes it from ``further``.
        reading: how the data are read; None takes it from ``further``.
        engine: where and how it counts; None takes it from ``further``.
        listener: hears how long a slow model takes to be tried; None tells nobody.
        check: refuses what needs no model to be refused.
        further: fields of :class:`rsonnx.model.settings.ModelSettings` (``bounds`` ...), of
            :class:`rsonnx.data.settings.DataSettings` (``classes`` ...) and of
            :class:`rsonnx.runtime.settings.EngineSettings` (``providers``, ``batch_size`` ...).

    Raises:
        RsonnxError: the model, the data or an argument is not as it must be.
    """
    settings, reading, engine = _settings(settings, reading, engine, further)
    stack.enter_context(collecting_seldom())
    if sample is not None:
        check_kind("sample", sample, Sample, "a Sample, such as rsonnx.runs.Sample(limit=100),")
    if check is not None and not callable(check):
        raise UsageError(f"check is {shown(check)}, but a function was expected")
    meant = asked(noise, sigma)
    try:
        dataset = _dataset(data, reading)
        settings = settled(settings, dataset)
    except ChoiceError as error:
        if not isinstance(model, str | os.PathLike):
            raise
        raise all_at_once([error, *still_open(model, settings)[0]]) from None
    if isinstance(model, OnnxClassifier):
        engine = _own_engine(model, settings, engine, further)
    engine.provider()  # what is refused is refused before the model is tried

    def need_no_model() -> None:
        if check is not None:
            check()
        if not settings.columns:
            _draw_up_table(meant, settings)

    tried = None
    if not isinstance(model, str | os.PathLike):
        need_no_model()
    if isinstance(model, OnnxClassifier):
        classifier = model
    else:
        stack.enter_context(before_engine(engine))
        if isinstance(model, str | os.PathLike):
            tried = try_in_child(
                model,
                settings,
                time_limit_per_call=engine.time_limit_per_call,
                seconds=engine.time_limit_to_try,
                heard=partial(_tell_trial, listening(listener)),
                meanwhile=need_no_model,
            )
        classifier = load_with(model, settings, engine.providers, engine.device, tried)
    if isinstance(meant, AskedNoise):
        columns = columns_of(classifier, dataset)
        values = Values(math.prod(classifier.shape), columns, partial(deviations, dataset))
        meant = meant.for_model(classifier.shape, classifier.layout, values)
    return prepare_job(
        classifier,
        meant,
        dataset,
        sample=sample,
        reading=reading,
        engine=stack.enter_context(open_engine(classifier, engine)),
        share_noise=share_noise,
        stream_version=stream_version,
    )


def _draw_up_table(meant: Law | AskedNoise, settings: ModelSettings) -> None:
    """Make the table of exact noise, where most likely it is drawn from and is no large one."""
    bounds = settings.bounds if isinstance(settings.bounds, tuple) else InputSpace.bounds
    space = InputSpace((1,), bounds)
    with contextlib.suppress(UsageError):  # which is raised again where the table is needed
        law = meant if isinstance(meant, Law) else meant.early()
        if law is not None and law.exact and (law.deviation or math.inf) <= LEVELS * space.step:
            law.table(space.step)


def _tell_trial(listener: Listener, said: Mapping[str, Any]) -> None:
    """Tell of a model that is large, or slow, so that to try it in a child takes a while."""
    seconds, weights = said.get("seconds", 0.0), said.get("weights", 0)
    if weights:
        listener.said("trying", f"the model in a child process: {weights:,} bytes of weights")
    if seconds >= _SLOW:
        listener.said(
            "trying",
            f"it takes {seconds:.1f} s for an input, and is given up to {PROBES} before the run "
            "begins, some together",
        )


def settled(settings: ModelSettings, dataset: Dataset) -> ModelSettings:
    """Return settings with what all the data decide: their columns, and bounds that are auto."""
    bounds = span(dataset) if settings.bounds == AUTO else settings.bounds
    return replace(settings, bounds=bounds, columns=dataset.reading.columns)


def listening(listener: Listener | None) -> Listener:
    """Return who hears what a call does; None hears nothing."""
    return (
        Listener()
        if listener is None
        else check_kind("listener", listener, Listener, "a rsonnx.listener.Listener")
    )


def check_further(further: Mapping[str, Any]) -> None:
    """Refuse an argument that is neither ours nor of the settings."""
    kinds = (ModelSettings, DataSettings, EngineSettings)
    ours = inspect.signature(open_job).parameters.keys() - {"further", "check"}
    unknown = sorted(further.keys() - {*ours, *(f.name for kind in kinds for f in fields(kind))})
    if unknown:
        raise UsageError(
            f"there is no argument {unknown[0]!r}; help(rsonnx.runs.certify) lists them"
        )


def _settings(
    settings: ModelSettings | None,
    reading: DataSettings | None,
    engine: EngineSettings | None,
    further: Mapping[str, Any],
) -> tuple[ModelSettings, DataSettings, EngineSettings]:
    """Return the settings that were given, or those that further arguments make up.

    Raises:
        UsageError: an argument is none of theirs, or is there beside the object that has it.
    """
    check_further(further)
    return (
        _made("settings", settings, ModelSettings, further),
        _made("reading", reading, DataSettings, further),
        _made("engine", engine, EngineSettings, further),
    )


def _made(name: str, settings: S | None, kind: type[S], further: Mapping[str, Any]) -> S:
    own = {f.name: further[f.name] for f in fields(kind) if f.name in further}
    if settings is None:
        return kind(**own)
    if own:
        raise UsageError(
            f"{next(iter(own))} was given beside the settings that have it; give it in them"
        )
    return check_kind(name, settings, kind, f"a {kind.__name__}")


def _own_engine(
    model: OnnxClassifier,
    settings: ModelSettings,
    engine: EngineSettings,
    further: Mapping[str, Any],
) -> EngineSettings:
    """Return the engine for a loaded classifier, which counts on its own provider.

    Raises:
        UsageError: what was given beside it would make another classifier of the model.
    """
    origin, used = model.elsewhere, model.session.providers[0]
    apart = len(engine.devices) > 1  # on each of them it is loaded again
    own = {**vars(origin.settings), **vars(origin.device)} | {
        "bounds": model.bounds,
        "preprocess": {k: v for k, v in model.facts["preprocess"].items() if k != "source"},
        "columns": settings.columns,  # which are compared with those of the data
        "input_shape": model.shape,
        "providers": used,
        "devices": engine.devices if apart else (origin.device.device,),
    }
    meant = {**vars(settings), **vars(engine)}
    default = {**vars(ModelSettings()), **vars(EngineSettings())}
    named = {k for k in meant if meant[k] != default[k] or further.get(k) is not None}
    if settings.preprocessing is not None:
        meant["preprocess"] = settings.preprocessing.to_json()
    meant["providers"] = choose_provider(engine.providers, engine.device).name
    for name in sorted(named & own.keys()):
        if meant[name] != own[name]:
            raise UsageError(
                f"{name} was given beside a classifier that was loaded with {shown(own[name])}; "
                "give it to rsonnx.load"
            )
    return replace(engine, providers=(used,))


def _dataset(data: Data, settings: DataSettings) -> Dataset:
    if isinstance(data, str | os.PathLike):
        return open_dataset(data, settings)
    if isinstance(data, Dataset):
        return labelled(data, settings)
    if is_frame(data):
        return labelled(open_frame(data, settings), settings)
    if is_sequence(data):
        return labelled(open_sequence(data, settings), settings)
    x, y = data if isinstance(data, tuple) and len(data) == 2 else (cast(ArrayLike, data), None)
    return labelled(dataset_of(x, y, classes=settings.names), settings)


def asked(noise: Noise | None, sigma: float | str | None) -> Law | AskedNoise:
    """Return the noise that is meant, before the model is known."""
    if isinstance(sigma, str):
        if noise is not None:
            raise UsageError("sigma says one a value, which is a noise of its own; leave out noise")
        return AskedNoise(files={"sigmas": Path(sigma)})
    if isinstance(noise, str):
        return AskedNoise(noise, sigma)
    if (noise is None) == (sigma is None):
        raise UsageError(
            f"one smoothing distribution is needed; give noise, or sigma, {USUAL_SIGMAS}"
        )
    if noise is None:
        return AskedNoise(sigma=sigma)
    return noise if isinstance(noise, AskedNoise) else check_law(noise)
