"""From a path to a data set: which of the accepted forms it is, decided by its content."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from rsonnx.data.archive import open_image_zip
from rsonnx.data.dataset import Dataset, Exif
from rsonnx.data.folder import list_directory, open_image_folder
from rsonnx.data.idx import GZIP_MAGIC, is_idx_images_name, open_idx
from rsonnx.data.images import is_image_name
from rsonnx.data.names import checked_classes
from rsonnx.data.npz import open_npz
from rsonnx.errors import DataError, UsageError

FORMS = (
    "an image folder (class/name.png), a .zip of one, an .npz with arrays x and y, or an idx "
    "images file"
)

_IDX_IMAGES = b"\x00\x00\x08\x03"

# What people have instead, so that the refusal can say what to do.
_SAVE = "save its arrays with numpy.savez(path, x=..., y=...)"
_IMAGE = "a single image (put it into a folder and name the folder)"
_FOREIGN = {
    b"\x93NUMPY": "a single .npy array (save it as numpy.savez(path, x=array))",
    b"\x89HDF": f"an HDF5 file ({_SAVE})",
    b"\x80": f"a Python pickle, never loaded ({_SAVE})",
    b"PAR1": "a Parquet file (write its images to an image folder)",
    b"\x00\x00\x08\x01": "an idx labels file (name the images file beside it)",
    b"\x89PNG": _IMAGE,
    b"\xff\xd8\xff": _IMAGE,
}


def open_dataset(
    path: str | os.PathLike[str], *, classes: Sequence[str] | None = None, exif: Exif = "apply"
) -> Dataset:
    """Open a folder, archive or file of inputs.

    - A directory with class folders of images, or of images alone (unlabelled). Labels: the
      position of the folder's name in `classes`; else the folder's number, if all are numbers;
      else its index in sorted order, as torchvision's `ImageFolder` has it. Folders inside a
      class folder belong to that class. Examples are ordered by (label, name).
    - A directory that holds exactly one idx images file.
    - A .zip of an image folder, with or without leading folders that hold everything.
    - An .npz with `x` (first axis: examples; uint8 or float) and optionally `y` (integers).
    - An idx images file, .gz or not, with its labels file beside it if there is one.

    Args:
        path: the directory or file.
        classes: class names in the order of the model's outputs, for images in class folders;
            for the other forms they only name the labels.
        exif: "apply" turns images as their EXIF orientation says, "ignore" reads them as stored.

    Raises:
        UsageError: the path does not exist or cannot be read, `classes` has a duplicate, or `exif`
            is something else.
        DataError: the data is none of the accepted forms, ambiguous, or broken.
    """
    names = checked_classes(classes)
    if exif not in get_args(Exif):
        raise UsageError(f"exif is {exif!r}, but one of {', '.join(get_args(Exif))} was expected")
    path = Path(path)
    if not os.path.exists(path):  # unlike Path.exists, False for a name that is too long
        raise UsageError(f"{path} does not exist; name {FORMS}")
    return (_open_directory if path.is_dir() else _open_file)(path, names, exif)


def _open_directory(path: Path, classes: tuple[str, ...] | None, exif: Exif) -> Dataset:
    listing = list_directory(path)
    idx = [name for name in listing.files if is_idx_images_name(name) and not is_image_name(name)]
    if idx and listing.images:
        raise DataError(
            f"the folder {path} holds both images ({listing.images[0]!r}) and an idx file "
            f"({idx[0]!r}); name the idx file, or move it away"
        )
    if len(idx) > 1:
        raise DataError(f"the folder {path} holds several idx files ({', '.join(idx)}); name one")
    if idx:
        return open_idx(path / idx[0], classes)
    if not listing.images:
        there = ", ".join((listing.others or listing.folders)[:5]) or "nothing"
        raise DataError(f"the folder {path} holds no image (it holds: {there}); name {FORMS}")
    return open_image_folder(path, listing, classes, exif)


def _open_file(path: Path, classes: tuple[str, ...] | None, exif: Exif) -> Dataset:
    if not path.is_file():
        raise UsageError(f"{path} is no regular file; name {FORMS}")
    try:
        with path.open("rb") as stream:
            head = stream.read(8)
        archive = head.startswith(b"PK\x03\x04") or zipfile.is_zipfile(path)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UsageError(f"{path} cannot be read ({reason}); correct its permissions") from None
    if archive:
        return _open_archive(path, classes, exif)
    if head.startswith((_IDX_IMAGES, GZIP_MAGIC)) or is_idx_images_name(path.name):
        return open_idx(path, classes)
    found = f"a file that begins with {head.hex(' ')}" if head else "an empty file"
    found = next((what for magic, what in _FOREIGN.items() if head.startswith(magic)), found)
    raise DataError(f"{path} is {found}; name {FORMS}")


def _open_archive(path: Path, classes: tuple[str, ...] | None, exif: Exif) -> Dataset:
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except Exception as error:  # struct, Unicode, ...: whatever a hostile directory provokes
        raise DataError(
            f"{path} is a broken zip archive ({type(error).__name__}: {error}); fetch it again"
        ) from error
    arrays = [info.filename for info in infos if info.filename.endswith(".npy")]
    images = [info.filename for info in infos if is_image_name(info.filename)]
    if arrays and images:
        raise DataError(
            f"{path} holds both arrays ({arrays[0]!r}) and images ({images[0]!r}); write each kind "
            "to its own file"
        )
    if arrays or (not images and path.suffix.lower() == ".npz"):
        return open_npz(path, infos, classes)
    if not images:
        there = ", ".join(repr(info.filename) for info in infos[:5]) or "nothing"
        raise DataError(
            f"the archive {path} holds neither images nor an array 'x' (it holds: {there}); name "
            f"{FORMS}"
        )
    return open_image_zip(path, infos, classes, exif)
