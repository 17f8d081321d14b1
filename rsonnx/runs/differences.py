"""Where two headers are of different runs: field by field, with why some may differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rsonnx.runs.fields import shown
from rsonnx.runs.strict_json import same

_MOST_SHOWN = 4

FREE = frozenset(
    {
        # Words for the reader, and when and how the command was typed.
        "name",
        "created",
        "status",
        "claim",
        "fields",
        "arguments.given",
        # Follows from the others.
        "largest_radius",
        "model.trained",
        "model.composition",
        "model.batch",
        "model.probes",
        # Where things lie and what they are called there: their digests say what they are.
        "model.file",
        "data.path",
        "arguments.resolved.model",
        "arguments.resolved.data",
        "arguments.resolved.classes",
        "arguments.resolved.labels",
        # What lies beside the inputs; the manifest says which are read.
        "data.left_out",
        # For arrays it means nothing; for pictures `data.exif` is compared.
        "arguments.resolved.exif",
        # The manifest says whether pictures are the same.
        "arguments.resolved.background",
        # The header names the pictures that are left out.
        "arguments.resolved.on_bad_image",
        # The bound says it too, or a field of its own.
        "arguments.resolved.procedure",
        "arguments.resolved.precision",
        "arguments.resolved.changed",
        # Where a value came from: the value itself is compared.
        "seed.source",
        "model.bounds.source",
        "model.preprocess.source",
        "model.providers.requested",
        "arguments.resolved.preprocess.source",
        "arguments.resolved.angles",
        "arguments.resolved.scales",
        # Never changes a count.
        "arguments.resolved.batch_size",
        "arguments.resolved.workers",
        "arguments.resolved.devices",
        "arguments.resolved.cuda_graph",
        "arguments.resolved.engine",
        "arguments.resolved.address",
        "arguments.resolved.gpus_per_worker",
        "arguments.resolved.time_limit_per_call",
        "arguments.resolved.time_limit_to_try",
        "engine",
        # Python and click compute nothing. The platform names the kernel, which an update changes,
        # and the processor may be another one of the same cluster: counts of several machines may
        # add, as those of several devices do. Pillow decodes and resizes: the digests of the
        # manifest say whether it did so alike.
        "versions.python",
        "versions.click",
        "versions.platform",
        "versions.processor",
        "versions.pillow",
        # Every other version is compared: onnxruntime computes the scores, onnx rewrites the graph,
        # numpy and mpmath make the noise, scipy the last digits of a bound, rsonnx all the rest.
    }
)

PART = frozenset({"shard", "samples"})
"""Fields in which the parts of one run differ."""


@dataclass(frozen=True)
class Difference:
    """A field of a header that is not the same in another, with both values as short texts."""

    field: str
    one: str
    other: str


_ABSENT = object()
LATER = frozenset(
    {
        "data.class_names",  # folders' in their own order, whatever the model's
        "data.classes_in_sample",
        "data.classes_in_data",
        "data.exif",  # the manifest says whether pictures are the same
        "data.labels",  # and whose labels
        "data.turned",
        "model.class_names",
        "model.class_names_notes",
        "model.class_names_source",
        "model.insisted",
        "model.no_class",
        "model.output_name",
        "model.threshold",
        "arguments.resolved.first",
        "arguments.resolved.fixed_columns",  # of tables, which came later too
        "arguments.resolved.label_column",
        "arguments.resolved.rows",
        "arguments.resolved.sample",
        "arguments.resolved.split",  # as the manifest says
        "arguments.resolved.arrays",
    }
)
"""Fields that came later, or were worded anew; by those a header of the first version says
nothing."""


def flat_differences(
    one: Mapping[str, Any], other: Mapping[str, Any], free: frozenset[str]
) -> list[Difference]:
    """Return where two headers, as :func:`flat` gives them, differ in more than ``free`` fields."""
    differences = []
    for field in dict.fromkeys((*one, *other)):
        a, b = one.get(field, _ABSENT), other.get(field, _ABSENT)
        absent = _ABSENT in (a, b)
        if (absent or not same(a, b)) and not _within(field, free):
            differences.append(Difference(field, _text(a), _text(b)))
    return differences


def in_words(differences: Sequence[Difference], one: str, other: str) -> str:
    """Say what differs, the first few fields with both values.

    Args:
        differences: at least one.
        one, other: where the values stand: ``"in the file"``, ``"now"``.
    """
    # What an option was is said of the field that it decides, where there is one.
    telling = [d for d in differences if not d.field.startswith("arguments.")] or differences
    said = [f"{at.field} is {at.one} {one} and {at.other} {other}" for at in telling[:_MOST_SHOWN]]
    more = len(telling) - _MOST_SHOWN
    return ", ".join(said) + (f", and {more} more fields differ" if more > 0 else "")


def _within(field: str, fields: frozenset[str]) -> bool:
    """Say whether a field or one that it is inside of is among ``fields``."""
    parts = field.split(".")
    return any(".".join(parts[:depth]) in fields for depth in range(1, len(parts) + 1))


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """Return the fields of nested objects by their paths; a list is one value."""
    if not isinstance(value, dict) or not value:
        return {path: value}
    fields: dict[str, Any] = {}
    for key, inner in value.items():
        fields |= flat(inner, f"{path}.{key}" if path else str(key))
    return fields


def _text(value: Any) -> str:
    if value is _ABSENT:
        return "absent"
    if isinstance(value, list) and all(
        v is None or isinstance(v, int | float | str) for v in value
    ):
        text = ", ".join(shown(v) for v in value)
        return f"[{text}]" if len(text) <= 80 else "another list"
    return shown(value)
