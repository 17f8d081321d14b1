"""Image folders: `class/name.png`, read where they lie."""

from __future__ import annotations

import io
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from rsonnx.data.dataset import Dataset, Header, Reading
from rsonnx.data.images import image_header, read_image
from rsonnx.data.look import Look, look_at, unreadable
from rsonnx.data.splits import split_folder
from rsonnx.data.tree import label_tree


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
            return image_header(stream, where, self.reading.exif, self.reading.background)

    def _values(self, at: int) -> NDArray[Any]:
        with self._opened(at) as (stream, where):
            return read_image(stream, where, self.reading.exif, self.reading.background)

    @abstractmethod
    def _opened(self, at: int) -> AbstractContextManager[tuple[io.BufferedIOBase, str]]:
        """Open a file and say what it is called in messages; DataError where that fails."""


@dataclass(frozen=True, eq=False)
class ImageFolder(Pictures):
    """Images that are read where they lie, in `root` or as their names say from there."""

    root: Path

    @contextmanager
    def _opened(self, at: int) -> Iterator[tuple[io.BufferedIOBase, str]]:
        file = self.root / self.names[at]
        try:
            with file.open("rb") as stream:
                yield stream, str(file)
        except OSError as error:
            raise unreadable(file, error) from None


def claims(look: Look) -> str | None:
    """Say which images a directory holds, if it does."""
    images = () if look.listing is None else look.listing.images
    return f"images ({images[0]!r})" if images else None


def open_image_folder(look: Look) -> ImageFolder:
    """Label the images of a listed directory; DataError as `label_tree` says."""
    path, listing, where = look.path, look.listing, f"the folder {look.path}"
    assert listing is not None  # noqa: S101 - which is what was claimed
    split = split_folder(listing.folders, listing.images, look.settings, path)
    if split is not None:
        return open_image_folder(look_at(path / split, replace(look.settings, split=None)))
    tree = label_tree(listing.images, listing.folders, listing.others, look.settings, where)
    reading = Reading(
        look.settings.exif,
        listing.others,
        listing.hidden,
        background=look.settings.background,
    )
    return ImageFolder(
        path, tree.labels, tree.class_names, tree.rule, reading, "image-folder", tree.names, path
    )
