"""Class names: where labels come from, when two names are one, and names that a caller gives."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from rsonnx.arguments import check_texts
from rsonnx.errors import DataError, UsageError
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


_NUMBER = re.compile(r"(-?[0-9]{1,18})(?:\.0*)?")


def composed(name: str) -> str:
    """Return a name in composed Unicode (NFC): two names that look the same are then equal.

    One of over 1,000 characters is returned as it is: the time it takes grows with their square.
    """
    return unicodedata.normalize("NFC", name) if len(name) <= 1000 else name


def decomposed(name: str) -> str:
    """Return a name in decomposed Unicode (NFD), as macOS stores it; a long one as it is."""
    return unicodedata.normalize("NFD", name) if len(name) <= 1000 else name


def folded(name: str) -> str:
    """Return a name without what is often written otherwise: `Sea_Lion` as `sea lion`."""
    return re.sub(r"[\W_]+", " ", composed(name).casefold()).strip()


def heading(cell: str) -> str:
    """Return what a column is called in small letters and digits: `Image ID` as `imageid`."""
    return folded(cell).replace(" ", "")


def whole_number(text: str) -> int | None:
    """Return the number that a label is, also as tables of floats write it; None for a name."""
    match = _NUMBER.fullmatch(text)
    return None if match is None else int(match[1])


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


def called_by_given(
    labels: Sequence[int], own: Sequence[str] | None, given: tuple[str, ...] | None, where: str
) -> tuple[tuple[int, ...], tuple[str, ...] | None, str | None]:
    """Meet class names that data state of their labels with those that the caller gave.

    Args:
        labels: from 0; each has a name where `own` names them.
        own: what the data call label 0, 1, ...; None where they do not say.
        given: the caller's names, in the order of the model's outputs; None for none.
        where: the data in messages.

    Returns:
        the labels and what they are called; and `GIVEN_NAMES` where the labels are now positions in
        the given names, because each name of the data's is among them, at least but for case and
        punctuation; else None: names that are all others only rename the classes.

    Raises:
        DataError: some of the data's names are among the given ones, in other places.
    """
    if given is None or own is None:
        return tuple(labels), given or (None if own is None else tuple(own)), None
    places: list[int | None] = []
    for form in (composed, folded):
        position = {form(name): at for at, name in enumerate(given)}
        places = [position.get(form(name)) for name in own]
        if None not in places and len(set(places)) == len(own):
            numbers = tuple(places[label] for label in labels)
            return numbers, given, GIVEN_NAMES  # type: ignore[return-value]
    for at, (name, place) in enumerate(zip(own, places, strict=True)):
        if place not in (None, at):
            lacking = next((n for n, met in zip(own, places, strict=True) if met is None), name)
            raise DataError(
                f"class {at} of {where} is {shown(name)}, number {place} of the class names given, "
                f"which lack {shown(lacking)}; correct the names"
            )
    return tuple(labels), given, None


def text_labels(
    texts: Sequence[str], classes: tuple[str, ...] | None, where: str, rule: str
) -> tuple[tuple[int, ...], tuple[str, ...] | None, str]:
    """Return labels that are numbers as texts, else names, as :func:`named_labels` does.

    ``rule`` is that of numbers.
    """
    numbers = tuple(number for text in texts if (number := whole_number(text)) is not None)
    if len(numbers) < len(texts):
        return named_labels(texts, classes, where)
    return numbers, classes, rule


def named_labels(
    texts: Sequence[str], classes: tuple[str, ...] | None, where: str
) -> tuple[tuple[int, ...], tuple[str, ...], str]:
    """Return labels that are texts as numbers, what those are called, and the label rule.

    Args:
        texts: a class name an input.
        classes: the given class names, which the numbers are places in; None for the texts' own, in
            sorted order.
        where: what holds them, in messages.

    Raises:
        DataError: a text is none of ``classes``.
    """
    names = [composed(text) for text in texts]
    ordered = tuple(sorted(set(names))) if classes is None else classes
    place = {composed(name): at for at, name in enumerate(ordered)}
    unknown = sorted(set(names) - place.keys())
    if unknown:
        raise DataError(
            f"{where} has the label {shown(unknown[0])}, which is none of the {len(ordered)} class "
            "names given; correct the names"
        )
    rule = NAMED_LABELS if classes is None else GIVEN_NAMES
    return tuple(place[name] for name in names), ordered, rule
