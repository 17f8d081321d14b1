"""The site is built without a warning, shows every public name, and needs no network."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

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


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
def test_the_site_is_built_strictly_and_needs_no_network(tmp_path: Path) -> None:
    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace, patch_docutils

    with patch_docutils(), docutils_namespace():
        app = Sphinx(
            DOCS,
            DOCS,
            tmp_path / "site",
            tmp_path / "tree",
            "html",
            warningiserror=True,
            status=None,
        )
        app.build()
    assert app.statuscode == 0
    named = re.findall(r'id="rsonnx\.(\w+)"', (tmp_path / "site/reference/api.html").read_text())
    assert set(rsonnx.__all__) <= set(named)
    for page in (tmp_path / "site").rglob("*.html"):
        loaded = re.findall(
            r'<(?:script|link|img)[^>]*(?:src|href)="(https?:)?//', page.read_text()
        )
        assert not loaded, page
    assert "searchindex" in (tmp_path / "site/search.html").read_text()
