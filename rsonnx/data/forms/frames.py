"""Tables whose columns have types: Parquet files, and data frames of pandas and polars."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rsonnx.data.dataset import ArrayRows
from rsonnx.data.forms.parquet import (
    PARQUET,
    broken,
    cells_of,
    has_pyarrow,
    open_file,
    open_once,
    picture_columns,
)
from rsonnx.data.forms.table import CHUNK_CELLS, Chunk, read_table
from rsonnx.data.limits import check_examples, check_fits
from rsonnx.data.look import Look
from rsonnx.data.settings import DataSettings
from rsonnx.resources import bounded_memory

_NONE = ("NAType", "NaTType")
"""What pandas has in place of a value that is missing, by the names of their types."""


def claims(look: Look) -> str | None:
    """Say that a Parquet file is a table, if it holds no pictures."""
    if look.listing is not None or not look.head.startswith(PARQUET) or not has_pyarrow():
        return None
    return None if picture_columns(open_file(look.path).schema_arrow) else "a table"


def open_parquet_table(look: Look) -> ArrayRows:
    """Read a Parquet file; errors as for :func:`rsonnx.data.forms.table.open_table`."""
    file = open_file(look.path)
    metadata = file.metadata
    check_examples(metadata.num_rows, str(look.path))
    groups = [metadata.row_group(at).total_byte_size for at in range(metadata.num_row_groups)]
    # 8 bytes a cell, twice at a time, beside a row group as it is decompressed.
    cells = 16 * metadata.num_rows * metadata.num_columns
    check_fits(cells + max(groups, default=0), str(look.path))
    source = ParquetTable(look.path, tuple(file.schema_arrow.names))
    return read_table(source, look.path, look.settings)


def is_frame(data: Any) -> bool:
    """Say whether an object is a data frame: columns by their names, that can be lists."""
    names: Any = getattr(data, "columns", ())
    named = len(names) > 0 and isinstance(names[0], str | int | np.integer)
    return named and hasattr(data[names[0]], "to_list")


def open_frame(frame: Any, settings: DataSettings) -> ArrayRows:
    """Read a data frame; errors as for :func:`rsonnx.data.forms.table.open_table`."""
    path = Path(type(frame).__name__)
    return read_table(FrameTable(frame, str(path), tuple(map(str, frame.columns))), path, settings)


@dataclass(frozen=True)
class ParquetTable:
    """A Parquet file of numbers and texts."""

    path: Path
    names: Sequence[str]
    typed: bool = field(default=True, init=False)

    @property
    def where(self) -> str:
        """The file."""
        return str(self.path)

    def chunks(self) -> Iterator[Chunk]:
        """Yield some rows at a time."""
        size, start = max(1, CHUNK_CELLS // len(self.names)), 1
        file = open_once(self.path, lambda leaf: leaf.logical_type.type == "STRING")
        batches = file.iter_batches(batch_size=size, use_threads=False)
        while True:
            try:
                with bounded_memory:
                    batch = next(batches, None)
                    if batch is not None:
                        batch.validate(full=True)  # Arrow reads indices and texts unchecked
                    cells = [] if batch is None else list(map(cells_of, batch.columns))
            except Exception as error:  # whatever hostile bytes provoke
                raise broken(self.path, error) from error
            if batch is None:
                return
            yield Chunk(cells, _rows(start, batch.num_rows))
            start += batch.num_rows


@dataclass(frozen=True)
class FrameTable:
    """A data frame of numbers and texts."""

    frame: Any
    where: str
    names: Sequence[str]
    typed: bool = field(default=True, init=False)

    def chunks(self) -> Iterator[Chunk]:
        """Yield some rows at a time."""
        size = max(1, CHUNK_CELLS // len(self.names))
        for start in range(0, len(self.frame), size):
            part = self.frame[start : start + size]
            cells = [
                [None if type(cell).__name__ in _NONE else cell for cell in part[name].to_list()]
                for name in self.frame.columns
            ]
            yield Chunk(cells, _rows(start + 1, len(part)))


def _rows(start: int, count: int) -> list[str]:
    return [f"row {number}" for number in range(start, start + count)]
