"""``rsonnx preview``: a picture of noisy inputs and the model's answers to them."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
from cloup import command, option_group

from rsonnx.cli.noises import interval_options, noise_option, short_options
from rsonnx.cli.options import (
    choice_options,
    data_argument,
    data_options,
    json_option,
    loading_options,
    model_argument,
    sampling_options,
)


@command()
@model_argument
@data_argument
@option_group(
    "Noise",
    noise_option,
    *short_options,
    *interval_options,
    click.option(
        "--sigma",
        "sigmas",
        multiple=True,
        metavar="S,S,...",
        help="Standard deviations of the noise, one a column, separated by commas or given again, "
        "in the units of --bounds.",
    ),
)
@option_group(
    "Sampling",
    click.option(
        "--n0",
        type=int,
        default=100,
        show_default=True,
        help="Noisy samples whose answers are counted, for each input and sigma.",
    ),
    *sampling_options,
)
@loading_options
@option_group(
    "Inputs",
    click.option(
        "--limit",
        type=int,
        default=4,
        show_default=True,
        metavar="INT",
        help="Take at most so many inputs, spread evenly over the data.",
    ),
    *choice_options,
    *data_options,
)
@option_group(
    "Output",
    click.option(
        "--output",
        "-o",
        type=click.Path(path_type=Path),
        required=True,
        help="Picture to write, by its ending: .png, .svg or .pdf; it must not exist yet.",
    ),
    json_option,
)
def preview(model: Path, data: Path, output: Path, as_json: bool, **given: Any) -> None:
    """Show inputs under noise and what the model answers, so that one sees what sigma means.

    The picture has a row an input and a column a sigma, with the noisy sample that `rsonnx
    certify` would draw first with the same --seed, without --share-noise. Stdout has a line for
    each: name, label, answer without noise, sigma, answer to the sample, most frequent class, and
    how many of --n0 samples got it; with --json one object an input. DATA is what `rsonnx certify`
    takes, if it is images.

    \b
    Example:
      rsonnx preview mnist.onnx images/ --sigma 0.25,0.5,1 -o preview.png
      rsonnx preview mnist.onnx images/ --noise laplace --sigma 0.25,0.5 -o preview.svg
    """
    from rsonnx.cli.previewing import show

    with ExitStack() as stack:
        show(model, data, output, given, stack, as_json=as_json)
