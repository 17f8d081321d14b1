"""What a reader sees first: the result in a sentence, its figures, and what they do not mean."""

from __future__ import annotations

from collections.abc import Iterator

from rsonnx.report.html.content import PageRun
from rsonnx.report.html.markup import Markup, element, foreign
from rsonnx.report.html.words import (
    against,
    confidence,
    headline_radius,
    how_sure,
    lead,
    not_claimed,
    what,
)
from rsonnx.report.rounding import percent_down, plain, text_down


def overview(run: PageRun, named: bool) -> Markup:
    """Return the summary of one run; under its name where the page has several."""
    level = "h4" if named else "h3"
    name = [element("h3", foreign(run.title))] if named else []
    told = (
        element("div", element(level, title), element("p", text))
        for title, text in (
            ("What was certified", what(run)),
            ("Against what", against(run)),
            ("How sure it is", how_sure(run)),
        )
    )
    denied = element("ul", *(element("li", text) for text in not_claimed(run)))
    return element(
        "article",
        *name,
        element("p", lead(run), class_="lead"),
        element("dl", *_tiles(run), class_="tiles"),
        element("div", *told, class_="told"),
        element("div", element(level, "What is not claimed"), denied, class_="denied"),
    )


def _tiles(run: PageRun) -> Iterator[Markup]:
    summary, radius = run.figures.summary, headline_radius(run)
    at = summary.radii.index(radius)
    if summary.certified_accuracy is None:
        shares, kind = summary.certified_share, "certified, right or wrong"
    else:
        shares, kind = summary.certified_accuracy, "certified accuracy"
    yield _tile(f"{kind} at radius {plain(radius)}", f"{percent_down(shares[at])} %")
    if summary.acr is not None:
        yield _tile("average certified radius (ACR)", text_down(summary.acr, 4))
    if summary.standard_accuracy is not None:
        yield _tile("model alone, without noise", f"{percent_down(summary.standard_accuracy)} %")
    yield _tile(f"of {summary.inputs:,} inputs abstained", f"{summary.abstained:,}")
    settings = run.figures.heading.settings
    if settings.exact:
        yield _tile("certificates, without chance", "certain")
    elif settings.family_wise is None:
        yield _tile("confidence in each certificate", confidence(settings.alpha))
    else:
        yield _tile("confidence in all certificates at once", confidence(settings.family_wise))


def _tile(name: str, value: str) -> Markup:
    return element("div", element("dt", name), element("dd", value))
