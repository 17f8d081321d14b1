"""From a path to a data set: which of the accepted forms it is, decided by its content."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rsonnx.data.dataset import Dataset
from rsonnx.data.forms import (
    archive,
    arrays,
    cifar,
    folder,
    frames,
    idx,
    npz,
    parquet,
    picture_list,
    table,
    webdataset,
)
from rsonnx.data.label_file import labelled
from rsonnx.data.look import Look, look_at
from rsonnx.data.settings import DataSettings
from rsonnx.errors import DataError, RsonnxError, UsageError

FORMS = (
    "an image folder (class/name.png), a .zip of one, an .npz or .npy of arrays, an idx "
    "images file, CIFAR's batches, a picture, a text list of pictures, a table (.csv, .tsv, "
    ".parquet), or pictures in Parquet or WebDataset's .tar"
)


@dataclass(frozen=True)
class Form:
    """A form of data.

    Attributes:
        claims: says what of this form is at a path, or None.
        open: reads it.
        takes: those of :data:`_CHOICES` that mean something for it.
    """

    claims: Callable[[Look], str | None]
    open: Callable[[Look], Dataset]
    takes: Collection[str] = ()


_CHOICES = ("split", "arrays", "label_column", "fixed_columns")
"""The settings that choose among what some forms hold."""


CATALOGUE = (
    Form(folder.claims, folder.open_image_folder, {"split"}),
    Form(archive.claims, archive.open_image_zip, {"split"}),
    Form(npz.claims, npz.open_npz, {"split", "arrays"}),
    Form(arrays.claims, arrays.open_npy),
    Form(idx.claims, idx.open_idx),
    Form(cifar.claims, cifar.open_cifar, {"split"}),
    Form(picture_list.claims, picture_list.open_pictures),
    Form(table.claims, table.open_table, {"label_column", "fixed_columns"}),
    Form(frames.claims, frames.open_parquet_table, {"label_column", "fixed_columns"}),
    Form(parquet.claims, parquet.open_parquet, {"split", "label_column"}),
    Form(webdataset.claims, webdataset.open_webdataset, {"split", "label_column"}),
)
"""To add a form is to write its module and to name it here."""

# What people have instead, so that the refusal can say what to do.
_SAVE = "save its arrays with numpy.savez(path, x=..., y=...)"
_FOREIGN = {
    b"version ": "a Git LFS pointer (run git lfs pull where it lies)",
    b"<!DOCTYP": "a web page (fetch the file itself again)",
    b"<!doctyp": "a web page (fetch the file itself again)",
    b"\x89HDF": f"an HDF5 file ({_SAVE})",
    b"\x80": f"a Python pickle, never loaded ({_SAVE})",
    b"MATLAB": f"a MATLAB file ({_SAVE})",
    b"\x00\x00\x08\x01": "an idx labels file (name the images file beside it)",
}


def open_dataset(
    path: str | os.PathLike[str], settings: DataSettings | None = None, **further: Any
) -> Dataset:
    """Open a folder, archive or file of inputs.

    - A directory with class folders of images, or of images alone (unlabelled). Labels: the
      position of the folder's name in the given class names; else the folder's number, if all are
      numbers; else its index in sorted order, as torchvision's `ImageFolder` has it. Folders inside
      a class folder belong to that class. Examples are ordered by (label, name).
    - A directory that holds exactly one idx images file.
    - A .zip of an image folder, with or without leading folders that hold everything.
    - An .npz of an array of inputs (first axis: examples; uint8, other whole numbers, float) and
      optionally one of labels: whole numbers, one-hot rows or class names. Usual names are known;
      with others, or several of them, the settings choose.
    - A .npy array of inputs.
    - A picture, or a text list of the paths of pictures, with or without a label behind each.
    - An idx images file, .gz or not, with its labels file beside it if there is one.
    - CIFAR-10 or CIFAR-100 as published: a folder of batches, its .tar.gz, or one batch.
    - Parquet files with a column of pictures, as Hugging Face has them, or a folder of them; the
      names of files say which split they are of.
    - A .tar archive of WebDataset, or a folder of them: files of one name are an example.
    - A table: .csv or .tsv with the names of its columns in the first line, or Parquet.

    Args:
        path: the directory or file.
        settings: how it is read; None takes it from ``further``.
        further: fields of :class:`DataSettings`: ``classes``, ``exif`` ...

    Raises:
        UsageError: the path does not exist or cannot be read.
        DataError: the data is none of the accepted forms, ambiguous, or broken.
    """
    settings = settings or DataSettings(**further)
    path = Path(path)
    if not os.path.exists(path):  # unlike Path.exists, False for a name that is too long
        raise UsageError(f"{path} does not exist; name {FORMS}")
    if not (path.is_dir() or path.is_file()):
        raise UsageError(f"{path} is no regular file; name {FORMS}")
    look = look_at(path, settings)
    claimed = [(what, form) for form in CATALOGUE if (what := form.claims(look)) is not None]
    if not claimed:
        raise _refusal(look)
    (what, form), *others = claimed
    if others:
        raise DataError(
            f"{path} holds both {what} and {others[0][0]}; name the one that is meant, or move the "
            "other away"
        )
    for name in _CHOICES:
        if getattr(settings, name) and name not in form.takes:
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"{path} holds {what}, for which {option} means nothing; leave it out")
    return labelled(form.open(look), settings)


def is_table(path: str | os.PathLike[str], settings: DataSettings) -> bool:
    """Say whether there is a table at a path, of which :func:`open_dataset` may want more."""
    with contextlib.suppress(RsonnxError):
        look = look_at(Path(path), settings)
        tables = (form for form in CATALOGUE if "fixed_columns" in form.takes)
        return any(form.claims(look) is not None for form in tables)
    return False


def _refusal(look: Look) -> DataError:
    """Return why a path is none of the forms, with what it is instead."""
    if look.listing is not None:
        there = ", ".join((look.listing.others or look.listing.folders)[:5]) or "nothing"
        return DataError(f"the folder {look.path} holds no image (it holds: {there}); name {FORMS}")
    if look.infos is not None:
        if any(info.filename.endswith("/data.pkl") for info in look.infos):
            return DataError(f"{look.path} is a PyTorch file, never loaded ({_SAVE}); name {FORMS}")
        there = ", ".join(repr(info.filename) for info in look.infos[:5]) or "nothing"
        return DataError(
            f"the archive {look.path} holds neither images nor arrays (it holds: {there}); "
            f"name {FORMS}"
        )
    if look.path.suffix == ".onnx":
        return DataError(f"{look.path} is no data but a model; name the model first, then the data")
    head = look.head
    begins = f"a file that begins with {head.hex(' ')}" if head else "an empty file"
    foreign = next((what for magic, what in _FOREIGN.items() if head.startswith(magic)), begins)
    return DataError(f"{look.path} is {foreign}; name {FORMS}")
