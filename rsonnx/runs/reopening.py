"""Check a run against its model and its data, opened with the options that its header records."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from rsonnx.arguments import check_texts
from rsonnx.data import DataSettings
from rsonnx.errors import RunFileError, UsageError
from rsonnx.listener import Listener
from rsonnx.model import ModelSettings
from rsonnx.model.read import sha256_of
from rsonnx.runs.differences import Difference, in_words
from rsonnx.runs.fields import shown
from rsonnx.runs.files import Run, as_path
from rsonnx.runs.job import Job
from rsonnx.runs.manifest import Manifest, make_manifest
from rsonnx.runs.new_header import SeedUsed, new_header
from rsonnx.runs.opening import Data, open_job
from rsonnx.runs.replay import Replay, changed_since, replay
from rsonnx.runtime import EngineSettings
from rsonnx.runtime.watchdog import SECONDS_A_CALL
from rsonnx.scalars import as_whole
from rsonnx.smoothing import in_child

_FREE = frozenset({"arguments", "versions", "model.noise_drawn", "seed"})
_FREE_ELSEWHERE = frozenset({"model.providers", "model.session"})

_NEVER_UNSAID = ("model.preprocess", "data.columns")
"""Fields that every version writes where there is something to say."""

_REREAD = frozenset({"model.edits", "model.label", "model.rows"})
"""In what way a model answers may be read otherwise than by the first version of run files; whether
its answers are others shows in the votes."""


def check_against(
    run: Run,
    model: str | os.PathLike[str] | None = None,
    data: Data | None = None,
    *,
    files: Mapping[str, Path | None] | None = None,
    providers: Sequence[str] | None = None,
    count: int = 0,
    time_limit_per_call: float = SECONDS_A_CALL,
    listener: Listener | None = None,
) -> Replay | None:
    """Check that a model and data are a run's own, and draw the noise of some inputs again.

    Args:
        run: the run.
        model, data: what it was made of; data needs the model.
        files: those that the data were read by, by the names of :attr:`DataSettings.FILES`: that
            of class names, where it was made with one.
        providers: the execution provider; None takes the run's.
        count: how many inputs, chosen at random, are drawn again; needs both. Of a run that was
            calculated they are calculated again by other arithmetic, all of them for 0.
        time_limit_per_call: seconds that one call of the model may take; 0 for any time.
        listener: hears which.

    Returns:
        What came of the replay; None where none was asked for and the run was sampled.

    Raises:
        RunFileError: they are not the run's, or its header does not say how they were read.
        UsageError: an argument lacks another, or the class names are missing.
    """
    if data is not None and model is None:
        raise UsageError(
            "the data were given without the model, but how an input is read depends on it; give "
            "both"
        )
    inputs = as_whole(count)
    if inputs is None or inputs < 0:
        raise UsageError(f"a replay of {shown(count)} inputs was asked for, which is no number")
    if inputs and data is None:
        raise UsageError("a replay needs the model and the data; give both")
    if model is None:
        return None
    model = as_path("the model", model)
    check_model(run, model)
    if data is None:
        return None
    with ExitStack() as stack:
        job = reopen(run, model, data, files or {}, providers, time_limit_per_call, stack)
        sampled = run.header.procedure.samples > 0
        if sampled and not inputs:
            return None
        if not run.rows:
            raise RunFileError(
                f"the run {run.path} has no inputs yet, so there is nothing to replay"
            )
        most = min(inputs or len(run.rows), len(run.rows))
        rows = secrets.SystemRandom().sample(run.rows, most)
        if listener is not None:
            samples = sum(row.samples for row in rows)
            how = f"at random: {samples:,} samples" if sampled else "by other arithmetic"
            listener.said("replay", f"{most} of {len(run.rows)} inputs, {how}")
        return replay(run, job, rows)


def reopen(
    run: Run,
    model: str | os.PathLike[str],
    data: Data,
    files: Mapping[str, Path | None],
    providers: Sequence[str] | None,
    time_limit_per_call: float,
    stack: ExitStack,
) -> Job:
    """Open a model of a run's digest and data as its header says, and check that they are its own.

    Raises:
        RunFileError: they are not, or the header does not say how they were read.
    """
    header, recorded = run.header, run.header.resolved
    chosen = check_texts("providers", providers)
    used = header.record["model"]["providers"]["used"]
    try:
        settings = ModelSettings.from_json(recorded)
        if not used:
            raise ValueError("model.providers.used is empty")
        engine = EngineSettings(chosen or used[:1], tf32=recorded["tf32"])
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise RunFileError(
            f"{run.path}, line 1: the header does not say how its inputs were read ({error})"
        ) from None
    reading = DataSettings.from_json(header.reading, files)
    trial = recorded.get("time_limit_to_try")
    engine = replace(
        engine,
        time_limit_per_call=time_limit_per_call,
        time_limit_to_try=engine.time_limit_to_try if trial is None else trial,
    )
    if engine.provider().is_cpu:  # which has no TF32
        engine = replace(engine, tf32=False)
    job = open_job(
        model,
        data,
        stack,
        noise=header.noise,
        reading=reading,
        sample=header.data.sample,
        share_noise=header.shared,
        stream_version=header.stream,
        settings=settings,
        engine=engine,
    )
    manifest = make_manifest(job)
    check_data(run, manifest)
    check_header(run, job, manifest)
    for row in run.rows:
        for what in header.procedure.check_input(row.evidence, job.point(row.index)):
            raise RunFileError(f"{run.path}, input {row.index}: {what}")
    return job


def check_model(run: Run, model: str | os.PathLike[str]) -> None:
    """Refuse a model file that is not the run's; a child process reads it first.

    Raises:
        RunFileError: with both digests.
    """
    _same(run, "model", run.header.model.sha256, in_child(sha256_of, model))


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
    changed = bool(changed_since(run, job))
    free = _FREE | _FREE_ELSEWHERE if changed else _FREE
    free |= _REREAD if header.first_version else frozenset()
    if header.restated_from is not None:  # the settings before, which the reader has checked
        free |= {"restated_from"}
    if (header.model.rows, again.model.rows) == ("alone", "proved"):  # by a prover that has learnt
        free |= {"model.rows"}
    differences = header.differences(again, but=free)
    if changed:  # an earlier version may have written fewer fields
        differences = [
            at for at in differences if at.one != "absent" or at.field.startswith(_NEVER_UNSAID)
        ]
    else:  # words that a run goes on without, but which are read
        read = [("claim", header.record["claim"], again.record["claim"])]
        stated, made = (one.record["model"].get("composition") for one in (header, again))
        if stated is not None:  # earlier runs say nothing of it
            read.append(("model.composition", stated, made))
        differences += [Difference(n, shown(a), shown(b)) for n, a, b in read if a != b]
    if differences:
        raise RunFileError(
            f"{run.path}, line 1: the header is not that of this model and these data: "
            f"{in_words(differences, 'in the file', 'by them')}"
        )


def _same(run: Run, what: str, recorded: str, sha256: str) -> None:
    if recorded != sha256:
        raise RunFileError(
            f"{run.path}: this is not the {what} of the run: its SHA-256 is {sha256}, but "
            f"{recorded} was recorded"
        )
