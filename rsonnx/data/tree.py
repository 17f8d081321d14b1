"""From the paths of images to names and labels: one set of rules for folders and archives.

Everything here works on relative paths with '/' between the parts, and never touches a file.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from rsonnx.data.images import IMAGE_SUFFIXES
from rsonnx.data.names import GIVEN_NAMES, NUMBERED_FOLDERS, SORTED_FOLDERS, composed
from rsonnx.data.settings import DataSettings
from rsonnx.errors import DataError

# At most 18 digits, so that a label always fits 64 bits.
_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)


@dataclass(frozen=True)
class Labelling:
    """Names in the order of the data set, with what their folders say about classes."""

    names: tuple[str, ...]
    labels: tuple[int, ...] | None
    class_names: tuple[str, ...] | None
    rule: str


_SYSTEM = frozenset(
    [
        *("__macosx", "icon\r", "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin"),
        *("system volume information", "lost+found"),
        *("@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot"),
    ]
)
"""What macOS, Windows, Linux and network storages leave in folders, in lower case."""


def is_ignored(name: str) -> bool:
    """Tell whether a file or folder of this name is no part of the data: hidden, or a system's."""
    return name.startswith(".") or name.lower() in _SYSTEM


def label_tree(
    images: Collection[str],
    folders: Iterable[str],
    others: Iterable[str],
    settings: DataSettings,
    where: str,
) -> Labelling:
    """Number the classes and order the images by (label, name).

    The first part of a path is the class folder. With class names, its label is its position
    there; else, if all folders are canonical decimal numbers, that number; else its index
    among the folders in sorted order (by code point), as torchvision's `ImageFolder` has it.
    Images without a class folder are unlabelled, and so are all where a file has the labels.

    Args:
        images: paths of the images, relative to the root.
        folders: names of the folders in the root, those without an image included.
        others: paths of the files that are not read.
        settings: class names in label order, or None, and whether a file has the labels.
        where: the root's name in messages.

    Raises:
        DataError: no image, images both with and without a class folder, a folder that is not
            in the class names, a folder without an image where that would shift labels, a class of
            which no file is read, folders whose names differ only in their Unicode form, or
            folders that only wrap the class folders.
    """
    if not images:
        raise DataError(f"{where} holds no image ({' '.join(IMAGE_SUFFIXES)}); name one that does")
    for name in images:
        try:
            name.encode("utf-8")
        except UnicodeEncodeError:
            raise DataError(
                f"{where} holds {name!a}, a name that is not UTF-8; rename the file"
            ) from None
    classes = settings.names
    loose = sorted(name for name in images if "/" not in name)
    inside = sorted(name for name in images if "/" in name)
    if settings.labels is not None or not inside:
        return Labelling(tuple(sorted(images)), None, classes, "none")
    if loose:
        raise DataError(
            f"{where} mixes images in class folders ({inside[0]!r}) with images outside of any "
            f"({loose[0]!r}); move the latter into class folders or away"
        )
    used = {_folder(name) for name in images}
    everything = used.union(folders)
    _refuse_twins(everything, where)
    number, class_names, rule = _number_classes(used, everything, images, classes, where)
    _refuse_unread(used, others, classes, where)
    order = sorted((number[_folder(name)], name) for name in images)
    labels, names = zip(*order, strict=True)
    return Labelling(names, labels, class_names, rule)


def _folder(name: str) -> str:
    return name.split("/", 1)[0]


def _number_classes(
    used: set[str],
    folders: set[str],
    images: Collection[str],
    classes: tuple[str, ...] | None,
    where: str,
) -> tuple[dict[str, int], tuple[str, ...] | None, str]:
    """Return the label of each used folder, the class names, and the rule's phrase."""
    if classes is not None:
        position = {composed(name): label for label, name in enumerate(classes)}
        number = {name: position[composed(name)] for name in used if composed(name) in position}
        if unknown := sorted(used - number.keys()):
            raise DataError(
                f"the folder {unknown[0]!r} of {where} is none of the {len(classes)} class names "
                f"given (the first is {classes[0]!r}); rename the folder or correct the names"
            )
        return number, classes, GIVEN_NAMES
    if all(_NUMBER.fullmatch(name) for name in folders):
        return {name: int(name) for name in used}, None, NUMBERED_FOLDERS
    _refuse_wrappers(folders, images, where)
    if empty := sorted(folders - used):
        # Ignoring it would give every class after it in the order another label.
        raise DataError(
            f"the folder {empty[0]!r} of {where} holds no image, so the order of the folders may "
            "not be the model's order of classes; remove the folder, or give the class names"
        )
    ordered = tuple(sorted(folders))
    number = {name: label for label, name in enumerate(ordered)}
    return number, ordered, SORTED_FOLDERS


def _refuse_twins(folders: set[str], where: str) -> None:
    """Refuse folders that look the same: composed (NFC) in one, decomposed (NFD) in the other."""
    seen: dict[str, str] = {}
    for name in sorted(folders):
        if (twin := seen.setdefault(composed(name), name)) != name:
            raise DataError(
                f"the folders {twin!a} and {name!a} of {where} differ only in their Unicode form; "
                "put their images into one folder"
            )


def _refuse_unread(
    used: set[str], others: Iterable[str], classes: tuple[str, ...] | None, where: str
) -> None:
    """Refuse to leave out a class because none of its files is read."""
    named = None if classes is None else set(map(composed, classes))
    for name in sorted(others):
        folder, inside, _ = name.partition("/")
        if inside and folder not in used and (named is None or composed(folder) in named):
            raise DataError(
                f"no file of the class folder {folder!r} of {where} is read ({name!r} is none of "
                f"{' '.join(IMAGE_SUFFIXES)}); convert its pictures, or remove the folder"
            )


def _refuse_wrappers(folders: set[str], images: Collection[str], where: str) -> None:
    """Refuse folders that hold class folders and would be taken for classes themselves."""
    if any(name.count("/") < 2 for name in images):
        return
    if len(folders) == 1:
        (only,) = folders
        raise DataError(
            f"{where} holds only the folder {only!r}, whose images all lie in folders of its own; "
            f"name {only!r} itself, or give the class names"
        )
