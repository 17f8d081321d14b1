"""A header is held to the table of its fields: by this reader, and by others as a JSON Schema."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rsonnx.runs.fields import shown
from rsonnx.runs.header_fields import HEADER, HeaderField


def check_fields(record: Mapping[str, Any]) -> None:
    """Refuse a header with a field that is missing, unknown, or of another kind.

    Raises:
        KeyError: with the path of the missing field.
        TypeError: naming the other.
    """
    noise = record.get("noise")
    _check("", record, _TREE, 2 if isinstance(noise, dict) and "stream" in noise else 1)


def header_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a header."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The header of a run file of rsonnx",
        **_schema(_TREE),
    }


def _schema(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            name: {"description": inner.meaning, **inner.kind.schema}
            if isinstance(inner, HeaderField)
            else _schema(inner)
            for name, inner in tree.items()
        },
        "required": [
            name
            for name, inner in tree.items()
            if not isinstance(inner, HeaderField) or inner.since == 1
        ],
        "additionalProperties": False,
    }


def _check(path: str, value: Any, tree: Mapping[str, Any], version: int) -> None:
    if not isinstance(value, dict):
        raise TypeError(f"{path} is {shown(value)}, not an object")
    for name in value:
        if name not in tree:
            raise TypeError(f"it has the field {shown(_join(path, name))}, which no header has")
    for name, inner in tree.items():
        if isinstance(inner, HeaderField):
            if name not in value:
                if inner.since is not None and inner.since <= version:
                    raise KeyError(inner.path)
            elif not inner.kind.accepts(value[name]):
                raise TypeError(f"{inner.path} is {shown(value[name])}, not {inner.kind.expected}")
        elif name in value:
            _check(_join(path, name), value[name], inner, version)
        else:
            raise KeyError(_join(path, name))


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _tree(fields: Iterable[HeaderField]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for field in fields:
        *parents, name = field.path.split(".")
        inside = tree
        for parent in parents:
            inside = inside.setdefault(parent, {})
        inside[name] = field
    return tree


_TREE = _tree(HEADER)
