"""Certified accuracy against radius, drawn as SVG that follows the page's colours."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from rsonnx.noise import norm_named
from rsonnx.report.html.content import PageRun
from rsonnx.report.html.markup import Markup, element, foreign, joined, shortened
from rsonnx.report.html.tables import scrolled
from rsonnx.report.population import LEVEL
from rsonnx.report.rounding import percent_down, percent_up, plain
from rsonnx.report.summary import default_radii

LINES = 6
"""Colours of lines in the style sheet; a seventh run begins again, with another dash."""

_LEFT, _TOP, _WIDTH, _HEIGHT = 56.0, 16.0, 680.0, 320.0
_STEPS = 4
"""Parts of a unit of the drawing: more of the curve no eye sees."""


@dataclass(frozen=True)
class _Step:
    """The curve is at ``share`` from the last step's ``radius`` to its own, a part of the axis."""

    radius: float
    share: float


def curve(runs: Sequence[PageRun]) -> Markup:
    """Return the figure: a step curve a run, its band for the population, and what they mean."""
    largest = max(row.radius for run in runs for row in run.figures.rows)
    axis = largest or runs[0].figures.summary.radii[-1] or 1.0
    kind = "Certified accuracy" if _labelled(runs) else "Share of inputs that are certified"
    title = element("title", f"{kind} against radius", id="curve-title")
    parts = [*_axes(axis, runs), *_targets(runs, axis)]
    for number, run in enumerate(runs):
        steps = _steps(run, axis)
        band = run.figures.statements.band
        look = f"line-{number % LINES} dash-{number // LINES % 4}"
        if band is not None:
            parts.append(element("path", d=_band(steps, band.half_width), class_=f"band {look}"))
        parts.append(element("path", d=_path(_corners(steps)), class_=f"curve {look}"))
    drawing = element(
        "svg",
        title,
        element("desc", *(_described(run) for run in runs), id="curve-text"),
        *parts,
        role="img",
        aria_labelledby="curve-title curve-text",
        viewBox=f"0 0 {_LEFT + _WIDTH + 24:g} {_TOP + _HEIGHT + 56:g}",
    )
    caption = element("figcaption", _legend(runs), _caption(runs))
    return element("figure", scrolled(drawing, "Curve of certified accuracy"), caption)


def _labelled(runs: Sequence[PageRun]) -> bool:
    return any(run.figures.summary.labelled for run in runs)


def _steps(run: PageRun, axis: float) -> list[_Step]:
    """Return where the curve falls; radii are rounded down to what can be drawn."""
    rows = run.figures.rows
    labelled = run.figures.summary.labelled
    fine = _WIDTH * _STEPS
    falls = Counter(
        math.floor(row.radius / axis * fine)
        for row in rows
        if (row.correct if labelled else not row.abstained)
    )
    left = sum(falls.values())
    found = []
    for at in sorted(falls):
        found.append(_Step(at / fine, left / len(rows)))
        left -= falls[at]
    return [*found, _Step(1.0, 0.0)]


def _corners(steps: Iterable[_Step], shift: float = 0.0) -> list[tuple[float, float]]:
    """Return the corners of the curve, moved up by a share and kept between 0 and 1."""
    corners: list[tuple[float, float]] = []
    last = 0.0
    for step in steps:
        y = _y(min(1.0, max(0.0, step.share + shift)))
        corners += [(_x(last), y), (_x(step.radius), y)]
        last = step.radius
    return corners


def _band(steps: Sequence[_Step], half_width: float) -> str:
    return _path([*_corners(steps, half_width), *reversed(_corners(steps, -half_width))]) + "Z"


def _path(corners: Sequence[tuple[float, float]]) -> str:
    """Return the path through corners, without those that lie on the way."""
    (x, y), *rest = corners
    words = [f"M{x:g} {y:g}"]
    for to_x, to_y in rest:
        if to_x != x:
            words.append(f"H{to_x:g}" if to_y == y else f"L{to_x:g} {to_y:g}")
        elif to_y != y:
            words.append(f"V{to_y:g}")
        x, y = to_x, to_y
    return "".join(words)


def _x(part: float) -> float:
    return round(_LEFT + part * _WIDTH, 2)


def _y(share: float) -> float:
    return round(_TOP + (1 - share) * _HEIGHT, 2)


def _measured(runs: Sequence[PageRun]) -> list[tuple[str, str]]:
    """Return the different norms and units of the radii."""
    return sorted({(r.figures.heading.norm, r.figures.heading.units) for r in runs})


def _axes(axis: float, runs: Sequence[PageRun]) -> list[Markup]:
    parts = []
    for percent in range(0, 101, 20):
        y = _y(percent / 100)
        parts.append(element("path", d=f"M{_LEFT:g} {y:g}H{_LEFT + _WIDTH:g}", class_="grid"))
        parts.append(_label(f"{percent} %", _LEFT - 8, y + 4, "end"))
    bottom = _TOP + _HEIGHT
    norm, *others = _measured(runs)
    whole = norm_named(norm[0]).whole and not others
    for radius in default_radii(axis, whole=whole):
        x = _x(radius / axis)
        parts.append(element("path", d=f"M{x:g} {bottom:g}v5", class_="axis"))
        parts.append(_label(plain(radius), x, bottom + 20, "middle"))
    parts.append(element("path", d=f"M{_LEFT:g} {bottom:g}H{_LEFT + _WIDTH:g}", class_="axis"))
    unit = norm_named(norm[0]).unit
    name = "radius" if others or norm[0] == "l2" else f"{norm[0]} radius"
    name += f", {unit}" if unit is not None and not others else ""
    parts.append(_label(name, _LEFT + _WIDTH / 2, bottom + 44, "middle"))
    return parts


def _targets(runs: Sequence[PageRun], axis: float) -> list[Markup]:
    """Mark the radii that adaptive runs decided."""
    targets = {r for run in runs for r in run.figures.heading.target_radii or () if r <= axis}
    return [
        element("path", d=f"M{_x(r / axis):g} {_TOP:g}V{_TOP + _HEIGHT:g}", class_="target")
        for r in sorted(targets)
    ]


def _label(text: str, x: float, y: float, anchor: str) -> Markup:
    return element("text", text, x=f"{x:g}", y=f"{y:g}", text_anchor=anchor)


def _described(run: PageRun) -> Markup:
    summary = run.figures.summary
    shares = summary.certified_accuracy
    shown = summary.certified_share if shares is None else shares
    kind = "certified, right or wrong" if shares is None else "certified accuracy"
    points = ", ".join(
        f"{percent_down(share)} % at {plain(r)}"
        for r, share in zip(summary.radii, shown, strict=True)
    )
    # No element may stand inside a description, so the name comes without its own.
    return joined(shortened(run.title), f": {kind} {points}. ")


def _legend(runs: Sequence[PageRun]) -> Markup:
    entries = []
    for number, run in enumerate(runs):
        look = f"curve line-{number % LINES} dash-{number // LINES % 4}"
        sample = element(
            "svg",
            element("path", d="M0 6H36", class_=look),
            viewBox="0 0 36 12",
            width=36,
            height=12,
            aria_hidden="true",
        )
        kind = "" if run.figures.summary.labelled else " (certified, right or wrong)"
        partly = "" if run.figures.heading.status == "complete" else " (incomplete)"
        entries.append(element("li", sample, " ", foreign(run.title), kind, partly))
    return element("ul", *entries, class_="legend")


def _caption(runs: Sequence[PageRun]) -> Markup:
    right = "right" if _labelled(runs) else "certified, right or wrong,"
    sentences = [f"Share of all inputs that are {right} with at least this certified radius."]
    widths = [run.figures.statements.band for run in runs if run.figures.statements.band]
    if widths:
        halves = sorted({percent_up(Fraction(band.half_width)) for band in widths}, key=float)
        sentences.append(
            f"Shaded: ±{' or ±'.join(halves)} points, {100 * LEVEL:g} % confidence at all radii at "
            "once for the population, if the inputs were drawn from it independently (DKW)."
        )
    if len(_measured(runs)) > 1:
        sentences.append(
            "The runs measure their radii in different norms or units: their curves cannot be "
            "compared."
        )
    if any(run.figures.heading.target_radii is not None for run in runs):
        sentences.append(
            "Dotted: target radii of an adaptive run; elsewhere its curve is understated."
        )
    return element("p", " ".join(sentences))
