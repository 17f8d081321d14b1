"""JSON as every reader reads it: what two of them might read as two values is refused.

RFC 8259 leaves open which value of a name that is there twice is taken and how a number is rounded,
and Python reads NaN, which JSON does not have.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from decimal import Decimal, InvalidOperation
from typing import Any

from rsonnx.arguments import MOST_WHOLE
from rsonnx.runs.fields import shown

MOST_BYTES = 64 << 20
"""Of a line of a run file, and of the other files that hold a header."""

_DEEPEST = 64
"""Levels of values inside values; readers of other languages follow at least as many."""

_LONGEST = 4000
"""Digits of a whole number, of which Python reads few more; how large it may be says its field."""


def read_object(content: bytes) -> dict[str, Any]:
    """Read one JSON object.

    Args:
        content: in UTF-8, without a byte order mark.

    Raises:
        ValueError: it is no JSON; a field is there twice in an object; a number is beyond the
            doubles or has digits that these do not hold; values lie in each other too deep.
        TypeError: it is another value.
    """
    try:
        value = _DECODER.decode(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start + 1} is no UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg} at character {error.pos + 1}") from None
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    if not isinstance(value, dict):
        raise TypeError(f"it is {shown(value)}, not an object")
    if content.count(b"{") + content.count(b"[") > _DEEPEST:
        _check_depth(value)
    return value


def same(one: Any, other: Any) -> bool:
    """Say whether two values are one in JSON; to Python 1, 1.0 and true are equal."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def portable(value: Any) -> Any:
    """Return a value with texts for the numbers that JSON does not have or other readers round."""
    if isinstance(value, dict):
        return {key: portable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [portable(inner) for inner in value]
    rounded = type(value) is int and abs(value) > MOST_WHOLE
    return (
        str(value) if rounded or (isinstance(value, float) and not math.isfinite(value)) else value
    )


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = Counter(name for name, _ in pairs)
        twice = next(name for name, times in names.items() if times > 1)
        raise ValueError(f"the field {shown(twice)} is there twice")
    return fields


def _real(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"the number {text:.40} is beyond the doubles")
    if repr(value) != text and not _is(value, text):
        raise ValueError(f"the number {text:.40} has digits that no double has")
    return value


def _is(value: float, text: str) -> bool:
    try:
        return Decimal(repr(value)) == Decimal(text)
    except InvalidOperation:  # its exponent is beyond what a Decimal holds
        return False


def _whole(text: str) -> int:
    if text == "-0" or len(text) > _LONGEST:
        raise ValueError(f"the whole number {text:.40} is another one to other readers")
    return int(text)


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number of JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_once, parse_float=_real, parse_int=_whole, parse_constant=_no_number
)

_TOO_DEEP = f"it is nested deeper than {_DEEPEST} levels"


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(_DEEPEST):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    if level:
        raise ValueError(_TOO_DEEP)
