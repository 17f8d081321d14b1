"""``rsonnx predict``: the smoothed classifier's answers on a data set."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import click
from cloup import command, option_group

from rsonnx.certificate import PREDICT_METHODS, Prediction
from rsonnx.cli.noises import noise_options
from rsonnx.cli.opening import choose_seed, open_job
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
from rsonnx.cli.preflight import check_predict, quiet, say_classes, say_clean_accuracy, say_job
from rsonnx.cli.progress import ProgressBar
from rsonnx.listener import Extent
from rsonnx.report import percent_down, printable, text_up
from rsonnx.runs import Job
from rsonnx.smoothing import predict_many, predict_procedure


@command()
@model_argument
@data_argument
@option_group(
    "Noise",
    noise_options,
)
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
    sampling_options,
)
@loading_options
@engine_options
@input_options
@option_group(
    "Output",
    quiet_option,
    json_option,
)
def predict(model: Path, data: Path, as_json: bool, **given: Any) -> None:
    """Answer for the inputs in DATA with the smoothed classifier, or abstain (-1).

    One line an input on stdout: name, label, prediction, p-value; classes are named where the
    model, else DATA, names them. With --json one JSON object a line, with the counts. DATA is what
    `rsonnx certify` takes.

    \b
    Example:
      rsonnx predict mnist.onnx images/ --sigma 0.5 --limit 10
    """
    del given["quiet"]  # `say` looks it up
    check_predict(given["n"], given["alpha"], given["method"])
    seed = choose_seed(given["seed"])
    found = []
    with contextlib.ExitStack() as stack:
        job = open_job(model, data, given, stack)
        say_job(job, seed)
        say_classes(job)
        say_clean_accuracy(job)
        progress = stack.enter_context(ProgressBar(quiet=quiet()))
        progress.begun(
            Extent(len(job.indices), given["n"], adaptive=given["sequential"], outcome="answered")
        )
        for index, prediction in _predictions(job, given, seed.value, progress):
            found.append((index, prediction))
            progress.clear()
            click.echo((_as_json if as_json else _line)(job, index, prediction))
    if not as_json and not quiet():
        click.echo(_closing(job, found), err=True)


def _predictions(
    job: Job, given: dict[str, Any], seed: int, progress: ProgressBar
) -> Iterator[tuple[int, Prediction]]:
    procedure = predict_procedure(
        job.smoothed.noise,
        n=given["n"],
        alpha=given["alpha"],
        method=given["method"],
        sequential=given["sequential"],
        num_classes=job.model.num_classes,
    )
    inputs = ((index, job.point(index)) for index in job.indices)
    for one in predict_many(job.smoothed, procedure, inputs, seed=seed, progress=progress.drawn):
        progress.finished(one.prediction, certified=not one.prediction.abstained)
        yield one.index, one.prediction


def _line(job: Job, index: int, prediction: Prediction) -> str:
    label = job.label(index)
    return "\t".join(
        (
            printable(job.dataset.name(index)),
            "?" if label is None else printable(job.label_name(index) or str(label)),
            printable(job.class_name(prediction.label) or str(prediction.label)),
            text_up(prediction.p_value, 3),
        )
    )


def _as_json(job: Job, index: int, prediction: Prediction) -> str:
    return json.dumps(
        {
            "index": index,
            "name": job.dataset.name(index),
            "digest": prediction.digest,
            "label": job.label(index),
            "label_name": job.label_name(index),
            "prediction": prediction.label,
            "prediction_name": job.class_name(prediction.label),
            "top_class": prediction.top_class,
            "p_value": prediction.p_value,
            "abstained": prediction.abstained,
            "method": prediction.method,
            "sequential": prediction.sequential,
            "samples": prediction.n,
            "counts": prediction.counts.to_json(),
            "sigma": prediction.sigma,
            "alpha": prediction.alpha,
            "arithmetic": prediction.arithmetic,
            "seed": str(prediction.seed),
            "rows": job.model.rows,
        }
    )


def _closing(job: Job, found: list[tuple[int, Prediction]]) -> str:
    abstained = sum(prediction.abstained for _, prediction in found)
    text = f"{len(found)} inputs, {abstained} abstentions"
    if job.labels.values is None:
        return text
    right = sum(prediction.label == job.label(index) for index, prediction in found)
    accuracy = percent_down(Fraction(right, len(found)))
    return f"{text}, accuracy of the smoothed classifier {accuracy} %"
