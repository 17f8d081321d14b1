"""The certified-accuracy tables of a page, several runs side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from rsonnx.report.accuracy import accuracy_table
from rsonnx.report.html.content import PageRun
from rsonnx.report.html.markup import Markup, element, foreign, joined
from rsonnx.report.population import LEVEL
from rsonnx.report.rounding import percent_down, percent_up, plain
from rsonnx.report.table import Cell, Column


def scrolled(table: Markup, label: str) -> Markup:
    """Return a table that scrolls sideways where it is too wide, by keyboard too."""
    return element("div", table, class_="scroll", role="region", aria_label=label, tabindex=0)


def accuracy_figures(runs: Sequence[PageRun]) -> Markup:
    """Return the table of papers: a row a run, a column a radius."""
    table = accuracy_table([run.figures for run in runs])
    head = element("tr", *(_column(column.head) for column in table.columns))
    body = [
        element(
            "tr",
            *(_shown(cell, column, run) for cell, column in zip(row, table.columns, strict=True)),
        )
        for row, run in zip(table.cells, runs, strict=True)
    ]
    made = element(
        "table",
        element("caption", "All inputs of each run; figures are rounded down"),
        element("thead", head),
        element("tbody", *body),
        class_="figures",
    )
    note = [] if table.marked is None else [element("p", table.marked, class_="notes")]
    return joined(scrolled(made, "Table of certified accuracy"), *note)


def _shown(cell: Cell, column: Column, run: PageRun) -> Markup:
    text = cell.text(column)
    mark = [" ", element("strong", f"({cell.status})", class_="bad")] if cell.status else []
    if column.name == "model":
        own = element("small", foreign(run.name))
        return element("th", foreign(text), " ", own, *mark, scope="row")
    return _cell(element("strong", text) if cell.best else text)


def beyond_table(runs: Sequence[PageRun]) -> Markup:
    """Return what the runs say of further inputs, and of unlabelled ones: intervals a radius."""
    radii = runs[0].figures.summary.radii
    table = element(
        "table",
        element("caption", f"At each radius, in %; intervals at {100 * LEVEL:g} % confidence each"),
        element("thead", element("tr", _column("Statement"), *(_column(plain(r)) for r in radii))),
        *(_beyond_rows(run, len(runs) > 1) for run in runs),
        class_="figures",
    )
    return scrolled(table, "Table of what follows beyond these inputs")


def _beyond_rows(run: PageRun, named: bool) -> Markup:
    summary, statements = run.figures.summary, run.figures.statements
    rows = [_row("of these inputs: certified, right or wrong", _percents(summary.certified_share))]
    if statements.accuracy is not None:
        both = [f"{_low(one.low)}-{percent_up(Fraction(one.high))}" for one in statements.accuracy]
        robust = [_low(one.robust_low) for one in statements.accuracy]
        chance = "of a further input: chance that its right class is certified"
        rows.append(_row(chance + ", under this noise" * statements.shared_noise, both))
        rows.append(_row("of the population: right and robust in truth, at least", robust))
    heading = []
    if named:
        width = len(summary.radii) + 1
        status = run.figures.heading.status
        mark = [] if status == "complete" else [" ", element("strong", f"({status})", class_="bad")]
        title = element(
            "th", foreign(run.title), *mark, colspan=width, scope="rowgroup", class_="group"
        )
        heading = [element("tr", title)]
    return element("tbody", *heading, *rows)


def _row(name: str, cells: Iterable[str]) -> Markup:
    return element("tr", element("th", name, scope="row"), *map(_cell, cells))


def _column(name: str, scope: str = "col", **attributes: int) -> Markup:
    return element("th", name, scope=scope, **attributes)


def _cell(text: str) -> Markup:
    return element("td", text)


def _percents(shares: Iterable[Fraction]) -> list[str]:
    return [percent_down(share) for share in shares]


def _low(share: float) -> str:
    return percent_down(Fraction(share))
