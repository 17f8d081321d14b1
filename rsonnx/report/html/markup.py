"""HTML that is built, never pasted: whatever is text becomes text, whoever wrote it.

Only :func:`element` and :func:`joined` make :class:`Markup`; any other string is escaped on its way
into a page, in content and in attributes alike.
"""

from __future__ import annotations

import html

from rsonnx.report.escape import printable

_VOID = {"br", "img", "input", "link", "meta"}
MOST_SHOWN = 160
_TAIL = 40

Attribute = str | int | bool | None


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def escaped(text: str) -> Markup:
    """Return text as HTML that shows it; what no reader could see is spelt out, as ``\\x1b``.

    Control codes, marks that turn the direction of writing, and halves of letters that UTF-8 has
    no bytes for are all of that kind. Line breaks stay.
    """
    if isinstance(text, Markup):
        return text
    if not text.isprintable():
        text = "\n".join(printable(line) for line in text.split("\n"))
    return Markup(html.escape(text, quote=True))


def element(name: str, /, *children: str, **attributes: Attribute) -> Markup:
    """Return an element of HTML or SVG.

    Args:
        name: of the element.
        children: text, which is escaped, and markup, which is not.
        attributes: ``class_`` is ``class``, and ``data_x`` is ``data-x``. None and False leave an
            attribute out, True gives it no value.
    """
    words = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        word = key.rstrip("_").replace("_", "-")
        words.append(word if value is True else f'{word}="{escaped(str(value))}"')
    opening = f"<{' '.join(words)}>"
    if name in _VOID:
        return Markup(opening)
    return Markup(f"{opening}{''.join(map(escaped, children))}</{name}>")


def joined(*parts: str) -> Markup:
    """Return text and markup one behind the other."""
    return Markup("".join(map(escaped, parts)))


def shortened(text: str, most: int = MOST_SHOWN) -> str:
    """Return a stranger's words on one line, all of them visible, and only so many."""
    if len(text) > most:
        text = f"{text[: most - _TAIL]}…{text[-_TAIL:]} ({len(text):,} characters)"
    return printable(text)


def foreign(text: str, most: int = MOST_SHOWN) -> Markup:
    """Return a stranger's words, shortened, and unable to turn their neighbours."""
    return element("bdi", shortened(text, most))
