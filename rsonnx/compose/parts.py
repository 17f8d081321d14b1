"""The classifiers that are composed: each read, adapted and tried by itself, then held together.

An adapted part takes float32 inputs in the units of the bounds, so its own preprocessing stays with
it, and answers ``LABEL`` and ``SCORES`` as it does alone; a row that is no class has the label -1.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any

import onnx

from rsonnx.arguments import check_kind
from rsonnx.compose.versions import newest, raised
from rsonnx.errors import ModelError, RsonnxError, UsageError
from rsonnx.model import (
    CODES,
    ModelFile,
    ModelSettings,
    ModelSource,
    probe_rows,
    read_model,
)
from rsonnx.model.class_names import NAMES_KEY, are_numbers
from rsonnx.model.preprocess import BOUNDS_KEY, METADATA_KEY, bounds_entry
from rsonnx.runtime import OnnxClassifier, choose_provider
from rsonnx.scalars import shown
from rsonnx.smoothing.adapting import Plan, make_plan
from rsonnx.smoothing.composition import COMPOSITION_KEY, Composition, PartRecord
from rsonnx.smoothing.load import open_plan


@dataclass(frozen=True, eq=False)
class Part:
    """A classifier that becomes part of another.

    Attributes:
        file: as it was read; its digest is the file's, its operator sets those of the composition.
        plan: what is done with it.
        model: adapted: from ``INPUT``, (batch, \\*shape), to ``LABEL`` and ``SCORES``.
        classifier: open on the processor.
        settings: what was declared beside the file.
    """

    file: ModelFile
    plan: Plan
    model: onnx.ModelProto
    classifier: OnnxClassifier
    settings: ModelSettings

    def __str__(self) -> str:
        return str(self.file)

    @property
    def batch(self) -> int | None:
        """The batch size at which alone it runs; None where any will do."""
        size = self.model.graph.input[0].type.tensor_type.shape.dim[0]
        return size.dim_value or None

    def record(self, role: str) -> PartRecord:
        """Return what the metadata of a composition say of it."""
        stated, usual = self.settings.to_json(), ModelSettings().to_json()
        return PartRecord(
            role,
            self.file.name,
            self.file.sha256,
            {name: value for name, value in stated.items() if value != usual[name]},
            self.plan.facts["preprocess"],
        )


Declared = Mapping[str, Any] | ModelSettings | Sequence[Mapping[str, Any] | ModelSettings]
"""What is declared of parts beside their files, as :func:`rsonnx.load` takes it: one mapping for
all, or one a part."""

_DECLARABLE = [field.name for field in fields(ModelSettings) if field.name != "columns"]


def declared_parts(
    sources: Sequence[ModelSource], declared: Declared, least: int = 2
) -> tuple[list[ModelFile], list[ModelSettings]]:
    """Read the files of parts, and what is declared of each.

    Raises:
        UsageError: there is no such file, fewer than ``least``, or another number of declarations.
        ModelError: a file is no ONNX model.
    """
    if len(sources) < least:
        raise UsageError(
            f"{len(sources)} model was given, but at least two are composed; name them all"
        )
    several = declared if isinstance(declared, Sequence) else [declared] * len(sources)
    several = several or [{}] * len(sources)
    if len(several) != len(sources):
        raise UsageError(
            f"{len(several)} declarations were given for {len(sources)} parts; give one for all, "
            "or one a part"
        )
    return list(map(read_model, sources)), list(map(_settings, several))


def _settings(declared: object) -> ModelSettings:
    if isinstance(declared, ModelSettings):
        return declared
    stated = check_kind("declared", declared, Mapping, "a mapping by name")  # type: ignore[type-abstract]
    unknown = [name for name in stated if name not in _DECLARABLE]
    if unknown:
        raise UsageError(
            f"{shown(unknown[0])} was declared, but of a model only {', '.join(_DECLARABLE)} are"
        )
    return ModelSettings(**stated)


def open_parts(
    files: Sequence[ModelFile],
    settings: Sequence[ModelSettings],
    least: int,
    beside: Sequence[ModelFile] = (),
) -> tuple[Part, ...]:
    """Bring classifiers to the newest of their operator sets, adapt them and try each.

    Args:
        files: as they were read.
        settings: what is declared of each, beside its file.
        least: oldest version of the default operator set that what joins them needs.
        beside: further files that they are composed with, which are no classifiers.

    Raises:
        RsonnxError: one of them cannot be certified by itself, its operators cannot be brought
            together with the others', or it is of a kind that cannot be composed.
    """
    versions = newest([file.proto for file in (*files, *beside)], least)
    parts = []
    for file, declared in zip(files, settings, strict=True):
        with naming(file):
            parts.append(_opened(file, declared, versions))
    return tuple(parts)


@contextmanager
def naming(file: object) -> Iterator[None]:
    """Have a refusal of one file among several name it."""
    try:
        yield
    except RsonnxError as error:
        if str(file) not in str(error):
            error.args = (f"{file}: {error}",)
        raise


def _opened(file: ModelFile, settings: ModelSettings, versions: dict[str, int]) -> Part:
    provider = choose_provider(["cpu"])
    newer = raised(file, versions)
    plan = make_plan(newer, settings)
    data = plan.data
    if data.parts or data.spec.dtype in CODES:
        kind = "columns of a table, an input each" if data.parts else f"{data.spec.dtype} codes"
        raise ModelError(
            f"{file} takes {kind}, which cannot be composed; export it with one input of floats"
        )
    opened = open_plan(plan, provider)
    classifier = opened.classifier
    part = Part(newer, plan, onnx.load_from_string(opened.model), classifier, settings)
    if (part.batch or 1) > 1:
        raise ModelError(
            f"{file} runs only at batch size {part.batch}, so it cannot be composed; export it "
            "with a free batch size, or with 1"
        )
    if newer is not file:
        before = open_plan(make_plan(file, settings), provider).classifier
        rows = probe_rows(data, plan.bounds)
        if not before.tolerance.agree(before.scores(rows), classifier.scores(rows)):
            raise ModelError(
                f"{file} answers otherwise when it is converted from operator set {file.opset} to "
                f"{newer.opset}; export the parts with one operator set"
            )
    return part


def check_together(parts: Sequence[Part]) -> tuple[str, ...]:
    """Check that parts take the same values and tell the same classes apart.

    Returns:
        The names of the classes; empty where no part has any but numbers.

    Raises:
        ModelError: two of them do not fit each other, both named.
    """
    first, *others = parts
    named = first
    for part in parts:
        if part.classifier.num_classes is None:
            raise ModelError(
                f"{part} does not say how many classes it has; export it with class scores"
            )
    for part in others:
        kept: Sequence[tuple[str, Sequence[object], str]] = (
            (
                "bounds",
                [p.plan.bounds for p in (first, part)],
                "give them the same by rsonnx declare --bounds",
            ),
            (
                "number of classes",
                [p.classifier.num_classes for p in (first, part)],
                "compose classifiers of the same classes",
            ),
            (
                "treatment of pictures",
                [_pictures(p) for p in (first, part)],
                "give them the same resize and crop",
            ),
        )
        for what, (expected, other), mend in kept:
            if expected != other:
                raise ModelError(
                    f"{part} and {first} differ in {what}: {other} and {expected}; {mend}"
                )
    numbers = tuple(map(str, range(first.classifier.num_classes or 0)))
    for part in others:
        both = [_names(p) for p in (named, part)]
        # Of what has no names, classes may be called anything but other numbers.
        compared = all(both) or any(map(_are_other_numbers, both))
        ours, theirs = (names or numbers for names in both)
        for at, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            if compared and a != b:
                raise ModelError(
                    f"class {at} is {a[:40]!r} to {named} but {b[:40]!r} to {part}; parts must "
                    "name their classes alike, in one order: rsonnx declare --classes says how"
                )
        named = named if both[0] else part
    return _names(named)


def _pictures(part: Part) -> str:
    """Return what is done to a picture before the noise."""
    return replace(part.plan.preprocessing, identity=True, channels="rgb", layout=None).to_text()


def _are_other_numbers(names: Sequence[str]) -> bool:
    try:
        return list(map(float, names)) != list(range(len(names)))
    except ValueError:
        return False


def _names(part: Part) -> tuple[str, ...]:
    names = part.classifier.class_names
    return () if are_numbers(names) else names


def metadata_of(first: Part, names: Sequence[str], composition: Composition) -> dict[str, str]:
    """Return the metadata of a composed model, so that nothing has to be declared of it.

    Args:
        first: the part whose shape and layout the composed model takes.
        names: of the classes; empty for numbers.
        composition: how it was made.
    """
    stated = replace(
        first.plan.preprocessing, identity=True, channels="rgb", layout=first.plan.data.layout
    )
    entries = {
        METADATA_KEY: json.dumps(stated.to_json()),
        BOUNDS_KEY: bounds_entry(first.plan.bounds),
        COMPOSITION_KEY: json.dumps(composition.to_json()),
    }
    return entries | ({NAMES_KEY: json.dumps(list(names))} if names else {})
