"""Read one field of a run file's line: of the right kind and within its range, or a TypeError.

A missing field is a KeyError. Messages quote what was found, shortened, since a stranger wrote it.
"""

from __future__ import annotations

import re
import sys
from typing import Any

from rsonnx.counts import NOT_CLASSES, Counts
from rsonnx.noise import STREAM_VERSIONS, SmoothingDistribution, law_from_json

MOST_WHOLE = 2**53
"""No index and no count of a run comes near it; sums of counts stay within 64 bits."""

_MOST_SHOWN = 60

_CLASS_NUMBER = re.compile("0|[1-9][0-9]{0,5}")
"""As :class:`Counts` writes it: up to a million classes."""

_DIGEST = re.compile("[0-9a-f]{64}")


def shown(value: Any) -> str:
    """Return a value of a run file for a message: short, and without its depths."""
    if value is None or isinstance(value, bool | int | float | str):
        text = repr(value)
        return text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "..."
    return "a list" if isinstance(value, list) else "an object"


def whole_field(fields: Any, name: str, *, least: int) -> int:
    """Return a whole number from ``least`` to 2^53."""
    value = fields[name]
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MOST_WHOLE:
        raise TypeError(f"{name} is {shown(value)}, not a whole number of at least {least}")
    return value


def real_field(fields: Any, name: str, *, most: float = sys.float_info.max) -> float:
    """Return a number from 0 to ``most``."""
    value = fields[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise TypeError(f"{name} is {shown(value)}, not a number from 0 to {most:g}")
    return float(value)


def flag_field(fields: Any, name: str) -> bool:
    """Return true or false."""
    value = fields[name]
    if not isinstance(value, bool):
        raise TypeError(f"{name} is {shown(value)}, not true or false")
    return value


def text_field(fields: Any, name: str) -> str:
    """Return a text."""
    value = fields[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is {shown(value)}, not a text")
    return value


def digest_field(fields: Any, name: str) -> str:
    """Return a SHA-256 in hexadecimal."""
    value = text_field(fields, name)
    if not _DIGEST.fullmatch(value):
        raise TypeError(f"{name} is {shown(value)}, not a SHA-256")
    return value


def counts_field(fields: Any, name: str) -> Counts:
    """Return counts: classes as plain numbers, so that none can hide behind another.

    The class numbers are bounded, since they decide how much memory the counts take.
    """
    found = fields[name] if isinstance(fields, dict) else None
    if not isinstance(found, dict):
        raise TypeError(f"the counts of {name} are {shown(found)}, not an object")
    for key in found:
        if key not in NOT_CLASSES and not _CLASS_NUMBER.fullmatch(key):
            raise TypeError(f"the counts of {name} have the class {shown(key)}")
        whole_field(found, key, least=0)
    return Counts.from_json(found)


def noise_field(header: Any) -> SmoothingDistribution:
    """Return the noise of a run's header, if all that the header says of it is true.

    Raises:
        UsageError: it is none that is known, or a parameter is out of range.
    """
    return law_from_json(header["noise"])


def stream_field(header: Any) -> int:
    """Return by which rule a run's noise was derived; files that do not say it are of the first."""
    version = header["noise"].get("stream", STREAM_VERSIONS[0])
    if type(version) is not int or version not in STREAM_VERSIONS:
        raise TypeError(f"the stream of the noise is {shown(version)}, which is none that is known")
    return version
