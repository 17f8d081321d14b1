"""NumPy archives: which of their arrays are the inputs, and which the labels."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from rsonnx.data.dataset import ArrayRows
from rsonnx.data.forms.arrays import array_dataset
from rsonnx.data.forms.npy import stored_entry
from rsonnx.data.images import is_image_name
from rsonnx.data.look import Look
from rsonnx.data.settings import DataSettings
from rsonnx.data.splits import chosen_split
from rsonnx.errors import ChoiceError, DataError, UsageError

_LABELS = ("y", "labels", "label", "targets", "target")
_INPUTS = ("x", "images", "image", "imgs", "data", "inputs", "input", "features")
_SPLITS = {"test": "test", "train": "train", "val": "val", "valid": "val", "validation": "val"}

_NAME = re.compile(
    "(?:(?P<before>{split})_?)?(?P<stem>{stem})(?:_?(?P<behind>{split}))?".format(
        split="|".join(_SPLITS), stem="|".join((*_INPUTS, *_LABELS))
    )
)
"""What arrays are called, in small letters: x, labels, x_test, test_images."""


@dataclass(frozen=True)
class _Group:
    """Arrays that may be the inputs, and those that may be their labels."""

    inputs: list[str]
    labels: list[str]


def claims(look: Look) -> str | None:
    """Say which arrays an archive holds, if it does."""
    if look.infos is None:
        return None
    names = [info.filename for info in look.infos]
    arrays = [name for name in names if name.endswith(".npy")]
    if arrays:
        return f"arrays ({arrays[0]!r})"
    named = look.path.suffix.lower() == ".npz" and not any(map(is_image_name, names))
    return "no array" if named else None


def open_npz(look: Look) -> ArrayRows:
    """Read inputs and, if there are some, labels of an .npz archive.

    They are those that the settings name, else `x` and `y`, else those with other usual names:
    `X` and `Y`, `images` and `labels`, `data` and `target` ..., of which the settings choose a
    split where there are several, as `x_test` and `x_train`; else the only array that there is.

    Raises:
        UsageError: several are there, or one that the settings name is not.
        DataError: no array is called so, one is there twice, is pickled or broken, or they are no
            inputs and labels (:func:`~rsonnx.data.forms.arrays.array_dataset`).
    """
    path, infos = look.path, look.infos or ()
    entries = {
        info.filename.removesuffix(".npy"): info for info in infos if info.filename.endswith(".npy")
    }
    if len({info.filename for info in infos}) != len(infos):
        raise DataError(f"{path} holds an array twice; save it again with numpy.savez")
    inputs, labels = _chosen(entries, look.settings, path)
    stored = {
        name: stored_entry(path, entries[name], f"array {name!r} of {path}")
        for name in (inputs, labels)
        if name is not None
    }
    x, y = stored[inputs], None if labels is None else (labels, stored[labels])
    return array_dataset(path, x, y, look.settings.names, where=x.values.where, kind="npz")


def _chosen(names: Collection[str], settings: DataSettings, path: Path) -> tuple[str, str | None]:
    """Return the names of the inputs and of their labels, None where there are none."""
    there = ", ".join(sorted(names)) or "nothing"
    choice = f"choose INPUTS or INPUTS,LABELS with --arrays, of {there}"
    if settings.arrays is not None:
        asked = [name.strip() for name in settings.arrays.split(",")]
        if len(asked) > 2 or not set(asked) <= set(names):
            raise UsageError(f"{path} has no arrays {settings.arrays!r}; {choice}")
        return asked[0], asked[1] if len(asked) > 1 else None
    groups = _by_split(names)
    splits = {split: group for split, group in groups.items() if group.inputs}
    if settings.split is not None:
        splits.pop("", None)
        if not splits:
            raise UsageError(f"{path} has no splits; leave --split out, or {choice}")
    elif "x" in names:  # whatever else is there
        splits = {"": _Group(["x"], ["y"] if "y" in names else groups[""].labels)}
    elif len(names) == 1 and not groups:
        splits = {"": _Group([*names], [])}
    if splits and "" not in splits:
        group = splits[chosen_split(splits, settings.split, path)]
    else:
        group = splits[""] if len(splits) == 1 else _Group([], [])
    elsewhere = any(g.labels for g in groups.values() if not g.inputs) and "x" not in names
    if elsewhere and not group.labels:  # such as x_test beside y
        group = _Group([], [])
    if len(group.inputs) != 1 or len(group.labels) > 1:
        raise ChoiceError(f"which arrays of {path} are the inputs and labels? {choice}")
    return group.inputs[0], next(iter(group.labels), None)


def _by_split(names: Collection[str]) -> dict[str, _Group]:
    """Return the arrays with usual names by the split that they name, or "" for none."""
    groups: dict[str, _Group] = {}
    for name in names:
        match = _NAME.fullmatch(name.lower().replace("-", "_"))
        if match is not None:
            split = _SPLITS.get(match["before"] or match["behind"] or "", "")
            group = groups.setdefault(split, _Group([], []))
            (group.labels if match["stem"] in _LABELS else group.inputs).append(name)
    return groups
