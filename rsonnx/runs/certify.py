"""Certify the inputs of a job, or count a range of their samples."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rsonnx.certificate import ABSTAIN, AdaptiveSamples, Certificate, ExactCounts, FixedSamples
from rsonnx.certificate.certify import make_certificate
from rsonnx.counts import Counts
from rsonnx.errors import UsageError
from rsonnx.noise import Point
from rsonnx.runs.counted import CountsRow
from rsonnx.runs.job import Job
from rsonnx.runs.manifest import Manifest
from rsonnx.runs.parts import SampleRange
from rsonnx.runs.rows import Row
from rsonnx.runtime import Progress
from rsonnx.smoothing import Answer, Ask, Certified, CertifyProcedure, certify_many

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
    procedure: CertifyProcedure
    seed: int
    indices: Sequence[int] | None = None
    samples: SampleRange | None = None
    manifest: Manifest | None = None
    answered: Answers = field(default_factory=dict)

    @property
    def asking(self) -> CertifyProcedure:
        """The procedure that asks for the samples: all of them, or those of the range.

        Raises:
            UsageError: as for :func:`counting`.
        """
        return self.procedure if self.samples is None else counting(self.procedure, self.samples)


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
        DataError: an input does not fit the model, or is no longer what the manifest says.
        InferenceError: the model failed.
    """
    for done, base_prediction in _certified(work, checkpoint, progress):
        if work.samples is None:
            yield _row(work, done, base_prediction)
        else:
            yield _counts_row(work, done, base_prediction, work.samples)


def _certified(
    work: Work, checkpoint: Callable[[Answers], None] | None, progress: Progress | None
) -> Iterator[tuple[Certified, int]]:
    """Yield what was certified, with what the model says of the input without noise."""
    job = work.job
    base_predictions: dict[int, int] = {}

    def inputs() -> Iterator[tuple[int, Point]]:
        for index in job.indices if work.indices is None else work.indices:
            point = job.point(index)
            if work.manifest is not None:
                work.manifest.check(index, point)
            base_predictions[index] = job.smoothed.base_label(point)
            yield index, point

    for done in certify_many(
        job.smoothed,
        work.asking,
        inputs(),
        seed=work.seed,
        answered=work.answered,
        checkpoint=checkpoint,
        progress=progress,
    ):
        yield done, base_predictions.pop(done.index)


def _row(work: Work, done: Certified, base_prediction: int) -> Row:
    return Row.of(
        done.certificate,
        index=done.index,
        name=work.job.dataset.name(done.index),
        label=work.job.label(done.index),
        base_prediction=base_prediction,
        seconds=done.seconds,
    )


def _counts_row(
    work: Work, done: Certified, base_prediction: int, samples: SampleRange
) -> CountsRow:
    found = done.certificate
    return CountsRow(
        index=done.index,
        name=work.job.dataset.name(done.index),
        digest=found.digest or "",
        label=work.job.label(done.index),
        base_prediction=base_prediction,
        arithmetic=found.arithmetic or "",
        samples=samples,
        selection=found.counts.selection,
        estimation=found.counts.estimation,
        seconds=done.seconds,
    )


def counting(procedure: CertifyProcedure, samples: SampleRange) -> CertifyProcedure:
    """Return the procedure that only counts a range of what ``procedure`` would count.

    Raises:
        UsageError: the range is not within n, or the procedure has no fixed n.
    """
    rule = procedure.rule
    if isinstance(rule, AdaptiveSamples):
        raise UsageError(
            f"the samples {samples} were asked for, but an adaptive run decides from its counts "
            "how many it draws, so its samples cannot be shared out; share the inputs (--shard)"
        )
    if samples.stop > rule.n:
        raise UsageError(
            f"the samples {samples} were asked for, but there are n = {rule.n:,}; B is at most n"
        )
    return CountSamples(procedure.n0, rule, samples)


@dataclass(frozen=True)
class CountSamples:
    """Counts a range of the samples of a fixed n; what it returns certifies nothing."""

    n0: int
    rule: FixedSamples | ExactCounts
    range: SampleRange

    @property
    def samples(self) -> int:
        """How many samples it draws."""
        return self.range.stop - self.range.start + (self.n0 if self._selects else 0)

    @property
    def _selects(self) -> bool:
        return self.range.selects and self.n0 > 0

    def steps(self, uniform: float) -> Generator[Sequence[Ask], Sequence[Counts], Certificate]:
        """Ask for the range, and for the selection samples along with sample 0."""
        del uniform  # for the certificate, which is made of all the ranges
        asked = [Ask("estimation", self.range.start, self.range.stop)]
        if self._selects:
            asked = [Ask("selection", 0, self.n0), *asked]
        *selection, estimation = yield asked
        return make_certificate(
            selection[0] if selection else Counts([]),
            estimation,
            ABSTAIN,
            0.0,
            0.0,
            certified=False,
            noise=self.rule.noise,
            alpha=self.rule.alpha,
        )
