"""The colours of the page: read in both themes, and all named in its style."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest
from html_pages import page_run, tree

from rsonnx.report.page import render_page

STYLE = files("rsonnx.report").joinpath("templates", "page.css").read_text(encoding="utf-8")


def _luminance(colour: str) -> float:
    """Relative luminance of #rrggbb, as WCAG 2 defines it."""
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_colours_contrast_enough_in_both_themes(theme: int) -> None:
    pairs = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\);", STYLE)
    light = {name: _luminance(both[theme]) for name, *both in pairs}

    def contrast(one: str, other: str) -> float:
        low, high = sorted((light[one], light[other]))
        return (high + 0.05) / (low + 0.05)

    for ground in ("page", "card", "soft"):
        for ink in ("ink", "dull", "accent", "good", "bad"):
            assert contrast(ink, ground) >= 4.5, (ink, ground)
    assert contrast("warning-ink", "warning") >= 4.5
    assert all(contrast(f"line-{k}", "card") >= 4.5 for k in range(6))
    # WCAG 2 asks 3 of what is no text, and the count stands beside each bar all the same.
    assert contrast("bar", "card") >= 2.4


def test_every_colour_of_a_curve_is_one_of_the_style() -> None:
    page = render_page([page_run(file=f"{k}.jsonl") for k in range(8)])
    used = set(re.findall(r"var\(--([\w-]+)\)", tree(page).one("figure").name + page))
    assert {f"line-{k}" for k in range(6)} <= used
    assert all(f"--{name}:" in STYLE for name in used)
    figure = page[page.index("<figure>") : page.index("</figure>")]
    assert not re.search('#[0-9a-f]{6}"', figure)
