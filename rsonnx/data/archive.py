"""Image folders inside a .zip, read without extracting anything."""

from __future__ import annotations

import io
import os
import re
import threading
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rsonnx.data.dataset import Example, Exif, Reading, position
from rsonnx.data.images import ImageHeader, image_header, is_image_name, read_image
from rsonnx.data.limits import MAX_IMAGE_FILE_BYTES, check_entry
from rsonnx.data.tree import is_ignored, label_tree
from rsonnx.errors import DataError


class ArchiveReader:
    """Opens entries of one archive from any thread, process or unpickled copy.

    Every thread of every process has its own handle, opened at first use: a shared one would
    need a lock, and after a fork two processes would move one file position.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._own = threading.local()

    def __reduce__(self) -> tuple[type[ArchiveReader], tuple[Path]]:
        return ArchiveReader, (self.path,)

    def open(self, entry: str) -> zipfile.ZipExtFile:
        """Open an entry for reading; KeyError, OSError or BadZipFile where that fails."""
        if getattr(self._own, "process", None) != os.getpid():
            self._own.archive = zipfile.ZipFile(self.path)
            self._own.process = os.getpid()
        archive: zipfile.ZipFile = self._own.archive
        stream = archive.open(entry)
        assert isinstance(stream, zipfile.ZipExtFile)  # noqa: S101 - what mode "r" returns
        return stream


@dataclass(frozen=True, eq=False)
class ImageZip:
    """An archive of images; see `Dataset` for the attributes."""

    path: Path
    names: tuple[str, ...]
    entries: tuple[str, ...]
    labels: tuple[int, ...] | None
    class_names: tuple[str, ...] | None
    label_rule: str
    reading: Reading
    reader: ArchiveReader
    kind: str = "image-zip"

    def __len__(self) -> int:
        return len(self.names)

    def name(self, index: int) -> str:
        """Return the path of an image, relative to the folder that all of them lie in."""
        return self.names[position(index, len(self))]

    def shape(self, index: int) -> tuple[int, ...]:
        """Return (H, W, C) from the image's header; DataError where the header rules it out."""
        return self._header(index).shape

    def turned(self, index: int) -> bool:
        """Say whether the image's EXIF orientation turns it; DataError as for its shape."""
        return self._header(index).turned

    def _header(self, index: int) -> ImageHeader:
        entry = self.entries[position(index, len(self))]
        where = f"{entry!r} in {self.path}"
        try:
            with self.reader.open(entry) as stream:
                return image_header(stream, where, self.reading.exif)
        except (OSError, KeyError, RuntimeError, zipfile.BadZipFile) as error:
            raise _unreadable(where, error) from error

    def __getitem__(self, index: int) -> Example:
        """Decode one image; DataError where it is broken."""
        at = position(index, len(self))
        where = f"{self.entries[at]!r} in {self.path}"
        try:
            with self.reader.open(self.entries[at]) as stream:
                # One byte more than allowed: the size in the directory may be a lie.
                data = stream.read(MAX_IMAGE_FILE_BYTES + 1)
        except Exception as error:  # zlib, struct, ...: whatever hostile bytes provoke
            raise _unreadable(where, error) from error
        if len(data) > MAX_IMAGE_FILE_BYTES:
            raise _too_large(where)
        label = None if self.labels is None else self.labels[at]
        return Example(
            self.names[at], label, read_image(io.BytesIO(data), where, self.reading.exif)
        )


def open_image_zip(
    path: Path, infos: Iterable[zipfile.ZipInfo], classes: tuple[str, ...] | None, exif: Exif
) -> ImageZip:
    """Label the images of an archive by the rules of an image folder.

    The longest folder that all images lie in is stripped first, so that `test/cat/1.png` is in
    class "cat"; a folder that is in `classes` is a class and never stripped.

    Raises:
        DataError: an entry with an absolute path, '..', a backslash or a NUL in its name, twice
            the same name, an encrypted or oversized image, images that all lie in one folder
            that may be a class or not, or as `label_tree` says.
    """
    entries: dict[str, str] = {}
    others: list[str] = []
    hidden: set[str] = set()
    folders: set[tuple[str, ...]] = set()
    for info in infos:
        parts = _checked_parts(info, path)
        ignored = next((depth for depth, part in enumerate(parts, 1) if is_ignored(part)), None)
        if ignored is not None:
            hidden.add("/".join(parts[:ignored]))
            continue
        folders.update(parts[:depth] for depth in range(1, len(parts)))
        if info.is_dir():
            folders.add(parts)
        elif is_image_name(parts[-1]):
            where = f"{info.filename!r} in {path}"
            check_entry(info, where)
            if info.file_size > MAX_IMAGE_FILE_BYTES:
                raise _too_large(where)
            if "/".join(parts) in entries:
                raise DataError(f"{where} is there twice; write the archive again")
            entries["/".join(parts)] = info.filename
        else:
            others.append("/".join(parts))
    prefix = _wrapping_folder(entries, classes)
    depth = len(prefix)
    start = len("".join(f"{part}/" for part in prefix))
    originals = {name[start:]: entry for name, entry in entries.items()}
    if prefix and not any("/" in name for name in originals):
        raise DataError(
            f"all images of {path} lie in the one folder {prefix[-1]!r}, which may be a class or "
            "not; give the class names, or write the archive with the images outside of a folder"
        )
    inner = {parts[depth] for parts in folders if len(parts) > depth and parts[:depth] == prefix}
    left_out, left_hidden = (
        tuple(sorted(name.removeprefix("/".join((*prefix, ""))) for name in names))
        for names in (others, hidden)
    )
    inside = (name[start:] for name in others if tuple(name.split("/")[:depth]) == prefix)
    labelling = label_tree(originals.keys(), inner, inside, classes, f"the archive {path}")
    return ImageZip(
        path,
        labelling.names,
        tuple(originals[name] for name in labelling.names),
        labelling.labels,
        labelling.class_names,
        labelling.rule,
        Reading(exif, left_out, left_hidden),
        ArchiveReader(path),
    )


def _checked_parts(info: zipfile.ZipInfo, path: Path) -> tuple[str, ...]:
    """Split an entry's name; DataError for a name that could point out of the archive."""
    name = info.orig_filename  # as written: zipfile cuts `filename` at a NUL
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if (
        name.startswith("/")
        or ".." in parts
        or "\\" in name
        or "\0" in name
        or re.match("[A-Za-z]:", name)
    ):
        raise DataError(
            f"the archive {path} has an entry named {name!r}, which is no plain relative path; "
            "write the archive again from inside the folder"
        )
    return parts


def _wrapping_folder(names: Iterable[str], classes: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the longest folder that all images lie in, cut before the first class in it."""
    parents = [name.split("/")[:-1] for name in names]
    if not parents:
        return ()
    shared: list[str] = []
    # The first and the last in order differ wherever any two differ.
    for one, other in zip(min(parents), max(parents), strict=False):
        if one != other or (classes is not None and one in classes):
            break
        shared.append(one)
    return tuple(shared)


def _too_large(where: str) -> DataError:
    return DataError(
        f"{where} is larger than the {MAX_IMAGE_FILE_BYTES} bytes that are read of one image; "
        "remove it or write it smaller"
    )


def _unreadable(where: str, error: Exception) -> DataError:
    return DataError(
        f"{where} cannot be read ({type(error).__name__}: {error}); write the archive again"
    )
