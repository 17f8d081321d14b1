"""Texts of strangers in a CSV file: a spreadsheet must not take one for a formula."""

from __future__ import annotations

_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "'")
"""What a spreadsheet may take for the start of a formula, in wide letters too; and the mark."""


def spreadsheet_text(text: str) -> str:
    """Return a text with an apostrophe in front where a spreadsheet could take it for a formula.

    So do those that begin with white space or an apostrophe: a reader gets every text back by
    dropping one leading apostrophe.
    """
    return f"'{text}" if text.startswith(_FORMULA) or text[:1].isspace() else text
