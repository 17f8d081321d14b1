"""The page: what it says follows from the run, it asks nobody, and strangers' words stay words."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from fractions import Fraction
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import pytest
from html_pages import Node, page_run, row, tree
from reported import named

from rsonnx.errors import RunFileError, UsageError
from rsonnx.noise import Gaussian
from rsonnx.report import Figures, accuracy_report, figures_of, to_text, told_apart
from rsonnx.report.page import Pictures, confidence, page_environment, render_page
from rsonnx.report.rounding import percent_up
from rsonnx.runs import read_run

PNG = b"\x89PNG\r\n\x1a\n not much of a picture"


def words(run: Figures) -> str:
    """The summary of a page's only run."""
    return tree(render_page([run])).one("section", id="summary-0").text


@pytest.mark.parametrize(
    ("alpha", "text"),
    [
        (0.001, "99.9 %"),
        (0.05, "95 %"),
        (0.0123456, "98.76 %"),  # the error is rounded up, to 0.0124
        (1.9999999999999998e-06, "99.9998 %"),
        (1e-300, "1 - 1E-300"),
    ],
)
def test_confidence_is_rounded_down(alpha: float, text: str) -> None:
    assert confidence(alpha) == text


SHARED = {"norm": "l2", "distribution": "gaussian", "shared": True}
BEFORE = {
    "alpha": 0.01,
    "bound": "clopper-pearson",
    "radius_rule": "one-sided",
    "family_wise": None,
}
COPIES = [type(r)(**{**vars(r), "digest": "d"}) for r in (row(0), row(1))]
UNLABELLED = [row(0, label=None), row(1, hits=700), row(2, hits=500)]


@pytest.mark.parametrize(
    ("run", "said", "absent"),
    [
        (page_run(), "For 1 of 3 inputs (33.3 %) ", "floating point"),
        (
            page_run(),
            "(99.9 % confidence in each) to keep it under every change of Euclidean",
            "lab",
        ),
        # 0.5 over 64 values is 0.0625 each, 15.9375 levels.
        (page_run(), "each of the 64 values by about 0.0625 (15.9 of 255 levels)", "Restated"),
        # P(Bin(3, 0.001) = 0) = 0.997 > 0.95, and 3 * 0.001 = 0.003.
        (
            page_run(),
            "at most 0.003 are expected to have a false certificate; with 95 %",
            "stopped",
        ),
        (page_run([row()]), "tiny.onnx", "abstention"),
        (
            page_run([row(0), row(1, label=2)]),
            "of 2 inputs certified for a wrong class",
            "unknown",
        ),
        (page_run(UNLABELLED), "is unknown: not every input has a label", "accuracy"),
        (page_run(UNLABELLED), "Of further inputs nothing is said here", "drawn from"),
        (page_run(family_wise=0.001, alpha=0.0003), "at least 99.9 %", "each alone may be"),
        (
            page_run(target_radii=[0.25], bound="e-process", num_classes=None, radii=(0.0, 0.25)),
            "elsewhere than at 0.25.",
            "Restated",
        ),
        (page_run(noise={"arithmetic": "float"}), "drawn in floating point", "levels"),
        (page_run(restated_from=BEFORE), "sampled for alpha = 0.01", "interrupted"),
        (page_run(restated_from=BEFORE | {"alpha": 0.001}), "Restated", "without looking"),
        (page_run([row()], status="interrupted"), "on 1 of the 3 inputs", "abstention"),
        (page_run([row(0, name="a"), row(1, name="b")]), "independent", "counted as false"),
        (page_run(COPIES), "1 input that equals another is counted as false with it", "Markov"),
        (page_run(noise=SHARED), "They may be false together", "independent between inputs"),
        (
            page_run(noise=Gaussian(0.5, "l1").to_json()),
            "sum to less than 0.5 (l1 norm)",
            "Euclidean",
        ),
        (page_run(radii=(0.0,)), "small changes, each up to a radius of its own.", "For scale"),
        (
            page_run(
                model={"bounds": {"low": "-inf", "high": "inf", "source": "argument"}},
                noise={"arithmetic": "float"},
            ),
            "For scale",
            "levels",
        ),
    ],
)
def test_the_summary_says_what_follows_and_nothing_else(
    run: Figures, said: str, absent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("rsonnx.report.page"), "_curves", lambda _: ())
    text = words(run)
    assert said in text
    assert absent not in text


def test_incomplete_runs_are_warned_of_first() -> None:
    root = tree(render_page([page_run(), page_run([row()], status="interrupted")]))
    warning = root.one("p", **{"class": "warning"})
    assert "interrupted: it holds 1 of 3 inputs" in warning.text
    assert tree(render_page([page_run()])).text.count("Incomplete") == 0


@pytest.mark.parametrize("noise", [{"norm": "l7"}, {"distribution": "cubic"}, {"sigma": "x"}])
def test_noise_that_is_none_makes_no_page(noise: dict[str, str]) -> None:
    with pytest.raises(RunFileError, match="header"):
        page_run(noise=noise)


def pages() -> Iterator[str]:
    yield render_page([page_run()], [Pictures("there", {0: PNG})])
    other = page_run([row(0)], model={"file": "two.onnx"}, noise={"units": "something else"})
    yield render_page([page_run(), page_run([row(0), row(1)], status="interrupted"), other])


@pytest.fixture(params=[0, 1], ids=["one-run", "three-runs"], scope="module")
def page(request: pytest.FixtureRequest) -> str:
    return list(pages())[request.param]


def test_nothing_is_fetched_from_anywhere(page: str) -> None:
    for word in ("http:", "https:", "@import"):
        assert word not in page
    assert page.count("url(") == page.count("url(#figure-")
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
        (text,) = (node.raw for node in root.all(name))
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy
    for node in root.all():
        assert "style" not in node.attributes, node
        assert not any(name.startswith("on") for name in node.attributes), node


def test_headings_are_in_order_and_references_are_there(page: str) -> None:
    root = tree(page)
    levels = [int(node.name[1]) for node in root.all("h1", "h2", "h3", "h4", "h5")]
    assert levels[0] == levels.count(1) == 1
    assert all(b <= a + 1 for a, b in pairwise(levels))
    assert root.one("html").attributes["lang"] == "en"
    ids = [node.attributes["id"] for node in root.all() if "id" in node.attributes]
    assert len(ids) == len(set(ids))
    for node in root.all():
        clip = re.findall(r"url\(#(.*)\)", node.attributes.get("clip-path") or "")
        target = (node.attributes.get("href") or "").partition("#")[2]
        for reference in (node.attributes.get("aria-labelledby") or "").split() + clip:
            assert reference in ids
        assert not target or target in ids


def test_tables_pictures_and_controls_can_be_read_aloud(page: str) -> None:
    root = tree(page)
    for table in root.all("table"):
        assert table.one("caption").text
        assert all(head.attributes.get("scope") for head in table.all("th"))
        for line in table.one("tbody").all("tr"):
            assert any(line.all("th")), line
    assert all(picture.attributes.get("alt") for picture in root.all("img"))
    drawings = [node for node in root.all("div") if node.attributes.get("role") == "img"]
    assert sum(len(list(node.all("svg"))) for node in drawings) == len(list(root.all("svg")))
    assert all("certified accuracy 66.7 % at 0" in str(drawings[0].attributes) for _ in drawings)
    labelled = {id(node) for label in root.all("label") for node in label.all("input", "select")}
    assert labelled == {id(node) for node in root.all("input", "select")}
    assert all(button.text for button in root.all("button"))


def test_every_input_is_there_without_javascript(page: str) -> None:
    tables = [t for t in tree(page).all("table") if t.attributes.get("class") == "inputs"]
    assert [len(list(t.one("tbody").all("tr"))) for t in tables] in ([3], [3, 2, 1])
    assert all("hidden" in form.attributes for form in tree(page).all("form"))


def test_runs_of_several_units_and_radii_that_no_picture_shows_are_drawn_apart() -> None:
    lone, three = (tree(text) for text in pages())
    assert [len(list(root.all("figure"))) for root in (lone, three)] == [1, 2]
    huge = page_run([type(r)(**{**vars(r), "radius": 1e300}) for r in (row(),)])
    assert "which no picture can show" in tree(render_page([huge])).one("figure").text


def test_a_shaded_curve_says_what_is_shaded() -> None:
    for run in (page_run(), page_run(UNLABELLED)):
        population = run.statements.population
        caption = tree(render_page([run])).one("figcaption").text
        assert ("Shaded" in caption) == (population is not None)
        if population is not None:
            assert f"±{percent_up(Fraction(population.band.half_width))} points" in caption


def test_a_row_shows_what_is_known_of_its_input() -> None:
    rows = [row(0), row(1, hits=700, label=1), row(2, hits=500), row(3, label=None)]
    root = tree(render_page([page_run(rows)], [Pictures("pictures", {0: PNG})]))
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
    assert first["True class"] == first["Certified class"] == first["Model alone"] == "3 fox"
    assert first["Votes under noise"].split() == ["3", "fox", "990", "1", "dog", "10"]
    assert "Samples" not in first  # all have the same
    assert "1,100 samples" in table.one("caption").text
    # 990 of 1,000 at alpha 0.001: p_A >= 0.97775, so 0.5 * 2.00986; rounded down.
    assert first["Radius"] == f"{int(rows[0].radius * 10_000) / 10_000:.4f}"
    outcomes = ["certified, right", "certified, wrong", "abstained", "certified, no label"]
    assert [line["Outcome"].one("span").text for line in lines] == outcomes
    assert rows[2].reason in lines[2]["Outcome"].text
    shown = [lines[2]["Certified class"], lines[2]["Radius"], lines[3]["True class"]]
    assert [cell.text for cell in (*shown, lines[1]["Picture"])] == [
        "-",
        "0.0000",
        "unknown",
        "none",
    ]


def test_figures_are_those_of_the_text() -> None:
    line = to_text(accuracy_report([page_run()])).splitlines()[1]
    runs = [page_run(file="a.jsonl"), page_run(file="b.jsonl")]
    table = tree(render_page(runs)).one("table", **{"class": "figures comparison"})
    assert [node.text for node in table.all("small")] == ["a.jsonl", "b.jsonl"]
    cells = [cell.text for cell in table.one("tbody").all("td")]
    assert set(line.split()[1:]) <= {
        *cells,
        *re.findall(r"= ([0-9.,]+\b)", table.one("caption").text),
    }


def test_several_runs_are_compared_first_and_what_is_true_of_all_is_said_once() -> None:
    runs = [page_run(file=f"{name}.jsonl", model={"file": f"{name}.onnx"}) for name in "abc"]
    root = tree(render_page(runs))
    first, *others = root.one("main").children_named("section")
    assert first.attributes["id"] == "comparison"
    assert [node.attributes["id"] for node in others] == ["run-0", "run-1", "run-2", "glossary"]
    for run, own in zip(runs, others, strict=False):
        assert run.classifier in first.text
        assert run.title in own.one("h2").text
        assert len(list(own.all("table"))) == 2  # at each radius, and the inputs
    said = [
        node.text
        for part in root.all("div")
        if part.attributes.get("class") in ("told", "denied")
        for node in part.all("p", "li")
    ]
    assert len(said) == len(set(said)) > 6


@pytest.mark.parametrize("names", [(), ("ours", "theirs")])
@pytest.mark.parametrize("folders", [("runs", "runs"), ("old", "new")])
def test_each_run_of_a_comparison_is_beside_its_file_once(
    names: tuple[str, ...], folders: tuple[str, str]
) -> None:
    paths = [f"{folders[0]}/a (1).jsonl", f"{folders[1]}/b.jsonl"]
    runs = told_apart([named(path, page_run([row(0)])) for path in paths], names)
    table = tree(render_page(runs)).one("table", **{"class": "figures comparison"})
    heads = [node.text for node in table.all("th") if node.attributes.get("scope") == "row"]
    for head, path in zip(heads, paths, strict=True):
        assert head.count(Path(path).name) == 1
        assert head.count("(") == head.count(")")


def test_what_the_curve_shows_is_named_with_its_norm_and_units() -> None:
    figure = tree(render_page([page_run()])).one("figure")
    for text in (figure.one("svg").text, figure.one("figcaption").text):
        assert page_run().radii_of in text


def test_inputs_without_a_picture_are_counted() -> None:
    pictures = Pictures("there", {0: PNG}, left_out={"x": 2})
    assert "2 are left out: x." in tree(render_page([page_run()], [pictures])).text


HOSTILE = (
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</title></style><img src=x onerror=alert(1)>",
    "\"><svg onload='alert(1)'>",
    "' onmouseover='alert(1)",
    'style="fill: red"',
    "{{ runs }}{% raise %}",
    "&lt;b&gt;&amp;",
    "\x00\x07\x1b[2J\u2028\u2029",
    "\u202emoc.elpmaxe\u202c",
    "\udc80\ud800",
    "<!--",
    "]]>",
    "x" * 10_000,
    "",
    "\u05d0\u05d1\u05d2",
)


@pytest.fixture(scope="module")
def plain() -> Node:
    return tree(render_page([page_run([row(0), row(1, hits=500)])]))


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_strangers_words_stay_words(name: str, plain: Node) -> None:
    text = name.encode(errors="replace").decode()  # what is no name of a file is Unicode
    run = page_run(
        [row(0, name=name), row(1, hits=500, name=name)],
        status=name or "failed",
        file=name,
        model={"file": name, "class_names": [name, name, name, name]},
        data={"path": name},
        noise={"units": text, "generator": text},
        arguments={"given": [name], "resolved": {"data": name}},
        versions={text: text},
    )
    page = render_page([run], [Pictures(name, {0: PNG}, {name: 1})])
    page.encode("utf-8")
    root = tree(page)
    assert {n.name for n in root.all()} <= {n.name for n in plain.all()} | {"img", "strong"}
    assert len(list(root.all("script"))) == len(list(root.all("style"))) == 1
    known = {a for node in plain.all() for a in node.attributes} | {
        "src",
        "alt",
        "loading",
        "title",
    }
    assert {a for node in root.all() for a in node.attributes} <= known | {"decoding"}
    assert all(c.isprintable() or c == "\n" for c in page)
    if name.isprintable() and 0 < len(name) < 100:
        assert any(bdi.text == name for bdi in root.all("bdi"))
        assert any(name in text.text for text in root.all("text"))
    assert len(page) < 300_000


def test_every_kind_of_run_has_its_place_on_one_page() -> None:
    files = sorted((Path(__file__).parents[1] / "golden/runs").glob("*.jsonl"))
    runs = [read_run(file) for file in files if not file.stem.startswith("samples")]
    root = tree(render_page([figures_of(run, (0.0, 0.25, 1.0)) for run in runs]))
    names = [node.attributes.get("id") or "" for node in root.all("section")]
    assert sum(name.startswith("run-") for name in names) == len(runs) > 30
    measures = {(run.header.noise.norm, run.header.units) for run in runs}
    assert len(list(root.all("figure"))) == len(measures) > 4
    assert "certain" in root.text  # what was counted in full


def test_two_thousand_inputs_are_a_megabyte() -> None:
    known = [vars(row(k, hits=hits)) for k, hits in enumerate((990, 700, 500))]
    rows = [type(row())(**{**known[k % 3], "index": k, "name": f"{k}"}) for k in range(2_000)]
    assert len(render_page([page_run(rows)])) < 1_600_000


@pytest.mark.parametrize("package", ["jinja2", "matplotlib.style"])
def test_a_missing_extra_is_one_sentence(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, package, None)
    page_environment.cache_clear()
    with pytest.raises(UsageError, match=r"not installed: pip install 'rsonnx\[report\]'"):
        render_page([page_run()])
