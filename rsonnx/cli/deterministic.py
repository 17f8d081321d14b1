"""``rsonnx deterministic``: verify the model itself, and show that beside a smoothed run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from cloup import command, option_group

from rsonnx.cli.options import (
    data_argument,
    input_options,
    json_option,
    model_argument,
    model_options,
    quiet_option,
    time_limit_option,
)
from rsonnx.deterministic.question import ARITHMETICS, METHODS, NORMS


@command()
@model_argument
@data_argument
@option_group(
    "Question",
    click.option(
        "--norm",
        type=click.Choice(NORMS),
        default=NORMS[0],
        show_default=True,
        help="In which a radius is measured.",
    ),
    click.option(
        "--epsilon",
        type=float,
        metavar="E",
        help="Only decide whether each input is certified at this radius. [default: search the "
        "largest]",
    ),
    click.option(
        "--within-bounds",
        is_flag=True,
        help="Leave out points beyond --bounds, as VNN-COMP does; certify never does.",
    ),
    click.option(
        "--method",
        type=click.Choice(METHODS),
        default=METHODS[0],
        show_default=True,
        help="How scores are bounded: each layer backwards (crown), the scores alone, or by "
        "intervals; cheaper and weaker in this order.",
    ),
    click.option(
        "--arithmetic",
        type=click.Choice(ARITHMETICS),
        default=ARITHMETICS[0],
        show_default=True,
        help="Certify the file as it runs, in float32 on a processor, or the function that it "
        "states in real numbers.",
    ),
    click.option(
        "--run",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Run file of the same model and data to stand beside. The inputs and how they are "
        "read are then the run's.",
    ),
)
@option_group("Model", *model_options, time_limit_option)
@input_options
@option_group(
    "Output",
    click.option(
        "--output",
        "-o",
        type=click.Path(path_type=Path),
        help="File to write (JSON lines), a line an input as it is done; it must not exist yet.",
    ),
    quiet_option,
    json_option,
)
def deterministic(model: Path, data: Path, as_json: bool, **given: Any) -> None:
    """Certify what MODEL itself answers around the inputs in DATA, without noise or chance.

    Scores are bounded over a ball by CROWN, rounded outward, for models of Gemm, Conv, ReLU,
    average pooling, sums and what folds into them; any other operator is named and refused. A
    radius speaks of the model itself, and not of the smoothed classifier of `rsonnx certify`: with
    --run both stand side by side. DATA is what `rsonnx certify` takes.

    \b
    Example:
      rsonnx deterministic mnist.onnx images/ --norm linf --limit 10
      rsonnx deterministic mnist.onnx images/ --run mnist.jsonl
    """
    from rsonnx import runs
    from rsonnx.cli.terminal import Terminal, show
    from rsonnx.report import base_certificates_report

    asked = {name: given[name] for name in _ASKED}
    made = runs.deterministic(model, data, **asked, **_opening(given), listener=Terminal())
    show(base_certificates_report(made), "json" if as_json else "table")


_ASKED = ("norm", "epsilon", "within_bounds", "method", "arithmetic", "run", "output")


def _opening(given: dict[str, Any]) -> dict[str, Any]:
    """Return what the options on the model and the data mean to the call.

    Raises:
        UsageError: with a run, an option that the run has settled.
    """
    from rsonnx.cli.settings import data_settings, model_settings
    from rsonnx.data import DataSettings
    from rsonnx.errors import UsageError
    from rsonnx.runs.sample import Sample

    limit = {"time_limit_per_call": given["time_limit_per_call"]}
    if given["run"] is None:
        sample = Sample(given["limit"], given["skip_every"], given["first"], given["sample"])
        settings, reading = model_settings(given), data_settings(given)
        return {"settings": settings, "reading": reading, "sample": sample} | limit
    free = {*_ASKED, *DataSettings.FILES, *limit, "quiet", "model", "data", "as_json"}
    context = click.get_current_context()
    for name in given:
        source = context.get_parameter_source(name)
        if source is ParameterSource.COMMANDLINE and name not in free:
            raise UsageError(
                f"--{name.replace('_', '-')} was given beside --run, whose file settles it; leave "
                "it out"
            )
    return {name: given[name] for name in DataSettings.FILES} | limit
