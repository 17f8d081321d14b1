"""Run a job into its file: start it or go on with it, and say how to go on when it is stopped."""

from __future__ import annotations

import contextlib
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rsonnx.certificate import AdaptiveSamples
from rsonnx.cli.preflight import quiet, say, say_always, say_dark_pictures
from rsonnx.cli.progress import ProgressBar
from rsonnx.errors import CouplingError, UsageError
from rsonnx.listener import Extent
from rsonnx.report import printable
from rsonnx.runs import (
    Answers,
    Checkpoint,
    CountsRow,
    Job,
    Manifest,
    Row,
    RunWriter,
    Work,
    check_continues,
    check_output,
    check_partial,
    do_work,
    keep_rows,
    make_manifest,
    resume_command,
)

_SAY_EVERY = 10.0
"""Seconds between two words about the reading of inputs."""


@dataclass(frozen=True)
class Keeping:
    """Where the rows go.

    Attributes:
        output: the run file; None keeps nothing.
        resume: whether the file may exist already.
        checkpoint: seconds between two times that counts of unfinished inputs are kept.
    """

    output: Path | None
    resume: bool
    checkpoint: float

    def __post_init__(self) -> None:
        if self.resume and self.output is None:
            raise UsageError("--resume goes on with a run file, but none was named; add -o RUN")
        if not 0 <= self.checkpoint < math.inf:
            raise UsageError(
                f"--checkpoint is {self.checkpoint:g}, but a number of seconds of at least 0 was "
                "expected"
            )


def reopen(keeping: Keeping) -> RunWriter | None:
    """Open the run file to go on with, if there is one; refuse one that may not be touched."""
    output = keeping.output
    if output is None:
        return None
    if not os.path.exists(output):  # False for a name that is too long
        check_output(output)
        check_partial(output)
        if keeping.resume:
            say("resume", f"{printable(str(output))} does not exist, so the run starts afresh")
        return None
    if not keeping.resume:
        raise UsageError(
            f"the output {output} exists already and is never overwritten; go on with it by "
            "--resume, name another or remove it"
        )
    check_partial(output)
    reopened = RunWriter.reopen(output)
    if reopened.part is None:
        say("resume", f"{printable(str(output))} holds nothing yet, so the run starts afresh")
    return reopened


def read_inputs(job: Job) -> Manifest:
    """Read every input once, before hours of work, and say what they are."""
    total = len(job.indices)
    due = time.monotonic() + _SAY_EVERY

    def seen(count: int) -> None:
        nonlocal due
        if time.monotonic() >= due:
            due += _SAY_EVERY
            say("manifest", f"{count:,} of {total:,} inputs read")

    manifest = make_manifest(job, seen)
    say("manifest", f"all {total:,} inputs can be read (sha256 {manifest.sha256[:16]}...)")
    say_dark_pictures(job, manifest)
    return manifest


def run(
    work: Work,
    header: dict[str, Any],
    manifest: Manifest,
    keeping: Keeping,
    reopened: RunWriter | None,
) -> list[Row | CountsRow]:
    """Do what is left to do of a run, keep it, and return all rows, the earlier ones too.

    Args:
        work: all inputs that the file is about.
        header: what a new file says.
        manifest: what the inputs are.
        keeping: where the rows go.
        reopened: the file to go on with; None starts one.
    """
    inputs = tuple(work.job.indices if work.indices is None else work.indices)
    part = None if reopened is None else reopened.part
    rows = [] if part is None else list(part.rows)
    if part is not None:
        check_continues(part, header, manifest, inputs)
        if part.status == "complete":
            say("resume", f"{printable(str(part.path))} is complete: nothing is left to do")
            Checkpoint(part.path, part.identity, manifest, seconds=0).remove()
            return rows
    work = replace(work, indices=inputs[len(rows) :], manifest=manifest)
    progress = ProgressBar(quiet=quiet())
    progress.begun(
        Extent(
            len(inputs),
            work.asking.samples,
            adaptive=isinstance(work.procedure.rule, AdaptiveSamples),
            already=len(rows),
            already_certified=sum(_certified(row) for row in rows),
            outcome="certified" if work.samples is None else None,
        )
    )

    def finished(row: Row | CountsRow) -> None:
        rows.append(row)
        progress.finished(row, certified=_certified(row))

    if keeping.output is None:
        say("warning", "the rows are not kept; name a run file with -o to keep them")
        with progress, _saying_how_to_go_on(None, lambda: len(rows), len(inputs)):
            for row in do_work(work, progress=progress.drawn):
                finished(row)
        return rows
    writer = _writer(keeping.output, header, reopened)
    checkpoint = Checkpoint(keeping.output, writer.identity, manifest, seconds=keeping.checkpoint)
    if part is not None:
        work = replace(work, answered=_kept(checkpoint, len(rows), inputs))
    with _saying_how_to_go_on(keeping.output, lambda: writer.rows, len(inputs)), progress:
        keep_rows(work, writer, checkpoint, finished=finished, progress=progress.drawn)
    return rows


def _writer(output: Path, header: dict[str, Any], reopened: RunWriter | None) -> RunWriter:
    if reopened is None:
        writer = RunWriter(output, header)
    else:
        writer = reopened
        writer.go_on(header)
    if not writer.locked:
        say(
            "warning",
            f"the file system of {printable(str(output))} has no locks; see to it that no second "
            "process writes the file",
        )
    return writer


def _kept(checkpoint: Checkpoint, done: int, inputs: Sequence[int]) -> Answers:
    """Return the counts of unfinished inputs that need not be drawn again, and say so."""
    kept = checkpoint.read(inputs[done:])
    if kept.problem is not None:
        say("warning", f"{printable(str(checkpoint.path))} is not used: {kept.problem}")
    more = f", and {kept.samples:,} samples of {len(kept.answers)} more" if kept.samples else ""
    say("resume", f"{done} of {len(inputs)} inputs are done{more}")
    return kept.answers


@contextlib.contextmanager
def _saying_how_to_go_on(
    output: Path | None, done: Callable[[], int], total: int
) -> Iterator[None]:
    try:
        yield
    except CouplingError:
        kept = "" if output is None else f", in {printable(str(output))}"
        say_always("void", f"all that was done: {done()} of {total} inputs{kept}")
        raise
    except BaseException:
        holds = "" if output is None else f"; {printable(str(output))} holds them"
        say_always("stopped", f"after {done()} of {total} inputs{holds}")
        if output is not None:
            say_always("go on with", printable(resume_command(sys.argv[1:], _program())))
        raise


def _program() -> Sequence[str]:
    """Return the words that start this program, as they were given."""
    if Path(sys.argv[0]).name == "__main__.py":
        return sys.orig_argv[: len(sys.orig_argv) - len(sys.argv) + 1]
    return ("rsonnx",)


def _certified(row: Row | CountsRow) -> bool:
    return isinstance(row, Row) and not row.abstained
