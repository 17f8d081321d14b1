"""The file of `rsonnx falsify`: how far from an input its smoothed classifier answers otherwise.

JSON lines as a run file: a header that names the run, a row an input of it, a last line on how it
ended. A row holds the input that a break leads to and the counts that confirm it, so that whoever
reads it tests it again.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsonnx.counts import Counts
from rsonnx.errors import RunFileError, UsageError
from rsonnx.procedures import ABSTAIN, predict_from_counts
from rsonnx.runs.fields import (
    COUNTS,
    DIGEST,
    FLAG,
    NAME,
    SEED,
    TEXT,
    Kind,
    map_of,
    object_of,
    one_of,
    real,
    shown,
    whole,
)
from rsonnx.runs.files import (
    as_path,
    ending_of,
    identity_of,
    is_torn_start,
    parse_line,
    whole_lines,
)
from rsonnx.statistics import false_certificates

FORMAT = 1
START = b'{"kind": "header", "format": "rsonnx-breaks"'

ALPHA_INSIDE = 1e-9
"""At which a break inside a certified radius is confirmed once more: it says that the certificate
is false, of which there are few, so that no confirmation may be likely to be the false one."""

AGAIN = 4
"""How many times the samples of a confirmation that takes, of a smaller alpha."""

LEVEL = 1 - 1e-6
"""Of the number of false certificates to expect: of a million true runs one has more."""

NO_CERTIFICATE, NOT_CONFIRMED = "no-certificate", "not-confirmed"
REASONS = (NO_CERTIFICATE, "no-direction", "not-reached", NOT_CONFIRMED)

STORED = {"exact": "u1", "float": "<f8"}
"""How the values of an input are written, by the arithmetic of its run."""

_BASE64: Kind[bytes] = Kind(
    "bytes in Base64",
    {"type": "string", "contentEncoding": "base64"},
    lambda value: _decoded(value) is not None,
    lambda value: _decoded(value) or b"",
    lambda value: base64.b64encode(value).decode("ascii"),
)


def _decoded(value: Any) -> bytes | None:
    try:
        return base64.b64decode(value, validate=True) if isinstance(value, str) else None
    except (binascii.Error, ValueError):
        return None


_ROW: dict[str, tuple[Kind[Any], str]] = {
    "index": (whole(0), "position of the input in the data set, from 0"),
    "name": (NAME, "name of the input in the data set"),
    "digest": (DIGEST, "SHA-256 of the input's values, as in the run"),
    "certified": (whole(ABSTAIN), "class that the run certifies, -1 where it abstains"),
    "radius": (real(), "R: the certified radius of the run"),
    "reason": (
        one_of(*REASONS).or_null(),
        "why nothing is broken: no-certificate, or one of radius 0; no-direction: no sample of the "
        "search left the class; not-reached: the class stays along the direction, as far as the "
        "bounds of an input go; not-confirmed; else null",
    ),
    "distance": (
        real().or_null(),
        "R': distance of the input that the break leads to, in the run's norm, rounded up",
    ),
    "answer": (whole(0).or_null(), "class that the smoothed classifier answers there"),
    "counts": (
        COUNTS.or_null(),
        "of the samples that confirm it by PREDICT at alpha, or did not; null without a candidate",
    ),
    "again": (
        COUNTS.or_null(),
        "of further samples, for PREDICT at alpha_inside, where the distance is below the radius",
    ),
    "samples": (whole(0), "how many samples were drawn in all"),
    "input": (
        _BASE64.or_null(),
        "values of the input that the break leads to, in the order in which the model takes them: "
        "levels of 8 bits where the run's arithmetic is exact, else doubles, little-endian",
    ),
    "seconds": (real(), "time spent on the input"),
}
MEANING = {name: meaning for name, (_, meaning) in _ROW.items()}

_HEADER: dict[str, Kind[Any]] = {
    "kind": one_of("header"),
    "format": one_of("rsonnx-breaks"),
    "format_version": whole(0),
    "created": TEXT,
    "run": object_of(
        {
            "file": NAME,
            "sha256": DIGEST,
            "inputs": whole(1),
            "alpha": real(1.0),
            "shared": FLAG,
            "norm": TEXT,
            "units": TEXT,
            "arithmetic": one_of("exact", "float"),
        }
    ),
    "model": object_of({"file": NAME, "sha256": DIGEST}),
    "manifest": DIGEST,
    "seed": SEED,
    "effort": object_of(dict.fromkeys(("draws", "rounds", "samples"), whole(1))),
    "alpha": real(1.0),
    "alpha_inside": real(1.0),
    "level": real(1.0),
    "versions": map_of(TEXT, "texts"),
    "fields": map_of(TEXT, "texts"),
}


@dataclass(frozen=True)
class Attempt:
    """What came of one input; the fields are explained in ``MEANING``."""

    index: int
    name: str
    digest: str
    certified: int
    radius: float
    reason: str | None
    samples: int
    seconds: float
    distance: float | None = None
    answer: int | None = None
    counts: Counts | None = None
    again: Counts | None = None
    input: bytes | None = None

    @property
    def ratio(self) -> float | None:
        """R'/R of a break; None where there is none."""
        return None if self.distance is None else self.distance / self.radius

    @property
    def inside(self) -> bool:
        """Whether the break lies strictly inside the certified radius."""
        return self.distance is not None and self.distance < self.radius

    @property
    def false(self) -> bool:
        """Whether it is confirmed at ``ALPHA_INSIDE`` that the certificate is false."""
        if not self.inside or self.again is None:
            return False
        return predict_from_counts(self.again, alpha=ALPHA_INSIDE).label not in (
            ABSTAIN,
            self.certified,
        )

    def values(self, arithmetic: str) -> NDArray[Any]:
        """Return the values that the break leads to, flat: uint8 levels, or float64.

        Args:
            arithmetic: of the run.

        Raises:
            ValueError: what was written are none.
        """
        return np.frombuffer(self.input or b"", STORED[arithmetic])

    def to_json(self) -> dict[str, Any]:
        """Return the row as it is written."""
        return {"kind": "attempt"} | {
            name: kind.write(getattr(self, name)) for name, (kind, _) in _ROW.items()
        }


@dataclass(frozen=True)
class Breaks:
    """What `rsonnx falsify` made of a run.

    Attributes:
        path: the file; None where none was kept.
        header: its first line; see :func:`check_header`.
        rows: one an input of the run, with or without a certificate.
        status: how it ended; ``"incomplete"`` where no last line says so.
        identity: SHA-256 of the first line.
        length: bytes from the start to the end of the last row.
    """

    path: Path | None
    header: Mapping[str, Any]
    rows: tuple[Attempt, ...]
    status: str = "complete"
    identity: str = ""
    length: int = 0

    @property
    def broken(self) -> Sequence[Attempt]:
        """The inputs that are broken."""
        return [row for row in self.rows if row.distance is not None]

    @property
    def ratio(self) -> float | None:
        """The median of R'/R; None where nothing is broken."""
        ratios = [row.ratio for row in self.rows if row.ratio is not None]
        return median(ratios) if ratios else None

    @property
    def false(self) -> Sequence[Attempt]:
        """One input of each digest whose certificate is false: equal inputs have equal noise."""
        return list({row.digest: row for row in self.rows if row.false}.values())

    @property
    def expected(self) -> int:
        """How many of the run's certificates may be false, with probability ``LEVEL``."""
        run = self.header["run"]
        inputs = len({row.digest for row in self.rows})
        if inputs == 0:
            return 0
        quantile = false_certificates(inputs, run["alpha"], LEVEL, shared_noise=run["shared"])
        return quantile.quantile

    @property
    def holds(self) -> bool:
        """Whether no more certificates are false than chance explains."""
        return len(self.false) <= self.expected

    def reasons(self) -> dict[str, int]:
        """Return how many inputs are not broken, by reason."""
        counted = {reason: sum(r.reason == reason for r in self.rows) for reason in REASONS}
        return {reason: count for reason, count in counted.items() if count}

    def to_json(self) -> dict[str, Any]:
        """Return the figures for a program."""
        ratios = [row.ratio for row in self.rows if row.ratio is not None]
        return {
            "run": dict(self.header["run"]),
            "status": self.status,
            "inputs": len(self.rows),
            "broken": len(self.broken),
            "not_broken": self.reasons(),
            "ratio": {
                "median": self.ratio,
                "least": min(ratios, default=None),
                "most": max(ratios, default=None),
            },
            "inside": [row.index for row in self.rows if row.inside],
            "false": [row.index for row in self.false],
            "false_expected_at_most": self.expected,
            "level": LEVEL,
            "holds": self.holds,
            "samples": sum(row.samples for row in self.rows),
        }


def header_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a header as it is written."""
    return {"kind": "header", "format": "rsonnx-breaks", "format_version": FORMAT} | {
        name: _HEADER[name].write(value) for name, value in record.items()
    }


def parse_breaks(path: Path, content: bytes) -> Breaks | None:
    """Return what a file holds; None where not even its header was written.

    Raises:
        RunFileError: a line is not what the format says, or a row not what its counts give.
    """
    if is_torn_start(content, START):
        return None
    lines = whole_lines(path, BytesIO(content))
    first = next(lines, b"")
    header = _header(path, first)
    rows: dict[int, Attempt] = {}
    status, length = None, len(first)
    for number, line in enumerate(lines, start=2):
        if status is not None:
            raise RunFileError(f"{path}, line {number}: there is a line behind the end of the file")
        value = parse_line(path, number, line)
        if value.get("kind") == "end":
            status = ending_of(path, number, value, len(rows))
            continue
        try:
            row = _row(value, header)
        except (KeyError, TypeError, ValueError, UsageError, RunFileError) as error:
            raise RunFileError(f"{path}, line {number}: {error}") from None
        if row.index in rows:
            raise RunFileError(f"{path}, line {number}: the input {row.index} was there before")
        rows[row.index] = row
        length += len(line)
    inputs = header["run"]["inputs"]
    if len(rows) > inputs or (status == "complete" and len(rows) < inputs):
        raise RunFileError(f"{path} has {len(rows)} inputs, but its run has {inputs}")
    return Breaks(
        path, header, tuple(rows.values()), status or "incomplete", identity_of(first), length
    )


def read_breaks(path: str | os.PathLike[str]) -> Breaks:
    """Read a file of `rsonnx falsify`.

    Raises:
        UsageError: there is no such file.
        RunFileError: it is none, is void, or a row is not what its counts give.
    """
    path = as_path("the file of breaks", path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}; name a file") from None
    breaks = parse_breaks(path, content)
    if breaks is None or breaks.status == "void":
        raise RunFileError(f"{path} holds nothing that can be used; run `rsonnx falsify` again")
    return breaks


def _header(path: Path, line: bytes) -> dict[str, Any]:
    value = parse_line(path, 1, line) if line else {}
    if value.get("format") != "rsonnx-breaks" or value.get("format_version") != FORMAT:
        raise RunFileError(
            f"{path} is no file of `rsonnx falsify`, of format version {FORMAT}; name one"
        )
    try:
        return {name: kind.of(value, name) for name, kind in _HEADER.items()}
    except (KeyError, TypeError) as error:
        raise RunFileError(f"{path}, line 1: {error}") from None


def _row(value: Mapping[str, Any], header: Mapping[str, Any]) -> Attempt:
    """Read a row, and test again what it says was confirmed."""
    if value.keys() != {"kind", *_ROW} or value["kind"] != "attempt":
        raise RunFileError(f"an attempt with {', '.join(_ROW)} was expected")
    row = Attempt(**{name: kind.of(value, name) for name, (kind, _) in _ROW.items()})
    samples = header["effort"]["samples"]
    for name, counts, drawn in (("counts", row.counts, 1), ("again", row.again, AGAIN)):
        if counts is not None and counts.total != drawn * samples:
            raise RunFileError(f"{name} sum to {counts.total}, not to {drawn * samples}")
    if (row.counts is None) != (row.reason in REASONS[:3]):
        raise RunFileError(f"its counts contradict its reason, {shown(row.reason)}")
    if (row.again is not None) != row.inside:
        raise RunFileError("it was confirmed again, or not, against its distance and radius")
    answer = None
    if row.counts is not None:
        predicted = predict_from_counts(row.counts, alpha=header["alpha"]).label
        kept = predicted in (ABSTAIN, row.certified) or row.radius == 0
        answer = None if kept else predicted
    there = {row.reason is None, row.distance is not None, row.input is not None}
    if (
        row.answer != answer
        or there != {answer is not None}
        or (there == {True} and not row.radius)
    ):
        raise RunFileError(f"it answers {shown(row.answer)}, but its counts give {shown(answer)}")
    return row
