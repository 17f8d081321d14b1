"""``rsonnx falsify``: how far from a run's inputs its smoothed classifier answers otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from cloup import command, option_group

from rsonnx.cli.options import (
    data_argument,
    data_file_options,
    details_option,
    json_option,
    model_argument,
    quiet_option,
    time_limit_option,
)
from rsonnx.cli.settings import provider_names
from rsonnx.cli.terminal import Terminal, given_words, show
from rsonnx.data import DataSettings
from rsonnx.errors import RunFileError, UsageError
from rsonnx.report import printable


@command()
@model_argument
@data_argument
@click.option(
    "--run",
    type=click.Path(path_type=Path),
    required=True,
    help="The run file of MODEL and DATA whose certificates are held against breaks.",
)
@option_group(
    "Sampling",
    click.option(
        "--draws",
        type=int,
        default=5_000,
        show_default=True,
        help="Samples that a direction is made of, for each round.",
    ),
    click.option(
        "--rounds",
        type=int,
        default=6,
        show_default=True,
        help="How often the direction is taken anew where two classes are answered equally often.",
    ),
    click.option(
        "--n",
        type=int,
        default=20_000,
        show_default=True,
        help="Samples that confirm the one candidate of an input.",
    ),
    click.option(
        "--seed",
        type=int,
        help="Seed of the noise, at least 0. [default: 128 bits from the operating system]",
    ),
    click.option(
        "--providers",
        metavar="NAME",
        help="Execution provider. [default: the one that the run was made on]",
    ),
    time_limit_option,
)
@option_group("Inputs", *data_file_options)
@option_group(
    "Output",
    click.option(
        "--output",
        "-o",
        type=click.Path(path_type=Path),
        help="File to write (JSON lines), and beside it an .npz of the inputs that breaks lead to; "
        "without --resume neither must exist yet.",
    ),
    click.option("--resume", is_flag=True, help="Go on with the file where it ended."),
    click.option(
        "--check",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Check a file that was written: measure every break again, and draw again the noise "
        "that confirmed it. The exit code is 1 where it does not hold.",
    ),
    quiet_option,
    json_option,
    details_option,
)
def falsify(model: Path, data: Path, run: Path, as_json: bool, details: bool, **given: Any) -> None:
    """Look, near each certified input of a run, for an input that is answered otherwise.

    A certificate says how far the answer stays; this says how far it does not: certified to R,
    broken at R'. The direction comes from the run's own noise, and the one candidate of an input,
    on its grid and within the bounds, is confirmed on fresh noise at the run's alpha divided by its
    inputs. A break inside a certified radius is confirmed once more at 1e-9. Certificates may be
    false with probability alpha each: as many breaks as that explains are reported; of more, which
    a true run has once in a million, the exit code is 1.

    \b
    Example:
      rsonnx falsify mnist.onnx images/ --run mnist.jsonl -o broken.jsonl
      rsonnx falsify mnist.onnx images/ --run mnist.jsonl --check broken.jsonl
    """
    from rsonnx import runs
    from rsonnx.report.broken import broken_report
    from rsonnx.smoothing.falsify import Effort

    opening = {
        "providers": provider_names(given["providers"]),
        "time_limit_per_call": given["time_limit_per_call"],
        **{name: given[name] for name in DataSettings.FILES},
    }
    if (given["check"] is None) == (given["output"] is None):
        raise UsageError("falsify takes either -o, a file to write, or --check, one to check")
    if given["check"] is not None:
        breaks = runs.read_breaks(given["check"])
        with Terminal() as terminal:
            faults = runs.check_breaks(breaks, model, data, run, listener=terminal, **opening)
        show(broken_report(breaks, details=details), _form(as_json), details=details)
        for fault in faults:
            at = "" if fault.index is None else f"input {fault.index}: "
            click.echo(printable(f"{at}{fault.what}"), err=True)
        if faults:
            raise RunFileError(f"{given['check']} does not hold: {len(faults)} faults found")
    else:
        with Terminal(given_words()) as terminal:
            breaks = runs.falsify(
                model,
                data,
                run,
                effort=Effort(given["draws"], given["rounds"], given["n"]),
                seed=given["seed"],
                output=given["output"],
                resume=given["resume"],
                listener=terminal,
                **opening,
            )
        show(broken_report(breaks, details=details), _form(as_json), details=details)
    if not breaks.holds:
        raise RunFileError(
            f"{run} does not hold: {len(breaks.false)} certificates are broken inside their "
            f"radius, of which chance explains {breaks.expected}"
        )


def _form(as_json: bool) -> str:
    return "json" if as_json else "table"
