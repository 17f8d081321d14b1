"""MNIST's original format, idx: an images file and, beside it, a labels file; gzipped or not."""

from __future__ import annotations

import gzip
import io
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rsonnx.data.dataset import ArrayRows, Reading
from rsonnx.data.images import is_image_name
from rsonnx.data.limits import check_announced
from rsonnx.data.look import Listing, Look
from rsonnx.errors import DataError

GZIP_MAGIC = b"\x1f\x8b"
_IMAGES_MAGIC = 0x00000803  # unsigned bytes, three axes
_HEAD = _IMAGES_MAGIC.to_bytes(4, "big")
_LABELS_MAGIC = 0x00000801  # unsigned bytes, one axis
_PIECE = 2**22  # bytes read at a time


def is_idx_images_name(name: str) -> bool:
    """Tell whether a file is named like an idx images file: it has "images" and "idx3"."""
    return "images" in name.lower() and "idx3" in name.lower()


def claims(look: Look) -> str | None:
    """Say which idx file this is, or a directory holds, if it does."""
    if look.listing is not None:
        files = _files_in(look.listing)
        return f"an idx file ({files[0]!r})" if files else None
    named = look.infos is None and is_idx_images_name(look.path.name)
    return "an idx file" if named or look.head.startswith((_HEAD, GZIP_MAGIC)) else None


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
    images = _read_idx(path, _IMAGES_MAGIC, "images")
    if images.size == 0:
        raise DataError(f"{path} holds no pixel (shape {images.shape}); name another file")
    labels_path = _labels_beside(path)
    labels: tuple[int, ...] | None = None
    if labels_path is not None:
        labels = tuple(_read_idx(labels_path, _LABELS_MAGIC, "labels").tolist())
        if len(labels) != len(images):
            raise DataError(
                f"{labels_path} has {len(labels)} labels, but {path} has {len(images)} images; "
                "put the labels file that belongs to the images beside them"
            )
    rule = "none" if labels_path is None else f"label file {labels_path.name}"
    reading = Reading(largest=int(images.max()))
    return ArrayRows(path, labels, look.classes, rule, reading, "idx", images[..., np.newaxis])


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
    found = [other for other in beside if other.name.lower().removesuffix(".gz") == wanted]
    packed = path.name.lower().endswith(".gz")
    found.sort(key=lambda other: other.name.lower().endswith(".gz") != packed)
    return found[0] if found else None


def _read_idx(path: Path, magic: int, what: str) -> NDArray[np.uint8]:
    """Return the array of an idx file of unsigned bytes, read-only."""
    where = f"the idx {what} file {path}"
    try:
        packed = path.stat().st_size
        with path.open("rb") as raw:
            is_packed = raw.read(2) == GZIP_MAGIC
            raw.seek(0)
            with gzip.open(raw) if is_packed else raw as stream:
                return _read_stream(stream, packed, magic, where)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{where} cannot be read ({type(error).__name__}: {error}); fetch it again"
        ) from None


def _read_stream(
    stream: io.BufferedIOBase, packed: int, magic: int, where: str
) -> NDArray[np.uint8]:
    rank = magic & 0xFF
    head = stream.read(4 + 4 * rank)
    found = head[:4]
    if len(found) < 4 or struct.unpack(">I", found)[0] != magic:
        raise DataError(
            f"{where} begins with {found.hex(' ') or 'nothing'}, not with the magic number "
            f"{magic.to_bytes(4, 'big').hex(' ')} of unsigned bytes with {rank} axes; name an idx "
            "file of that kind"
        )
    if len(head) < 4 + 4 * rank:
        raise DataError(f"{where} ends inside its header; fetch it again")
    shape = struct.unpack(f">{rank}I", head[4:])
    announced = math.prod(shape)
    check_announced(announced, packed, where)
    # One byte more than announced: it tells a file that is too long, and makes gzip reach its
    # end, where it compares the checksum.
    data = _read_at_most(stream, announced + 1)
    if len(data) != announced:
        holds = "more" if len(data) > announced else f"only {len(data)}"
        raise DataError(
            f"{where} announces {announced} bytes (shape {shape}), but holds {holds}; fetch it "
            "again"
        )
    array = np.frombuffer(data, dtype=np.uint8).reshape(shape)
    array.flags.writeable = False
    return array


def _read_at_most(stream: io.BufferedIOBase, limit: int) -> bytearray:
    """Read up to `limit` bytes in pieces, so that memory follows what is there, not the header."""
    data = bytearray()
    while len(data) < limit and (piece := stream.read(min(limit - len(data), _PIECE))):
        data += piece
    return data
