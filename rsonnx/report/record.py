"""What a run's header says beside what names the run: this module alone reads it for reports."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

_NAMED = {
    "Started": ("created",),
    "Model": ("model", "file"),
    "Model digest (SHA-256)": ("model", "sha256"),
    "Converted to float16 (SHA-256)": ("model", "float16", "sha256"),
    "Says that it is": ("model", "composition", "words"),
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
    "Precision": ("precision",),
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

    header: Mapping[str, Any]
    file: str

    def fact(self, *keys: str) -> Any:
        """Return a field, such as ``("model", "sha256")``; None where it is not."""
        value: Any = self.header
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    @property
    def data(self) -> str:
        """Where the inputs were read, without the folders of somebody's machine."""
        path = self.header["data"]["path"]
        return PurePath(path).name if PurePath(path).is_absolute() else path

    @property
    def class_names(self) -> Sequence[str]:
        """What the classes are called, in the model's numbering; empty where unknown.

        A model's own names come first: a data set's follow its folders, which need not be in the
        model's order where it has names.
        """
        return self.header["model"]["class_names"] or self.header["data"]["class_names"] or ()

    @property
    def named(self) -> Iterator[tuple[str, str]]:
        """What a reader asks for first, by names; only what is there."""
        yield "Run file", self.file
        yield "Data", self.data
        for name, keys in _NAMED.items():
            value = self.fact(*keys)
            if value is not None and value not in ([], {}, ""):
                yield name, _shallow(value)
        for at, part in enumerate(self.fact("model", "composition", "parts") or (), 1):
            behind = _shallow(part["preprocess"])
            said = f"{part['file']}, SHA-256 {part['sha256']}, preprocessing: {behind}"
            yield f"Part {at} as it says, {part['role']}", said

    @property
    def whole(self) -> str:
        """The header as it stands there, indented."""
        return json.dumps(self.header, indent=2)


def _shallow(value: Any) -> str:
    """Return a value of the header in a line: texts as they are, lists and objects unwrapped."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_shallow(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return " ".join(map(_shallow, value))
    return value if isinstance(value, str) else json.dumps(value)
