"""How a law declares what is given for its fields, for the command line and its help."""

from __future__ import annotations

from collections.abc import Mapping


def option(shown: str, meaning: str, *, own: str | None = None) -> dict[str, str | None]:
    """Return the metadata of a field that is given behind a law's name, as in ``columns,width=4``.

    Args:
        shown: what stands for its value: ``W``.
        meaning: for the help.
        own: option in place of that, which means the law: of a file of numbers, or of two numbers.
    """
    return {"shown": shown, "help": meaning, "option": own}


def given_as(said: Mapping[str, str | None]) -> str:
    """Return by which name the command line hands on an option of its own."""
    return str(said["option"]).strip("-").replace("-", "_")


SIGMAS = option(
    "FILE",
    "Gaussian noise with a standard deviation of its own for each value: a file with one number a "
    "line, or a column's name and a number; or 0.25std, a quarter of each column's own over all "
    "the data. Radii are in standard deviations.",
    own="--sigma-per-feature",
)

ANGLES = option(
    "LOW,HIGH",
    "Certify that the image may be turned about its middle by any angle from LOW to HIGH, in "
    "degrees, as -10,10 is.",
    own="--angles",
)
SCALES = option(
    "LOW,HIGH",
    "Certify that the image may be scaled about its middle by any factor from LOW to HIGH, as "
    "0.9,1.1 is.",
    own="--scales",
)

FILES = {"sigmas": SIGMAS}
"""What is given in a file, by the field that it is for; here, since help needs no law's code."""

INTERVALS = {"angles": ANGLES, "factors": SCALES}
"""What is given as two numbers, in the same way."""
