"""The options that say which noise is meant. All that is said of a noise here, its law declares."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rsonnx.errors import UsageError
from rsonnx.noise.catalogue import LAWS
from rsonnx.noise.options import FILES, INTERVALS, given_as

if TYPE_CHECKING:
    from rsonnx.noise import AskedNoise

_SHORT = {
    "contrast": (
        "brightness-contrast",
        "a radius is in brightness, at all factors between e^-K and e^K on the values at once.",
    ),
    "shifts": (
        "padded-translation",
        "certify that the image may be shifted by up to K whole pixels, the lowest value entering.",
    ),
}
"""Options that mean a law with one number behind its name, and what they are for."""


def _keep(ctx: click.Context, option: click.Parameter, value: float | None) -> None:
    """Keep the number of such an option, which is read first, for the noise that it belongs to."""
    ctx.meta[f"rsonnx.{option.name}"] = value


def _with_numbers(ctx: click.Context, _option: click.Parameter, text: str) -> str:
    """Return the text of --noise, with the numbers of such options behind its name."""
    for name, (law, _) in _SHORT.items():
        number = ctx.meta.get(f"rsonnx.{name}")
        if number is not None:
            text = f"{law if text == 'gaussian' else text},{name}={number!r}"
    return text


short_options = tuple(
    click.option(
        f"--{name}",
        type=float,
        metavar="K",
        is_eager=True,
        expose_value=False,
        callback=_keep,
        help=f"Short for --noise {law},{name}=K: {what}",
    )
    for name, (law, what) in _SHORT.items()
)
noise_option = click.option(
    "--noise",
    default="gaussian",
    callback=_with_numbers,
    metavar="NAME[,KEY=VALUE]",
    help="The smoothing distribution, gaussian unless given; further parameters stand behind its "
    "name, such as power-linf,a=4000 or columns,width=4.\n\n\b\n"
    + "\n".join(
        textwrap.fill(
            " ".join(laws), 60, initial_indent=f"{kind + ':':9}", subsequent_indent=" " * 9,
            break_on_hyphens=False,
        )
        for kind, laws in LAWS.items()
    ),
)  # fmt: skip

_SIGMA = (
    "Standard deviation of the noise on one value, in the units of --bounds: with bounds 0 1, 0.25 "
    "is a quarter of a pixel's range."
)


def _interval(
    _ctx: click.Context, option: click.Parameter, text: str | None
) -> tuple[float, ...] | None:
    """Return the two numbers of ``-10,10``."""
    try:
        numbers = None if text is None else tuple(map(float, text.split(",")))
    except ValueError:
        numbers = ()
    if numbers is not None and len(numbers) != 2:
        raise UsageError(
            f"{option.opts[0]} is {text!r:.60}, but two numbers with a comma between, LOW,HIGH, "
            "were expected"
        )
    return numbers


interval_options = tuple(
    click.option(str(said["option"]), metavar=said["shown"], callback=_interval, help=said["help"])
    for said in INTERVALS.values()
)

_rest = (
    *short_options,
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
    *(
        click.option(
            str(said["option"]),
            type=click.Path(path_type=Path),
            metavar=said["shown"],
            help=said["help"],
        )
        for said in FILES.values()
    ),
    *interval_options,
)

noise_options = (
    noise_option,
    click.option("--sigma", type=float, metavar="FLOAT", help=_SIGMA),
    *_rest,
)
sweep_options = (
    noise_option,
    click.option(
        "--sigma",
        "sigmas",
        metavar="S,S,...",
        help=f"{_SIGMA} Several, separated by commas, make a run each and one table.",
    ),
    *_rest,
)
"""With several sigmas, as :func:`read_sigma_list` reads them."""


def read_sigma_list(text: str) -> tuple[float, ...]:
    """Return the numbers of ``0.12,0.25`` in the order given, each once."""
    try:
        return tuple(dict.fromkeys(float(part) for part in text.split(",")))
    except ValueError:
        raise UsageError(
            f"--sigma is {text!r:.60}, but numbers separated by commas, such as 0.25,0.5,1, were "
            "expected"
        ) from None


def asked_noise(
    given: Mapping[str, Any], model: Path | None = None, data: Path | None = None
) -> AskedNoise:
    """Return the noise that the options mean.

    Args:
        given: the values of the options by name; a command without one leaves it out.
        model, data: what is asked for all that is left open, where the noise has no scale.

    Raises:
        UsageError: the options contradict each other, or mean no noise that there is.
    """
    from rsonnx.noise import AskedNoise

    own: dict[str, Any] = {
        field: given.get(given_as(said)) for field, said in (FILES | INTERVALS).items()
    }
    asked = AskedNoise(
        given.get("noise", "gaussian"),
        given.get("sigma"),
        given.get("lam"),
        given.get("norm"),
        *({key: own[key] for key in kind if own[key] is not None} for kind in (FILES, INTERVALS)),
    )
    scales = asked.law.scales()
    if scales and "sigma" in given and asked.sigma is asked.lam is None:
        from rsonnx.cli.asking import missing_scale

        raise missing_scale(asked.law, given, model, data)
    return asked
