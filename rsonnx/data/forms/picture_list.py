"""Pictures that are named one by one: a single picture, or a text list of paths.

A path is relative to the list's folder. A label may stand behind each, as in Caffe's lists.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections import Counter
from pathlib import Path

from rsonnx.data.dataset import Reading
from rsonnx.data.forms.folder import ImageFolder
from rsonnx.data.images import is_image_name
from rsonnx.data.label_file import labels_of, pairs_of, read_rows
from rsonnx.data.look import Look
from rsonnx.data.names import composed, decomposed
from rsonnx.errors import DataError

_LISTS = (".txt", ".lst", ".list")
_TABLES = (".csv", ".tsv")
"""Endings of files that are lists only where they name a picture that is there."""

_PICTURES = (b"\x89PNG", b"\xff\xd8\xff")
_HEAD_BYTES = 2**16


def claims(look: Look) -> str | None:
    """Say which picture a file is or lists, if it does."""
    if look.listing is not None or look.infos is not None:
        return None
    if is_image_name(look.path.name) or look.head.startswith(_PICTURES):
        return "a picture"
    return "a list of pictures" if lists_pictures(look.path) else None


def lists_pictures(path: Path) -> bool:
    """Tell a list of pictures from other text by its first lines; a table names one that exists."""
    ending = path.suffix.lower()
    if ending not in _LISTS + _TABLES:
        return False
    with path.open("rb") as stream:
        lines = stream.read(_HEAD_BYTES).decode("utf-8-sig", "replace").splitlines()[:2]
    cells = [cell.strip("\"' ") for line in lines for cell in re.split("[\t,;]", line)]
    spaced = [line.rsplit(None, 1)[0] for line in lines if line.strip()]
    named = [path.parent / cell for cell in cells + spaced if is_image_name(cell)]
    return bool(named) and (ending in _LISTS or any(map(os.path.isfile, named)))


def open_pictures(look: Look) -> ImageFolder:
    """Read a picture or a list.

    Raises:
        DataError: the list is none, or names a picture twice or one that is not there.
    """
    path, settings = look.path, look.settings
    reading = Reading(settings.exif, background=settings.background)
    classes, root = settings.names, path.parent
    if not lists_pictures(path):
        return ImageFolder(path, None, classes, "none", reading, "picture", (path.name,), root)
    rows = read_rows(path, "the list", is_image_name)
    listed, labels, rule = [row[0] for row in rows], None, "none"
    if len(rows[0]) > 1:
        pairs = pairs_of(rows, path)
        pairs = pairs if is_image_name(pairs[0][0]) else pairs[1:]
        listed = [name for name, _ in pairs]
        labels, classes, rule = labels_of([label for _, label in pairs], path, classes)
    elif not is_image_name(listed[0]):
        listed = listed[1:]  # a heading
    if not listed:
        raise DataError(f"the list {path} names no picture; write a path a line")
    names = tuple(_relative(name, root) for name in listed)
    (name, times), *_ = Counter(names).most_common(1)
    if times > 1:
        raise DataError(f"the list {path} names {name!r} {times} times; remove all but one")
    missing = [name for name in names if not os.path.isfile(root / name)]
    if missing:
        raise DataError(
            f"{len(missing):,} of the {len(names):,} pictures of the list {path} are not there, "
            f"such as {missing[0]!r}; paths are relative to its folder"
        )
    return ImageFolder(path, labels, classes, rule, reading, "picture-list", names, root)


def _relative(name: str, folder: Path) -> str:
    """Return the path from a folder, with accents as they are stored there."""
    name = name.replace("\\", "/")
    if os.path.isabs(name):
        name = os.path.relpath(name, folder).replace(os.sep, "/")
    name = posixpath.normpath(name)
    spelt = (name, composed(name), decomposed(name))
    return next((path for path in spelt if os.path.isfile(folder / path)), name)
