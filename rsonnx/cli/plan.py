"""``rsonnx plan``: what a number of samples can show, and what it costs, before it is paid for."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from cloup import command, option_group

from rsonnx.cli.noises import asked_noise, noise_options
from rsonnx.cli.options import (
    alpha_option,
    input_options,
    json_option,
    loading_options,
    sampling_options,
)
from rsonnx.errors import UsageError
from rsonnx.noise.options import FILES, INTERVALS, given_as

_WITHOUT_MODEL = frozenset(
    {
        "noise",
        "sigma",
        "lam",
        "norm",
        "contrast",
        "shifts",
        "alpha",
        "n",
        "target_radius",
        "precision",
    }
    | {"input_shape", "as_json"}
    | {given_as(said) for said in (FILES | INTERVALS).values()}
)


@command()
@option_group("Noise", *noise_options)
@option_group(
    "Certificate",
    alpha_option,
    click.option(
        "--n",
        type=int,
        metavar="INT",
        help="Samples an input, of a fixed run or at most of an adaptive one. [default: 100000, or "
        "10 times the least that can reach the target radius, if that is more]",
    ),
    click.option("--target-radius", type=float, metavar="R", help="The radius to be certified."),
    click.option(
        "--precision",
        type=float,
        metavar="SHARE",
        help="Or the share of each radius that may be lost for fewer samples, such as 0.05.",
    ),
)
@option_group(
    "Time",
    click.option("--model", type=click.Path(path_type=Path), help="Model to measure the speed of."),
    click.option("--data", type=click.Path(path_type=Path), help="Its inputs, as for certify."),
    *sampling_options,
)
@loading_options
@input_options
@option_group("Output", json_option)
@click.pass_context
def plan(
    context: click.Context,
    /,
    model: Path | None,
    data: Path | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Say what a number of samples can certify and what it costs, before it is paid for.

    Give --n for the largest radius, --target-radius for the smallest n and for adaptive sampling,
    --precision for whole curves with few samples, and --model with --data for the time that a run
    takes on this machine; where several images of an input are certified, a few inputs tell how
    many. Where the noise depends on the shape of an input, --model and --data tell it, or else
    --input-shape, as the model takes it.

    \b
    Example:
      rsonnx plan --sigma 0.5 --n 10000
      rsonnx plan --sigma 0.5 --target-radius 0.5
      rsonnx plan --sigma 0.5 --target-radius 0.5 --model mnist.onnx --data images/
      rsonnx plan --noise columns,width=4 --input-shape 2,28,28
      rsonnx plan --angles -10,10 --sigma 0.5 --n 1000 --model mnist.onnx --data images/
    """
    from rsonnx.cli.opening import choose_seed, open_job
    from rsonnx.cli.terminal import refuse_sampling, say, show
    from rsonnx.procedures import plan as make_plan
    from rsonnx.report import plan_report
    from rsonnx.runs import time_on
    from rsonnx.runs.telling import tell_job

    asked = asked_noise(given, model, data)
    if asked.law.enumerated:
        refuse_sampling(
            f"{asked.law.name} noise is counted in full",
            ("n", "alpha", "target_radius", "precision"),
        )
    samples = {name: given[name] for name in ("n", "alpha", "target_radius", "precision")}
    machine = None
    if model is None or data is None:
        known = asked.law.enumerated or asked.law.covered
        nothing = all(given[name] is None for name in ("n", "target_radius", "precision"))
        nothing = nothing and not known
        _check_without_model(context, model, data, nothing=nothing)
        shape = _shape(given["input_shape"])
        law = asked.early() or asked.of_any_layout()
        if law is None and not shape:
            raise UsageError(
                "this noise depends on the shape of an input; give --input-shape, as the model "
                "takes it, or --model with --data"
            )
        law = law or asked.for_model(shape, None)
        planned = make_plan(law, **samples, shape=law.input_shape(shape))
    else:
        early = asked.early()
        if early is not None and not early.enumerated:
            make_plan(early, **samples)  # what is wrong is said before the model is opened
        seed = choose_seed(given["seed"])
        with ExitStack() as stack:
            job = open_job(model, data, given, stack)
            tell_job(job, seed, say)
            planned = make_plan(job.smoothed.noise, **samples, shape=job.shape)
            machine = time_on(job, planned, seed=seed.value)
    show(plan_report(planned, machine), "json" if as_json else "table")


def _check_without_model(
    context: click.Context, model: Path | None, data: Path | None, *, nothing: bool
) -> None:
    """Refuse options that contradict each other, or that would have no effect."""
    if (model is None) != (data is None):
        there, missing = ("--data", "--model") if model is None else ("--model", "--data")
        raise UsageError(f"{there} is given without {missing}, but the time of a run needs both")
    if nothing:
        raise UsageError(
            "there is nothing to plan; give --n, --target-radius, --precision, or --model with "
            "--data"
        )
    for parameter in context.command.params:
        name = parameter.name or ""
        given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if given and name not in _WITHOUT_MODEL:
            raise UsageError(
                f"{parameter.opts[0]} has no effect without a model; give --model and --data too"
            )


def _shape(text: str | None) -> tuple[int, ...]:
    """Return the shape that --input-shape says a model takes, () where it was not given."""
    from rsonnx.model import read_shape

    shape = () if text is None else read_shape(text)
    if any(length < 1 for length in shape):
        raise UsageError(
            f"--input-shape is {text!r}, but whole numbers of at least 1 were expected"
        )
    return shape
