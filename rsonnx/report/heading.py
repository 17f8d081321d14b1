"""What a run's header says, as reports need it: this module alone reads it for them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import PurePath
from typing import Any

from rsonnx.noise import Norm, norm_named
from rsonnx.runs.header import Header, Settings
from rsonnx.runs.variation import Variation

_MOST_VALUES = 2**40


@dataclass(frozen=True)
class Heading:
    """What names a run in a table.

    Attributes:
        model: the model's file name.
        noise: the smoothing distribution with the parameter that matters: ``gaussian sigma = 0.5``.
        sigma: standard deviation of the noise on one value; None for noise that has none.
        within: where answers are certified, for a radius called "the input's radius".
        units: in which sigma and the radius are measured.
        norm: the norm of the radius.
        n: estimation samples an input; the most of them in an adaptive run, and in an exact one how
            many changes were counted.
        arithmetic: ``"exact"`` or ``"float"``.
        status: how the run ended.
        settings: how its counts became the certificates that are shown.
        target_radii: the radii whose decision stopped an adaptive run; None for a fixed n.
        restated_from: the settings that the run was made with, if its rows were derived anew.
        shared_noise: whether all inputs have the same noise, so that certificates are dependent.
        additive: whether the noise is added to the input, as opposed to replacing parts of it.
        rows: why a row's answer does not depend on its batch: ``"proved"``, ``"alone"``, or
            ``"watched"``, which assumes it; None where the run does not say.
        largest_radius: the most that its settings can give; 0 where that is the input alone.
        short_noise: the noise in few words; the usual one goes without its name.
        sha256: of the model's file; None where the run does not say.
        variation: which of the classifiers that this file can be.
        by_preprocess: whether a run of this file behind another preprocessing stands beside it.
    """

    model: str
    noise: str
    sigma: float | None
    within: str
    units: str
    norm: str
    n: int
    arithmetic: str
    status: str
    settings: Settings
    target_radii: tuple[float, ...] | None = None
    restated_from: Settings | None = None
    shared_noise: bool = False
    additive: bool = True
    rows: str | None = None
    largest_radius: float = 0.0
    short_noise: str = ""
    sha256: str | None = None
    variation: Variation = field(default_factory=Variation)
    by_preprocess: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return it for a program, the settings beside the other fields."""
        fields = asdict(self)
        for name in ("largest_radius", "short_noise", "sha256", "by_preprocess"):
            del fields[name]
        told = {
            "variation": list(self.variation.words),
            "preprocess": self.variation.preprocess,
        }
        return {**fields.pop("settings"), **fields, **told}

    @property
    def classifier(self) -> str:
        """What the classifier is called: its file, and what else makes it another one."""
        behind = f", preprocess {self.variation.preprocess or '?'}" if self.by_preprocess else ""
        return self.variation.named(self.model) + behind

    @property
    def file(self) -> str:
        """What is the same for all runs of one model file: its digest, else its name."""
        return self.sha256 or self.model

    def varies(self, other: Heading) -> bool:
        """Say whether two are of one file, but not of one classifier."""
        own, another = self.variation, other.variation
        preprocesses = {own.preprocess, another.preprocess} - {None}
        return self.file == other.file and (own.words != another.words or len(preprocesses) > 1)

    @property
    def measure(self) -> Norm:
        """What a radius measures, in words."""
        return norm_named(self.norm)

    @property
    def gaussian(self) -> bool:
        """Whether the noise is the usual one, which its sigma alone tells apart."""
        return self.short_noise != self.noise

    @property
    def radii_of(self) -> str:
        """Of which norm and in which units radii are, in a stranger's words."""
        return f"{self.norm} radius in {self.units}"


def heading_of(header: Header, status: str) -> Heading:
    """Return what names a run in a table.

    Args:
        header: the first line of its file.
        status: how the run ended.
    """
    law, shard = header.noise, header.shard
    if shard is not None and shard.of > 1:  # one that ended well is no complete run either
        status = f"shard {shard}" if status == "complete" else f"{status} shard {shard}"
    return Heading(
        model=header.model.file,
        noise=law.label,
        sigma=law.deviation,
        within=law.within.replace("the row's radius", "the input's radius"),
        units=header.units,
        norm=law.norm,
        n=header.procedure.n,
        arithmetic=header.arithmetic,
        status=status,
        settings=header.settings,
        target_radii=header.procedure.target_radii,
        restated_from=header.restated_from,
        shared_noise=header.shared,
        additive=law.additive,
        rows=header.model.rows,
        largest_radius=header.largest_radius,
        short_noise=law.short_label,
        sha256=header.model.sha256,
        variation=header.model.variation,
    )


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
