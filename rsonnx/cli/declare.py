"""``rsonnx declare``: write what is to be declared of a model into its file, once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from cloup import command

from rsonnx.cli.options import model_argument, model_output_option


@command()
@model_argument
@click.option(
    "--preprocess",
    metavar="TEXT",
    help="What the model expects done to a pixel in [0, 1], as `rsonnx certify` takes it.",
)
@click.option(
    "--bounds",
    type=float,
    nargs=2,
    metavar="LOW HIGH",
    help="Lowest and highest value of an input: the units of sigma and of the radius.",
)
@click.option(
    "--classes",
    type=click.Path(path_type=Path),
    help="File that names the classes in the order of the model's outputs, as for certify.",
)
@click.option(
    "--trained",
    metavar="NOISE,KEY=VALUE",
    help="Noise that the model was trained with: gaussian,sigma=0.5.",
)
@click.option(
    "--replace",
    is_flag=True,
    help="Put it in place of what the model says otherwise, which is refused without.",
)
@model_output_option
def declare(model: Path, classes: Path | None, output: Path, **declared: Any) -> None:
    """Write what is declared of the ONNX file MODEL into a copy of it, so that nothing is typed
    twice: preprocessing, bounds, class names, and the noise of its training.

    The copy is another file with another SHA-256, the same graph and the same answers. Weights that
    lie beside MODEL are put into it. Every command and the library read what it says.

    \b
    Example:
      rsonnx declare mnist.onnx --preprocess mnist --trained gaussian,sigma=0.5 -o declared.onnx
    """
    from rsonnx import api
    from rsonnx.cli.terminal import Terminal, say
    from rsonnx.data import read_class_names
    from rsonnx.model.read import sha256_of
    from rsonnx.smoothing import in_child

    names = None if classes is None else read_class_names(classes)
    in_child(sha256_of, model)  # a stranger's file is read in a child process first
    api.declare(model, classes=names, output=output, listener=Terminal(), **declared)
    say("declared", f"in {output}; name it in place of {model}")
