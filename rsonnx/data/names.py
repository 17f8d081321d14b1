"""Class names: reading a list of them, and checking one that a caller gives."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from rsonnx.errors import DataError, UsageError

GIVEN_NAMES = "position in the given class names"
"""The label rule of data whose class names the caller gave, in the model's order."""


SORTED_FOLDERS = "class folders sorted by name"
"""The label rule of class folders without given names: right only if every class has a folder."""


def read_class_names(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Read class names from a UTF-8 text file: one name a line, line i is class i (from 0).

    Blank lines at the end are ignored, and so is white space around a name; a blank line
    between names is refused, because dropping it would shift every later class.

    Raises:
        UsageError: the path does not exist or is no readable file.
        DataError: no names, a blank line between names, a duplicate, or text that is not UTF-8.
    """
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UsageError(f"the class names {path} cannot be read ({reason}); name a file") from None
    except UnicodeDecodeError:
        raise DataError(
            f"the class names {path} are not UTF-8 text; write one name a line in UTF-8"
        ) from None
    # Not str.splitlines: that would also split on separators that may stand inside a name.
    names = [line.strip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise DataError(f"the class names {path} hold no name; write one name a line")
    first_line: dict[str, int] = {}
    for number, name in enumerate(names, start=1):
        if not name:
            raise DataError(
                f"line {number} of the class names {path} is blank; remove it, or name class "
                f"{number - 1} there"
            )
        if name in first_line:
            raise DataError(
                f"the class names {path} have {name!r} on line {first_line[name]} and again on "
                f"line {number}; give every class its own name"
            )
        first_line[name] = number
    return tuple(names)


def checked_classes(classes: Sequence[str] | None) -> tuple[str, ...] | None:
    """Return the caller's class names as a tuple; UsageError if they cannot number classes."""
    if classes is None:
        return None
    if isinstance(classes, str):  # a str is a sequence of its letters: surely not meant
        raise UsageError(f"the class names are the text {classes!r}; give a sequence of names")
    names = tuple(classes)
    if not names:
        raise UsageError("the class names are empty; give one name a class, or none at all")
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise UsageError(f"the class name {name!r} is given twice; name every class once")
        seen.add(name)
    return names
