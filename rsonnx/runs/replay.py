"""Draw the noise of some inputs of a run again, and compare what the model answers with its counts.

This needs the model and the data, whose digests must be those of the run. Where the provider and
everything that computes are the same, the counts must be the same to the last vote. Elsewhere sums
of floating-point numbers are rounded otherwise, and a vote may differ where that decides it: where
the two largest scores are a near tie. So as many votes of an input may differ as its samples have
near ties, which are counted in the scores of now. More is unexplained, and a fault.

What a run file says of itself decides which of the two it is, so a forger can choose the second.
Therefore a certificate that the votes of now do not reach is a fault in both, by whatever it is
explained.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rsonnx.counts import Counts
from rsonnx.noise import Law
from rsonnx.procedures import ABSTAIN, Certificate, Evidence, Procedure, Steps, Task
from rsonnx.runs.fields import shown
from rsonnx.runs.files import Run, line_of
from rsonnx.runs.job import Job
from rsonnx.runs.new_header import versions
from rsonnx.runs.rows import Row
from rsonnx.runs.verify import Fault
from rsonnx.runtime import CountRequest, OnnxClassifier
from rsonnx.runtime.cuda import engine_for
from rsonnx.runtime.onnx_classifier import TF32_UNIT
from rsonnx.smoothing import run_many

_COMPUTING = ("rsonnx", "numpy", "onnx", "onnxruntime", "onnxruntime-gpu", "processor")
"""What a vote may depend on beside the provider."""


@dataclass(frozen=True)
class ReplayedRow:
    """What came of drawing one input's noise again.

    Attributes:
        index: of the input.
        samples: how many were drawn again.
        differing: the least number of votes that are another class's now, in both stages together.
        near_ties: samples that another rounding may put in another class, in both stages together;
            None where they are not counted: no vote differs, or none may.
        label, radius: the certificate that follows from the votes of now; -1 and 0 to abstain.
        recorded_label, recorded_radius: the run's.
        needed: the run's radius with the last digits that it has on this machine.
    """

    index: int
    samples: int
    differing: int
    near_ties: int | None
    label: int
    radius: float
    recorded_label: int
    recorded_radius: float
    needed: float

    @property
    def unexplained(self) -> int:
        """How many votes differ beyond the near ties."""
        return max(0, self.differing - (self.near_ties or 0))

    @property
    def stands(self) -> bool:
        """Whether the votes of now certify the same class, at the run's radius or beyond it.

        An abstention claims nothing, so it stands whatever they give.
        """
        same = self.label == self.recorded_label and self.radius >= self.needed
        return same or self.recorded_label == ABSTAIN


@dataclass(frozen=True)
class Replay:
    """What came of a replay.

    Attributes:
        exact: whether everything that computes is what it was, so that no vote may differ.
        changed: what is not, in words; empty if ``exact``.
        rows: one an input that was drawn again.
        faults: all that does not hold.
        unreached: those of them that are certificates which the votes of now do not reach.
        calculated: how many inputs were calculated again, where nothing was sampled.
    """

    exact: bool
    changed: tuple[str, ...]
    rows: tuple[ReplayedRow, ...]
    faults: tuple[Fault, ...]
    unreached: tuple[Fault, ...]
    calculated: int = 0


def replay(run: Run, job: Job, rows: Sequence[Row]) -> Replay:
    """Draw the noise of ``rows`` again.

    Args:
        run: the run; its model and data have been checked.
        job: the model and the data, with the run's options.
        rows: of the run.

    Raises:
        InferenceError: the model failed.
    """
    procedure, seed = run.header.procedure, run.header.seed
    near_ties = _NearTies(job.model, _rounding(run, job.model), procedure)
    if not procedure.samples:
        return Replay(
            True, (), (), tuple(_calculated_again(procedure, job, rows, near_ties)), (), len(rows)
        )
    changed = changed_since(run, job)
    if changed:  # another vote may stop elsewhere
        certificates = [
            job.smoothed.run(_Again(procedure, row.evidence), job.point(row.index), seed=seed)
            for row in rows
        ]
    else:
        points = ((row.index, job.point(row.index)) for row in rows)
        made = run_many(job.smoothed, procedure, points, seed=seed)
        certificates = [done.result for done in made]
    replayed, unreached, faults = [], [], []
    for row, again in zip(rows, certificates, strict=True):
        moved = _moved(row, again)
        drawn = ReplayedRow(
            index=row.index,
            samples=row.samples,
            differing=moved,
            near_ties=near_ties.count(job, row, seed) if changed and moved else None,
            label=again.label,
            radius=again.radius,
            recorded_label=row.prediction,
            recorded_radius=row.radius,
            needed=_needed(procedure, row),
        )
        replayed.append(drawn)
        if not drawn.stands:
            unreached.append(Fault(row.index, _fall(drawn)))
        what = [] if changed else _here(row, again)
        if drawn.stands and drawn.unexplained:
            what.append(f"{_votes(drawn)}: the counts are not those of this model and seed")
        what += _unchanged_again(job, row, near_ties)
        faults += [Fault(row.index, text) for text in what]
    return Replay(not changed, changed, tuple(replayed), (*unreached, *faults), tuple(unreached))


_NEAR = 2.0**-30
"""How far it may be from the recorded one, relatively: a verified one differs in digits alone."""


def _needed(procedure: Procedure, row: Row) -> float:
    """Return the radius of a row that was verified, with the last digits that it has here."""
    derived = procedure.derive(replace(row.evidence, near=None, near_b=None)).radius
    return derived if math.isclose(derived, row.radius, rel_tol=_NEAR) else row.radius


def _unchanged_again(job: Job, row: Row, near_ties: _NearTies) -> list[str]:
    """Return what is wrong with a row's answer to the input without noise.

    It was answered in a batch, of what size nobody knows, whose rounding may be another.
    """
    point = job.point(row.index)
    base = job.smoothed.base_label(point)
    if base == row.base_prediction:
        return []
    if near_ties.classify(job.smoothed.noise.unchanged(point)[None])[0]:
        return []
    return [f"base_prediction is {row.base_prediction}, but the model answers {base}"]


def _calculated_again(
    procedure: Procedure, job: Job, rows: Sequence[Row], near_ties: _NearTies
) -> Iterator[Fault]:
    """Yield what the model does not confirm, of inputs of which nothing was sampled."""
    for row in rows:
        point = job.point(row.index)
        task = Task(point, 0, job.smoothed.form)
        what = [*procedure.confirm(task, row.evidence), *_unchanged_again(job, row, near_ties)]
        yield from (Fault(row.index, text) for text in what)


@dataclass(frozen=True)
class _Again:
    """Asks for the very samples of a row."""

    procedure: Procedure
    evidence: Evidence

    @property
    def noise(self) -> Law:
        return self.procedure.noise

    @property
    def samples(self) -> int:
        return self.evidence.selection.total + self.evidence.estimation.total

    def steps(self, task: Task) -> Steps[Certificate]:
        return self.procedure.again(task, self.evidence)


@dataclass(frozen=True)
class _NearTies:
    """Answers 1 where rounding may give a sample another class, and 0 elsewhere.

    Attributes:
        model: whose scores are looked at.
        unit: relative rounding of the coarser of the two sessions.
        procedure: that asked for the samples.
    """

    model: OnnxClassifier
    unit: float
    procedure: Procedure

    num_classes: ClassVar = 2
    thread_safe: ClassVar = True

    @property
    def on_cpu(self) -> bool:
        return self.model.on_cpu

    def classify(self, batch: NDArray[np.float32]) -> NDArray[np.int64]:
        return self.model.near_ties(batch, self.unit).astype(np.int64)

    def count(self, job: Job, row: Row, seed: int) -> int:
        """Return how many of all samples of a row are near ties."""
        point = job.point(row.index)
        asks = next(self.procedure.again(Task(point, 0, job.smoothed.form), row.evidence))
        requests = [
            CountRequest(
                job.smoothed.stream(ask.point or point, ask.stream, seed), ask.start, ask.stop
            )
            for ask in asks
        ]
        return sum(counts[1] for counts in engine_for(self).count(requests))


def _rounding(run: Run, model: OnnxClassifier) -> float:
    """Return the relative rounding of the sessions of then and now, beyond the model's own."""
    sessions = (run.header.record["model"]["session"], model.facts["session"])
    tf32 = any(facts.get("tf32") for facts in sessions)
    return TF32_UNIT if tf32 else 0.0


def _here(row: Row, again: Certificate) -> list[str]:
    """Return what, beside votes, may not differ where all that computes is what it was."""
    counts = again.counts
    if _moved(row, again) == 0 and row.counts != counts:
        return ["its watched rows or near ties are not those of this model and seed"]
    if row.counts == counts and row.claim != again.claim:
        return [f"it claims its bound from {row.claim}, but this run would from {again.claim}"]
    if row.cover != again.cover:
        return ["its cover is not the one that this run would have made, or is counted otherwise"]
    return []


def _fall(row: ReplayedRow) -> str:
    """Return in words what does not stand, and whether near ties explain it."""
    recorded, now = (
        "an abstention" if label == ABSTAIN else f"class {label} at radius {radius!r}"
        for label, radius in (
            (row.recorded_label, row.recorded_radius),
            (row.label, row.radius),
        )
    )
    explained = row.near_ties is not None and not row.unexplained
    how = "explained by near ties" if explained else "an unexplained drop"
    return f"recorded is {recorded}, but the votes drawn now give {now}: {how}, {_votes(row)}"


def _votes(row: ReplayedRow) -> str:
    """Return in words how many votes differ, and how many may."""
    may = "none may" if row.near_ties is None else f"{row.near_ties:,} may, by near ties of scores"
    return f"{row.differing:,} of {row.samples:,} votes differ and {may}"


def _moved(row: Row, again: Certificate) -> int:
    """Return how many votes of now are others, at least."""
    moved = _differing(again.counts.selection, row.selection)
    moved += _differing(again.counts.estimation, row.estimation)
    if row.claim is not None and again.claim is not None and row.claim[1] == again.claim[1]:
        moved = max(moved, abs(row.claim[0] - again.claim[0]))
    return moved


def _differing(one: Counts, other: Counts) -> int:
    """Return how many votes must move, come or go to turn one count into the other."""
    pairs = [(one[k], other[k]) for k in range(max(len(one), len(other)))]
    pairs.append((one.no_class, other.no_class))
    return max(sum(max(0, a - b) for a, b in pairs), sum(max(0, b - a) for a, b in pairs))


def changed_since(run: Run, job: Job) -> tuple[str, ...]:
    """Return in words what computes otherwise than when the run was made."""
    model, facts = run.header.record["model"], job.model.facts
    then, now = run.header.record["versions"], versions()
    pairs: list[tuple[str, Any, Any]] = [
        ("provider", model["providers"]["used"], list(facts["providers"]["used"])),
        ("session", model["session"], json.loads(line_of(facts["session"]))),
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
