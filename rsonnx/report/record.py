"""What a run's header says beside what names the run: this module alone reads it for reports."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

_MOST_VALUES = 2**40

_NAMED = {
    "Started": ("created",),
    "Model": ("model", "file"),
    "Model digest (SHA-256)": ("model", "sha256"),
    "Converted to float16 (SHA-256)": ("model", "float16", "sha256"),
    "Model made by": ("model", "producer"),
    "Input shape": ("model", "input_shape"),
    "Preprocessing, behind the noise": ("model", "preprocess"),
    "Bounds of an input": ("model", "bounds"),
    "Fixed inputs": ("model", "feeds"),
    "Answer": ("model", "label"),
    "Output": ("model", "output", "name"),
    "Execution provider": ("model", "providers", "used"),
    "Batches": ("model", "batch"),
    "Labels": ("data", "labels"),
    "Noise": ("noise",),
    "Seed": ("seed", "value"),
    "Seed from": ("seed", "source"),
    "Beacon of the seed": ("seed", "commitment", "beacon"),
    "Selection samples (n0)": ("n0",),
    "Estimation samples (n)": ("n",),
    "Error probability (alpha)": ("alpha",),
    "Bound": ("bound",),
    "Radius rule": ("radius_rule",),
    "Target radii": ("target_radii",),
    "Command": ("arguments", "given"),
    "Versions": ("versions",),
}


@dataclass(frozen=True)
class Record:
    """What a header says beside that, of which a stranger may have written anything.

    Attributes:
        header: the first line of the file.
        file: its path, as it was given.
    """

    header: Mapping[str, Any] = field(default_factory=dict)
    file: str = ""

    def fact(self, *keys: str) -> Any:
        """Return a field, such as ``("model", "sha256")``; None where it is not."""
        value: Any = self.header
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    def count(self, *keys: str) -> int | None:
        """Return a field that is a whole number of at least 1, else None."""
        value = self.fact(*keys)
        return value if type(value) is int and value >= 1 else None

    @property
    def data(self) -> str | None:
        """Where the inputs were read, without the folders of somebody's machine."""
        path = self.fact("data", "path")
        if not isinstance(path, str):
            return None
        return PurePath(path).name if PurePath(path).is_absolute() else path

    @property
    def shape(self) -> tuple[int, ...] | None:
        """Of an input of the model, without the batch, where it is one that an input can have."""
        shape = self.fact("model", "input_shape")
        if not isinstance(shape, list) or not all(type(n) is int and n >= 1 for n in shape):
            return None
        return tuple(shape) if shape and math.prod(shape) <= _MOST_VALUES else None

    @property
    def width(self) -> float | None:
        """Highest minus lowest value of an input, above 0; None where that is not known."""
        low, high = (self.fact("model", "bounds", end) for end in ("low", "high"))
        if not all(type(end) in (int, float) and abs(end) < 2**1000 for end in (low, high)):
            return None
        return float(high - low) if low < high else None

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the classes are called, in the model's numbering; empty where unknown.

        A model's own names come first: a data set's follow its folders, which need not be in the
        model's order where it has names.
        """
        for room in ("model", "data"):
            names = self.fact(room, "class_names")
            if isinstance(names, list) and names and all(isinstance(n, str) for n in names):
                return tuple(names)
        return ()

    @property
    def named(self) -> Iterator[tuple[str, str]]:
        """What a reader asks for first, by names; only what is there."""
        yield "Run file", self.file
        if self.data is not None:
            yield "Data", self.data
        for name, keys in _NAMED.items():
            value = self.fact(*keys)
            if value is not None and value not in ([], {}, ""):
                yield name, _shallow(value)

    @property
    def whole(self) -> str:
        """The header as it stands there, indented."""
        try:
            return json.dumps(self.header, indent=2)
        except RecursionError:
            return _TOO_DEEP


_TOO_DEEP = "nested too deeply to be shown"


def _shallow(value: Any) -> str:
    """Return a value of the header in a line: texts as they are, lists and objects unwrapped."""

    def text(value: Any) -> str:
        if isinstance(value, Mapping):
            return ", ".join(f"{key}: {text(inner)}" for key, inner in value.items())
        if isinstance(value, list):
            return " ".join(map(text, value))
        return value if isinstance(value, str) else json.dumps(value)

    try:
        return text(value)
    except RecursionError:
        return _TOO_DEEP
