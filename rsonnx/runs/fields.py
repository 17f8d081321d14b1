"""Read one field of a run file's line: of the right kind and within its range, or a TypeError.

A missing field is a KeyError. Messages quote what was found, shortened, since a stranger wrote it.
"""

from __future__ import annotations

import sys
from typing import Any

MOST_WHOLE = 2**53
"""No index and no count of a run comes near it; sums of counts stay within 64 bits."""

_MOST_SHOWN = 60


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


def text_field(fields: Any, name: str) -> str:
    """Return a text."""
    value = fields[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is {shown(value)}, not a text")
    return value
