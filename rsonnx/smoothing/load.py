"""From a model file to a base classifier that runs: read, adapt, prove, open a strict session."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from rsonnx.arguments import check_kind, check_texts
from rsonnx.closed_form import Form
from rsonnx.counts import NO_CLASS
from rsonnx.errors import ModelError, RsonnxError
from rsonnx.model import (
    CODES,
    INPUT,
    LABEL,
    SCORES,
    Batch,
    Batched,
    Batching,
    ModelSettings,
    ModelSource,
    Preprocessing,
    check_answers,
    choose_batching,
    most_rows,
    name_classes,
    probe_rows,
    read_model,
    rounding_unit,
    row_coupling,
    rows_beyond,
)
from rsonnx.model.closed import Runner, check_form, form_of
from rsonnx.model.probe import Tolerance
from rsonnx.runtime import (
    DeviceOptions,
    Geometry,
    OnnxClassifier,
    Origin,
    Pace,
    ProviderChoice,
    Session,
    choose_provider,
)
from rsonnx.runtime.cuda import open_place
from rsonnx.smoothing.adapting import Adapted, Plan, make_plan

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


class _Candidate:
    """The model under one treatment of its batch axis, opened when it is first run.

    Attributes:
        seconds: that the first run took, 0 before.
        timed: hears them.
    """

    def __init__(
        self, plan: Plan, provider: ProviderChoice, device: DeviceOptions, batch: Batch
    ) -> None:
        self._plan, self._provider, self._device, self._batch = plan, provider, device, batch
        self.seconds = 0.0
        self.timed: Callable[[float], None] | None = None

    @cached_property
    def adapted(self) -> Adapted:
        return self._plan.adapted(self._batch)

    @cached_property
    def session(self) -> Session:
        name = str(self._plan.model)
        return Session(self.adapted.model, self._provider, name, self._device, self.adapted.weights)

    @property
    def tf32(self) -> bool:
        """Whether products may be rounded to 10 bits."""
        return self._device.tf32

    def runner(self, model: bytes) -> Runner:
        """Open another model as this one is."""
        session = Session(model, self._provider, str(self._plan.model), self._device)
        return lambda names, rows: session.run_all(names, INPUT, rows)

    def scores(self, rows: NDArray[np.float32]) -> NDArray[Any]:
        is_label = self._plan.output.kind == "label"
        session, begun = self.session, time.perf_counter()
        answers = session.run(LABEL if is_label else SCORES, INPUT, rows)
        if not self.seconds:
            self.seconds = time.perf_counter() - begun
            if self.timed is not None:
                self.timed(self.seconds)
        # A label as it is: a float may not tell two of them apart.
        return answers[:, None] if is_label else answers

    def most_rows(self) -> int:
        model, data = onnx.load_from_string(self.adapted.model), self._plan.data
        return most_rows(model, data.shape, str(self._plan.model))

    def batched(self) -> Batched:
        return Batched(self.scores, self.adapted.coupled_by)


def closed_form(plan: Plan) -> Form | None:
    """Return the form that a model is read to; None where it is none.

    Nothing of a model is run whose operators are those of no form; without an onnxruntime that
    runs, nothing is read to one.
    """
    batch = plan.free_batches[0] if plan.free_batches else Batch.AS_FILED
    try:
        candidate = _Candidate(plan, choose_provider("cpu"), DeviceOptions(), batch)
        return form_of(candidate.adapted.whole, candidate.runner)
    except RsonnxError:
        return None


def _read_form(
    candidate: _Candidate, classifier: OnnxClassifier, rows: NDArray[np.float32]
) -> Form:
    """Read an adapted model to a form, and hold that against its labels."""
    if candidate.tf32:
        raise ModelError(
            "TF32 rounds products to 10 bits, but exact certificates rest on float32; leave it out"
        )
    columns = enumerate(classifier.columns)
    fixed = [at for at, column in columns if column.fixed and (column.whole or column.texts)]
    form = form_of(candidate.adapted.whole, candidate.runner, fixed)
    check_form(form, classifier.classify, rows, fixed)
    return form


@dataclass(frozen=True)
class Tried:
    """How a model was seen to run on the processor, by the process that tried it.

    Attributes:
        file: SHA-256 of the model's file.
        model: SHA-256 of the adapted model that ran.
        batching: how it may be batched.
        labels: that it gave the probe rows.
        seconds: that its first run took.
        facts: what a run's header says of them.
    """

    file: str
    model: str
    batching: Batching
    labels: tuple[int, ...]
    seconds: float
    facts: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON has it."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Tried:
        """Return what :meth:`to_json` wrote."""
        batching = dict(record["batching"])
        batching["tolerance"] = Tolerance(**batching["tolerance"])
        held = {"batching": Batching(**batching), "labels": tuple(record["labels"])}
        return cls(**record | held)

    def is_of(self, plan: Plan, adapted: Adapted) -> bool:
        """Return whether it is of this model as it runs here; the proof is made here, not taken."""
        rows = self.batching.rows
        return (
            self.model == _sha256(adapted.model)
            and (rows != "proved" or adapted.coupled_by is None)
            and (rows != "watched" or plan.watch)
        )


def _sha256(model: bytes) -> str:
    return hashlib.sha256(model).hexdigest()


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
    free = [_Candidate(plan, provider, place.options, batch) for batch in plan.free_batches]
    filed = (
        free[0] if data.batch is None else _Candidate(plan, provider, place.options, Batch.AS_FILED)
    )
    filed.timed = timed
    rows = probe_rows(data, plan.bounds)

    def chosen_by(batching: Batching) -> _Candidate:
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
    classifier.read_form = partial(_read_form, candidate, classifier, rows)
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
        model = _sha256(candidate.adapted.model)
        tried = Tried(
            plan.model.sha256, model, batching, tuple(labels.tolist()), filed.seconds, facts
        )
    classifier.facts["probes"] = dict(tried.facts)
    each = seconds / len(rows)
    classifier.pace = (
        Pace(each, each) if batching.rows == "alone" else Pace.of(tried.seconds, seconds, len(rows))
    )
    return Opened(classifier, candidate.adapted.model, tried)
