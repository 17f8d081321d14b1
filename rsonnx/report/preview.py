"""A picture grid that shows what sigma means: an input, its noisy versions, and the answers.

One row an input; one column the input as it is, then one a sigma.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rsonnx.counts import NO_CLASS
from rsonnx.errors import UsageError
from rsonnx.report.escape import printable, shortened
from rsonnx.report.plotting import drawing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_ROWS, MOST_COLUMNS = 50, 10
"""Inputs and sigmas in one picture; more would be too small to see, or too large to open."""

_NAMES, _CELL, _GAP, _TOP, _CAPTION = 1.5, 1.75, 0.2, 0.55, 0.62
"""Inches: the column of names, a picture, between pictures, the headings, below a picture."""
_LINE, _MARGIN = 0.14, 0.12
"""Inches: a line of names or notes, and the edge of the page."""
_SIZE = 7.0
"""Points of the letters, all of which are equally wide, so that a line's length is known."""
_LETTER = _SIZE / 72 * 0.65
"""Inches of a letter; on a screen letters are moved to whole pixels."""
_RIGHT, _WRONG, _NEUTRAL, _FAINT = "#0072b2", "#c04a00", "#222222", "#d8d8d8"
"""Blue and orange, which people of any colour vision tell apart; a sign stands beside them."""


@dataclass(frozen=True, eq=False)
class Seen:
    """One version of an input, and what the model answers to it.

    Attributes:
        picture: float (H, W) or (H, W, 3); 0 and 1 stand for the lowest and the highest value of
            an input. Noise goes beyond them.
        answer: the model's class, or -1 for none.
        top: of a noisy version, the most frequent class of further samples, or -1 where none of
            them got a class.
        count: how many of them got it.
    """

    picture: NDArray[np.floating]
    answer: int
    top: int = NO_CLASS
    count: int = 0


@dataclass(frozen=True, eq=False)
class PreviewRow:
    """One input.

    Attributes:
        name: what it is called.
        label: its true class; None where that is not known.
        clean: the input without noise.
        noisy: one version a sigma.
    """

    name: str
    label: int | None
    clean: Seen
    noisy: tuple[Seen, ...]


@dataclass(frozen=True, eq=False)
class Preview:
    """All that one picture shows.

    Attributes:
        model: what the base classifier is called.
        sigmas: standard deviations of the noise, in the units of ``bounds``.
        bounds: lowest and highest value of an input.
        arithmetic: ``"exact"`` or ``"float"`` noise.
        samples: noisy samples an input and sigma.
        seed: of the noise.
        class_names: ``class_names[k]`` is what class k is called; may be empty.
        rows: one an input, at least one.
        noise: its name.
        in_levels: whether the sigmas are in the units of ``bounds``.
    """

    model: str
    sigmas: tuple[float, ...]
    bounds: tuple[float, float]
    arithmetic: str
    samples: int
    seed: int
    class_names: Sequence[str]
    rows: tuple[PreviewRow, ...]
    noise: str = "gaussian"
    in_levels: bool = True

    def to_json(self, row: PreviewRow) -> dict[str, Any]:
        """Return one of the rows for a program; the seed as text, since JSON rounds large ones."""
        return {
            "name": row.name,
            "label": row.label,
            "answer": row.clean.answer,
            "samples": self.samples,
            "seed": str(self.seed),
            "noise": self.noise,
            "arithmetic": self.arithmetic,
            "noisy": [
                {"sigma": sigma, "answer": at.answer, "top_class": at.top, "count": at.count}
                for sigma, at in zip(self.sigmas, row.noisy, strict=True)
            ],
        }

    def class_text(self, k: int) -> str:
        """Return a class as a person knows it: its number, and its name where it has another."""
        if k == NO_CLASS:
            return "no class"
        name = printable(self.class_names[k]) if k < len(self.class_names) else str(k)
        return str(k) if name == str(k) else f"{k} {name}"


def check_size(rows: int, sigmas: int) -> None:
    """Refuse a preview of more inputs or sigmas than a picture can show.

    Raises:
        UsageError: with how many there can be.
    """
    for what, asked, most in (("inputs", rows, MOST_ROWS), ("sigmas", sigmas, MOST_COLUMNS)):
        if asked > most:
            raise UsageError(f"a preview shows at most {most} {what}, but {asked} were asked for")


def preview_figure(preview: Preview) -> Figure:
    """Draw a preview.

    Raises:
        UsageError: matplotlib is not installed, or the preview is too large for a picture.
    """
    check_size(len(preview.rows), len(preview.sigmas))
    with drawing():
        return _drawn(preview)


def _drawn(preview: Preview) -> Figure:
    """Lay the picture out in inches from the lower left corner."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - an extra
    from matplotlib.patches import Rectangle  # noqa: PLC0415

    columns = 1 + len(preview.sigmas)
    wide = max(_NAMES + columns * (_CELL + _GAP), 5.0)
    notes = [line for note in _notes(preview) for line in _lines(note, wide - 2 * _MARGIN)]
    names = [_lines(_row_text(preview, row), _NAMES - 0.2) for row in preview.rows]
    pictures = [_CELL * _aspect(row) for row in preview.rows]
    heights = [
        max(picture + _CAPTION, _LINE * len(name) + 0.1)
        for picture, name in zip(pictures, names, strict=True)
    ]
    tall = _TOP + sum(heights) + _LINE * len(notes) + 0.15
    figure = Figure(figsize=(wide, tall))
    inches = figure.dpi_scale_trans

    def write(left: float, top: float, text: str, colour: str = _NEUTRAL) -> None:
        figure.text(left, top, text, transform=inches, va="top", color=colour, **_FONT)

    def show(column: int, seen: Seen, low: float, height: float) -> None:
        axes = figure.add_axes((_left(column) / wide, low / tall, _CELL / wide, height / tall))
        axes.imshow(np.clip(seen.picture, 0.0, 1.0), cmap="gray", vmin=0.0, vmax=1.0)
        axes.set(xticks=[], yticks=[])
        axes.grid(visible=False)
        for spine in axes.spines.values():
            spine.set(visible=True, color="#999999", linewidth=0.6)

    def answer(column: int, line: int, before: str, k: int, row: PreviewRow, low: float) -> None:
        sign, colour = _look(k, row.label)
        text, most = f"{before}{sign}{preview.class_text(k)}", int(_CELL / _LETTER)
        text = text if len(text) <= most else f"{text[: most - 1]}…"
        write(_left(column), low - 0.07 - 0.165 * line, text, colour)

    def bar(column: int, low: float, width: float, colour: str) -> None:
        artist = Rectangle((_left(column), low - 0.47), width, 0.06, transform=inches)
        artist.set(facecolor=colour, edgecolor="none")
        figure.add_artist(artist)

    for column, head in enumerate(
        ["without noise", *(_heading(preview, s) for s in preview.sigmas)]
    ):
        write(_left(column), tall - 0.1, head)
    top = tall - _TOP
    for row, name, picture, height in zip(preview.rows, names, pictures, heights, strict=True):
        low = top - picture
        write(_MARGIN, top, "\n".join(name))
        show(0, row.clean, low, picture)
        answer(0, 0, "", row.clean.answer, row, low)
        for column, noisy in enumerate(row.noisy, start=1):
            show(column, noisy, low, picture)
            answer(column, 0, "this one: ", noisy.answer, row, low)
            answer(column, 1, f"{noisy.count} of {preview.samples}: ", noisy.top, row, low)
            bar(column, low, _CELL, _FAINT)
            bar(column, low, _CELL * noisy.count / preview.samples, _look(noisy.top, row.label)[1])
        top -= height
    write(_MARGIN, top, "\n".join(notes))
    return figure


_FONT: dict[str, Any] = {"fontfamily": "DejaVu Sans Mono", "fontsize": _SIZE}


def _left(column: int) -> float:
    return _NAMES + column * (_CELL + _GAP)


def _aspect(row: PreviewRow) -> float:
    """Return height / width of a row's pictures, within what a cell can bear."""
    height, width = row.clean.picture.shape[:2]
    return float(min(max(height / width, 0.25), 2.0))


def _look(k: int, label: int | None) -> tuple[str, str]:
    """Return the sign and the colour of an answer."""
    if label is None:
        return ("", _NEUTRAL)
    return ("✓ ", _RIGHT) if k == label else ("✗ ", _WRONG)


def _heading(preview: Preview, sigma: float) -> str:
    low, high = preview.bounds
    levels = f"\n{sigma / (high - low) * 255:.4g} of 255 levels" if preview.in_levels else ""
    return f"σ = {sigma:g}{levels}"  # noqa: RUF001 - the field's letter


def _row_text(preview: Preview, row: PreviewRow) -> str:
    truth = "no label" if row.label is None else f"true class {preview.class_text(row.label)}"
    return f"{shortened(printable(row.name))}\n{shortened(truth)}"


def _lines(text: str, inches: float) -> list[str]:
    """Break a text into lines of at most so many inches: between words, or within a long one."""
    width = int(inches / _LETTER)
    return [line for part in text.split("\n") for line in textwrap.wrap(part, width) or [""]]


def _notes(preview: Preview) -> list[str]:
    low, high = preview.bounds
    right = "; whether it is right is not known."
    if any(row.label is not None for row in preview.rows):
        right = " (✓\N{NO-BREAK SPACE}right, ✗\N{NO-BREAK SPACE}wrong)."
    return [
        f"{shortened(printable(preview.model))}. "
        f"{preview.noise[0].upper()}{preview.noise[1:]} noise of standard deviation "
        f"σ on inputs in [{low:g}, {high:g}], "  # noqa: RUF001
        f"{preview.arithmetic} arithmetic, seed {preview.seed}.",
        "“this one” is the model's answer to the noisy picture shown: the first selection sample "
        "that certify would draw with this seed, unless its inputs share their noise. The line "
        f"below is the most frequent answer to {preview.samples:,} such samples{right}",
        f"For display only, values are clipped to [{low:g}, {high:g}]; the model sees them whole.",
    ]
