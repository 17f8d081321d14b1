"""Check a run file against its own counts: every row derived again, and proved where it can be.

A row is derived again by the code that wrote it, to the last digit. Beyond that its bound and its
radius are proved by integer arithmetic (:mod:`rsonnx.statistics.rigorous`), which trusts neither
scipy nor a rounding margin. What no such proof covers (the e-process of an adaptive run, the
randomised bound, the radius of noise that is not Gaussian) is derived only, and counted as such.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from rsonnx.errors import RunFileError
from rsonnx.noise import WATCHED_SPAN, uniform
from rsonnx.runs.fields import shown
from rsonnx.runs.files import Run
from rsonnx.runs.restate import derive_again
from rsonnx.runs.rows import FIELDS, Row


@dataclass(frozen=True)
class Fault:
    """Something that does not hold: the position of the input (None: the whole run), and what."""

    index: int | None
    what: str


@dataclass(frozen=True)
class Verification:
    """What came of checking a run.

    Attributes:
        rows: how many rows there are.
        derived: rows that were derived again to the last digit.
        proved: rows whose bound and radius were proved by integer arithmetic as well; an exact
            run's follow from the counts by nothing else.
        bounded: rows whose bounds on probabilities were proved so, whether or not the radius was.
        faults: all that does not hold.
    """

    rows: int
    derived: int
    proved: int
    bounded: int
    faults: tuple[Fault, ...]


def verify(run: Run) -> Verification:
    """Derive every row of a run again, and prove its figures where that is possible."""
    faults = [Fault(None, what) for what in _whole_run(run)]
    derived = proved = bounded = 0
    for row in run.rows:
        wrong = list(_differences(run, row))
        if not wrong:
            derived += 1
            proof = run.header.procedure.prove(row)
            bounded += proof.bounds
            proved += proof.radius
            wrong += proof.faults
        faults += [Fault(row.index, what) for what in wrong]
    return Verification(len(run.rows), derived, proved, bounded, tuple(faults))


def _whole_run(run: Run) -> Iterator[str]:
    if run.status == "complete" and len(run.rows) != run.header.inputs:
        yield f"it is complete with {len(run.rows)} rows, but announces {run.header.inputs}"
    yield from run.header.contradictions([row.index for row in run.rows])


def _differences(run: Run, row: Row) -> Iterator[str]:
    """Yield what is stored otherwise than it follows from the counts."""
    header = run.header
    try:
        again = derive_again(run, header.procedure, row)
    except RunFileError as error:
        yield str(error)
        return
    for field in FIELDS:
        if field.value(row) != field.value(again):
            yield (
                f"{field.name} is {shown(field.value(row))}, but the counts give "
                f"{shown(field.value(again))}"
            )
    yield from _wrongly_watched(row, watched=header.model.rows == "watched")
    yield from header.procedure.check(row.evidence, uniform(header.seed, row.digest))


def _wrongly_watched(row: Row, *, watched: bool) -> Iterator[str]:
    """Yield what contradicts that one sample of each 1,024 was watched, if any was."""
    for stage, counts in (("selection", row.selection), ("estimation", row.estimation)):
        spans = counts.total / WATCHED_SPAN if watched else 0
        if not math.floor(spans) <= counts.watched_rows <= math.ceil(spans):
            yield f"{counts.watched_rows} of {counts.total} samples of {stage} are watched"
        if counts.near_ties > counts.watched_rows:
            yield f"{counts.near_ties} of {counts.watched_rows} watched samples are near ties"
