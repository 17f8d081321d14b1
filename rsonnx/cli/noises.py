"""The options that say which noise is meant, and the smoothing distribution that they mean."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import click

from rsonnx.cli.options import stack_of
from rsonnx.cli.sigmas import read_sigmas
from rsonnx.errors import UsageError
from rsonnx.model import PAIRED_CHANNELS
from rsonnx.noise import NOISES, SmoothingDistribution, noise_of

PER_FEATURE = "gaussian-per-feature"

_ELSEWHERE = {
    "sigma": "--sigma",
    "lam": "--lambda",
    "norm": "--norm",
    "sigmas": "--sigma-per-feature",
}
"""Fields of laws that have an option of their own."""

_FROM_MODEL = frozenset({"size", "layout"})
"""Fields of laws that only the model can tell."""

_WHOLE = re.compile(r"[+-]?\d{1,39}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d{1,40}\.?\d{0,40}|\.\d{1,40})([eE][+-]?\d{1,4})?", re.ASCII)
_SHOWN = 60

_LEAST, _MOST = 1e-30, 1e30

noise_option = click.option(
    "--noise",
    default="gaussian",
    metavar="NAME[,KEY=VALUE]",
    help="""The smoothing distribution, gaussian unless given; further parameters stand behind its
    name, such as power-linf,a=4000 or columns,width=4.

    \b
    Added:   gaussian laplace uniform ball
             pareto exp-l2 exp-linf power-linf
    For l0:  flips sparse-flips ablation
    Certain: splitting columns blocks""",
)

norm_options = stack_of(
    click.option(
        "--sigma",
        type=float,
        metavar="FLOAT",
        help="Standard deviation of the noise on one value, in the units of --bounds: with bounds "
        "0 1, 0.25 is a quarter of a pixel's range.",
    ),
    click.option(
        "--lambda",
        "lam",
        type=float,
        metavar="FLOAT",
        help="Scale in the noise's own formula, in place of --sigma.",
    ),
    click.option(
        "--norm",
        metavar="NAME",
        help="Norm of the radius: l1, l2, linf, as far as the noise gives it. "
        "[default: the noise's own]",
    ),
    click.option(
        "--sigma-per-feature",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Gaussian noise with a standard deviation of its own for each value, one number a "
        "line; radii are in standard deviations.",
    ),
)

noise_options = stack_of(noise_option, norm_options)


def law_named(given: Mapping[str, Any]) -> type[SmoothingDistribution]:
    """Return the kind of noise that the options name; errors as for :func:`noise_for`."""
    return NOISES[_asked(given)[0]]


def early_noise(given: Mapping[str, Any]) -> SmoothingDistribution | None:
    """Return the distribution that the options mean, before the model is there.

    None where it depends on the shape that the model takes; the options are checked all the same
    as far as they can be. Arguments and errors as for :func:`noise_for`.
    """
    name, parameters = _asked(given)
    own = _fields(name)
    if name == PER_FEATURE or "layout" in own:
        return None
    try:
        return _made(name, parameters, given, size=None, layout=None)
    except UsageError:
        if "size" not in own:
            raise
    if "a" not in own:  # which must be above the number of values: that of the model is to be named
        # What is refused for inputs of a single value is refused for all.
        _made(name, parameters, given, size=1, layout=None)
    return None


def noise_for(
    given: Mapping[str, Any], shape: tuple[int, ...], layout: str | None
) -> SmoothingDistribution:
    """Return the smoothing distribution that the options mean for a model.

    Args:
        given: the values of the options by name; a command without one leaves it out.
        shape: that the model takes.
        layout: of the model's images, ``"NCHW"`` or ``"NHWC"``, where it is known.

    Raises:
        UsageError: the options contradict each other, or mean no noise that there is.
    """
    name, parameters = _asked(given)
    own = _fields(name)
    if name == PER_FEATURE:
        parameters["sigmas"] = read_sigmas(given["sigma_per_feature"], math.prod(shape))
    needed = "layout" in own and (len(shape) == 3 or own["layout"].default is MISSING)
    if needed and layout is None:
        layout = layout_of(name, shape)
    if "channels" in own and "channels" not in parameters and len(shape) == 3 and layout:
        parameters["channels"] = max(1, shape[0 if layout == "NCHW" else 2] // 2)
    of_axes = layout if len(shape) == 3 else None  # a flat input has no axis of channels
    return _made(name, parameters, given, size=NOISES[name].size_of(shape), layout=of_axes)


def paired_layouts(shape: tuple[int, ...]) -> list[str]:
    """Return where the channels may be that show x and 1 - x of every channel of an image."""
    axes = (("NCHW", shape[0]), ("NHWC", shape[-1])) if len(shape) == 3 else ()
    return [layout for layout, length in axes if length in PAIRED_CHANNELS]


def layout_of(name: str, shape: tuple[int, ...]) -> str:
    """Return where the channels are that show x and 1 - x, or refuse what does not tell."""
    found = paired_layouts(shape)
    if len(found) != 1:
        what = "where both can be it" if found else "where none is"
        raise UsageError(
            f"{name} noise shows every channel of an image as x and 1 - x, so a model for it takes "
            f"three axes, the first or the last of 2 or 6 values, but this one takes "
            f"{'x'.join(map(str, shape))}, {what}; use a model that was made for this noise"
        )
    return found[0]


def _made(
    name: str,
    parameters: dict[str, Any],
    given: Mapping[str, Any],
    *,
    size: int | None,
    layout: str | None,
) -> SmoothingDistribution:
    scales = {key: given.get(key) for key in ("sigma", "lam", "norm")}
    for key in ("sigma", "lam"):
        scale = scales[key]
        # The formulas of the others overflow in doubles, and all samples in float32.
        if name != "gaussian" and scale is not None and not _LEAST <= scale <= _MOST:
            raise UsageError(
                f"{_ELSEWHERE[key]} is {scale!r}, but a scale from {_LEAST:g} to {_MOST:g}, in the "
                "units of the input, was expected (0.25 and 0.5 are usual for [0, 1])"
            )
    own = _fields(name)
    if scales["sigma"] is None and scales["lam"] is None and {"sigma", "lam"} & set(own):
        takes = [
            *(["--sigma"] if "sigma" in own or hasattr(NOISES[name], "lam_for") else []),
            *(["--lambda"] if "lam" in own else []),
        ]
        needed = " or ".join(option.removeprefix("--") for option in takes)
        raise UsageError(f"{name} noise needs {needed}; give {' or '.join(takes)}")
    return noise_of(name, size=size, layout=layout, **scales, **parameters)


def _asked(given: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the name of the noise and its parameters."""
    text = given.get("noise", "gaussian")
    name, *pairs = (part.strip() for part in text.split(","))
    if name not in NOISES:
        raise UsageError(f"--noise is {_short(name)}, but one of {', '.join(NOISES)} was expected")
    per_feature = given.get("sigma_per_feature") is not None
    if name == PER_FEATURE and not per_feature:
        raise UsageError(f"{PER_FEATURE} noise needs --sigma-per-feature FILE; give it")
    if per_feature and (
        pairs
        or name not in ("gaussian", PER_FEATURE)
        or given.get("sigma") is not None
        or given.get("lam") is not None
    ):
        raise UsageError(
            "--sigma-per-feature is all that Gaussian noise per feature takes; leave out --sigma, "
            "--lambda and other noise"
        )
    if per_feature:
        return PER_FEATURE, {}
    return name, _parameters(name, pairs)


def _parameters(name: str, pairs: list[str]) -> dict[str, Any]:
    """Return the parameters that stand behind a noise's name, each of them the law's own."""
    own = _fields(name)
    takes = [key for key in own if key not in _ELSEWHERE and key not in _FROM_MODEL]
    said = (
        f"{name} noise takes {' and '.join(f'{key}=NUMBER' for key in takes)} there"
        if takes
        else f"{name} noise has no further parameter"
    )
    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = (part.strip() for part in pair.partition("="))
        if key in _ELSEWHERE or key == "lambda":
            option = _ELSEWHERE.get(key, "--lambda")
            raise UsageError(f"--noise has {_short(pair)}, but that has an option; use {option}")
        if not equals or key not in takes:
            raise UsageError(f"--noise has {_short(pair)} behind {name}, but {said}")
        if key in found:
            raise UsageError(f"--noise has {key} twice, but one value was expected; leave one out")
        found[key] = _number(key, value)
    for key, field in own.items():
        if key in takes and field.default is MISSING and key not in found:
            raise UsageError(
                f"{name} noise needs {key}, which was not given; write --noise {name},{key}=NUMBER"
            )
    return found


def _fields(name: str) -> dict[str, Any]:
    return {field.name: field for field in fields(NOISES[name])}  # type: ignore[arg-type]


def _number(key: str, text: str) -> int | float:
    if _WHOLE.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text) and abs(number := float(text)) <= _MOST:
        return number
    raise UsageError(
        f"--noise has {key}={_short(text)}, but a number of at most {_MOST:g} was expected"
    )


def _short(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")
