"""``rsonnx certify``: certify the inputs of a data set."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any

import click

from rsonnx.certificate import RADIUS_RULES, AdaptiveSamples
from rsonnx.cli.opening import choose_seed, open_job
from rsonnx.cli.options import (
    alpha_option,
    data_argument,
    input_options,
    json_option,
    loading_options,
    model_argument,
    sampling_options,
    sigma_option,
)
from rsonnx.cli.preflight import check_certify, say, say_clean_accuracy, say_job, say_samples
from rsonnx.cli.progress import ProgressLine
from rsonnx.cli.tables import figures_of, print_runs
from rsonnx.errors import DataError, InferenceError
from rsonnx.report import default_radii
from rsonnx.runs import (
    Arguments,
    Job,
    RunWriter,
    certify_header,
    certify_inputs,
    check_output,
)
from rsonnx.statistics import DEFAULT_BOUND, family_wise_alpha


@click.command()
@model_argument
@data_argument
@sigma_option
@click.option(
    "--n0", type=int, default=100, show_default=True, help="Samples that choose the class."
)
@click.option(
    "--n", type=int, default=100_000, show_default=True, help="Samples that bound its probability."
)
@alpha_option
@click.option(
    "--bound",
    default=DEFAULT_BOUND,
    show_default=True,
    metavar="NAME",
    help="Confidence bound on the probability; `rsonnx bounds` shows them all.",
)
@click.option(
    "--radius",
    type=click.Choice(RADIUS_RULES),
    default="one-sided",
    show_default=True,
    help="From the top class alone, or from the top class and every other.",
)
@click.option(
    "--target-radius",
    type=float,
    metavar="R",
    help="Only decide whether each input is certified at this radius, with as few samples as that "
    "takes; --n0 and --n are then ceilings.",
)
@click.option(
    "--adaptive",
    is_flag=True,
    help="The same for all radii of the table at once.",
)
@click.option(
    "--family-wise",
    is_flag=True,
    help="Let alpha be the probability of any wrong certificate among all inputs: each gets its "
    "share.",
)
@sampling_options
@loading_options
@input_options
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    help="Run file to write (JSON lines); it must not exist yet.",
)
@json_option
def certify(model: Path, data: Path, output: Path | None, as_json: bool, **given: Any) -> None:
    """Certify the inputs in DATA for the ONNX classifier MODEL by randomized smoothing.

    DATA is an image folder (class/name.png), the same in a zip, an npz file with x and y, or
    MNIST's idx format. The table goes to stdout, every count, bound and radius to the run file.

    \b
    Example:
      rsonnx certify mnist.onnx images/ --sigma 0.5 --n 10000 -o mnist.jsonl
    """
    check_certify(given, num_classes=2)  # early; once more when the model says how many it has
    seed = choose_seed(given["seed"])
    if output is not None:
        check_output(output)
    job = open_job(model, data, given)
    family_wise = given["alpha"] if given["family_wise"] else None
    alpha = given["alpha"]
    if family_wise is not None:
        alpha = family_wise_alpha(family_wise, len(job.indices))
    procedure = check_certify(given | {"alpha": alpha}, job.model.num_classes)
    say_job(job, seed)
    say_samples(procedure)
    say_clean_accuracy(job)
    if output is None:
        say("warning", "the rows are not kept; name a run file with -o to keep them")
    header = certify_header(
        job,
        procedure,
        seed=seed,
        arguments=_arguments(model, data, given, job),
        family_wise=family_wise,
    )
    rows = []
    with contextlib.ExitStack() as stack:
        writer = stack.enter_context(RunWriter(output, header)) if output else None
        progress = stack.enter_context(ProgressLine(len(job.indices), procedure.samples))
        try:
            for row in certify_inputs(job, procedure, seed=seed.value, progress=progress.drawn):
                if writer is not None:
                    writer.write(row)
                rows.append(row)
                progress.finished(certified=not row.abstained)
        except (KeyboardInterrupt, DataError, InferenceError):
            kept = f"; {output} holds them" if output else ""
            progress.clear()
            say("stopped", f"after {len(rows)} of {len(job.indices)} inputs{kept}")
            raise
    rule = procedure.rule
    radii = (
        (0.0, *rule.target_radii)
        if isinstance(rule, AdaptiveSamples)
        else default_radii(rule.largest_radius)
    )
    print_runs([figures_of(header, "complete", rows, radii)], as_json=as_json)


def _arguments(model: Path, data: Path, given: dict[str, Any], job: Job) -> Arguments:
    facts = job.model.facts
    resolved = given | {
        "model": str(model),
        "data": str(data),
        "classes": None if given["classes"] is None else str(given["classes"]),
        "bounds": list(job.model.bounds),
        "preprocess": facts["preprocess"],
        "providers": facts["providers"]["used"],
        "batch_size": job.smoothed.batch_size,
    }
    return Arguments(sys.argv[1:], {k: v for k, v in resolved.items() if k != "seed"})
