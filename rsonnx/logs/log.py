"""A log of the field in memory: what another project's CERTIFY or PREDICT wrote down."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ABSTAIN = -1
"""The prediction of an input that got no certificate, as the field's logs write it."""


@dataclass(frozen=True)
class Note:
    """An irregularity: the line, from 1, and one clause on what stands there and how it counts."""

    line: int
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}"


@dataclass(frozen=True)
class LogRow:
    """One line of a log. It has what tables need of a :class:`rsonnx.runs.Row`, by the same names.

    Attributes:
        line: line number, from 1.
        index: ``idx``, the position of the input in the data set; no identity across projects.
        label: true class; None where the log leaves it empty.
        prediction: class that the smoothed classifier was said to have, -1 where it abstained.
        radius: certified radius as printed; 0 where the input abstained, where no radius was given
            and where it is not finite, and throughout a predict log.
        printed: the text of the radius; None where there is none.
        stated: what the column ``correct`` says, 0 or 1 (or a running count); None without it.
    """

    line: int
    index: int
    label: int | None
    prediction: int
    radius: float
    printed: str | None = None
    stated: int | None = None

    @property
    def abstained(self) -> bool:
        """Whether no class was certified."""
        return self.prediction == ABSTAIN

    @property
    def correct(self) -> bool:
        """Whether label and prediction agree, whatever the column ``correct`` says."""
        return not self.abstained and self.prediction == self.label


@dataclass(frozen=True)
class Correctness:
    """How the column ``correct`` stands to label and prediction, which decide.

    Attributes:
        standing: ``"cumulative"`` where it is the running count of right answers.
        lines: the lines that it contradicts, from 1; empty for the other standings.
    """

    standing: Literal["absent", "agrees", "cumulative", "contradicts"]
    lines: tuple[int, ...] = ()


@dataclass(frozen=True)
class Log:
    """A log that was read.

    Attributes:
        path: the file.
        kind: ``"certify"`` with radii, ``"predict"`` without.
        rows: one a line, in the file's order.
        correctness: what the column ``correct`` is worth.
        notes: every irregularity, by line; nothing was left out or reinterpreted without one.
    """

    path: Path
    kind: Literal["certify", "predict"]
    rows: tuple[LogRow, ...]
    correctness: Correctness
    notes: tuple[Note, ...]
