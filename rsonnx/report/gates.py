"""Gates: what every run must reach, for continuous integration.

A gate is ``FIGURE=VALUE``, such as ``acc@0.5=0.60``. With ``:lower`` behind the figure it is of the
lower end of the figure's interval for the population, and with ``baseline-0.02`` for a value, of
its difference from another run on the inputs of both. Figures are compared exactly with the decimal
as it was written: shares as k/N, radii as JSON has them, so that whoever reads it finds no other.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from rsonnx.errors import UsageError
from rsonnx.report.escape import printable, shortened
from rsonnx.report.figures import ABSTAIN, ACR, STANDARD, Column, Figures
from rsonnx.report.paired import Comparison, compare
from rsonnx.report.population import DELTA, PERCENT
from rsonnx.report.rounding import alpha_up, decimals_up, fraction_down, text_down
from rsonnx.report.summary import accuracy_at
from rsonnx.scalars import in_full
from rsonnx.statistics import (
    AccuracyInterval,
    MeanInterval,
    PairedAccuracy,
    accuracy_interval,
)

_NUMBER = r"[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400}"
"""Plain decimals; nobody means more digits, and Python reads no number of thousands of them."""
_GATE = re.compile(
    rf" *(?P<figure>acc@(?P<radius>{_NUMBER})|{ACR}|{STANDARD}|{ABSTAIN})(?P<lower>:lower)? *= *"
    rf"(?:(?P<value>{_NUMBER})|(?P<baseline>baseline)(?P<offset>[-+](?:{_NUMBER}))?) *"
)
UNDER, OVER = "--fail-under", "--fail-over"
_EXPECTED = {
    UNDER: "acc@0.5=0.60, acc@0.5:lower=0.55, acr=1.2, standard=0.9 or acc@0.5=baseline-0.02",
    OVER: "abstain=0.10",
}


@dataclass(frozen=True)
class Gate:
    """A figure and what it must reach, exactly as it was written.

    Attributes:
        text: as it was given, without spaces.
        column: which figure; a radius for certified accuracy.
        lower: whether it is the lower end of the figure's interval that must.
        limit: the least, or for ``ABSTAIN`` the most: a share of 1, or for ``ACR`` a radius.
        relative: whether ``limit`` is of the difference from the baseline.
    """

    text: str
    column: Column
    lower: bool
    limit: Fraction
    relative: bool


@dataclass(frozen=True)
class GateResult:
    """What came of a gate for a run.

    Attributes:
        gate: as it was given.
        run: what the run is called.
        met: whether the run reaches what the gate asks for.
        said: the run's figure, or why it has none, in words.
    """

    gate: str
    run: str
    met: bool
    said: str


def parse_gate(text: str, option: str = UNDER) -> Gate:
    """Read a gate.

    Args:
        text: such as ``acc@0.5=0.60``, ``acc@0.5:lower=0.55``, ``acr=baseline`` or
            ``abstain=0.10``.
        option: ``UNDER``, or ``OVER`` for a figure that must stay small: the share of abstentions.

    Raises:
        UsageError: it is none, a share above 1, or of a figure that has no interval or difference.
    """
    given, match = f"{option} is {shortened(text)!r}", _GATE.fullmatch(text)
    if match is None or (match["figure"] == ABSTAIN) != (option == OVER):
        raise UsageError(f"{given}, but {_EXPECTED[option]} was expected")
    column = match["figure"] if match["radius"] is None else float(match["radius"])
    relative, lower = match["baseline"] is not None, match["lower"] is not None
    if (relative or lower) and column in (STANDARD, ABSTAIN):
        raise UsageError(
            f"{given}, but acc@R and acr alone have an interval and are compared with a baseline"
        )
    limit = Fraction(match["offset"] or 0) if relative else Fraction(match["value"])
    if column != ACR and abs(limit) > 1:
        raise UsageError(f"{given}, but a share from 0 to 1 was expected: {_EXPECTED[option]}")
    if column == math.inf:
        raise UsageError(f"{given}, but a finite radius was expected")
    return Gate(match[0].replace(" ", ""), column, lower, limit, relative)


def check_gates(
    gates: Sequence[Gate], runs: Sequence[Figures], baseline: Figures | None = None
) -> list[GateResult]:
    """Return what comes of every gate for every run.

    A run that is not complete or not labelled meets none, nor does an adaptive run one of a figure
    that it left undecided, nor one that lacks inputs of the baseline, or has a larger alpha, a
    difference from it.

    Args:
        gates: what is asked for.
        runs: of which it is asked.
        baseline: what relative gates compare with.

    Raises:
        UsageError: a run cannot be compared with the baseline, or there is none.
    """
    relative = [gate for gate in gates if gate.relative]
    if relative and baseline is None:
        raise UsageError(f"{relative[0].text} compares with a run; name it with --baseline RUN")
    radii = sorted({float(gate.column) for gate in relative if gate.column != ACR})
    results = []
    for run in runs:
        pair = None
        if relative and baseline is not None and run.ranked and baseline.ranked:
            (pair,) = compare([run, baseline], radii)
        for gate in gates:
            said = _unready(gate, run)
            if gate.relative and baseline is not None:
                said = said or _unready(gate, baseline) or _looser(run, baseline)
            met = False
            if said is None:
                met, said = _result(gate, run, pair if gate.relative else None)
            results.append(GateResult(gate.text, printable(run.name), met, said))
    return results


def failures(results: Sequence[GateResult]) -> str | None:
    """Return one sentence on all that is not met; None if everything is."""
    missed = [f"{r.gate} is not met: {r.said}" for r in results if not r.met]
    return "; ".join(missed) or None


def _unready(gate: Gate, run: Figures) -> str | None:
    """Say why a run has no such figure that is final; None if it has."""
    name = printable(run.name)
    if run.status != "complete":
        return f"{name} is {printable(run.status)}, not complete"
    if gate.column == ABSTAIN:
        return None
    if not run.summary.labelled:
        return f"{name} has inputs without a label"
    if not run.decides(gate.column):
        targets = ", ".join(map(in_full, run.header.procedure.target_radii or ()))
        return f"{name} is adaptive and decided certified accuracy at {targets} alone"
    return None


def _looser(run: Figures, baseline: Figures) -> str | None:
    """Say that a run has the larger radii by a larger probability of error; None if it has not."""
    alpha, least = run.header.settings.alpha, baseline.header.settings.alpha
    if alpha <= least:
        return None
    return (
        f"{printable(run.name)} has alpha = {alpha_up(alpha)}, which is above the baseline's "
        f"{alpha_up(least)}; restate both with --alpha"
    )


def _result(gate: Gate, run: Figures, pair: Comparison | None) -> tuple[bool, str]:
    """Say whether a run meets a gate, and its figure."""
    name, most = printable(run.name), gate.column == ABSTAIN
    if pair is not None and pair.left_second:
        lacking = f"{pair.left_second:,} of the inputs of {printable(pair.second)}"
        return False, f"{name} lacks {lacking}, which a difference from it must be of"
    value = _value(gate, run, pair)
    if value is None:
        undrawn = run.statements.selection.undrawn if pair is None else pair.undrawn
        return False, f"{name} says nothing of the population: {undrawn}"
    shown = decimals_up(value, 4) if most else text_down(value, 4)
    if pair is not None:
        shown = f"baseline{shown}" if shown.startswith("-") else f"baseline+{shown}"
    stated = run.statements.population if pair is None else pair
    if gate.lower and stated is not None:
        shown += f" ({PERCENT}, assuming {stated.assumed})"
    met = value <= gate.limit if most else value >= gate.limit
    return met, f"{name} has {gate.text.partition('=')[0]} = {shown}"


def _value(gate: Gate, run: Figures, pair: Comparison | None) -> Fraction | None:
    """Return a figure or a difference exactly; None for the end of an interval that is not there.

    Args:
        gate: which figure.
        run: that decided it.
        pair: its comparison with the baseline, where the difference is asked for.
    """
    interval: AccuracyInterval | MeanInterval | PairedAccuracy | None
    if pair is None:
        if not gate.lower:
            return _written(run.exact(ACR)) if gate.column == ACR else run.exact(gate.column)
        interval = _interval(gate.column, run)
    else:
        if gate.column == ACR:
            interval, difference = pair.acr, pair.acr_difference
        else:
            (at,) = (at for at in pair.at if at.radius == gate.column)
            interval, difference = at.inferred, at.first - at.second
        if not gate.lower and difference is not None:
            return _written(difference) if gate.column == ACR else difference
    return None if interval is None else Fraction(interval.low)


def _written(mean: Fraction) -> Fraction:
    """Return a mean radius, or a difference of two, as JSON writes it: rounded down."""
    return Fraction(repr(fraction_down(mean)))


def _interval(column: Column, run: Figures) -> AccuracyInterval | MeanInterval | None:
    """Return what a labelled run says of a figure in the population, if it says anything."""
    population = run.statements.population
    if population is None:
        return None
    if column == ACR:
        return population.acr
    inputs = len(run.rows)
    right = int(accuracy_at(run.rows, float(column)) * inputs)
    return accuracy_interval(right, inputs, 0, DELTA, shared_noise=run.header.shared)
