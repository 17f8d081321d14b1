"""CIFAR-10 and CIFAR-100 as they are published, in their binary and their Python form.

A folder of batches, the .tar.gz of one as it was downloaded, or one batch. Examples are numbered
through the batches in their order, as torchvision has it; labels of CIFAR-100 are the fine ones.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsonnx.data.dataset import ArrayRows, Reading
from rsonnx.data.forms.npy import in_memory
from rsonnx.data.forms.pickled import read_pickled
from rsonnx.data.forms.tar import read_files
from rsonnx.data.limits import check_fits
from rsonnx.data.look import Look
from rsonnx.data.names import called_by_given
from rsonnx.data.splits import chosen_split
from rsonnx.errors import DataError
from rsonnx.files import read_small
from rsonnx.scalars import shown

_ARCHIVE = re.compile(r"(\./)?cifar-100?-")
"""How the first entry of a published archive begins."""

_MOST_BYTES = 2**29
"""Bytes of a batch, and of all that an archive holds; those published have up to 178 MiB."""

_SHAPE = (3, 32, 32)
_PIXELS = 3 * 32 * 32


@dataclass(frozen=True)
class _Form:
    """One of the four forms.

    Attributes:
        kind: what it is called.
        batches: what its batches are called; the group says whether one is of the test set.
        classes: how many there are.
        names: the file of their names.
        key: what the Python form calls the labels; None for the binary form.
    """

    kind: str
    batches: re.Pattern[str]
    classes: int
    names: str
    key: str | None = None


_FORMS = (
    _Form("cifar-10-binary", re.compile(r"(?:data_batch_[1-9]|(test)_batch)\.bin"), 10,
          "batches.meta.txt"),
    _Form("cifar-10-python", re.compile(r"data_batch_[1-9]|(test)_batch"), 10,
          "batches.meta", "labels"),
    _Form("cifar-100-binary", re.compile(r"(?:train|(test))\.bin"), 100,
          "fine_label_names.txt"),
    _Form("cifar-100-python", re.compile(r"train|(test)"), 100,
          "meta", "fine_labels"),
)  # fmt: skip


def claims(look: Look) -> str | None:
    """Say which batches a file is, or a directory or archive holds, if it does."""
    if look.tar is not None:
        return f"CIFAR ({look.tar!r})" if _ARCHIVE.match(look.tar) else None
    inside = [] if look.listing is None else [look.path / name for name in look.listing.files]
    batch = next((path.name for path in inside or [look.path] if _is_batch(path)), None)
    return None if batch is None else f"batches of CIFAR ({batch!r})"


def _is_batch(path: Path) -> bool:
    """Tell a file named like a batch; one of the Python form, whose name says little, by a byte."""
    if not (path.is_file() and any(form.batches.fullmatch(path.name) for form in _FORMS)):
        return False
    try:
        if path.suffix == ".bin":
            return True
        with path.open("rb") as stream:
            return stream.read(1) == b"\x80"
    except OSError:
        return True  # reading it will say why


def _is_known(name: str) -> bool:
    return any(form.batches.fullmatch(name) or form.names == name for form in _FORMS)


def open_cifar(look: Look) -> ArrayRows:
    """Read the training or the test set.

    Raises:
        UsageError: both are there and none is chosen.
        DataError: batches of several forms, or a batch that is broken, larger than any that was
            published, or has a label beyond the classes.
    """
    path = look.path
    if look.tar is not None:
        files = read_files(path, _is_known, _MOST_BYTES)
    else:
        folder = path.parent if look.listing is None else path
        names = [form.names for form in _FORMS if (folder / form.names).is_file()]
        batches = [path.name] if look.listing is None else look.listing.files
        files = {
            name: read_small(folder / name, "the CIFAR file", _MOST_BYTES)
            for name in (*names, *filter(_is_known, batches))
        }
    forms = [form for form in _FORMS if any(map(form.batches.fullmatch, files))]
    if len(forms) != 1:
        kinds = " and ".join(form.kind for form in forms) or "no batch of CIFAR"
        raise DataError(f"{path} holds {kinds}; name a folder with the batches of one form")
    (form,) = forms
    splits: dict[str, list[str]] = {}
    for name in sorted(files):
        if match := form.batches.fullmatch(name):
            splits.setdefault("test" if match[1] else "train", []).append(name)
    split = chosen_split(splits, look.settings.split, path)
    parts = [_batch(form, files[name], f"{name} of {path}") for name in splits[split]]
    check_fits(2 * sum(pixels.nbytes for pixels, _ in parts), str(path))
    pixels = np.concatenate([pixels for pixels, _ in parts]).reshape(-1, *_SHAPE)
    rows = in_memory(np.moveaxis(pixels, 1, -1))
    own = (
        _class_names(form, files[form.names], f"{form.names} of {path}")
        if form.names in files
        else None
    )
    labels, class_names, rule = called_by_given(
        [int(label) for _, labels in parts for label in labels], own, look.settings.names, str(path)
    )
    rule = rule or ("fine labels" if form.classes == 100 else "labels") + " of the batches"
    return ArrayRows(path, labels, class_names, rule, Reading(), form.kind, rows)


def _batch(form: _Form, data: bytes, where: str) -> tuple[NDArray[np.uint8], list[int]]:
    """Return the pixels (N, 3072) and the labels of a batch."""
    pixels: Any
    labels: Any
    if form.key is None:
        head = 1 if form.classes == 10 else 2  # the coarse label stands before the fine one
        if not data or len(data) % (head + _PIXELS):
            raise DataError(
                f"{where} has {len(data)} bytes, but {form.kind} has {head + _PIXELS} an example; "
                "fetch it again"
            )
        records = np.frombuffer(data, np.uint8).reshape(-1, head + _PIXELS)
        pixels, labels = records[:, head:], records[:, head - 1]
    else:
        fields = read_pickled(data, where)
        pixels, labels = fields.get("data"), fields.get(form.key)
    labels = labels.tolist() if isinstance(labels, np.ndarray) else labels
    if not (
        isinstance(pixels, np.ndarray)
        and isinstance(labels, list)
        and pixels.dtype == np.uint8
        and pixels.shape == (len(labels), _PIXELS)
        and labels
    ):
        raise DataError(
            f"{where} has no array 'data' of uint8 (N, {_PIXELS}) with N {form.key!r}; fetch it "
            "again"
        )
    for label in labels:
        if type(label) is not int or not 0 <= label < form.classes:
            raise DataError(
                f"{where} has the label {shown(label)}, but the classes are 0..{form.classes - 1}; "
                "fetch it again"
            )
    return pixels, labels


def _class_names(form: _Form, data: bytes, where: str) -> list[str]:
    """Return what the classes are called."""
    if form.key is None:
        names: Any = data.decode("utf-8", "replace").split()
    else:
        names = read_pickled(data, where).get(
            "fine_label_names" if form.classes == 100 else "label_names"
        )
    if (
        not isinstance(names, list)
        or len(names) != form.classes
        or not all(isinstance(name, str) for name in names)
    ):
        raise DataError(f"{where} does not name {form.classes} classes; fetch it again")
    return names
