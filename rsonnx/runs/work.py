"""Certify the inputs of a job, or count a range of their samples."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic

from rsonnx.counts import NO_CLASS, Counts
from rsonnx.noise import UNCHANGED, Law, Point
from rsonnx.procedures import (
    Ask,
    Asking,
    Certificate,
    CertificateCounts,
    CountRange,
    Evidence,
    Procedure,
    Steps,
    Task,
)
from rsonnx.procedures.procedure import Result
from rsonnx.runs.job import Job
from rsonnx.runs.manifest import Manifest
from rsonnx.runs.parts import SampleRange
from rsonnx.runs.rows import CountsRow, InputFacts, Row
from rsonnx.runtime import Progress
from rsonnx.smoothing import Answer, Done, run_many


@dataclass(frozen=True)
class Labelled(Generic[Result]):
    """What a procedure returned, and what the model answers to the input without noise."""

    base_prediction: int
    result: Result


@dataclass(frozen=True)
class Labelling(Generic[Result]):
    """A procedure that asks for the answer to the unchanged input too, first.

    That is one more row of a batch, where a call of its own would cost as much as a few hundred.

    Attributes:
        procedure: what is done with the input.
    """

    procedure: Asking[Result]

    @property
    def noise(self) -> Law:
        """The smoothing distribution."""
        return self.procedure.noise

    @property
    def samples(self) -> int:
        """The most samples that it draws of an input."""
        return self.procedure.samples + 1

    def steps(self, task: Task) -> Steps[Labelled[Result]]:
        """Ask for the answer beside what the procedure asks for first."""
        unchanged, steps = Ask(UNCHANGED, 0, 1), self.procedure.steps(task)
        try:
            asked = next(steps)
        except StopIteration as stop:  # what is calculated
            (answer,) = yield (unchanged,)
            return Labelled(_label(answer), stop.value)
        answer, *counts = yield (unchanged, *asked)
        while True:
            try:
                asked = steps.send(counts)
            except StopIteration as stop:
                return Labelled(_label(answer), stop.value)
            counts = list((yield asked))


def _label(answer: Counts) -> int:
    return next(iter(answer.seen), NO_CLASS)


Answers = Mapping[int, Sequence[Answer]]


@dataclass(frozen=True)
class Work:
    """What is to be done of a job.

    Attributes:
        job: the smoothed model and all the inputs of the run.
        procedure: how one input is certified.
        seed: of the run, >= 0.
        indices: the inputs to do, in order; None means all of the job's.
        samples: which estimation samples to count; None certifies.
        manifest: what the inputs are; None does not check that they stay so.
        answered: what is counted already, by input.
    """

    job: Job
    procedure: Procedure
    seed: int
    indices: Sequence[int] | None = None
    samples: SampleRange | None = None
    manifest: Manifest | None = None
    answered: Answers = field(default_factory=dict)

    @property
    def asking(self) -> Labelling[Certificate | Evidence]:
        """What asks for the samples: for all of them, or for those of the range."""
        if self.samples is None:
            return Labelling(self.procedure)
        return Labelling(CountRange(self.procedure, self.samples.start, self.samples.stop))


def do_work(
    work: Work,
    *,
    checkpoint: Callable[[Answers], None] | None = None,
    progress: Progress | None = None,
) -> Generator[Row | CountsRow]:
    """Yield a row an input, in order: a certificate, or counts where a range was asked for.

    Args:
        work: what to do.
        checkpoint: called every second or so with all counts of the inputs that are in work.
        progress: called with the number of samples counted since its last call, of which the input
            without noise is one.

    Raises:
        UsageError: there is no such range of samples.
        DataError: an input does not fit the model, or is no longer what the manifest says.
        InferenceError: the model failed.
    """
    job = work.job

    def inputs() -> Iterator[tuple[int, Point]]:
        for index in job.indices if work.indices is None else work.indices:
            point = job.point(index)
            if work.manifest is not None:
                work.manifest.check(index, point)
            yield index, point

    every: Generator[Done[Labelled[Certificate | Evidence]]] = run_many(
        job.smoothed,
        work.asking,
        inputs(),
        seed=work.seed,
        answered=work.answered,
        checkpoint=checkpoint,
        progress=progress,
    )
    with contextlib.closing(every):
        for done in every:
            result = done.result.result
            facts = InputFacts(
                index=done.index,
                name=job.dataset.name(done.index),
                digest=done.point.digest,
                label=job.label(done.index),
                base_prediction=done.result.base_prediction,
                arithmetic=done.point.arithmetic,
                seconds=done.seconds,
            )
            if isinstance(result, Certificate):
                yield Row.of(result, facts)
            elif work.samples is not None:
                counts = CertificateCounts(result.selection, result.estimation)
                yield CountsRow(**vars(facts), samples=work.samples, counts=counts)
