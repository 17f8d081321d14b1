"""Compose a model's parts again and compare the bytes: what its metadata say is proved so."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx

from rsonnx.compose.denoise import denoising, diffusing
from rsonnx.compose.ensemble import agreeing, voting
from rsonnx.compose.smooth import smoothing
from rsonnx.errors import ModelError, UsageError
from rsonnx.model import ModelSettings, ModelSource, read_model
from rsonnx.smoothing.composition import Composition, composition_in

_COMPOSING: dict[str, Callable[..., onnx.ModelProto]] = {
    "ensemble": voting,
    "consensus": agreeing,
    "denoise": denoising,
    "diffuse": diffusing,
    "smooth": smoothing,
}
"""From the files of parts and what is declared of each, and options, to the composed model."""


def serialized(model: onnx.ModelProto) -> bytes:
    """Return the bytes of a composed model, as they are written and compared."""
    return bytes(model.SerializeToString(deterministic=True))


def checked(model: str, parts: Sequence[str]) -> str:
    """Return in words how a model was composed, once :func:`check` holds: for a child process."""
    return check(model, *parts).words


def check(model: ModelSource, *parts: ModelSource) -> Composition:
    """Compose a model again from its parts, as its metadata say, and compare bytes.

    Args:
        model: the composed model.
        parts: those of which it was made, in order; what they are called does not matter.

    Returns:
        How it was composed.

    Raises:
        UsageError: there is no such file, or another number of parts.
        ModelError: the model does not say how it was composed, a part is another file, or what
            comes of them is another model.
    """
    file = read_model(model)
    stated = composition_in(file.metadata)
    if stated is None:
        raise ModelError(f"{file} does not say that it was composed; name a file of rsonnx compose")
    if len(parts) != len(stated.parts):
        raise UsageError(
            f"{file} was composed of {len(stated.parts)} parts, not of {len(parts)}; name all in "
            f"order: {stated.words}"
        )
    files = []
    for part, record in zip(map(read_model, parts), stated.parts, strict=True):
        if part.sha256 != record.sha256:
            raise ModelError(
                f"{part} has SHA-256 {part.sha256[:12]}..., but {file} names {record.file} "
                f"{record.sha256[:12]}... in its place; give the same files in order"
            )
        files.append(replace(part, path=Path(record.file)))  # what the metadata call it
    usual: dict[str, Any] = ModelSettings().to_json()
    try:
        settings = [ModelSettings.from_json(usual | dict(part.settings)) for part in stated.parts]
        again = _COMPOSING[stated.how](files, settings, **stated.options)
    except UsageError as error:
        raise ModelError(f"{file} says of its parts what cannot be done again: {error}") from None
    except (KeyError, TypeError, ValueError):
        raise ModelError(
            f"{file} states options that rsonnx compose {stated.how} does not write; compose its "
            "parts again"
        ) from None
    if hashlib.sha256(serialized(again)).hexdigest() != file.sha256:
        raise ModelError(
            f"{file} is another model than its parts make ({stated.words}); compose them again "
            f"with rsonnx {file.proto.producer_version:.20}, which it names"
        )
    return stated
