"""One cell of a log: strict about what a number looks like, since int() and float() are not.

Every function raises ValueError with what was found and what was expected; the reader adds where.
"""

from __future__ import annotations

import math
import re
import sys

from rsonnx.logs.log import ABSTAIN

_WHOLE = re.compile("0|[1-9][0-9]{0,14}")
_REAL = re.compile(r"(?:[0-9]{1,310}\.?[0-9]{0,400}|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,3})?")
_INFINITE = re.compile("[+-]?(?:inf|infinity|nan)", re.IGNORECASE)
_CLOCK = re.compile(
    r"(?:([0-9]{1,320}) days?, )?([0-9]{1,320}):([0-5][0-9]):([0-5][0-9](?:\.[0-9]{1,9})?)"
)
_BOOLEANS = {"True": 1, "False": 0, "true": 1, "false": 0}
_MOST_SHOWN = 40


def quoted(text: str) -> str:
    """Return a cell for a message: quoted, escaped, shortened."""
    found = ascii(text)
    return found if len(found) <= _MOST_SHOWN else found[:_MOST_SHOWN] + "..."


def whole(name: str, text: str) -> int:
    """Read a whole number of at least 0, without sign and leading zeros."""
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"{name} is {quoted(text)}, but a whole number of at least 0 was expected")
    return int(text)


def label(text: str) -> int | None:
    """Read a class; None for an empty cell."""
    return None if text == "" else whole("label", text)


def prediction(text: str) -> int:
    """Read a class, or -1 for an abstention."""
    if text == str(ABSTAIN):
        return ABSTAIN
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"predict is {quoted(text)}, but a class or -1 was expected")
    return int(text)


def radius(text: str) -> float:
    """Read a radius of at least 0; it may be written as infinite or as no number (``nan``)."""
    if _INFINITE.fullmatch(text):
        return float(text)
    found = float(text) if _REAL.fullmatch(text) else math.inf
    if math.isinf(found):
        raise ValueError(f"radius is {quoted(text)}, but a number of at least 0 was expected")
    return found


def is_boolean(text: str) -> bool:
    """Say whether a cell is True or False in letters."""
    return text in _BOOLEANS


def correct(text: str) -> int:
    """Read 0, 1, True, False, or a running count."""
    return _BOOLEANS[text] if text in _BOOLEANS else whole("correct", text)


def seconds(text: str) -> float:
    """Read a time as Python prints it (``0:02:31.238689``, ``1 day, 0:00:01``), or seconds."""
    clock = _CLOCK.fullmatch(text)
    if clock:
        days, hours, minutes, rest = clock.groups()
        started = ((int(days or 0) * 24 + int(hours)) * 60 + int(minutes)) * 60
        found = started + float(rest) if started < sys.float_info.max else math.inf
    else:
        found = float(text) if _REAL.fullmatch(text) else math.inf
    if math.isinf(found):
        raise ValueError(f"time is {quoted(text)}, but h:mm:ss or seconds were expected")
    return found
