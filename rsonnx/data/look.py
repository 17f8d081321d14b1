"""What a path shows before a form of data claims it."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rsonnx.data.forms.tar import first_entry
from rsonnx.data.images import is_image_name
from rsonnx.data.settings import DataSettings
from rsonnx.data.tree import is_ignored
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


@dataclass(frozen=True)
class Look:
    """A path, and how it is to be read.

    Attributes:
        path: an existing directory or file.
        settings: how it is read, as far as it does not say it itself.
        listing: what a directory holds; None for a file.
        head: the first bytes of a file.
        infos: the entries of a zip archive; None for all else.
        tar: the first entry of a tar archive, gzipped or not; None for all else.
    """

    path: Path
    settings: DataSettings
    listing: Listing | None = None
    head: bytes = b""
    infos: Sequence[zipfile.ZipInfo] | None = None
    tar: str | None = None


def look_at(path: Path, settings: DataSettings) -> Look:
    """Look at a directory or a file.

    Raises:
        UsageError: it cannot be read.
        DataError: a zip archive or a directory is broken.
    """
    if path.is_dir():
        return Look(path, settings, list_directory(path))
    try:
        with path.open("rb") as stream:
            head = stream.read(8)
        archive = head.startswith(b"PK\x03\x04") or zipfile.is_zipfile(path)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UsageError(f"{path} cannot be read ({reason}); correct its permissions") from None
    if not archive:
        return Look(path, settings, head=head, tar=first_entry(path))
    try:
        with zipfile.ZipFile(path) as opened:
            return Look(path, settings, head=head, infos=opened.infolist())
    except Exception as error:  # struct, Unicode, ...: whatever a hostile directory provokes
        raise DataError(
            f"{path} is a broken zip archive ({type(error).__name__}: {error}); fetch it again"
        ) from error


def list_directory(path: Path) -> Listing:
    """List a directory and everything under it, in an order no file system has a say in.

    Links to files and folders are followed.

    Raises:
        UsageError: the directory itself cannot be read.
        DataError: a folder inside it cannot be read or is there twice, by a link, or an image name
            is a broken link or no regular file.
    """
    try:
        os.scandir(path).close()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UsageError(f"the folder {path} cannot be read ({reason})") from None
    lists: tuple[list[str], ...] = ([], [], [], [], [])
    images, others, folders, files, hidden = lists
    listed: dict[str, Path] = {}  # a few links may lead to a folder in millions of ways, or back
    pending = [""]
    while pending:
        prefix = pending.pop()
        here = path / prefix
        first = listed.setdefault(os.path.realpath(here), here)
        if first != here:
            raise DataError(
                f"{here} and {first} are one folder, whose files would count twice; remove the link"
            )
        try:
            with os.scandir(here) as scan:
                for entry in scan:
                    if is_ignored(entry.name):
                        hidden.append(prefix + entry.name)
                        continue
                    if entry.is_dir():
                        pending.append(f"{prefix}{entry.name}/")
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
            raise unreadable(Path(error.filename or here), error) from None
    return Listing(*(tuple(sorted(names)) for names in lists))


def unreadable(path: Path, error: OSError) -> DataError:
    """Return the refusal of a file that cannot be opened."""
    return DataError(
        f"{path} cannot be read ({error.strerror or type(error).__name__}); restore it or its "
        "permissions"
    )
