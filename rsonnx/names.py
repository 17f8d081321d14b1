"""Class names as one text or one parsed value holds them, in the forms that exporters write.

- a list of names, or of objects with a ``name`` and perhaps an ``id``;
- ``{index: name}`` or ``{name: index}``, the indices 0, 1, ... or 1, 2, ...;
- an object that holds one of these under a usual key, such as ``id2label``;
- as text: the above as JSON or Python writes it; lines, or parts between ``;`` or ``,``, each with
  its index before it or none with one.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_KEYS = {
    *("names", "id2label", "label2id", "classnames", "classes", "classlabels"),
    *("labels", "labelnames", "categories", "classtoidx"),
}
"""Ultralytics writes ``names``, transformers ``id2label``, torchvision ``class_to_idx``."""

_NUMBERED = re.compile(r"(\d{1,9})(?:\s*[:=]\s*|\s+)(\S.*)", re.ASCII)
_DEEPEST = 4


@dataclass(frozen=True)
class Names:
    """Names of classes.

    Attributes:
        names: class by class.
        first: the number that the source gives the first class: 0 or 1.
    """

    names: tuple[str, ...]
    first: int = 0


def is_key(key: Any) -> bool:
    """Return whether a key usually holds class names, however it is written."""
    return re.sub("[-_ ]", "", str(key).lower()) in _KEYS


def names_of_text(text: str) -> Names | None:
    """Read the names that a text holds; None where it holds none of these forms, or a lone word."""
    value = parsed(text)
    if value is not None:
        return names_of_value(value)
    if text.lstrip()[:1] in ("{", "[", "("):
        return None
    separator = next((mark for mark in ("\n", ";", ",") if mark in text.strip()), None)
    parts = [part.strip().rstrip(",;").strip() for part in text.split(separator or "\n")]
    parts = [part for part in parts if part]
    numbered = [_NUMBERED.fullmatch(part) for part in parts]
    if len(parts) < 2:
        return None
    by_number = _in_order((int(m[1]), m[2].strip()) for m in numbered if m)
    return by_number if all(numbered) and by_number is not None else Names(tuple(parts))


def names_of_value(value: Any, depth: int = 0) -> Names | None:
    """Read the names that a parsed value holds; None where it holds none of these forms.

    Args:
        value: of JSON, YAML or a Python literal.
        depth: how many objects it was found in.
    """
    if isinstance(value, list | tuple):
        return _of_list(value)
    if not isinstance(value, Mapping) or depth > _DEEPEST:
        return None
    inside = [
        inner
        for key, inner in value.items()
        if is_key(key) and isinstance(inner, dict | list | tuple)
    ]
    if inside:
        named = {names_of_value(inner, depth + 1) for inner in inside}
        return named.pop() if len(named) == 1 else None
    if all(_is_index(number) for number in value.values()):
        return _in_order((number, name) for name, number in value.items())
    indices = [_index(key) for key in value]
    if None in indices:
        return None
    # Keras writes {index: [folder, name]}.
    entries = [entry[0] if isinstance(entry, list) and entry else entry for entry in value.values()]
    return _in_order((index, entry) for index, entry in zip(indices, entries, strict=True))


def parsed(text: str) -> Any:
    """Return what a text of JSON or a Python literal holds; None for any other text."""
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
    return None


def _of_list(value: Sequence[Any]) -> Names | None:
    if value and all(isinstance(entry, Mapping) and "name" in entry for entry in value):
        ids = [entry.get("id") for entry in value]
        names = [entry["name"] for entry in value]
        indices = range(len(names)) if ids == [None] * len(ids) else ids
        return _in_order(zip(indices, names, strict=True))
    return _in_order(enumerate(value))


def _in_order(pairs: Iterable[tuple[Any, Any]]) -> Names | None:
    """Return names by their indices; None if these are not 0, 1, ... or 1, 2, ..., each once."""
    listed = list(pairs)
    if not listed or not all(_is_index(n) and isinstance(name, str) for n, name in listed):
        return None
    ordered = sorted(listed)
    first = ordered[0][0]
    if first > 1 or [n for n, _ in ordered] != list(range(first, first + len(ordered))):
        return None
    return Names(tuple(name for _, name in ordered), first)


def _is_index(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _index(key: Any) -> int | None:
    if _is_index(key):
        return int(key)
    is_number = isinstance(key, str) and re.fullmatch("[0-9]{1,9}", key) is not None
    return int(key) if is_number else None
