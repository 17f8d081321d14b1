"""What a forger does to a run file, as functions from a text to a text.

An edit changes a field of the header, of a row, of all rows or of the end, or the lines, or the
text. What is edited ``anew`` agrees with itself: all that follows from the counts and the settings
is derived again, as a forger with this package can.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Literal, cast

from rsonnx.counts import NOT_CLASSES, Counts
from rsonnx.noise import law_from_json, uniform
from rsonnx.procedures import Evidence
from rsonnx.runs import Header, Row, manifest_digest
from rsonnx.runs.rows import InputFacts

Edit = Callable[[str], str]
"""From the text of a run file to that of a forged one."""

Line = dict[str, Any]
Lines = list[Line]
"""The header, the rows and the end."""

Which = Callable[[Lines], Sequence[Line]]
"""The lines that an edit is of."""

Check = Literal["reading", "merging", "model and data", "replay", "nothing"]
"""Each looks at what those before it do, and at more."""


@dataclass(frozen=True)
class Forgery:
    """A forged run file.

    Attributes:
        name: what is changed, in words.
        found: by which check first.
        runs: of which runs it is made, by the names of :mod:`hostile.honest_runs`.
        edit: from the text of such a file to that of the forged one.
        rows: how many rows a replay finds to be forged; None for all whose votes are others.
    """

    name: str
    found: Check
    runs: tuple[str, ...]
    edit: Edit
    rows: int | None = None


def by(
    found: Check, runs: tuple[str, ...], edits: Mapping[str, Edit], rows: int | None = None
) -> Iterator[Forgery]:
    """Return forgeries that the same check finds, of the same runs."""
    for name, edit in edits.items():
        yield Forgery(name, found, runs, edit, rows)


def both(*edits: Edit) -> Edit:
    """Return the edit that makes several, one after the other."""
    return lambda text: reduce(lambda edited, edit: edit(edited), edits, text)


def replaced(pattern: str, new: str) -> Edit:
    """Put a text for the first that a pattern fits."""
    return lambda text: re.sub(pattern, new, text, count=1)


def on_lines(change: Callable[[Lines], object]) -> Edit:
    """Return the edit that changes the lines in place."""

    def edit(text: str) -> str:
        lines = [json.loads(line) for line in text.splitlines()]
        change(lines)
        return "".join(json.dumps(line) + "\n" for line in lines)

    return edit


def every(lines: Lines) -> Lines:
    """Choose all rows."""
    return lines[1:-1]


def certified(lines: Lines) -> Lines:
    """Choose the first row that certifies a radius."""
    return [row for row in every(lines) if row["radius"] > 0][:1]


def abstained(lines: Lines) -> Lines:
    """Choose the first row that abstains."""
    return [row for row in every(lines) if row["abstained"]][:1]


def divided(lines: Lines) -> Lines:
    """Choose the row with the fewest votes for its top class."""
    return [min(every(lines), key=lambda row: votes(row).get(str(row["top_class"]), 0))]


def last(lines: Lines) -> Lines:
    """Choose the last row."""
    return [lines[-2]]


def on(which: Which, change: Callable[[Line], object]) -> Edit:
    """Return the edit that changes such lines in place."""
    return on_lines(lambda lines: [change(line) for line in which(lines)])


def row(path: str, value: Any, which: Which = certified) -> Edit:
    """Set a field of rows by its path; a function is given what was there."""

    def change(fields: Any) -> None:
        *outer, name = path.split(".")
        for inner in outer:
            fields = fields[inner]
        fields[name] = value(fields.get(name)) if callable(value) else value

    return on(which, change)


def header(path: str, value: Any) -> Edit:
    """Set a field of the header so."""
    return row(path, value, lambda lines: lines[:1])


def end(path: str, value: Any) -> Edit:
    """Set a field of the last line so."""
    return row(path, value, lambda lines: lines[-1:])


def setting(name: str, value: Any) -> Edit:
    """Set a field of the header, and the option of the same name."""
    return both(header(name, value), header(f"arguments.resolved.{name}", value))


def swapped(*names: str) -> Edit:
    """Let the last two rows change their places, or some of their fields."""

    def change(lines: Lines) -> None:
        first, second = lines[-3:-1]
        for name in names or first.keys() | second.keys():
            first[name], second[name] = second[name], first[name]

    return on_lines(change)


def votes(line: Line) -> dict[str, int]:
    """Return the counts of the estimation samples of a row, to be changed."""
    return cast(dict[str, int], line["counts"]["estimation"])


def moved(most: int, which: Which = divided) -> Edit:
    """Give the top class, or class 0, up to so many votes of the others."""

    def change(line: Line) -> None:
        counts, top, left = votes(line), str(line.get("top_class", 0)), most
        for k in [k for k in counts if k not in (top, *NOT_CLASSES)]:
            taken = min(left, counts[k])
            counts |= {k: counts[k] - taken, top: counts.get(top, 0) + taken}
            left -= taken
        line["counts"]["estimation"] = {k: count for k, count in counts.items() if count}

    return on(which, change)


def anew(*edits: Edit) -> Edit:
    """Return the edit after which everything follows from the counts and the settings again."""
    return both(*edits, on_lines(_derive))


def _derive(lines: Lines) -> None:
    data, rows = lines[0]["data"], every(lines)
    if data["inputs"] == len(rows):
        there = len({line["label"] for line in rows})
        every_class = there if data["size"] == len(rows) else max(there, data["classes_in_data"])
        data |= {"classes_in_sample": there, "classes_in_data": every_class}
    read = Header.from_json(lines[0])
    procedure, derived = read.procedure, []
    for line in rows:
        facts = InputFacts(**{name: line[name] for name in InputFacts.__dataclass_fields__})
        selection, estimation = map(Counts.from_json, line["counts"].values())
        claim = line["claim"] and (line["claim"]["hits"], line["claim"]["samples"])
        drawn = uniform(read.seed, facts.digest) if procedure.needs_uniform else None
        certificate = procedure.derive(Evidence(selection, estimation, drawn, claim))
        derived.append(Row.of(certificate, facts))
    lines[0] |= {"largest_radius": procedure.largest_radius, "claim": read.claim}
    if read.shard is None:
        data["manifest"] = manifest_digest(derived)
    lines[1:-1] = [made.to_json() for made in derived]


def other(k: int) -> int:
    """Return another class."""
    return 1 - min(k, 1)


def _call_true(line: Line) -> None:
    line["label"] = line["top_class"] if line["label"] != line["top_class"] else 9


def targets(factor: float) -> Edit:
    """Change the targets by a factor."""
    return header("target_radii", lambda radii: [factor * radius for radius in radii])


def sigma(value: float) -> Edit:
    """Set sigma wherever it stands."""
    return both(
        header("noise.parameters.sigma", value),
        header("noise.sigma", value),
        header("arguments.resolved.sigma", value),
    )


def columns(change: Callable[[Lines], object]) -> Edit:
    """Change the columns of a table in place."""
    return on_lines(lambda lines: change(lines[0]["data"]["columns"]))


def sigmas(change: Callable[[list[float]], object]) -> Edit:
    """Change the sigmas of columns in place, and their digest."""

    def edit(lines: Lines) -> None:
        noise = lines[0]["noise"]
        change(noise["parameters"]["sigmas"])
        noise["units"] = law_from_json(noise).units(0, 1)

    return on_lines(edit)


def free(at: int) -> Edit:
    """Call a fixed column one that gets noise."""
    return columns(lambda columns: columns[at].update(fixed=False))


def keep(lines: Lines, kept: Lines) -> None:
    """Keep some rows, as if there were no other inputs."""
    lines[1:-1] = [line | {"index": index} for index, line in enumerate(kept)]
    lines[-1]["inputs"] = lines[0]["data"]["inputs"] = lines[0]["data"]["size"] = len(kept)


LABELLED = on(every, _call_true)
"""The labels are the predictions."""
