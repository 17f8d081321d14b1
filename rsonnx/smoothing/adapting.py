"""What will be done with a model: its input, its output, its preprocessing, and what was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import onnx

from rsonnx.errors import ModelError, RsonnxError, UsageError, all_at_once
from rsonnx.model import (
    AUTO,
    CODES,
    INPUT,
    LABEL,
    SCORES,
    Batch,
    Input,
    ModelFile,
    ModelSettings,
    Output,
    Preprocessing,
    adapt,
    bounds_in,
    declared_preprocessing,
    find_input,
    find_output,
    preprocessing_in,
    refuse_unsound,
    to_half,
    unused_inputs,
)
from rsonnx.model.apart import Weights, put_back
from rsonnx.model.rows import RowProof, prove_rows
from rsonnx.noise import check_bounds
from rsonnx.runtime import check_runtime
from rsonnx.smoothing.composition import composition_in
from rsonnx.smoothing.training import training_in

DEFAULT_BOUNDS = (0.0, 1.0)


@dataclass(frozen=True)
class Adapted:
    """A model as it runs.

    Attributes:
        model: serialized.
        weights: of it that lie apart.
        coupled_by: what stops the proof that its rows are independent; None where it is proved.
    """

    model: bytes
    weights: Weights
    coupled_by: str | None

    @property
    def whole(self) -> bytes:
        """The model with all its weights, serialized."""
        return put_back(self.model, self.weights)


@dataclass(frozen=True, eq=False)
class Plan:
    """What will be done with a model file; nothing of it has been run.

    Attributes:
        model: the file.
        data: the input that is smoothed.
        output: the tensor that answers.
        preprocessing: what the model expects done to its inputs.
        bounds: lowest and highest value of an input.
        watch: whether rows that are not proved to be independent may share batches.
        facts: what was found, for a run's header.
    """

    model: ModelFile
    data: Input
    output: Output
    preprocessing: Preprocessing
    bounds: tuple[float, float]
    watch: bool
    facts: dict[str, Any]

    @property
    def free_batches(self) -> tuple[Batch, ...]:
        """What can be done to the batch axis so that batches may have any size, simplest first."""
        if self.data.batch is None:
            return (Batch.AS_FILED,)
        return (Batch.FREED, Batch.PATCHED) if self.data.has_batch_axis else ()

    def adapted(self, batch: Batch) -> Adapted:
        """Return the model that runs with that done to its batch axis, and try to prove it."""
        made = self._adapt(batch)
        proof = self._prove(made)
        if proof.guards:
            guarded = self._adapt(batch, proof.guards)
            proof = self._prove(guarded, proof.guards)
            made = guarded if proof.proved else made
        names = {tensor.name for tensor in onnx.load_from_string(made).graph.initializer}
        weights = {name: w for name, w in self.model.weights.items() if name in names}
        return Adapted(made, weights, proof.stopped_by)

    def _adapt(self, batch: Batch, guards: Sequence[str] = ()) -> bytes:
        return adapt(
            self.model, self.data, self.output, self.preprocessing, self.bounds, batch, guards
        )

    def _prove(self, made: bytes, guarded: Sequence[str] = ()) -> RowProof:
        return prove_rows(
            onnx.load_from_string(made),
            input_name=INPUT,
            outputs=(LABEL, SCORES),
            guarded=guarded,
        )


def make_plan(model: ModelFile, settings: ModelSettings) -> Plan:
    """Decide what to do with a model, without running it.

    Raises:
        RsonnxError: it cannot be certified, or something has to be declared: all of it at once.
    """
    if settings.float16:
        check_runtime()  # the converter is onnxruntime's
    half = to_half(model) if settings.float16 else None
    model = model if half is None else half.model
    if settings.bounds == AUTO:
        raise UsageError("bounds are auto, what the data span, but there are no data; give numbers")
    stored_bounds = None if settings.bounds is not None else bounds_in(model.metadata)
    found_bounds, bounds_source = _declared(settings.bounds, stored_bounds, DEFAULT_BOUNDS)
    stated = settings.preprocessing
    stored = None if stated is not None else preprocessing_in(model.metadata)
    preprocessing, preprocess_source = _declared(stated, stored, None)
    refuse_unsound(model)
    composition = composition_in(model.metadata)
    if composition is not None and composition.how == "smooth":
        base = composition.parts[0]
        raise ModelError(
            f"{model} is a smoothed classifier, made by rsonnx compose smooth; certify its base "
            f"{base.file:.60} (SHA-256 {base.sha256[:12]}...), and check it by attest --deployed"
        )
    missing: list[RsonnxError] = []
    output = find_output(
        model, name=settings.output_name, threshold=settings.threshold, ask=missing.append
    )
    data = find_input(
        model,
        output,
        layout=None if preprocessing is None else preprocessing.layout,
        size=None if preprocessing is None else preprocessing.size,
        input_shape=settings.input_shape,
        feeds=settings.feeds,
        ask=missing.append,
        columns=settings.columns,
    )
    if preprocessing is None and data.columns:
        preprocessing = declared_preprocessing("none")
        preprocess_source = "columns of a table, which are fed as they are"
    if preprocessing is None and data.spec.dtype == "uint8":
        preprocessing = declared_preprocessing("raw-255")
        preprocess_source = "input type uint8, which holds 0-255"
    if preprocessing is None and data.spec.dtype in CODES:
        preprocessing = declared_preprocessing("none")
        preprocess_source = f"input type {data.spec.dtype}, which takes codes as they are"
    if preprocessing is None:
        refusal = UsageError(
            f"{model} does not say what preprocessing its inputs need; declare it: none, a preset "
            "such as imagenet, or mean=...,std=...; rsonnx inspect MODEL DATA tries all presets"
        )
        raise all_at_once([*missing, refusal])
    if missing:
        raise all_at_once(missing)
    low, high = check_bounds(found_bounds)
    facts = _describe(model, data, output) | {
        "preprocess": preprocessing.to_json() | {"source": preprocess_source},
        "bounds": {"low": low, "high": high, "source": bounds_source},
        "float16": None if half is None else half.facts,
    }
    # Only where they are declared, so that other headers are those of before.
    declared = {"output_name": settings.output_name, "threshold": settings.threshold}
    facts |= {name: value for name, value in declared.items() if value is not None}
    if composition is not None:
        facts["composition"] = composition.to_json() | {"words": composition.words}
    return Plan(model, data, output, preprocessing, (low, high), settings.rows == "watched", facts)


def _describe(model: ModelFile, data: Input, output: Output) -> dict[str, Any]:
    trained = training_in(model.metadata)
    return {
        "file": model.name,
        "sha256": "",  # which may not be known before the model is open
        "bytes": model.size,
        "external_data": list(model.external_data),
        "producer": f"{model.proto.producer_name} {model.proto.producer_version}".strip(),
        "ir_version": model.proto.ir_version,
        "opset": {o.domain or "ai.onnx": o.version for o in model.proto.opset_import},
        "input": {
            "name": ", ".join(spec.name for spec in data.specs),
            "dtype": data.spec.dtype,
            "shape": list(data.spec.shape),
        },
        "output": asdict(output.spec),
        "input_shape": list(data.shape),
        "layout": data.layout,
        "feeds": {name: value.tolist() for name, value in data.feeds.items()},
        "unused_inputs": list(unused_inputs(model, output)),
        "edits": [*_joining(data), *output.edits],
        "class_names": list(output.classes),
        "trained": None if trained is None else trained.to_json(),
        "label": _LABEL_RULES["label" if output.label else output.kind].format(
            threshold=output.threshold
        ),
        "no_class": "a NaN score, or a largest score that is infinite, is an answer of no class, "
        "never certified",
        "insisted": output.insisted,
    }


def _joining(data: Input) -> list[str]:
    """Say which inputs are joined, and in which order they are taken."""
    if not data.parts:
        return []
    pairs = (
        (part.spec.name, ", ".join(data.columns[at].name for at in part.places))
        for part in data.parts
    )
    taken = ", ".join(name if name == of else f"{name} (of {of})" for name, of in pairs)
    return [f"its {len(data.parts)} inputs are one, with a value a column: {taken}"]


_LABEL_RULES = {
    "scores": "index of the largest score; ties go to the lowest index",
    "score": "1 where the score is above {threshold}, else 0",
    "label": "the model's own label",
}


def _declared(argument: Any, metadata: Any, default: Any) -> tuple[Any, str]:
    if argument is not None:
        return argument, "argument"
    return (metadata, "model metadata") if metadata is not None else (default, "default")
