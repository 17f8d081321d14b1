"""How a law declares what is given for its fields, for the command line and its help."""

from __future__ import annotations


def option(shown: str, meaning: str, *, own: str | None = None) -> dict[str, str | None]:
    """Return the metadata of a field that is given behind a law's name, as in ``columns,width=4``.

    Args:
        shown: what stands for its value: ``W``.
        meaning: for the help.
        own: option in place of that, which means the law and names a file of numbers.
    """
    return {"shown": shown, "help": meaning, "option": own}


SIGMAS = option(
    "FILE",
    "Gaussian noise with a standard deviation of its own for each value: a file with one number a "
    "line, or a column's name and a number; or 0.25std, a quarter of each column's own over all "
    "the data. Radii are in standard deviations.",
    own="--sigma-per-feature",
)

FILES = {"sigmas": SIGMAS}
"""What is given in a file, by the field that it is for; here, since help needs no law's code."""
