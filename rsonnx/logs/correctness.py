"""What the column ``correct`` of a log is worth: label and prediction decide, it only repeats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from rsonnx.logs.log import LogRow

Standing = Literal["absent", "agrees", "cumulative", "contradicts"]


@dataclass(frozen=True)
class Correctness:
    """How the column ``correct`` stands to label and prediction.

    Attributes:
        standing: ``"cumulative"`` where it is the running count of right answers.
        lines: the lines that it contradicts, from 1; empty for the other standings.
    """

    standing: Standing
    lines: tuple[int, ...] = ()


def judge_correct(rows: Sequence[LogRow]) -> Correctness:
    """Compare the column ``correct`` with label and prediction, row by row."""
    stated = [row for row in rows if row.stated is not None]
    if not stated:
        return Correctness("absent")
    wrong = tuple(row.line for row in stated if row.stated != row.correct)
    if not wrong:
        return Correctness("agrees")
    running = accumulate(row.correct for row in rows)
    if all(row.stated in (None, count) for row, count in zip(rows, running, strict=True)):
        return Correctness("cumulative")
    return Correctness("contradicts", wrong)
