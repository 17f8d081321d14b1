"""Two runs on the same inputs, matched by what the inputs are and never by where they stood.

Printed differences of ACRs are rounded towards 0, so that none is overstated; intervals outward.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from typing import Any

from rsonnx.errors import UsageError
from rsonnx.report.escape import printable
from rsonnx.report.figures import ACR, Figures
from rsonnx.report.logs import LogFigures
from rsonnx.report.notes import cautions, unfinished
from rsonnx.report.population import DELTA, INDEPENDENT, LEVEL, PERCENT, UNDER_SHARED_NOISE
from rsonnx.report.rounding import alpha_up, fraction_down, percent, text_down, text_up
from rsonnx.report.summary import accuracy_at, mean_radius, shares_to_json
from rsonnx.report.table import (
    Cell,
    Column,
    Form,
    Note,
    Report,
    Table,
    Value,
    decimals,
    grouped,
)
from rsonnx.runs.rows import Row
from rsonnx.scalars import in_full
from rsonnx.statistics import MeanInterval, PairedAccuracy, paired_accuracy, paired_mean_interval

_NOTHING = dict.fromkeys(("low", "high", "p_value"))
"""What is said of the population, for a program, where nothing is."""


@dataclass(frozen=True)
class AtRadius:
    """Certified accuracy of two runs at one radius.

    Attributes:
        radius: in the units that both runs share.
        first, second: certified accuracy on the matched inputs.
        only_first, only_second: inputs that are certified for their label in one run alone.
        inferred: the difference, its interval and the test; None where the inputs were not drawn
            from the population.
    """

    radius: float
    first: Fraction
    second: Fraction
    only_first: int
    only_second: int
    inferred: PairedAccuracy | None


@dataclass(frozen=True)
class Comparison:
    """One run against another on the inputs that both have; differences are first minus second.

    Attributes:
        first, second: what the runs are called.
        pairs: inputs that were matched.
        left_first, left_second: inputs of one run that the other does not have.
        copies: matched inputs that equal an earlier one.
        at: certified accuracy at each radius that both runs decided.
        undecided: radii that an adaptive run left undecided.
        first_acr, second_acr: on the matched inputs; None where an adaptive run understates it.
        acr: the difference; None likewise, and where the inputs were not drawn from the population.
        unfinished: which of the runs are not complete, in words; empty for none.
        cautions: what else a reader must know of the two runs, as sentences.
        shared_noise: whether all inputs of a run share their noise, under which the figures are.
        undrawn: why the inputs were not drawn from the population, in words; else None.
    """

    first: str
    second: str
    pairs: int
    left_first: int
    left_second: int
    copies: int
    at: tuple[AtRadius, ...]
    undecided: tuple[float, ...]
    first_acr: Fraction | None
    second_acr: Fraction | None
    acr: MeanInterval | None
    unfinished: str
    cautions: tuple[str, ...]
    shared_noise: bool = False
    undrawn: str | None = None

    @property
    def assumed(self) -> str:
        """What the intervals and tests assume."""
        return UNDER_SHARED_NOISE if self.shared_noise else INDEPENDENT

    @property
    def acr_difference(self) -> Fraction | None:
        """The difference of the ACRs, exactly; None where an adaptive run understates one."""
        if self.first_acr is None or self.second_acr is None:
            return None
        return self.first_acr - self.second_acr

    def to_json(self) -> dict[str, Any]:
        """Return the comparison for a program; ACRs and their difference are rounded down."""
        named = ("first", "second", "pairs", "left_first", "left_second", "copies")
        down = {name: getattr(self, name) for name in ("first_acr", "second_acr", "acr_difference")}
        return {
            **{name: getattr(self, name) for name in named},
            "level": LEVEL,
            "certified_accuracy": [
                {
                    "radius": at.radius,
                    **shares_to_json("first", at.first, self.pairs),
                    **shares_to_json("second", at.second, self.pairs),
                    "only_first": at.only_first,
                    "only_second": at.only_second,
                    "difference": (at.only_first - at.only_second) / self.pairs,
                    **(_NOTHING if at.inferred is None else asdict(at.inferred)),
                    "assumes": self.assumed if self.undrawn is None else None,
                }
                for at in self.at
            ],
            "undecided": list(self.undecided),
            **{name: None if acr is None else fraction_down(acr) for name, acr in down.items()},
            "acr": None
            if self.acr is None
            else asdict(self.acr) | {"assumes": f"{self.assumed}; many inputs"},
            "population_unknown": self.undrawn,
            "cautions": [*filter(None, [self.unfinished]), *self.cautions],
        }


def compare(runs: Sequence[Figures | LogFigures], radii: Sequence[float]) -> list[Comparison]:
    """Compare the first run with each of the others.

    Args:
        runs: two or more.
        radii: where to compare certified accuracy, >= 0, ascending.

    Raises:
        UsageError: a run is a log or unlabelled, two are one and the same, or have no input, no
            label or no units in common.
    """
    if len(runs) < 2:
        raise UsageError("--paired compares runs on the same inputs; give two run files or more")
    first, *others = map(_labelled_run, runs)
    return [_compare(first, other, radii) for other in others]


def _labelled_run(run: Figures | LogFigures) -> Figures:
    name = printable(run.name)
    if isinstance(run, LogFigures):
        raise UsageError(
            f"{name} is a log, which has no digests of its inputs, so they cannot be paired; the "
            "index is no identity: two projects' same images differ"
        )
    if not run.summary.labelled:
        raise UsageError(f"{name} has inputs without a label, so there is no accuracy to compare")
    return run


def _compare(first: Figures, second: Figures, radii: Sequence[float]) -> Comparison:
    a, b = first.header, second.header
    if a == b and first.rows == second.rows:
        raise UsageError(
            f"{printable(first.name)} and {printable(second.name)} hold the same rows, so they are "
            "one run; name two"
        )
    if (a.noise.norm, a.units) != (b.noise.norm, b.units):
        raise UsageError(
            f"{printable(first.name)} has {a.noise.norm} radii in {printable(a.units)}, "
            f"{printable(second.name)} has {b.noise.norm} radii in {printable(b.units)}; "
            "radii of one norm and one unit were expected"
        )
    pairs = _pairs(first, second)
    rows, others = [row for row, _ in pairs], [row for _, row in pairs]
    decided = [r for r in radii if first.decides(r) and second.decides(r)]
    fixed = first.decides(ACR) and second.decides(ACR)
    undrawn = first.statements.selection.undrawn or second.statements.selection.undrawn
    return Comparison(
        first=first.name,
        second=second.name,
        pairs=len(pairs),
        left_first=len(first.rows) - len(pairs),
        left_second=len(second.rows) - len(pairs),
        copies=len(pairs) - len({row.digest for row in rows}),
        at=tuple(_at_radius(pairs, r, drawn=undrawn is None) for r in decided),
        undecided=tuple(r for r in radii if r not in decided),
        first_acr=mean_radius(rows) if fixed else None,
        second_acr=mean_radius(others) if fixed else None,
        acr=paired_mean_interval([_radius(x) - _radius(y) for x, y in pairs], level=LEVEL)
        if fixed and undrawn is None
        else None,
        unfinished=unfinished([first, second]),
        cautions=tuple(_cautions(first, second)),
        shared_noise=a.shared or b.shared,
        undrawn=undrawn,
    )


def _pairs(first: Figures, second: Figures) -> list[tuple[Row, Row]]:
    """Match the rows by digest, and copies of one input by their label too.

    A run gives copies the same noise, so it does not matter which copy meets which.
    """
    by_key: dict[tuple[str, int | None], list[Row]] = defaultdict(list)
    for row in reversed(second.rows):
        by_key[row.digest, row.label].append(row)
    pairs, alone = [], []
    for row in first.rows:
        matching = by_key[row.digest, row.label]
        if matching:
            pairs.append((row, matching.pop()))
        else:
            alone.append(row)
    elsewhere = {key[0]: rows[-1] for key, rows in by_key.items() if rows}
    name, other = printable(first.name), printable(second.name)
    for row in alone:
        if row.digest in elsewhere:
            raise UsageError(
                f"the input {printable(row.name)} has the label {row.label} in {name} and "
                f"{elsewhere[row.digest].label} in {other}; runs with the same labels were expected"
            )
    if not pairs:
        raise UsageError(f"{name} and {other} have no input in common (compared by digest)")
    return pairs


def _at_radius(pairs: Sequence[tuple[Row, Row]], radius: float, *, drawn: bool) -> AtRadius:
    right = Counter(
        (a.correct and a.radius >= radius, b.correct and b.radius >= radius) for a, b in pairs
    )
    only_first, only_second = right[True, False], right[False, True]
    return AtRadius(
        radius=float(radius),
        first=accuracy_at([a for a, _ in pairs], radius),
        second=accuracy_at([b for _, b in pairs], radius),
        only_first=only_first,
        only_second=only_second,
        inferred=paired_accuracy(only_first, only_second, len(pairs), DELTA) if drawn else None,
    )


def _radius(row: Row) -> float:
    return row.radius if row.correct else 0.0


def _cautions(first: Figures, second: Figures) -> Iterator[str]:
    for run in (first, second):
        for caution in cautions(run, run.assumption):
            yield f"{run.name}: {caution}"
    a, b = first.header, second.header
    if first.varies(second):
        yield (
            f"{first.name} and {second.name} are of one model file, but of different classifiers: "
            f"{first.classifier} and {second.classifier}"
        )
    if first.within != second.within:
        yield f"{first.name} is certified {first.within}; {second.name} {second.within}"
    if a.settings.exact != b.settings.exact:
        counted, sampled = (first, second) if a.settings.exact else (second, first)
        yield (
            f"the certificates of {counted.name} are certain, since "
            f"{counted.header.procedure.certain}; those of {sampled.name} hold at alpha = "
            f"{alpha_up(sampled.header.settings.alpha)} an input"
        )
    elif a.settings.alpha != b.settings.alpha:
        alphas = f"{alpha_up(a.settings.alpha)} and {alpha_up(b.settings.alpha)}"
        yield f"the runs have different alphas, {alphas}"


_EXPLAINED = (
    "r=R: certified accuracy, % of the matched inputs, and differences in points. from, to: "
    f"{PERCENT} interval on the difference in the population, assuming inputs drawn "
    "independently from it; each line by itself. A only, B only: inputs certified for their label "
    "in one run alone. p: McNemar's exact two-sided test, rounded up. The interval on the ACR is "
    "a bootstrap, for many inputs. ACRs are rounded down, their difference towards 0, intervals "
    "outward, shares of inputs correctly."
)


def paired_report(comparisons: Sequence[Comparison]) -> Report:
    """Return a table a comparison, each with its notes."""
    *tables, last = map(_table, comparisons)
    return Report(
        [*tables, replace(last, details=[Note(_EXPLAINED)])],
        records=[record for comparison in comparisons for record in _records(comparison)],
        value=[comparison.to_json() for comparison in comparisons],
    )


def _table(pair: Comparison) -> Table:
    columns = (
        Column("", symbols=True),
        Column("A", form=percent),
        Column("B", form=percent),
        Column("A-B", form=_signed(round, 1, 100)),
        Column("from", form=_signed(math.floor, 1, 100)),
        Column("to", form=_signed(math.ceil, 1, 100)),
        Column("A only", form=grouped),
        Column("B only", form=grouped),
        Column("p", form=lambda p: text_up(p, 3)),
    )
    rows: list[Sequence[Cell | Value]] = [_row(at) for at in pair.at]
    if (difference := pair.acr_difference) is not None:
        acr = pair.acr
        rows.append(
            (
                "ACR",
                Cell(pair.first_acr, decimals(4)),
                Cell(pair.second_acr, decimals(4)),
                Cell(difference, _signed(math.trunc, 4)),
                Cell(None if acr is None else acr.low, _signed(math.floor, 4)),
                Cell(None if acr is None else acr.high, _signed(math.ceil, 4)),
                *("", "", ""),
            )
        )
    notes = [Note(printable(note)) for note in _notes(pair)]
    return Table(columns, rows, pair.unfinished, notes)


def _row(at: AtRadius) -> Sequence[Value]:
    i, difference = at.inferred, at.first - at.second
    interval = (None, None) if i is None else (i.low, i.high)
    counts = (at.only_first, at.only_second, None if i is None else i.p_value)
    return (f"r={in_full(at.radius)}", at.first, at.second, difference, *interval, *counts)


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
            f"{', '.join(f'r={in_full(r)}' for r in pair.undecided)}"
        )
    if pair.undrawn is not None:
        yield f"nothing is said of the population, so no interval and no p: {pair.undrawn}"
    yield from pair.cautions


def _records(pair: Comparison) -> Iterator[dict[str, Value]]:
    """Yield a line a figure, from what JSON says of the comparison."""
    value = pair.to_json()
    runs = ("first", "second", "pairs", "left_first", "left_second")
    figures = [
        {**at, "figure": f"certified_accuracy@{in_full(at['radius'])}"}
        for at in value["certified_accuracy"]
    ]
    if (difference := value["acr_difference"]) is not None:
        acr = {"first": value["first_acr"], "second": value["second_acr"], "difference": difference}
        ends = {} if pair.acr is None else {"low": pair.acr.low, "high": pair.acr.high}
        figures.append({"figure": "acr", **acr, **ends})
    for at in figures:
        yield {
            **{name: value[name] for name in runs},
            "figure": at["figure"],
            "value_first": at["first"],
            "value_second": at["second"],
            "difference": at["difference"],
            **{k: at.get(k) for k in ("low", "high", "only_first", "only_second", "p_value")},
            "cautions": "; ".join(value["cautions"]),
        }


def _signed(whole: Callable[[Fraction], int], digits: int, scale: int = 1) -> Form:
    """Return how a difference gets a sign and so many decimals, made whole at the last of them."""

    def text(value: float | Fraction) -> str:
        units = whole(Fraction(value) * scale * 10**digits)
        shown = text_down(Fraction(abs(units), 10**digits), digits)
        return shown if units == 0 else f"{'-' if units < 0 else '+'}{shown}"

    return text
