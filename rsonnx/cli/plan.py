"""``rsonnx plan``: what a number of samples can show, and what it costs, before it is paid for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from cloup import command, option_group

from rsonnx.cli.noises import asked_noise, noise_options
from rsonnx.cli.opening import choose_seed, open_job
from rsonnx.cli.options import (
    alpha_option,
    input_options,
    json_option,
    loading_options,
    sampling_options,
)
from rsonnx.cli.plan_text import render, render_exact
from rsonnx.cli.planning import Target, samples_for, table_of, target_of
from rsonnx.cli.terminal import refuse_sampling, say
from rsonnx.cli.timing import SELECTION_SAMPLES, time_on
from rsonnx.errors import UsageError
from rsonnx.model import read_shape
from rsonnx.noise import EnumeratedNoise, SampledNoise, SmoothingDistribution, norm_named
from rsonnx.procedures import Adaptive, Enumerated, default_radii
from rsonnx.runs.telling import tell_job
from rsonnx.statistics import check_alpha, largest_bound

_WITHOUT_MODEL = frozenset(
    {"noise", "sigma", "lam", "norm", "sigma_per_feature", "alpha", "n", "target_radius"}
    | {"input_shape", "as_json"}
)


@command()
@option_group(
    "Noise",
    noise_options,
)
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
)
@option_group(
    "Time",
    click.option("--model", type=click.Path(path_type=Path), help="Model to measure the speed of."),
    click.option("--data", type=click.Path(path_type=Path), help="Its inputs, as for certify."),
    sampling_options,
)
@loading_options
@input_options
@option_group(
    "Output",
    json_option,
)
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
    and --model with --data for the time that a run takes on this machine. Where the noise depends
    on the shape of an input, those tell it, or else --input-shape, as the model takes it.

    \b
    Example:
      rsonnx plan --sigma 0.5 --n 10000
      rsonnx plan --sigma 0.5 --target-radius 0.5
      rsonnx plan --sigma 0.5 --target-radius 0.5 --model mnist.onnx --data images/
      rsonnx plan --noise columns,width=4 --input-shape 2,28,28
    """
    _check_options(context, model, data, given)
    law = _law(given, model)
    # What is wrong is said before the model is opened, where the noise is known already.
    sampling = _sampling(law, given) if isinstance(law, SampledNoise) else None
    job, machine, seed = None, None, 0
    if model is not None and data is not None:
        used = choose_seed(given["seed"])
        job, seed = open_job(model, data, given), used.value
        tell_job(job, used, say)
        law = job.smoothed.noise
    found: dict[str, Any]
    if isinstance(law, EnumeratedNoise):
        refuse_sampling(law, ("n", "alpha", "target_radius"))
        rule = Enumerated(law, law.input_shape(_shape(given)) if job is None else job.shape)
        machine = None if job is None else time_on(job, rule.n, None, seed)
        found = _found(law, 0.0, rule.n, rule.largest_radius) | {"evaluations": rule.n}
        found |= {"machine": machine}
        click.echo(json.dumps(found, indent=2) if as_json else render_exact(law, found))
        return
    assert isinstance(law, SampledNoise)  # noqa: S101 - a noise is sampled or enumerated
    plan = sampling or _sampling(law, given)
    machine = None if job is None else time_on(job, plan.n, plan.adaptive, seed)
    largest = law.radius(largest_bound(plan.n, plan.alpha))
    found = _found(law, plan.alpha, plan.n, largest) | plan.found(largest) | {"machine": machine}
    click.echo(json.dumps(found, indent=2) if as_json else render(law, found, plan.target))


@dataclass(frozen=True)
class _Sampling:
    """What is planned of noise that is sampled."""

    noise: SampledNoise
    alpha: float
    n: int
    target: Target | None
    adaptive: Adaptive | None

    def found(self, largest: float) -> dict[str, Any]:
        """Return the target and the table, for radii up to the largest that n can give."""
        target, whole = self.target, norm_named(self.noise.norm).whole
        radii = default_radii(largest, whole=whole) if target is None else (target.radius,)
        return {
            "target": None if target is None else asdict(target),
            "radii": radii,
            "table": table_of(self.noise, self.n, self.alpha, radii, self.adaptive),
        }


def _sampling(noise: SampledNoise, given: Mapping[str, Any]) -> _Sampling:
    """Return what is planned, or refuse what no number of samples can do."""
    alpha, target, adaptive = check_alpha(given["alpha"]), None, None
    if given["target_radius"] is not None:
        target = target_of(noise, given["target_radius"], alpha)
    n = samples_for(noise, given["n"], alpha, target)
    if target is not None and n >= target.smallest_ceiling:
        adaptive = Adaptive(noise, SELECTION_SAMPLES, n, alpha, (target.radius,))
    return _Sampling(noise, alpha, n, target, adaptive)


def _found(
    law: SmoothingDistribution, alpha: float, n: int, largest_radius: float
) -> dict[str, Any]:
    return {
        "noise": {
            "distribution": law.name,
            "norm": law.norm,
            "parameters": law.parameters,
            "label": law.label,
        },
        "sigma": law.deviation,
        "alpha": alpha,
        "n": n,
        "largest_radius": largest_radius,
        "target": None,
        "radii": [],
        "table": [],
        "machine": None,
    }


def _law(given: Mapping[str, Any], model: Path | None) -> SmoothingDistribution | None:
    """Return the noise, None where only the model tells what it depends on."""
    asked = asked_noise(given)
    early = asked.early()
    if early is not None or model is not None:
        return early
    if given["input_shape"] is None:
        raise UsageError(
            "this noise depends on the shape of an input; give --input-shape, as the model takes "
            "it, or --model with --data"
        )
    return asked.for_model(_shape(given), None)


def _shape(given: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the shape that --input-shape says a model takes, () where it was not given."""
    text = given["input_shape"]
    shape = () if text is None else read_shape(text)
    if any(length < 1 for length in shape):
        raise UsageError(
            f"--input-shape is {given['input_shape']!r}, but whole numbers of at least 1 were "
            "expected"
        )
    return shape


def _check_options(
    context: click.Context, model: Path | None, data: Path | None, given: Mapping[str, Any]
) -> None:
    """Refuse options that contradict each other, or that would have no effect."""
    if (model is None) != (data is None):
        there, missing = ("--data", "--model") if model is None else ("--model", "--data")
        raise UsageError(f"{there} is given without {missing}, but the time of a run needs both")
    if model is not None:
        return
    exact = asked_noise(given).law.enumerated
    if given["n"] is None and given["target_radius"] is None and not exact:
        raise UsageError(
            "there is nothing to plan; give --n, --target-radius, or --model with --data"
        )
    for parameter in context.command.params:
        name = parameter.name or ""
        if (
            name not in _WITHOUT_MODEL
            and context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        ):
            raise UsageError(
                f"{parameter.opts[0]} has no effect without a model; give --model and --data too"
            )
