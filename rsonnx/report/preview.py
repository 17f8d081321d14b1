"""A picture grid that shows what sigma means: an input, its noisy versions, and the answers.

One row an input; one column the input as it is, then one a sigma.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rsonnx.counts import NO_CLASS
from rsonnx.errors import UsageError
from rsonnx.report.drawing import drawing
from rsonnx.report.escape import printable, shortened

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_ROWS, MOST_COLUMNS = 50, 10
"""Inputs and sigmas in one picture; more would be too small to see, or too large to open."""

_NAMES, _CELL, _GAP, _TOP, _CAPTION = 1.5, 1.75, 0.2, 0.55, 0.62
"""Inches: the column of names, a picture, between pictures, the headings, below a picture."""
_LINE, _MARGIN = 0.155, 0.12
"""Inches: a line of names or notes, and the edge of the page."""
_SIZE = 8.0
"""Points of the letters around the pictures."""
_RIGHT, _WRONG, _NEUTRAL, _FAINT = "#0072b2", "#c04a00", "#222222", "#d8d8d8"
"""Blue and orange, which people of any colour vision tell apart; a sign stands beside them."""


@dataclass(frozen=True, eq=False)
class Seen:
    """One version of an input, and what the model answers to it.

    Attributes:
        picture: float (H, W) or (H, W, 3); 0 and 1 stand for the lowest and the highest value of
            an input. Noise goes beyond them.
        answer: the model's class, or -1 for none.
    """

    picture: NDArray[np.floating]
    answer: int


@dataclass(frozen=True, eq=False)
class NoisySeen:
    """A noisy version of an input, and the answers to more of them.

    Attributes:
        seen: one noisy sample.
        top: the most frequent class of all samples, or -1 where none of them got a class.
        count: how many samples got it.
    """

    seen: Seen
    top: int
    count: int


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
    noisy: tuple[NoisySeen, ...]


@dataclass(frozen=True, eq=False)
class Preview:
    """All that one picture shows.

    Attributes:
        model: the file of the base classifier.
        sigmas: standard deviations of the noise, in the units of ``bounds``.
        bounds: lowest and highest value of an input.
        arithmetic: ``"exact"`` or ``"float"`` noise.
        samples: noisy samples an input and sigma.
        seed: of the noise.
        class_names: ``class_names[k]`` is what class k is called; may be empty.
        rows: one an input, at least one.
        noise: its name.
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
    for what, found, most in (("inputs", rows, MOST_ROWS), ("sigmas", sigmas, MOST_COLUMNS)):
        if found > most:
            raise UsageError(f"a preview shows at most {most} {what}, but {found} were asked for")


def preview_figure(preview: Preview) -> Figure:
    """Draw a preview.

    Raises:
        UsageError: matplotlib is not installed, or the preview is too large for a picture.
    """
    check_size(len(preview.rows), len(preview.sigmas))
    with drawing():
        return _drawn(preview)


def _drawn(preview: Preview) -> Figure:
    from matplotlib.figure import Figure  # noqa: PLC0415 - an extra

    columns = 1 + len(preview.sigmas)
    width = max(_NAMES + columns * (_CELL + _GAP), 5.0)
    notes = [line for note in _notes(preview) for line in _wrapped(note, width - 0.3, 7)]
    names = [_wrapped(_row_text(preview, row), _NAMES - 0.2, _SIZE) for row in preview.rows]
    pictures = [_CELL * _aspect(row) for row in preview.rows]
    heights = [
        max(picture + _CAPTION, _LINE * len(name) + 0.1)
        for picture, name in zip(pictures, names, strict=True)
    ]
    height = _TOP + sum(heights) + _LINE * len(notes) + 0.15
    page = _Page(Figure(figsize=(width, height)))
    for at, head in enumerate(["without noise", *(_heading(preview, s) for s in preview.sigmas)]):
        page.text(_left(at) + _CELL / 2, height - 0.1, head, ha="center", fontsize=9)
    top = height - _TOP
    for row, name, picture, tall in zip(preview.rows, names, pictures, heights, strict=True):
        page.text(_MARGIN, top, "\n".join(name))
        _draw_row(page, preview, row, top, picture)
        top -= tall
    page.text(_MARGIN, top, "\n".join(notes), fontsize=7, color="#444444", linespacing=1.45)
    return page.figure


def _left(column: int) -> float:
    return _NAMES + column * (_CELL + _GAP)


def _aspect(row: PreviewRow) -> float:
    """Return height / width of a row's pictures, within what a cell can bear."""
    height, width = row.clean.picture.shape[:2]
    return float(min(max(height / width, 0.25), 2.0))


class _Page:
    """A figure that is drawn on in inches from its lower left corner."""

    def __init__(self, figure: Figure) -> None:
        self.figure = figure

    def text(self, left: float, top: float, text: str, **look: Any) -> None:
        own: dict[str, Any] = {"va": "top", "fontsize": _SIZE}
        self.figure.text(left, top, text, transform=self.figure.dpi_scale_trans, **own | look)

    def bar(self, left: float, bottom: float, width: float, colour: str) -> None:
        from matplotlib.patches import Rectangle  # noqa: PLC0415 - an extra

        bar = Rectangle((left, bottom), width, 0.06, transform=self.figure.dpi_scale_trans)
        bar.set(facecolor=colour, edgecolor="none")
        self.figure.add_artist(bar)

    def picture(
        self, left: float, bottom: float, height: float, picture: NDArray[np.floating]
    ) -> None:
        wide, tall = self.figure.get_size_inches()
        axes = self.figure.add_axes((left / wide, bottom / tall, _CELL / wide, height / tall))
        axes.imshow(np.clip(picture, 0.0, 1.0), cmap="gray", vmin=0.0, vmax=1.0)
        axes.set(xticks=[], yticks=[])
        axes.grid(visible=False)
        for spine in axes.spines.values():
            spine.set(visible=True, color="#999999", linewidth=0.6)


def _draw_row(page: _Page, preview: Preview, row: PreviewRow, top: float, height: float) -> None:
    below = top - height

    def answer(column: int, line: int, before: str, k: int) -> None:
        sign, colour = _look(k, row.label)
        text = _cut(f"{before}{sign}{preview.class_text(k)}", _CELL, _SIZE)
        page.text(_left(column), below - 0.07 - 0.165 * line, text, color=colour)

    page.picture(_left(0), below, height, row.clean.picture)
    answer(0, 0, "", row.clean.answer)
    for column, noisy in enumerate(row.noisy, start=1):
        page.picture(_left(column), below, height, noisy.seen.picture)
        answer(column, 0, "this one: ", noisy.seen.answer)
        answer(column, 1, f"{noisy.count} of {preview.samples}: ", noisy.top)
        page.bar(_left(column), below - 0.47, _CELL, _FAINT)
        share = noisy.count / preview.samples
        page.bar(_left(column), below - 0.47, _CELL * share, _look(noisy.top, row.label)[1])


def _look(k: int, label: int | None) -> tuple[str, str]:
    """Return the sign and the colour of an answer."""
    if label is None:
        return ("", _NEUTRAL)
    return ("✓ ", _RIGHT) if k == label else ("✗ ", _WRONG)


def _heading(preview: Preview, sigma: float) -> str:
    low, high = preview.bounds
    levels = f"{sigma / (high - low) * 255:.4g} of 255 levels"
    return f"σ = {sigma:g}\n{levels}"  # noqa: RUF001 - the field's letter


def _row_text(preview: Preview, row: PreviewRow) -> str:
    truth = "no label" if row.label is None else f"true class {preview.class_text(row.label)}"
    return f"{shortened(printable(row.name))}\n{shortened(truth)}"


def _wrapped(text: str, inches: float, size: float) -> list[str]:
    """Break a text into lines of at most so many inches: between words, or within a long one."""
    lines = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split(" "):
            longer = f"{line} {word}" if line else word
            if _inches(longer, size) <= inches:
                line = longer
                continue
            if line:
                lines.append(line)
            line = word
            while _inches(line, size) > inches:
                head = _longest(line, inches, size)
                lines.append(head)
                line = line[len(head) :]
        lines.append(line)
    return lines


def _cut(text: str, inches: float, size: float) -> str:
    """Return a text, or as much of it as so many inches hold, and dots."""
    if _inches(text, size) <= inches:
        return text
    return f"{_longest(text, inches - _inches('…', size), size)}…"


def _longest(text: str, inches: float, size: float) -> str:
    """Return the longest beginning of a text, at least a letter, that so many inches hold."""
    fitting = range(1, len(text))
    return text[: max(1, bisect_right(fitting, inches, key=lambda n: _inches(text[:n], size)))]


def _inches(text: str, size: float) -> float:
    """Return how wide a text is at most; on a screen letters are moved to whole pixels."""
    from matplotlib.font_manager import FontProperties  # noqa: PLC0415 - an extra
    from matplotlib.textpath import text_to_path  # noqa: PLC0415

    font = FontProperties(size=size)
    return (
        float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]) / 72 * 1.04
    )


def _notes(preview: Preview) -> list[str]:
    low, high = preview.bounds
    right = (
        " (✓\N{NO-BREAK SPACE}right, ✗\N{NO-BREAK SPACE}wrong)."
        if any(row.label is not None for row in preview.rows)
        else "; whether it is right is not known."
    )
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
