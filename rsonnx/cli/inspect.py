"""``rsonnx inspect``: what a model file holds and what would be done with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from cloup import command, option_group

from rsonnx.cli.options import data_options, json_option, loading_options, model_argument


@command()
@model_argument
@click.argument("data", type=click.Path(path_type=Path), required=False)
@loading_options
@option_group("Inputs", *data_options)
@json_option
def inspect(model: Path, data: Path | None, as_json: bool, **given: Any) -> None:
    """Say what the ONNX file MODEL holds, what would be done to certify it, and with which noise.

    Without DATA nothing of the model is run, but for a few rows through trees and linear models,
    which tell whether it has exact certificates. With labelled DATA the model is run on up to 200
    inputs, spread over the data, under every known preprocessing: the accuracies show which one it
    expects, or that these inputs cannot tell. Pictures of other sizes are brought to the model's
    in the usual ways, and each line can be given to --preprocess as it stands.

    The exit code is 0 where the model can be certified, as far as is seen, and 4 where not.

    \b
    Example:
      rsonnx inspect mnist.onnx
      rsonnx inspect mnist.onnx images/
    """
    from rsonnx.cli.inspecting import print_facts

    print_facts(model, data, given, as_json=as_json)
