"""Image folders: `class/name.png`, read where they lie."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from rsonnx.data.dataset import Example, Exif, Reading, position
from rsonnx.data.images import ImageHeader, image_header, is_image_name, read_image
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
class ImageFolder:
    """A directory of images; see `Dataset` for the attributes."""

    path: Path
    names: tuple[str, ...]
    labels: tuple[int, ...] | None
    class_names: tuple[str, ...] | None
    label_rule: str
    reading: Reading
    kind: str = "image-folder"

    def __len__(self) -> int:
        return len(self.names)

    def name(self, index: int) -> str:
        """Return the path of an image, relative to the folder."""
        return self.names[position(index, len(self))]

    def shape(self, index: int) -> tuple[int, ...]:
        """Return (H, W, C) from the image's header; DataError where the header rules it out."""
        return self._header(index).shape

    def turned(self, index: int) -> bool:
        """Say whether the image's EXIF orientation turns it; DataError as for its shape."""
        return self._header(index).turned

    def _header(self, index: int) -> ImageHeader:
        file = self.path / self.name(index)
        try:
            with file.open("rb") as stream:
                return image_header(stream, str(file), self.reading.exif)
        except OSError as error:
            raise _unreadable(file, error) from None

    def __getitem__(self, index: int) -> Example:
        """Decode one image; DataError where it is broken."""
        name = self.name(index)
        file = self.path / name
        try:
            with file.open("rb") as stream:
                values = read_image(stream, str(file), self.reading.exif)
        except OSError as error:
            raise _unreadable(file, error) from None
        return Example(name, None if self.labels is None else self.labels[index], values)


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
    images: list[str] = []
    others: list[str] = []
    hidden: list[str] = []
    folders: list[str] = []
    files: list[str] = []
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
                        _require_file(entry)
                        images.append(prefix + entry.name)
                    else:
                        others.append(prefix + entry.name)
                    if not prefix:
                        (folders if entry.is_dir() else files).append(entry.name)
        except OSError as error:
            raise _unreadable(Path(error.filename or here), error) from None
    return Listing(
        images=tuple(sorted(images)),
        others=tuple(sorted(others)),
        folders=tuple(sorted(folders)),
        files=tuple(sorted(files)),
        hidden=tuple(sorted(hidden)),
    )


def open_image_folder(
    path: Path, listing: Listing, classes: tuple[str, ...] | None, exif: Exif
) -> ImageFolder:
    """Label the images of a listed directory; DataError as `label_tree` says."""
    labelling = label_tree(
        listing.images, listing.folders, listing.others, classes, f"the folder {path}"
    )
    return ImageFolder(
        path,
        labelling.names,
        labelling.labels,
        labelling.class_names,
        labelling.rule,
        Reading(exif, listing.others, listing.hidden),
    )


def _require_file(entry: os.DirEntry[str]) -> None:
    if not entry.is_file():
        kind = "a broken link" if entry.is_symlink() else "no regular file"
        raise DataError(f"{entry.path} is {kind}; restore or remove it")


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(
        f"{path} cannot be read ({error.strerror or type(error).__name__}); restore it or its "
        "permissions"
    )
