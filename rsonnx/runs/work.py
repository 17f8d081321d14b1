"""Certify the inputs of a job, or count a range of their samples."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rsonnx.noise import Point
from rsonnx.procedures import Certificate, CertificateCounts, CountRange, Evidence, Procedure
from rsonnx.runs.job import Job
from rsonnx.runs.manifest import Manifest
from rsonnx.runs.parts import SampleRange
from rsonnx.runs.rows import CountsRow, InputFacts, Row
from rsonnx.runtime import Progress
from rsonnx.smoothing import Answer, Done, run_many

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
    def asking(self) -> Procedure | CountRange:
        """What asks for the samples: for all of them, or for those of the range."""
        if self.samples is None:
            return self.procedure
        return CountRange(self.procedure, self.samples.start, self.samples.stop)


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
        progress: called with the number of samples counted since its last call.

    Raises:
        UsageError: there is no such range of samples.
        DataError: an input does not fit the model, or is no longer what the manifest says.
        InferenceError: the model failed.
    """
    job = work.job
    base_predictions: dict[int, int] = {}

    def inputs() -> Iterator[tuple[int, Point]]:
        for index in job.indices if work.indices is None else work.indices:
            point = job.point(index)
            if work.manifest is not None:
                work.manifest.check(index, point)
            base_predictions[index] = job.smoothed.base_label(point)
            yield index, point

    every: Iterator[Done[Certificate | Evidence]] = run_many(
        job.smoothed,
        work.asking,
        inputs(),
        seed=work.seed,
        answered=work.answered,
        checkpoint=checkpoint,
        progress=progress,
    )
    for done in every:
        facts = InputFacts(
            index=done.index,
            name=job.dataset.name(done.index),
            digest=done.point.digest,
            label=job.label(done.index),
            base_prediction=base_predictions.pop(done.index),
            arithmetic=done.point.arithmetic,
            seconds=done.seconds,
        )
        if isinstance(done.result, Certificate):
            yield Row.of(done.result, facts)
        elif work.samples is not None:
            counts = CertificateCounts(done.result.selection, done.result.estimation)
            yield CountsRow(**vars(facts), samples=work.samples, counts=counts)
