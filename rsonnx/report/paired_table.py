"""Paired comparisons as text, Markdown, LaTeX and CSV.

Differences are rounded towards 0, so that none is overstated; intervals outward, all else down.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

from rsonnx.report.comma import written
from rsonnx.report.escape import latex_text, markdown_text, printable
from rsonnx.report.latex import footnotes, tabular
from rsonnx.report.markdown import table_of
from rsonnx.report.paired import AtRadius, Comparison
from rsonnx.report.population import PERCENT
from rsonnx.report.rounding import fraction_down, percent_down, plain, text_down, text_up
from rsonnx.report.table import columns_of, wrapped

_HEAD = ("", "A", "B", "A-B", "from", "to", "A only", "B only", "p")
_UNKNOWN = "?"
_COLUMNS = (
    *("first", "second", "pairs", "left_first", "left_second", "figure", "value_first"),
    *("value_second", "difference", "low", "high", "only_first", "only_second", "p_value"),
    "cautions",
)
EXPLAINED = (
    "r=R: certified accuracy, % of the matched inputs, and differences in points. from, to: "
    f"{PERCENT} interval on the difference in the population, assuming inputs drawn "
    "independently from it; each line by itself. A only, B only: inputs certified for their label "
    "in one run alone. p: McNemar's exact two-sided test, rounded up. The interval on the ACR is "
    "a bootstrap, for many inputs. Differences are rounded towards 0, intervals outward, all other "
    "figures down."
)


def render_comparisons(comparisons: Sequence[Comparison]) -> str:
    """Return a text table a comparison, each with its notes."""
    parts = []
    for one in comparisons:
        notes = [line for note in _notes(one) for line in wrapped(printable(note))]
        parts += [*columns_of([_HEAD, *_lines(one)]), "", *notes, ""]
    return "\n".join([*parts, *wrapped(EXPLAINED)])


def render_comparisons_markdown(comparisons: Sequence[Comparison]) -> str:
    """Return a Markdown table a comparison, each with its notes."""
    parts = []
    for one in comparisons:
        notes = [f"- {markdown_text(note)}" for note in _notes(one)]
        parts += [*table_of(_HEAD, _lines(one)), "", *notes, ""]
    return "\n".join([*parts, f"- {markdown_text(EXPLAINED)}"])


def render_comparisons_latex(comparisons: Sequence[Comparison]) -> str:
    """Return a LaTeX table a comparison, each with its notes."""
    parts = [r"% \usepackage{booktabs}"]
    for one in comparisons:
        parts += [
            *(f"% {latex_text(caution)}" for caution in one.cautions),
            *tabular(_HEAD, [[_dashed(cell) for cell in line] for line in _lines(one)]),
            *footnotes(list(_notes(one))),
            r"\bigskip",
        ]
    return "\n".join([*parts, *footnotes([EXPLAINED])])


def render_comparisons_csv(comparisons: Sequence[Comparison]) -> str:
    """Return a line a comparison and figure; shares are fractions of 1, in full."""
    return written(_COLUMNS, [line for one in comparisons for line in _csv_lines(one)])


def _lines(one: Comparison) -> list[list[str]]:
    lines = [_line(at) for at in one.at]
    if one.first_acr is not None and one.second_acr is not None:
        acr = one.acr
        lines.append(
            [
                "ACR",
                text_down(one.first_acr, 4),
                text_down(one.second_acr, 4),
                _towards_zero(one.first_acr - one.second_acr, 4),
                _UNKNOWN if acr is None else _down(Fraction(acr.low), 4),
                _UNKNOWN if acr is None else _up(Fraction(acr.high), 4),
                *("", "", ""),
            ]
        )
    return lines


def _line(at: AtRadius) -> list[str]:
    found = at.found
    return [
        f"r={plain(at.radius)}",
        percent_down(at.first),
        percent_down(at.second),
        _towards_zero(100 * (at.first - at.second), 1),
        _UNKNOWN if found is None else _down(100 * Fraction(found.low), 1),
        _UNKNOWN if found is None else _up(100 * Fraction(found.high), 1),
        f"{at.only_first:,}",
        f"{at.only_second:,}",
        _UNKNOWN if found is None else text_up(found.p_value, 3),
    ]


def _notes(one: Comparison) -> Iterator[str]:
    yield f"A: {one.first}"
    yield f"B: {one.second}"
    copies = f", of which {one.copies:,} equal others and share their noise" if one.copies else ""
    yield f"{one.pairs:,} inputs are matched by digest{copies}"
    if one.left_first or one.left_second:
        yield (
            f"not matched and left out: {one.left_first:,} inputs of A, {one.left_second:,} of B; "
            "the figures are of the matched ones alone"
        )
    if one.undecided:
        yield (
            "not compared, since an adaptive run left it undecided: "
            f"{', '.join(f'r={plain(r)}' for r in one.undecided)}"
        )
    if one.undrawn is not None:
        yield f"nothing is said of the population, so no interval and no p: {one.undrawn}"
    yield from one.cautions


def _csv_lines(one: Comparison) -> Iterator[dict[str, Any]]:
    common = {
        "first": one.first,
        "second": one.second,
        "pairs": one.pairs,
        "left_first": one.left_first,
        "left_second": one.left_second,
        "cautions": "; ".join(one.cautions),
    }
    for at in one.at:
        yield common | {
            "figure": f"certified_accuracy@{plain(at.radius)}",
            "value_first": fraction_down(at.first),
            "value_second": fraction_down(at.second),
            "difference": (at.only_first - at.only_second) / one.pairs,
            "low": None if at.found is None else at.found.low,
            "high": None if at.found is None else at.found.high,
            "only_first": at.only_first,
            "only_second": at.only_second,
            "p_value": None if at.found is None else at.found.p_value,
        }
    if one.first_acr is not None and one.second_acr is not None:
        yield common | {
            "figure": "acr",
            "value_first": fraction_down(one.first_acr),
            "value_second": fraction_down(one.second_acr),
            "difference": float(one.first_acr - one.second_acr)
            if one.acr is None
            else one.acr.mean,
            "low": None if one.acr is None else one.acr.low,
            "high": None if one.acr is None else one.acr.high,
        }


def _towards_zero(value: Fraction, digits: int) -> str:
    return _signed(text_down(abs(value), digits), negative=value < 0)


def _down(value: Fraction, digits: int) -> str:
    text = text_down(value, digits)
    return text if text.startswith("-") else _signed(text, negative=False)


def _up(value: Fraction, digits: int) -> str:
    text = text_down(-value, digits)
    return _signed(text.removeprefix("-"), negative=not text.startswith("-"))


def _signed(text: str, *, negative: bool) -> str:
    """Put the sign in front, none in front of a zero."""
    if not text.strip("0."):
        return text
    return f"-{text}" if negative else f"+{text}"


def _dashed(cell: str) -> str:
    """Set a number's minus sign as one."""
    return f"$-${cell[1:]}" if cell.startswith("-") else cell
