"""What strangers wrote stays text in every format, judged by that format's own readers."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from reported import STRANGERS

from rsonnx.report import printable
from rsonnx.report.escape import latex_text, markdown_text, shortened

strangers = st.one_of(
    st.sampled_from(STRANGERS),
    st.text(alphabet="\\`*_[]<>~|$&#:/.!(){}-+=@ \"'^%1ax\u00e9\n\t", max_size=12),
    st.text(alphabet=",'=\uff1d ", max_size=6),
    st.text(max_size=12),
)


@given(strangers)
@example("www.a.b http://a.b ~x~ 1) a")
def test_markdown_shows_the_very_text(text: str) -> None:
    markdown = pytest.importorskip("markdown_it", reason="no reader of Markdown is installed")
    reader = markdown.MarkdownIt("commonmark").enable(["table", "strikethrough"])
    escaped = markdown_text(text)
    assert "\n" not in escaped
    tokens = reader.parse(f"| a |\n| --- |\n| x{escaped}x |\n\n- y{escaped}y")
    inline = [token for token in tokens if token.type == "inline"]
    assert len(inline) == 3  # the head, the cell, the line of the list
    for token, edge in zip(inline[1:], "xy", strict=True):
        kinds = {child.type for child in token.children or ()}
        assert kinds <= {"text", "text_special"}
        shown = "".join(child.content for child in token.children or ())
        assert shown == f"{edge}{printable(text)}{edge}"


@given(strangers)
@example("      code")
def test_at_the_start_of_a_line_nothing_begins_a_list_or_a_heading(text: str) -> None:
    markdown = pytest.importorskip("markdown_it", reason="no reader of Markdown is installed")
    tokens = markdown.MarkdownIt("commonmark").parse(f"- {markdown_text(text)}")
    kinds = [token.type for token in tokens]
    assert kinds.count("bullet_list_open") == 1
    begun = {"ordered_list_open", "heading_open", "hr", "fence", "code_block", "blockquote_open"}
    assert not begun & set(kinds)


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("$x$ &amp; #1", r"\$x\$ \&amp; \#1"),  # no formula, and no entity
        ("{{ site }}", r"\{\{ site \}\}"),  # no placeholder of a site generator
        ("{% include x %}", r"\{\% include x %\}"),
        ("http://a.b", r"http\://a.b"),  # no address that would become a link
        ("www.a.b", r"www\.a.b"),
        ("mnist-0.50.onnx: r=1", "mnist-0.50.onnx: r=1"),
    ],
)
def test_what_readers_of_markdown_act_on_beyond_it(text: str, escaped: str) -> None:
    assert markdown_text(text) == escaped


@given(strangers)
def test_latex_has_no_character_left_that_acts(text: str) -> None:
    escaped = latex_text(text)
    commands = re.sub(r"\\(?:text[a-z]+\{\}|[$&#%_{}])", "", escaped)
    grouped = re.sub(r"\{[-\[\]*]?\}", "", commands)
    assert ",," not in escaped
    assert not re.search(r"[\\{}$&#%_^~<>|\"'`\[\]*-]", grouped)
    for letter in grouped:
        assert letter.isascii() or unicodedata.name(letter).startswith("LATIN ")
    assert "\n" not in escaped


@given(st.text())
def test_a_long_name_is_shortened_in_the_middle(text: str) -> None:
    found = shortened(text)
    assert len(found) <= 48
    assert found == text or (len(text) > 48 and found.startswith(text[:24]))
    assert found[-1:] == text[-1:]
