"""One row of a run: everything that is known of one input, as a line of JSON."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from rsonnx.certificate import ABSTAIN, AbstainReason, Certificate
from rsonnx.counts import NO_CLASS, Counts
from rsonnx.errors import RunFileError
from rsonnx.runs.counted import CountsRow
from rsonnx.runs.fields import counts_field, real_field, shown, text_field, whole_field

MEANING = {
    "index": "position of the input in the data set, from 0",
    "name": "name of the input in the data set",
    "digest": "SHA-256 of the input's values, the channels of an image last",
    "label": "true class, null where unknown",
    "base_prediction": "class that the model itself gives without noise, -1 for none",
    "prediction": "certified class of the smoothed classifier, -1 where it abstains",
    "top_class": "class that the selection samples chose; the most frequent of an exact run",
    "counts": "how often each class was answered, by stage; no_class: NaN, or an infinite largest "
    "score; watched_rows: how many of all were run again alone; near_ties: how many of those were "
    "another class alone, by the rounding of scores that are all but equal",
    "samples": "how many samples were drawn, by stage",
    "p_a_lower": "lower confidence bound on the probability of top_class, rounded down; its "
    "share of all changes in an exact run, which counts every one that the noise can make",
    "p_b_upper": "upper bound on the probability of every other class, null if one-sided",
    "one_sided_radius": "what the one-sided radius would be at the same alpha, null if one-sided",
    "uniform": "number that a randomised bound was given, drawn before the samples, else null",
    "claim": "hits and samples of the look that an adaptive run claims its bound from, else null",
    "radius": "certified radius in the units of noise.units, rounded down; 0 where it abstains, "
    "and where the answer is certified for the input itself alone",
    "abstained": "whether no radius was certified",
    "reason": "why it abstained: wrong-guess, low-probability, no-class or loose-bound",
    "explanation": "the reason and its remedy in words",
    "arithmetic": "exact: integer noise on the 8-bit grid; float: floating-point noise; for noise "
    "that is not added to the input, how its values were given",
    "seconds": "time spent on the input",
}
"""What each field of a row means; it stands in the header of every run file."""


@dataclass(frozen=True)
class Row:
    """One certified input. The fields are explained in ``MEANING``."""

    index: int
    name: str
    digest: str
    label: int | None
    base_prediction: int
    prediction: int
    top_class: int
    selection: Counts
    estimation: Counts
    p_a_lower: float
    radius: float
    reason: AbstainReason | None
    explanation: str | None
    arithmetic: str
    seconds: float
    p_b_upper: float | None = None
    one_sided_radius: float | None = None
    uniform: float | None = None
    claim: tuple[int, int] | None = None

    @property
    def samples(self) -> int:
        """How many samples were drawn in both stages."""
        return self.selection.total + self.estimation.total

    @property
    def abstained(self) -> bool:
        """Whether no radius was certified."""
        return self.reason is not None

    @property
    def correct(self) -> bool:
        """Whether the certified class is the true one; an abstention never is."""
        return not self.abstained and self.prediction == self.label

    @classmethod
    def of(
        cls,
        certificate: Certificate,
        *,
        index: int,
        name: str,
        label: int | None,
        base_prediction: int,
        seconds: float,
    ) -> Row:
        """Make a row of a certificate that was drawn by this process."""
        return cls(
            index=index,
            name=name,
            digest=certificate.digest or "",
            label=label,
            base_prediction=base_prediction,
            prediction=certificate.label,
            top_class=certificate.top_class,
            selection=certificate.counts.selection,
            estimation=certificate.counts.estimation,
            p_a_lower=certificate.p_a_lower,
            radius=certificate.radius,
            reason=certificate.reason,
            explanation=certificate.explanation,
            arithmetic=certificate.arithmetic or "",
            seconds=seconds,
            p_b_upper=certificate.p_b_upper,
            one_sided_radius=certificate.one_sided_radius,
            uniform=certificate.uniform,
            claim=certificate.claim,
        )

    @classmethod
    def again(cls, certificate: Certificate, row: Row | CountsRow, seconds: float) -> Row:
        """Make a row of a certificate that follows from the counts of ``row``."""
        return cls.of(
            replace(certificate, digest=row.digest, arithmetic=row.arithmetic),
            index=row.index,
            name=row.name,
            label=row.label,
            base_prediction=row.base_prediction,
            seconds=seconds,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the row as it is written."""
        return {
            "kind": "input",
            "index": self.index,
            "name": self.name,
            "digest": self.digest,
            "label": self.label,
            "base_prediction": self.base_prediction,
            "prediction": self.prediction,
            "top_class": self.top_class,
            "counts": {
                "selection": self.selection.to_json(),
                "estimation": self.estimation.to_json(),
            },
            "samples": {
                "selection": self.selection.total,
                "estimation": self.estimation.total,
            },
            "p_a_lower": self.p_a_lower,
            "p_b_upper": self.p_b_upper,
            "one_sided_radius": self.one_sided_radius,
            "uniform": self.uniform,
            "claim": None
            if self.claim is None
            else {"hits": self.claim[0], "samples": self.claim[1]},
            "radius": self.radius,
            "abstained": self.abstained,
            "reason": self.reason,
            "explanation": self.explanation,
            "arithmetic": self.arithmetic,
            "seconds": round(self.seconds, 3),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Row:
        """Read what :meth:`to_json` wrote.

        Raises:
            RunFileError: a field is missing, of the wrong kind, or contradicts another.
        """
        try:
            row = cls(
                index=whole_field(value, "index", least=0),
                name=text_field(value, "name"),
                digest=text_field(value, "digest"),
                label=None if value["label"] is None else whole_field(value, "label", least=0),
                base_prediction=whole_field(value, "base_prediction", least=NO_CLASS),
                prediction=whole_field(value, "prediction", least=ABSTAIN),
                top_class=whole_field(value, "top_class", least=ABSTAIN),
                selection=counts_field(value["counts"], "selection"),
                estimation=counts_field(value["counts"], "estimation"),
                p_a_lower=real_field(value, "p_a_lower", most=1.0),
                radius=real_field(value, "radius"),
                reason=None if value["reason"] is None else _reason(value),
                explanation=None
                if value["explanation"] is None
                else text_field(value, "explanation"),
                arithmetic=text_field(value, "arithmetic"),
                seconds=real_field(value, "seconds"),
                p_b_upper=_real_or_none(value, "p_b_upper", most=1.0),
                one_sided_radius=_real_or_none(value, "one_sided_radius"),
                uniform=_real_or_none(value, "uniform", most=1.0),
                claim=_claim(value["claim"]),
            )
            abstained, drawn = value["abstained"], value["samples"]
        except KeyError as error:
            raise RunFileError(f"the field {error} is missing") from None
        except (TypeError, ValueError) as error:
            raise RunFileError(f"a field has the wrong kind of value ({error})") from None
        if abstained is not row.abstained or row.abstained != (row.prediction == ABSTAIN):
            raise RunFileError("prediction, abstained and reason contradict each other")
        totals = {"selection": row.selection.total, "estimation": row.estimation.total}
        if drawn != totals:
            raise RunFileError(f"samples are {shown(drawn)}, but the counts sum to {totals}")
        if row.abstained and row.radius != 0:
            raise RunFileError("the row abstains and has a radius all the same")
        return row


def _real_or_none(
    fields: Mapping[str, Any], name: str, *, most: float = sys.float_info.max
) -> float | None:
    return None if fields[name] is None else real_field(fields, name, most=most)


def _claim(value: Any) -> tuple[int, int] | None:
    if value is None:
        return None
    if not isinstance(value, dict) or set(value) != {"hits", "samples"}:
        raise TypeError(f"claim is {shown(value)}, not an object of hits and samples")
    return whole_field(value, "hits", least=0), whole_field(value, "samples", least=0)


def _reason(fields: Mapping[str, Any]) -> AbstainReason:
    text = text_field(fields, "reason")
    if text not in list(AbstainReason):
        raise TypeError(f"reason is {shown(text)}, not {', '.join(AbstainReason)}")
    return AbstainReason(text)
