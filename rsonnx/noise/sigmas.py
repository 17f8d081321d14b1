"""One standard deviation a value of the input: from a file that a stranger may have written, or a
share of how far the values of the data spread."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rsonnx.columns import Column, listed_columns
from rsonnx.errors import DataError, UsageError
from rsonnx.files import read_small
from rsonnx.scalars import as_float

_MOST_BYTES = 1 << 28
"""More than the numbers of any input take; a larger file is something else."""

_NUMBER = re.compile(r"[+-]?((\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|(?i:nan|inf))", re.ASCII)
_SHARE = re.compile(r"(\d+\.?\d*|\.\d+)\s*std", re.ASCII)
"""Of the standard deviations of the data: ``0.25std``."""

_SEPARATOR = re.compile(r"[ \t]*[,;\t][ \t]*|[ \t]+")


def _no_data() -> Sequence[float]:
    raise UsageError("a share of standard deviations needs the data that they are of; give numbers")


@dataclass(frozen=True)
class Values:
    """What is known of the values of an input when a noise is asked for.

    Attributes:
        size: how many there are.
        columns: what they are, one a value; empty where they have no names.
        deviations: returns the standard deviation of each over all the data, 0 for a constant.
    """

    size: int
    columns: tuple[Column, ...] = ()
    deviations: Callable[[], Sequence[float]] = _no_data


def sigmas_for(asked: Path, values: Values) -> tuple[float, ...]:
    """Return the sigmas of an input's values, 0 for a fixed column: from a file, or ``0.25std``.

    A share of standard deviations is rounded to six digits, as it is recorded.

    Raises:
        UsageError: a value without a deviation is to get a share of it; or as :func:`read_sigmas`.
        DataError: as :func:`read_sigmas`.
    """
    share = _SHARE.fullmatch(str(asked))
    if share is None:
        return read_sigmas(asked, values.size, values.columns)
    fixed = [column.fixed for column in values.columns] or [False] * values.size
    sigmas = [
        0.0 if is_fixed else float(f"{float(share[1]) * deviation:.6g}")
        for deviation, is_fixed in zip(values.deviations(), fixed, strict=True)
    ]
    for at, sigma in enumerate(sigmas):
        if not (sigma > 0 or fixed[at]):
            name = f"column {values.columns[at].name!r}" if values.columns else f"value {at + 1}"
            raise UsageError(
                f"sigma is {asked}, but {name} is the same in all the data and has no deviation; "
                "name it with --fixed-columns, or take it out"
            )
    return tuple(sigmas)


def read_sigmas(path: Path, size: int, columns: Sequence[Column] = ()) -> tuple[float, ...]:
    """Read the ``size`` sigmas of an input's values, each finite and > 0, or 0 of a fixed column.

    The content decides the form: a .npy array, a JSON list, or text with one number a line or one
    row of numbers between commas, semicolons, tabs or spaces, row-major; or by the names of
    columns, a JSON object, or text with a name and a number a line. Names of fixed columns may be
    left out.

    Raises:
        UsageError: there is no such file, or it cannot be read.
        DataError: it holds anything else; values and lines are numbered from 1.
    """
    content = read_small(path, "the sigmas", _MOST_BYTES)
    values: Sequence[Any] | Mapping[str, Any]
    try:
        if content.startswith(b"\x93NUMPY"):
            values = _of_array(content)
        elif content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"[", b"{")):
            values = _of_json(content)
        else:
            values = _of_text(content, {column.name for column in columns})
    except ValueError as error:
        raise DataError(
            f"{path} {error}, but real numbers, one a line or in one row, were expected"
        ) from None
    if isinstance(values, Mapping):
        values = _in_order(values, columns, path)
    sigmas = tuple(as_float(value) for value in values)
    if len(sigmas) != size:
        raise DataError(
            f"{path} has {len(sigmas):,} numbers, but the input has {size:,} values, and one "
            "standard deviation for each was expected"
        )
    for at, sigma in enumerate(sigmas):
        where = f"value {at + 1} of {path}"
        if columns and columns[at].fixed:
            if sigma != 0:
                raise DataError(
                    f"{where} is {values[at]!r:.40}, but the column {columns[at].name!r} is fixed; "
                    "write 0, or leave out its name"
                )
        elif not (math.isfinite(sigma) and sigma > 0):
            raise DataError(
                f"{where} is {values[at]!r:.40}, but a standard deviation is a finite number above "
                "0; correct it, or name a column that is to be fixed with --fixed-columns"
            )
    return sigmas


def _in_order(named: Mapping[str, Any], columns: Sequence[Column], path: Path) -> list[Any]:
    """Return sigmas by the names of columns in the order of these."""
    names = [column.name for column in columns]
    if not names:
        raise DataError(f"{path} names columns, but the data do not; write one number a line")
    unknown = [name for name in named if name not in names]
    if unknown:
        raise DataError(
            f"{path} has a sigma for {unknown[0]!r:.40}, but the columns are "
            f"{listed_columns(names)}; correct the name"
        )
    missing = [c.name for c in columns if c.name not in named and not c.fixed]
    if missing:
        raise DataError(
            f"{path} has no sigma for {listed_columns(missing)}; add it, or fix what is to have "
            "none with --fixed-columns"
        )
    return [named.get(name, 0.0) for name in names]


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


def _of_json(content: bytes) -> list[Any] | dict[str, Any]:
    try:
        values = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_once)
    except _TwiceError:
        raise
    except (ValueError, RecursionError):
        raise ValueError("begins like JSON but is none") from None
    if not isinstance(values, list | dict):
        raise ValueError("holds no JSON list or object")
    return values


class _TwiceError(ValueError):
    """A name that is there twice."""


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for name, value in pairs:
        if name in named:
            raise _TwiceError(f"has {name!r:.40} twice")
        named[name] = value
    return named


def _named(lines: Sequence[str], names: Set[str]) -> dict[str, Any] | None:
    """Return sigmas by the names of columns; None for lines that hold numbers alone."""
    mark = next((mark for mark in "\t;," if lines and mark in lines[0]), ",")
    rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=mark)]
    if any(len(row) != 2 for row in rows):
        return None
    if rows and not _NUMBER.fullmatch(rows[0][1]):
        rows = rows[1:]  # a heading
    if not rows or all(_NUMBER.fullmatch(name) and name not in names for name, _ in rows):
        return None
    wrong = next((cell for _, cell in rows if _NUMBER.fullmatch(cell) is None), None)
    if wrong is not None:
        raise ValueError(f"has {wrong!r:.40} for a sigma")
    return _once((name, float(cell)) for name, cell in rows)


def _of_text(content: bytes, names: Set[str]) -> list[Any] | dict[str, Any]:
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ValueError("is neither text nor a .npy array") from None
    try:
        named = _named([line for line in lines if line.strip()], names)
    except csv.Error as error:
        raise ValueError(f"is no table of names and numbers ({error})") from None
    if named is not None:
        return named
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
