"""The part of a data set that is meant, where it holds several: the test set is never a guess."""

from __future__ import annotations

import os
from collections.abc import Collection

from rsonnx.errors import ChoiceError, UsageError


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
