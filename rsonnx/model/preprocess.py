"""Preprocessing as a declaration: what stands between a pixel in [0, 1] and what the model takes.

It belongs to the base classifier, after the noise: sigma and the radius stay in the units of the
declared input. It is never guessed, since the wrong one costs accuracy without any error.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from rsonnx.errors import ModelError, UsageError

METADATA_KEY = "rsonnx.preprocess"
BOUNDS_KEY = "rsonnx.bounds"
LAYOUT_KEY = "rsonnx.layout"

LAYOUTS = ("NCHW", "NHWC")


@dataclass(frozen=True)
class Preprocessing:
    """An affine map a channel: ``(scale * u - mean) / std`` of the unit pixel u.

    u = (x - low) / (high - low) for an input x between the declared bounds, so u is in [0, 1].

    Attributes:
        mean: one number, or one a channel.
        std: one number, or one a channel, not 0.
        scale: 255 for models that take 0-255.
        layout: ``"NCHW"`` or ``"NHWC"`` where the shape leaves it open, else None.
        identity: the model takes x as it is, in the units of the bounds; the numbers are not used.
    """

    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    scale: float = 1.0
    layout: str | None = None
    identity: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return what a run's header records."""
        layout = {"layout": self.layout} if self.layout else {}
        if self.identity:
            return {"identity": True} | layout
        return {"scale": self.scale, "mean": list(self.mean), "std": list(self.std)} | layout


PRESETS = {
    "none": Preprocessing(identity=True),
    "zero-one": Preprocessing(),
    "minus-one-one": Preprocessing(mean=(0.5,), std=(0.5,)),
    "raw-255": Preprocessing(scale=255.0),
    "mnist": Preprocessing(mean=(0.1307,), std=(0.3081,)),
    "cifar10": Preprocessing(mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616)),
    "imagenet": Preprocessing(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
}
"""Named preprocessings. The numbers are those of torchvision's and timm's model cards."""


def parse_preprocessing(value: str | Mapping[str, Any] | Preprocessing) -> Preprocessing:
    """Understand a declaration of preprocessing.

    Args:
        value: a preset's name, text such as ``"mean=0.5,std=0.25"`` (several numbers are separated
            by ``/``), or a mapping with some of the keys mean, std, scale, layout; or one with
            identity (true) and perhaps layout, as :meth:`Preprocessing.to_json` writes it.

    Raises:
        UsageError: an unknown preset or key, or a value out of range.
    """
    if isinstance(value, Preprocessing):
        return value
    if isinstance(value, str):
        if value in PRESETS:
            return PRESETS[value]
        if "=" not in value:
            raise UsageError(
                f"preprocessing is {value!r}, but a preset ({', '.join(PRESETS)}) or a text such "
                "as mean=0.485/0.456/0.406,std=0.229/0.224/0.225 was expected"
            )
        pairs = [_key_and_value(part) for part in value.split(",")]
        value = dict(pairs)
        if len(value) < len(pairs):
            raise UsageError(
                f"preprocessing names {', '.join(k for k, _ in pairs)}, but each key only once was "
                "expected; several numbers are separated by /"
            )
    return _from_mapping(value)


def _key_and_value(part: str) -> tuple[str, str]:
    key, equals, text = part.partition("=")
    if not equals:
        raise UsageError(f"preprocessing has {part!r}, but key=value was expected")
    return key.strip(), text.strip()


def _from_mapping(value: Mapping[str, Any]) -> Preprocessing:
    known = ("mean", "std", "scale", "layout", "identity")
    unknown = [k for k in value if k not in known]
    if unknown:
        raise UsageError(
            f"preprocessing has the unknown key {unknown[0]!r}; {', '.join(known)} are understood"
        )
    layout = value.get("layout")
    if layout is not None and layout not in LAYOUTS:
        raise UsageError(f"layout is {layout!r}, but {' or '.join(LAYOUTS)} was expected")
    if "identity" in value:
        if value["identity"] is not True or set(value) - {"identity", "layout"}:
            raise UsageError(
                f"preprocessing is {dict(value)!r}, but identity stands alone and is true; leave "
                "it out, or leave out mean, std and scale"
            )
        return Preprocessing(layout=layout, identity=True)
    mean = _numbers("mean", value.get("mean", 0.0))
    std = _numbers("std", value.get("std", 1.0))
    scales = _numbers("scale", value.get("scale", 1.0))
    if len(scales) > 1:
        raise UsageError(
            f"preprocessing has {len(scales)} scales, but one was expected; give one std a channel"
        )
    scale = scales[0]
    if any(s == 0 for s in std) or scale == 0:
        raise UsageError("preprocessing has a std or scale of 0, but dividing by it is impossible")
    if len(mean) > 1 and len(std) > 1 and len(mean) != len(std):
        raise UsageError(
            f"preprocessing has {len(mean)} means and {len(std)} stds; give one number a channel"
        )
    return Preprocessing(mean, std, scale, layout)


def _numbers(key: str, value: Any) -> tuple[float, ...]:
    if isinstance(value, str):
        value = value.split("/")
    elif isinstance(value, int | float):
        value = [value]
    try:
        numbers = tuple(float(v) for v in value)
    except (TypeError, ValueError, OverflowError):
        numbers = ()
    if not numbers or not all(math.isfinite(v) for v in numbers):
        raise UsageError(
            f"preprocessing has {key} = {value!r}, but one finite number, or one a channel, was "
            "expected"
        )
    return numbers


def preprocessing_in(metadata: Mapping[str, str]) -> Preprocessing | None:
    """Return the preprocessing that a model's own metadata declare, or None."""
    if METADATA_KEY not in metadata:
        return None
    try:
        stored = json.loads(metadata[METADATA_KEY])
        if not isinstance(stored, str | dict):
            raise UsageError(f"{stored!r} is neither a text nor a mapping")
        found = parse_preprocessing(stored)
        if LAYOUT_KEY not in metadata:
            return found
        layout = _from_mapping({"layout": metadata[LAYOUT_KEY]}).layout
        if found.layout not in (None, layout):
            raise UsageError(f"it says {found.layout}, but {LAYOUT_KEY!r} says {layout}")
        return replace(found, layout=layout)
    except (json.JSONDecodeError, RecursionError, UsageError) as error:
        raise ModelError(
            f"the model's metadata {METADATA_KEY!r} cannot be understood ({error}); "
            "declare the preprocessing yourself"
        ) from None


def bounds_in(metadata: Mapping[str, str]) -> tuple[float, float] | None:
    """Return the input bounds that a model's own metadata declare, or None."""
    if BOUNDS_KEY not in metadata:
        return None
    try:
        stored = json.loads(metadata[BOUNDS_KEY])
        if not isinstance(stored, list):
            raise TypeError
        low, high = stored
        return float(low), float(high)
    except (TypeError, ValueError, OverflowError, RecursionError):
        raise ModelError(
            f"the model's metadata {BOUNDS_KEY!r} is {metadata[BOUNDS_KEY]!r}, but [low, high] was "
            "expected; declare the bounds yourself"
        ) from None
