"""Counts of unfinished inputs, kept beside the run file so that a day's work is not lost.

The file ``RUN.partial`` is replaced as a whole, names the run that it belongs to by the digest of
its header, and carries a checksum: counts that might be wrong are worse than lost work, so whatever
does not hold is left out and counted again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rsonnx.errors import RunFileError, UsageError
from rsonnx.runs import disk
from rsonnx.runs.fields import COUNTS, DIGEST, LIST, TEXT, shown, whole
from rsonnx.runs.files import line_of
from rsonnx.runs.manifest import Manifest
from rsonnx.runs.strict_json import read_object
from rsonnx.runs.work import Answers
from rsonnx.smoothing import Answer

_START = b'{"kind": "checkpoint", "format": "rsonnx-partial"'
_VERSION = 1


@dataclass(frozen=True)
class Kept:
    """What a checkpoint gives back.

    Attributes:
        answers: counts by input.
        problem: why nothing of it could be used, in words; None where it could, or there is none.
    """

    answers: Answers = field(default_factory=dict)
    problem: str | None = None

    @property
    def samples(self) -> int:
        """How many samples need not be drawn again."""
        return sum(answer.counts.total for counted in self.answers.values() for answer in counted)


def partial_of(run: Path) -> Path:
    """Return where the counts of a run's unfinished inputs are kept."""
    return Path(f"{run}.partial")


def check_partial(run: Path) -> None:
    """Refuse to put a checkpoint in the place of a file that is none.

    Raises:
        UsageError: there is such a file.
    """
    path = partial_of(run)
    try:
        with contextlib.suppress(FileNotFoundError):
            disk.temporary_of(path).lstat()  # a name may be too long
        with path.open("rb") as file:
            start = file.read(len(_START))
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(
            f"the output {run} cannot be created: {error.strerror}, for {path}, where counts of "
            "unfinished inputs are kept"
        ) from None
    if not _START.startswith(start):
        raise UsageError(
            f"{path} is no checkpoint of rsonnx, and one would be put in its place; move it, or "
            "name another output"
        )


class Checkpoint:
    """Keeps the counts of unfinished inputs of a run.

    Args:
        run: the run file.
        identity: SHA-256 of its first line.
        manifest: what its inputs are.
        seconds: how often to write, > 0; 0 never writes.
        clock: seconds that never go back.

    """

    def __init__(
        self,
        run: Path,
        identity: str,
        manifest: Manifest,
        *,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run = run
        self._identity = identity
        self._manifest = manifest
        self._seconds = seconds
        self._clock = clock
        self._written = self._asked = clock()
        self._unwritten: Answers | None = None

    @property
    def path(self) -> Path:
        """Where the counts are."""
        return partial_of(self._run)

    def read(self, unfinished: Iterable[int]) -> Kept:
        """Return the counts of those inputs that are unfinished, or say why there are none."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return Kept()
        except OSError as error:
            return Kept(problem=f"it cannot be read: {error.strerror}")
        try:
            answers = self._parse(content)
        except KeyError as error:
            return Kept(problem=f"the field {error} is missing")
        except (TypeError, ValueError) as error:
            return Kept(problem=str(error))
        wanted = set(unfinished)
        return Kept({index: kept for index, kept in answers.items() if index in wanted})

    def note(self, answers: Answers) -> None:
        """Take note of all counts of unfinished inputs."""
        if self._seconds > 0:
            self._unwritten = {index: tuple(counted) for index, counted in answers.items()}

    def write_in_time(self) -> None:
        """Write what was noted, if it is nearer to the time now than it will be the next time.

        Errors as for :meth:`write`.
        """
        now = self._clock()
        since, self._asked = now - self._asked, now
        if now - self._written + since / 2 >= self._seconds:
            self.write()

    def write(self) -> None:
        """Write what was noted since the last time.

        Raises:
            RunFileError: it cannot be written, or what is in its place is no checkpoint.
        """
        if self._unwritten is None:
            return
        try:
            check_partial(self._run)  # again: a run takes days
            disk.replace(self.path, self._content(self._unwritten))
        except UsageError as error:
            raise RunFileError(str(error)) from None
        except OSError as error:
            raise RunFileError(
                f"the counts of unfinished inputs cannot be kept in {self.path}: {error.strerror}"
            ) from None
        self._unwritten = None
        self._written = self._clock()

    def remove(self) -> None:
        """Remove the file, where it belongs to this run."""
        with contextlib.suppress(OSError):
            disk.remove(disk.temporary_of(self.path))
            if self._in_place() is not None:
                disk.remove(self.path)

    def move_to(self, run: Path) -> None:
        """Keep the counts beside another run file, as far as that can be done."""
        before, old = self.path, self._in_place()
        self._run = run
        content = old if self._unwritten is None else self._content(self._unwritten)
        with contextlib.suppress(OSError):
            if content is not None:
                disk.replace(self.path, content)
            if old is not None:
                disk.remove(before)

    def _in_place(self) -> bytes | None:
        """Return what the file holds, where it belongs to this run."""
        try:
            content = self.path.read_bytes()
        except OSError:
            return None
        return content if content.startswith(self._start()) else None

    def _start(self) -> bytes:
        fields = {
            "kind": "checkpoint",
            "format": "rsonnx-partial",
            "format_version": _VERSION,
            "run": self._identity,
        }
        return line_of(fields).rstrip(b"}\n")

    def _content(self, answers: Answers) -> bytes:
        inputs = [
            {
                "index": index,
                "digest": self._manifest.entries[index].digest,
                "answers": [_written(answer) for answer in counted],
            }
            for index, counted in answers.items()
        ]
        body = self._start() + b', "inputs": ' + json.dumps(inputs).encode("ascii") + b"}\n"
        return body + line_of({"sha256": hashlib.sha256(body).hexdigest()})

    def _parse(self, content: bytes) -> dict[int, tuple[Answer, ...]]:
        """Read a checkpoint of this run, or raise KeyError, TypeError or ValueError."""
        body, newline, rest = content.partition(b"\n")
        if not content.startswith(_START) or not newline:
            raise ValueError("it is no checkpoint, or a damaged one")
        if rest != line_of({"sha256": hashlib.sha256(body + newline).hexdigest()}):
            raise ValueError("it is damaged: its checksum is wrong")
        value = read_object(body)
        if value["format_version"] != _VERSION:
            raise ValueError(f"its format version is {shown(value['format_version'])}")
        if value["run"] != self._identity:
            raise ValueError("it belongs to another run")
        answers: dict[int, tuple[Answer, ...]] = {}
        for fields in LIST.of(value, "inputs"):
            index = whole(0).of(fields, "index")
            if index in answers or index not in self._manifest.entries:
                raise ValueError(f"the input {index} is there twice, or is none of the run's")
            if DIGEST.of(fields, "digest") != self._manifest.entries[index].digest:
                raise ValueError(f"the input {index} is another one")
            answers[index] = _contiguous(map(_answer, LIST.of(fields, "answers")))
        return answers


def _written(answer: Answer) -> dict[str, Any]:
    written = {
        "stage": answer.stream,
        "start": answer.start,
        "stop": answer.stop,
        "counts": answer.counts.to_json(),
    }
    return written if answer.point is None else written | {"point": answer.point}


def _answer(fields: Any) -> Answer:
    start, stop = whole(0).of(fields, "start"), whole(1).of(fields, "stop")
    counts = COUNTS.of(fields, "counts")
    if not start < stop or counts.total != stop - start:
        raise ValueError(f"the samples are {start}:{stop}, but the counts sum to {counts.total}")
    point = DIGEST.or_null().of({"point": None} | fields, "point")
    return Answer(TEXT.of(fields, "stage"), start, counts, point)


def _contiguous(answers: Iterable[Answer]) -> tuple[Answer, ...]:
    """Refuse ranges of one stream that overlap or leave a gap: nothing may be counted twice."""
    ranges = tuple(answers)
    reached: dict[tuple[str, str | None], int] = {}
    for answer in ranges:
        key = (answer.stream, answer.point)
        if answer.start != reached.get(key, answer.start):
            raise ValueError(f"the samples of {answer.stream} are not one range")
        reached[key] = answer.stop
    return ranges
