"""The columns of a Hugging Face data set: which holds labels, and what they are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rsonnx.data.forms.table import NO_LABELS
from rsonnx.data.names import called_by_given, text_labels
from rsonnx.data.settings import DataSettings
from rsonnx.errors import DataError, UsageError
from rsonnx.scalars import as_whole, plain, shown

_LABELS = ("label", "labels")
"""What most call the column."""


PICTURES = ("image", "img")
"""What most call that of pictures."""


@dataclass(frozen=True)
class Feature:
    """What a data set says of a column.

    Attributes:
        kind: "Image", "ClassLabel", or whatever else Hugging Face calls it.
        names: of labels 0, 1, ... where it has any.
    """

    kind: str
    names: Any = None


def picture_column(columns: Sequence[str], path: Path) -> str:
    """Return which of the columns of pictures is meant: the only one, or the only one called so.

    Raises:
        DataError: there is none, or several may be.
    """
    usual = [name for name in columns if name in PICTURES]
    meant = columns if len(columns) == 1 else usual
    if len(meant) != 1:
        there = f"several columns of pictures ({', '.join(columns)})" if columns else "no picture"
        raise DataError(f"{path} has {there}; save it with the one that is meant")
    return meant[0]


def label_column(features: Mapping[str, Feature], settings: DataSettings, path: Path) -> str | None:
    """Return which column holds the labels; None where there are none.

    Raises:
        UsageError: it is not clear which, or the one that is meant is not there.
    """
    asked = settings.label_column
    if asked == NO_LABELS or (asked is None and settings.labels is not None):
        return None
    if asked is not None:
        if asked not in features:
            there = ", ".join(map(repr, features))
            raise UsageError(f"{path} has no column {asked!r}; name one of {there} as the label")
        return asked
    usual = [name for name in features if name in _LABELS]
    columns = usual or [name for name in features if features[name].kind == "ClassLabel"]
    if len(columns) > 1:
        raise UsageError(
            f"{path} has several columns of labels ({', '.join(columns)}); choose with "
            "--label-column"
        )
    return columns[0] if columns else None


def labels_of(
    values: Sequence[Any], names: Any, what: str, settings: DataSettings, path: Path
) -> tuple[tuple[int, ...], tuple[str, ...] | None, str]:
    """Return labels as whole numbers, the class names, and the rule's phrase.

    Args:
        values: a number or a name an example.
        names: what the data set calls the numbers, as it states it; anything else counts for none.
        what: where the values are, which becomes the rule.
        settings: class names that labels are met by.
        path: the data set, in messages.

    Raises:
        DataError: a value is neither, or a number that has no name where others have.
    """
    if values and all(isinstance(value, str) for value in values):
        return text_labels(values, settings.names, f"{what} of {path}", what)
    listed = isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)
    own = tuple(names) if listed and names else None
    labels = []
    for at, value in enumerate(values):
        label = as_whole(plain(value))
        if label is None or not 0 <= label < (len(own) if own else 2**53):
            hidden = " (labels that are kept back are -1: choose another split)"
            raise DataError(
                f"row {at} of {path} has in {what} {shown(value)}, but 0, 1, ... or names were "
                f"expected{hidden if label == -1 else ''}"
            )
        labels.append(label)
    numbers, called, rule = called_by_given(labels, own, settings.names, str(path))
    return numbers, called, rule or what
