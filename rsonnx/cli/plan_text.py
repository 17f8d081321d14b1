"""A plan as text: radii and chances rounded down, samples and times up."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from rsonnx.cli.planning import Target
from rsonnx.cli.progress import duration
from rsonnx.cli.timing import PILOT_SAMPLES
from rsonnx.noise import SmoothingDistribution, norm_named
from rsonnx.report import percent_down, text_down, text_up


def render(law: SmoothingDistribution, found: dict[str, Any], target: Target | None) -> str:
    """Return the plan of noise that is sampled."""
    facts = {
        f"largest radius of n = {found['n']:,}": f"{_radius(law, found['largest_radius'])} "
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
            f"{_noise(law)}, alpha = {found['alpha']:g} an input; {_units(law)}",
            "",
            *(f"{name:<{width}}{value}" for name, value in facts.items()),
            "",
            *_table(law, found, target),
            *([] if found["machine"] is None else ["", *_machine(found["machine"])]),
            *(
                []
                if found["machine"] is None or target is not None
                else ["adaptive: give --target-radius for an estimate"]
            ),
        ]
    )


def render_exact(law: SmoothingDistribution, found: dict[str, Any]) -> str:
    """Return the plan of noise that is counted in full."""
    largest = f"{_radius(law, found['largest_radius'])} (all answers agree)"
    return "\n".join(
        [
            f"{_noise(law)}, counted in full and without chance; {_units(law)}",
            "",
            f"changes of an input  {found['evaluations']:,}, the samples that it takes",
            f"largest radius       {largest}",
            *([] if found["machine"] is None else ["", *_machine(found["machine"])]),
        ]
    )


def _noise(law: SmoothingDistribution) -> str:
    """Return a law in words: ``Gaussian noise of sigma = 0.5``."""
    of = law.label.removeprefix(law.name).strip().removeprefix("of ")
    return f"{law.name[0].upper()}{law.name[1:]} noise" + (f" of {of}" if of else "")


def _units(law: SmoothingDistribution) -> str:
    """Say in which norm and units radii are; the Euclidean one goes without saying."""
    if law.norm not in ("l1", "l2", "linf"):
        return f"a radius is the {norm_named(law.norm).measure}"
    if law.name == "gaussian" and law.norm == "l2":
        return "radii in the same units as sigma"
    return f"{law.norm} radii in the units of an input"


def _radius(law: SmoothingDistribution, radius: float) -> str:
    return text_down(radius, 0 if norm_named(law.norm).whole else 4)


def _table(law: SmoothingDistribution, found: dict[str, Any], target: Target | None) -> list[str]:
    n, rows = found["n"], found["table"]
    columns: dict[str, list[str]] = {
        "p": [_plain(row["p"]) for row in rows],
        "true radius": [_radius(law, row["true_radius"]) for row in rows],
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


def _machine(machine: dict[str, Any]) -> list[str]:
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
