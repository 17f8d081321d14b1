"""Read one standard deviation a value of the input, for noise with a sigma per feature."""

from __future__ import annotations

import io
import json
import math
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsonnx.errors import DataError, UsageError

_MOST_BYTES = 1 << 28
"""More than the numbers of any input take; a larger file is something else."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_SEPARATOR = re.compile(r"[ \t]*[,;\t][ \t]*|[ \t]+")
_SHOWN = 40


def read_sigmas(path: Path, size: int) -> tuple[float, ...]:
    """Read the sigmas of an input's values, in their order (row-major).

    The content decides the form: a .npy array, a JSON list, or text with one number a line or one
    row of numbers between commas, semicolons, tabs or spaces.

    Args:
        path: the file.
        size: how many values an input has.

    Returns:
        ``size`` numbers, each finite and > 0.

    Raises:
        UsageError: there is no such file, or it cannot be read.
        DataError: it is none of these forms, has another number of values, or one of them is no
            finite number above 0; values and lines are numbered from 1.
    """
    content = _content(path)
    if content.startswith(b"\x93NUMPY"):
        found = _of_array(content, path)
    elif content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"[", b"{")):
        found = _of_json(content, path)
    else:
        found = _of_text(content, path)
    for number, value in enumerate(found, start=1):
        if not (math.isfinite(value) and value > 0):
            raise DataError(
                f"value {number} of {path} is {value!r}, but a standard deviation is a finite "
                "number above 0; correct it"
            )
    if len(found) != size:
        raise DataError(
            f"{path} has {len(found):,} numbers, but the input has {size:,} values, and one "
            "standard deviation for each was expected"
        )
    return tuple(found)


def _content(path: Path) -> bytes:
    if not os.path.isfile(path):  # a named pipe may never be written to
        what = "is no file" if os.path.exists(path) else "does not exist"
        raise UsageError(f"{path} {what}, but a file with one sigma a feature was expected")
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    if len(content) > _MOST_BYTES:
        raise DataError(
            f"{path} has more than {_MOST_BYTES >> 20} MiB, but a file with one number a value of "
            "the input was expected"
        )
    return content


def _of_array(content: bytes, path: Path) -> list[float]:
    try:
        array: NDArray[Any] = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    except MemoryError:
        raise DataError(f"{path} announces more than fits the memory; save it again") from None
    except Exception as error:  # whatever hostile bytes provoke
        raise DataError(
            f"{path} cannot be read as an array ({type(error).__name__}); save it again with "
            "numpy.save"
        ) from None
    if array.dtype.kind not in "iuf":
        raise DataError(f"{path} has values of type {array.dtype}, but real numbers were expected")
    if array.ndim == 0 or max(array.shape) != array.size:
        raise DataError(
            f"{path} has the shape {array.shape}, but one row of numbers was expected; save "
            "array.ravel()"
        )
    return [float(value) for value in array.ravel()]


def _of_json(content: bytes, path: Path) -> list[float]:
    try:
        value = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise DataError(f"{path} begins like JSON but is none; write a list of numbers") from None
    if not isinstance(value, list):
        raise DataError(f"{path} holds a JSON object, but a list of numbers was expected")
    for number, one in enumerate(value, start=1):
        if isinstance(one, bool) or not isinstance(one, int | float):
            raise DataError(
                f"value {number} of {path} is {_short(json.dumps(one))}, but a number was expected"
            )
    return [_real(one) for one in value]


def _real(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number beyond all floats
        return math.inf if value > 0 else -math.inf


def _of_text(content: bytes, path: Path) -> list[float]:
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise DataError(
            f"{path} is neither text nor a .npy array, but numbers, one a line or in one row, were "
            "expected"
        ) from None
    rows = [
        (number, [_number(cell, number, path) for cell in _SEPARATOR.split(line.strip())])
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]
    if len(rows) > 1:
        for number, row in rows:
            if len(row) > 1:
                raise DataError(
                    f"line {number} of {path} has {len(row)} numbers and there are {len(rows)} "
                    "lines, but one number a line or one row of numbers was expected"
                )
    return [value for _, row in rows for value in row]


def _number(cell: str, line: int, path: Path) -> float:
    if _NUMBER.fullmatch(cell) is None and cell.lower().lstrip("+-") not in ("nan", "inf"):
        raise DataError(
            f"line {line} of {path} has {_short(repr(cell))}, but a number was expected (a heading "
            "or a comment is none)"
        )
    return float(cell)


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
