"""Image folders: `class/name.png`, read where they lie."""

from __future__ import annotations

import io
import os
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from rsonnx.data.dataset import Dataset, Exif, Header, Reading
from rsonnx.data.images import image_header, is_image_name, read_image
from rsonnx.data.tree import is_ignored, label_tree
from rsonnx.errors import DataError, UsageError


@dataclass(frozen=True)
class Listing:
    """What a directory holds.

    Attributes:
        images, others: files at any depth, by their names.
        folders, files: the names directly in it.
        hidden: files and folders at any depth that are hidden or a system's own.
    """

    images: tuple[str, ...]
    others: tuple[str, ...]
    folders: tuple[str, ...]
    files: tuple[str, ...]
    hidden: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Pictures(Dataset):
    """Image files, named by their paths relative to the folder that all of them lie in."""

    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def _name(self, at: int) -> str:
        return self.names[at]

    def _header(self, at: int) -> Header:
        with self._opened(at) as (stream, where):
            return image_header(stream, where, self.reading.exif)

    def _values(self, at: int) -> NDArray[Any]:
        with self._opened(at) as (stream, where):
            return read_image(stream, where, self.reading.exif)

    @abstractmethod
    def _opened(self, at: int) -> AbstractContextManager[tuple[io.BufferedIOBase, str]]:
        """Open a file and say what it is called in messages; DataError where that fails."""


@dataclass(frozen=True, eq=False)
class ImageFolder(Pictures):
    """A directory of images, read where they lie."""

    @contextmanager
    def _opened(self, at: int) -> Iterator[tuple[io.BufferedIOBase, str]]:
        file = self.path / self.names[at]
        try:
            with file.open("rb") as stream:
                yield stream, str(file)
        except OSError as error:
            raise _unreadable(file, error) from None


def list_directory(path: Path) -> Listing:
    """List a directory and everything under it, in an order no file system has a say in.

    Links to files and folders are followed.

    Raises:
        UsageError: the directory itself cannot be read.
        DataError: a folder inside it cannot be read, a loop of links, or an image name that is
            a broken link or no regular file.
    """
    try:
        os.scandir(path).close()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UsageError(f"the folder {path} cannot be read ({reason})") from None
    lists: tuple[list[str], ...] = ([], [], [], [], [])
    images, others, folders, files, hidden = lists
    # Each pending folder carries the real folders it lies in, so that a loop of links is seen.
    pending: list[tuple[str, frozenset[str]]] = [("", frozenset())]
    while pending:
        prefix, above = pending.pop()
        here = path / prefix
        real = os.path.realpath(here)
        if real in above:
            raise DataError(f"the link {here} leads back to a folder it lies in; remove it")
        try:
            with os.scandir(here) as scan:
                for entry in scan:
                    if is_ignored(entry.name):
                        hidden.append(prefix + entry.name)
                        continue
                    if entry.is_dir():
                        pending.append((f"{prefix}{entry.name}/", above | {real}))
                    elif is_image_name(entry.name):
                        if not entry.is_file():
                            kind = "a broken link" if entry.is_symlink() else "no regular file"
                            raise DataError(f"{entry.path} is {kind}; restore or remove it")
                        images.append(prefix + entry.name)
                    else:
                        others.append(prefix + entry.name)
                    if not prefix:
                        (folders if entry.is_dir() else files).append(entry.name)
        except OSError as error:
            raise _unreadable(Path(error.filename or here), error) from None
    return Listing(*(tuple(sorted(names)) for names in lists))


def open_image_folder(
    path: Path, listing: Listing, classes: tuple[str, ...] | None, exif: Exif
) -> ImageFolder:
    """Label the images of a listed directory; DataError as `label_tree` says."""
    where = f"the folder {path}"
    tree = label_tree(listing.images, listing.folders, listing.others, classes, where)
    reading = Reading(exif, listing.others, listing.hidden)
    return ImageFolder(
        path, tree.labels, tree.class_names, tree.rule, reading, "image-folder", tree.names
    )


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(
        f"{path} cannot be read ({error.strerror or type(error).__name__}); restore it or its "
        "permissions"
    )
