"""From a model file to a base classifier that runs: read, adapt, prove, open a strict session."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsonnx.errors import ModelError, UsageError
from rsonnx.model import (
    INPUT,
    LABEL,
    SCORES,
    Batch,
    Input,
    ModelFile,
    Output,
    Preprocessing,
    adapt,
    bounds_in,
    declared_preprocessing,
    find_input,
    find_output,
    name_classes,
    preprocessing_in,
    probe_rows,
    prove_batching,
    prove_labels,
    read_model,
    refuse_unsound,
    row_coupling,
    to_half,
    unused_inputs,
)
from rsonnx.noise import check_bounds
from rsonnx.runtime import (
    DeviceOptions,
    Geometry,
    OnnxClassifier,
    ProviderChoice,
    Session,
    choose_provider,
)
from rsonnx.runtime.cuda import open_place
from rsonnx.smoothing.training import training_in

DEFAULT_BOUNDS = (0.0, 1.0)


@dataclass(frozen=True, eq=False)
class Plan:
    """What will be done with a model file; nothing of it has been run.

    Attributes:
        model: the file.
        data: the input that is smoothed.
        output: the tensor that answers.
        preprocessing: what the model expects done to its inputs.
        bounds: lowest and highest value of an input.
        facts: what was found, for a run's header.
    """

    model: ModelFile
    data: Input
    output: Output
    preprocessing: Preprocessing
    bounds: tuple[float, float]
    facts: dict[str, Any]


def load(
    path: str | os.PathLike[str],
    *,
    bounds: tuple[float, float] | None = None,
    preprocess: str | Mapping[str, Any] | Preprocessing | None = None,
    providers: Sequence[str] | str | None = None,
    output_name: str | None = None,
    threshold: float | None = None,
    input_shape: Sequence[int] | None = None,
    feeds: Mapping[str, Any] | None = None,
    float16: bool = False,
    device: DeviceOptions | None = None,
) -> OnnxClassifier:
    """Load an ONNX classifier so that it can be smoothed.

    Args:
        path: the model file.
        bounds: lowest and highest value of an input. They are the units of sigma and of the radius;
            the lowest and highest pixel value of an 8-bit image are mapped to them. None takes what
            the model's metadata say, else (0, 1).
        preprocess: what the model does not do itself and expects to be done: a preset's name,
            ``"mean=...,std=..."`` for a pixel in [0, 1], a mapping, or a file (ours, Hugging
            Face's, timm's). ``"none"`` feeds inputs as they are. None takes what the model's
            metadata say.
        providers: the execution provider to run on, ``["cuda"]`` or ``["cpu"]``; None takes the
            best one that works.
        output_name: the output that answers, where there are several.
        threshold: for a model of one score: class 1 is answered above it, class 0 otherwise.
        input_shape: of one input, without the batch axis, where the file leaves axes open.
        feeds: values for inputs that are not smoothed, by name.
        float16: convert the model to float16 first, which makes another classifier of it.
        device: which device of the provider is used, and how; None takes the first.

    Raises:
        UsageError: no such file, or an argument is outside its range; no preprocessing is declared,
            neither here nor in the file.
        ModelError: the file is no classifier that can be certified.
        ProviderError: the provider does not work on this machine.
    """
    plan = make_plan(
        path,
        bounds=bounds,
        preprocess=preprocess,
        output_name=output_name,
        threshold=threshold,
        input_shape=input_shape,
        feeds=feeds,
        float16=float16,
    )
    asked = [providers] if isinstance(providers, str) else providers
    return open_plan(plan, choose_provider(asked), device)


def make_plan(
    path: str | os.PathLike[str],
    *,
    bounds: tuple[float, float] | None = None,
    preprocess: str | Mapping[str, Any] | Preprocessing | None = None,
    output_name: str | None = None,
    threshold: float | None = None,
    input_shape: Sequence[int] | None = None,
    feeds: Mapping[str, Any] | None = None,
    float16: bool = False,
) -> Plan:
    """Decide what to do with a model file, without running it; arguments as for :func:`load`."""
    model = read_model(path)
    half = to_half(model) if float16 else None
    model = model if half is None else half.model
    stored_bounds = None if bounds is not None else bounds_in(model.metadata)
    found_bounds, bounds_source = _declared(bounds, stored_bounds, DEFAULT_BOUNDS)
    given = None if preprocess is None else declared_preprocessing(preprocess)
    stored = None if given is not None else preprocessing_in(model.metadata)
    preprocessing, preprocess_source = _declared(given, stored, None)
    refuse_unsound(model)
    output = find_output(model, name=output_name, threshold=threshold)
    layout = None if preprocessing is None else preprocessing.layout
    data = find_input(model, output, layout=layout, input_shape=input_shape, feeds=feeds)
    if preprocessing is None and data.spec.dtype == "uint8":
        preprocessing = declared_preprocessing("raw-255")
        preprocess_source = "input type uint8, which holds 0-255"
    if preprocessing is None:
        raise UsageError(
            f"{model.path} does not say what preprocessing its inputs need, and none was declared; "
            "declare one: none (inputs are fed as they are), a preset such as mnist, cifar10, "
            "imagenet, minus-one-one or raw-255, mean=...,std=..., or a preprocessor_config.json "
            "(rsonnx inspect MODEL DATA shows which gives the best accuracy)"
        )
    low, high = check_bounds(found_bounds)
    facts = _describe(model, data, output) | {
        "preprocess": preprocessing.to_json() | {"source": preprocess_source},
        "bounds": {"low": low, "high": high, "source": bounds_source},
        "float16": None if half is None else half.facts,
    }
    return Plan(model, data, output, preprocessing, (low, high), facts)


class _Candidate:
    """The model under one treatment of its batch axis, opened when it is first run."""

    def __init__(
        self, plan: Plan, provider: ProviderChoice, device: DeviceOptions, batch: Batch
    ) -> None:
        self._plan, self._provider, self._device, self._batch = plan, provider, device, batch

    @cached_property
    def session(self) -> Session:
        plan = self._plan
        rewritten = adapt(
            plan.model, plan.data, plan.output, plan.preprocessing, plan.bounds, self._batch
        )
        return Session(rewritten, self._provider, str(plan.model.path), self._device)

    def scores(self, rows: NDArray[np.float32]) -> NDArray[Any]:
        return self.session.run(SCORES, INPUT, rows)


def open_plan(
    plan: Plan, provider: ProviderChoice, device: DeviceOptions | None = None
) -> OnnxClassifier:
    """Adapt the model, prove on probe inputs how it may be batched, and open it.

    Raises:
        UsageError: a device option was given that the provider does not have.
        ProviderError: there is no such device.
        ModelError: the model does not load or run, or is not what the theorem assumes.
    """
    data, output = plan.data, plan.output
    place = open_place(provider, device or DeviceOptions())
    filed = _Candidate(plan, provider, place.options, Batch.AS_FILED)
    fixed = data.batch is not None and data.has_batch_axis
    freed = [
        _Candidate(plan, provider, place.options, batch)
        for batch in (Batch.FREED, Batch.PATCHED)
        if fixed
    ]
    rows = probe_rows(data, plan.bounds)
    batching = prove_batching(
        str(plan.model.path),
        data,
        rows,
        as_filed=filed.scores,
        freed=[candidate.scores for candidate in freed],
        coupling=row_coupling(plan.model),
        kind=output.kind,
    )
    chosen = (filed if batching.rewrite is None else freed[batching.rewrite]).session
    labels, scores = (_run(chosen, answer, rows, batching.size) for answer in (LABEL, SCORES))
    no_class = prove_labels(str(plan.model.path), output, scores, labels)
    # A label output has no scores to count; its classes are known only where the file lists them.
    listed = len(output.classes)
    classes = (listed or None) if output.kind == "label" else batching.num_classes
    if listed and listed != classes:
        raise ModelError(
            f"{plan.model.path} names {listed} classes but gives {classes} scores an input, so it "
            "is not clear which score is whose; export it again"
        )
    named = name_classes(output.classes, plan.model.metadata, classes)
    return OnnxClassifier(
        chosen,
        input_name=INPUT,
        label_name=LABEL,
        num_classes=classes,
        class_names=named.names,
        shape=data.shape,
        bounds=plan.bounds,
        layout=data.layout,
        geometry=Geometry(
            plan.preprocessing.resize, plan.preprocessing.crop, plan.preprocessing.interpolation
        ),
        batch_size=batching.size,
        on_cpu=provider.is_cpu,
        device=place.device,
        facts=plan.facts
        | {
            "session": chosen.facts,
            "noise_drawn": place.facts,
            "classes": classes,
            "class_names": list(named.names),
            "class_names_source": named.source,
            "class_names_notes": [] if named.note is None else [named.note],
            "no_class_on_probes": no_class,
            "batch": batching.why,
            "providers": {"requested": list(provider.requested), "used": list(chosen.providers)},
        },
    )


def _run(
    session: Session, answer: str, rows: NDArray[np.float32], size: int | None
) -> NDArray[Any]:
    """Return an answer to every row, in batches of the size that the model needs."""
    size = size or len(rows)
    batches = [rows[i : i + size] for i in range(0, len(rows), size)]
    found = [session.run(answer, INPUT, np.resize(b, (size, *b.shape[1:]))) for b in batches]
    return np.concatenate(found)[: len(rows)]


def _describe(model: ModelFile, data: Input, output: Output) -> dict[str, Any]:
    trained = training_in(model.metadata)
    return {
        "file": model.path.name,
        "sha256": model.sha256,
        "bytes": model.size,
        "external_data": list(model.external_data),
        "producer": f"{model.proto.producer_name} {model.proto.producer_version}".strip(),
        "ir_version": model.proto.ir_version,
        "opset": {o.domain or "ai.onnx": o.version for o in model.proto.opset_import},
        "input": asdict(data.spec),
        "output": asdict(output.spec),
        "input_shape": list(data.shape),
        "layout": data.layout,
        "feeds": {name: value.tolist() for name, value in data.feeds.items()},
        "unused_inputs": list(unused_inputs(model, output)),
        "edits": list(output.edits),
        "class_names": list(output.classes),
        "trained": None if trained is None else trained.to_json(),
        "label": _LABEL_RULES["label" if output.label else output.kind].format(
            threshold=output.threshold
        ),
        "no_class": "a NaN score, or a largest score that is infinite, is an answer of no class, "
        "never certified",
        "insisted": output.insisted,
    }


_LABEL_RULES = {
    "scores": "index of the largest score; ties go to the lowest index",
    "score": "1 where the score is above {threshold}, else 0",
    "label": "the model's own label",
}


def _declared(argument: Any, metadata: Any, default: Any) -> tuple[Any, str]:
    if argument is not None:
        return argument, "argument"
    return (metadata, "model metadata") if metadata is not None else (default, "default")
