"""MNIST's original format, idx: an images file and, beside it, a labels file; gzipped or not."""

from __future__ import annotations

import gzip
import struct
import zlib
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, cast

import numpy as np

from rsonnx.data.dataset import ArrayRows, Reading
from rsonnx.data.forms.tar import GZIP_MAGIC
from rsonnx.data.images import is_image_name
from rsonnx.data.limits import check_announced, check_examples
from rsonnx.data.look import Listing, Look
from rsonnx.data.rows import StoredRows
from rsonnx.errors import DataError

_IMAGES_MAGIC = 0x00000803  # unsigned bytes, three axes
_HEAD = _IMAGES_MAGIC.to_bytes(4, "big")
_LABELS_MAGIC = 0x00000801  # unsigned bytes, one axis
_FETCH_AGAIN = "fetch it again"


def is_idx_images_name(name: str) -> bool:
    """Tell whether a file is named like an idx images file: it has "images" and "idx3"."""
    return "images" in name.lower() and "idx3" in name.lower()


def claims(look: Look) -> str | None:
    """Say which idx file this is, or a directory holds, if it does."""
    if look.listing is not None:
        files = _files_in(look.listing)
        return f"an idx file ({files[0]!r})" if files else None
    named = look.infos is None and is_idx_images_name(look.path.name)
    packed = look.head.startswith(GZIP_MAGIC) and look.tar is None
    return "an idx file" if named or packed or look.head.startswith(_HEAD) else None


def _files_in(listing: Listing) -> list[str]:
    return [n for n in listing.files if is_idx_images_name(n) and not is_image_name(n)]


def open_idx(look: Look) -> ArrayRows:
    """Read an idx images file, and the labels file that lies beside it if there is one.

    The labels file has the same name with "labels" for "images" and "idx1" for "idx3", with or
    without ".gz"; if both are there, the one packed like the images file is read.

    Raises:
        DataError: wrong magic number, a size other than the header says, an empty set, a broken
            gzip stream, another number of labels than of images, or several such files.
    """
    path = look.path
    if look.listing is not None:
        files = _files_in(look.listing)
        if len(files) > 1:
            raise DataError(
                f"the folder {path} holds several idx files ({', '.join(files)}); name one"
            )
        path = path / files[0]
    images = _stored(path, _IMAGES_MAGIC, "images")
    if 0 in images.shape:
        raise DataError(f"{path} holds no pixel (shape {images.shape}); name another file")
    check_examples(images.shape[0], images.where)
    labels_path = _labels_beside(path)
    labels: tuple[int, ...] | None = None
    if labels_path is not None:
        stored = _stored(labels_path, _LABELS_MAGIC, "labels")
        if stored.shape[0] != images.shape[0]:
            raise DataError(
                f"{labels_path} has {stored.shape[0]} labels, but {path} has {images.shape[0]} "
                "images; put the labels file that belongs to the images beside them"
            )
        labels = tuple(stored.kept().array.tolist())
    rows = replace(images, shape=(*images.shape, 1)).kept_if_small()
    rule = "none" if labels_path is None else f"label file {labels_path.name}"
    reading = Reading(largest=max(int(block.max()) for block in rows.blocks()))
    return ArrayRows(path, labels, look.settings.names, rule, reading, "idx", rows)


def _labels_beside(path: Path) -> Path | None:
    plain = path.name.lower().removesuffix(".gz")
    if not is_idx_images_name(plain):
        return None
    wanted = plain.replace("images", "labels").replace("idx3", "idx1")
    try:
        beside = sorted(path.parent.iterdir())
    except OSError as error:
        raise DataError(
            f"the folder of {path} cannot be searched for its labels file ({error.strerror}); "
            "correct its permissions"
        ) from None
    labels = [other for other in beside if other.name.lower().removesuffix(".gz") == wanted]
    packed = path.name.lower().endswith(".gz")
    labels.sort(key=lambda other: other.name.lower().endswith(".gz") != packed)
    return labels[0] if labels else None


def _stored(path: Path, magic: int, what: str) -> StoredRows:
    """Return the array of an idx file of unsigned bytes, unread but for its header."""
    where, rank = f"the idx {what} file {path}", magic & 0xFF
    if not path.is_file():  # a named pipe may never be written to
        raise DataError(f"{where} is no regular file; {_FETCH_AGAIN}")
    try:
        size = path.stat().st_size
        with path.open("rb") as raw:
            opened = partial(_opened, path, packed=raw.read(2) == GZIP_MAGIC)
        with opened() as stream:
            head = stream.read(4 + 4 * rank)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{where} cannot be read ({type(error).__name__}: {error}); {_FETCH_AGAIN}"
        ) from None
    found = head[:4]
    if len(found) < 4 or struct.unpack(">I", found)[0] != magic:
        raise DataError(
            f"{where} begins with {found.hex(' ') or 'nothing'}, not with the magic number "
            f"{magic.to_bytes(4, 'big').hex(' ')} of unsigned bytes with {rank} axes; name an idx "
            "file of that kind"
        )
    if len(head) < 4 + 4 * rank:
        raise DataError(f"{where} ends inside its header; {_FETCH_AGAIN}")
    shape = struct.unpack(f">{rank}I", head[4:])
    stored = StoredRows(opened, len(head), shape, np.dtype(np.uint8), where, _FETCH_AGAIN)
    check_announced(stored.nbytes, size, where)
    return stored


def _opened(path: Path, *, packed: bool) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path)) if packed else path.open("rb")
