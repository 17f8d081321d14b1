"""From a model file to a base classifier that runs: read, adapt, prove, open a strict session."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsonnx.errors import UsageError
from rsonnx.model import (
    INPUT,
    LABEL,
    SCORES,
    ModelFile,
    Preprocessing,
    Signature,
    adapt,
    bounds_in,
    find_signature,
    parse_preprocessing,
    preprocessing_in,
    probe_rows,
    prove_batching,
    read_model,
    refuse_unsound,
    row_coupling,
)
from rsonnx.noise import check_bounds
from rsonnx.runtime import OnnxClassifier, ProviderChoice, Session, choose_provider

DEFAULT_BOUNDS = (0.0, 1.0)


def load(
    path: str | os.PathLike[str],
    *,
    bounds: tuple[float, float] | None = None,
    preprocess: str | Mapping[str, Any] | Preprocessing | None = None,
    providers: Sequence[str] | str | None = None,
) -> OnnxClassifier:
    """Load an ONNX classifier so that it can be smoothed.

    Args:
        path: the model file.
        bounds: lowest and highest value of an input. They are the units of sigma and of the radius;
            the lowest and highest pixel value of an 8-bit image are mapped to them. None takes what
            the model's metadata say, else (0, 1).
        preprocess: what the model does not do itself to a pixel in [0, 1] and expects to be done: a
            preset's name, ``"mean=...,std=..."``, or a mapping. ``"none"`` feeds inputs as they
            are. None takes what the model's metadata say.
        providers: the execution provider to run on, ``["cuda"]`` or ``["cpu"]``; None takes the
            best one that works.

    Raises:
        UsageError: no such file, or an argument is outside its range; no preprocessing is declared,
            neither here nor in the file.
        ModelError: the file is no classifier that can be certified.
        ProviderError: the provider does not work on this machine.
    """
    model = read_model(path)
    found_bounds, bounds_source = _declared(bounds, bounds_in(model.metadata), DEFAULT_BOUNDS)
    found_bounds = check_bounds(found_bounds)
    given = None if preprocess is None else parse_preprocessing(preprocess)
    preprocessing, preprocess_source = _declared(given, preprocessing_in(model.metadata), None)
    if preprocessing is None:
        raise UsageError(
            f"{model.path} does not say what preprocessing its inputs need, and none was declared; "
            "declare one: none (inputs are fed as they are), a preset such as mnist, cifar10, "
            "imagenet, minus-one-one or raw-255, or mean=...,std=..."
        )
    refuse_unsound(model)
    signature = find_signature(model, preprocessing.layout)
    provider = choose_provider([providers] if isinstance(providers, str) else providers)
    facts = describe(model, signature) | {
        "preprocess": preprocessing.to_json() | {"source": preprocess_source},
        "bounds": {"low": found_bounds[0], "high": found_bounds[1], "source": bounds_source},
    }
    return _open(model, signature, preprocessing, found_bounds, provider, facts)


def describe(model: ModelFile, signature: Signature) -> dict[str, Any]:
    """Return what was found in a model file, for a run's header."""
    return {
        "file": model.path.name,
        "sha256": model.sha256,
        "bytes": model.size,
        "external_data": list(model.external_data),
        "producer": f"{model.proto.producer_name} {model.proto.producer_version}".strip(),
        "ir_version": model.proto.ir_version,
        "opset": {o.domain or "ai.onnx": o.version for o in model.proto.opset_import},
        "input": asdict(signature.input),
        "output": asdict(signature.output),
        "input_shape": list(signature.shape),
        "layout": signature.layout,
    }


def _declared(argument: Any, metadata: Any, default: Any) -> tuple[Any, str]:
    if argument is not None:
        return argument, "argument"
    return (metadata, "model metadata") if metadata is not None else (default, "default")


def _open(
    model: ModelFile,
    signature: Signature,
    preprocessing: Preprocessing,
    bounds: tuple[float, float],
    provider: ProviderChoice,
    facts: dict[str, Any],
) -> OnnxClassifier:
    name = str(model.path)

    def session(free_batch: bool) -> Session:
        rewritten = adapt(model, signature, preprocessing, bounds, free_batch=free_batch)
        return Session(rewritten, provider, name)

    def scores(opened: Session, batch: NDArray[np.float32]) -> NDArray[Any]:
        return opened.run(SCORES, INPUT, batch)

    filed = session(free_batch=False)
    freed = session(free_batch=True) if signature.batch is not None else None
    batching = prove_batching(
        name,
        signature,
        probe_rows(signature, bounds),
        as_filed=lambda batch: scores(filed, batch),
        freed=None if freed is None else lambda batch: scores(freed, batch),
        coupling=row_coupling(model),
    )
    chosen = freed if batching.rewritten and freed is not None else filed
    return OnnxClassifier(
        chosen,
        input_name=INPUT,
        label_name=LABEL,
        num_classes=batching.num_classes,
        shape=signature.shape,
        bounds=bounds,
        layout=signature.layout,
        batch_size=batching.size,
        on_cpu=provider.is_cpu,
        facts=facts
        | {
            "classes": batching.num_classes,
            "batch": batching.why,
            "label": "index of the largest score; ties go to the lowest index",
            "no_class": "a NaN or infinite score is an answer of no class, never certified",
            "providers": {"requested": list(provider.requested), "used": list(chosen.providers)},
        },
    )
