"""The certified-accuracy table as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rsonnx.report.rounding import percent_down, text_down
from rsonnx.report.summary import Summary


@dataclass(frozen=True)
class Heading:
    """What names a run in a table.

    Attributes:
        model: the model's file name.
        sigma: standard deviation of the noise.
        units: in which sigma and the radius are measured.
        norm: the norm of the radius.
        n: estimation samples an input.
        alpha: probability of error an input.
        arithmetic: ``"exact"`` or ``"float"``.
        status: how the run ended.
    """

    model: str
    sigma: float
    units: str
    norm: str
    n: int
    alpha: float
    arithmetic: str
    status: str


def render(runs: Sequence[tuple[Heading, Summary]]) -> str:
    """Return one table for several runs over the same radii, with notes below it.

    Percentages and the ACR are rounded down.
    """
    radii = runs[0][1].radii
    head = ["model", "sigma", "inputs", "standard", "ACR", *(f"r={_plain(r)}" for r in radii)]
    lines = [head, *(_line(heading, summary) for heading, summary in runs)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = ["  ".join(_cells(line, widths)) for line in lines]
    notes = [note for heading, summary in runs for note in _notes(heading, summary)]
    explained = (
        "standard: accuracy of the model itself without noise, %. r=R: certified accuracy, % of\n"
        "all inputs that are right with radius >= R. ACR: mean certified radius, 0 where wrong.\n"
        "All figures are rounded down."
    )
    return "\n".join([*table, "", *notes, explained])


def _cells(line: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    """Pad a line's cells: the first to the right, the figures to the left."""
    yield line[0].ljust(widths[0])
    for text, width in zip(line[1:], widths[1:], strict=True):
        yield text.rjust(width)


def _line(heading: Heading, summary: Summary) -> list[str]:
    shares = summary.certified_accuracy
    standard = summary.standard_accuracy
    return [
        printable(heading.model),
        f"{heading.sigma:g}",
        f"{summary.inputs:,}",
        "?" if standard is None else percent_down(standard),
        "?" if summary.acr is None else text_down(summary.acr, 4),
        *(["?"] * len(summary.radii) if shares is None else map(percent_down, shares)),
    ]


def _notes(heading: Heading, summary: Summary) -> list[str]:
    name = printable(heading.model)
    reasons = ", ".join(f"{count} {reason}" for reason, count in summary.abstentions.items())
    notes = [
        f"{name}: {printable(heading.norm)} radius in {printable(heading.units)}; n = "
        f"{heading.n:,}, alpha = {heading.alpha:g} an input, {printable(heading.arithmetic)} noise",
        f"  abstentions: {summary.abstained} of {summary.inputs}"
        + (f" ({reasons})" if reasons else ""),
    ]
    if not summary.labelled:
        shares = ", ".join(
            f"{percent_down(share)} at {_plain(r)}"
            for r, share in zip(summary.radii, summary.certified_share, strict=True)
        )
        notes.append(
            "  not every input has a label, so accuracy, certified accuracy and ACR are unknown "
            f"(?); % certified, right or wrong: {shares}"
        )
    if heading.status != "complete":
        notes.append(
            f"  this run is {heading.status}: the figures are of the {summary.inputs} inputs "
            "that it holds"
        )
    return notes


def _plain(radius: float) -> str:
    """Return a radius in full: a shortened one could be above the one that was counted at."""
    return repr(radius).removesuffix(".0")


def printable(text: str) -> str:
    """Return a stranger's text without anything that a terminal would act on."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
