"""Class names: where labels come from, when two names are one, and names that a caller gives."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from rsonnx.arguments import check_texts
from rsonnx.errors import UsageError
from rsonnx.scalars import shown

GIVEN_NAMES = "position in the given class names"
"""The label rule of data whose class names the caller gave, in the model's order."""

NUMBERED_FOLDERS = "class folders are the numbers"
"""The label rule of class folders that are all numbers, without given names."""

SORTED_FOLDERS = "class folders sorted by name"
"""The label rule of class folders without given names: right only if every class has a folder."""

NAMED_LABELS = "class names beside the inputs"
"""The label rule of labels that are texts, without given names: those of the model are met."""

LABEL_NUMBERS = "numbers of the labels file, from 0"
"""The label rule of a labels file of numbers."""


def composed(name: str) -> str:
    """Return a name in composed Unicode (NFC): two names that look the same are then equal.

    One of over 1,000 characters is returned as it is: the time it takes grows with their square.
    """
    return unicodedata.normalize("NFC", name) if len(name) <= 1000 else name


def checked_classes(classes: Sequence[str] | None) -> tuple[str, ...] | None:
    """Return the caller's class names as a tuple; UsageError if they cannot number classes."""
    if classes is None:
        return None
    if isinstance(classes, str):  # a str is a sequence of its letters: surely not meant
        raise UsageError(f"the class names are the text {shown(classes)}; give a sequence of names")
    names = check_texts("the list of class names", classes)
    if not names:
        raise UsageError("the class names are empty; give one name a class, or none at all")
    seen: set[str] = set()
    for name in names:
        if composed(name) in seen:
            raise UsageError(f"the class name {shown(name)} is given twice; name every class once")
        seen.add(composed(name))
    return names
