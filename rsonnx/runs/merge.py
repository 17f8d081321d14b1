"""Put the parts of a run together: inputs side by side, counts of one input by addition.

Nothing is sampled. Parts that overlap, leave a gap, are unfinished or come of different runs are
refused, since a certificate rests on every sample having been counted exactly once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rsonnx.certificate import AdaptiveSamples
from rsonnx.counts import Counts
from rsonnx.errors import RunFileError, UsageError
from rsonnx.noise import uniform
from rsonnx.runs.counted import CountsRow
from rsonnx.runs.fields import digest_field, shown, whole_field
from rsonnx.runs.files import Part, read_part
from rsonnx.runs.header import claim_of, recorded_rows, recorded_seed, resume_command
from rsonnx.runs.identity import PART, header_differences, in_words
from rsonnx.runs.manifest import manifest_digest
from rsonnx.runs.restate import Made, made_with
from rsonnx.runs.rows import Row
from rsonnx.runs.sample import Sample, sample_field


@dataclass(frozen=True)
class Merged:
    """A whole run that was put together: its header and a row an input, in order."""

    header: dict[str, Any]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class _Settled:
    """What the headers of all parts agree on."""

    made: Made
    n0: int
    seed: int
    sample: Sample
    size: int
    manifest: str
    arguments: dict[str, Any]


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
        differences = header_differences(first.header, part.header, but=PART)
        if differences:
            found = in_words(differences, f"in {first.path}", f"in {part.path}")
            raise UsageError(
                f"these are not parts of one run: {found}; give the parts of one run alone"
            )
    _check_once(parts)
    settled = _settled(first)
    rows = _joined(parts, settled)
    _check_all(first, settled, rows)
    header = first.header | {
        "claim": claim_of(
            settled.made.rule.noise,
            first.header["noise"].get("arithmetic"),
            recorded_rows(first.header),
        ),
        "created": min(str(part.header.get("created")) for part in parts),
        "shard": None,
        "samples": None,
        "arguments": settled.arguments | {"given": list(given)},
    }
    return Merged(header, rows)


def _settled(first: Part) -> _Settled:
    header = first.header
    try:
        arguments = header["arguments"]
        return _Settled(
            made_with(first),
            whole_field(header, "n0", least=0),
            recorded_seed(header),
            sample_field(header),
            whole_field(header["data"], "size", least=1),
            digest_field(header["data"], "manifest"),
            dict(arguments),
        )
    except KeyError as error:
        raise RunFileError(f"{first.path}, line 1: the header lacks the field {error}") from None
    except (TypeError, ValueError) as error:
        raise RunFileError(f"{first.path}, line 1: the header is wrong: {error}") from None


def _check_complete(part: Part) -> None:
    if part.status == "complete":
        return
    given = part.header["arguments"]["given"] if _has_words(part.header) else []
    how = f": {resume_command(given)}" if given else ", by its command with --resume"
    raise UsageError(
        f"{part.path} ({part.words()}) is not complete, but {part.status} after {len(part.rows)} "
        f"inputs; finish it first{how}"
    )


def _has_words(header: dict[str, Any]) -> bool:
    arguments = header.get("arguments")
    words = arguments.get("given") if isinstance(arguments, dict) else None
    return isinstance(words, list) and all(isinstance(word, str) for word in words)


def _check_once(parts: Iterable[Part]) -> None:
    seen: dict[str, Part] = {}
    for part in parts:
        twin = seen.setdefault(part.words(), part)
        if twin is not part:
            raise UsageError(
                f"{twin.path} and {part.path} are the same part ({part.words()}), and no sample "
                "may be counted twice; leave one of them out"
            )


def _joined(parts: Sequence[Part], settled: _Settled) -> tuple[Row, ...]:
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
    added = {index: _add(found, settled) for index, found in ranges.items()}
    return tuple(row for _, row in sorted((whole | added).items()))


@dataclass(frozen=True)
class _Range:
    """The counts of a range of samples of an input, and the file that they are in."""

    path: Path
    row: CountsRow


def _add(ranges: Sequence[_Range], settled: _Settled) -> Row:
    """Add the counts of one input and certify it as an undivided run does."""
    rule = settled.made.rule
    ranges = sorted(ranges, key=lambda one: one.row.samples.start)
    first = ranges[0]
    if isinstance(rule, AdaptiveSamples):
        raise RunFileError(
            f"{first.path}: the run is adaptive, so it cannot hold counts of a range of samples"
        )
    _check_tiles(ranges, rule.n)
    selection, estimation = Counts([]), Counts([])
    for one in ranges:
        _check_same_input(first, one)
        selection += one.row.selection
        estimation += one.row.estimation
    row = first.row
    if selection.total != settled.n0:
        raise RunFileError(
            f"{first.path}: the input {row.index} has {selection.total} selection samples, but "
            f"n0 = {settled.n0}"
        )
    certificate = rule.certify(selection, estimation, uniform(settled.seed, row.digest))
    return Row.again(certificate, row, sum(one.row.seconds for one in ranges))


def _check_tiles(ranges: Sequence[_Range], n: int) -> None:
    """Refuse ranges, in order of their starts, that do not make up 0..n without overlap."""
    reached, before = 0, ranges[0]
    for one in ranges:
        samples = one.row.samples
        if samples.start > reached:
            raise _gap(one.row.index, reached, samples.start)
        if samples.start < reached:
            raise UsageError(
                f"the samples {before.row.samples} of the input {one.row.index} in {before.path} "
                f"and {samples} in {one.path} overlap, and no sample may be counted twice; leave "
                "one of them out"
            )
        reached, before = samples.stop, one
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


def _check_all(first: Part, settled: _Settled, rows: Sequence[Row]) -> None:
    """Refuse rows that are not all the inputs of the run, each as the manifest has it."""
    here = {row.index for row in rows}
    expected = settled.made.selected
    if len(rows) < expected:
        missing = ""
        if settled.sample.seed is None:
            taken = settled.sample.indices(settled.size)
            missing = f", the first is the input {next(i for i in taken if i not in here)}"
        raise UsageError(
            f"{expected - len(rows):,} of {expected:,} inputs are in no part{missing}; name the "
            "run files of all the parts"
        )
    if manifest_digest(rows) != settled.manifest:
        raise RunFileError(
            f"the inputs of the parts are not those of the manifest {settled.manifest[:16]}... in "
            f"{first.path}, so a file was changed"
        )
