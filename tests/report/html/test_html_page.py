"""The page as a whole: self-contained, well formed, accessible, and safe from strangers' words."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from html_pages import Node, page_run, row, tree

import rsonnx.report.html
from rsonnx.report import accuracy_report, to_text
from rsonnx.report.html import Pictures, render_page

PNG = b"\x89PNG\r\n\x1a\n and so on"
STYLE = (Path(rsonnx.report.html.__file__).parent / "page.css").read_text(encoding="utf-8")


def pages() -> Iterator[str]:
    """A page of one run with pictures, and one of three runs, of which one is incomplete."""
    pictures = Pictures("pictures", {0: PNG, 2: PNG}, checked=2, left_out={"it is broken": 1})
    yield render_page([page_run(pictures=pictures)])
    unlabelled = page_run([row(0, label=None), row(1)], file="b.jsonl")
    yield render_page([page_run(), unlabelled, page_run([row()], status="failed", file="c.jsonl")])


@pytest.fixture(params=[0, 1], ids=["one-run", "three-runs"])
def page(request: pytest.FixtureRequest) -> str:
    return list(pages())[request.param]


def test_nothing_is_fetched_from_anywhere(page: str) -> None:
    assert "http:" not in page
    assert "https:" not in page
    assert "@import" not in page
    assert "url(" not in page
    for node in tree(page).all():
        for name in ("src", "href"):
            address = node.attributes.get(name) or "#"
            assert address.startswith(("#", "data:")), address


def test_only_its_own_style_and_script_may_run(page: str) -> None:
    root = tree(page)
    policy = root.one("meta", **{"http-equiv": "Content-Security-Policy"}).attributes["content"]
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for name in ("style", "script"):
        (text,) = (node.text for node in root.all(name))
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy
    for node in root.all():
        assert "style" not in node.attributes, node
        assert not any(name.startswith("on") for name in node.attributes), node


def test_headings_are_in_order_and_sections_have_names(page: str) -> None:
    root = tree(page)
    levels = [int(node.name[1]) for node in root.all("h1", "h2", "h3", "h4", "h5")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b <= a + 1 for a, b in pairwise(levels))
    assert root.one("html").attributes["lang"] == "en"
    assert len(list(root.all("main"))) == 1
    ids = [node.attributes["id"] for node in root.all() if "id" in node.attributes]
    assert len(ids) == len(set(ids))
    for node in root.all():
        for reference in (node.attributes.get("aria-labelledby") or "").split():
            assert reference in ids
        target = node.attributes.get("href") or ""
        assert not target.startswith("#") or target[1:] in ids


def test_tables_pictures_and_controls_can_be_read_aloud(page: str) -> None:
    root = tree(page)
    for table in root.all("table"):
        assert table.one("caption").text
        assert all(head.attributes.get("scope") for head in table.all("th"))
        for line in table.one("tbody").all("tr"):
            assert any(line.all("th")), line
    for picture in root.all("img"):
        assert picture.attributes.get("alt")
    for drawing in root.all("svg"):
        if drawing.attributes.get("role") == "img":
            assert drawing.one("title").text
            assert drawing.one("desc").text
        else:
            assert drawing.attributes.get("aria-hidden") == "true"
    labelled = {id(node) for label in root.all("label") for node in label.all("input", "select")}
    assert labelled == {id(node) for node in root.all("input", "select")}
    assert all(button.text for button in root.all("button"))


def test_every_input_is_there_without_javascript(page: str) -> None:
    tables = [t for t in tree(page).all("table") if t.attributes.get("class") == "inputs"]
    found = [len(list(t.one("tbody").all("tr"))) for t in tables]
    assert found in ([3], [3, 2, 1])
    assert all("hidden" in form.attributes for form in tree(page).all("form"))


def test_a_row_shows_what_is_known_of_its_input() -> None:
    pictures = Pictures("pictures", {0: PNG}, checked=1)
    rows = [row(0), row(1, hits=700, label=1), row(2, hits=500), row(3, label=None)]
    root = tree(render_page([page_run(rows, pictures=pictures)]))
    table = root.one("table", **{"class": "inputs"})
    heads = [node.text for node in table.one("thead").all("th")]
    lines = [
        dict(zip(heads, [c for c in line.children if isinstance(c, Node)], strict=True))
        for line in table.one("tbody").all("tr")
    ]
    first = {name: cell.text for name, cell in lines[0].items()}
    picture = lines[0]["Picture"].one("img").attributes["src"]
    assert picture == "data:image/png;base64," + base64.b64encode(PNG).decode()
    assert first["Input"] == "fox/0.png"
    assert first["True class"] == first["Certified class"] == first["Model alone"] == "fox (3)"
    assert first["Outcome"] == "certified, right"
    assert first["Votes under noise"] == "fox (3): 990dog (1): 10"
    assert first["Samples"] == "1,100"
    # 990 of 1,000 at alpha 0.001: p_A >= 0.97775, so 0.5 * 2.00986; rounded down.
    assert first["Radius"] == f"{int(rows[0].radius * 10_000) / 10_000:.4f}"
    assert lines[1]["Outcome"].text == "certified, other than label"
    assert lines[2]["Outcome"].text.startswith("abstained low-probability: no class has more than")
    assert lines[2]["Certified class"].text == "-"
    assert lines[2]["Radius"].text == "0.0000"
    assert lines[3]["Outcome"].text == "certified, no label"
    assert lines[3]["True class"].text == "unknown"
    assert lines[1]["Picture"].text == "none"


def test_figures_are_those_of_the_text() -> None:
    run = page_run()
    text = to_text(accuracy_report([run.figures]))
    figures = next(
        line for line in text.splitlines() if line.startswith("tiny.onnx") and ":" not in line
    )
    table = tree(render_page([run])).one("table", **{"class": "figures"})
    cells = [cell.text for cell in table.one("tbody").all("td")]
    assert set(figures.split()[1:]) <= set(cells)
    assert "33.3" in cells


def test_pictures_say_how_far_they_were_checked() -> None:
    pictures = Pictures("there", {0: PNG}, checked=0, unchecked="it is silent", left_out={"x": 2})
    text = tree(render_page([page_run(pictures=pictures)])).text
    assert "0 of them have the digest of the input that was certified" in text
    assert "1 are not checked, since it is silent" in text
    assert "2 are left out: x." in text


HOSTILE = (
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</title></style><img src=x onerror=alert(1)>",
    "\"><svg onload='alert(1)'>",
    "' onmouseover='alert(1)",
    "&lt;b&gt;&amp;",
    "javascript:alert(1)",
    "\x00\x07\x1b[2J\u2028\u2029",
    "\u202emoc.elpmaxe\u202c",
    "\udc80\ud800",
    "<!--",
    "]]>",
    "x" * 10_000,
    "",
    "\u05d0\u05d1\u05d2",
)


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_strangers_words_stay_words(name: str) -> None:
    run = page_run(
        [row(0, name=name), row(1, hits=500, name=name)],
        status=name or "failed",
        file=name,
        pictures=Pictures(name, {0: PNG}, 1, name, {name: 1}),
        model={"file": name, "class_names": [name, name, name, name], "sha256": name},
        data={"path": name},
        noise={"units": name, "arithmetic": name, "generator": name},
        bound=name,
        radius_rule=name,
        arguments={"given": [name], name: name},
        versions={name: name},
    )
    page = render_page([run])
    page.encode("utf-8")
    root, plain = tree(page), tree(render_page([page_run([row(0), row(1, hits=500)])]))
    names = {node.name for node in root.all()}
    assert names <= {node.name for node in plain.all()} | {"img", "strong"}
    assert len(list(root.all("script"))) == len(list(root.all("style"))) == 1
    known = {a for node in plain.all() for a in node.attributes} | {"src", "alt", "loading"}
    assert {a for node in root.all() for a in node.attributes} <= known | {"decoding"}
    assert all(c.isprintable() or c == "\n" for c in page)
    if name.isprintable() and 0 < len(name) < 100:
        assert any(bdi.text == name for bdi in root.all("bdi"))
    assert len(page) < 300_000


def test_a_header_that_holds_anything_is_shown() -> None:
    deep: object = []
    for _ in range(5000):
        deep = [deep]
    run = page_run(
        model={"class_names": 3, "input_shape": 10**400, "preprocess": deep, "bounds": []},
        data=[],
        seed=None,
        versions=deep,
    )
    assert "nested too deeply" in render_page([run])


def test_ten_thousand_inputs_are_a_few_megabytes() -> None:
    known = [row(k, hits=hits) for k, hits in enumerate((990, 700, 500))]
    rows = [
        type(known[0])(**{**vars(known[k % 3]), "index": k, "name": f"{k}"}) for k in range(10_000)
    ]
    # 390 bytes a row, or 500 for an abstention with its explanation.
    assert len(render_page([page_run(rows)])) < 6_000_000


def _luminance(colour: str) -> float:
    """Relative luminance of #rrggbb, as WCAG 2 defines it."""
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_of_known_colours() -> None:
    assert _contrast("#000000", "#ffffff") == pytest.approx(21)
    assert _contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)  # WCAG's own example


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_colours_contrast_enough_in_both_themes(theme: int) -> None:
    pairs = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\);", STYLE)
    colours = {name: both[theme] for name, *both in pairs}
    for ground in ("page", "card", "soft"):
        for ink in ("ink", "dull", "accent", "good", "bad"):
            assert _contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
    assert _contrast(colours["warning-ink"], colours["warning"]) >= 4.5
    for k in range(6):
        assert _contrast(colours[f"line-{k}"], colours["card"]) >= 4.5
    # WCAG 2 asks 3 of what is no text, and the count stands beside each bar all the same.
    assert _contrast(colours["bar"], colours["card"]) >= 2.4


def test_there_are_as_many_colours_as_the_style_has() -> None:
    runs = [page_run(file=f"{k}.jsonl") for k in range(8)]
    drawn = render_page(runs)
    assert "line-5 dash-0" in drawn
    assert "line-1 dash-1" in drawn
    assert "line-6" not in drawn
