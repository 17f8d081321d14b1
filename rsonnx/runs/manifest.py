"""Which inputs a run is about, to the last pixel: one digest over all of them.

Making it reads every input once, so a broken one is found before hours of work and not after them.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from rsonnx.errors import DataError, RunFileError, UnreadableInputError
from rsonnx.noise import Point
from rsonnx.runs.job import Job
from rsonnx.runs.rows import InputFacts
from rsonnx.runs.unreadable import refusal

_TOGETHER = 1 << 20
"""Values of the inputs that are read together."""


@dataclass(frozen=True)
class Entry:
    """One input: its position, its name, its true class in the model's numbering, its SHA-256."""

    index: int
    name: str
    label: int | None
    digest: str


@dataclass(frozen=True)
class Manifest:
    """The inputs of a run.

    Attributes:
        entries: by index, in the order of the run.
        largest: value of all inputs, in the units of the model's bounds; None where it is not
            known.
    """

    entries: Mapping[int, Entry]
    largest: float | None = None

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 that :func:`manifest_digest` gives."""
        return manifest_digest(self.entries.values())

    def check(self, index: int, point: Point) -> None:
        """Refuse an input that is no longer what it was when the manifest was made.

        Raises:
            DataError: naming it.
        """
        entry = self.entries[index]
        if point.digest != entry.digest:
            raise DataError(
                f"the input {entry.name!r} changed while the run was going: its digest was "
                f"{entry.digest[:16]}... and is {point.digest[:16]}... now; keep the data as it is"
            )

    def check_row(self, row: InputFacts) -> None:
        """Refuse a row of a run file that is about something else.

        Raises:
            RunFileError: naming the input and what differs.
        """
        entry = self.entries[row.index]
        for name in ("name", "label", "digest"):
            stated, expected = getattr(row, name), getattr(entry, name)
            if stated != expected:
                raise RunFileError(
                    f"the input {row.index} has the {name} {stated!r} in the run file, but "
                    f"{expected!r} in the data, so the file was changed or is of other data"
                )


def manifest_digest(entries: Iterable[Entry | InputFacts]) -> str:
    """Return the SHA-256 over one line an input: the JSON list of index, name, label and digest.

    Args:
        entries: in the order of the run. Lines are ASCII with the separators ``", "``, and each
            ends with a newline, so that any language can compute the same.
    """
    digest, entries = hashlib.sha256(), list(entries)
    # As JSON has them no name holds a newline, so that all are written by one call.
    names = json.dumps([entry.name for entry in entries], separators=("\n", ":"))[1:-1].split("\n")
    for entry, name in zip(entries, names, strict=False):  # of no entries there is one name, ""
        label = "null" if entry.label is None else entry.label
        digest.update(f'[{entry.index}, {name}, {label}, "{entry.digest}"]\n'.encode("ascii"))
    return digest.hexdigest()


def make_manifest(job: Job, seen: Callable[[int], None] | None = None) -> Manifest:
    """Read every input of a job.

    Args:
        job: what the run works on.
        seen: called with the number of inputs read so far.

    Raises:
        DataError: pictures cannot be read, of which the message names the first; or an input does
            not fit.
    """
    entries: dict[int, Entry] = {}
    unreadable: dict[int, UnreadableInputError] = {}
    most, brightest = -math.inf, None
    for index, digest, largest in _read(job, unreadable):
        if largest > most:
            most, brightest = largest, index
        entries[index] = Entry(index, job.dataset.name(index), job.label(index), digest)
        if seen is not None:
            seen(len(entries) + len(unreadable))
    if unreadable:
        raise refusal(job.dataset, unreadable, len(job.indices))
    shown = None if brightest is None else float(job.point(brightest).values().max())
    return Manifest(entries, shown)


def _read(
    job: Job, unreadable: dict[int, UnreadableInputError]
) -> Iterator[tuple[int, str, float]]:
    """Yield every input that can be read, its digest and its largest value, in units of its own."""
    count = max(1, _TOGETHER // math.prod(job.shape))
    together = True
    # Nothing is read again, since what is compressed would be read anew from its beginning.
    for start in range(0, len(job.indices), count):
        indices = job.indices[start : start + count]
        levels = job.levels(indices) if together else None
        together = levels is not None
        if levels is not None:
            largest = levels.reshape(len(indices), -1).max(axis=1).tolist()
            digests = job.smoothed.point(levels[0]).space.digests(levels)
            yield from zip(indices, digests, largest, strict=True)
            continue
        for index in indices:
            try:
                point = job.point(index)
            except UnreadableInputError as error:
                unreadable[index] = error
                continue
            yield index, point.digest, point.data.max()
