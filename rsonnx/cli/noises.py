"""The options that say which noise is meant. All that is said of a noise here, its law declares."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from rsonnx.cli.options import stack_of
from rsonnx.noise import NOISES, AskedNoise

_FILES = {
    str(f.metadata["option"]): (name, f.metadata)
    for law in NOISES.values()
    for name, f in law.options().items()
    if f.metadata["option"]
}
"""Options that name a file of numbers for a field of a law, and mean that law."""


def _kinds() -> str:
    """Return all noises with what they take, for the help."""
    kinds: dict[str, list[str]] = {"Added": [], "For l0": [], "Certain": []}
    for law in NOISES.values():
        options = law.options().items()
        if any(f.metadata["option"] for _, f in options):
            continue
        kind = "Certain" if law.enumerated else "Added" if law.additive else "For l0"
        behind = "".join(f",{key}={f.metadata['shown']}" for key, f in options)
        kinds[kind].append(f"{law.name}{behind}")
    return "\n".join(
        textwrap.fill(" ".join(names), 60, initial_indent=f"{kind + ':':9}",
                      subsequent_indent=" " * 9, break_on_hyphens=False)
        for kind, names in kinds.items()
    )  # fmt: skip


noise_option = click.option(
    "--noise",
    default="gaussian",
    metavar="NAME[,KEY=VALUE]",
    help="The smoothing distribution, gaussian unless given; further parameters stand behind its "
    f"name, such as power-linf,a=4000 or columns,width=4.\n\n\b\n{_kinds()}",
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
    *(
        click.option(
            option, type=click.Path(path_type=Path), metavar=said["shown"], help=said["help"]
        )
        for option, (_, said) in _FILES.items()
    ),
)

noise_options = stack_of(noise_option, norm_options)


def asked_noise(given: Mapping[str, Any]) -> AskedNoise:
    """Return the noise that the options mean.

    Args:
        given: the values of the options by name; a command without one leaves it out.

    Raises:
        UsageError: the options contradict each other, or mean no noise that there is.
    """
    files = {
        field: given.get(option.strip("-").replace("-", "_"))
        for option, (field, _) in _FILES.items()
    }
    return AskedNoise(
        given.get("noise", "gaussian"),
        given.get("sigma"),
        given.get("lam"),
        given.get("norm"),
        {field: path for field, path in files.items() if path is not None},
    )
