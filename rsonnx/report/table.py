"""The certified-accuracy table as text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from rsonnx.report.escape import printable
from rsonnx.report.figures import Figures
from rsonnx.report.lines import Line, lines_of, noise_head, radius_heads
from rsonnx.report.logs import LogFigures
from rsonnx.report.notes import notes_of
from rsonnx.report.population import JOINT, legend
from rsonnx.report.ranking import rank

_WIDTH = 100


def render(runs: Sequence[Figures | LogFigures]) -> str:
    """Return one table for several runs over the same radii, with notes below it.

    Percentages and the ACR are rounded down, intervals outward. The best figures have a star.
    """
    ranking = rank(runs)
    head = ["model", noise_head(runs), "inputs", "standard", "ACR"]
    head += [f"r={radius}" for radius in radius_heads(runs)]
    lines = [_cells(line) for line in lines_of(runs, ranking)]
    notes = [line for run in runs for line in _noted(run)]
    if ranking.note is not None:
        notes += wrapped(f"*: {ranking.note}" if ranking.marked else ranking.note)
    return "\n".join([*columns_of([head, *lines]), "", *notes, explained(runs)])


def explained(runs: Sequence[Figures | LogFigures]) -> str:
    """Return what the columns and tags of a table mean, in lines."""
    return (
        "standard: accuracy of the model itself without noise, %. r=R: certified accuracy, % of\n"
        "all inputs that are right with radius >= R. ACR: mean certified radius, 0 where wrong.\n"
        f"{legend(drawn=any(run.drawn for run in runs))}\n"
        "Intervals are rounded outward, all other figures down."
    )


def columns_of(lines: Sequence[Sequence[str]]) -> list[str]:
    """Lay out lines of cells: the first column to the left, figures to the right, stars beside."""
    stars = [any(cell.endswith("*") for cell in column) for column in zip(*lines, strict=True)]
    padded = [
        [
            f"{cell} " if star and i and not cell.endswith("*") else cell
            for i, (cell, star) in enumerate(zip(line, stars, strict=True))
        ]
        for line in lines
    ]
    widths = [max(map(len, column)) for column in zip(*padded, strict=True)]
    return [
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])])
        for line in padded
    ]


def wrapped(text: str, indent: str = "") -> list[str]:
    """Break a note into lines, the first after ``indent``."""
    lines = textwrap.wrap(
        f"{indent}{text}",
        _WIDTH,
        subsequent_indent=indent * 2,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(JOINT, " ") for line in lines]


def _cells(line: Line) -> list[str]:
    figures = [line.standard, line.acr, *line.certified]
    return [
        printable(line.name),
        printable(line.noise),
        line.inputs,
        *(f"{figure.text}*" if figure.best else figure.text for figure in figures),
    ]


def _noted(run: Figures | LogFigures) -> Iterator[str]:
    """Yield the notes: the title stays whole, what belongs to it is indented."""
    notes = notes_of(run)
    yield notes.title
    for detail in notes.details:
        yield from wrapped(detail, "  ")
