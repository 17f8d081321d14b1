"""From a model file to a base classifier that runs: read, adapt, prove, open a strict session."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from rsonnx.arguments import check_kind, check_texts
from rsonnx.counts import NO_CLASS
from rsonnx.errors import ModelError
from rsonnx.model import (
    CODES,
    INPUT,
    LABEL,
    SCORES,
    Batch,
    Batching,
    ModelSettings,
    ModelSource,
    Preprocessing,
    check_answers,
    choose_batching,
    name_classes,
    probe_rows,
    read_model,
    rounding_unit,
    row_coupling,
    rows_beyond,
)
from rsonnx.runtime import (
    DeviceOptions,
    Geometry,
    OnnxClassifier,
    Origin,
    Pace,
    ProviderChoice,
    choose_provider,
)
from rsonnx.runtime.cuda import open_place
from rsonnx.smoothing.adapting import Plan, make_plan
from rsonnx.smoothing.candidate import Candidate, read_form
from rsonnx.smoothing.tried import Tried, sha256

_ALONE_AGAIN = 2
"""Probe rows that a model that runs one at a time is asked again which was tried elsewhere."""


def load(
    model: ModelSource,
    *,
    bounds: tuple[float, float] | None = None,
    preprocess: str | Mapping[str, Any] | Preprocessing | None = None,
    providers: Sequence[str] | str | None = None,
    output_name: str | None = None,
    threshold: float | None = None,
    input_shape: Sequence[int] | None = None,
    feeds: Mapping[str, Any] | None = None,
    float16: bool = False,
    rows: str = "alone",
    device: DeviceOptions | None = None,
) -> OnnxClassifier:
    """Load an ONNX classifier so that it can be smoothed.

    Args:
        model: the model's file, the bytes of one, or the model as onnx holds it.
        bounds: lowest and highest value of an input. They are the units of sigma and of the radius;
            the lowest and highest pixel value of an 8-bit image are mapped to them. None takes what
            the model's metadata say, else (0, 1).
        preprocess: what the model does not do itself and expects to be done: a preset's name,
            ``"mean=...,std=..."`` for a pixel in [0, 1], a mapping, or a file (ours, Hugging
            Face's, timm's). ``"none"`` feeds inputs as they are. None takes what the model's
            metadata say.
        providers: the execution provider to run on, ``["cuda"]`` or ``["cpu"]``; None takes the
            best one that works.
        output_name: the output that answers, a label or class scores, where several may; or one
            that is neither, to certify which of its values is largest all the same.
        threshold: for a model of one score: class 1 is answered above it, class 0 otherwise.
        input_shape: of one input, without the batch axis, where the file leaves axes open.
        feeds: values for inputs that are not smoothed, by name.
        float16: convert the model to float16 first, which makes another classifier of it.
        rows: how a model runs whose graph does not prove that a row's answer is independent of its
            batch: ``"alone"``, one input at a time; ``"watched"``, in batches on that assumption,
            which certificates then rest on; one of 1,024 rows is computed again alone.
        device: which device of the provider is used, and how; None takes the first.

    Raises:
        UsageError: no such file, or an argument is outside its range; no preprocessing is declared,
            neither here nor in the file.
        ModelError: the file is no classifier that can be certified.
        TimeLimitError: a call of the model took longer than ``device`` allows.
        ProviderError: the provider does not work on this machine.

    >>> f = rsonnx.load("model.onnx", providers="cpu")
    >>> f.shape, f.num_classes
    ((1, 28, 28), 10)
    """
    settings = ModelSettings(
        bounds=bounds,
        preprocess=preprocess,
        output_name=output_name,
        threshold=threshold,
        input_shape=input_shape,
        feeds={} if feeds is None else feeds,
        float16=float16,
        rows=rows,
    )
    return load_with(model, settings, providers, device)


def load_with(
    model: ModelSource,
    settings: ModelSettings,
    providers: Sequence[str] | str | None = None,
    device: DeviceOptions | None = None,
    tried: Tried | None = None,
) -> OnnxClassifier:
    """Load an ONNX classifier as :func:`load` does, what is declared of it in one object.

    Args:
        model, settings, providers, device: as there.
        tried: how the model was seen to run in a child process, where it was tried.
    """
    asked = check_texts("providers", providers)
    if device is not None:
        check_kind("device", device, DeviceOptions, "a DeviceOptions")
    file = read_model(model, apart=not settings.float16)
    plan = make_plan(file, settings)
    classifier = open_plan(plan, choose_provider(asked, device), device, tried=tried).classifier
    source: Path | bytes
    if isinstance(model, onnx.ModelProto):
        source = model.SerializeToString(deterministic=True)
    else:
        source = model if isinstance(model, bytes) else Path(model).absolute()
    classifier.origin = Origin(
        source,
        file.sha256,
        file.external_data,
        settings,
        asked,
        device or DeviceOptions(),
        load_with,
    )
    return classifier


@dataclass(frozen=True, eq=False)
class Opened:
    """A base classifier, the adapted model that it runs, serialized, and how it was seen to run."""

    classifier: OnnxClassifier
    model: bytes
    tried: Tried


def open_plan(
    plan: Plan,
    provider: ProviderChoice,
    options: DeviceOptions | None = None,
    *,
    tried: Tried | None = None,
    timed: Callable[[float], None] | None = None,
) -> Opened:
    """Adapt the model, find out how it may be batched, and open it.

    Args:
        plan: what is done with the file.
        provider: what it runs on.
        options: which device of it, and how; None for the first.
        tried: how another process saw it run on the processor of this machine: that is not looked
            at again on the processor.
        timed: hears the seconds of the first call.

    Raises:
        UsageError: a device option was given that the provider does not have.
        ProviderError: there is no such device.
        ModelError: the model does not load or run, or is not what the theorem assumes.
    """
    data, output = plan.data, plan.output
    place = open_place(provider, options or DeviceOptions())
    free = [Candidate(plan, provider, place.options, batch) for batch in plan.free_batches]
    filed = (
        free[0] if data.batch is None else Candidate(plan, provider, place.options, Batch.AS_FILED)
    )
    filed.timed = timed
    rows = probe_rows(data, plan.bounds)

    def chosen_by(batching: Batching) -> Candidate:
        return filed if batching.chosen is None else free[batching.chosen]

    if tried and not (provider.is_cpu and tried.is_of(plan, chosen_by(tried.batching).adapted)):
        tried = None
    batching = (
        tried.batching
        if tried
        else choose_batching(
            str(plan.model),
            data,
            rows,
            as_filed=filed.scores,
            batched=[candidate.batched() for candidate in free],
            watch=plan.watch,
            coupling=row_coupling(plan.model),
            kind=output.kind,
            unit=rounding_unit(plan.model),
            beyond=rows_beyond(data, plan.bounds),
        )
    )
    candidate = chosen_by(batching)
    chosen = candidate.session
    if tried and tried.file != plan.model.sha256:  # which is known when a large model is open
        return open_plan(plan, provider, options, timed=timed)
    any_size = batching.size is None and not provider.is_cpu
    # A label output has no scores to count; its classes are known only where the file lists them.
    listed = len(output.classes)
    classes = (listed or None) if output.kind == "label" else batching.num_classes
    if listed and listed != classes:
        raise ModelError(
            f"{plan.model} names {listed} classes but gives {classes} scores an input, so it "
            "is not clear which score is whose; export it again"
        )
    named = name_classes(output.classes, plan.model.metadata, classes)
    # A device counts whole batches, whose rows are then never looked at one by one.
    device, drawn = place.device, place.facts
    if device is not None and (batching.rows != "proved" or classes is None):
        device, drawn = None, {"noise": "host", "why": "rows are looked at one by one"}
    classifier = OnnxClassifier(
        chosen,
        input_name=INPUT,
        label_name=LABEL,
        num_classes=classes,
        class_names=named.names,
        shape=data.shape,
        bounds=plan.bounds,
        layout=data.layout,
        codes=data.spec.dtype in CODES,
        columns=data.columns,
        geometry=Geometry(
            plan.preprocessing.resize,
            plan.preprocessing.crop,
            plan.preprocessing.interpolation,
            plan.preprocessing.center,
        ),
        batch_size=batching.size,
        most_rows=candidate.most_rows() if any_size else None,
        on_cpu=provider.is_cpu,
        device=device,
        facts=plan.facts
        | {
            "sha256": plan.model.sha256,
            "session": chosen.facts,
            "noise_drawn": drawn,
            "classes": classes,
            "class_names": list(named.names),
            "class_names_source": named.source,
            "class_names_notes": [] if named.note is None else [named.note],
            "rows": batching.rows,
            "batch": batching.why,
            "providers": {"requested": list(provider.requested), "used": list(chosen.providers)},
        },
        rows=batching.rows,
        score_name=SCORES,
        tolerance=batching.tolerance,
    )
    classifier.read_form = partial(read_form, candidate, classifier, rows)
    if tried and batching.rows == "alone":  # so that each row is a call
        rows = rows[:_ALONE_AGAIN]
    begun = time.perf_counter()
    labels, scores = classifier.answers(rows)
    seconds = time.perf_counter() - begun
    check_answers(str(plan.model), output, scores, labels)
    if tried and (there := list(tried.labels[: len(rows)])) != labels.tolist():
        raise ModelError(
            f"{plan.model} answered the labels {there} to probe inputs in another process, and "
            f"{labels.tolist()} here, but a certificate needs a deterministic classifier"
        )
    if tried is None:
        ordered = np.sort(scores, axis=1)
        facts = {
            "rows": len(rows),
            "classes": len(np.unique(labels)),
            "ties": int((ordered[:, -1:] == ordered[:, -2:-1]).any(axis=1).sum()),
            "no_class": int((labels == NO_CLASS).sum()),
        }
        model = sha256(candidate.adapted.model)
        tried = Tried(
            plan.model.sha256, model, batching, tuple(labels.tolist()), filed.seconds, facts
        )
    classifier.facts["probes"] = dict(tried.facts)
    each = seconds / len(rows)
    classifier.pace = (
        Pace(each, each) if batching.rows == "alone" else Pace.of(tried.seconds, seconds, len(rows))
    )
    return Opened(classifier, candidate.adapted.model, tried)
