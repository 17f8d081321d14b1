"""Falsify a run: look, near each certified input, for one of another answer, and prove that it is.

A certificate says how far the answer stays; this says how far it does not, from the other side.
Certificates are false with probability alpha each, so a few breaks inside certified radii are to be
expected of many inputs; more than chance explains say that the run is wrong.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from rsonnx.arguments import check_kind
from rsonnx.data import DataSettings
from rsonnx.errors import RunFileError, UsageError
from rsonnx.listener import Extent, Listener
from rsonnx.noise import check_seed, fresh_seed
from rsonnx.procedures import ABSTAIN, Prediction
from rsonnx.runs import disk
from rsonnx.runs.breaks import (
    AGAIN,
    ALPHA_INSIDE,
    LEVEL,
    MEANING,
    NO_CERTIFICATE,
    NOT_CONFIRMED,
    STORED,
    Attempt,
    Breaks,
    header_record,
    parse_breaks,
)
from rsonnx.runs.files import Run, as_path
from rsonnx.runs.job import Job
from rsonnx.runs.keep import saying_where_it_stopped
from rsonnx.runs.new_header import versions
from rsonnx.runs.opening import Data, listening
from rsonnx.runs.reading import read_run
from rsonnx.runs.reopening import check_model, reopen
from rsonnx.runs.rows import Row
from rsonnx.runs.telling import tell_job
from rsonnx.runs.writing import RunWriter, check_output
from rsonnx.runtime.watchdog import SECONDS_A_CALL
from rsonnx.smoothing.falsify import (
    CONFIRMATION,
    SECOND,
    Effort,
    Start,
    confirm,
    distance_between,
    search,
)
from rsonnx.statistics import family_wise_alpha, fewest_samples_to_predict

_ALPHA = 0.001
"""At which all answers near the inputs of an exact run are confirmed together."""


def falsify(
    model: str | os.PathLike[str],
    data: Data,
    run: Run | str | os.PathLike[str],
    *,
    effort: Effort | None = None,
    seed: int | None = None,
    output: str | os.PathLike[str] | None = None,
    resume: bool = False,
    providers: Sequence[str] | None = None,
    time_limit_per_call: float = SECONDS_A_CALL,
    listener: Listener | None = None,
    **files: Path | None,
) -> Breaks:
    """Look, near each certified input of a run, for one that is answered otherwise.

    A direction of the run's own noise is refined along which the class ends, and the one candidate
    that it leads to, within the bounds of an input and on its grid, is confirmed by PREDICT on
    noise that the search has not seen, at the run's alpha divided by its inputs: with probability
    1 - alpha every answer that is reported is the smoothed classifier's.

    Args:
        model, data: those of the run.
        run: a run, or its file, of noise that is added to the values of an input.
        effort: how many samples an input takes; None for 5,000 a direction, taken anew six times,
            and 20,000 of the confirmation.
        seed: of the noise, >= 0; None draws 128 bits from the operating system. Its streams are
            none of the run's, even with the run's own seed.
        output: file to write, with the inputs that breaks lead to in an ``.npz`` beside it; neither
            may exist unless ``resume`` goes on with it. None keeps nothing.
        resume: go on with ``output``; start it if there is none.
        providers: the execution provider; None takes the run's.
        time_limit_per_call: seconds that one call of the model may take; 0 for any time.
        listener: hears what is done, and of each :class:`rsonnx.runs.breaks.Attempt`.
        files: those that the run's data were read by, such as ``classes``.

    Raises:
        UsageError: an argument is out of range, or the run's noise has no such distances.
        RunFileError: the model or the data are not the run's, or the output cannot be written.
    """
    run = certified_run(run)
    effort = Effort() if effort is None else check_kind("effort", effort, Effort, "an Effort")
    listener = listening(listener)
    alpha = confirmed_at(run)
    least = fewest_samples_to_predict(alpha, two_sided=True)
    if effort.samples < least:
        raise UsageError(
            f"a confirmation of {effort.samples} samples at alpha = {alpha:.2g} can never answer; "
            f"the fewest that can are {least}"
        )
    kept = None if output is None else as_path("the output", output)
    reopened = _reopened(kept, resume, listener)
    with ExitStack() as stack:
        if reopened is not None:
            stack.enter_context(reopened)
        begun = None if reopened is None else reopened.part
        if seed is not None:
            seed = check_seed(seed)
        else:
            seed = fresh_seed() if begun is None else begun.header["seed"]
        header = header_of(run, alpha, effort, seed)
        if begun is not None:
            _check_continues(begun, header, run)
        job = reopen_job(run, model, data, files, providers, time_limit_per_call, stack)
        tell_job(job, None, listener.said)
        rows = [] if begun is None else list(begun.rows)
        writer = None
        if kept is not None and (begun is None or begun.status != "complete"):
            record = header_record(header)
            writer = stack.enter_context(reopened or RunWriter[Breaks](kept, record))
            if reopened is not None:
                reopened.go_on(record)
        stack.enter_context(
            saying_where_it_stopped(kept, lambda: len(rows), len(run.rows), listener)
        )
        broken = sum(row.distance is not None for row in rows)
        extent = Extent(len(run.rows), effort.most, True, len(rows), broken, outcome="broken")
        listener.begun(extent)
        for row in run.rows[len(rows) :]:
            attempt = _attempt(job, row, header, listener.drawn)
            if writer is not None:
                writer.write(attempt)
            rows.append(attempt)
            listener.finished(attempt, certified=attempt.distance is not None)
    breaks = Breaks(kept, header, tuple(rows))
    if kept is not None and breaks.broken and not arrays_of(kept).exists():
        disk.create(arrays_of(kept), arrays_file(breaks, run))
    return breaks


def certified_run(run: Run | str | os.PathLike[str]) -> Run:
    """Return a run that can be falsified, or refuse it by name."""
    read = run if isinstance(run, Run) else read_run(run)
    if not read.rows:
        raise RunFileError(f"the run {read.path} has no inputs yet, so there is nothing to break")
    read.header.noise.length(np.zeros(read.header.model.input_shape))
    return read


def confirmed_at(run: Run) -> float:
    """Return alpha of one confirmation; the certificates of exact runs have none of their own."""
    return family_wise_alpha(run.header.procedure.alpha or _ALPHA, len(run.rows))


def reopen_job(
    run: Run,
    model: str | os.PathLike[str],
    data: Data,
    files: dict[str, Path | None],
    providers: Sequence[str] | None,
    limit: float,
    stack: ExitStack,
) -> Job:
    """Open a run's model and data again, once the model is known to be the run's."""
    for name in files.keys() - set(DataSettings.FILES):
        raise UsageError(f"there is no argument {name!r}; help(rsonnx.runs.falsify) lists them")
    model = as_path("the model", model)
    check_model(run, model)
    return reopen(run, model, data, files, providers, limit, stack)


def _digest(run: Run) -> str:
    """Return the SHA-256 of a run's file, which a run that goes on would change."""
    try:
        return hashlib.sha256(run.path.read_bytes()).hexdigest()
    except OSError as error:
        raise RunFileError(f"the run file {run.path} cannot be read: {error.strerror}") from None


def header_of(run: Run, alpha: float, effort: Effort, seed: int) -> dict[str, Any]:
    """Return what stands first in a file of breaks."""
    header = run.header
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "run": {
            "file": run.path.name,
            "sha256": _digest(run),
            "inputs": len(run.rows),
            "alpha": header.procedure.alpha,
            "shared": header.shared,
            "norm": header.noise.norm,
            "units": header.units,
            "arithmetic": header.arithmetic,
        },
        "model": {"file": header.model.file, "sha256": header.model.sha256},
        "manifest": header.data.manifest,
        "seed": seed,
        "effort": asdict(effort),
        "alpha": alpha,
        "alpha_inside": ALPHA_INSIDE,
        "level": LEVEL,
        "versions": versions(),
        "fields": MEANING,
    }


def _reopened(output: Path | None, resume: bool, listener: Listener) -> RunWriter[Breaks] | None:
    """Open the file to go on with, if there is one; refuse one that may not be touched."""
    if output is None:
        if resume:
            raise UsageError("resume goes on with a file, but none was named; add -o FILE")
        return None
    if not (resume and os.path.exists(output)):
        check_output(output)
        check_output(arrays_of(output))
        return None
    reopened = RunWriter.reopen_as(output, parse_breaks)
    done = 0 if reopened.part is None else len(reopened.part.rows)
    listener.said("resume", f"{done:,} inputs of {output} are done")
    return reopened


def _check_continues(begun: Breaks, header: dict[str, Any], run: Run) -> None:
    """Refuse to go on with a file unless the new rows belong behind those that it has."""
    other = differing(begun, header)
    inputs = [(row.index, row.digest) for row in run.rows[: len(begun.rows)]]
    if not other and [(row.index, row.digest) for row in begun.rows] != inputs:
        other = ["inputs"]
    if other:
        raise UsageError(
            f"{begun.path} is of another {' and another '.join(other)}, so it cannot be gone on "
            "with; give the command that started it, or name another output"
        )


def differing(breaks: Breaks, header: dict[str, Any]) -> list[str]:
    """Return which fields of a file's header are not those of another, but for when it was made."""
    free = {"created", "versions", "fields"}
    return [name for name in header if name not in free and header[name] != breaks.header[name]]


def _attempt(
    job: Job, row: Row, header: dict[str, Any], progress: Callable[[int], None]
) -> Attempt:
    """Look for a break of one input, and confirm it."""
    begun = time.perf_counter()
    facts: dict[str, Any] = {
        "index": row.index,
        "name": row.name,
        "digest": row.digest,
        "certified": row.prediction,
        "radius": row.radius,
    }

    def came_to(reason: str | None, samples: int, **more: Any) -> Attempt:
        seconds = round(time.perf_counter() - begun, 3)
        return Attempt(**facts, reason=reason, samples=samples, seconds=seconds, **more)

    if row.abstained or row.radius == 0:
        return came_to(NO_CERTIFICATE, 0)
    smoothed, seed, alpha, point = (
        job.smoothed,
        header["seed"],
        header["alpha"],
        job.point(row.index),
    )
    second = 1 - row.p_a_lower if row.p_b_upper is None else row.p_b_upper
    start = Start(point, row.prediction, row.radius, second / (second + row.p_a_lower))
    effort = Effort(**header["effort"])
    candidate = search(smoothed, start, seed=seed, alpha=alpha, effort=effort, progress=progress)
    if (end := candidate.point) is None:
        return came_to(candidate.reason, candidate.samples)

    def answer(stream: str, samples: int, alpha: float) -> Prediction:
        return confirm(
            smoothed,
            end,
            stream,
            seed=seed,
            samples=samples,
            alpha=alpha,
            progress=progress,
        )

    first = answer(CONFIRMATION, effort.samples, alpha)
    drawn = candidate.samples + effort.samples
    if first.label in (ABSTAIN, row.prediction):
        return came_to(NOT_CONFIRMED, drawn, counts=first.counts)
    distance, again = distance_between(smoothed.noise, point, end), None
    if distance < row.radius:
        again = answer(SECOND, AGAIN * effort.samples, ALPHA_INSIDE).counts
        drawn += AGAIN * effort.samples
    return came_to(
        None,
        drawn,
        distance=distance,
        answer=first.label,
        counts=first.counts,
        again=again,
        input=end.data.astype(STORED[point.arithmetic]).tobytes(),
    )


def arrays_of(output: Path) -> Path:
    """Return where the inputs that breaks lead to are, as arrays."""
    return output.with_suffix(".npz")


def arrays_file(breaks: Breaks, run: Run) -> bytes:
    """Return an .npz that `rsonnx predict` reads: x, the inputs, and y, what is answered there."""
    header, broken = run.header, breaks.broken
    shape = header.noise.input_shape(header.model.input_shape)
    x = [row.values(header.arithmetic).reshape(shape) for row in broken]
    file = BytesIO()
    np.savez_compressed(
        file,
        x=np.stack(x),
        y=np.array([row.answer for row in broken], np.int64),
        certified=np.array([row.certified for row in broken], np.int64),
        index=np.array([row.index for row in broken], np.int64),
        radius=np.array([row.radius for row in broken]),
        distance=np.array([row.distance for row in broken]),
    )
    return file.getvalue()
