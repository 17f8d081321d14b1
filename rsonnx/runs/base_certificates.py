"""What is certified of base classifiers themselves: results of a data set, and what they claim."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from rsonnx.deterministic.question import Question
from rsonnx.runs.files import Run
from rsonnx.runs.rows import Row


@dataclass(frozen=True)
class BaseCertificate:
    """What is certified of the base classifier at one input.

    Attributes:
        index, name, digest: which input.
        label: its true class; None where it is not known.
        prediction: what the base classifier answers, -1 for no class.
        radius: the largest that was certified, or ``epsilon`` where it was; 0 for none.
        margin: with ``epsilon``, by how much the prediction's score is at least above every other.
        seconds: spent on it.
        smoothed: the row of the smoothed classifier, where a run stands beside.
    """

    index: int
    name: str
    digest: str
    label: int | None
    prediction: int
    radius: float
    margin: float | None
    seconds: float
    smoothed: Row | None = None

    @property
    def abstained(self) -> bool:
        """Whether no radius was certified."""
        return not self.radius > 0

    @property
    def correct(self) -> bool:
        """Whether it is certified, and for the true class."""
        return not self.abstained and self.prediction == self.label

    def to_json(self) -> dict[str, Any]:
        """Return it for a program."""
        own = {k: v for k, v in vars(self).items() if k not in ("smoothed", "seconds")}
        row = self.smoothed
        beside = {} if row is None else {"prediction": row.prediction, "radius": row.radius}
        return {
            "kind": "input",
            **own,
            "certified": not self.abstained,
            "seconds": round(self.seconds, 3),
            "smoothed": beside or None,
        }


@dataclass(frozen=True)
class BaseCertificates:
    """What is certified of a base classifier at the inputs of a data set.

    Attributes:
        file, sha256: the model.
        bounds: lowest and highest value of an input, whose units a radius has.
        class_names: what the classes are called, in order; empty where they have no names.
        question: what was asked.
        fixed: names of the columns in which no change is bounded.
        certificates: one an input.
        run: of the smoothed classifier, at the same inputs; None for none.
    """

    file: str
    sha256: str
    bounds: tuple[float, float]
    class_names: tuple[str, ...]
    question: Question
    fixed: tuple[str, ...] = ()
    certificates: tuple[BaseCertificate, ...] = ()
    run: Run | None = None

    @property
    def claim(self) -> str:
        """What a radius says, in a sentence without its end."""
        return self.question.claim(self.fixed)

    def header(self) -> dict[str, Any]:
        """Return what is the same for every input, for a program."""
        return {
            "kind": "header",
            "format": "rsonnx-deterministic",
            "claim": self.claim,
            "model": {"file": self.file, "sha256": self.sha256},
            "bounds": dict(zip(("low", "high"), self.bounds, strict=True)),
            "class_names": list(self.class_names),
            "fixed_columns": list(self.fixed),
            **asdict(self.question),
            "run": None if self.run is None else str(self.run.path),
        }

    def to_json(self) -> dict[str, Any]:
        """Return all of it for a program."""
        return {**self.header(), "rows": [made.to_json() for made in self.certificates]}
