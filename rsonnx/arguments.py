"""Arguments of a library call: each is returned as what it means, or refused in one sentence."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from rsonnx.errors import UsageError
from rsonnx.scalars import as_whole, plain, shown

T = TypeVar("T")

MOST_LETTERS = 64
"""Of what a person calls a run."""
MOST_WHOLE = 2**53
"""Whole numbers up to here are the same to every reader of JSON."""


def check_kind(name: str, value: object, kind: type[T], expected: str) -> T:
    """Return a value of a kind; ``expected`` says in words which."""
    if not isinstance(value, kind):
        raise UsageError(f"{name} is {shown(value)}, but {expected} was expected")
    return value


def check_choice(name: str, value: object, choices: Iterable[str]) -> str:
    """Return one of some words."""
    if not isinstance(value, str) or value not in choices:
        raise UsageError(f"{name} is {shown(value)}, but one of {', '.join(choices)} was expected")
    return value


def is_name(value: object) -> bool:
    """Say whether a value can be what a person calls something in tables: short and printable."""
    text = value if isinstance(value, str) else ""
    return 1 <= len(text) <= MOST_LETTERS and text.isprintable() and text == text.strip()


def check_name(name: str, value: object) -> str:
    """Return what a person calls something."""
    if not is_name(value):
        raise UsageError(
            f"{name} is {shown(value)}, but 1 to {MOST_LETTERS} printable letters were expected"
        )
    return str(value)


def check_flag(name: str, value: object) -> bool:
    """Return a flag; 0, 1 and "no" are none."""
    return check_kind(name, plain(value), bool, "True or False")


def check_positive(name: str, value: object) -> int:
    """Return a whole number of at least 1."""
    whole = as_whole(value)
    if whole is None or not 1 <= whole <= MOST_WHOLE:
        raise UsageError(f"{name} is {shown(value)}, but a whole number of at least 1 was expected")
    return whole


def check_texts(name: str, value: object) -> tuple[str, ...]:
    """Return texts, of which a single one may stand for itself, and None for none."""
    listed = (value,) if isinstance(value, str) else () if value is None else plain(value)
    texts = tuple(listed) if isinstance(listed, Iterable) else (listed,)
    if not all(isinstance(text, str) for text in texts):
        raise UsageError(f"{name} is {shown(value)}, but texts were expected")
    return texts


def check_pair(bounds: Any) -> tuple[float, float]:
    """Return bounds as two floats, or refuse what is none; a text of two digits is one thing."""
    try:
        low, high = map(float, [bounds] if isinstance(bounds, str | bytes) else bounds)
    except (TypeError, ValueError, OverflowError):
        raise UsageError(
            f"bounds are {shown(bounds)}, but two numbers, low and high, were expected"
        ) from None
    return low, high
