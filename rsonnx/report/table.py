"""The certified-accuracy table as text, or its figures for a program."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rsonnx.report.heading import Heading
from rsonnx.report.rounding import percent_down, plain, text_down
from rsonnx.report.sampling import Gain
from rsonnx.report.statements import JOINT, LEGEND, Statements
from rsonnx.report.summary import Summary

_WIDTH = 100


@dataclass(frozen=True)
class Figures:
    """All that is reported of one run."""

    heading: Heading
    summary: Summary
    statements: Statements

    def to_json(self) -> dict[str, Any]:
        """Return it for a program: the settings beside the heading's other fields."""
        heading = asdict(self.heading)
        return {
            **heading.pop("settings"),
            **heading,
            **self.summary.to_json(),
            "samples": self.summary.samples.to_json(self.heading.n),
            "statements": self.statements.to_json(),
        }


def render(runs: Sequence[Figures]) -> str:
    """Return one table for several runs over the same radii, with notes below it.

    Percentages and the ACR are rounded down, intervals outward.
    """
    radii = runs[0].summary.radii
    head = ["model", "sigma", "inputs", "standard", "ACR", *(f"r={plain(r)}" for r in radii)]
    lines = [head, *(_line(run.heading, run.summary) for run in runs)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = ["  ".join(_cells(line, widths)) for line in lines]
    notes = [line for run in runs for note in _notes(run) for line in _wrapped(note)]
    explained = (
        "standard: accuracy of the model itself without noise, %. r=R: certified accuracy, % of\n"
        "all inputs that are right with radius >= R. ACR: mean certified radius, 0 where wrong.\n"
        f"{LEGEND}\n"
        "Intervals are rounded outward, all other figures down."
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


def _wrapped(note: str) -> list[str]:
    """Break a note into lines; the first note of a run, which has no indent, stays whole."""
    if not note.startswith(" "):
        return [note]
    lines = textwrap.wrap(
        note,
        _WIDTH,
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(JOINT, " ") for line in lines]


def _notes(run: Figures) -> Iterator[str]:
    heading, summary = run.heading, run.summary
    reasons = ", ".join(f"{count} {reason}" for reason, count in summary.abstentions.items())
    most = "" if heading.target_radii is None else "at most "
    settings = heading.settings
    yield (
        f"{printable(heading.model)}: {printable(heading.norm)} radius in "
        f"{printable(heading.units)}; n = {most}{heading.n:,}, alpha = {settings.alpha:g} an "
        f"input, {printable(heading.arithmetic)} noise; {printable(settings.bound)}, "
        f"{printable(settings.radius_rule)}"
    )
    if heading.restated_from is not None:
        chosen = "; holds if chosen without looking at the counts"
        yield (
            f"  restated at {printable(str(settings))} (sampled for "
            f"{printable(str(heading.restated_from))})"
            + (chosen if settings != heading.restated_from else "")
        )
    yield (
        f"  abstentions: {summary.abstained} of {summary.inputs}"
        + (f" ({reasons})" if reasons else "")
    )
    yield f"  samples: {_samples(heading, summary)}"
    if heading.target_radii is not None:
        targets = ", ".join(map(plain, heading.target_radii))
        yield (
            "  sampling stopped once the radii were decided, so ACR understates (do not compare "
            "it with that of a fixed n), and so does certified accuracy elsewhere than at "
            f"{targets}"
        )
    if summary.gain is not None:
        yield f"  {_gain(summary.gain)}"
    if not summary.labelled:
        shares = ", ".join(
            f"{percent_down(share)} at {plain(r)}"
            for r, share in zip(summary.radii, summary.certified_share, strict=True)
        )
        yield (
            "  not every input has a label, so accuracy, certified accuracy and ACR are unknown "
            f"(?); % certified, right or wrong: {shares}"
        )
    yield from (f"  {line}" for line in run.statements.lines())
    if heading.status != "complete":
        yield (
            f"  this run is {heading.status}: the figures are of the {summary.inputs} inputs "
            "that it holds"
        )


def _samples(heading: Heading, summary: Summary) -> str:
    samples = summary.samples
    mean, selection, estimation = (
        f"{_grouped(text_down(value, 1))}"
        for value in (samples.mean, samples.selection, samples.estimation)
    )
    saving = samples.saving(heading.n)
    text = f"{mean} an input on average ({selection} + {estimation})"
    if heading.target_radii is None or saving is None:
        return text
    return f"{text}; n = {heading.n:,} is {_grouped(text_down(saving, 1))} times as many"


def _gain(gain: Gain) -> str:
    shares = (
        f"the two-sided radius is larger than the one-sided for {percent_down(gain.larger)} % of "
        f"inputs, smaller for {percent_down(gain.smaller)} %"
    )
    if gain.acr is None or gain.one_sided_acr is None:
        return shares
    relative = gain.relative
    more = "" if relative is None else f" ({'+' * (relative >= 0)}{percent_down(relative)} %)"
    return (
        f"{shares}; ACR {text_down(gain.acr, 4)} against {text_down(gain.one_sided_acr, 4)}{more}"
    )


def _grouped(figures: str) -> str:
    """Put commas between thousands, and leave out decimals that are 0."""
    whole, _, decimals = figures.partition(".")
    return f"{int(whole):,}" + (f".{decimals}" if decimals.strip("0") else "")


def printable(text: str) -> str:
    """Return a stranger's text without anything that a terminal would act on."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
