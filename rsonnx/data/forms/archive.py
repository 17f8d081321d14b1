"""Image folders inside a .zip, read without extracting anything."""

from __future__ import annotations

import io
import os
import re
import threading
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from rsonnx.data.dataset import Reading
from rsonnx.data.forms.folder import Pictures
from rsonnx.data.images import is_image_name, read_image
from rsonnx.data.limits import MAX_IMAGE_FILE_BYTES, check_entry
from rsonnx.data.look import Look
from rsonnx.data.splits import split_folder
from rsonnx.data.tree import is_ignored, label_tree
from rsonnx.errors import DataError, UnreadableInputError


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
class ImageZip(Pictures):
    """An archive of images; `entries` are their names in it."""

    entries: tuple[str, ...]
    reader: ArchiveReader

    @contextmanager
    def _opened(self, at: int) -> Iterator[tuple[io.BufferedIOBase, str]]:
        where = f"{self.entries[at]!r} in {self.path}"
        try:
            with self.reader.open(self.entries[at]) as stream:
                yield stream, where
        except DataError:
            raise
        except Exception as error:  # zlib, struct, ...: whatever hostile bytes provoke
            raise UnreadableInputError(
                f"{where} cannot be read ({type(error).__name__}: {error}); write the archive again"
            ) from error

    def _values(self, at: int) -> NDArray[Any]:
        with self._opened(at) as (stream, where):
            # One byte more than allowed: the size in the directory may be a lie.
            data = stream.read(MAX_IMAGE_FILE_BYTES + 1)
        if len(data) > MAX_IMAGE_FILE_BYTES:
            raise _too_large(where)
        return read_image(io.BytesIO(data), where, self.reading.exif, self.reading.background)


def claims(look: Look) -> str | None:
    """Say which images an archive holds, if it does."""
    names = (info.filename for info in look.infos or ())
    first = next((name for name in names if is_image_name(name)), None)
    return None if first is None else f"images ({first!r})"


def open_image_zip(look: Look) -> ImageZip:
    """Label the images of an archive by the rules of an image folder.

    The longest folder that all images lie in is stripped first, so that `test/cat/1.png` is in
    class "cat"; a folder that is in `classes` is a class and never stripped.

    Raises:
        DataError: an entry with an absolute path, '..', a backslash or a NUL in its name, twice
            the same name, an encrypted or oversized image, images that all lie in one folder
            that may be a class or not, or as `label_tree` says.
    """
    path, classes = look.path, look.settings.names
    entries: dict[str, str] = {}
    others: list[str] = []
    hidden: set[str] = set()
    folders: set[tuple[str, ...]] = set()
    for info in look.infos or ():
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
    split = split_folder(_inside(prefix, folders), _under(prefix, entries), look.settings, path)
    prefix = prefix if split is None else (*prefix, split)
    above = "".join(f"{part}/" for part in prefix)
    originals = _under(prefix, entries)
    if prefix and look.settings.labels is None and not any("/" in name for name in originals):
        raise DataError(
            f"all images of {path} lie in the one folder {prefix[-1]!r}, which may be a class or "
            "not; give the class names, or write the archive with the images outside of a folder"
        )
    inner = _inside(prefix, folders)
    left_out, left_hidden = (
        tuple(sorted(name.removeprefix(above) for name in names)) for names in (others, hidden)
    )
    inside = (name.removeprefix(above) for name in others if name.startswith(above))
    tree = label_tree(originals.keys(), inner, inside, look.settings, f"the archive {path}")
    return ImageZip(
        path,
        tree.labels,
        tree.class_names,
        tree.rule,
        Reading(look.settings.exif, left_out, left_hidden, background=look.settings.background),
        "image-zip",
        tree.names,
        tuple(originals[name] for name in tree.names),
        ArchiveReader(path),
    )


def _inside(prefix: tuple[str, ...], folders: Iterable[tuple[str, ...]]) -> set[str]:
    """Return the names of the folders directly in one."""
    depth = len(prefix)
    return {parts[depth] for parts in folders if len(parts) > depth and parts[:depth] == prefix}


def _under(prefix: tuple[str, ...], entries: Mapping[str, str]) -> dict[str, str]:
    """Return the entries under a folder, by their names in it."""
    above = "".join(f"{part}/" for part in prefix)
    return {
        name.removeprefix(above): entry for name, entry in entries.items() if name.startswith(above)
    }


def _checked_parts(info: zipfile.ZipInfo, path: Path) -> tuple[str, ...]:
    """Split an entry's name; DataError for a name that could point out of the archive."""
    name = info.orig_filename  # as written: zipfile cuts `filename` at a NUL
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if ".." in parts or re.search(r"^/|^[A-Za-z]:|\\|\0", name):
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
    # The first and the last in order differ wherever any two differ.
    pairs = zip(min(parents), max(parents), strict=False)
    alike = takewhile(lambda pair: pair[0] == pair[1] and pair[0] not in (classes or ()), pairs)
    return tuple(folder for folder, _ in alike)


def _too_large(where: str) -> DataError:
    return DataError(
        f"{where} is larger than the {MAX_IMAGE_FILE_BYTES} bytes that are read of one image; "
        "remove it or write it smaller"
    )
