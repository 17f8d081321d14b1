"""One row of a run: everything that is known of one input, as a line of JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rsonnx.certificate import AbstainReason, Certificate
from rsonnx.counts import Counts
from rsonnx.errors import RunFileError

MEANING = {
    "index": "position of the input in the data set, from 0",
    "name": "name of the input in the data set",
    "digest": "SHA-256 of the input's values, from which its noise is derived",
    "label": "true class, null where unknown",
    "base_prediction": "class that the model itself gives without noise, -1 for none",
    "prediction": "certified class of the smoothed classifier, -1 where it abstains",
    "top_class": "class that the selection samples chose",
    "counts": "how often each class was answered, by stage; no_class: NaN or infinite scores",
    "p_a_lower": "lower confidence bound on the probability of top_class, rounded down",
    "radius": "certified radius in the units of the input, rounded down; 0 where it abstains",
    "abstained": "whether no radius was certified",
    "reason": "why it abstained: wrong-guess, low-probability or loose-bound",
    "explanation": "the reason and its remedy in words",
    "arithmetic": "exact: integer noise on the 8-bit grid; float: floating-point noise",
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
            "p_a_lower": self.p_a_lower,
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
            RunFileError: a field is missing or of the wrong kind.
        """
        try:
            return cls(
                index=_whole(value["index"]),
                name=str(value["name"]),
                digest=str(value["digest"]),
                label=None if value["label"] is None else _whole(value["label"]),
                base_prediction=_whole(value["base_prediction"]),
                prediction=_whole(value["prediction"]),
                top_class=_whole(value["top_class"]),
                selection=Counts.from_json(value["counts"]["selection"]),
                estimation=Counts.from_json(value["counts"]["estimation"]),
                p_a_lower=_real(value["p_a_lower"]),
                radius=_real(value["radius"]),
                reason=None if value["reason"] is None else AbstainReason(value["reason"]),
                explanation=None if value["explanation"] is None else str(value["explanation"]),
                arithmetic=str(value["arithmetic"]),
                seconds=_real(value["seconds"]),
            )
        except KeyError as error:
            raise RunFileError(f"the field {error} is missing") from None
        except (AttributeError, IndexError, OverflowError, TypeError, ValueError) as error:
            raise RunFileError(f"a field has the wrong kind of value ({error})") from None


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{value!r} is not a whole number")
    return value


def _real(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e308:
        raise TypeError(f"{value!r} is not a finite number of at least 0")
    return float(value)
