"""What a model's classes are called: by its graph, else by the metadata beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rsonnx.names import Names, is_key, names_of_text, names_of_value, parsed

NAMES_KEY = "class_names"
"""The entry that is written; many more are read."""

_LONGEST = 1_000_000
"""Characters of one entry: 20,000 classes have names of 400,000."""

_CONFIG = "config"
"""Some exporters store the whole ``config.json`` of a model of transformers."""


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
    source = "graph" if in_graph else None
    if not all(name.removeprefix("-").isdecimal() for name in in_graph):
        return ClassNames(in_graph, source)
    read = {key: names for key, text in metadata.items() if (names := _read(key, text)) is not None}
    listed = {key: names for key, names in read.items() if names.names}
    # Of a model whose label may be any number, names from 1 on would be those of other classes.
    fitting = {
        key: names
        for key, names in listed.items()
        if (len(names.names) == classes if classes is not None else names.first == 0)
    }
    note = None
    if not are_numbers(in_graph):
        if listed:
            note = (
                f"the metadata {_keys(listed)} name classes, but the graph numbers them "
                f"{', '.join(in_graph[:3])}, ..., so they are left out"
            )
    elif len({names.names for names in fitting.values()}) > 1:
        note = f"the metadata {_keys(fitting)} name the classes differently"
    elif fitting:
        key, names = next(iter(fitting.items()))
        return ClassNames(names.names, f"metadata {key!r}")
    elif listed:
        key, names = next(iter(listed.items()))
        note = (
            f"the metadata {key!r} name {len(names.names)} classes from {names.first} on and the "
            f"model has {'any' if classes is None else classes}, so they are left out"
        )
    elif read:
        note = f'the metadata {_keys(read)} hold no list of names, such as ["cat", "dog"]'
    return ClassNames(in_graph, source, note)


def are_numbers(names: tuple[str, ...]) -> bool:
    """Say whether names are no more than the numbers 0, 1, ... of the classes; so are none."""
    return names == tuple(map(str, range(len(names))))


def keys_of_names(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """Return the keys of all entries that are read as names of classes."""
    return tuple(key for key, text in metadata.items() if _read(key, text) is not None)


def _keys(entries: Mapping[str, object]) -> str:
    return " and ".join(map(repr, entries))


def _read(key: str, text: str) -> Names | None:
    """Return the names that an entry holds, none where it cannot be read; None for other entries.

    A number alone says how many classes there are.
    """
    text, unread = text.strip(), Names(())
    if key.lower() == _CONFIG:
        value = parsed(text) if len(text) <= _LONGEST else None
        is_config = isinstance(value, dict) and any(map(is_key, value))
        return names_of_value(value) if is_config else None
    if not is_key(key) or not text or text.isdecimal():
        return None
    return (names_of_text(text) if len(text) <= _LONGEST else None) or unread
