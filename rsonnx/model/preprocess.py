"""Preprocessing as a declaration: what stands between a pixel in [0, 1] and what the model takes.

It belongs to the base classifier, after the noise: sigma and the radius stay in the units of the
declared input. It is never guessed, since the wrong one costs accuracy without any error.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rsonnx.errors import ModelError, UsageError
from rsonnx.model.declarations import from_onnx_metadata, read_preprocessing_file
from rsonnx.scalars import shown

METADATA_KEY = "rsonnx.preprocess"
BOUNDS_KEY = "rsonnx.bounds"
LAYOUT_KEY = "rsonnx.layout"

_LONGEST_SIDE = 16_384
"""Pixels; a side beyond it is a mistake, and an image of that size does not fit a memory."""


@dataclass(frozen=True)
class Preprocessing:
    """What is done to an image, and then to each pixel, before the model sees it.

    An image is resized and cropped before the noise. Behind it an input x between the declared
    bounds becomes u = (x - low) / (high - low), and then ``(scale * u - mean) / std`` by channel.

    Attributes:
        mean: one number, or one a channel, in the model's order of channels.
        std: one number, or one a channel, not 0.
        scale: 255 for models that take 0-255.
        layout: ``"NCHW"`` or ``"NHWC"`` where the shape leaves it open, else None.
        channels: ``"bgr"`` where the model takes blue first.
        resize: length of the shorter side, or (height, width), in pixels; None keeps the size.
        crop: (height, width) that are cut out of the middle; None keeps all.
        interpolation: Pillow's filter for resizing.
        center: where a crop begins if a margin is odd: ``"round"`` rounds its half to even, as
            torchvision and timm do, ``"floor"`` down, as Hugging Face does.
        identity: the model takes x as it is, in the units of the bounds; mean, std and scale are
            not used.
    """

    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    scale: float = 1.0
    layout: str | None = None
    channels: str = "rgb"
    resize: int | tuple[int, int] | None = None
    crop: tuple[int, int] | None = None
    interpolation: str = "bilinear"
    center: str = "round"
    identity: bool = False

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width of the images that this gives, where they do not depend on the image."""
        return self.crop or (self.resize if isinstance(self.resize, tuple) else None)

    def to_text(self) -> str:
        """Return the text that :func:`parse_preprocessing` reads, as a command line takes it."""
        stated = self.to_json()
        first = "none" if stated.pop("identity", False) else f"scale={_text(stated.pop('scale'))}"
        return ",".join([first, *(f"{key}={_text(value)}" for key, value in stated.items())])

    def to_json(self) -> dict[str, Any]:
        """Return what a run's header records, in the form that a declaration may have."""
        stated: dict[str, Any] = (
            {"identity": True}
            if self.identity
            else {"scale": self.scale, "mean": list(self.mean), "std": list(self.std)}
        )
        if self.layout:
            stated["layout"] = self.layout
        if self.channels != "rgb":
            stated["channels"] = self.channels
        if self.resize is not None:
            stated["resize"] = self.resize if isinstance(self.resize, int) else list(self.resize)
            stated["interpolation"] = self.interpolation
        if self.crop is not None:
            stated["crop"] = list(self.crop)
            if self.center != "round":  # the rule of all headers that do not name one
                stated["center"] = self.center
        return stated


def _text(value: str | float | list[Any]) -> str:
    if isinstance(value, list):
        return "/".join(map(_text, value))
    return value if isinstance(value, str) else repr(value).removesuffix(".0")


PRESETS = {
    "none": Preprocessing(identity=True),
    "zero-one": Preprocessing(),
    "minus-one-one": Preprocessing(mean=(0.5,), std=(0.5,)),
    "raw-255": Preprocessing(scale=255.0),
    "mnist": Preprocessing(mean=(0.1307,), std=(0.3081,)),
    "cifar10": Preprocessing(mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616)),
    "cifar10-kuangliu": Preprocessing(mean=(0.4914, 0.4822, 0.4465), std=(0.2023, 0.1994, 0.2010)),
    "cifar100": Preprocessing(mean=(0.5071, 0.4867, 0.4408), std=(0.2675, 0.2565, 0.2761)),
    "imagenet": Preprocessing(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    "clip": Preprocessing(
        mean=(0.48145466, 0.4578275, 0.40821073), std=(0.26862954, 0.26130258, 0.27577711)
    ),
    "caffe": Preprocessing(mean=(104.0, 117.0, 123.0), scale=255.0, channels="bgr"),
    "vgg": Preprocessing(mean=(123.68, 116.78, 103.94), scale=255.0),
    "minus-half": Preprocessing(mean=(0.5,)),
    "minus-128": Preprocessing(mean=(128.0,), scale=255.0),
}
"""Named preprocessings. The numbers are those of torchvision's and timm's model cards, but for
``cifar10-kuangliu`` (pytorch-cifar: the deviations within an image), ``cifar100`` (those of its
training set), ``clip`` (OpenAI's), ``caffe`` (BVLC's reference models; Keras' VGG and ResNet take
nearly the same) and ``vgg`` (tf-slim's VGG and ResNet v1). tf-slim's Inception and MobileNet take
``minus-one-one``, int8 models of 8-bit images ``minus-128``."""

_CHOICES = {
    "layout": ("NCHW", "NHWC"),
    "channels": ("rgb", "bgr"),
    "interpolation": ("nearest", "bilinear", "bicubic", "box", "hamming", "lanczos"),
    "center": ("round", "floor"),
}
_AFFINE = {"mean", "std", "scale"}
_KEYS = (
    "mean", "std", "scale", "layout", "channels", "resize", "crop", "interpolation", "center",
    "identity",
)  # fmt: skip


def parse_preprocessing(value: str | Mapping[str, Any] | Preprocessing) -> Preprocessing:
    """Understand a declaration of preprocessing.

    Args:
        value: a preset's name, a text such as ``"imagenet,resize=256,crop=224"``, or a mapping of
            these keys. Several numbers in a text are separated by ``/``.

    Raises:
        UsageError: an unknown preset or key, or a value out of range.
    """
    if isinstance(value, Preprocessing):
        return value
    if isinstance(value, Mapping):
        return _from_mapping(value, PRESETS["zero-one"])
    if not isinstance(value, str):
        raise UsageError(
            f"preprocessing is {shown(value)}, but a text or a mapping of {', '.join(_KEYS)} was "
            "expected"
        )
    first, *rest = value.split(",")
    base = PRESETS["zero-one"]
    if "=" in first:
        rest = [first, *rest]
    elif first in PRESETS:
        base = PRESETS[first]
    else:
        raise UsageError(
            f"preprocessing is {shown(value)}, but a preset ({', '.join(PRESETS)}), a text such as "
            "mean=0.485/0.456/0.406,std=0.229/0.224/0.225, or a JSON or TOML file was expected"
        )
    keys = [part.partition("=")[0].strip() for part in rest]
    if not all("=" in part for part in rest) or len(set(keys)) < len(keys):
        raise UsageError(
            f"preprocessing is {shown(value)}, but key=value, each key once, was expected; several "
            "numbers are separated by /"
        )
    values = (part.partition("=")[2].strip() for part in rest)
    return _from_mapping(dict(zip(keys, values, strict=True)), base)


def _from_mapping(value: Mapping[str, Any], base: Preprocessing) -> Preprocessing:
    """Return ``base`` with the keys of a mapping put in place of its own."""
    unknown = [k for k in value if k not in _KEYS]
    if unknown:
        raise UsageError(
            f"preprocessing has the unknown key {unknown[0]!r}; {', '.join(_KEYS)} are understood"
        )
    identity = base.identity or "identity" in value
    if value.get("identity", True) is not True or (identity and _AFFINE & set(value)):
        raise UsageError(
            f"preprocessing is {dict(value)!r:.200}, but identity (none) is true and stands "
            "without mean, std and scale; leave one or the other out"
        )
    set_keys = {key for key in value if value[key] is not None}
    changes: dict[str, Any] = {key: _choice(key, value[key]) for key in _CHOICES if key in set_keys}
    changes |= {key: _numbers(key, value[key]) for key in ("mean", "std") if key in value}
    if "scale" in value:
        (changes["scale"],) = _numbers("scale", value["scale"], most=1)
    for key in (key for key in ("resize", "crop") if key in set_keys):
        sides = _sides(key, value[key])
        # One number is the shorter side's length, or a square to be cut out.
        changes[key] = sides if len(sides) == 2 else sides * 2 if key == "crop" else sides[0]
    made = replace(base, identity=identity, **changes)
    if 0 in made.std or made.scale == 0:
        raise UsageError("preprocessing has a std or scale of 0, but dividing by it is impossible")
    if len({len(made.mean), len(made.std)} - {1}) > 1:
        raise UsageError(
            f"preprocessing has {len(made.mean)} means and {len(made.std)} stds; give one number a "
            "channel"
        )
    return made


def _choice(key: str, value: Any) -> str:
    if value not in _CHOICES[key]:
        raise UsageError(f"{key} is {value!r}, but one of {', '.join(_CHOICES[key])} was expected")
    return str(value)


def _numbers(key: str, value: Any, most: int | None = None) -> tuple[float, ...]:
    parts = value.split("/") if isinstance(value, str) else value
    try:
        numbers = tuple(float(v) for v in ([parts] if isinstance(parts, int | float) else parts))
    except (TypeError, ValueError, OverflowError):
        numbers = ()
    if not numbers or not all(map(math.isfinite, numbers)) or len(numbers) > (most or len(numbers)):
        wanted = "one finite number, or one a channel," if most is None else "one finite number"
        raise UsageError(f"preprocessing has {key} = {value!r}, but {wanted} was expected")
    return numbers


def _sides(key: str, value: Any) -> tuple[int, ...]:
    numbers = _numbers(key, value)
    if len(numbers) > 2 or any(n != int(n) or not 1 <= n <= _LONGEST_SIDE for n in numbers):
        raise UsageError(
            f"preprocessing has {key} = {value!r}, but one or two whole numbers of pixels, at most "
            f"{_LONGEST_SIDE}, were expected"
        )
    return tuple(int(n) for n in numbers)


def declared_preprocessing(value: str | Mapping[str, Any] | Preprocessing) -> Preprocessing:
    """Understand what a caller declares: what :func:`parse_preprocessing` takes, or a file's path.

    A file is ours, or Hugging Face's preprocessor_config.json, or timm's config.json. A model's own
    metadata are never read by this function: they must not name files of this machine.
    """
    if isinstance(value, str) and value not in PRESETS and "=" not in value:
        path = Path(value)
        # os.path says False of a text that no file system takes as a name; Path raises.
        if path.suffix in {".json", ".toml"} or os.path.isfile(value):
            return parse_preprocessing(read_preprocessing_file(path))
    return parse_preprocessing(value)


def preprocessing_in(metadata: Mapping[str, str]) -> Preprocessing | None:
    """Return the preprocessing that a model's own metadata declare, or None."""
    if METADATA_KEY not in metadata:
        stated = from_onnx_metadata(metadata)
        return None if stated is None else parse_preprocessing(stated)
    try:
        stored = json.loads(metadata[METADATA_KEY])
        if not isinstance(stored, str | dict):
            raise UsageError(f"{stored!r} is neither a text nor a mapping")
        declared = parse_preprocessing(stored)
        if LAYOUT_KEY not in metadata:
            return declared
        layout = _choice("layout", metadata[LAYOUT_KEY])
        if declared.layout not in (None, layout):
            raise UsageError(f"it says {declared.layout}, but {LAYOUT_KEY!r} says {layout}")
        return replace(declared, layout=layout)
    except (json.JSONDecodeError, RecursionError, UsageError) as error:
        raise ModelError(
            f"the model's metadata {METADATA_KEY!r} cannot be understood ({error}); "
            "declare the preprocessing yourself"
        ) from None


def bounds_entry(bounds: tuple[float, float]) -> str:
    """Return the entry that :func:`bounds_in` reads; JSON has no infinity, so that is a text."""
    return json.dumps([end if math.isfinite(end) else str(end) for end in bounds])


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
            f"the model's metadata {BOUNDS_KEY!r} is {metadata[BOUNDS_KEY][:60]!r}, but "
            "[low, high] was expected; declare the bounds yourself"
        ) from None
