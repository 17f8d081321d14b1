"""Check a run file against its own counts: every row derived again, and proved where it can be.

A row is derived again by the code that wrote it; only the last digits of bounds and radii may be
those of another machine, within the margins that these have. Beyond that its bound and its radius
are proved by integer arithmetic (:mod:`rsonnx.statistics.rigorous`), which trusts neither scipy nor
a rounding margin. What no such proof covers (the e-process of an adaptive run, the randomised
bound, radii of most noise that is not Gaussian) is derived only, and counted as such.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rsonnx.errors import RunFileError, UsageError
from rsonnx.noise import WATCHED_SPAN, uniform
from rsonnx.procedures import Evidence
from rsonnx.runs.fields import shown
from rsonnx.runs.files import Part, Run
from rsonnx.runs.header import Header
from rsonnx.runs.manifest import manifest_digest
from rsonnx.runs.row_fields import FIELDS
from rsonnx.runs.rows import CountsRow, Row

_RADII = {"one_sided_radius", "radius"}


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
        derived: rows that were derived again.
        proved: rows whose bound and radius were proved by integer arithmetic as well; an exact
            run's follow from the counts by nothing else.
        bounded: rows whose bounds on probabilities were proved so, whether or not the radius was.
        manifest: whether the manifest is that of the rows; None where not all inputs are there.
        faults: all that does not hold.
    """

    rows: int
    derived: int
    proved: int
    bounded: int
    manifest: bool | None
    faults: tuple[Fault, ...]


def verify(run: Run) -> Verification:
    """Derive every row of a run again, and prove its figures where that is possible."""
    header = run.header
    manifest = _manifest_holds(header, run.rows)
    faults = [Fault(None, what) for what in _faults_of_all(header, run.rows, run.status, manifest)]
    derived = proved = bounded = 0
    for row in run.rows:
        wrong = list(_faults_of(header, row))
        if not wrong:
            derived += 1
            proof = header.procedure.prove(row)
            bounded += proof.bounds
            proved += proof.radius
            wrong += proof.faults
        faults += [Fault(row.index, what) for what in wrong]
    return Verification(len(run.rows), derived, proved, bounded, manifest, tuple(faults))


def check_part(part: Part) -> None:
    """Refuse a file of which anything does not hold; bounds are not proved beyond that.

    Raises:
        RunFileError: naming the first row that does not, or what is wrong with all of them.
    """
    advice = "; `rsonnx verify` names all that does not hold"
    for row in part.rows:
        for what in _faults_of(part.header, row):
            raise RunFileError(f"{part.path}, input {row.index}: {what}{advice}")
    manifest = _manifest_holds(part.header, part.rows)
    for what in _faults_of_all(part.header, part.rows, part.status, manifest):
        raise RunFileError(f"{part.path}: {what}{advice}")


def _manifest_holds(header: Header, rows: Sequence[Row | CountsRow]) -> bool | None:
    """Say whether the manifest is that of the rows, where all inputs are there."""
    if len(rows) != header.data.inputs:
        return None
    return manifest_digest(rows) == header.data.manifest


def _faults_of_all(
    header: Header, rows: Sequence[Row | CountsRow], status: str, manifest: bool | None
) -> Iterator[str]:
    """Yield what is wrong with the header, or with the rows as a whole."""
    if status == "complete" and len(rows) != header.inputs:
        yield f"it is complete with {len(rows)} rows, but announces {header.inputs}"
    yield from header.contradictions([row.index for row in rows])
    classes = header.data.classes
    if classes is not None and manifest is not None:  # all inputs are there
        labels = len({row.label for row in rows})
        if labels != classes[0]:
            yield f"its rows have {labels} different labels, but it announces {classes[0]}"
    if manifest is False:
        yield (
            f"its manifest, {header.data.manifest}, is not that of the indices, names, labels and "
            "digests of its rows"
        )


def _faults_of(header: Header, row: Row | CountsRow) -> Iterator[str]:
    """Yield what of a row is otherwise than it follows from its counts and from the header."""
    if isinstance(row, Row):
        yield from _otherwise_derived(header, row)
    else:
        yield from _otherwise_counted(header, row)
    classes = header.model.classes
    answers = {row.base_prediction, *row.counts.selection.seen, *row.counts.estimation.seen}
    if isinstance(row, Row):
        answers.add(row.top_class)
    if classes is not None and max(answers) >= classes:
        yield f"it answers the class {max(answers)}, but the model has {classes} classes"
    yield from _wrongly_watched(header, row)


def _otherwise_derived(header: Header, row: Row) -> Iterator[str]:
    procedure = header.procedure
    try:
        derived = procedure.derive(row.evidence)
    except UsageError as error:
        yield str(error)
        return
    again = Row.of(derived, row)
    others = [field for field in FIELDS if field.value(row) != field.value(again)]
    of_radii = {field.name for field in others} <= _RADII
    both = (row.one_sided_radius is None) == (again.one_sided_radius is None)
    if others and not (of_radii and both and procedure.same_radii(row, derived)):
        for field in others:
            stated, here = shown(field.value(row)), shown(field.value(again))
            yield f"{field.name} is {stated}, but the counts give {here}"
    drawn = uniform(header.seed, row.digest) if procedure.needs_uniform else None
    yield from procedure.check(row.evidence, drawn)


def _otherwise_counted(header: Header, row: CountsRow) -> Iterator[str]:
    samples, procedure = row.samples, header.procedure
    if samples.stop > procedure.n:
        yield f"its samples are {samples}, but n = {procedure.n:,}"
    expected = procedure.n0 if samples.selects else 0
    if row.counts.selection.total != expected:
        yield (
            f"it has {row.counts.selection.total:,} selection samples, but {expected:,} come with "
            f"the samples {samples}"
        )


def _wrongly_watched(header: Header, row: Row | CountsRow) -> Iterator[str]:
    """Yield what contradicts that one sample of each 1,024 of a stream was watched, if any was."""
    evidence = row.evidence if isinstance(row, Row) else Evidence(*vars(row.counts).values())
    watched = header.model.rows == "watched"
    for stage, streams in header.procedure.streams(evidence).items():
        counts = getattr(row.counts, stage)
        spans = [total / WATCHED_SPAN if watched else 0 for total in streams]
        if not sum(map(math.floor, spans)) <= counts.watched_rows <= sum(map(math.ceil, spans)):
            yield f"{counts.watched_rows} of {counts.total} samples of {stage} are watched"
        if counts.near_ties > counts.watched_rows:
            yield f"{counts.near_ties} of {counts.watched_rows} watched samples are near ties"
