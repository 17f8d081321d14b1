"""How much a file may make this process read: the guards against decompression bombs."""

from __future__ import annotations

import zipfile

from rsonnx.errors import DataError
from rsonnx.resources import available_memory

MAX_IMAGE_FILE_BYTES = 64 * 2**20
"""Largest compressed image file that is read out of an archive, in bytes."""

MAX_ARRAY_BYTES = 16 * 2**30
"""Largest array that an .npz or idx file may announce, in bytes."""

MAX_DEFLATE_RATIO = 1032
"""Deflate cannot expand its input further than this; a larger claim is a lie."""

_MOST_EXAMPLES = 2**24
"""Examples that an array may have: more than any data set of pictures, and as many labels as take
hundreds of megabytes in memory."""


def check_entry(info: zipfile.ZipInfo, where: str) -> None:
    """Refuse an archive entry that cannot be read safely, from its directory record alone.

    Bzip2 and LZMA are refused because zipfile decompresses them without a bound on the output.

    Raises:
        DataError: the entry is encrypted, or compressed with anything but deflate.
    """
    if info.flag_bits & 0x1:
        raise DataError(f"{where} is encrypted; write the archive without a password")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(
            f"{where} is compressed with zip method {info.compress_type}; write the archive with "
            "ordinary deflate compression or none"
        )


def check_announced(announced: int, compressed: int, where: str) -> None:
    """Refuse an array whose announced size no honest file of this size could hold.

    Args:
        announced: bytes of the decompressed array, as its header says.
        compressed: bytes that are really there before decompression.
        where: the name of the array in the message.

    Raises:
        DataError: more than `MAX_ARRAY_BYTES`, or more than deflate can produce.
    """
    if announced > MAX_ARRAY_BYTES:
        raise DataError(
            f"{where} announces {announced} bytes, more than the {MAX_ARRAY_BYTES} that are read; "
            "split it into smaller files"
        )
    if announced > MAX_DEFLATE_RATIO * (compressed + 1):
        raise DataError(
            f"{where} announces {announced} bytes, but the {compressed} compressed bytes present "
            "cannot hold them; write the file again"
        )


def check_examples(count: int, where: str) -> None:
    """Refuse an array of more examples than are read; DataError."""
    if count > _MOST_EXAMPLES:
        raise DataError(
            f"{where} has {count:,} examples, but at most {_MOST_EXAMPLES:,} are read; split it "
            "into smaller files"
        )


def check_fits(needed: int, where: str) -> None:
    """Refuse what the memory that is free cannot hold.

    Args:
        needed: bytes.
        where: what needs them, in the message.

    Raises:
        DataError: with how much there is.
    """
    free = available_memory()
    if free is not None and needed > free:
        raise DataError(
            f"{where} needs {needed / 2**30:,.1f} GiB of memory, but {free / 2**30:,.1f} GiB are "
            "free; split it into smaller files, or use another machine"
        )
