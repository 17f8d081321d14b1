"""Hugging Face data sets: Parquet files with a column of pictures and one of labels.

Rows are read by row groups, of which one is kept at a time.
"""

from __future__ import annotations

import importlib
import io
import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rsonnx.data.dataset import Reading
from rsonnx.data.forms.features import PICTURES, Feature, label_column, labels_of, picture_column
from rsonnx.data.forms.folder import Pictures
from rsonnx.data.limits import MAX_IMAGE_FILE_BYTES, check_examples, check_fits
from rsonnx.data.look import Look
from rsonnx.data.splits import chosen_split
from rsonnx.errors import DataError, UnreadableInputError, UsageError, first_line
from rsonnx.resources import bounded_memory

PARQUET = b"PAR1"

_SHARD = re.compile(r"(?P<split>.+?)-\d{5}-of-(?P<count>\d{5})(-[0-9a-f]+)?", re.ASCII)
"""How the files of a split are named: ``test-00000-of-00002``."""

_BYTES = ("binary", "large_binary")
_NUMBERED = re.compile(r"(part[-_.])?\d+", re.ASCII)
"""How files are named whose folder is the split: ``test/0000.parquet``."""


def claims(look: Look) -> str | None:
    """Say which Parquet file has pictures, if one has; without pyarrow any may."""
    files = _files(look)
    if not files:
        return None
    if not has_pyarrow():
        return f"Parquet ({files[0].name!r})"
    columns = picture_columns(open_file(files[0]).schema_arrow)
    return f"pictures in Parquet ({files[0].name!r})" if columns else None


def open_parquet(look: Look) -> ParquetPictures:
    """Read a split of pictures, and labels if there are any.

    Raises:
        UsageError: pyarrow is not installed, or it is not clear which split or column is meant.
        DataError: a file is broken or missing, or a label is.
    """
    path, settings = look.path, look.settings
    if not has_pyarrow():
        raise UsageError(f"{path} is Parquet, which needs pyarrow: pip install 'rsonnx[tables]'")
    root = path.parent if look.listing is None else path
    splits = _splits(_files(look), root)
    files = splits[chosen_split(splits, settings.split, path)]
    if look.listing is not None:
        _check_complete(files)
    schema = open_file(files[0]).schema_arrow
    features = _features(schema)
    picture = picture_column(picture_columns(schema), path)
    column = label_column(features, settings, path)
    groups: list[_Group] = []
    values: list[Any] = []
    count = 0
    for file in files:
        parquet = open_file(file)
        if not parquet.schema_arrow.equals(schema):
            raise DataError(f"{file} has other columns than {files[0]}; name one of them")
        numbers = range(parquet.metadata.num_row_groups)
        for number in numbers:
            groups.append(_Group(file, number, count))
            count += parquet.metadata.row_group(number).num_rows
        check_examples(count, str(path))
        if column is not None:
            values += _values(_read(file, column, numbers))
    if not count:
        raise DataError(f"{path} has no row; name another file")
    labels, names, rule = None, settings.names, "none"
    if column is not None:
        what = f"column {column!r}"
        labels, names, rule = labels_of(values, features[column].names, what, settings, path)
    return ParquetPictures(
        path,
        labels,
        names,
        rule,
        Reading(settings.exif, background=settings.background),
        "image-parquet",
        tuple(map(str, range(count))),
        tuple(groups),
        picture,
        _Kept(),
    )


@dataclass(frozen=True)
class _Group:
    """A row group: its file, its number there, and the number of its first row in the split."""

    file: Path
    number: int
    start: int


class _Kept:
    """The pictures of the row group that was read last; whoever reads another replaces them."""

    def __init__(self) -> None:
        self.pictures: tuple[_Group | None, Any] = (None, None)

    def __reduce__(self) -> tuple[type[_Kept], tuple[()]]:
        return _Kept, ()


@dataclass(frozen=True, eq=False)
class ParquetPictures(Pictures):
    """Pictures in a column of Parquet files, named by the numbers of their rows in the split."""

    groups: tuple[_Group, ...]
    column: str
    kept: _Kept

    @contextmanager
    def _opened(self, at: int) -> Iterator[tuple[io.BufferedIOBase, str]]:
        group = self.groups[bisect_right(self.groups, at, key=lambda group: group.start) - 1]
        where = f"the picture {at - group.start} of row group {group.number} of {group.file}"
        kept, pictures = self.kept.pictures
        if kept is not group:
            pictures = _read(group.file, self.column, [group.number])
            self.kept.pictures = group, pictures
        data = pictures[at - group.start].as_py()
        data = data["bytes"] if isinstance(data, dict) else data
        if data is None:
            raise UnreadableInputError(
                f"{where} is none, or a file elsewhere; save it with its pictures"
            )
        if len(data) > MAX_IMAGE_FILE_BYTES:
            raise UnreadableInputError(
                f"{where} is larger than the {MAX_IMAGE_FILE_BYTES} bytes that are read"
            )
        yield io.BytesIO(data), where


def _files(look: Look) -> list[Path]:
    if look.listing is None:
        return [look.path] if look.head.startswith(PARQUET) else []
    return [look.path / name for name in look.listing.others if name.endswith(".parquet")]


def has_pyarrow() -> bool:
    """Say whether Parquet can be read here."""
    try:
        importlib.import_module("pyarrow.parquet")
    except ImportError:
        return False
    return True


def open_file(file: Path, **options: Any) -> Any:
    """Return a file with its metadata read."""
    try:
        return importlib.import_module("pyarrow.parquet").ParquetFile(file, **options)
    except Exception as error:  # whatever hostile bytes provoke
        raise broken(file, error) from error


def open_once(file: Path, is_once: Callable[[Any], bool]) -> Any:
    """Return a file of which the leaf columns that are asked for have each text once.

    What is written once and stands in a million rows would else become a million copies.
    """
    schema = open_file(file).schema
    leaves = [leaf.path for leaf in map(schema.column, range(len(schema))) if is_once(leaf)]
    return open_file(file, read_dictionary=leaves)


def _read(file: Path, column: str, groups: Sequence[int]) -> Any:
    """Return a column of some row groups as Arrow has it, each text or picture once."""
    paths = (column, f"{column}.bytes")
    parquet = open_once(
        file, lambda leaf: leaf.path in paths and leaf.physical_type == "BYTE_ARRAY"
    )
    of_groups = [parquet.metadata.row_group(number) for number in groups]
    check_fits(sum(group.total_byte_size for group in of_groups), str(file))
    try:
        with bounded_memory:
            table = parquet.read_row_groups(groups, columns=[column], use_threads=False)
        if table.num_rows != sum(group.num_rows for group in of_groups):
            raise ValueError("other rows than it says")
        table.validate(full=True)  # Arrow reads indices and texts unchecked
    except Exception as error:  # as above
        raise broken(file, error) from error
    return table.column(0)


def _values(column: Any) -> list[Any]:
    """Return what a column holds as Python's own values, equal texts as one."""
    values: list[Any] = []
    for chunk in column.chunks:
        values += cells_of(chunk)
    return values


def cells_of(array: Any) -> list[Any]:
    """Return what an array of Arrow holds as Python's own values, equal texts as one."""
    if not hasattr(array, "dictionary"):
        return list(array.to_pylist())
    texts = array.dictionary.to_pylist()
    return [None if k is None else texts[k] for k in array.indices.to_pylist()]


def broken(file: Path, error: Exception) -> DataError:
    """Return the refusal of a file that cannot be read."""
    words = "".join(filter(str.isprintable, first_line(error)))
    reason = f"{type(error).__name__}: {words[:100]}"
    return DataError(f"{file} is a broken Parquet file ({reason}); fetch it again")


def _splits(files: Sequence[Path], root: Path) -> dict[str, list[Path]]:
    """Return the files of each split, by what they or their folders are called."""
    keyed: list[tuple[list[str], Path]] = []
    for file in files:
        *folders, name = file.relative_to(root).with_suffix("").parts
        shard = _SHARD.fullmatch(name)
        key = [*folders, shard["split"] if shard else name]
        if _NUMBERED.fullmatch(name):
            key = folders or [root.name]
        keyed.append((key, file))
    # What all of them lie in tells no split from another.
    while all(len(key) > 1 and key[0] == keyed[0][0][0] for key, _ in keyed):
        for key, _ in keyed:
            del key[0]
    splits: dict[str, list[Path]] = {}
    for key, file in keyed:
        splits.setdefault("/".join(key), []).append(file)
    return splits


def _check_complete(files: Sequence[Path]) -> None:
    """Refuse a split of which a file is missing, as the names of the others say."""
    for file in files:
        shard = _SHARD.fullmatch(file.stem)
        if shard is not None and int(shard["count"]) != len(files):
            raise DataError(
                f"{file} is one of {int(shard['count'])} files, of which {len(files)} are there; "
                "fetch the others, or name one file"
            )


def picture_columns(schema: Any) -> list[str]:
    """Return the columns that hold files of pictures."""
    features = _features(schema)
    return [
        column.name
        for column in schema
        if (
            str(column.type) in _BYTES
            and (column.name in PICTURES or features[column.name].kind == "Image")
        )
        or re.search(rf"\bbytes: ({'|'.join(_BYTES)})\b", str(column.type))
    ]


def _features(schema: Any) -> dict[str, Feature]:
    """Return what is said of each column; nothing where Hugging Face's note in a file is odd."""
    noted: Any
    try:
        noted = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError, RecursionError):
        noted = {}
    features = {}
    for name in schema.names:
        note = noted.get(name) if isinstance(noted, dict) else None
        note = note if isinstance(note, dict) else {}
        features[name] = Feature(str(note.get("_type")), note.get("names"))
    return features
