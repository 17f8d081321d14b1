"""Files that name the classes: a name a line, numbered lines, JSON, or the `names` of a YAML file.

What decides is the content. A file that can be read in two ways, or in none, is refused.
"""

from __future__ import annotations

import ast
import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rsonnx.data.names import composed, heading
from rsonnx.errors import DataError
from rsonnx.files import read_small
from rsonnx.names import names_of_value

_NUMBERED = (
    re.compile(
        r"[\[(]?(?P<number>\d{1,99})"
        r"(?P<by>[\])]?\s*(?:->|=>|[:\uff1a,;=|])\s*|[\])]\s*|\.\s+|\s*[-\u2013]\s+|\s+)"
        r"(?P<name>\S.*)"
    ),
    re.compile(
        r"(?P<number>\d{1,99})(?P<by>\s*(?:>-|>=|[:\uff1a,;=|])\s*|\s+[-\u2013]\s+|\s+)(?P<name>\S.*)"
    ),
)
"""`0 red`, `0: red`, `[0] red`, `0 - red`; and, of a line from its end, `red,0` and `red -> 0`.

From its beginning, where a name ends would be tried anew at every blank of a long row of them.
"""

_HEADINGS = frozenset(
    [
        *("id", "idx", "index", "no", "number", "class", "classid", "classindex", "classname"),
        *("name", "label", "labelid", "labelname", "category", "categoryid", "categoryname"),
        *("target", "synset", "wnid"),
    ]
)
"""What the columns of a table of classes are called."""

_SYNSET = re.compile(r"(n\d{8})[\s,:].*", re.ASCII)
"""ImageNet's lists put words behind the name of the folder: `n01440764 tench, Tinca tinca`."""

_YAML_NAMES = re.compile(r"^names[ \t]*:(.*(?:\n(?![^\s#\-\]}]).*)*)", re.MULTILINE)
"""The entry `names` of a YAML file, with the lines that belong to it."""

_YAML_KEY = re.compile(r"(?:-|(?P<number>\d{1,99})\s*:)(?:\s+|$)", re.ASCII)
"""What stands before a name: `- red`, `0: red`."""


def read_class_names(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Read class names in the order of the model's outputs, from a UTF-8 file.

    - Text: one name a line, line i is class i (from 0). Blank lines at the end are ignored, and so
      is white space around a name; a blank line between names is refused, because dropping it
      would shift every later class. Where every line has a number beside the name, before or
      behind it, and the numbers are 0..K-1 each once, they say which class it is; so do 1..K where
      more than a space parts them from the names. A heading such as `index,name`, quotes around
      names, and ImageNet's words behind `n01440764` are no part of a name.
    - JSON, or a Python literal: a list of names, {name: index}, {index: name}, Keras's
      {index: [folder, name]}, a list of {"id": index, "name": name}, or an object that
      has one of these as `id2label`, `names`, ...
    - YAML (by its ending): the list or mapping `names`, as Ultralytics writes it.

    Raises:
        UsageError: the path does not exist or is no readable file.
        DataError: more than 4 MiB, no names, none of these forms, a duplicate, or no UTF-8 text.
    """
    path = Path(path)
    try:
        text = read_small(path, "the class names").decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(
            f"the class names {path} are not UTF-8 text; write one name a line in UTF-8"
        ) from None
    # Not str.splitlines: that would also split on separators that may stand inside a name.
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if path.suffix.lower() in (".yaml", ".yml"):
        names = _of_yaml(text)
    elif text.lstrip()[:1] in ("{", "[") and not re.match(r"\s*\[\d+\][^\S\n]*[^\s,\]]", text):
        listed = names_of_value(_literal(text, path))
        names = None if listed is None or listed.first else tuple(map(str.strip, listed.names))
    else:
        return _of_lines([line.strip() for line in text.rstrip().split("\n")], path)
    if not names or not all(names):
        raise DataError(
            f"the class names {path} are no list of names, {{name: index}}, {{index: name}} with "
            "the indices 0, 1, ..., nor an object that holds one; write one name a line"
        )
    _refuse_twice(names, path, "entry")
    return names


def _of_lines(lines: list[str], path: Path) -> tuple[str, ...]:
    if lines == [""]:
        raise DataError(f"the class names {path} hold no name; write one name a line")
    if "" in lines:
        number = lines.index("") + 1
        raise DataError(
            f"line {number} of the class names {path} is blank; remove it, or name class "
            f"{number - 1} there"
        )
    _refuse_twice(lines, path, "line")
    if len(lines) > 1 and all(line.endswith(",") for line in lines[:-1]):
        lines = [line.removesuffix(",").rstrip() for line in lines]  # entries cut out of a list
    headed = _is_heading(lines[0])
    body = lines[1:] if headed else lines
    names = _folders_of(body) or _of_numbered(body, path)
    if lines[0].startswith("# ") or (headed and (names is None or len(_columns(lines[0])) != 2)):
        raise DataError(
            f"line 1 of the class names {path} is {lines[0]!r}, which names no class; remove it "
            "and write one name a line"
        )
    names = tuple(_unquoted(name, path) for name in names or body)
    if all(name[:1] == name[-1:] == "'" and len(name) > 2 for name in names):
        names = tuple(name[1:-1] for name in names)
    names = _folders_of(names) or names
    _refuse_twice(names, path, "entry")
    return names


def _columns(line: str) -> list[str]:
    return re.split(r"(?<!\s)\s*[,;|\t]\s*", line)  # once a row of blanks


def _is_heading(line: str) -> bool:
    columns = list(map(heading, _columns(line)))
    return len(columns) > 1 and _HEADINGS.issuperset(columns)


def _folders_of(lines: Sequence[str]) -> tuple[str, ...] | None:
    """Return the synsets that all lines begin with; None where they do not."""
    synsets = [match for line in lines if (match := _SYNSET.fullmatch(line))]
    return tuple(match[1] for match in synsets) if 0 < len(lines) == len(synsets) else None


def _unquoted(name: str, path: Path) -> str:
    if not name.startswith('"'):
        return name
    if len(name) < 3 or not name.endswith('"'):
        raise DataError(
            f"the class names {path} have {name!r}, whose quote does not end it; write one name a "
            "line, without quotes"
        )
    return name[1:-1].replace('""', '"')


@dataclass(frozen=True)
class _Numbering:
    """What numbered lines say: names in the order of their numbers.

    Attributes:
        names: without the numbers.
        base: the least number, where they are K in a row from 0 or 1; else None.
        apart: more than a space parts every number from its name.
    """

    names: tuple[str, ...]
    base: int | None
    apart: bool


def _of_numbered(lines: Sequence[str], path: Path) -> tuple[str, ...] | None:
    """Return the names of lines that are all numbered; None where the numbers are part of them."""
    forms = zip(_NUMBERED, (lines, [line[::-1] for line in lines]), (1, -1), strict=True)
    read = [numbering for form in forms if (numbering := _numbering(*form))]
    sure = {by.names for by in read if by.base == 0 or (by.base == 1 and by.apart)}
    plain = all(by.base is not None and all(map(str.isdecimal, by.names)) for by in read)
    if len(sure) > 1 or (len(read) > 1 and plain):
        raise DataError(
            f"the lines of the class names {path} hold two numbers each, and either may be the "
            "class; write one name a line"
        )
    if not sure and any(by.apart or by.base == 1 for by in read):
        raise DataError(
            f"the lines of the class names {path} are numbered, from {lines[0]!r} on, but not 0, "
            "1, 2, ...; correct the numbers, or write a JSON list if they are part of the names"
        )
    return sure.pop() if sure else None


def _numbering(form: re.Pattern[str], lines: Sequence[str], step: int) -> _Numbering | None:
    matches = [match for line in lines if (match := form.fullmatch(line))]
    pairs = sorted((int(m["number"][::step]), m["name"][::step]) for m in matches)
    # "class 0", "class 1", ... are names that end in numbers.
    if len(matches) < len(lines) or len(lines) < 2 or len({name for _, name in pairs}) < len(lines):
        return None
    numbers = [number for number, _ in pairs]
    base = next((k for k in (0, 1) if numbers == list(range(k, k + len(lines)))), None)
    apart = all(match["by"].strip() or "\t" in match["by"] for match in matches)
    return _Numbering(tuple(name for _, name in pairs), base, apart)


def _in_order(pairs: Iterable[tuple[int, str]]) -> tuple[str, ...] | None:
    """Return names by their indices; None if these are not 0..K-1 each once."""
    ordered = sorted(pairs)
    if [index for index, _ in ordered] != list(range(len(ordered))):
        return None
    return tuple(name.strip() for _, name in ordered)


def _literal(text: str, path: Path) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        fields = dict(pairs)
        if len(fields) < len(pairs):
            raise DataError(
                f"the class names {path} have a key twice in one object; give every class its own"
            )
        return fields

    try:
        return json.loads(text, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        raise DataError(
            f"the class names {path} begin like JSON, but are none; correct the file, or write one "
            "name a line"
        ) from None


def _of_yaml(text: str) -> tuple[str, ...] | None:
    """Return the names of the simple forms: a block of items, or [a, b] without nested quotes."""
    entries = _YAML_NAMES.findall(text)
    if len(entries) != 1:
        return None
    body = entries[0].strip()
    flow = re.fullmatch(r"[\[{](.*)[\]}](?:\s*#.*)?", body, re.DOTALL)
    parts = flow[1].replace("\n", " ").rstrip(", ").split(",") if flow else body.split("\n")
    bare = (re.split(r"(?:^|\s)#", part.strip(), maxsplit=1)[0].rstrip() for part in parts)
    pairs = []
    for at, item in enumerate(filter(None, bare)):
        key = _YAML_KEY.match(item)
        name = item if key is None else item[key.end() :]
        if name[:1] in ("'", '"'):
            if len(name) < 3 or name[-1] != name[0]:
                return None
            name = name[1:-1]
        elif not name or name[0] in "[{&*!|>%@`":
            return None
        pairs.append((int(key["number"]) if key is not None and key["number"] else at, name))
    return _in_order(pairs)


def _refuse_twice(names: Sequence[str], path: Path, what: str) -> None:
    first: dict[str, int] = {}
    for number, name in enumerate(names, start=1):
        before = first.setdefault(composed(name), number)
        if before != number:
            raise DataError(
                f"the class names {path} have {name!r} on {what} {before} and again on {what} "
                f"{number}; give every class its own name"
            )
