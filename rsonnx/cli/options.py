"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def _stack(*decorators: Callable[[Any], Any]) -> Callable[[Command], Command]:
    def apply(function: Command) -> Command:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply


model_argument = click.argument("model", type=click.Path(path_type=Path))
data_argument = click.argument("data", type=click.Path(path_type=Path))

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for a program.")

sigma_option = click.option(
    "--sigma",
    type=float,
    required=True,
    metavar="FLOAT",
    help="Standard deviation of the noise, in the units of --bounds: with bounds 0 1, 0.25 is a "
    "quarter of a pixel's range.",
)

alpha_option = click.option(
    "--alpha",
    type=float,
    default=0.001,
    show_default=True,
    help="Probability of a wrong statement, for each input.",
)

loading_options = _stack(
    click.option(
        "--bounds",
        type=float,
        nargs=2,
        metavar="LOW HIGH",
        help="Lowest and highest value of an input: the units of sigma and of the radius. "
        "[default: what the model's metadata say, else 0 1]",
    ),
    click.option(
        "--preprocess",
        metavar="TEXT",
        help="What the model expects done to a pixel in [0, 1]: none, zero-one, minus-one-one, "
        "raw-255, mnist, cifar10, imagenet; mean=...,std=...,scale=...,layout=...,channels=bgr,"
        "resize=...,crop=... (with / between numbers), alone or behind a preset; or a file: JSON, "
        "TOML, Hugging Face's preprocessor_config.json, timm's config.json. [default: what the "
        "model's metadata say]",
    ),
    click.option(
        "--output-name",
        metavar="NAME",
        help="The output that holds the class scores, where there are several.",
    ),
    click.option(
        "--threshold",
        type=float,
        help="For a model of one score: class 1 is answered above it (0 is usual for logits, 0.5 "
        "for probabilities).",
    ),
    click.option(
        "--input-shape",
        metavar="D,D,...",
        help="Shape of one input, without the batch, where the file leaves axes open: 3,224,224.",
    ),
    click.option(
        "--feed",
        multiple=True,
        metavar="NAME=VALUE",
        help="Fix an input that is not smoothed to a number, or to numbers separated by commas.",
    ),
    click.option(
        "--providers",
        metavar="NAME",
        help="Execution provider: cpu, cuda, tensorrt or onnxruntime's own name. Nothing falls "
        "back to another. [default: the best that works here]",
    ),
)

classes_option = click.option(
    "--classes",
    type=click.Path(path_type=Path),
    help="File whose line i names class i, for image folders that do not hold every class.",
)

input_options = _stack(
    click.option("--limit", type=int, metavar="INT", help="Take at most so many inputs."),
    click.option(
        "--skip-every",
        type=int,
        default=1,
        metavar="K",
        help="Take every K-th input. [default: 1, every one]",
    ),
    classes_option,
)

sampling_options = _stack(
    click.option(
        "--seed",
        type=int,
        help="Seed of the noise, at least 0. [default: 128 bits from the operating system]",
    ),
    click.option(
        "--batch-size",
        type=int,
        metavar="INT",
        help="Inputs a call of the model; never changes a count. [default: by input size]",
    ),
)
