"""The site is built without a warning, shows every public name, and leads nowhere that is not."""

from __future__ import annotations

import re
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote, urlsplit

import pytest
from headless_chromium import browser, find_chromium

import rsonnx

pytest.importorskip("sphinx", reason="the site needs the extra rsonnx[docs]")
pytest.importorskip("furo", reason="the site needs the extra rsonnx[docs]")
pytest.importorskip("myst_parser", reason="the site needs the extra rsonnx[docs]")

DOCS = Path(__file__).resolve().parents[1] / "docs"


@pytest.fixture
def extension(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """Import an extension of the site by its name."""
    monkeypatch.syspath_prepend(DOCS / "_ext")
    yield __import__
    for name in ("commands", "refusals"):
        sys.modules.pop(name, None)


def test_what_is_said_to_be_met_often_is_said(extension: Callable[[str], ModuleType]) -> None:
    told = extension("refusals").refusals().values()
    sentences = [text for of_kind in told for texts in of_kind.values() for text in texts]
    page = (DOCS / "reference/errors.md").read_text(encoding="utf-8")
    met = page.partition("## Often met")[2].partition("\n## ")[0]
    rows = [line.split(" | ")[0].strip("| ") for line in met.splitlines() if line.startswith("| ")]
    assert len(rows) > 10
    for row in rows[2:]:
        assert any(row in sentence for sentence in sentences), row


def test_every_refusal_has_a_place_in_the_index(extension: Callable[[str], ModuleType]) -> None:
    page = (DOCS / "reference/errors.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"```\{refusals\} (\w+)", page))
    assert listed == {kind.__name__ for kind in extension("refusals").refusals()}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site as strictly as CI does."""
    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace, patch_docutils

    place = tmp_path_factory.mktemp("site")
    built = place / "site"
    with warnings.catch_warnings(), patch_docutils(), docutils_namespace():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        app = Sphinx(DOCS, DOCS, built, place / "tree", "html", warningiserror=True, status=None)
        app.build()
    assert app.statuscode == 0
    return built


@pytest.mark.slow
def test_the_site_shows_every_public_name_and_needs_no_network(site: Path) -> None:
    named = re.findall(r'id="rsonnx\.(\w+)"', (site / "reference/api.html").read_text())
    assert set(rsonnx.__all__) <= set(named)
    for page in site.rglob("*.html"):
        prose = re.sub(r"<pre>.*?</pre>", "", page.read_text(), flags=re.DOTALL)
        assert "``" not in prose, f"{page} shows marks in place of code"
        loaded = re.findall(
            r'<(?:script|link|img)[^>]*(?:src|href)="(https?:)?//', page.read_text()
        )
        assert not loaded, page


class _Targets(HTMLParser):
    """What can be linked to on a page, and what it links to."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.names: set[str | None] = {""}
        self.links: list[str] = []
        self.feed(page.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        self.names.add(said.get("id"))
        self.links += filter(None, (said.get("href"), said.get("src")))


@pytest.mark.slow
def test_every_link_of_the_site_leads_somewhere(site: Path) -> None:
    pages = {page: _Targets(page) for page in site.rglob("*.html")}
    for page, targets in pages.items():
        for link in targets.links:
            address = urlsplit(link)
            if address.scheme:
                assert address.scheme in ("http", "https"), (page, link)
                continue
            leads_to = (page.parent / unquote(address.path)).resolve() if address.path else page
            assert leads_to.exists(), (page, link)
            if leads_to in pages:
                assert unquote(address.fragment) in pages[leads_to].names, (page, link)


@pytest.mark.slow
def test_pages_fit_a_phone_and_are_searched_without_a_server(site: Path) -> None:
    program = find_chromium()
    if program is None:
        pytest.skip("there is no Chromium to look with")
    with browser(program) as page:
        page.command(
            "Emulation.setDeviceMetricsOverride",
            **{"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True},
        )
        for path in site.rglob("*.html"):
            page.open(path.as_uri())
            assert page("document.documentElement.scrollWidth") <= 390, path
        page.open(f"{(site / 'search.html').as_uri()}?q=clopper")
        shown = "document.querySelector('#search-results a[href*=\"smoothing.html\"]') !== null"
        ended = time.monotonic() + 30
        while not page(shown) and time.monotonic() < ended:
            time.sleep(0.1)
        assert page(shown)
