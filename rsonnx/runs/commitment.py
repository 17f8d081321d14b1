"""Commitments: a run that is settled, and published, before its seed can be known.

Who chooses a seed can run until one pleases. A commitment holds all by which two runs are told
apart, but for the seed, and names a round of a beacon, a public source of randomness, that is still
to come. Its SHA-256 is published; the seed follows from that digest and the value of the round. A
seed from the digest alone would not do: whoever owns the model could alter it until the seed
pleased.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rsonnx.arguments import check_kind
from rsonnx.errors import RunFileError, UsageError
from rsonnx.files import read_small
from rsonnx.runs.differences import FREE, PART, Difference, flat, flat_differences, in_words
from rsonnx.runs.fields import OBJECT, TEXT, shown
from rsonnx.runs.strict_json import MOST_BYTES, same

_FORM = {"format": "rsonnx-commitment", "format_version": 1}

_NOT_COVERED = (
    FREE
    | PART
    | {
        "kind",
        "format",
        "format_version",
        "seed",
        "restated_from",
        # What they mean stands in the other fields; a library and a command word them otherwise.
        "arguments",
    }
)

_VALUE = re.compile("[0-9a-f]{32,1024}")
"""Of a beacon: 128 bits or more. Text of any form would be many spellings of one value, and each
another seed to choose."""

_MOST_LETTERS = 200


@dataclass(frozen=True)
class Commitment:
    """A run without its seed, and where the seed will come from.

    Attributes:
        run: the header of the whole run, without the seed and what makes no other run of it.
        source: the beacon, and which of its values: ``"drand quicknet, randomness"``.
        round: of the beacon, to come when this is published.

    Raises:
        UsageError: the source or the round is empty, longer than 200 letters or not of one line.
    """

    run: Mapping[str, Any]
    source: str
    round: str

    def __post_init__(self) -> None:
        for name, text in (("source", self.source), ("round", self.round)):
            check_kind(f"the beacon's {name}", text, str, "a text")
            if not text.strip() or not text.isprintable() or len(text) > _MOST_LETTERS:
                raise UsageError(
                    f"the beacon's {name} is {shown(text)}, but a line of 1 to {_MOST_LETTERS} "
                    "letters was expected"
                )

    @classmethod
    def of(cls, record: Mapping[str, Any], source: str, round: str) -> Commitment:
        """Return the commitment to a run.

        Args:
            record: its header; the seed in it is left out.
            source, round: see the attributes.
        """
        return cls(_covered(record), source, round)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Commitment:
        """Read what :meth:`to_json` wrote.

        Raises:
            KeyError, TypeError, UsageError: a field is missing, of another kind, or unknown.
        """
        beacon = OBJECT.of(value, "beacon")
        made = cls(OBJECT.of(value, "run"), TEXT.of(beacon, "source"), TEXT.of(beacon, "round"))
        if not same(value, made.to_json()):
            raise TypeError("the commitment has another format, or unknown fields")
        return made

    def to_json(self) -> dict[str, Any]:
        """Return what the file holds."""
        beacon = {"source": self.source, "round": self.round}
        return {**_FORM, "beacon": beacon, "run": dict(self.run)}

    @property
    def content(self) -> bytes:
        """The file: JSON in ASCII, keys sorted, two spaces a level, and a newline."""
        text = json.dumps(self.to_json(), indent=2, sort_keys=True, allow_nan=False)
        return f"{text}\n".encode("ascii")

    @property
    def sha256(self) -> str:
        """The SHA-256 of the file, which is published."""
        return hashlib.sha256(self.content).hexdigest()

    def differences(self, record: Mapping[str, Any]) -> list[Difference]:
        """Return where a run, by its header, is not the one that was committed to."""
        return flat_differences(flat(self.run), flat(record), _NOT_COVERED)

    def check(self, record: Mapping[str, Any]) -> None:
        """Refuse a run that is about to start and is not the one that was committed to.

        Raises:
            UsageError: naming what differs.
        """
        if differences := self.differences(record):
            raise UsageError(
                f"this is not the run of the commitment {self.sha256[:16]}...: "
                f"{in_words(differences, 'there', 'now')}; run what was committed to"
            )


@dataclass(frozen=True)
class CommittedSeed:
    """A commitment and what its round gave, from which a run's seed follows.

    Attributes:
        commitment: that was published before.
        beacon: the value of the round, at least 32 hexadecimal digits, made small.

    Raises:
        UsageError: the value is no such number.
    """

    commitment: Commitment
    beacon: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "beacon", self.beacon.strip().lower())
        if not _VALUE.fullmatch(self.beacon):
            raise UsageError(
                f"the beacon's value is {shown(self.beacon)}, but 32 to 1,024 hexadecimal digits "
                "were expected, as the source publishes them"
            )

    @classmethod
    def from_json(cls, seed: Mapping[str, Any]) -> CommittedSeed | None:
        """Read the seed of a header; None where it follows from no commitment.

        Raises:
            KeyError, TypeError, UsageError: a field is missing, of another kind, or unknown.
        """
        if seed.get("source") != "beacon" and not {"commitment", "beacon"} & seed.keys():
            return None
        commitment = Commitment.from_json(OBJECT.of(seed, "commitment"))
        committed = cls(commitment, TEXT.of(seed, "beacon"))
        if not same(seed, committed.to_json()):
            raise TypeError("the seed is not the one that follows from its commitment and beacon")
        return committed

    def to_json(self) -> dict[str, Any]:
        """Return the seed as a header has it."""
        return {
            "value": str(self.seed),
            "source": "beacon",
            "commitment": self.commitment.to_json(),
            "beacon": self.beacon,
        }

    @property
    def seed(self) -> int:
        """The first 128 bits of the SHA-256 of ``rsonnx beacon 1``, the commitment's SHA-256 and
        the value, with a zero byte between each."""
        text = f"rsonnx beacon 1\0{self.commitment.sha256}\0{self.beacon}"
        return int(hashlib.sha256(text.encode("ascii")).hexdigest()[:32], 16)

    def __str__(self) -> str:
        commitment = self.commitment
        return (
            f"the seed follows from the commitment {commitment.sha256} and the value "
            f"{self.beacon} of {commitment.source}, round {commitment.round}; that the commitment "
            "was published before that round, and was the only one, this file cannot show"
        )


def read_commitment(path: str | os.PathLike[str]) -> Commitment:
    """Read the file of a commitment.

    Raises:
        UsageError: there is no such file, or it cannot be read.
        DataError: it is larger than 64 MiB.
        RunFileError: it is none, or not byte for byte as it was written, so that its SHA-256 would
            be another.
    """
    path = Path(path)
    content = read_small(path, "the commitment", MOST_BYTES)
    try:
        commitment = Commitment.from_json(json.loads(content))
        same = content == commitment.content
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        same = False
    if not same:
        raise RunFileError(
            f"{path} is not a commitment as rsonnx wrote it, so its SHA-256 is not the one that "
            "was published; bring back the file as it was"
        )
    return commitment


def _covered(fields: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Return what a commitment covers of a header."""
    covered = {}
    for key, value in fields.items():
        here = f"{path}.{key}" if path else key
        if here not in _NOT_COVERED:
            covered[key] = _covered(value, here) if isinstance(value, dict) else value
    return covered
