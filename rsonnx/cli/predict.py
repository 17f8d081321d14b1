"""``rsonnx predict``: the smoothed classifier's answers on a data set."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from cloup import command, option_group

from rsonnx import runs
from rsonnx.cli.noises import asked_noise, noise_options
from rsonnx.cli.options import (
    alpha_option,
    data_argument,
    engine_options,
    input_options,
    json_option,
    loading_options,
    model_argument,
    quiet_option,
    sampling_options,
)
from rsonnx.cli.terminal import Terminal, quiet
from rsonnx.procedures import GENERATORS, PREDICT_METHODS
from rsonnx.report import percent, printable, text_up

if TYPE_CHECKING:
    from rsonnx.runs import Predicted


_OWN = ("n", "alpha", "method", "sequential", "seed", "generator", "key")
"""Arguments of :func:`rsonnx.runs.predict` itself."""


@command()
@model_argument
@data_argument
@option_group("Noise", *noise_options)
@option_group(
    "Answer",
    alpha_option,
    click.option(
        "--method",
        type=click.Choice(PREDICT_METHODS),
        default="two-class",
        show_default=True,
        help="Test the top two classes against each other, or the top class against one half.",
    ),
    click.option(
        "--sequential",
        is_flag=True,
        help="Stop as soon as the answer is sure; --n is then a ceiling.",
    ),
)
@option_group(
    "Sampling",
    click.option("--n", type=int, default=1_000, show_default=True, help="Samples an input."),
    *sampling_options,
    click.option(
        "--generator",
        type=click.Choice(GENERATORS),
        default=GENERATORS[0],
        show_default=True,
        help="What draws the noise; exported draws what files of `rsonnx compose smooth` do.",
    ),
    click.option(
        "--key",
        metavar="HEX",
        help="Key of such a file, 32 digits, in place of the seed and for all inputs. [default: "
        "one for each input, from the seed]",
    ),
)
@loading_options
@engine_options
@input_options
@option_group("Output", quiet_option, json_option)
def predict(model: Path, data: Path, as_json: bool, **given: Any) -> None:
    """Answer for the inputs in DATA with the smoothed classifier, or abstain (-1).

    One line an input on stdout: name, label, prediction, p-value; classes are named where the
    model, else DATA, names them. With --json one JSON object a line, with the counts. DATA is what
    `rsonnx certify` takes.

    \b
    Example:
      rsonnx predict mnist.onnx images/ --sigma 0.5 --limit 10
    """
    from rsonnx.cli.opening import opening_arguments

    asked_noise(given, model, data)
    del given["quiet"]  # the terminal looks it up
    own = {name: given.pop(name) for name in _OWN}
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(_Printing(as_json=as_json))
        opening = opening_arguments(given)
        predictions = runs.predict(model, data, **own, **opening, listener=listener)
    if not as_json and not quiet():
        click.echo(_closing(predictions), err=True)


class _Printing(Terminal):
    """Prints a line an input."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def finished(self, result: object, *, certified: bool) -> None:
        from rsonnx.runs import Predicted

        super().finished(result, certified=certified)
        self.clear()
        if isinstance(result, Predicted):
            click.echo(json.dumps(result.to_json()) if self._as_json else _line(result))


def _line(predicted: Predicted) -> str:
    label = predicted.label
    return "\t".join(
        (
            printable(predicted.name),
            "?" if label is None else printable(predicted.label_name or str(label)),
            printable(predicted.prediction_name or str(predicted.prediction.label)),
            text_up(predicted.prediction.p_value, 3),
        )
    )


def _closing(predictions: Sequence[Predicted]) -> str:
    abstained = sum(made.prediction.abstained for made in predictions)
    text = f"{len(predictions)} inputs, {abstained} abstentions"
    if any(made.label is None for made in predictions):
        return text
    right = sum(made.prediction.label == made.label for made in predictions)
    accuracy = percent(Fraction(right, len(predictions)))
    return f"{text}, accuracy of the smoothed classifier {accuracy} % ({right:,} right)"
