"""Certify a data set: open it, check it, run it into its file, or go on with one."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rsonnx.data import Exif
from rsonnx.errors import CouplingError, UsageError
from rsonnx.listener import Extent, Listener
from rsonnx.noise import STREAM_VERSION, Law, check_seed, fresh_seed
from rsonnx.procedures import Adaptive, CountRange, Fixed, Procedure, certify_procedure
from rsonnx.runs.files import Run
from rsonnx.runs.header import Header
from rsonnx.runs.job import Job
from rsonnx.runs.keep import keep_rows
from rsonnx.runs.manifest import Manifest, make_manifest
from rsonnx.runs.new_header import SeedUsed, new_header
from rsonnx.runs.opening import Data, Model, Noise, asked, open_job, settings_in
from rsonnx.runs.partial import Checkpoint, check_partial
from rsonnx.runs.parts import SampleRange, Shard
from rsonnx.runs.resume import check_continues
from rsonnx.runs.rows import CountsRow, Row
from rsonnx.runs.sample import Sample
from rsonnx.runs.telling import (
    tell_clean_accuracy,
    tell_dark_pictures,
    tell_job,
    tell_samples,
)
from rsonnx.runs.work import Work, do_work
from rsonnx.runs.writing import RunWriter, check_output
from rsonnx.statistics import DEFAULT_BOUND, family_wise_alpha, fewest_samples_to_exceed_half

_SAY_EVERY = 10.0
"""Seconds between two words about the reading of inputs."""


@dataclass(frozen=True)
class Rules:
    """How inputs are certified, before the noise and the model are known.

    Attributes:
        n0, n: selection and estimation samples, or the most of them, >= 1.
        alpha: probability of error an input, in (0, 1); with ``family_wise`` of any error at all.
        bound: name of a sound bound on a probability; ``rsonnx bounds`` lists them.
        radius: ``"one-sided"`` or ``"two-sided"``.
        target_radii: radii to decide adaptively, rising, each > 0.
        adaptive: whether all radii of the table are decided so.
        family_wise: whether the inputs share ``alpha``.
    """

    n0: int = 100
    n: int = 100_000
    alpha: float = 0.001
    bound: str = DEFAULT_BOUND
    radius: str = "one-sided"
    target_radii: Sequence[float] | None = None
    adaptive: bool = False
    family_wise: bool = False

    def __post_init__(self) -> None:
        if self.target_radii is not None and self.adaptive:
            raise UsageError(
                "a target radius decides that radius and adaptive all of the table; give one of "
                "them"
            )

    def procedure(
        self,
        noise: Law,
        *,
        num_classes: int | None,
        shape: tuple[int, ...] | None = None,
        inputs: int = 1,
    ) -> Procedure:
        """Return the procedure that is meant, or refuse one that can never certify anything.

        Args:
            noise: the smoothing distribution; n0, n and alpha mean nothing to one that is
                enumerated.
            num_classes: K, None where it is not known.
            shape: of an input, where it is known.
            inputs: how many share ``alpha``, where it is family-wise.

        Raises:
            UsageError: an argument is out of range, or n is too small for alpha.
        """
        targets = self.target_radii
        if noise.enumerated:
            if self.family_wise:
                raise UsageError(
                    f"family-wise alpha was asked for, but {noise.name} noise is counted in full, "
                    "so no certificate can be wrong by chance; leave it out"
                )
            targets = (0.0,) if self.adaptive else targets
        alpha = self.alpha
        if self.family_wise:
            alpha = family_wise_alpha(alpha, inputs)
        if not noise.enumerated:
            self._check(Fixed(noise, self.n0, self.n, alpha, self.bound, self.radius, num_classes))
            if self.adaptive:
                targets = Adaptive.of_table(noise, self.n0, self.n, alpha).target_radii
        return certify_procedure(
            noise,
            shape=shape,
            n0=self.n0,
            n=self.n,
            alpha=alpha,
            bound=self.bound,
            radius=self.radius,
            target_radii=targets,
            num_classes=num_classes,
        )

    def _check(self, fixed: Fixed) -> None:
        least = fewest_samples_to_exceed_half(fixed.alpha)
        if self.n < least:
            raise UsageError(
                f"n = {self.n} at alpha = {fixed.alpha:g} can never certify anything; the "
                f"smallest n that can is {least}"
            )
        if fixed.largest_radius <= 0.0:
            raise UsageError(
                f"n = {self.n} at alpha = {fixed.alpha:g} can never certify anything with the "
                f"bound {self.bound} and the {self.radius} radius; use a larger n"
            )


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
            raise UsageError("a run file is to be gone on with, but none was named; add -o RUN")
        if not 0 <= self.checkpoint < math.inf:
            raise UsageError(
                f"checkpoint is {self.checkpoint:g}, but a number of seconds of at least 0 was "
                "expected"
            )


def certify(
    model: Model,
    data: Data,
    *,
    sigma: float | None = None,
    noise: Noise | None = None,
    n0: int = 100,
    n: int = 100_000,
    alpha: float = 0.001,
    bound: str = DEFAULT_BOUND,
    radius: str = "one-sided",
    target_radii: Sequence[float] | None = None,
    adaptive: bool = False,
    family_wise: bool = False,
    sample: Sample | None = None,
    seed: int | None = None,
    output: str | os.PathLike[str] | None = None,
    resume: bool = False,
    checkpoint: float = 30.0,
    shard: Shard | None = None,
    samples: SampleRange | None = None,
    exif: Exif = "apply",
    listener: Listener | None = None,
    words: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
    **opening: Any,
) -> Run:
    """Certify the inputs of a data set for an ONNX classifier: CERTIFY, arXiv 1902.02918.

    Args:
        model: a file, its bytes, a parsed model, or what :func:`rsonnx.load` returned.
        data: a folder, archive or file; inputs, or (inputs, labels), as arrays; a data set.
        sigma: standard deviation of the noise, in the units of the model's bounds.
        noise: another smoothing distribution, see :mod:`rsonnx.runs.opening`.
        n0, n, alpha, bound, radius, target_radii, adaptive, family_wise: see :class:`Rules`.
        sample: which inputs are taken; None takes all.
        seed: of the noise, >= 0; None draws 128 bits from the operating system.
        output: run file, which must not exist unless ``resume`` goes on with it; None keeps none.
        resume: go on with ``output`` where it ended, however it ended; start it if there is none.
        checkpoint: how often the counts of unfinished inputs are kept, in seconds; 0 for never.
        shard, samples: the part of the run that is done; None for all of it.
        exif: whether pictures are turned as their orientation says.
        listener: hears what is done; None tells nobody.
        words: the words of a command line, for the header.
        options: its options by name, as they were given, for the header.
        opening: further arguments of :func:`open_job` and of :func:`rsonnx.load`: ``classes``,
            ``share_noise``, ``bounds``, ``preprocess``, ``providers``, ``batch_size`` ...

    Returns:
        The run, with the rows of an earlier session; counts of a range are in its file alone.

    Raises:
        RsonnxError: an argument, the model, an input or the output is not as it must be. A run
            that was begun stays resumable, whatever ends it.
    """
    keeping = Keeping(None if output is None else Path(output), resume, checkpoint)
    rules = Rules(n0, n, alpha, bound, radius, target_radii, adaptive, family_wise)
    listener = listener or Listener()
    meant = asked(noise, sigma)
    early = meant if isinstance(meant, Law) else meant.early()
    if early is not None and not early.enumerated:  # and again for the model's own number
        _check_range(rules.procedure(early, num_classes=2), samples)
    if samples is not None and keeping.output is None:
        raise UsageError(
            "a range of samples makes counts that certify nothing before they are merged; name a "
            "run file for them with -o"
        )
    with contextlib.ExitStack() as stack:
        reopened = _reopen(keeping, listener)
        if reopened is not None:
            stack.enter_context(reopened)
        begun = None if reopened is None or reopened.part is None else reopened.part.header
        used = _seed(seed, begun, divided=shard is not None or samples is not None)
        stream = STREAM_VERSION
        if begun is not None:
            stream = begun.stream
            if begun.first_version:  # which took the first inputs, and pictures as they are stored
                exif, sample = begun.data.exif, _as_begun(begun, sample)
        job = open_job(
            model,
            data,
            stack,
            noise=meant,
            sample=sample,
            exif=exif,
            stream_version=stream,
            **opening,
        )
        procedure = rules.procedure(
            job.smoothed.noise,
            num_classes=job.model.num_classes,
            shape=job.shape,
            inputs=len(job.indices),
        )
        _check_range(procedure, samples)
        tell_job(job, used, listener.said)
        tell_samples(procedure, listener.said)
        _tell_part(job, shard, samples, listener)
        manifest = _read_inputs(job, listener)
        tell_clean_accuracy(job, listener.said)
        header = new_header(
            job,
            procedure,
            seed=used,
            given=words,
            resolved=_resolved(job, _recordable(opening) if options is None else options, exif),
            family_wise=alpha if family_wise else None,
            manifest=manifest.sha256,
            shard=shard,
            samples=samples,
        )
        indices = job.indices if shard is None else shard.take(job.indices)
        work = Work(job, procedure, used.value, indices, samples, manifest)
        rows = _run(work, header, manifest, keeping, reopened, listener)
    certified = tuple(row for row in rows if isinstance(row, Row))
    return Run(keeping.output or Path("a run that is not kept"), header, certified, "complete")


def _check_range(procedure: Procedure, samples: SampleRange | None) -> None:
    if samples is not None:
        CountRange(procedure, samples.start, samples.stop)


def _reopen(keeping: Keeping, listener: Listener) -> RunWriter | None:
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


def _seed(seed: int | None, begun: Header | None, *, divided: bool) -> SeedUsed:
    """Return the seed: the one that was given, that of the file to go on with, or a fresh one."""
    if seed is not None:
        return SeedUsed(check_seed(seed), "argument")
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


def _recordable(opening: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call of the library as a command line would have had them."""
    named = ("noise", "classes", "share_noise", "settings", "engine")
    further = {name: value for name, value in opening.items() if name not in named}
    settings, engine = settings_in(opening.get("settings"), opening.get("engine"), further)
    classes = opening.get("classes")
    return settings.to_json() | {
        "classes": str(classes) if isinstance(classes, Path) else None,
        "tf32": engine.tf32,
    }


def _resolved(job: Job, options: Mapping[str, Any], exif: Exif) -> dict[str, Any]:
    """Return every option as it was resolved, under the names of the command line.

    They are what a replay reads the inputs and the model by.
    """
    facts, sample = job.model.facts, job.sample
    resolved = {
        **options,
        "model": options.get("model", facts["file"]),
        "data": str(job.dataset.path),
        "exif": exif,
        "limit": sample.limit,
        "skip_every": sample.skip_every,
        "first": sample.first,
        "sample": sample.seed,
        "bounds": list(job.model.bounds),
        "preprocess": facts["preprocess"],
        "providers": facts["providers"]["used"],
        "batch_size": job.smoothed.batch_size,
    }
    return dict(sorted(resolved.items()))


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


def _run(
    work: Work,
    header: Header,
    manifest: Manifest,
    keeping: Keeping,
    reopened: RunWriter | None,
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
        listener.said("warning", "the rows are not kept; name a run file with -o to keep them")
        with _saying_where_it_stopped(None, lambda: len(rows), len(inputs), listener):
            listener.begun(extent)
            for row in do_work(work, progress=listener.drawn):
                finished(row)
        return rows
    writer = _writer(keeping.output, header, reopened, listener)
    checkpoint = Checkpoint(keeping.output, writer.identity, manifest, seconds=keeping.checkpoint)
    if part is not None:
        work = replace(work, answered=_kept(checkpoint, len(rows), inputs, listener))
    with _saying_where_it_stopped(keeping.output, lambda: writer.rows, len(inputs), listener):
        listener.begun(extent)
        keep_rows(work, writer, checkpoint, finished=finished, progress=listener.drawn)
    return rows


def _writer(
    output: Path, header: Header, reopened: RunWriter | None, listener: Listener
) -> RunWriter:
    if reopened is None:
        writer = RunWriter(output, header.to_json())
    else:
        writer = reopened
        writer.go_on(header.to_json())
    if not writer.locked:
        listener.said(
            "warning",
            f"the file system of {output} has no locks; see to it that no second process writes "
            "the file",
        )
    return writer


def _kept(
    checkpoint: Checkpoint, done: int, inputs: Sequence[int], listener: Listener
) -> Mapping[int, Any]:
    """Return the counts of unfinished inputs that need not be drawn again, and say so."""
    kept = checkpoint.read(inputs[done:])
    if kept.problem is not None:
        listener.said("warning", f"{checkpoint.path} is not used: {kept.problem}")
    more = f", and {kept.samples:,} samples of {len(kept.answers)} more" if kept.samples else ""
    listener.said("resume", f"{done} of {len(inputs)} inputs are done{more}")
    return kept.answers


@contextlib.contextmanager
def _saying_where_it_stopped(
    output: Path | None, done: Callable[[], int], total: int, listener: Listener
) -> Iterator[None]:
    try:
        yield
    except CouplingError:
        kept = "" if output is None else f", in {output}"
        listener.said("void", f"all that was done: {done()} of {total} inputs{kept}")
        raise
    except BaseException:
        holds = "" if output is None else f"; {output} holds them"
        listener.said("stopped", f"after {done()} of {total} inputs{holds}")
        raise


def _certified(row: Row | CountsRow) -> bool:
    return isinstance(row, Row) and not row.abstained
