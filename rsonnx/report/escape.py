"""Text from strangers stays text: on a terminal, in Markdown and in LaTeX.

A model, a file or a class may be called anything; whoever shows the name escapes it.
"""

from __future__ import annotations

import re

from rsonnx.spreadsheet import spreadsheet_text

_MARKDOWN = re.compile(
    r"[\\`*_\[\]{}<>~|$&#]|(?<=\{)%|:(?=//)|(?<=www)[.]|^[-+ ]|^[0-9]+(?=[.)])", re.IGNORECASE
)
"""What Markdown, GitHub's and Hugging Face's additions too, would act on within a line.

Braces are for site generators, which look for ``{{`` and ``{%`` before they read Markdown.
"""

_LATEX = {
    "\\": r"\textbackslash{}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedblright{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    "-": "{-}",  # two of them would become a dash
    "[": "{[}",  # at the start of a line of a table it would be an option
    "]": "{]}",
    "*": "{*}",
}
_LATEX_LETTERS = frozenset("ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝßàáâãäåæçèéêëìíîïñòóôõöøùúûüýÿ")
"""Letters that every LaTeX has; others would stop it, so they are shown by their number."""


def printable(text: str) -> str:
    """Return a stranger's text without anything that a terminal would act on."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def markdown_text(text: str) -> str:
    """Return text for a line or a table cell of Markdown, without anything that it acts on."""
    return _MARKDOWN.sub(_escaped, printable(text))


def _escaped(match: re.Match[str]) -> str:
    text = match[0]
    # Of "1. x" at the start of a line the full stop would begin a list; four spaces begin code.
    if text.isdigit() or text == " ":
        return f"&#{ord(text[0])};{text[1:]}"
    return f"\\{text}"


def latex_text(text: str) -> str:
    """Return text for LaTeX, without anything that it acts on, and that every engine compiles."""
    escaped = "".join(map(_latex, printable(text)))
    return re.sub(",(?=,)", ",{}", escaped)  # two of them would become a quotation mark


def _latex(letter: str) -> str:
    if letter.isascii():
        return _LATEX.get(letter, letter)
    return letter if letter in _LATEX_LETTERS else rf"\textbackslash{{}}u{ord(letter):04x}"


def csv_text(text: str) -> str:
    """Return printable text for a cell of a CSV file that no spreadsheet takes for a formula."""
    return spreadsheet_text(printable(text))


def shortened(text: str, most: int = 48) -> str:
    """Return a text of at most ``most`` letters, with its middle left out where it is longer."""
    half = most // 2
    return text if len(text) <= most else f"{text[:half]}…{text[-half + 1 :]}"
