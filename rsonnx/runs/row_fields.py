"""The fields of a row: all that reads, writes, exports or describes a row comes from one table."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal

from rsonnx.counts import NO_CLASS
from rsonnx.errors import RunFileError, UsageError
from rsonnx.noise import Cover
from rsonnx.procedures import AbstainReason, CertificateCounts
from rsonnx.runs.fields import (
    ARITHMETIC,
    COUNTS,
    DIGEST,
    FLAG,
    NAME,
    NUMBER,
    TEXT,
    Kind,
    list_of,
    object_of,
    one_of,
    real,
    shown,
    whole,
)

if TYPE_CHECKING:
    from rsonnx.runs.rows import Row

ColumnKind = Literal["whole", "real", "text", "flag"]


@dataclass(frozen=True)
class Column:
    """A column of a flat table: its name, what its values are (or null), and where they are."""

    name: str
    kind: ColumnKind
    value: Callable[[Row], Any]


@dataclass(frozen=True)
class Field:
    """A field of a row.

    Attributes:
        name: in JSON and, unless it is ``derived``, as an attribute of :class:`Row`.
        kind: what its values are.
        meaning: in words; it stands in the header of every run file.
        flat: what its column in a table holds; None where ``columns`` says more.
        derived: how it follows from the others; it stands there to be read.
        rare: whether it is written only where it is not null.
        columns: names behind its own, what they hold, and how to get it from the field's value.
    """

    name: str
    kind: Kind[Any]
    meaning: str
    flat: ColumnKind | None = None
    derived: Callable[[Row], Any] | None = None
    columns: tuple[tuple[str, ColumnKind, Callable[[Any], Any]], ...] = ()
    rare: bool = False

    def value(self, row: Row) -> Any:
        """Return the value of a row."""
        return getattr(row, self.name) if self.derived is None else self.derived(row)

    def in_columns(self) -> Sequence[Column]:
        """Return the columns of a flat table that hold it."""
        if self.flat is not None:
            return [Column(self.name, self.flat, self.value)]

        def part(get: Callable[[Any], Any]) -> Callable[[Row], Any]:
            return lambda row: None if self.value(row) is None else get(self.value(row))

        return [Column(f"{self.name}_{name}", kind, part(get)) for name, kind, get in self.columns]


_COUNT = whole(0)
_CLASS = whole(NO_CLASS)
_STAGES = ("selection", "estimation")
_BOTH: Kind[CertificateCounts] = replace(
    object_of(dict.fromkeys(_STAGES, COUNTS)),
    read=lambda value: CertificateCounts(*(COUNTS.read(value[stage]) for stage in _STAGES)),
    write=lambda counts: {stage: getattr(counts, stage).to_json() for stage in _STAGES},
)
_CLAIM: Kind[tuple[int, int]] = replace(
    object_of({"hits": _COUNT, "samples": _COUNT}),
    read=lambda value: (value["hits"], value["samples"]),
    write=lambda claim: {"hits": claim[0], "samples": claim[1]},
)
_CENTRE: Kind[Any] = Kind(
    "a number or a pair of whole numbers",
    {
        "anyOf": [
            NUMBER.schema,
            {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2},
        ]
    },
    lambda value: (
        NUMBER.accepts(value)
        or (isinstance(value, list) and len(value) == 2 and {type(v) for v in value} == {int})
    ),
    lambda value: tuple(value) if isinstance(value, list) else value,
    lambda value: list(value) if isinstance(value, tuple) else value,
)
_COVER: Kind[Cover] = replace(
    object_of(
        {
            "edges": list_of(NUMBER, "numbers"),
            "centres": list_of(_CENTRE, "numbers or pairs of whole numbers"),
            "radii": list_of(NUMBER, "numbers"),
            "hits": list_of(_COUNT, "whole numbers"),
            "samples": list_of(_COUNT, "whole numbers"),
        }
    ),
    read=lambda value: Cover(
        **{name: tuple(map(_CENTRE.read, listed)) for name, listed in value.items()}
    ),
    write=lambda cover: {
        name: list(map(_CENTRE.write, listed)) for name, listed in vars(cover).items()
    },
)
_REASON: Kind[AbstainReason] = replace(  # type: ignore[assignment]
    one_of(*AbstainReason), read=AbstainReason
)


_SECONDS = replace(real(), write=lambda seconds: round(seconds, 3))


def _text_of(stage: str) -> Callable[[CertificateCounts], str]:
    return lambda counts: json.dumps(getattr(counts, stage).to_json())


def _json(cover: Cover) -> str:
    return json.dumps(_COVER.write(cover))


FIELDS = (
    Field("index", _COUNT, "position of the input in the data set, from 0", "whole"),
    Field("name", NAME, "name of the input in the data set", "text"),
    Field("digest", DIGEST, "SHA-256 of the input's values, the channels of an image last", "text"),
    Field("label", _COUNT.or_null(), "true class, null where unknown", "whole"),
    Field(
        "base_prediction",
        _CLASS,
        "class that the model itself gives without noise, -1 for none",
        "whole",
    ),
    Field(
        "prediction",
        _CLASS,
        "certified class of the smoothed classifier, -1 where it abstains",
        "whole",
    ),
    Field(
        "top_class",
        _CLASS,
        "class that the selection samples chose; the most frequent, or likeliest, of an exact run",
        "whole",
    ),
    Field(
        "counts",
        _BOTH,
        "how often each class was answered, by stage; no_class: NaN, or an infinite largest "
        "score; watched_rows: how many of all were run again alone; near_ties: how many of those "
        "were another class alone, by the rounding of scores that are all but equal",
        columns=tuple((stage, "text", _text_of(stage)) for stage in _STAGES),
    ),
    Field(
        "samples",
        object_of(dict.fromkeys(_STAGES, _COUNT)),
        "how many samples were drawn, by stage",
        derived=lambda row: row.counts.totals,
        columns=tuple((stage, "whole", itemgetter(stage)) for stage in _STAGES),
    ),
    Field(
        "p_a_lower",
        real(1.0),
        "lower confidence bound on the probability of top_class, rounded down; its share of all "
        "changes in an exact run, which counts every one that the noise can make; a certain bound "
        "where it was calculated",
        "real",
    ),
    Field(
        "p_a_upper",
        real(1.0).or_null(),
        "certain upper bound on the probability of top_class, rounded up, where it was calculated",
        "real",
        rare=True,
    ),
    Field(
        "p_b_upper",
        real(1.0).or_null(),
        "upper bound on the probability of every other class, null if one-sided; of all others "
        "together where it was calculated, and at least 2^-1022",
        "real",
    ),
    Field(
        "one_sided_radius",
        real().or_null(),
        "what the one-sided radius would be at the same alpha, null if one-sided",
        "real",
    ),
    Field(
        "uniform",
        real(1.0).or_null(),
        "number that a randomised bound was given, drawn before the samples, else null",
        "real",
    ),
    Field(
        "claim",
        _CLAIM.or_null(),
        "hits and samples of the look that an adaptive run claims its bound from, else null",
        columns=(("hits", "whole", itemgetter(0)), ("samples", "whole", itemgetter(1))),
    ),
    Field(
        "cover",
        _COVER.or_null(),
        "the images that stand for all that a transformation makes: their parameters (centres; of "
        "a shift, whole pixels down and right), the edges and radii in l2 of the cells of an "
        "interval, and the hits and samples of each image; no other rows have it",
        columns=(("cells", "whole", lambda cover: len(cover.centres)), ("counted", "text", _json)),
        rare=True,
    ),
    Field(
        "radius",
        real(),
        "certified radius in the units of noise.units, rounded down; 0 where it abstains, and "
        "where the answer is certified for the input itself alone",
        "real",
    ),
    Field(
        "abstained",
        FLAG,
        "whether no radius was certified",
        "flag",
        derived=lambda row: row.abstained,
    ),
    Field(
        "reason",
        _REASON.or_null(),
        "why it abstained: wrong-guess, low-probability, no-class or loose-bound",
        "text",
    ),
    Field("explanation", TEXT.or_null(), "the reason and its remedy in words", "text"),
    Field(
        "arithmetic",
        ARITHMETIC,
        "exact: integer noise on the 8-bit grid; float: floating-point noise; for noise that is "
        "not added to the input, how its values were given",
        "text",
    ),
    Field("seconds", _SECONDS, "time spent on the input", "real"),
)
"""All fields of a row, in the order in which they are written."""

MEANING = {field.name: field.meaning for field in FIELDS}
"""What each field of a row means; it stands in the header of every run file."""


def columns_of(rows: Sequence[Row]) -> list[Column]:
    """Return the columns of a flat table; those of rare fields where a row has one.

    Counts are JSON text, since rows answer different classes.
    """
    shown = [f for f in FIELDS if not f.rare or any(f.value(row) is not None for row in rows)]
    return [column for field in shown for column in field.in_columns()]


def read_fields(value: Mapping[str, Any], table: Sequence[Field]) -> dict[str, Any]:
    """Return what a line of a run file holds, by the names of a table of fields.

    Raises:
        RunFileError: a field is missing, not known, or of the wrong kind.
    """
    names = {"kind", *(field.name for field in table)}
    if unknown := value.keys() - names:
        raise RunFileError(f"{shown(min(unknown))} is no field of a row")
    try:
        rare = {field.name: None for field in table if field.rare}
        return {field.name: field.kind.of(rare | {**value}, field.name) for field in table}
    except KeyError as error:
        raise RunFileError(f"the field {error} is missing") from None
    except (TypeError, ValueError, UsageError) as error:
        raise RunFileError(f"a field has the wrong kind of value ({error})") from None


def row_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a row that holds a certificate."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A row of a run file of rsonnx: one certified input",
        "type": "object",
        "properties": {"kind": {"const": "input"}}
        | {f.name: {"description": f.meaning, **f.kind.schema} for f in FIELDS},
        "required": ["kind", *(f.name for f in FIELDS if not f.rare)],
        "additionalProperties": False,
    }
