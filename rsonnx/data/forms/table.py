"""Tables: a row an input, a column a value, and one column of labels.

A column of text is read as numbers that stand for its texts, in the order in which they first
occur. Everything is read once and kept as float64; a file of which memory cannot hold that is
refused.
"""

from __future__ import annotations

import csv
import math
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rsonnx.columns import Column, listed_columns
from rsonnx.data.dataset import ArrayRows, Reading
from rsonnx.data.forms.npy import in_memory
from rsonnx.data.forms.picture_list import lists_pictures
from rsonnx.data.label_arrays import not_whole
from rsonnx.data.limits import check_examples, check_fits
from rsonnx.data.look import Look
from rsonnx.data.names import named_labels
from rsonnx.data.settings import DataSettings
from rsonnx.errors import DataError, UsageError
from rsonnx.scalars import shown

NO_LABELS = "none"
"""What says in place of a label column that there is none."""

_ENDINGS = {".csv": None, ".tsv": "\t", ".tab": "\t"}
"""Of tables as text, each with what separates its cells; None for what its heading shows."""

_USUAL_LABELS = ("label", "target", "y", "class")

_MISSING = frozenset(
    ["", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "-nan", "NULL", "null", "None"]
)
"""Cells that stand for no value, as pandas, R and data bases write them."""

CHUNK_CELLS = 2**17
"""Cells that are read in one go."""

_MOST_HEADING = 2**20
"""Bytes of the first line that show what separates cells."""

_MOST_TEXTS, _MOST_LETTERS = 10_000, 1000
"""Different texts in a column, and letters of each, at most: else it is none of categories."""

_WHOLE = 2**24
"""float32 holds whole numbers up to here."""


@dataclass(frozen=True)
class Chunk:
    """Some rows of a table.

    Attributes:
        cells: column by column, a value a row: text, numbers, or None for none.
        rows: what messages call each row.
    """

    cells: Sequence[Sequence[Any]]
    rows: Sequence[str]


class Source(Protocol):
    """A table that can be read from its beginning as often as needed."""

    @property
    def where(self) -> str:
        """What messages call it."""

    @property
    def names(self) -> Sequence[str]:
        """Of its columns."""

    @property
    def typed(self) -> bool:
        """Whether a cell that is text means text; else it may be a number that is written out."""

    def chunks(self) -> Iterator[Chunk]:
        """Yield all its rows in their order."""


def claims(look: Look) -> str | None:
    """Say that a file is a table, if it is one."""
    is_table = look.listing is None and look.infos is None and look.path.suffix.lower() in _ENDINGS
    return "a table" if is_table and not lists_pictures(look.path) else None


def open_table(look: Look) -> ArrayRows:
    """Read a table as text: UTF-8, the names of the columns in its first line.

    Raises:
        DataError: it is no table of numbers and categories, or a value is missing.
        UsageError: a column that the settings name is not there, or which one is the label is not
            clear.
    """
    return read_table(TextTable.open(look.path), look.path, look.settings)


@dataclass(frozen=True)
class TextTable:
    """A table of cells between commas, semicolons or tabs.

    Attributes:
        path: of the file.
        names: of its columns.
        delimiter: what is between two cells.
    """

    path: Path
    names: Sequence[str]
    delimiter: str
    typed: bool = field(default=False, init=False)

    @classmethod
    def open(cls, path: Path) -> TextTable:
        """Read the first line of a file."""
        # A cell has a byte and what ends it, at least, and becomes 8 bytes, twice at a time.
        check_fits(8 * os.path.getsize(path), str(path))
        delimiter = _ENDINGS[path.suffix.lower()]
        if delimiter is None:
            with path.open("rb") as stream:
                heading = stream.readline(_MOST_HEADING)
            delimiter = max(",;\t", key=lambda mark: heading.count(mark.encode()))
        first = next(cls(path, (), delimiter)._rows(), None)
        if first is None:
            raise DataError(f"{path} is empty, but a line of column names was expected")
        return cls(path, [name.strip() for name in first[1]], delimiter)

    @property
    def where(self) -> str:
        """The file."""
        return str(self.path)

    def chunks(self) -> Iterator[Chunk]:
        """Yield some rows at a time; DataError where one has more or fewer cells than names."""
        width, size = len(self.names), max(1, CHUNK_CELLS // len(self.names))
        rows = self._rows()
        next(rows)
        numbers: list[str] = []
        several: list[list[str]] = []
        for number, row in rows:
            if len(row) != width:
                raise DataError(
                    f"line {number} of {self.path} has {len(row)} cells, but line 1 names {width} "
                    "columns; correct it, or quote texts that hold the separator"
                )
            several.append(row)
            numbers.append(f"line {number}")
            if len(several) == size:
                yield Chunk(list(zip(*several, strict=True)), numbers)
                numbers, several = [], []
        if several:
            yield Chunk(list(zip(*several, strict=True)), numbers)

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield all lines that are not empty, each with its number."""
        try:
            with self.path.open(encoding="utf-8-sig", newline="") as stream:
                lines = csv.reader(stream, delimiter=self.delimiter, strict=True)
                for row in lines:
                    if row:
                        yield lines.line_num, row
        except UnicodeDecodeError:
            raise DataError(f"{self.path} is not UTF-8 text; save it as UTF-8") from None
        except csv.Error as error:
            raise DataError(
                f"line {lines.line_num} of {self.path} is no line of a table ({error}); correct "
                "its quotes"
            ) from None


def read_table(source: Source, path: Path, settings: DataSettings) -> ArrayRows:
    """Return a table as a data set, and what its columns are in its ``reading``.

    Args:
        source: of the cells.
        path: what the data set is called.
        settings: which column is the label, and which are fixed.

    Raises:
        DataError, UsageError: as for :func:`open_table`.
    """
    _check_names(source)
    names, label = source.names, _label_at(source, settings)
    for name in settings.fixed_columns:
        if name not in names or names.index(name) == label:
            raise UsageError(
                f"the column {name!r} is to be fixed, but {source.where} has the columns "
                f"{listed_columns([n for at, n in enumerate(names) if at != label])}"
            )
    features = [at for at in range(len(names)) if at != label]
    if not features:
        raise DataError(f"{source.where} has no column beside its labels, {names[0]!r}")
    readers = [_Cells(source.typed) for _ in names]
    while not all(_read(source, readers)):  # a column turned out to hold text, from its beginning
        for reader in readers:
            reader.begin_anew()
    if not readers[0].blocks:
        raise DataError(f"{source.where} has column names, but no row; add the inputs")
    labels = class_names = None
    rule = "none"
    if label is not None:
        rule = f"column {names[label]}"
        labels, class_names, rule = _labels(readers[label], rule, source, settings)
    array = np.empty((sum(map(len, readers[0].blocks)), len(features)))
    columns = []
    for place, at in enumerate(features):
        reader = readers[at]
        values = array[:, place]
        np.concatenate(reader.blocks, out=values)
        reader.blocks.clear()
        fixed = bool(reader.texts) or names[at] in settings.fixed_columns
        whole = bool(np.abs(values).max() <= _WHOLE and (values == np.rint(values)).all())
        columns.append(Column(names[at], fixed, tuple(reader.texts), float(values[0]), whole))
    reading = Reading(columns=tuple(columns))
    return ArrayRows(path, labels, class_names, rule, reading, "table", in_memory(array))


class _Cells:
    """Turns the cells of a column into numbers.

    Attributes:
        texts: of a column of text, each with its number; empty for one of numbers.
        blocks: the numbers.
    """

    def __init__(self, typed: bool) -> None:
        self._typed = typed
        self._is_text = False
        self.begin_anew()

    def begin_anew(self) -> None:
        self.texts: dict[str, int] = {}
        self.blocks: list[NDArray[np.float64]] = []

    def add(self, chunk: Chunk, at: int, where: str, name: str) -> bool:
        """Add the cells of a chunk; False where they are text, but cells before were numbers."""
        cells = chunk.cells[at]
        is_text = self._typed and any(isinstance(cell, str) for cell in cells)
        numbers = None if is_text or self._is_text else _numbers(cells)
        if numbers is not None:
            wrong = np.flatnonzero(~np.isfinite(numbers))
            if wrong.size:
                raise _no_value(cells[wrong[0]], chunk.rows[wrong[0]], where, name)
            self.blocks.append(numbers)
            return True
        for row, text in zip(chunk.rows, cells, strict=True):
            is_none = text is None or (isinstance(text, float) and math.isnan(text))
            if is_none or (isinstance(text, str) and text.strip() in _MISSING):
                raise _no_value(text, row, where, name)
            if not isinstance(text, str):
                raise DataError(
                    f"the column {name!r} of {where} holds {shown(text)} in {row}, but numbers or "
                    "text were expected; convert or remove the column"
                )
        if not self._is_text and self.blocks:
            self._is_text = True
            return False
        self._is_text = True
        self.blocks.append(
            np.array([self.texts.setdefault(text, len(self.texts)) for text in cells], np.float64)
        )
        if len(self.texts) > _MOST_TEXTS or max(map(len, cells)) > _MOST_LETTERS:
            raise DataError(
                f"the column {name!r} of {where} holds more than {_MOST_TEXTS:,} different texts, "
                f"or longer ones than {_MOST_LETTERS:,} letters, such as {shown(cells[-1])}; "
                "remove it, or correct its numbers"
            )
        return True


def _numbers(cells: Sequence[Any]) -> NDArray[np.float64] | None:
    written = "".join(cell for cell in cells if isinstance(cell, str))
    if "_" in written or not written.isascii():  # numbers to Python alone, as 1_000
        return None
    try:
        numbers = np.array(cells, np.float64)
    except (ValueError, TypeError, OverflowError):
        return None
    return numbers if numbers.shape == (len(cells),) else None


def _no_value(cell: Any, row: str, where: str, name: str) -> DataError:
    is_none = cell is None or cell != cell or (isinstance(cell, str) and cell.strip() in _MISSING)  # noqa: PLR0124 - NaN alone
    what = "has no value" if is_none else f"holds {shown(cell)}"
    return DataError(
        f"the column {name!r} of {where} {what} in {row}; fill in a number, or remove the row"
    )


def _read(source: Source, readers: Sequence[_Cells]) -> Iterator[bool]:
    """Add all rows to what reads their columns; yield False where it has to begin anew."""
    count = size = 0
    for chunk in source.chunks():
        count, size = count + len(chunk.rows), size + 8 * len(readers) * len(chunk.rows)
        check_examples(count, source.where)
        check_fits(size, source.where)  # once more, when the blocks are put together
        for at, (reader, name) in enumerate(zip(readers, source.names, strict=True)):
            yield reader.add(chunk, at, source.where, name)


def _check_names(source: Source) -> None:
    names = source.names
    if "" in names:
        raise DataError(
            f"column {names.index('') + 1} of {source.where} has no name; give it one, or leave "
            "out pandas' index with to_csv(index=False)"
        )
    if len(set(names)) < len(names):
        twice = Counter(names).most_common(1)[0][0]
        raise DataError(
            f"{source.where} has two columns called {shown(twice)}; its first line names the "
            "columns, each differently"
        )
    numbers = _numbers(names)
    if numbers is not None and (numbers != np.rint(numbers)).any():
        raise DataError(
            f"the first line of {source.where} holds numbers ({listed_columns(names)}), but names "
            "of columns were expected; write them into it"
        )


def _label_at(source: Source, settings: DataSettings) -> int | None:
    """Return which column holds the labels; None where there are none."""
    names, asked = source.names, settings.label_column
    if asked is None and settings.labels is not None:
        return None
    if asked is not None:
        if asked in names:
            return names.index(asked)
        if asked == NO_LABELS:
            return None
        raise UsageError(
            f"{source.where} has no column {asked!r}; name one of {listed_columns(names)}, or "
            f"{NO_LABELS}, with --label-column"
        )
    usual = [at for at, name in enumerate(names) if name.casefold() in _USUAL_LABELS]
    if len(usual) == 1:
        return usual[0]
    raise UsageError(
        f"which column of {source.where} is the label? name it with --label-column, or "
        f"{NO_LABELS}: {listed_columns(names)}"
    )


def _labels(
    reader: _Cells, rule: str, source: Source, settings: DataSettings
) -> tuple[tuple[int, ...], tuple[str, ...] | None, str]:
    """Return the labels, the class names and the rule's phrase."""
    values = np.concatenate(reader.blocks)
    if reader.texts:
        texts = tuple(reader.texts)
        return named_labels([texts[int(v)].strip() for v in values], settings.names, source.where)
    wrong = not_whole(values)
    if wrong.size:
        raise DataError(
            f"the label of example {wrong[0]} of {source.where} is {values[wrong[0]]:g}, but "
            "classes are whole numbers or names"
        )
    return tuple(map(int, values)), settings.names, rule
