"""Draw the noise of some inputs of a run again, and compare what the model answers with its counts.

This needs the model and the data, whose digests must be those of the run. Where the provider and
everything that computes are the same, the counts must be the same to the last vote; elsewhere sums
of floating-point numbers are rounded otherwise, so a few votes may differ, and what matters is
whether the certificate still stands. What a run file says of itself decides which of the two it is,
so a forger can choose the second; many votes that differ are a fault there too.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rsonnx.counts import Counts
from rsonnx.errors import RunFileError
from rsonnx.procedures import ABSTAIN, Certificate, Evidence, Procedure, Steps, Task
from rsonnx.runs.differences import Difference, in_words
from rsonnx.runs.fields import LIST, OBJECT, shown
from rsonnx.runs.files import Run, line_of
from rsonnx.runs.job import Job
from rsonnx.runs.manifest import Manifest
from rsonnx.runs.new_header import SeedUsed, new_header, versions
from rsonnx.runs.rows import Row
from rsonnx.runs.verify import Fault
from rsonnx.smoothing import run_many

_COMPUTING = ("rsonnx", "numpy", "onnx", "onnxruntime", "onnxruntime-gpu", "processor")
"""What a vote may depend on beside the provider."""

_MOST_MOVED = 0.01
"""Share of an input's votes that may differ elsewhere: with TF32 instead of float32, which rounds a
score in its third or fourth digit, well under one in a hundred samples lies so near to a tie."""

_FREE = frozenset({"arguments", "versions", "model.noise_drawn", "seed"})
_FREE_ELSEWHERE = frozenset({"model.providers", "model.session"})

_REREAD = frozenset({"model.edits", "model.label", "model.rows"})
"""In what way a model answers may be read otherwise than by the first version of run files; whether
its answers are others shows in the votes."""


@dataclass(frozen=True)
class ReplayedRow:
    """What came of drawing one input's noise again.

    Attributes:
        index: of the input.
        samples: how many were drawn again.
        differing: votes that are another class's now, in both stages together.
        label, radius: the certificate that follows from the votes of now; -1 and 0 to abstain.
        recorded_label, recorded_radius: the run's.
    """

    index: int
    samples: int
    differing: int
    label: int
    radius: float
    recorded_label: int
    recorded_radius: float

    @property
    def stands(self) -> bool:
        """Whether the votes of now certify the same class, at the run's radius or beyond it."""
        return self.label == self.recorded_label and self.radius >= self.recorded_radius


@dataclass(frozen=True)
class Replay:
    """What came of a replay.

    Attributes:
        exact: whether everything that computes is what it was, so that no vote may differ.
        changed: what is not, in words; empty if ``exact``.
        rows: one an input that was drawn again.
        faults: all that does not hold.
    """

    exact: bool
    changed: tuple[str, ...]
    rows: tuple[ReplayedRow, ...]
    faults: tuple[Fault, ...]


def check_model(run: Run, sha256: str) -> None:
    """Refuse a model that is not the run's.

    Raises:
        RunFileError: with both digests.
    """
    _same(run, "model", run.header.model.sha256, sha256)


def check_data(run: Run, manifest: Manifest) -> None:
    """Refuse data that are not the run's, down to one pixel or label, or rows that are not all.

    Args:
        run: the run.
        manifest: of the data, with the run's options.

    Raises:
        RunFileError: naming an input that differs, where a row shows which.
    """
    for row in run.rows:
        if row.index not in manifest.entries:
            raise RunFileError(
                f"{run.path}: these data have no input {row.index} ({row.name!r}), so they are "
                "not those of the run"
            )
        manifest.check_row(row)
    _same(run, "data", run.header.data.manifest, manifest.sha256)
    shard = run.header.shard
    inputs = tuple(manifest.entries)
    inputs = inputs if shard is None else shard.take(inputs)
    expected = inputs if run.status == "complete" else inputs[: len(run.rows)]
    if tuple(row.index for row in run.rows) != expected:
        raise RunFileError(
            f"{run.path}: it is {run.status} with {len(run.rows)} rows, but they are not those of "
            f"the {len(inputs)} inputs in their order, so it was changed"
        )


def check_header(run: Run, job: Job, manifest: Manifest) -> None:
    """Refuse a header that says of the model, the data or the noise what they are not.

    Args:
        run: the run; its model and data have been checked.
        job: the model and the data, with the run's options.
        manifest: of the data.

    Raises:
        RunFileError: naming the fields that differ.
    """
    header = run.header
    again = new_header(
        job,
        header.procedure.of_classes(job.model.num_classes),
        seed=SeedUsed(header.seed, ""),
        family_wise=header.family_wise,
        manifest=manifest.sha256,
        shard=header.shard,
    )
    changed = bool(_changed(run, job))
    free = _FREE | _FREE_ELSEWHERE if changed else _FREE
    free |= _REREAD if header.first_version else frozenset()
    found = header.differences(again, but=free)
    if changed:  # another version may write fewer fields, or more
        found = [
            one
            for one in found
            if "absent" not in (one.one, one.other) or one.field.startswith("model.preprocess")
        ]
    else:  # words that a run goes on without, but which are read
        found += [
            Difference(name, shown(header.record.get(name)), shown(again.record[name]))
            for name in ("claim", "largest_radius")
            if header.record.get(name) != again.record[name]
        ]
    if found:
        raise RunFileError(
            f"{run.path}, line 1: the header is not that of this model and these data: "
            f"{in_words(found, 'in the file', 'by them')}"
        )


def replay(run: Run, job: Job, rows: Sequence[Row]) -> Replay:
    """Draw the noise of ``rows`` again.

    Args:
        run: the run; its model and data have been checked.
        job: the model and the data, with the run's options.
        rows: of the run.

    Raises:
        RunFileError: the header lacks what is needed.
        InferenceError: the model failed.
    """
    changed = _changed(run, job)
    procedure, seed = run.header.procedure, run.header.seed
    faults = _other_arithmetic(run, job.smoothed.arithmetic)
    found = []
    if changed:  # another vote may stop elsewhere
        certificates = [
            job.smoothed.run(_Again(procedure, row.evidence), job.point(row.index), seed=seed)
            for row in rows
        ]
    else:
        points = ((row.index, job.point(row.index)) for row in rows)
        made = run_many(job.smoothed, procedure, points, seed=seed)
        certificates = [done.result for done in made]
    for row, again in zip(rows, certificates, strict=True):
        moved = _differing(again.counts.selection, row.selection)
        moved += _differing(again.counts.estimation, row.estimation)
        found.append(
            ReplayedRow(
                index=row.index,
                samples=row.samples,
                differing=moved,
                label=again.label,
                radius=again.radius,
                recorded_label=row.prediction,
                recorded_radius=row.radius,
            )
        )
        what = _elsewhere(row, again, moved) if changed else _here(row, again, moved)
        base = job.smoothed.base_label(job.point(row.index))
        if not changed and base != row.base_prediction:
            what.append(f"base_prediction is {row.base_prediction}, but the model answers {base}")
        faults += [Fault(row.index, one) for one in what]
    return Replay(not changed, changed, tuple(found), tuple(faults))


@dataclass(frozen=True)
class _Again:
    """Asks for the very samples of a row."""

    procedure: Procedure
    evidence: Evidence

    @property
    def samples(self) -> int:
        return self.evidence.selection.total + self.evidence.estimation.total

    def steps(self, task: Task) -> Steps[Certificate]:
        del task  # the row has its uniform number
        return self.procedure.again(self.evidence)


def _other_arithmetic(run: Run, arithmetic: str | None) -> list[Fault]:
    """Return the rows that claim an arithmetic that the data do not have."""
    return [
        Fault(
            row.index,
            f"its arithmetic is {shown(row.arithmetic)}, but that of its values is {arithmetic}",
        )
        for row in run.rows
        if row.arithmetic != arithmetic
    ]


def _here(row: Row, again: Certificate, moved: int) -> list[str]:
    """Return what may not differ where all that computes is what it was."""
    if moved:
        return [
            f"{moved} votes differ, though all that computes is what it was: the counts are not "
            "those of this model and seed"
        ]
    if (row.selection, row.estimation) != (again.counts.selection, again.counts.estimation):
        return ["its watched rows or near ties are not those of this model and seed"]
    if row.claim != again.claim:
        return [f"it claims its bound from {row.claim}, but this run would from {again.claim}"]
    return []


def _elsewhere(row: Row, again: Certificate, moved: int) -> list[str]:
    """Return what no other rounding explains."""
    if moved > max(1, _MOST_MOVED * row.samples):
        return [
            f"{moved} of {row.samples} votes differ, more than another rounding explains: the "
            "counts are not those of this model and seed"
        ]
    if row.prediction not in (ABSTAIN, again.label):
        return [f"it is certified as {row.prediction}, but the votes of now give {again.label}"]
    return []


def _differing(one: Counts, other: Counts) -> int:
    """Return how many votes must move, come or go to turn one count into the other."""
    pairs = [(one[k], other[k]) for k in range(max(len(one), len(other)))]
    pairs.append((one.no_class, other.no_class))
    return max(sum(max(0, a - b) for a, b in pairs), sum(max(0, b - a) for a, b in pairs))


def _changed(run: Run, job: Job) -> tuple[str, ...]:
    """Return what computes otherwise than when the run was made."""
    model, facts = run.header.record["model"], job.model.facts
    try:
        then = OBJECT.of(run.header.record, "versions")
        used = LIST.of(OBJECT.of(model, "providers"), "used")
    except (KeyError, TypeError):
        raise RunFileError(
            f"{run.path}, line 1: the header does not say with what the run was made"
        ) from None
    now = versions()
    pairs: list[tuple[str, Any, Any]] = [
        ("provider", used, list(facts["providers"]["used"])),
        ("session", model.get("session"), json.loads(line_of(facts["session"]))),
        *((name, then.get(name), now.get(name)) for name in _COMPUTING),
    ]
    return tuple(
        f"{name} was {_named(before)} and is {_named(after)}"
        for name, before, after in pairs
        if before != after
    )


def _named(value: Any) -> str:
    """Return a version, or the first of the providers, for a message."""
    return shown(value[0] if isinstance(value, list) and value else value)


def _same(run: Run, what: str, recorded: str | None, found: str) -> None:
    if recorded != found:
        raise RunFileError(
            f"{run.path}: this is not the {what} of the run: its SHA-256 is {found}, but "
            f"{recorded} was recorded"
        )
