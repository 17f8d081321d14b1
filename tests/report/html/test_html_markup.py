"""Whatever a stranger writes stays text, in content and in attributes."""

from __future__ import annotations

import html_pages
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsonnx.report.html.markup import Markup, element, escaped, foreign, joined

ANYTHING = st.text(st.characters(exclude_categories=()), max_size=80)


@given(ANYTHING)
def test_a_reader_gets_back_the_text_that_was_put_in(text: str) -> None:
    page = html_pages.tree(element("p", text, title=text))
    (p,) = page.all()
    shown = str(escaped(text))
    assert p.text == p.attributes["title"]
    if text.isprintable():
        assert p.text == text
    assert "<" not in shown
    assert all(c.isprintable() or c == "\n" for c in shown)
    shown.encode("utf-8")  # halves of letters are gone


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("\"'&", "&quot;&#x27;&amp;"),
        ("\u202egpj.exe", "\\x202egpj.exe"),
        ("a\x1b[31m\x00", "a\\x1b[31m\\x00"),
        ("\udc80", "\\xdc80"),
        ("two\nlines", "two\nlines"),
    ],
)
def test_spelling(text: str, shown: str) -> None:
    assert escaped(text) == shown


def test_markup_is_not_escaped_twice_and_text_once() -> None:
    assert joined("a < b ", element("b", "c & d")) == "a &lt; b <b>c &amp; d</b>"
    assert escaped(Markup("<b>")) == "<b>"
    # A string that was made of markup by other means counts as text.
    assert escaped(Markup("<b>") + "<i>") == "&lt;b&gt;&lt;i&gt;"


def test_attributes() -> None:
    made = element("i", class_="a", data_x=3, hidden=True, title=None, checked=False)
    assert made == '<i class="a" data-x="3" hidden></i>'
    assert element("br") == "<br>"


def test_a_strangers_words_are_on_one_line_isolated_and_shortened() -> None:
    assert foreign("a\nb") == "<bdi>a\\x0ab</bdi>"
    long = foreign("x" * 10_000 + "end")
    assert "end" in long
    assert "10,003 characters" in long
    assert len(long) < 250
