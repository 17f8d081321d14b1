"""Which inputs a run is about, to the last pixel: one digest over all of them.

Making it reads every input once, so a broken one is found before hours of work and not after them.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from rsonnx.errors import DataError, RunFileError, UnreadableInputError
from rsonnx.noise import Point
from rsonnx.runs.job import Job
from rsonnx.runs.unreadable import refusal


class Identified(Protocol):
    """What a row, of either kind, says of its input."""

    @property
    def index(self) -> int: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def label(self) -> int | None: ...  # noqa: D102
    @property
    def digest(self) -> str: ...  # noqa: D102


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

    def check_row(self, row: Identified) -> None:
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


def manifest_digest(entries: Iterable[Identified]) -> str:
    """Return the SHA-256 over one line an input: the JSON list of index, name, label and digest.

    Args:
        entries: in the order of the run. Lines are ASCII with the separators ``", "``, and each
            ends with a newline, so that any language can compute the same.
    """
    digest = hashlib.sha256()
    for entry in entries:
        line = json.dumps([entry.index, entry.name, entry.label, entry.digest])
        digest.update(line.encode("ascii") + b"\n")
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
    entries, unreadable = {}, {}
    most, brightest = -math.inf, None
    for count, index in enumerate(job.indices, start=1):
        try:
            point = job.point(index)
        except UnreadableInputError as error:
            unreadable[index] = error
            continue
        if (top := point.data.max()) > most:
            most, brightest = top, point
        entries[index] = Entry(index, job.dataset.name(index), job.label(index), point.digest)
        if seen is not None:
            seen(count)
    if unreadable:
        raise refusal(job.dataset, unreadable, len(job.indices))
    return Manifest(entries, None if brightest is None else float(brightest.values().max()))
