"""The curve of a page, against certified accuracy counted row by row."""

from __future__ import annotations

import re

import html_pages
import pytest
from html_pages import Node, page_run, row

from rsonnx.report.html.content import PageRun
from rsonnx.report.html.curve import curve

LEFT, WIDTH, TOP, HEIGHT = 56.0, 680.0, 16.0, 320.0


def drawn(*runs: PageRun) -> Node:
    return html_pages.tree(curve(runs))


def corners(path: str) -> list[tuple[float, float]]:
    """The corners of a path, as (part of the axis, share)."""
    x = y = 0.0
    found = []
    for letter, numbers in re.findall(r"([MLHV])([-\d. e]+)", path):
        values = [float(v) for v in numbers.split()]
        if letter in "ML":
            x, y = values
        elif letter == "H":
            (x,) = values
        else:
            (y,) = values
        found.append(((x - LEFT) / WIDTH, 1 - (y - TOP) / HEIGHT))
    return found


def lines(root: Node, kind: str) -> list[list[tuple[float, float]]]:
    return [
        corners(node.attributes["d"] or "")
        for node in root.one("svg", role="img").all("path")
        if (node.attributes["class"] or "").startswith(kind)
    ]


HITS = (990, 700, 500, 950, 950, 1000, 950)


def test_the_curve_is_certified_accuracy() -> None:
    rows = [row(k, hits=hits, label=1 if k == 3 else 3) for k, hits in enumerate(HITS)]
    (found,) = lines(drawn(page_run(rows)), "curve")
    axis = max(r.radius for r in rows)
    assert found[0] == (0, pytest.approx(5 / 7, abs=1e-4))
    for k in range(1, 400):
        part = k / 400
        expected = sum(r.correct and r.radius >= part * axis for r in rows) / len(rows)
        after = next(i for i, (x, _) in enumerate(found) if x >= part)
        # Where no step is within a quarter of a unit, the height of the line is the share.
        if all(abs(x - part) > 0.26 / WIDTH for x, _ in found):
            assert found[after][1] == pytest.approx(expected, abs=1e-4)
    assert found[-1] == (pytest.approx(1), pytest.approx(0))
    xs = [x for x, _ in found]
    assert xs == sorted(xs)


def test_the_band_is_as_wide_as_the_statement() -> None:
    run = page_run([row(k, hits=990 if k % 2 else 500) for k in range(100)])
    root = drawn(run)
    band = run.figures.statements.band
    assert band is not None
    (outline,) = lines(root, "band")
    shares = {round(y, 3) for _, y in outline}
    half = band.half_width  # 0.1358 of 100 inputs
    assert shares == {round(y, 3) for y in (0.5 + half, half, 0.5 - half, 0.0)}
    assert "±13.6 points" in root.text


def test_an_unlabelled_run_shows_what_is_certified_without_a_band() -> None:
    root = drawn(page_run([row(0, label=None), row(1, hits=500)]))
    assert lines(root, "band") == []
    (found,) = lines(root, "curve")
    assert found[0][1] == pytest.approx(0.5)
    assert "certified, right or wrong" in root.one("desc").text
    assert "are certified, right or wrong, with" in root.one("figcaption").text


def test_target_radii_are_marked() -> None:
    root = drawn(page_run(target_radii=[0.25, 9.0], radii=(0.0, 0.25, 9.0)))
    assert len(lines(root, "target")) == 1
    assert "Dotted: target radii" in root.text


@pytest.mark.parametrize("radius", [0.0, 5e-324, 1e-9, 1e308])
def test_any_radius_can_be_drawn(radius: float) -> None:
    made = row(0)
    one = type(made)(**{**vars(made), "radius": radius})
    root = drawn(page_run([one], radii=(0.0,)))
    for path in lines(root, "curve") + lines(root, "band"):
        assert all(-1e-6 <= v <= 1 + 1e-6 for corner in path for v in corner)


def test_a_curve_of_ten_thousand_radii_stays_small() -> None:
    made = row(0)
    rows = [type(made)(**{**vars(made), "index": k, "radius": k / 7000}) for k in range(10_000)]
    assert len(curve([page_run(rows)])) < 120_000
