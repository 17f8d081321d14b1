"""Paired comparisons as tables.

Differences are rounded towards 0, so that none is overstated; intervals outward, all else down.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple
from fractions import Fraction
from typing import Any

from rsonnx.report.escape import printable
from rsonnx.report.paired import AtRadius, Comparison
from rsonnx.report.population import PERCENT
from rsonnx.report.rounding import plain, text_down, text_up
from rsonnx.report.table import Cell, Column, Form, Note, Report, Table, Value, decimals, grouped
from rsonnx.report.table import percent as percents

_EXPLAINED = (
    "r=R: certified accuracy, % of the matched inputs, and differences in points. from, to: "
    f"{PERCENT} interval on the difference in the population, assuming inputs drawn "
    "independently from it; each line by itself. A only, B only: inputs certified for their label "
    "in one run alone. p: McNemar's exact two-sided test, rounded up. The interval on the ACR is "
    "a bootstrap, for many inputs. Differences are rounded towards 0, intervals outward, all other "
    "figures down."
)


def paired_report(comparisons: Sequence[Comparison]) -> Report:
    """Return a table a comparison, each with its notes."""
    return Report(
        [_table(comparison) for comparison in comparisons],
        notes=[_EXPLAINED],
        records=[record for comparison in comparisons for record in _records(comparison)],
        value=[comparison.to_json() for comparison in comparisons],
    )


def _table(pair: Comparison) -> Table:
    columns = (
        Column("", symbols=True),
        Column("A", form=percents),
        Column("B", form=percents),
        Column("A-B", form=_points(_towards_zero)),
        Column("from", form=_points(_down)),
        Column("to", form=_points(_up)),
        Column("A only", form=grouped),
        Column("B only", form=grouped),
        Column("p", form=lambda p: text_up(p, 3)),
    )
    rows: list[Sequence[Cell | Value]] = [_row(at) for at in pair.at]
    if pair.first_acr is not None and pair.second_acr is not None:
        acr = pair.acr
        rows.append(
            (
                "ACR",
                Cell(pair.first_acr, decimals(4)),
                Cell(pair.second_acr, decimals(4)),
                Cell(pair.first_acr - pair.second_acr, lambda value: _towards_zero(value, 4)),
                Cell(None if acr is None else acr.low, lambda low: _down(Fraction(low), 4)),
                Cell(None if acr is None else acr.high, lambda high: _up(Fraction(high), 4)),
                *("", "", ""),
            )
        )
    return Table(columns, rows, notes=[Note(printable(note)) for note in _notes(pair)])


def _row(at: AtRadius) -> Sequence[Value]:
    low, high, p = (None,) * 3 if at.inferred is None else astuple(at.inferred)[1:4]
    difference, counts = at.first - at.second, (at.only_first, at.only_second)
    return (f"r={plain(at.radius)}", at.first, at.second, difference, low, high, *counts, p)


def _notes(pair: Comparison) -> Iterator[str]:
    yield f"A: {pair.first}"
    yield f"B: {pair.second}"
    copies = f", of which {pair.copies:,} equal others and share their noise" if pair.copies else ""
    yield f"{pair.pairs:,} inputs are matched by digest{copies}"
    if pair.left_first or pair.left_second:
        yield (
            f"not matched and left out: {pair.left_first:,} inputs of A, {pair.left_second:,} of "
            "B; the figures are of the matched ones alone"
        )
    if pair.undecided:
        yield (
            "not compared, since an adaptive run left it undecided: "
            f"{', '.join(f'r={plain(r)}' for r in pair.undecided)}"
        )
    if pair.undrawn is not None:
        yield f"nothing is said of the population, so no interval and no p: {pair.undrawn}"
    yield from pair.cautions


def _records(pair: Comparison) -> Iterator[dict[str, Value]]:
    """Yield a line a figure, from what JSON says of the comparison."""
    value = pair.to_json()
    runs = ("first", "second", "pairs", "left_first", "left_second")
    figures = [
        {**at, "figure": f"certified_accuracy@{plain(at['radius'])}"}
        for at in value["certified_accuracy"]
    ]
    if pair.first_acr is not None and pair.second_acr is not None:
        acr = {"figure": "acr", "first": value["first_acr"], "second": value["second_acr"]}
        difference = float(pair.first_acr - pair.second_acr)
        if pair.acr is not None:
            acr |= {"low": pair.acr.low, "high": pair.acr.high}
            difference = pair.acr.mean
        figures.append(acr | {"difference": difference})
    for at in figures:
        yield {
            **{name: value[name] for name in runs},
            "figure": at["figure"],
            "value_first": at["first"],
            "value_second": at["second"],
            "difference": at["difference"],
            **{k: at.get(k) for k in ("low", "high", "only_first", "only_second", "p_value")},
            "cautions": "; ".join(pair.cautions),
        }


def _points(rounded: Any) -> Form:
    return lambda share: str(rounded(100 * Fraction(share), 1))


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
