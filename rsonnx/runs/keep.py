"""Do the work of a run and keep it: rows in the run file, counts of unfinished inputs beside it."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from rsonnx.counts import Counts
from rsonnx.errors import CouplingError, RunFileError, UsageError
from rsonnx.listener import Extent, Listener
from rsonnx.runs.files import Part
from rsonnx.runs.header import Header
from rsonnx.runs.manifest import Manifest
from rsonnx.runs.partial import Checkpoint, Kept, check_partial
from rsonnx.runs.resume import check_continues
from rsonnx.runs.rows import CountsRow, Row
from rsonnx.runs.work import Answers, Work, do_work
from rsonnx.runs.writing import RunWriter, TamperedError, check_output
from rsonnx.runtime import Progress
from rsonnx.runtime.watchdog import last_words
from rsonnx.scalars import as_float, shown
from rsonnx.smoothing import asked_for


@dataclass(frozen=True)
class Keeping:
    """Where the rows go.

    Attributes:
        output: the run file; None keeps nothing.
        resume: whether the file may exist already, and is gone on with.
        checkpoint: seconds between two times that counts of unfinished inputs are kept; 0 for
            never.
    """

    output: Path | None = None
    resume: bool = False
    checkpoint: float = 30.0

    def __post_init__(self) -> None:
        if self.resume and self.output is None:
            raise UsageError("resume goes on with a run file, but none was named; add -o RUN")
        if not 0 <= as_float(self.checkpoint) < math.inf:
            raise UsageError(
                f"checkpoint is {shown(self.checkpoint)}, but a number of seconds of at least 0 "
                "was expected"
            )


def reopened_file(keeping: Keeping, listener: Listener) -> RunWriter[Part] | None:
    """Open the run file to go on with, if there is one; refuse one that may not be touched."""
    output = keeping.output
    if output is None:
        return None
    if not os.path.exists(output):  # False for a name that is too long
        check_output(output)
        check_partial(output)
        if keeping.resume:
            listener.said("resume", f"{output} does not exist, so the run starts afresh")
        return None
    if not keeping.resume:
        raise UsageError(
            f"the output {output} exists already and is never overwritten; go on with it by "
            "--resume, name another or remove it"
        )
    check_partial(output)
    reopened = RunWriter.reopen(output)
    if reopened.part is None:
        listener.said("resume", f"{output} holds nothing yet, so the run starts afresh")
    return reopened


def run_into_file(
    work: Work,
    header: Header,
    manifest: Manifest,
    keeping: Keeping,
    reopened: RunWriter[Part] | None,
    listener: Listener,
) -> list[Row | CountsRow]:
    """Do what is left to do of a run, keep it, and return all rows, the earlier ones too."""
    inputs = tuple(work.indices or ())
    part = None if reopened is None else reopened.part
    rows = [] if part is None else list(part.rows)
    if part is not None:
        check_continues(part, header, manifest, inputs)
        if part.status == "complete":
            listener.said("resume", f"{part.path} is complete: nothing is left to do")
            Checkpoint(part.path, part.identity, manifest, seconds=0).remove()
            return rows
    work = replace(work, indices=inputs[len(rows) :])
    extent = Extent(
        len(inputs),
        work.asking.samples,
        adaptive=not work.procedure.fixed_n,
        already=len(rows),
        already_certified=sum(_certified(row) for row in rows),
        outcome="certified" if work.samples is None else None,
    )

    def finished(row: Row | CountsRow) -> None:
        rows.append(row)
        listener.finished(row, certified=_certified(row))

    if keeping.output is None:
        listener.said("warning", "the rows are not kept; name an output to keep them")
        with saying_where_it_stopped(None, lambda: len(rows), len(inputs), listener):
            listener.begun(extent)
            for row in do_work(work, progress=listener.drawn):
                finished(row)
        return rows
    output = keeping.output
    with reopened or RunWriter[Part](output, header.to_json()) as writer:
        if reopened is not None:
            writer.go_on(header.to_json())
        if not writer.locked:
            listener.said(
                "warning",
                f"the file system of {output} has no locks; see to it that no second process "
                "writes the file",
            )
        checkpoint = Checkpoint(output, writer.identity, manifest, seconds=keeping.checkpoint)
        if part is not None:
            work = replace(work, answered=_kept(checkpoint, len(rows), len(inputs), work, listener))
        with saying_where_it_stopped(output, lambda: writer.rows, len(inputs), listener):
            listener.begun(extent)
            keep_rows(work, writer, checkpoint, finished=finished, progress=listener.drawn)
    return rows


def _kept(
    checkpoint: Checkpoint, done: int, inputs: int, work: Work, listener: Listener
) -> Answers:
    """Return the counts of unfinished inputs that need not be drawn again, and say so."""
    stored = checkpoint.read(work.indices or ())
    if stored.problem is not None:
        listener.said("warning", f"{checkpoint.path} is not used: {stored.problem}")
    job = work.job
    classes = getattr(job.smoothed.base, "num_classes", None)
    watched = getattr(job.smoothed.base, "rows", None) == "watched"

    def possible(counts: Counts) -> bool:
        unwatched = counts.watched_rows == counts.near_ties == 0
        return (classes is None or len(counts) <= classes) and (watched or unwatched)

    answers = {
        index: asked_for(
            job.smoothed,
            work.asking,
            job.point(index),
            [answer for answer in kept if possible(answer.counts)],
            seed=work.seed,
        )
        for index, kept in stored.answers.items()
    }
    kept = Kept({index: asked for index, asked in answers.items() if asked})
    if kept.samples < stored.samples:
        listener.said(
            "warning",
            f"{stored.samples - kept.samples:,} samples in {checkpoint.path} are not what this run "
            "asks for, and are drawn again",
        )
    more = f", and {kept.samples:,} samples of {len(kept.answers)} more" if kept.samples else ""
    listener.said("resume", f"{done} of {inputs} inputs are done{more}")
    return kept.answers


@contextlib.contextmanager
def saying_where_it_stopped(
    output: Path | None, done: Callable[[], int], total: int, listener: Listener
) -> Iterator[None]:
    """Tell, whatever ends the work, how many inputs are done and where they are."""

    def stopped() -> None:
        holds = "" if output is None else f"; {output} holds them"
        listener.said("stopped", f"after {done()} of {total} inputs{holds}")

    try:
        with last_words(stopped):
            yield
    except CouplingError:
        kept = "" if output is None else f", in {output}"
        listener.said("void", f"all that was done: {done()} of {total} inputs{kept}")
        raise
    except TamperedError:  # which says where the rows are
        raise
    except BaseException:
        stopped()
        raise


def _certified(row: Row | CountsRow) -> bool:
    return isinstance(row, Row) and not row.abstained


def keep_rows(
    work: Work,
    writer: RunWriter[Part],
    checkpoint: Checkpoint,
    *,
    finished: Callable[[Row | CountsRow], None],
    progress: Progress | None = None,
) -> None:
    """Append a row an input to a run file, and end it.

    Args:
        work: what is left to do.
        writer: of a new file, or of one that goes on.
        checkpoint: where the counts of unfinished inputs are kept; it is removed at the end.
        finished: called with each row that is written.
        progress: called with the number of samples counted since its last call.

    Raises:
        RunFileError: something cannot be written; what was written before can be gone on with.
        TamperedError: somebody removed or changed the file; what it held is in another.
        DataError, InferenceError: as for :func:`do_work`.
        CouplingError: a watched row was answered otherwise alone; the file is then void.
    """

    def counted(answers: Answers) -> None:
        checkpoint.note(answers)
        writer.check()
        checkpoint.write_in_time()

    try:
        with writer:
            try:
                # Closing ends the engine's work before anything else is written.
                with contextlib.closing(
                    do_work(work, checkpoint=counted, progress=progress)
                ) as rows:
                    for row in rows:
                        writer.write(row)
                        finished(row)
            except CouplingError:  # nothing that was counted is of a function of one input
                checkpoint.remove()
                raise
            except TamperedError:
                raise
            except RunFileError:
                writer.check()
                with contextlib.suppress(RunFileError):
                    checkpoint.write()
                raise
            except BaseException:
                writer.check()
                checkpoint.write()
                raise
    except TamperedError as error:
        if error.kept is not None:
            checkpoint.move_to(error.kept)
        raise
    checkpoint.remove()
