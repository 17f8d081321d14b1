"""The rows of a run: everything that is known of one input, as a line of JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from rsonnx.counts import Counts
from rsonnx.errors import RunFileError
from rsonnx.noise import Cover
from rsonnx.procedures import (
    ABSTAIN,
    AbstainReason,
    Bracket,
    Certificate,
    CertificateCounts,
    Evidence,
)
from rsonnx.runs.fields import shown, shown_json
from rsonnx.runs.parts import SAMPLE_RANGE, SampleRange
from rsonnx.runs.row_fields import FIELDS, Field, read_fields


@dataclass(frozen=True)
class InputFacts:
    """What a row says of its input, whatever was counted (:mod:`rsonnx.runs.row_fields`)."""

    index: int
    name: str
    digest: str
    label: int | None
    base_prediction: int
    arithmetic: str
    seconds: float


_FACTS = tuple(field.name for field in fields(InputFacts))


@dataclass(frozen=True)
class Row(InputFacts):
    """One certified input. The fields are explained in :mod:`rsonnx.runs.row_fields`."""

    prediction: int
    top_class: int
    counts: CertificateCounts
    p_a_lower: float
    radius: float
    reason: AbstainReason | None
    explanation: str | None
    p_b_upper: float | None = None
    p_a_upper: float | None = None
    one_sided_radius: float | None = None
    uniform: float | None = None
    claim: tuple[int, int] | None = None
    cover: Cover | None = None

    @property
    def selection(self) -> Counts:
        """Counts of the selection samples."""
        return self.counts.selection

    @property
    def estimation(self) -> Counts:
        """Counts of the estimation samples."""
        return self.counts.estimation

    @property
    def samples(self) -> int:
        """How many samples were drawn in both stages."""
        return sum(self.counts.totals.values())

    @property
    def evidence(self) -> Evidence:
        """What its certificate follows from."""
        bracket = None
        if self.p_a_upper is not None and self.p_b_upper is not None:
            bracket = Bracket(self.top_class, self.p_a_lower, self.p_a_upper, self.p_b_upper)
        return Evidence(
            self.selection,
            self.estimation,
            self.uniform,
            self.claim,
            self.cover,
            near=self.p_a_lower,
            near_b=self.p_b_upper,
            bracket=bracket,
        )

    @property
    def gap(self) -> float | None:
        """How far apart the bounds on a calculated probability are, rounded up; else None."""
        if self.p_a_upper is None:
            return None
        return math.nextafter(self.p_a_upper - self.p_a_lower, math.inf)

    @property
    def abstained(self) -> bool:
        """Whether no radius was certified."""
        return self.reason is not None

    @property
    def correct(self) -> bool:
        """Whether the certified class is the true one; an abstention never is."""
        return not self.abstained and self.prediction == self.label

    @classmethod
    def of(cls, certificate: Certificate, facts: InputFacts) -> Row:
        """Make a row of a certificate of an input."""
        return cls(
            **{name: getattr(facts, name) for name in _FACTS},
            prediction=certificate.label,
            **{name: getattr(certificate, name) for name in _CERTIFIED},
        )

    def to_json(self) -> dict[str, Any]:
        """Return the row as it is written."""
        values = [(f, f.value(self)) for f in FIELDS]
        return {"kind": "input"} | {
            f.name: f.kind.write(value) for f, value in values if not (f.rare and value is None)
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Row:
        """Read what :meth:`to_json` wrote.

        Raises:
            RunFileError: a field is missing, of the wrong kind, or contradicts another.
        """
        read = read_fields(value, FIELDS)
        row = cls(**{f.name: read[f.name] for f in FIELDS if not f.derived})
        if row.abstained != (row.prediction == ABSTAIN):
            raise RunFileError("prediction and reason contradict each other")
        for field in FIELDS:
            if field.derived and read[field.name] != field.value(row):
                raise RunFileError(
                    f"{field.name} is {shown_json(read[field.name])}, but the other fields give "
                    f"{shown_json(field.value(row))}"
                )
        if row.abstained and row.radius != 0:
            raise RunFileError("the row abstains and has a radius all the same")
        return row


_CERTIFIED = {field.name for field in fields(Row)} - {*_FACTS, "prediction"}


_SHARED = {field.name: field for field in FIELDS}
_COUNTS_FIELDS = (
    *(_SHARED[name] for name in ("index", "name", "digest", "label", "base_prediction")),
    _SHARED["arithmetic"],
    Field("samples", SAMPLE_RANGE, "which estimation samples were counted"),
    _SHARED["counts"],
    _SHARED["seconds"],
)


@dataclass(frozen=True)
class CountsRow(InputFacts):
    """What was counted of a range of samples of one input; nothing is certified yet.

    Attributes:
        samples: which estimation samples were counted.
        counts: of all selection samples, or of none, and of ``samples``.
    """

    samples: SampleRange
    counts: CertificateCounts

    def to_json(self) -> dict[str, Any]:
        """Return the row as it is written."""
        fields_of = {f.name: f.kind.write(getattr(self, f.name)) for f in _COUNTS_FIELDS}
        return {"kind": "counts"} | fields_of

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> CountsRow:
        """Read what :meth:`to_json` wrote.

        Raises:
            RunFileError: a field is missing, of the wrong kind, or contradicts another.
        """
        row = cls(**read_fields(value, _COUNTS_FIELDS))
        samples, counts = row.samples, row.counts
        if counts.estimation.total != samples.stop - samples.start:
            raise RunFileError(
                f"the samples are {samples}, but the counts of estimation sum to "
                f"{shown(counts.estimation.total)}"
            )
        # How many come with sample 0 is known to the header: noise that is enumerated has none.
        if counts.selection.total and not samples.selects:
            raise RunFileError(
                "the selection samples come with estimation sample 0 and with no other, but the "
                f"samples are {samples} and {counts.selection.total} were counted"
            )
        return row
