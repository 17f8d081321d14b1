"""Put the parts of a run together: inputs side by side, counts of one input by addition.

Nothing is sampled. Parts that overlap, leave a gap, are unfinished or come of different runs are
refused, since a certificate rests on every sample having been counted exactly once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rsonnx.counts import Counts
from rsonnx.errors import RunFileError, UsageError
from rsonnx.noise import uniform
from rsonnx.procedures import Evidence
from rsonnx.runs.differences import PART, in_words
from rsonnx.runs.fields import shown
from rsonnx.runs.files import Part
from rsonnx.runs.header import Header, resume_command
from rsonnx.runs.manifest import manifest_digest
from rsonnx.runs.reading import read_part
from rsonnx.runs.rows import CountsRow, Row


@dataclass(frozen=True)
class Merged:
    """A whole run that was put together: its header and a row an input, in order."""

    header: Header
    rows: tuple[Row, ...]


def merge(paths: Sequence[str | os.PathLike[str]], given: Sequence[str] = ()) -> Merged:
    """Return the run that the parts in ``paths`` are of, as one process would have made it.

    Args:
        paths: complete run files of ``--shard`` and ``--samples``, in any order, at least one.
        given: the words of the command that merges, for the header.

    Returns:
        The same rows, to the last digit, as those of an undivided run; their ``seconds`` add.

    Raises:
        UsageError: the parts are not those of one whole run.
        RunFileError: a file cannot be read, or contradicts itself.
    """
    parts = [read_part(path) for path in paths]
    if not parts:
        raise UsageError("there is nothing to merge; name the run files of the parts")
    for part in parts:
        _check_complete(part)
    first, *others = parts
    for part in others:
        differences = first.header.differences(part.header, but=PART)
        if differences:
            said = in_words(differences, f"in {first.path}", f"in {part.path}")
            raise UsageError(
                f"these are not parts of one run: {said}; give the parts of one run alone"
            )
    _check_once(parts)
    header = first.header.changed(
        created=min(str(part.header.record["created"]) for part in parts),
        shard=None,
        samples=None,
        arguments={**first.header.record["arguments"], "given": list(given)},
    )
    header = header.changed(claim=header.claim)
    rows = _joined(parts, header)
    _check_all(first.path, header, rows)
    return Merged(header, rows)


def _check_complete(part: Part) -> None:
    if part.status == "complete":
        return
    given = part.header.given
    how = f": {resume_command(given)}" if given else ", by its command with --resume"
    raise UsageError(
        f"{part.path} ({part.header.part}) is not complete, but {part.status} after "
        f"{len(part.rows)} inputs; finish it first{how}"
    )


def _check_once(parts: Iterable[Part]) -> None:
    seen: dict[str, Part] = {}
    for part in parts:
        twin = seen.setdefault(part.header.part, part)
        if twin is not part:
            raise UsageError(
                f"{twin.path} and {part.path} are the same part ({part.header.part}), and no "
                "sample may be counted twice; leave one of them out"
            )


def _joined(parts: Sequence[Part], header: Header) -> tuple[Row, ...]:
    """Return a row an input, in order: those that are whole, and those whose counts were added."""
    whole: dict[int, Row] = {}
    ranges: dict[int, list[_Range]] = {}
    holders: dict[int, Part] = {}
    for part in parts:
        for row in part.rows:
            other = holders.setdefault(row.index, part)
            if other is not part and (isinstance(row, Row) or row.index in whole):
                raise UsageError(
                    f"the input {row.index} is in {other.path} and in {part.path}, and no sample "
                    "may be counted twice; leave one of them out"
                )
            if isinstance(row, Row):
                whole[row.index] = row
            else:
                ranges.setdefault(row.index, []).append(_Range(part.path, row))
    added = {index: _add(counted, header) for index, counted in ranges.items()}
    return tuple(row for _, row in sorted((whole | added).items()))


@dataclass(frozen=True)
class _Range:
    """The counts of a range of samples of an input, and the file that they are in."""

    path: Path
    row: CountsRow


def _add(ranges: Sequence[_Range], header: Header) -> Row:
    """Add the counts of one input and certify it as an undivided run does."""
    procedure = header.procedure
    ranges = sorted(ranges, key=lambda part: part.row.samples.start)
    first = ranges[0]
    if not procedure.fixed_n:
        raise RunFileError(
            f"{first.path}: the run is adaptive, so it cannot hold counts of a range of samples"
        )
    _check_tiles(ranges, procedure.n)
    selection, estimation = Counts([]), Counts([])
    for part in ranges:
        _check_same_input(first, part)
        selection += part.row.counts.selection
        estimation += part.row.counts.estimation
    number = uniform(header.seed, first.row.digest) if procedure.needs_uniform else None
    try:
        certificate = procedure.derive(Evidence(selection, estimation, number))
    except UsageError as error:
        raise RunFileError(f"{first.path}, input {first.row.index}: {error}") from None
    seconds = sum(part.row.seconds for part in ranges)
    return Row.of(certificate, replace(first.row, seconds=seconds))


def _check_tiles(ranges: Sequence[_Range], n: int) -> None:
    """Refuse ranges, in order of their starts, that do not make up 0..n without overlap."""
    reached, before = 0, ranges[0]
    for part in ranges:
        samples = part.row.samples
        if samples.start > reached:
            raise _gap(part.row.index, reached, samples.start)
        if samples.start < reached:
            raise UsageError(
                f"the samples {before.row.samples} of the input {part.row.index} in {before.path} "
                f"and {samples} in {part.path} overlap, and no sample may be counted twice; leave "
                "one of them out"
            )
        reached, before = samples.stop, part
    if reached < n:
        raise _gap(before.row.index, reached, n)
    if reached > n:
        raise RunFileError(
            f"{before.path}: the samples are {before.row.samples}, but n = {n:,} in its header"
        )


def _gap(index: int, start: int, stop: int) -> UsageError:
    return UsageError(
        f"the samples {start}:{stop} of the input {index} are in no part; name the run files of "
        "all the parts"
    )


def _check_same_input(first: _Range, other: _Range) -> None:
    for name in ("name", "label", "digest", "base_prediction", "arithmetic"):
        one, another = getattr(first.row, name), getattr(other.row, name)
        if one != another:
            raise RunFileError(
                f"the input {first.row.index} has the {name} {shown(one)} in {first.path} and "
                f"{shown(another)} in {other.path}, so their counts do not belong together"
            )


def _check_all(path: Path, header: Header, rows: Sequence[Row]) -> None:
    """Refuse rows that are not all the inputs of the run, each as the manifest has it."""
    here = {row.index for row in rows}
    data, expected = header.data, header.data.inputs
    if len(rows) < expected:
        missing = ""
        if data.sample is not None and data.sample.seed is None:
            here |= data.unreadable
            lost = next((i for i in data.sample.indices(data.size) if i not in here), None)
            missing = "" if lost is None else f", the first is the input {lost}"
        raise UsageError(
            f"{expected - len(rows):,} of {expected:,} inputs are in no part{missing}; name the "
            "run files of all the parts"
        )
    if manifest_digest(rows) != data.manifest:
        raise RunFileError(
            f"the inputs of the parts are not those of the manifest {data.manifest} in {path}, so "
            "a file was changed"
        )
