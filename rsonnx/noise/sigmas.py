"""Read one standard deviation a value of the input from a file that a stranger may have written."""

from __future__ import annotations

import io
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from rsonnx.errors import DataError
from rsonnx.files import read_small
from rsonnx.scalars import as_float

_MOST_BYTES = 1 << 28
"""More than the numbers of any input take; a larger file is something else."""

_NUMBER = re.compile(r"[+-]?((\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|(?i:nan|inf))", re.ASCII)
_SEPARATOR = re.compile(r"[ \t]*[,;\t][ \t]*|[ \t]+")


def read_sigmas(path: Path, size: int) -> tuple[float, ...]:
    """Read the ``size`` sigmas of an input's values, row-major, each finite and > 0.

    The content decides the form: a .npy array, a JSON list, or text with one number a line or one
    row of numbers between commas, semicolons, tabs or spaces.

    Raises:
        UsageError: there is no such file, or it cannot be read.
        DataError: it holds anything else; values and lines are numbered from 1.
    """
    content = read_small(path, "the sigmas", _MOST_BYTES)
    try:
        if content.startswith(b"\x93NUMPY"):
            values = _of_array(content)
        elif content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"[", b"{")):
            values = _of_json(content)
        else:
            values = _of_text(content)
    except ValueError as error:
        raise DataError(
            f"{path} {error}, but real numbers, one a line or in one row, were expected"
        ) from None
    sigmas = tuple(as_float(value) for value in values)
    for number, sigma in enumerate(sigmas, start=1):
        if not (math.isfinite(sigma) and sigma > 0):
            raise DataError(
                f"value {number} of {path} is {values[number - 1]!r:.40}, but a standard deviation "
                "is a finite number above 0; correct it"
            )
    if len(sigmas) != size:
        raise DataError(
            f"{path} has {len(sigmas):,} numbers, but the input has {size:,} values, and one "
            "standard deviation for each was expected"
        )
    return sigmas


def _of_array(content: bytes) -> list[Any]:
    try:
        array = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    except Exception as error:  # whatever hostile bytes provoke, a MemoryError among it
        raise ValueError(f"cannot be read as an array ({type(error).__name__})") from None
    if array.dtype.kind not in "iuf" or array.ndim == 0 or max(array.shape) != array.size:
        raise ValueError(
            f"is an array of {array.dtype} of shape {array.shape} (array.ravel() makes one row)"
        )
    return [float(value) for value in array.ravel()]


def _of_json(content: bytes) -> list[Any]:
    try:
        values = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise ValueError("begins like JSON but is none") from None
    if not isinstance(values, list):
        raise ValueError("holds a JSON object")
    return values


def _of_text(content: bytes) -> list[Any]:
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ValueError("is neither text nor a .npy array") from None
    rows = {
        number: _SEPARATOR.split(line.strip())
        for number, line in enumerate(lines, start=1)
        if line.strip()
    }
    for number, cells in rows.items():
        wrong = next((cell for cell in cells if _NUMBER.fullmatch(cell) is None), None)
        if wrong is not None:
            raise ValueError(f"has {wrong!r:.40} in line {number} (a heading or comment is none)")
        if len(cells) > 1 and len(rows) > 1:
            raise ValueError(f"has {len(cells)} numbers in line {number} of {len(rows)} lines")
    return [float(cell) for cells in rows.values() for cell in cells]
