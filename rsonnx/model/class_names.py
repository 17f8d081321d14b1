"""What a model's classes are called: by its graph, else by the metadata beside it."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_KEYS = (
    *("names", "id2label", "label2id", "class_names", "classes", "class_labels"),
    *("labels", "label_names", "categories"),
)
"""Ultralytics writes ``names``, transformers ``id2label``, and others what they call them."""

_LONGEST = 1_000_000
"""Characters of one entry: 20,000 classes have names of 400,000."""


@dataclass(frozen=True)
class ClassNames:
    """Names of classes.

    Attributes:
        names: class by class; empty where there are none.
        source: where they were found; None where they were not.
        note: what was left out, and why; None for nothing.
    """

    names: tuple[str, ...]
    source: str | None
    note: str | None = None


def name_classes(
    in_graph: tuple[str, ...], metadata: Mapping[str, str], classes: int | None
) -> ClassNames:
    """Return the names of a model's classes.

    Metadata count only where the graph names none, or no more than the numbers 0, 1, ....

    Args:
        in_graph: the names that the graph has.
        metadata: of the file.
        classes: how many classes the model has, None where that is not known.
    """
    if in_graph and in_graph != tuple(map(str, range(len(in_graph)))):
        return ClassNames(in_graph, "graph")
    listed = names_in(metadata)
    fitting = {k: n for k, n in listed.items() if classes is None or len(n) == classes}
    plain = ClassNames(in_graph, "graph" if in_graph else None)
    if len(set(fitting.values())) > 1:
        keys = " and ".join(map(repr, fitting))
        return ClassNames(*_plain(plain), f"the metadata {keys} name the classes differently")
    if fitting:
        key, names = next(iter(fitting.items()))
        return ClassNames(names, f"metadata {key!r}")
    if listed:
        key, names = next(iter(listed.items()))
        note = f"the metadata {key!r} name {len(names)} classes and the model has {classes}"
        return ClassNames(*_plain(plain), f"{note}, so they are left out")
    return plain


def _plain(found: ClassNames) -> tuple[tuple[str, ...], str | None]:
    return found.names, found.source


def names_in(metadata: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return the lists of class names that a file's metadata hold, by the key of each."""
    found = {key: _listed(metadata[key]) for key in _KEYS if key in metadata}
    return {key: names for key, names in found.items() if names}


def _listed(text: str) -> tuple[str, ...]:
    """Read names: a list, or a dict from or to numbers, as JSON or Python writes it; a,b,c."""
    if len(text) > _LONGEST:
        return ()
    value = _parsed(text)
    if isinstance(value, dict):
        value = _in_order(value)
    if isinstance(value, list | tuple):
        names = [n["name"] if isinstance(n, dict) and "name" in n else n for n in value]
        return tuple(names) if all(isinstance(n, str) for n in names) else ()
    if value is None and not text.lstrip().startswith(("{", "[", "(")):
        parts = [part.strip() for part in text.replace("\n", ",").split(",")]
        return tuple(filter(None, parts)) if len(parts) > 1 else ()
    return ()


def _parsed(text: str) -> Any:
    """Return what a text of JSON or a Python literal holds; None for any other text."""
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
    return None


def _in_order(value: dict[Any, Any]) -> list[Any] | None:
    """Return the names of {0: name, ...} or {name: 0, ...}; None where numbers are missing."""
    for pairs in (value.items(), [(v, k) for k, v in value.items()]):
        numbered = {_number(k): name for k, name in pairs}
        if len(numbered) == len(value) and set(numbered) == set(range(len(value))):
            return [numbered[k] for k in range(len(value))]
    return None


def _number(key: Any) -> int | None:
    if isinstance(key, int) and not isinstance(key, bool):
        return key
    is_number = isinstance(key, str) and key.isascii() and key.isdecimal() and len(key) < 9
    return int(key) if is_number else None
