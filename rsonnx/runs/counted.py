"""The row of a run over a range of samples: counts of one input, and no certificate yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rsonnx.counts import NO_CLASS, Counts
from rsonnx.errors import RunFileError
from rsonnx.runs.fields import counts_field, real_field, shown, text_field, whole_field
from rsonnx.runs.parts import SampleRange, samples_field


@dataclass(frozen=True)
class CountsRow:
    """What was counted of one input.

    Attributes:
        index, name, digest, label, base_prediction, arithmetic: as in a whole row.
        samples: which estimation samples were counted.
        selection: counts of all selection samples, or of none.
        estimation: counts of ``samples``.
        seconds: time spent on them.
    """

    index: int
    name: str
    digest: str
    label: int | None
    base_prediction: int
    arithmetic: str
    samples: SampleRange
    selection: Counts
    estimation: Counts
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return the row as it is written."""
        return {
            "kind": "counts",
            "index": self.index,
            "name": self.name,
            "digest": self.digest,
            "label": self.label,
            "base_prediction": self.base_prediction,
            "arithmetic": self.arithmetic,
            "samples": self.samples.to_json(),
            "counts": {
                "selection": self.selection.to_json(),
                "estimation": self.estimation.to_json(),
            },
            "seconds": round(self.seconds, 3),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> CountsRow:
        """Read what :meth:`to_json` wrote.

        Raises:
            RunFileError: a field is missing, of the wrong kind, or contradicts another.
        """
        try:
            samples = samples_field(value)
            if samples is None:
                raise TypeError("samples is None, not an object of start and stop")
            row = cls(
                index=whole_field(value, "index", least=0),
                name=text_field(value, "name"),
                digest=text_field(value, "digest"),
                label=None if value["label"] is None else whole_field(value, "label", least=0),
                base_prediction=whole_field(value, "base_prediction", least=NO_CLASS),
                arithmetic=text_field(value, "arithmetic"),
                samples=samples,
                selection=counts_field(value["counts"], "selection"),
                estimation=counts_field(value["counts"], "estimation"),
                seconds=real_field(value, "seconds"),
            )
        except KeyError as error:
            raise RunFileError(f"the field {error} is missing") from None
        except (TypeError, ValueError) as error:
            raise RunFileError(f"a field has the wrong kind of value ({error})") from None
        if row.estimation.total != samples.stop - samples.start:
            raise RunFileError(
                f"the samples are {samples}, but the counts of estimation sum to "
                f"{shown(row.estimation.total)}"
            )
        # How many come with sample 0 is known to the header: noise that is enumerated has none.
        if row.selection.total and not samples.selects:
            raise RunFileError(
                "the selection samples come with estimation sample 0 and with no other, but the "
                f"samples are {samples} and {row.selection.total} selection samples were counted"
            )
        return row
