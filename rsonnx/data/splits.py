"""The part of a data set that is meant, where it holds several: the test set is never a guess."""

from __future__ import annotations

import os
from collections.abc import Collection

from rsonnx.data.names import composed
from rsonnx.data.settings import DataSettings
from rsonnx.errors import ChoiceError, UsageError

_FOLDERS = frozenset(["train", "training", "val", "valid", "validation", "dev", "test", "testing"])


def split_folder(
    folders: Collection[str],
    images: Collection[str],
    settings: DataSettings,
    path: str | os.PathLike[str],
) -> str | None:
    """Return the folder of the split that is meant; None where folders are classes, or none.

    Folders are splits where all are called so, are no given class names, and hold folders.

    Args:
        folders: directly in the data set.
        images: paths of its images, with '/' between the parts.
        settings: which split is meant, if any, and what else makes folders something else.
        path: the data set, in messages.

    Raises:
        ChoiceError: several are there and none is chosen.
        UsageError: the chosen one is not there, or there are no splits.
    """
    splits = [name for name in folders if name.lower() in _FOLDERS]
    if settings.split is not None and not splits:
        raise UsageError(f"{path} has no folders of splits, such as test; leave out --split")
    if settings.split is None:
        classes = set(map(composed, settings.names or ()))
        if (
            len(splits) < max(1, len(folders))
            or settings.labels is not None
            or any(name.count("/") < 2 for name in images)
            or classes.issuperset(map(composed, folders))
        ):
            return None
    return chosen_split(splits, settings.split, path)


def chosen_split(splits: Collection[str], meant: str | None, path: str | os.PathLike[str]) -> str:
    """Return the split that is meant, or the only one.

    Args:
        splits: those that are there, at least one.
        meant: what the caller chose, if anything.
        path: the data set, in messages.

    Raises:
        ChoiceError: several are there and none is chosen.
        UsageError: the chosen one is not there.
    """
    there = ", ".join(sorted(splits))
    if meant is not None and meant not in splits:
        raise UsageError(f"{path} has no split {meant!r}; choose of {there} with --split")
    if meant is None and len(splits) > 1:
        raise ChoiceError(f"{path} holds several splits ({there}); choose one with --split")
    return meant or next(iter(splits))
