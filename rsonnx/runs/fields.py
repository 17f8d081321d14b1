"""The kinds of values in a run file: what each is checked for, how it is read, written, described.

A value of another kind is a TypeError, a missing field a KeyError. Messages quote what stands
there, shortened, since a stranger wrote it.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar, cast, get_args

from rsonnx import scalars
from rsonnx.arguments import MOST_WHOLE
from rsonnx.counts import NOT_CLASSES, Counts
from rsonnx.noise import SEED_DIGITS, Arithmetic

T = TypeVar("T")

_MOST_SHOWN = 60

_CLASS_NUMBER = re.compile("0|[1-9][0-9]{0,5}")
"""As :class:`Counts` writes it: up to a million classes."""

_SEED = re.compile(f"0|[1-9][0-9]{{0,{SEED_DIGITS - 1}}}")
"""A seed has 128 bits unless somebody chose a longer one; Python reads no more digits than that."""

_DIGEST = re.compile("[0-9a-f]{64}")


def shown(value: Any) -> str:
    """Return a value of a run file for a message: short, and without its depths."""
    if value is None or isinstance(value, bool | int | float | str):
        return _short(scalars.shown(value, _MOST_SHOWN + 1))
    return "a list" if isinstance(value, list) else "an object"


def shown_json(value: Any) -> str:
    """Return what is known to be shallow as JSON for a message, shortened."""
    return _short(json.dumps(value))


def _short(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "..."


@dataclass(frozen=True)
class Kind(Generic[T]):
    """A kind of value.

    Attributes:
        expected: what it is, as in "not a text".
        schema: what JSON Schema calls it.
        accepts: whether a value of a file is of this kind.
        read: the value in Python.
        write: the value in JSON.
    """

    expected: str
    schema: Mapping[str, Any]
    accepts: Callable[[Any], bool]
    read: Callable[[Any], T] = cast("Callable[[Any], T]", lambda value: value)  # noqa: RUF009
    write: Callable[[T], Any] = cast("Callable[[T], Any]", lambda value: value)  # noqa: RUF009

    def of(self, fields: Any, name: str) -> T:
        """Return a field of an object.

        Raises:
            KeyError: it is missing.
            TypeError: it is of another kind.
        """
        value = fields[name]
        if not self.accepts(value):
            raise TypeError(f"{name} is {shown(value)}, not {self.expected}")
        return self.read(value)

    def or_null(self) -> Kind[T | None]:
        """Return this kind with null beside it."""
        return Kind(
            f"{self.expected} or null",
            {"anyOf": [self.schema, {"type": "null"}]},
            lambda value: value is None or self.accepts(value),
            lambda value: None if value is None else self.read(value),
            lambda value: None if value is None else self.write(value),
        )


def _is_real(value: Any) -> bool:
    """Say whether a value is a finite number, and as a double the same one."""
    if type(value) is int:
        return abs(value) <= MOST_WHOLE
    return type(value) is float and math.isfinite(value)


def _is_text(value: Any) -> bool:
    """Say whether a value is a text that every reader has: no half of a pair of UTF-16 in it."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_date(value: Any) -> bool:
    try:
        return _is_text(value) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def whole(least: int) -> Kind[int]:
    """Return the whole numbers from ``least`` to 2^53."""
    return Kind(
        f"a whole number of at least {least}",
        {"type": "integer", "minimum": least, "maximum": MOST_WHOLE},
        lambda value: type(value) is int and least <= value <= MOST_WHOLE,
    )


def real(most: float = sys.float_info.max) -> Kind[float]:
    """Return the numbers from 0 to ``most``."""
    return Kind(
        f"a number from 0 to {most:g}",
        {"type": "number", "minimum": 0} | ({"maximum": most} if most < 1e300 else {}),
        lambda value: _is_real(value) and 0 <= value <= most and math.copysign(1, value) > 0,
        float,
    )


NUMBER: Kind[float] = Kind(
    "a number",
    {"type": "number"},
    _is_real,
    float,
)
SHARE: Kind[float] = Kind(
    "a number between 0 and 1",
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    lambda value: NUMBER.accepts(value) and 0 < value < 1,
    float,
)
FLAG: Kind[bool] = Kind("true or false", {"type": "boolean"}, lambda value: isinstance(value, bool))
TEXT: Kind[str] = Kind("a text", {"type": "string"}, _is_text)
NAME: Kind[str] = Kind("a name", {"type": "string"}, lambda value: isinstance(value, str))
"""A text that may be a file's name: Python's stand-ins for bytes that are no UTF-8 may be in it,
which other readers replace or refuse."""
DATE: Kind[str] = Kind(
    "a date and time with its zone", {"type": "string", "format": "date-time"}, _is_date
)
DIGEST: Kind[str] = Kind(
    "a SHA-256",
    {"type": "string", "pattern": f"^{_DIGEST.pattern}$"},
    lambda value: isinstance(value, str) and _DIGEST.fullmatch(value) is not None,
)
SEED: Kind[int] = Kind(
    "a whole number as text",
    {"type": "string", "pattern": "^(0|[1-9][0-9]*)$"},
    lambda value: isinstance(value, str) and _SEED.fullmatch(value) is not None,
    int,
    str,
)
OBJECT: Kind[dict[str, Any]] = Kind(
    "an object", {"type": "object"}, lambda value: isinstance(value, dict)
)


def list_of(kind: Kind[T], expected: str) -> Kind[list[T]]:
    """Return lists of values of one kind."""
    return Kind(
        f"a list of {expected}",
        {"type": "array", "items": kind.schema},
        lambda value: isinstance(value, list) and all(map(kind.accepts, value)),
        lambda value: list(map(kind.read, value)),
        lambda value: list(map(kind.write, value)),
    )


TEXTS = list_of(TEXT, "texts")
NAMES = list_of(NAME, "names")
LIST: Kind[list[Any]] = Kind("a list", {"type": "array"}, lambda value: isinstance(value, list))


def object_of(kinds: Mapping[str, Kind[Any]]) -> Kind[Any]:
    """Return objects of exactly these fields."""
    return Kind(
        f"an object of {', '.join(kinds)}",
        {
            "type": "object",
            "properties": {name: kind.schema for name, kind in kinds.items()},
            "required": list(kinds),
            "additionalProperties": False,
        },
        lambda value: (
            isinstance(value, dict)
            and value.keys() == kinds.keys()
            and all(kind.accepts(value[name]) for name, kind in kinds.items())
        ),
    )


def map_of(kind: Kind[T], expected: str) -> Kind[dict[str, T]]:
    """Return objects of any fields whose values are of one kind."""
    return Kind(
        f"an object of {expected}",
        {"type": "object", "additionalProperties": kind.schema},
        lambda value: isinstance(value, dict) and all(map(kind.accepts, value.values())),
    )


def one_of(*texts: str) -> Kind[str]:
    """Return some texts."""
    return Kind(
        ", ".join(texts), {"type": "string", "enum": list(texts)}, lambda value: value in texts
    )


ARITHMETIC = one_of(*get_args(Arithmetic))

_COUNT = whole(1)


def _counts(value: Any) -> Counts:
    """Read counts: classes as plain numbers, so that none can hide behind another.

    The class numbers are bounded, since they decide how much memory the counts take.
    """
    for key in value:
        if key not in NOT_CLASSES and not _CLASS_NUMBER.fullmatch(key):
            raise TypeError(f"counts have the class {shown(key)}")
        _COUNT.of(value, key)  # a class without any is not written
    return Counts.from_json(value)


COUNTS: Kind[Counts] = Kind(
    "an object of counts",
    {"type": "object", "additionalProperties": _COUNT.schema},
    lambda value: isinstance(value, dict),
    _counts,
    Counts.to_json,
)
