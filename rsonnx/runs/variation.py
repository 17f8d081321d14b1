"""What a model file's digest leaves open: which of the classifiers that it can be a run is of.

Only what changes an answer is here. Bounds are told as units, and what is done to a picture before
the noise shows in the digests of the inputs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_LONGEST = 24
"""Letters of a value that are shown; of a longer one the digest tells it apart."""

_BEFORE_THE_NOISE = frozenset({"source", "resize", "crop", "interpolation", "center"})
_USUAL = {"scale": 1.0, "mean": [0.0], "std": [1.0]}


@dataclass(frozen=True)
class Variation:
    """Which of its classifiers a model file is.

    Attributes:
        words: what was declared of it that makes another classifier, each in a few words, such as
            ``"float16"`` or ``"threshold 0.3"``; outputs and inputs are called as a stranger did.
        preprocess: what is done to an input behind the noise, in words.
        declared: whether the caller says so of the preprocessing, not the file.
        insisted: what its output is where that is no vector of class scores; else None.
    """

    words: tuple[str, ...]
    preprocess: str
    declared: bool
    insisted: str | None

    def named(self, file: str) -> str:
        """Return what the classifier is called."""
        return ", ".join([file, *self.words])


def variation_of(model: Mapping[str, Any], resolved: Mapping[str, Any]) -> Variation:
    """Return which of its classifiers a model file is.

    Args:
        model: what a header says of the model.
        resolved: the options of the run, which say what older headers do not say of the model.
    """
    preprocess = model["preprocess"]
    return Variation(
        tuple(_words(model, resolved)),
        _preprocess(preprocess),
        preprocess["source"] == "argument",
        model.get("insisted"),
    )


def _words(model: Mapping[str, Any], resolved: Mapping[str, Any]) -> Iterator[str]:
    if model["float16"] is not None:
        yield "float16"
    if model["session"].get("tf32"):
        yield "TF32"  # of which a session on a processor says nothing: it has none
    threshold, output = (
        (model if name in model else resolved).get(name) for name in ("threshold", "output_name")
    )
    if threshold is not None:
        yield f"threshold {_short(threshold)}"
    if output is not None:
        yield f"output {output}"
    for name, value in sorted(model["feeds"].items()):
        yield f"{name}={_short(value)}"
    shape, declared = model["input_shape"], model["input"]["shape"]
    axes = declared[max(0, len(declared) - len(shape)) :]
    if shape and not (axes and all(type(axis) is int for axis in axes)):
        yield f"input {'x'.join(map(str, shape))}"


def _short(value: Any) -> str:
    while isinstance(value, list) and len(value) == 1:
        (value,) = value
    text = json.dumps(value, separators=(",", ":")).removesuffix(".0")
    if len(text) <= _LONGEST:
        return text
    return f"(SHA-256 {hashlib.sha256(text.encode()).hexdigest()[:12]})"


def _preprocess(recorded: Mapping[str, Any]) -> str:
    said = ["none"] if recorded.get("identity") else []
    for name, value in recorded.items():
        if name not in _BEFORE_THE_NOISE and name != "identity" and value != _USUAL.get(name):
            values = value if isinstance(value, list) else [value]
            said.append(
                f"{name}={'/'.join(v if isinstance(v, str) else _short(v) for v in values)}"
            )
    return ",".join(said) or "scale=1"
