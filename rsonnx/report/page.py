"""A run's report as one page of HTML that asks the network for nothing; its words are in templates.

``templates/page.html.j2`` is the page, ``page.css`` and ``page.js`` its look and what sorts and
filters its rows. This module says what a template may ask of a run; it writes no markup.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache, cached_property
from importlib.resources import files
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from rsonnx._version import __version__
from rsonnx.errors import UsageError
from rsonnx.report.accuracy import accuracy_table, explained
from rsonnx.report.broken import said_of_breaks
from rsonnx.report.columns import without_alike
from rsonnx.report.curves import curve_figure
from rsonnx.report.escape import printable, shortened
from rsonnx.report.features import features_table
from rsonnx.report.figures import Figures
from rsonnx.report.notes import denied, details_of
from rsonnx.report.plotting import drawing, inline_svg
from rsonnx.report.population import PERCENT
from rsonnx.report.rounding import (
    decimals_up,
    error_up,
    percent,
    percent_down,
    percent_up,
    text_down,
    text_up,
)
from rsonnx.report.table import JOINT, Column, Table, grouped
from rsonnx.runs.rows import Row
from rsonnx.scalars import in_full

if TYPE_CHECKING:
    from jinja2 import Environment

_MOST_CLASSES = 3
_MOST_VALUES = 2**40


@dataclass(frozen=True)
class Pictures:
    """Small pictures of a run's inputs, each of values that have the digest of its row.

    Attributes:
        source: where they were read.
        png: PNG files by the index of the row.
        left_out: why inputs have no picture, and how many each.
    """

    source: str
    png: Mapping[int, bytes]
    left_out: Mapping[str, int] = field(default_factory=dict)


def render_page(
    runs: Sequence[Figures],
    pictures: Sequence[Pictures | None] = (),
    ends: Sequence[Mapping[int, bytes]] = (),
) -> str:
    """Return the report of one or more runs over the same radii as a page of HTML.

    The page needs no network and no JavaScript; a script adds sorting and filtering. Only its own
    style and script may run: their digests are in its content security policy.

    Args:
        runs: with their rows.
        pictures: of the inputs of each run, or nothing.
        ends: PNG files of what its breaks lead to, by the index of the row, of each run, or none.

    Raises:
        UsageError: jinja2 or matplotlib is not installed.
    """
    environment = page_environment()
    with drawing():
        pass  # matplotlib is there
    style, script = (
        files("rsonnx.report").joinpath("templates", name).read_text(encoding="utf-8")
        for name in ("page.css", "page.js")
    )
    from markupsafe import Markup  # noqa: PLC0415 - comes with jinja2

    table, alike = without_alike(accuracy_table(runs))
    return environment.get_template("page.html.j2").render(
        runs=list(map(_PageRun, runs, pictures or [None] * len(runs), ends or [{} for _ in runs])),
        files=["" if run.by_path else PurePath(run.path).name for run in runs],
        table=table,
        alike=alike,
        explained=list(explained(runs)),
        curves=list(_curves(runs)),
        denied=_denied_of_all(runs),
        confidence=PERCENT,
        version=__version__,
        style=Markup(style),  # noqa: S704 - our own files
        script=Markup(script),  # noqa: S704
        policy="default-src 'none'; "
        f"style-src {_source(style)}; script-src {_source(script)}; "
        "img-src data:; base-uri 'none'; form-action 'none'",
    )


@cache
def page_environment() -> Environment:
    """Return what makes a page of the templates; compiling them takes longer than a page.

    Raises:
        UsageError: jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - an extra
        from markupsafe import Markup  # noqa: PLC0415
    except ImportError:
        raise UsageError(
            "the page needs jinja2, which is not installed: pip install 'rsonnx[report]'"
        ) from None

    def visible(value: Any) -> Any:
        """Spell out what no reader could see: control codes, marks that turn the direction."""
        if isinstance(value, str) and not isinstance(value, Markup) and not value.isprintable():
            return "\n".join(map(printable, value.replace(JOINT, " ").split("\n")))
        return value

    environment = Environment(
        loader=PackageLoader("rsonnx.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "above": decimals_up,
        "base64": lambda content: base64.b64encode(content).decode(),
        "confidence": confidence,
        "down": text_down,
        "error": error_up,
        "grouped": grouped,
        "percent": percent,
        "plain": in_full,
        "shortened": lambda text, most: printable(shortened(text.replace(JOINT, " "), most)),
        "up": text_up,
    }
    return environment


def _denied_of_all(runs: Sequence[Figures]) -> list[str]:
    """Return what must be taken from none of several runs; of one run alone, nothing."""
    first, *others = ([*denied(run)] for run in runs)
    return [text for text in first if others and all(text in texts for texts in others)]


def _source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def confidence(alpha: float) -> str:
    """Return 1 - ``alpha``, rounded down, as a percentage: 0.001 gives "99.9 %"."""
    error = Decimal(text_up(alpha, 3)).normalize()
    return f"1 - {error}" if error < Decimal("1e-9") else f"{(100 * (1 - error)).normalize():f} %"


def _curves(runs: Sequence[Figures]) -> Iterator[dict[str, Any]]:
    """Yield a picture of all runs whose radii are measured alike, or why there is none."""
    from markupsafe import Markup  # noqa: PLC0415 - comes with jinja2

    alike: dict[str, list[Figures]] = {}
    for run in runs:
        alike.setdefault(run.radii_of, []).append(run)
    for number, group in enumerate(alike.values()):
        bands = [run.statements.population.band for run in group if run.statements.population]
        curve = {
            "bands": sorted({percent_up(b.half_width) for b in bands}, key=float),
            "text": " ".join(map(_described, group)),
            "radius": group[0].radii_of,
            "kind": "right"
            if any(run.summary.labelled for run in group)
            else "certified, right or wrong,",
        }
        try:
            svg = inline_svg(
                curve_figure(group, list(map(_curve_name, group)), unlabelled=True), number
            )
            yield curve | {"svg": Markup(svg)}  # noqa: S704 - it is escaped already
        except UsageError as error:  # of radii that no axis shows
            yield curve | {"why": str(error)}


def _curve_name(run: Figures) -> str:
    partly = "" if run.status == "complete" else f" ({run.status})"
    right = "" if run.summary.labelled else " (certified, right or wrong)"
    return f"{shortened(printable(run.title + partly), 120)}{right}"


def _described(run: Figures) -> str:
    """Return a curve in words, for who cannot see it."""
    summary = run.summary
    shares = summary.certified_accuracy or summary.certified_share
    kind = "certified accuracy" if summary.labelled else "certified, right or wrong"
    points = ", ".join(
        f"{percent(share)} % at {in_full(r)}"
        for r, share in zip(summary.radii, shares, strict=True)
    )
    return f"{shortened(printable(run.title), 160)}: {kind} {points}."


class _PageRun:
    """A run as templates see it."""

    confidence = PERCENT

    def __init__(
        self, figures: Figures, pictures: Pictures | None, ends: Mapping[int, bytes]
    ) -> None:
        self.figures, self.pictures, self.ends = figures, pictures, ends
        broken = () if figures.breaks is None else figures.breaks.broken
        self.broken = {row.index: row for row in broken}
        self.said_of_breaks = () if figures.breaks is None else said_of_breaks(figures.breaks)
        self.header, self.record, self.rows = figures.header, figures.record, figures.rows
        self.status, self.classifier = figures.status, figures.classifier
        self.within = figures.within
        self.summary, self.statements = figures.summary, figures.statements
        self.title = figures.title
        self.size = self.header.data.size
        self.classes = self.record.class_names
        self.features = features_table(figures)
        radii = self.summary.radii
        self.radius = radii[len(radii) // 2]
        shares = self.summary.certified_accuracy or self.summary.certified_share
        self.share = shares[len(radii) // 2]
        self.reached = int(self.share * self.summary.inputs)

    @property
    def denied(self) -> Iterator[str]:
        """What a reader might take from the page and must not."""
        return denied(self.figures)

    @property
    def details(self) -> tuple[str, ...]:
        """What a specialist needs."""
        note = details_of(self.figures, tabled=True)
        return (note.title, *note.details)

    @property
    def example(self) -> dict[str, Any] | None:
        """How much each value may change in a change of the headline radius; None if none may."""
        low, high = self.header.model.bounds
        values = math.prod(self.header.model.input_shape)
        if self.header.noise.norm != "l2" or self.radius == 0 or values > _MOST_VALUES:
            return None
        each = self.radius / math.sqrt(values)
        levels = None
        if self.header.arithmetic == "exact" and each <= high - low:
            levels = text_down(255 * each / (high - low), 1)
        small = text_down(each, 4) if each >= 1e-3 else f"{each:.2g}"
        return {"count": values, "each": small, "levels": levels}

    def at_each_radius(self, compared: bool) -> Table:
        """Return what the run says at each radius, of its inputs and of further ones.

        Args:
            compared: whether its certified accuracy stands in a table of several runs already.
        """
        summary, population = self.summary, self.statements.population
        columns: dict[str, Iterable[str]] = {"radius": map(in_full, summary.radii)}
        if summary.certified_accuracy is not None and not compared:
            columns["certified, right"] = map(percent, summary.certified_accuracy)
        columns["certified, right or wrong"] = map(percent, summary.certified_share)
        if population is not None:
            under = ", under this noise" * self.statements.shared_noise
            columns[f"further input: certified, right ({PERCENT}{under})"] = (
                f"{percent_down(i.low)}-{percent_up(i.high)}" for i in population.accuracy
            )
            columns[f"population: right and robust in truth, at least ({PERCENT})"] = (
                percent_down(i.robust_low) for i in population.accuracy
            )
        return Table([*map(Column, columns)], [*zip(*columns.values(), strict=True)])

    @cached_property
    def samples_differ(self) -> bool:
        """Whether inputs got different numbers of samples."""
        return len({row.samples for row in self.rows}) > 1

    @property
    def outcomes(self) -> set[str]:
        """The outcomes that inputs have."""
        return set(map(self.outcome, self.rows))

    @staticmethod
    def outcome(row: Row) -> str:
        """Return how an input ended."""
        if row.abstained:
            return "abstained"
        if row.label is None:
            return "certified"
        return "right" if row.correct else "wrong"

    @staticmethod
    def votes(row: Row) -> Iterator[tuple[int | str, int, int]]:
        """Yield the classes with most estimation samples: class, samples, and samples in all."""
        counts = row.estimation
        votes: dict[int | str, int] = {k: counts[k] for k in counts.top(_MOST_CLASSES)}
        votes[-1] = counts.no_class
        votes["others"] = counts.total - sum(votes.values())
        for k, count in votes.items():
            if count:
                yield k, count, counts.total
