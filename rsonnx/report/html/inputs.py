"""The list of a run's inputs: a row each, all of them there without JavaScript."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass

from rsonnx.counts import NO_CLASS, Counts
from rsonnx.noise import norm_named
from rsonnx.report.html.content import PageRun, Pictures
from rsonnx.report.html.markup import Markup, element, foreign, joined
from rsonnx.report.html.tables import scrolled
from rsonnx.report.rounding import text_down
from rsonnx.runs.rows import Row

_MOST_CLASSES = 3
_MOST_EXPLAINED = 300


@dataclass(frozen=True)
class _Outcome:
    """How an input ended: what the filter calls it, what a reader reads, and its colour."""

    key: str
    words: str
    look: str


_RIGHT = _Outcome("right", "certified, right", "good")
_WRONG = _Outcome("wrong", "certified, other than label", "bad")
_CERTIFIED = _Outcome("certified", "certified, no label", "good")
_ABSTAINED = _Outcome("abstained", "abstained", "dull")
_OUTCOMES = (_RIGHT, _WRONG, _CERTIFIED, _ABSTAINED)


@dataclass(frozen=True)
class _Column:
    """A column: its name, its width as the style sheet calls it, and how it is sorted, if it is."""

    name: str
    width: str | None
    sort: str | None


_PICTURE = _Column("Picture", "narrow", None)
_COLUMNS = (
    _Column("No.", "narrow", "number"),
    _PICTURE,
    _Column("Input", "name", "text"),
    _Column("True class", "class", "number"),
    _Column("Certified class", "class", "number"),
    _Column("Model alone", "class", "number"),
    _Column("Outcome", None, "text"),
    _Column("Radius", "figure", "number"),
    _Column("Votes under noise", "votes", None),
    _Column("Samples", "figure", "number"),
)


class _Classes:
    """Classes by number and, where they have one, by name; written once each."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names
        self._written: dict[int, Markup] = {}

    def __call__(self, k: int | None) -> Markup:
        if k is None:
            return Markup("unknown")
        if k not in self._written:
            self._written[k] = self._write(k)
        return self._written[k]

    def _write(self, k: int) -> Markup:
        if k == NO_CLASS:
            return Markup("none")
        if k >= len(self._names) or self._names[k] == str(k):
            return Markup(k)
        return joined(foreign(self._names[k]), element("small", f" ({k})"))


def input_list(run: PageRun, number: int) -> Markup:
    """Return the controls, hidden until a script shows them, and the table of the inputs.

    Args:
        run: whose inputs.
        number: of the run on the page, for names that must be unique.
    """
    columns = [column for column in _COLUMNS if run.pictures is not None or column != _PICTURE]
    classes = _Classes(run.class_names())
    digits = 0 if norm_named(run.figures.heading.norm).whole else 4
    table = element(
        "table",
        element("caption", f"Every input that the run holds: {len(run.figures.rows):,}"),
        element("thead", element("tr", *map(_head, columns))),
        element("tbody", *(_row(row, classes, run.pictures, digits) for row in run.figures.rows)),
        class_="inputs",
    )
    return element(
        "div",
        _controls(run, number),
        _pages(element("span", role="status")),
        scrolled(table, "Table of inputs"),
        _pages(),
        data_inputs=True,
    )


def pictures_note(pictures: Pictures) -> Markup:
    """Return where the pictures are from, and how far they are known to be the right ones."""
    shown, checked = len(pictures.png), pictures.checked
    known = f"{checked:,} of them have the digest of the input that was certified"
    unchecked = ""
    if pictures.unchecked is not None and checked < shown:
        unchecked = f"; {shown - checked:,} are not checked, since {pictures.unchecked}"
    missing = "".join(
        f" {count:,} are left out: {why}." for why, count in pictures.left_out.items()
    )
    return joined(
        f"{shown:,} pictures, reduced to 48 pixels and 64 colours, from ",
        foreign(pictures.source),
        f": {known}{unchecked}.{missing}",
    )


def _head(column: _Column) -> Markup:
    return element("th", column.name, scope="col", class_=column.width, data_sort=column.sort)


def _row(row: Row, classes: _Classes, pictures: Pictures | None, digits: int) -> Markup:
    outcome = _outcome(row)
    return element(
        "tr",
        element("td", f"{row.index:,}"),
        *([] if pictures is None else [element("td", _picture(row, pictures))]),
        element("th", foreign(row.name), scope="row"),
        element("td", classes(row.label), data_v=NO_CLASS if row.label is None else row.label),
        element("td", "-" if row.abstained else classes(row.prediction), data_v=row.prediction),
        element("td", classes(row.base_prediction), data_v=row.base_prediction),
        element("td", element("span", outcome.words, class_=outcome.look), *_why(row)),
        element("td", text_down(row.radius, digits)),
        element("td", _votes(row.estimation, classes)),
        element("td", f"{row.samples:,}"),
        data_o=outcome.key,
    )


def _outcome(row: Row) -> _Outcome:
    if row.abstained:
        return _ABSTAINED
    if row.label is None:
        return _CERTIFIED
    return _RIGHT if row.correct else _WRONG


def _why(row: Row) -> Iterator[Markup]:
    if row.reason is None:
        return
    explanation = (row.explanation or "")[:_MOST_EXPLAINED]
    yield element("small", f" {row.reason}", *([f": {explanation}"] if explanation else []))


def _picture(row: Row, pictures: Pictures) -> Markup:
    png = pictures.png.get(row.index)
    if png is None:
        return Markup("none")
    return element(
        "img",
        src=f"data:image/png;base64,{base64.b64encode(png).decode()}",
        alt=f"picture of input {row.index}",
        loading="lazy",
        decoding="async",
    )


def _votes(counts: Counts, classes: _Classes) -> Markup:
    """Return the classes with most estimation samples, each with its count and a bar."""
    total = counts.total
    found = [(classes(k), counts[k]) for k in counts.top(_MOST_CLASSES) if counts[k]]
    if counts.no_class:
        found.append((Markup("none"), counts.no_class))
    rest = total - sum(count for _, count in found)
    if rest:
        found.append((Markup("others"), rest))
    return element(
        "ul",
        *(
            element("li", element("i", class_=f"w{100 * count // total}"), name, f": {count:,}")
            for name, count in found
        ),
    )


def _controls(run: PageRun, number: int) -> Markup:
    name = f"inputs-{number}"
    present = {_outcome(row).key for row in run.figures.rows}
    options = [element("option", o.words, value=o.key) for o in _OUTCOMES if o.key in present]
    everything = element("option", "all", value="")
    return element(
        "form",
        _labelled("Find", element("input", type="search", id=f"{name}-find", data_f="find")),
        _labelled(
            "Outcome",
            element("select", everything, *options, id=f"{name}-outcome", data_f="outcome"),
        ),
        _labelled("True class", element("select", everything, id=f"{name}-class", data_f="class")),
        _labelled("Radius from", _number(f"{name}-low", "low")),
        _labelled("to", _number(f"{name}-high", "high")),
        element("button", "Show all", type="reset"),
        hidden=True,
        role="search",
        aria_label="Filter the inputs",
    )


def _labelled(text: str, control: Markup) -> Markup:
    return element("label", text, " ", control)


def _number(name: str, key: str) -> Markup:
    return element("input", type="number", id=name, data_f=key, min=0, step="any")


def _pages(*status: Markup) -> Markup:
    return element(
        "p",
        element("button", "Previous", type="button", data_page="-1"),
        element("button", "Next", type="button", data_page="1"),
        *status,
        hidden=True,
        class_="pages",
    )
