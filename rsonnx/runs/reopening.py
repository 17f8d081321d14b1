"""Check a run against its model and its data, opened with the options that its header records."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from rsonnx.errors import RunFileError, UsageError
from rsonnx.listener import Listener
from rsonnx.model import ModelSettings
from rsonnx.model.read import sha256_of
from rsonnx.runs.fields import FLAG, OBJECT, TEXT, TEXTS, shown
from rsonnx.runs.files import Run
from rsonnx.runs.job import Job
from rsonnx.runs.manifest import make_manifest
from rsonnx.runs.opening import Data, open_job
from rsonnx.runs.replay import Replay, check_data, check_header, check_model, replay
from rsonnx.runtime import EngineSettings
from rsonnx.smoothing import in_child


def check_against(
    run: Run,
    model: str | os.PathLike[str] | None = None,
    data: Data | None = None,
    *,
    classes: Path | None = None,
    providers: Sequence[str] | None = None,
    count: int = 0,
    listener: Listener | None = None,
) -> Replay | None:
    """Check that a model and data are a run's own, and draw the noise of some inputs again.

    Args:
        run: the run.
        model, data: what it was made of; data needs the model.
        classes: the file of class names, where it was made with one.
        providers: the execution provider; None takes the run's.
        count: how many inputs, chosen at random, are drawn again; needs both.
        listener: hears which.

    Returns:
        What came of the replay; None where none was asked for.

    Raises:
        RunFileError: they are not the run's, or its header does not say how they were read.
        UsageError: an argument lacks another, or the class names are missing.
    """
    if data is not None and model is None:
        raise UsageError(
            "the data were given without the model, but how an input is read depends on it; give "
            "both"
        )
    if count < 0 or (count and data is None):
        raise UsageError(f"a replay of {count} inputs needs the model and the data; give both")
    if model is None:
        return None
    check_model(run, in_child(sha256_of, model))
    if data is None:
        return None
    job = _reopen(run, model, data, classes, providers)
    if not count:
        return None
    if not run.rows:
        raise RunFileError(f"the run {run.path} has no inputs yet, so there is nothing to replay")
    rows = secrets.SystemRandom().sample(run.rows, min(count, len(run.rows)))
    if listener is not None:
        samples = sum(row.samples for row in rows)
        listener.said(
            "replay", f"{len(rows)} of {len(run.rows)} inputs, at random: {samples:,} samples"
        )
    return replay(run, job, rows)


def _reopen(
    run: Run,
    model: str | os.PathLike[str],
    data: Data,
    classes: Path | None,
    providers: Sequence[str] | None,
) -> Job:
    header, recorded = run.header, run.header.resolved
    try:
        settings = ModelSettings.from_json(recorded)
        used = TEXTS.of(OBJECT.of(header.record["model"], "providers"), "used")[:1]
        engine = EngineSettings(tuple(providers or used), tf32=FLAG.of(recorded, "tf32"))
        named = TEXT.or_null().of(recorded, "classes")
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise RunFileError(
            f"{run.path}, line 1: the header does not say how its inputs were read ({error})"
        ) from None
    if named is not None and classes is None:
        # A file that the header names is not opened: a stranger may have written it.
        raise UsageError(
            f"{run.path}: the run was made with the class names of a file, {shown(named)}; give "
            "that file with --classes"
        )
    job = open_job(
        model,
        data,
        ExitStack(),
        noise=header.noise,
        classes=classes,
        exif=header.data.exif,
        sample=header.data.sample,
        share_noise=header.shared,
        stream_version=header.stream,
        settings=settings,
        engine=engine,
    )
    manifest = make_manifest(job)
    check_data(run, manifest)
    check_header(run, job, manifest)
    return job
