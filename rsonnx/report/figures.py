"""All that is reported of one run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from rsonnx.report.heading import Heading
from rsonnx.report.sampling import Samples
from rsonnx.report.statements import Statements
from rsonnx.report.summary import Summary
from rsonnx.runs.rows import Row


def assumption_of(heading: Heading, samples: Samples) -> str | None:
    """Say what the certificates of a run assume of its model; None where nothing is assumed."""
    if heading.rows != "watched":
        return None
    return (
        "no input's answer depends on the others of its batch, which the model's graph does not "
        f"prove; {samples.watched_rows:,} answers were computed again alone, of which "
        f"{samples.near_ties:,} were another by a near tie of scores and none otherwise, and what "
        "is rare escapes such watching"
    )


@dataclass(frozen=True)
class Figures:
    """All that is reported of one run.

    Attributes:
        heading: what names the run, and how it was certified.
        summary: its figures.
        statements: what they say together.
        rows: the inputs that the figures are of; curves and comparisons need them.
    """

    heading: Heading
    summary: Summary
    statements: Statements
    rows: tuple[Row, ...] = ()

    @property
    def assumption(self) -> str | None:
        """What all certificates assume of the model, in words; None where nothing is assumed."""
        return assumption_of(self.heading, self.summary.samples)

    @property
    def ranked(self) -> bool:
        """Whether its figures are final and of labelled inputs."""
        return self.heading.status == "complete" and self.summary.labelled

    @property
    def drawn(self) -> bool:
        """Whether something is said of the population that its inputs were drawn from."""
        return self.statements.accuracy is not None

    def to_json(self) -> dict[str, Any]:
        """Return it for a program: the settings beside the heading's other fields."""
        heading = asdict(self.heading)
        return {
            **heading.pop("settings"),
            **heading,
            **self.summary.to_json(),
            "samples": self.summary.samples.to_json(self.heading.n),
            "assumption": self.assumption,
            "statements": self.statements.to_json(),
        }
