"""``rsonnx plan``: what a number of samples can show, and what it costs, before it is paid for."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from rsonnx.certificate import AdaptiveSamples
from rsonnx.certificate.adaptive import PROCESS_SHARE
from rsonnx.cli.opening import choose_seed, open_job
from rsonnx.cli.options import (
    alpha_option,
    input_options,
    json_option,
    loading_options,
    sampling_options,
    sigma_option,
)
from rsonnx.cli.preflight import say_job
from rsonnx.cli.progress import duration
from rsonnx.cli.timing import PILOT_SAMPLES, time_on
from rsonnx.errors import UsageError
from rsonnx.noise import Gaussian
from rsonnx.report import default_radii, percent_down, text_down, text_up
from rsonnx.smoothing.procedures import LOOK
from rsonnx.statistics import (
    align_looks,
    chance_to_certify,
    check_alpha,
    check_samples,
    fewest_samples,
    fewest_samples_to_exceed_half,
    largest_bound,
    operating_point,
    samples_for_chance,
)
from rsonnx.statistics.power import MOST_SAMPLES

DEFAULT_N = 100_000
PROBABILITIES = (
    *(0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99),
    *(0.995, 0.998, 0.999, 0.9995, 0.9999),
)  # fmt: skip
CHANCE = 0.9
"""Chance at which a fixed n is called enough."""


@dataclass(frozen=True)
class Target:
    """A radius to be certified, and what it asks for.

    Attributes:
        radius: in the units of sigma.
        probability: p that must be exceeded, rounded up.
        smallest_n: least fixed n that can certify it: if all samples agree.
        smallest_ceiling: the same for the ceiling of an adaptive run.
    """

    radius: float
    probability: float
    smallest_n: int
    smallest_ceiling: int


@click.command()
@sigma_option
@alpha_option
@click.option(
    "--n",
    type=int,
    metavar="INT",
    help="Samples an input, of a fixed run or at most of an adaptive one. [default: 100000, or 10 "
    "times the least that can reach the target radius, if that is more]",
)
@click.option("--target-radius", type=float, metavar="R", help="The radius to be certified.")
@click.option("--model", type=click.Path(path_type=Path), help="Model to measure the speed of.")
@click.option("--data", type=click.Path(path_type=Path), help="Its inputs, as for certify.")
@sampling_options
@loading_options
@input_options
@json_option
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
    and --model with --data for the time that a run takes on this machine.

    \b
    Example:
      rsonnx plan --sigma 0.5 --n 10000
      rsonnx plan --sigma 0.5 --target-radius 0.5
      rsonnx plan --sigma 0.5 --target-radius 0.5 --model mnist.onnx --data images/
    """
    _check_options(context, model, data, given)
    noise, alpha = Gaussian(given["sigma"]), check_alpha(given["alpha"])
    target = None
    if given["target_radius"] is not None:
        target = target_of(noise, given["target_radius"], alpha)
    n = _samples(noise, given["n"], alpha, target)
    adaptive = None
    if target is not None and n >= target.smallest_ceiling:
        adaptive = AdaptiveSamples(noise, n, alpha, (target.radius,))
    machine = None
    if model is not None and data is not None:
        seed = choose_seed(given["seed"])
        job = open_job(model, data, given)
        say_job(job, seed)
        machine = time_on(job, n, adaptive, seed.value)
    largest = noise.radius(largest_bound(n, alpha))
    radii = default_radii(largest) if target is None else (target.radius,)
    found = {
        "sigma": noise.sigma,
        "alpha": alpha,
        "n": n,
        "largest_radius": largest,
        "target": None if target is None else asdict(target),
        "radii": radii,
        "table": table_of(noise, n, alpha, radii, adaptive),
        "machine": machine,
    }
    click.echo(json.dumps(found, indent=2) if as_json else render(found, target))


def _check_options(
    context: click.Context, model: Path | None, data: Path | None, given: dict[str, Any]
) -> None:
    """Refuse options that contradict each other, or that would have no effect."""
    if (model is None) != (data is None):
        there, missing = ("--data", "--model") if model is None else ("--model", "--data")
        raise UsageError(f"{there} is given without {missing}, but the time of a run needs both")
    if model is not None:
        return
    if given["n"] is None and given["target_radius"] is None:
        raise UsageError(
            "there is nothing to plan; give --n, --target-radius, or --model with --data"
        )
    for parameter in context.command.params:
        name = parameter.name or ""
        if (
            name not in {"sigma", "alpha", "n", "target_radius", "as_json"}
            and context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        ):
            raise UsageError(
                f"{parameter.opts[0]} has no effect without a model; give --model and --data too"
            )


def target_of(noise: Gaussian, radius: float, alpha: float) -> Target:
    """Return what a radius asks for.

    Raises:
        UsageError: it is not above 0, or beyond what any number of samples can certify.
    """
    if not (math.isfinite(radius) and radius > 0.0):
        raise UsageError(f"the target radius is {radius!r}, but a number above 0 was expected")
    p = noise.probability_for(radius)
    try:
        fixed = fewest_samples(p, alpha)
        # The bound at the ceiling of an adaptive run has the rest of alpha.
        ceiling = fewest_samples(p, alpha - alpha * PROCESS_SHARE)
    except UsageError:
        most = noise.radius(largest_bound(MOST_SAMPLES, alpha))
        raise UsageError(
            f"the target radius {radius!r} is out of reach of any number of samples: "
            f"{MOST_SAMPLES:,} at sigma = {noise.sigma:g} and alpha = {alpha:g} reach at most "
            f"{text_down(most, 4)}; use a smaller radius or a larger sigma"
        ) from None
    return Target(radius, p, fixed, ceiling)


def _samples(noise: Gaussian, n: int | None, alpha: float, target: Target | None) -> int:
    """Return the n to plan for, or refuse one that cannot certify what is asked."""
    if n is None:
        least = fewest_samples_to_exceed_half(alpha) if target is None else target.smallest_ceiling
        return max(DEFAULT_N, min(MOST_SAMPLES, 10 * least))
    check_samples("n", n)
    least = fewest_samples_to_exceed_half(alpha)
    if n < least:
        raise UsageError(
            f"n = {n} at alpha = {alpha:g} can never certify anything; the smallest n that can is "
            f"{least}"
        )
    if target is not None and n < target.smallest_n:
        most = noise.radius(largest_bound(n, alpha))
        raise UsageError(
            f"the target radius {target.radius!r} is above {text_down(most, 4)}, the largest that "
            f"n = {n:,} samples at sigma = {noise.sigma:g} and alpha = {alpha:g} can reach; it "
            f"needs n = {target.smallest_n:,} or more"
        )
    return n


def table_of(
    noise: Gaussian,
    n: int,
    alpha: float,
    radii: Sequence[float],
    adaptive: AdaptiveSamples | None,
) -> list[dict[str, Any]]:
    """Return what to expect where the class has probability p, for a range of p.

    ``chances`` are those of n fixed samples to certify each of ``radii``; ``samples_for_chance`` is
    how many fixed samples certify the largest of them with a chance of 90 %, to 1 %, None where no
    number does; the adaptive fields are of a run up to n with one target, None where there is none.
    """
    needed = [noise.probability_for(radius) for radius in radii]
    probabilities = list(PROBABILITIES)
    # Further nines until one is above what the largest radius asks for.
    for nines in range(5, 16):
        if probabilities[-1] <= needed[-1]:
            probabilities.append(float(f"0.{'9' * nines}"))
    rows = []
    for p in probabilities:
        point = None
        if adaptive is not None:
            point = operating_point(adaptive.rule, p, align_looks(adaptive.rule.looks, LOOK))
        rows.append(
            {
                "p": p,
                "true_radius": noise.radius(p),
                "chances": [_share(chance_to_certify(p, n, q, alpha)) for q in needed],
                "samples_for_chance": samples_for_chance(
                    p, needed[-1], alpha, CHANCE, MOST_SAMPLES
                ),
                "adaptive_chance": None if point is None else _share(point.certified[-1]),
                "adaptive_samples": None if point is None else point.samples,
            }
        )
    return rows


def _share(chance: float) -> float:
    """Return a chance that rounding errors may have put a little outside [0, 1]."""
    return min(1.0, max(0.0, chance))


def render(found: dict[str, Any], target: Target | None) -> str:
    """Return the plan as text: radii and chances rounded down, samples and times up."""
    facts = {
        f"largest radius of n = {found['n']:,}": f"{text_down(found['largest_radius'], 4)} "
        "(all samples agree)"
    }
    if target is not None:
        facts[f"probability for radius {_plain(target.radius)}"] = (
            f"above {text_down(target.probability, 12)}"
        )
        facts["smallest n for it"] = f"{target.smallest_n:,} (all samples agree)"
        facts["smallest ceiling, adaptive"] = f"{target.smallest_ceiling:,}"
        if found["n"] < target.smallest_ceiling:
            facts["adaptive sampling"] = f"n = {found['n']:,} is too low a ceiling for it"
    width = max(map(len, facts)) + 2
    return "\n".join(
        [
            f"Gaussian noise of sigma = {found['sigma']:g}, alpha = {found['alpha']:g} an input; "
            "radii in the same units as sigma",
            "",
            *(f"{name:<{width}}{value}" for name, value in facts.items()),
            "",
            *_table(found, target),
            *([] if found["machine"] is None else ["", *_machine(found["machine"], target)]),
        ]
    )


def _table(found: dict[str, Any], target: Target | None) -> list[str]:
    n, rows = found["n"], found["table"]
    columns: dict[str, list[str]] = {
        "p": [_plain(row["p"]) for row in rows],
        "true radius": [text_down(row["true_radius"], 4) for row in rows],
    }
    for i, radius in enumerate(found["radii"]):
        name = f"r={_plain(radius)}" if target is None else "fixed %"
        columns[name] = [percent_down(Fraction(row["chances"][i])) for row in rows]
    if target is None:
        above = (
            f"Chance in % that {n:,} fixed samples certify radius r where the class has "
            "probability p:"
        )
        return [above, *_lines(columns)]
    above = (
        f"Chance to certify radius {_plain(target.radius)} where the class has probability p: by "
        f"n = {n:,} fixed samples,"
    )
    below = "the fixed n for a chance of 90 %"
    enough = [row["samples_for_chance"] for row in rows]
    columns["n for 90 %"] = ["-" if count is None else f"{count:,}" for count in enough]
    if n >= target.smallest_ceiling:
        columns["adaptive %"] = [percent_down(Fraction(row["adaptive_chance"])) for row in rows]
        columns["samples"] = [f"{math.ceil(row['adaptive_samples']):,}" for row in rows]
        below += ", and adaptively with the samples that are then expected"
    return [above, f"{below}:", *_lines(columns)]


def _lines(columns: dict[str, list[str]]) -> list[str]:
    widths = [max(map(len, (name, *cells))) for name, cells in columns.items()]
    lines = [list(columns), *zip(*columns.values(), strict=True)]
    return [
        "  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True))
        for line in lines
    ]


def _machine(machine: dict[str, Any], target: Target | None) -> list[str]:
    rate, fixed, adaptive = (machine[k] for k in ("samples_per_second", "fixed", "adaptive"))
    speed = f"{math.floor(rate):,}" if rate >= 10 else text_down(rate, 2)
    lines = [
        f"This machine: {speed} samples/s on the first input ({machine['provider']}, batches of "
        f"{machine['batch_size'] or '?'})",
        f"fixed, {fixed['samples_per_input']:,} samples: {_time(fixed, machine['inputs'])}",
    ]
    if adaptive is not None:
        samples, tried = math.ceil(adaptive["samples_per_input"]), adaptive["inputs_tried"]
        lines += [
            f"adaptive, about {samples:,} samples: {_time(adaptive, machine['inputs'])}",
            f"(a rough estimate from {PILOT_SAMPLES} samples on each of {_inputs(tried)})",
        ]
    elif target is None:
        lines.append("adaptive: give --target-radius for an estimate")
    return lines


def _time(cost: dict[str, Any], inputs: int) -> str:
    one, all_of_them = (
        f"{text_up(seconds, 2)} s" if seconds < 10 else duration(math.ceil(seconds))
        for seconds in (cost["seconds_per_input"], cost["seconds"])
    )
    return f"{one} an input, {all_of_them} for {_inputs(inputs)}"


def _inputs(count: int) -> str:
    return "1 input" if count == 1 else f"{count:,} inputs"


def _plain(value: float) -> str:
    return repr(value).removesuffix(".0")
