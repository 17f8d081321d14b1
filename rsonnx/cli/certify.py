"""``rsonnx certify``: certify the inputs of a data set."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from cloup import command, option_group

from rsonnx.certificate import RADIUS_RULES, AdaptiveSamples
from rsonnx.cli.noises import asked_noise, noise_options
from rsonnx.cli.opening import choose_seed, open_job
from rsonnx.cli.options import (
    alpha_option,
    data_argument,
    engine_options,
    input_options,
    json_option,
    keeping_options,
    loading_options,
    model_argument,
    part_options,
    quiet_option,
    sampling_options,
    share_noise_option,
)
from rsonnx.cli.preflight import (
    check_certify,
    say,
    say_classes,
    say_clean_accuracy,
    say_job,
    say_samples,
)
from rsonnx.cli.running import Keeping, read_inputs, reopen, run
from rsonnx.cli.stopping import stoppable
from rsonnx.errors import RunFileError, UsageError
from rsonnx.noise import STREAM_VERSION, norm_named
from rsonnx.report import FORMATS, accuracy_report, default_radii, figures_of
from rsonnx.runs import (
    Arguments,
    Job,
    Row,
    RunWriter,
    SampleRange,
    SeedUsed,
    Shard,
    Work,
    certify_header,
    counting,
    recorded_seed,
)
from rsonnx.runs.fields import stream_field
from rsonnx.runs.header import recorded_exif
from rsonnx.runs.identity import is_first_version
from rsonnx.runs.sample import sample_field
from rsonnx.smoothing import CertifyProcedure
from rsonnx.statistics import DEFAULT_BOUND, family_wise_alpha


@command()
@model_argument
@data_argument
@option_group(
    "Noise",
    noise_options,
)
@option_group(
    "Certificate",
    alpha_option,
    click.option(
        "--bound",
        default=DEFAULT_BOUND,
        show_default=True,
        metavar="NAME",
        help="Confidence bound on the probability; `rsonnx bounds` shows them all.",
    ),
    click.option(
        "--radius",
        type=click.Choice(RADIUS_RULES),
        default="one-sided",
        show_default=True,
        help="From the top class alone, or from the top class and every other.",
    ),
    click.option(
        "--target-radius",
        type=float,
        metavar="R",
        help="Only decide whether each input is certified at this radius, with as few samples as "
        "that takes; --n0 and --n are then ceilings.",
    ),
    click.option(
        "--adaptive",
        is_flag=True,
        help="The same for all radii of the table at once.",
    ),
    click.option(
        "--family-wise",
        is_flag=True,
        help="Let alpha be the probability of any wrong certificate among all inputs: each gets "
        "its share.",
    ),
)
@option_group(
    "Sampling",
    click.option(
        "--n0", type=int, default=100, show_default=True, help="Samples that choose the class."
    ),
    click.option(
        "--n",
        type=int,
        default=100_000,
        show_default=True,
        help="Samples that bound its probability.",
    ),
    sampling_options,
    share_noise_option,
)
@loading_options
@engine_options
@input_options
@option_group(
    "Output",
    part_options,
    keeping_options,
    quiet_option,
    json_option,
)
def certify(model: Path, data: Path, as_json: bool, **given: Any) -> None:
    """Certify the inputs in DATA for the ONNX classifier MODEL by randomized smoothing.

    DATA is an image folder (class/name.png), the same in a zip, an npz file with x and y, or
    MNIST's idx format. The table goes to stdout, every count, bound and radius to the run file.
    However a run ends, the same command with --resume goes on where it was.

    \b
    Example:
      rsonnx certify mnist.onnx images/ --sigma 0.5 --n 10000 -o mnist.jsonl
      rsonnx certify mnist.onnx images/ --sigma 0.5 --n 10000 -o mnist.jsonl --resume
      rsonnx certify mnist.onnx images/ --sigma 0.5 --seed 1 --shard 3/8 -o part3.jsonl
    """
    keeping = Keeping(given.pop("output"), given.pop("resume"), given.pop("checkpoint"))
    del given["quiet"]  # `say` looks it up
    which = _which(given.pop("shard"), given.pop("samples"), keeping)
    noise = asked_noise(given).early()
    if noise is not None and not noise.enumerated:
        early = check_certify(given, noise, num_classes=2)  # and again for the model's own number
        if which.samples is not None:
            counting(early, which.samples)
    with contextlib.ExitStack() as stack:
        stack.enter_context(stoppable())
        reopened = reopen(keeping)
        if reopened is not None:
            stack.enter_context(reopened)
        seed = _seed(given["seed"], reopened, which)
        given = _as_begun(reopened, given)
        job = open_job(model, data, given, stack, stream_version=given.pop("stream_version"))
        family_wise = given["alpha"] if given["family_wise"] else None
        alpha = given["alpha"]
        if family_wise is not None:
            alpha = family_wise_alpha(family_wise, len(job.indices))
        procedure = check_certify(
            given | {"alpha": alpha},
            job.smoothed.noise,
            num_classes=job.model.num_classes,
            shape=job.shape,
        )
        if which.samples is not None:
            counting(procedure, which.samples)
        say_job(job, seed)
        say_classes(job)
        say_samples(procedure)
        _say_part(which, job)
        manifest = read_inputs(job)
        say_clean_accuracy(job)
        header = certify_header(
            job,
            procedure,
            seed=seed,
            arguments=_arguments(model, data, given, job),
            family_wise=family_wise,
            manifest=manifest.sha256,
            shard=which.shard,
            samples=which.samples,
        )
        indices = job.indices if which.shard is None else which.shard.take(job.indices)
        work = Work(job, procedure, seed.value, indices, which.samples)
        rows = run(work, header, manifest, keeping, reopened)
    certified = [row for row in rows if isinstance(row, Row)]
    radii = _table_radii(procedure)
    figures = [figures_of(header, "complete", certified, radii)] if certified else []
    if figures or as_json:  # counts are no result yet, and a shard may be empty
        click.echo(FORMATS["json" if as_json else "table"](accuracy_report(figures)))


@dataclass(frozen=True)
class _Which:
    """Which part of the run is asked for; None for all of it."""

    shard: Shard | None
    samples: SampleRange | None


_WHOLE = _Which(None, None)


def _which(shard: str | None, samples: str | None, keeping: Keeping) -> _Which:
    found = _Which(
        None if shard is None else Shard.parse(shard),
        None if samples is None else SampleRange.parse(samples),
    )
    if samples is not None and keeping.output is None:
        raise UsageError(
            "--samples makes counts that certify nothing before they are merged; name a run file "
            "for them with -o"
        )
    return found


def _say_part(which: _Which, job: Job) -> None:
    """Tell on stderr which part this is, and that it is only a part."""
    inputs = len(job.indices)
    if which.shard is not None:
        say("shard", f"{which.shard}: {which.shard.size(inputs):,} of {inputs:,} inputs")
    if which.samples is not None:
        say("counts", f"of the samples {which.samples} only, without certificates")
    if which != _WHOLE:
        say("then", "put the parts together with: rsonnx merge PART... -o RUN")


def _seed(given: int | None, reopened: RunWriter | None, which: _Which) -> SeedUsed:
    """Return the seed: the one that was given, that of the file to go on with, or a fresh one."""
    part = None if reopened is None else reopened.part
    if given is None and part is not None:
        return SeedUsed(recorded_seed(part.header), "run file")
    if given is None and which != _WHOLE:
        raise UsageError(
            "--shard and --samples make a part of a run, and all its parts need one seed; give "
            "them the same --seed"
        )
    return choose_seed(given)


def _as_begun(reopened: RunWriter | None, given: dict[str, Any]) -> dict[str, Any]:
    """Return the options with what a file of the first version took without being told so.

    These are the version of the noise, the first inputs where it was limited, and pictures as they
    are stored.
    """
    part = None if reopened is None else reopened.part
    if part is None:
        return given | {"stream_version": STREAM_VERSION}
    try:
        begun: dict[str, Any] = {"stream_version": stream_field(part.header)}
        if is_first_version(part.header):
            first = sample_field(part.header).first and given["sample"] is None
            begun |= {"first": given["first"] or first, "exif": recorded_exif(part.header)}
        return given | begun
    except (KeyError, TypeError, AttributeError, UsageError) as error:
        raise RunFileError(
            f"{part.path}, line 1: the header does not say how its inputs and their noise were "
            f"chosen ({error})"
        ) from None


def _table_radii(procedure: CertifyProcedure) -> tuple[float, ...]:
    rule = procedure.rule
    if isinstance(rule, AdaptiveSamples):
        return (0.0, *rule.target_radii)
    return default_radii(rule.largest_radius, whole=norm_named(rule.noise.norm).whole)


def _arguments(model: Path, data: Path, given: dict[str, Any], job: Job) -> Arguments:
    facts = job.model.facts
    resolved = given | {
        "model": str(model),
        "data": str(data),
        "classes": None if given["classes"] is None else str(given["classes"]),
        # Its numbers are the noise's parameters.
        "sigma_per_feature": None
        if given["sigma_per_feature"] is None
        else str(given["sigma_per_feature"]),
        "bounds": list(job.model.bounds),
        "preprocess": facts["preprocess"],
        "providers": facts["providers"]["used"],
        "batch_size": job.smoothed.batch_size,
    }
    # Sorted, since click hands options over in the order in which they were typed.
    return Arguments(sys.argv[1:], {k: v for k, v in sorted(resolved.items()) if k != "seed"})
