"""``rsonnx inspect``: what a model file holds, without running it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import click

from rsonnx.cli.options import json_option, model_argument
from rsonnx.errors import RsonnxError
from rsonnx.model import (
    ModelFile,
    TensorSpec,
    bounds_in,
    find_signature,
    inputs_of,
    node_types,
    outputs_of,
    preprocessing_in,
    read_model,
    refuse_unsound,
    row_coupling,
)
from rsonnx.report import printable


@click.command()
@model_argument
@json_option
def inspect(model: Path, as_json: bool) -> None:
    """Say what the ONNX file MODEL holds and whether it can be certified. Nothing of it is run.

    \b
    Example:
      rsonnx inspect mnist.onnx
    """
    found = facts(read_model(model))
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for key, value in found.items():
        click.echo(f"{key:<14}{printable(_words(value))}")


def facts(model: ModelFile) -> dict[str, Any]:
    """Return what can be said of a model without running it."""
    return {
        "file": str(model.path),
        "sha256": model.sha256,
        "bytes": model.size,
        "external data": list(model.external_data),
        "producer": f"{model.proto.producer_name} {model.proto.producer_version}".strip(),
        "ir version": model.proto.ir_version,
        "opset": {o.domain or "ai.onnx": o.version for o in model.proto.opset_import},
        "inputs": [_spec(spec) for spec in inputs_of(model)],
        "outputs": [_spec(spec) for spec in outputs_of(model)],
        "operators": dict(Counter(node_types(model)).most_common()),
        "metadata": model.metadata,
        "preprocessing": _preprocessing(model),
        "batches": _batches(model),
        "verdict": _verdict(model),
    }


def _preprocessing(model: ModelFile) -> dict[str, Any] | str:
    try:
        found, bounds = preprocessing_in(model.metadata), bounds_in(model.metadata)
    except RsonnxError as error:
        return str(error)
    if found is None:
        return "not declared in the file; declare it with --preprocess"
    return found.to_json() | ({} if bounds is None else {"bounds": list(bounds)})


def _batches(model: ModelFile) -> str:
    coupling = row_coupling(model)
    if coupling:
        return f"one input at a time, since {coupling} couples the rows of a batch"
    first = [spec.shape[0] for spec in inputs_of(model) if spec.shape]
    if any(isinstance(size, int) for size in first):
        return f"the file fixes {first[0]}; certify frees it if a run proves that this is sound"
    return "any size, as the file declares"


def _verdict(model: ModelFile) -> str:
    try:
        refuse_unsound(model)
        declared = preprocessing_in(model.metadata)
        signature = find_signature(model, declared.layout if declared else None)
    except RsonnxError as error:
        return f"refused: {error}"
    shape = "x".join(map(str, signature.shape))
    layout = f" ({signature.layout})" if signature.layout else ""
    return f"can be certified, as far as the file shows; one input is {shape}{layout}"


def _spec(spec: TensorSpec) -> dict[str, Any]:
    return {"name": spec.name, "type": spec.dtype, "shape": list(spec.shape)}


def _words(value: Any) -> str:
    if value in ({}, []):
        return "none"
    if isinstance(value, dict) and set(value) == {"name", "type", "shape"}:
        dimensions = ", ".join("?" if d is None else str(d) for d in value["shape"])
        return f"{value['name']}: {value['type']} [{dimensions}]"
    if isinstance(value, dict):
        return ", ".join(f"{k} {_words(v)}" for k, v in value.items())
    if isinstance(value, list):
        return ", ".join(map(_words, value))
    return str(value)
