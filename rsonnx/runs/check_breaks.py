"""Check what was said to break a run: measure again, and draw the noise that confirmed it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from rsonnx.errors import RsonnxError, RunFileError
from rsonnx.listener import Extent, Listener
from rsonnx.runs.breaks import AGAIN, NO_CERTIFICATE, Attempt, Breaks
from rsonnx.runs.falsify import (
    arrays_file,
    arrays_of,
    certified_run,
    confirmed_at,
    differing,
    header_of,
    reopen_job,
)
from rsonnx.runs.files import Run
from rsonnx.runs.job import Job
from rsonnx.runs.opening import Data, listening
from rsonnx.runs.rows import Row
from rsonnx.runs.verify import Fault
from rsonnx.runtime.watchdog import SECONDS_A_CALL
from rsonnx.smoothing.falsify import CONFIRMATION, SECOND, Effort, confirm, distance_between


def check_breaks(
    breaks: Breaks,
    model: str | os.PathLike[str],
    data: Data,
    run: Run | str | os.PathLike[str],
    *,
    providers: Sequence[str] | None = None,
    time_limit_per_call: float = SECONDS_A_CALL,
    listener: Listener | None = None,
    **files: Path | None,
) -> tuple[Fault, ...]:
    """Measure every break again, and draw the noise that confirmed it; return what does not hold.

    That its counts give its answer was tested when the file was read.

    Args:
        breaks: of :func:`rsonnx.runs.breaks.read_breaks`.
        model, data, run, providers, time_limit_per_call, files: as for :func:`falsify`.
        listener: hears what is done.

    Raises:
        RunFileError: the model or the data are not the run's, or the breaks of another run.
    """
    run, listener, header = certified_run(run), listening(listener), breaks.header
    own = header_of(run, confirmed_at(run), Effort(**header["effort"]), header["seed"])
    own["run"]["file"] = header["run"]["file"]
    if other := differing(breaks, own):
        raise RunFileError(
            f"{breaks.path} has another {' and another '.join(other)} than {run.path} gives, which "
            "is known by its SHA-256; name its own run"
        )
    with ExitStack() as stack:
        job = reopen_job(run, model, data, files, providers, time_limit_per_call, stack)
        samples = header["effort"]["samples"]
        listener.begun(Extent(len(breaks.rows), samples, True, outcome=None))
        faults = []
        for attempt, row in zip(breaks.rows, run.rows, strict=False):
            faults += [
                Fault(attempt.index, what)
                for what in _faults_of(job, attempt, row, header, listener.drawn)
            ]
            listener.finished(attempt, certified=True)
    return (*faults, *_faults_of_arrays(breaks, run))


def _faults_of_arrays(breaks: Breaks, run: Run) -> Iterator[Fault]:
    """Hold the arrays beside a file, which may be gone, against its rows."""
    path = arrays_of(breaks.path) if breaks.path is not None else None
    if path is None or not path.exists():
        return
    try:
        with np.load(path) as held, np.load(BytesIO(arrays_file(breaks, run))) as own:
            same = held.files == own.files and all(np.array_equal(held[k], own[k]) for k in own)
    except (OSError, ValueError, BadZipFile):
        same = False
    if not same:
        yield Fault(None, f"{path.name} does not hold the inputs of {breaks.path}; remove it")


def _faults_of(
    job: Job, attempt: Attempt, row: Row, header: Any, progress: Callable[[int], None]
) -> Iterator[str]:
    for name, stated, recorded in (
        ("index", attempt.index, row.index),
        ("digest", attempt.digest, row.digest),
        ("certified", attempt.certified, row.prediction),
        ("radius", attempt.radius, row.radius),
    ):
        if stated != recorded:
            yield f"{name} is {stated}, but the run has {recorded}"
            return
    if (attempt.reason == NO_CERTIFICATE) != (row.abstained or row.radius == 0):
        yield f"reason is {attempt.reason}, but the run has a radius of {row.radius}"
    if attempt.input is None:
        return
    point = job.point(row.index)
    try:
        candidate = point.space.point(
            attempt.values(point.arithmetic).reshape(point.space.shape), point.arithmetic
        )
    except (ValueError, RsonnxError):
        yield "its input is none that the model takes"
        return
    distance = distance_between(job.smoothed.noise, point, candidate)
    if distance != attempt.distance:
        yield f"distance is {attempt.distance}, but its input is at {distance}"
    samples = header["effort"]["samples"]
    for stream, times, counts in (
        (CONFIRMATION, 1, attempt.counts),
        (SECOND, AGAIN, attempt.again),
    ):
        if counts is None:
            continue
        drawn = confirm(
            job.smoothed,
            candidate,
            stream,
            seed=header["seed"],
            samples=times * samples,
            alpha=header["alpha"],
            progress=progress,
        )
        if drawn.counts != counts:
            yield f"its {stream} has {counts.to_json()}, but {drawn.counts.to_json()} are drawn now"
