"""WebDataset's tar archives: files of one name, but for the ending, are an example.

``0001.jpg`` with ``0001.cls`` is a picture with its class; nothing is extracted.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rsonnx.data.dataset import Reading
from rsonnx.data.forms import cifar
from rsonnx.data.forms.features import labels_of
from rsonnx.data.forms.folder import Pictures
from rsonnx.data.forms.table import NO_LABELS
from rsonnx.data.forms.tar import GZIP_MAGIC, broken
from rsonnx.data.images import is_image_name
from rsonnx.data.limits import MAX_IMAGE_FILE_BYTES, check_examples
from rsonnx.data.look import Look, unreadable
from rsonnx.data.settings import DataSettings
from rsonnx.data.splits import chosen_split
from rsonnx.data.tree import is_ignored
from rsonnx.errors import DataError, UnreadableInputError, UsageError
from rsonnx.resources import bounded_memory

_SHARD = re.compile(r"(?P<split>.*?)[-_.]?\d*\.tar", re.ASCII)
"""How archives are named: ``val-000123.tar``."""

_MOST_NOTE = 2**20
"""Bytes that a label, or what has one, may take."""


def claims(look: Look) -> str | None:
    """Say which tar archive this is, or a directory holds."""
    if look.tar is not None and cifar.claims(look) is None:
        return f"a tar archive (its first entry is {look.tar!r})"
    shards = _shards(look)
    return f"a tar archive ({shards[0].name!r})" if shards else None


@dataclass(frozen=True)
class _File:
    """A file: its name, and where its bytes are, in an archive from an offset on."""

    name: str
    archive: Path
    offset: int
    size: int

    def read(self) -> bytes:
        """Return them; DataError where that fails."""
        try:
            with self.archive.open("rb") as stream:
                stream.seek(self.offset)
                return stream.read(self.size)
        except OSError as error:
            raise unreadable(self.archive, error) from None


@dataclass(frozen=True)
class _Sample:
    """The files of one name, by their endings: "jpg", "cls", "left.png"."""

    files: dict[str, _File] = field(default_factory=dict)

    @property
    def archive(self) -> Path:
        """Where they are."""
        return next(iter(self.files.values())).archive

    @property
    def pictures(self) -> list[str]:
        """The endings of those that are pictures."""
        return [ending for ending in self.files if is_image_name(f".{ending}")]


@dataclass(frozen=True, eq=False)
class TarPictures(Pictures):
    """Pictures in tar archives, named as there, behind the archive's name where there are several.

    Attributes:
        files: where each is.
    """

    files: tuple[_File, ...]

    @contextmanager
    def _opened(self, at: int) -> Iterator[tuple[io.BufferedIOBase, str]]:
        where = f"{self.names[at]!r} in {self.path}"
        if self.files[at].size > MAX_IMAGE_FILE_BYTES:
            raise UnreadableInputError(
                f"{where} is larger than the {MAX_IMAGE_FILE_BYTES} bytes that are read of one "
                "image; write it smaller"
            )
        yield io.BytesIO(self.files[at].read()), where


def _shards(look: Look) -> list[Path]:
    names = () if look.listing is None else look.listing.files
    return [look.path / name for name in names if name.endswith(".tar")]


def open_webdataset(look: Look) -> TarPictures:
    """Find the pictures of an archive, or of those of a split in a folder, and their labels.

    Raises:
        UsageError: it is not clear which split is meant, or what the labels are.
        DataError: an archive is broken or gzipped, has links or files twice, or lacks a label.
    """
    path, settings = look.path, look.settings
    splits: dict[str, list[Path]] = {}
    for shard in _shards(look) or [path]:
        match = _SHARD.fullmatch(shard.name)
        splits.setdefault((match and match["split"]) or path.stem, []).append(shard)
    shards = splits[chosen_split(splits, settings.split, path)]
    samples: dict[str, _Sample] = {}
    hidden: list[str] = []
    for shard in shards:
        _find(shard, "" if look.listing is None else f"{shard.name}/", samples, hidden)
        check_examples(len(samples), str(path))
    pictured = {key: sample for key, sample in samples.items() if sample.pictures}
    if not pictured:
        raise DataError(f"{path} holds no picture; name an archive that does")
    several = next((key for key, sample in pictured.items() if len(sample.pictures) > 1), None)
    if several is not None:
        raise DataError(f"{several!r} in {path} has several pictures; keep the one that is meant")
    source = _label_source(pictured, settings, path)
    labels, class_names, rule = None, settings.names, "none"
    if source is not None:
        values = [_label(sample, source, f"{key!r} in {path}") for key, sample in pictured.items()]
        labels, class_names, rule = labels_of(values, None, f"{source!r} of each", settings, path)
    used = {source, "json"} if source else {None}
    left_out = tuple(
        file.name
        for sample in samples.values()
        for ending, file in sample.files.items()
        if ending not in used and ending not in sample.pictures
    )
    files = tuple(sample.files[sample.pictures[0]] for sample in pictured.values())
    reading = Reading(settings.exif, left_out, tuple(hidden), background=settings.background)
    return TarPictures(
        path,
        labels,
        class_names,
        rule,
        reading,
        "image-tar",
        tuple(file.name for file in files),
        files,
    )


def _find(archive: Path, prefix: str, samples: dict[str, _Sample], hidden: list[str]) -> None:
    """Add the files of an archive to the samples."""
    with archive.open("rb") as stream:
        if stream.read(2) == GZIP_MAGIC:
            raise DataError(
                f"{archive} is gzipped, so its pictures can only be read in turn; unpack it once: "
                f"gunzip {archive.name}"
            )
        end = stream.seek(0, io.SEEK_END)
    try:
        # A header may announce a name as large as the file.
        with bounded_memory, tarfile.open(archive, "r:") as opened:
            while (entry := opened.next()) is not None:
                # Which would keep all of them; mypy is not told of it.
                opened.members.clear()  # type: ignore[attr-defined]
                if entry.isdir():
                    continue
                name = prefix + entry.name.removeprefix("./")
                if any(map(is_ignored, name.split("/"))):
                    hidden.append(name)
                    continue
                if not entry.isreg() or entry.issparse() or entry.offset_data + entry.size > end:
                    raise DataError(
                        f"{name!r} in {archive} is a link, a device, or not all there; write the "
                        "archive again with plain files"
                    )
                name.encode("utf-8")
                folder, slash, base = name.rpartition("/")
                stem, _, ending = base.partition(".")
                files = samples.setdefault(folder + slash + stem, _Sample()).files
                if ending.lower() in files:
                    raise DataError(f"{name!r} is twice in {archive}; write the archive again")
                files[ending.lower()] = _File(name, archive, entry.offset_data, entry.size)
    except DataError:
        raise
    except Exception as error:  # whatever hostile bytes provoke
        raise broken(archive, error) from error


def _label_source(samples: Mapping[str, _Sample], settings: DataSettings, path: Path) -> str | None:
    """Return which ending, or which key of a JSON file, is the label; None where there is none."""
    asked = settings.label_column
    if asked is not None or settings.labels is not None:
        return None if asked == NO_LABELS else asked
    if any("cls" in sample.files for sample in samples.values()):
        return "cls"
    key, sample = next(iter(samples.items()))
    if "label" in _note(sample, f"{key!r} in {path}"):
        return "label"
    if all("/" in key.removeprefix(f"{sample.archive.name}/") for key, sample in samples.items()):
        raise UsageError(
            f"{path} has its pictures in folders and no labels (.cls, or 'label' in .json); unpack "
            "it and name the folder, or take it with --label-column none"
        )
    return None


def _label(sample: _Sample, source: str, where: str) -> str:
    """Return the label of a sample: a number, or the name of its class, as text."""
    value = _note(sample, where).get(source)
    if source in sample.files:
        value = _text(sample.files[source], where).strip()
    if value is None:
        raise DataError(f"{where} has no label {source!r}, as others have; label or remove it")
    return str(value)


def _note(sample: _Sample, where: str) -> dict[str, Any]:
    """Return what a sample's JSON file says; nothing where it has none."""
    if "json" not in sample.files:
        return {}
    try:
        note = json.loads(_text(sample.files["json"], where))
    except (ValueError, RecursionError):
        note = None
    if not isinstance(note, dict):
        raise DataError(f"the .json of {where} is no JSON object; correct it")
    return note


def _text(file: _File, where: str) -> str:
    if file.size > _MOST_NOTE:
        raise DataError(f"the label of {where} has more than {_MOST_NOTE >> 20} MiB; shorten it")
    try:
        return file.read().decode("utf-8")
    except UnicodeDecodeError:
        raise DataError(f"the label of {where} is not UTF-8 text; correct it") from None
