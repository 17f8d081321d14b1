"""The page: one file that asks the network for nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from importlib.resources import files

from rsonnx._version import __version__
from rsonnx.report.html.content import PageRun
from rsonnx.report.html.curve import curve
from rsonnx.report.html.glossary import glossary
from rsonnx.report.html.inputs import input_list, pictures_note
from rsonnx.report.html.markup import Markup, element, foreign, joined
from rsonnx.report.html.provenance import provenance
from rsonnx.report.html.summary import overview
from rsonnx.report.html.tables import accuracy_figures, beyond_table
from rsonnx.report.html.words import incomplete
from rsonnx.report.notes import notes_of
from rsonnx.report.population import legend
from rsonnx.report.table import JOINT

_LONGEST_NOTE = 2_000
_SECTIONS = (
    ("summary", "Summary"),
    ("accuracy", "Certified accuracy"),
    ("inputs", "Inputs"),
    ("provenance", "Provenance"),
    ("glossary", "Terms"),
)


def render_page(runs: Sequence[PageRun]) -> str:
    """Return the report of one or more runs over the same radii as a page of HTML.

    The page needs no network and no JavaScript; a script adds sorting and filtering. Only its own
    style and script may run: their digests are in its content security policy.
    """
    style, script = _resource("page.css"), _resource("page.js")
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_policy(style, script)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="generator", content=f"rsonnx {__version__}"),
        element("link", rel="icon", href="data:,"),  # else a browser asks the server for one
        element("title", f"Robustness certificates: {runs[0].title}"),
        element("style", style),
        element("script", script),
    )
    body = element(
        "body",
        element("a", "Skip to the report", href="#main", class_="skip"),
        _banner(runs),
        element("main", *_sections(runs), id="main"),
        element("footer", element("p", f"Made by rsonnx {__version__} from run files alone.")),
    )
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


def _resource(name: str) -> Markup:
    return Markup(files(__package__).joinpath(name).read_text(encoding="utf-8"))


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; style-src {_source(style)}; script-src {_source(script)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _banner(runs: Sequence[PageRun]) -> Markup:
    links = (element("li", element("a", title, href=f"#{anchor}")) for anchor, title in _SECTIONS)
    themes = (
        element(
            "label",
            element("input", type="radio", name="theme", id=f"theme-{name.lower()}", checked=on),
            f" {name}",
        )
        for name, on in (("Auto", True), ("Light", False), ("Dark", False))
    )
    subject = joined("of ", foreign(runs[0].title)) if len(runs) == 1 else f"of {len(runs)} runs"
    return element(
        "header",
        element("h1", "Robustness certificates ", element("span", subject)),
        element("nav", element("ul", *links), aria_label="Sections"),
        element("fieldset", element("legend", "Colours"), *themes),
    )


def _sections(runs: Sequence[PageRun]) -> Iterator[Markup]:
    content = {
        "summary": [overview(run, len(runs) > 1) for run in runs],
        "accuracy": [accuracy_figures(runs), curve(runs), *_beyond(runs)],
        "inputs": [part for number, run in enumerate(runs) for part in _inputs(run, number, runs)],
        "provenance": [part for run in runs for part in (*_name(run, runs), provenance(run))],
        "glossary": [glossary(runs)],
    }
    warnings = [warning for run in runs if (warning := incomplete(run)) is not None]
    for warning in warnings:
        yield element("p", element("strong", "Incomplete. "), warning, class_="warning")
    for anchor, title in _SECTIONS:
        heading = element("h2", title, id=f"{anchor}-title")
        yield element(
            "section", heading, *content[anchor], id=anchor, aria_labelledby=f"{anchor}-title"
        )


def _beyond(runs: Sequence[PageRun]) -> Iterator[Markup]:
    yield element("h3", "Beyond these inputs")
    yield beyond_table(runs)
    yield element("h3", "Notes")
    for run in runs:
        notes = notes_of(run.figures)
        items = (element("li", _note(detail)) for detail in notes.details)
        yield element("p", _note(notes.title), class_="notes")
        yield element("ul", *items, class_="notes")
    drawn = any(run.figures.drawn for run in runs)
    yield element("p", legend(drawn=drawn), class_="notes")


def _note(text: str) -> Markup:
    return foreign(text.replace(JOINT, " "), _LONGEST_NOTE)


def _inputs(run: PageRun, number: int, runs: Sequence[PageRun]) -> Iterator[Markup]:
    yield from _name(run, runs)
    if run.pictures is not None:
        yield element("p", pictures_note(run.pictures), class_="notes")
    yield input_list(run, number)


def _name(run: PageRun, runs: Sequence[PageRun]) -> list[Markup]:
    return [element("h3", foreign(run.title))] if len(runs) > 1 else []
