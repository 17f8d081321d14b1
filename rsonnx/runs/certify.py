"""Certify a data set: open it, check it, commit to it, run it into its file, or go on with one."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from rsonnx.arguments import check_kind, check_name, check_texts
from rsonnx.errors import UsageError
from rsonnx.listener import Listener
from rsonnx.noise import STREAM_VERSION, Law, check_seed, fresh_seed
from rsonnx.procedures import CountRange, Procedure, Task
from rsonnx.runs.commitment import Commitment, CommittedSeed, read_commitment
from rsonnx.runs.files import Run, as_path
from rsonnx.runs.header import Header
from rsonnx.runs.job import Job
from rsonnx.runs.keep import Keeping, reopened_file, run_into_file
from rsonnx.runs.manifest import Manifest, make_manifest
from rsonnx.runs.new_header import SeedUsed, new_header
from rsonnx.runs.opening import Data, Model, Noise, asked, check_further, listening, open_job
from rsonnx.runs.parts import SampleRange, Shard
from rsonnx.runs.resolved import resolved_options
from rsonnx.runs.rows import Row
from rsonnx.runs.rules import Rules
from rsonnx.runs.sample import Sample
from rsonnx.runs.telling import (
    tell_clean_accuracy,
    tell_dark_pictures,
    tell_job,
    tell_samples,
)
from rsonnx.runs.timing import tell_long
from rsonnx.runs.work import Work
from rsonnx.statistics import DEFAULT_BOUND

_SAY_EVERY = 10.0
"""Seconds between two words about the reading of inputs."""


def certify(
    model: Model,
    data: Data,
    *,
    sigma: float | str | None = None,
    noise: Noise | None = None,
    n0: int = 100,
    n: int = 100_000,
    alpha: float = 0.001,
    bound: str = DEFAULT_BOUND,
    radius: str = "one-sided",
    target_radii: float | Iterable[float] | None = None,
    adaptive: bool = False,
    precision: float | None = None,
    family_wise: bool = False,
    procedure: str = "sampled",
    changed: int = 0,
    sample: Sample | None = None,
    seed: int | None = None,
    commit: Commitment | str | os.PathLike[str] | None = None,
    beacon: str | None = None,
    output: str | os.PathLike[str] | None = None,
    resume: bool = False,
    checkpoint: float = 30.0,
    shard: Shard | str | None = None,
    samples: SampleRange | str | None = None,
    name: str | None = None,
    listener: Listener | None = None,
    words: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
    **opening: Any,
) -> Run:
    """Certify the inputs of a data set for an ONNX classifier: CERTIFY, arXiv 1902.02918.

    Args:
        model: a file, its bytes, a parsed model, or what :func:`rsonnx.load` returned.
        data: a folder, archive or file; inputs, or (inputs, labels), as arrays; a data set.
        sigma: standard deviation of the noise, in the units of the model's bounds; a text for one
            a value, see :func:`rsonnx.runs.opening.open_job`.
        noise: another smoothing distribution, see there too.
        n0, n, alpha, bound, radius, target_radii, adaptive, precision: see
            :class:`rsonnx.runs.rules.Rules`.
        family_wise, procedure, changed: see there too.
        sample: which inputs are taken; None takes all.
        seed: of the noise, >= 0; None draws 128 bits from the operating system.
        commit: what :func:`commit` gave for this run, or its file; the seed follows from it and
            from ``beacon``, the value that its round gave, in hexadecimal.
        output: run file, which must not exist unless ``resume`` goes on with it; None keeps none.
        resume: go on with ``output`` where it ended, however it ended; start it if there is none.
        checkpoint: how often the counts of unfinished inputs are kept, in seconds; 0 for never.
        shard, samples: the part of the run that is done, ``"3/8"`` of its inputs, ``"0:50000"`` of
            their samples; None for all of it.
        name: what the run is called in tables and pictures, 1 to 64 printable letters; None for
            its model's file.
        listener: hears what is done; None tells nobody.
        words: the words of a command line, for the header.
        options: its options by name, as they were given, for the header.
        opening: further arguments of :func:`rsonnx.runs.opening.open_job`: ``classes``,
            ``exif``, ``share_noise``, ``bounds``, ``preprocess``, ``providers``, ``batch_size`` ...

    Returns:
        The run, with the rows of an earlier session; counts of a range are in its file alone.

    Raises:
        RsonnxError: an argument, the model, an input or the output is not as it must be. A run
            that was begun stays resumable, whatever ends it.
    """
    check_further(opening)
    if "stream_version" in opening:
        raise UsageError(
            "stream_version is not chosen: a run draws by the newest, or as it was begun; leave it "
            "out"
        )
    keeping = Keeping(None if output is None else as_path("the output", output), resume, checkpoint)
    shard = None if shard is None else Shard.parse(shard)
    samples = None if samples is None else SampleRange.parse(samples)
    rules = Rules(
        n0=n0,
        n=n,
        alpha=alpha,
        bound=bound,
        radius=radius,
        target_radii=target_radii,
        adaptive=adaptive,
        precision=precision,
        family_wise=family_wise,
        procedure=procedure,
        changed=changed,
    )
    is_heard, listener = listener is not None, listening(listener)
    committed = _committed(seed, commit, beacon)
    meant = asked(noise, sigma)

    def check() -> None:
        early = meant if isinstance(meant, Law) else meant.early()
        if early is not None and not early.enumerated:  # and again for the model's own number
            # The data say which values are fixed.
            _check_range(replace(rules, changed=0).made(early, num_classes=2), samples)

    if samples is not None and keeping.output is None:
        raise UsageError(
            "a range of samples makes counts that certify nothing before they are merged; name a "
            "run file for them with -o"
        )
    with contextlib.ExitStack() as stack:
        reopened = reopened_file(keeping, listener)
        if reopened is not None:
            stack.enter_context(reopened)
        begun = None if reopened is None or reopened.part is None else reopened.part.header
        divided = shard is not None or samples is not None
        used = _seed(seed, committed, begun, divided=divided)
        stream = STREAM_VERSION
        if begun is not None:
            stream = begun.stream
            if begun.first_version:  # which took the first inputs, and pictures as they are stored
                sample = _as_begun(begun, sample)
                opening = _reading_as_begun(begun, opening)
        ready = _ready(
            model,
            data,
            stack,
            rules,
            used,
            listener,
            shard=shard,
            samples=samples,
            name=name,
            words=words,
            options=options,
            noise=meant,
            sample=sample,
            stream_version=stream,
            begun=begun,
            check=check,
            **opening,
        )
        job, manifest, header = ready.job, ready.manifest, ready.header
        indices = job.indices if shard is None else shard.take(job.indices)
        work = Work(job, ready.procedure, used.value, indices, samples, manifest)
        if begun is None and samples is None and is_heard:
            tell_long(work, rules, listener.said)
        rows = run_into_file(work, header, manifest, keeping, reopened, listener)
    certified = tuple(row for row in rows if isinstance(row, Row))
    return Run(keeping.output or Path("a run that is not kept"), header, certified, "complete")


def commit(
    model: Model,
    data: Data,
    source: str,
    round: str,
    *,
    listener: Listener | None = None,
    **run: Any,
) -> Commitment:
    """Settle a run before its seed can be known; every input is read, and nothing is sampled.

    Publish the SHA-256 of what is returned before the round comes out. Then :func:`certify` takes
    it, with the value of the round, as ``commit`` and ``beacon``, beside the same arguments.

    Args:
        model, data: as for :func:`certify`.
        source: a public source of randomness and which of its values: ``"drand quicknet,
            randomness"``.
        round: of the source, still to come, which nobody here can check.
        listener: hears what is done; None tells nobody.
        run: the arguments of :func:`certify` that say what the run is: all but the seed, the part
            that is done, and where it is kept.

    Raises:
        RsonnxError: as for :func:`certify`.
    """
    Commitment({}, source, round)  # what is refused is refused before the inputs are read
    rules = Rules(**{f.name: run.pop(f.name) for f in fields(Rules) if f.name in run})
    noise = asked(run.pop("noise", None), run.pop("sigma", None))
    with contextlib.ExitStack() as stack:
        ready = _ready(model, data, stack, rules, None, listening(listener), noise=noise, **run)
    return Commitment.of(ready.header.record, source, round)


@dataclass(frozen=True)
class _Ready:
    """A run that is about to start."""

    job: Job
    procedure: Procedure
    manifest: Manifest
    header: Header


def _ready(
    model: Model,
    data: Data,
    stack: contextlib.ExitStack,
    rules: Rules,
    seed: SeedUsed | None,
    listener: Listener,
    /,
    *,
    shard: Shard | None = None,
    samples: SampleRange | None = None,
    name: str | None = None,
    words: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
    begun: Header | None = None,
    **opening: Any,
) -> _Ready:
    """Open the model and the data, tell what they are, and read every input once."""
    words = check_texts("words", words)
    if name is not None:
        check_name("name", name)
    if options is not None:
        check_kind("options", options, Mapping, "a mapping")  # type: ignore[type-abstract]
        check_texts("the names of options", tuple(options))
    job = open_job(model, data, stack, listener=listener, **opening)
    procedure = rules.made(
        job.smoothed.noise,
        num_classes=job.model.num_classes,
        shape=job.shape,
        inputs=len(job.indices),
    )
    if begun is not None:
        procedure = procedure.as_begun(begun.procedure)
    _check_range(procedure, samples)
    procedure.try_first(Task(job.point(job.indices[0]), 0, job.smoothed.form))
    tell_job(job, seed, listener.said)
    tell_samples(procedure, listener.said)
    _tell_part(job, shard, samples, listener)
    manifest = _read_inputs(job, listener)
    tell_clean_accuracy(job, listener.said)
    header = new_header(
        job,
        procedure,
        seed=seed or SeedUsed(0, "none yet"),
        name=name,
        given=words,
        resolved=resolved_options(job, data, options),
        family_wise=rules.alpha if rules.family_wise else None,
        manifest=manifest.sha256,
        shard=shard,
        samples=samples,
    )
    return _Ready(job, procedure, manifest, header)


def _check_range(procedure: Procedure, samples: SampleRange | None) -> None:
    if samples is not None:
        CountRange(procedure, samples.start, samples.stop)


def _committed(
    seed: int | None, commit: Commitment | str | os.PathLike[str] | None, beacon: str | None
) -> CommittedSeed | None:
    """Return what the seed follows from; None where it is not committed to."""
    if commit is None and beacon is None:
        return None
    if commit is None or beacon is None:
        raise UsageError("a committed seed follows from a commitment and a beacon; give both")
    if seed is not None:
        raise UsageError("a seed was given, but it follows from the commitment; leave it out")
    commitment = commit if isinstance(commit, Commitment) else read_commitment(commit)
    return CommittedSeed(commitment, beacon)


def _seed(
    seed: int | None, committed: CommittedSeed | None, begun: Header | None, *, divided: bool
) -> SeedUsed:
    """Return the seed: the one that was given, that of the file to go on with, or a fresh one."""
    if seed is not None:
        return SeedUsed(check_seed(seed), "argument")
    if committed is None and begun is not None:
        committed = begun.committed
    if committed is not None:
        return SeedUsed.from_beacon(committed)
    if begun is not None:
        return SeedUsed(begun.seed, "run file")
    if divided:
        raise UsageError(
            "a shard or a range of samples is a part of a run, and all its parts need one seed; "
            "give them the same --seed"
        )
    return SeedUsed(fresh_seed(), "operating system")


def _as_begun(begun: Header, sample: Sample | None) -> Sample | None:
    """Return the sample as a file of the first version took it without being told so."""
    first = begun.data.sample is not None and begun.data.sample.first
    if sample is None or sample.limit is None or sample.seed is not None or not first:
        return sample
    return replace(sample, first=True)


def _reading_as_begun(begun: Header, opening: dict[str, Any]) -> dict[str, Any]:
    """Return how data are read, with pictures as a file of the first version took them."""
    reading = opening.get("reading")
    if reading is None:
        return opening | {"exif": begun.data.exif}
    return opening | {"reading": replace(reading, exif=begun.data.exif)}


def _tell_part(
    job: Job, shard: Shard | None, samples: SampleRange | None, listener: Listener
) -> None:
    """Tell which part of a run this is, and that it is only a part."""
    inputs = len(job.indices)
    if shard is not None:
        listener.said("shard", f"{shard}: {shard.size(inputs):,} of {inputs:,} inputs")
    if samples is not None:
        listener.said("counts", f"of the samples {samples} only, without certificates")
    if shard is not None or samples is not None:
        listener.said("then", "put the parts together with: rsonnx merge PART... -o RUN")


def _read_inputs(job: Job, listener: Listener) -> Manifest:
    """Read every input once, before hours of work, and say what they are."""
    total = len(job.indices)
    due = time.monotonic() + _SAY_EVERY

    def seen(count: int) -> None:
        nonlocal due
        if time.monotonic() >= due:
            due += _SAY_EVERY
            listener.said("manifest", f"{count:,} of {total:,} inputs read")

    manifest = make_manifest(job, seen)
    listener.said(
        "manifest", f"all {total:,} inputs can be read (sha256 {manifest.sha256[:16]}...)"
    )
    tell_dark_pictures(job, manifest, listener.said)
    return manifest
