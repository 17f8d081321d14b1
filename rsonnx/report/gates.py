"""Gates: what every run must reach, for continuous integration."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from rsonnx.errors import UsageError
from rsonnx.report.escape import printable, shortened
from rsonnx.report.figures import ACR, Column, Figures
from rsonnx.report.rounding import percent_down, plain, text_down

_NUMBER = r"[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400}"
"""Plain decimals; nobody means more digits, and Python reads no number of thousands of them."""
_GATE = re.compile(
    rf" *(?:acc@(?P<radius>{_NUMBER})|(?P<name>acr|standard)) *= *(?P<least>{_NUMBER}) *"
)
_EXPECTED = "acc@0.5=0.60, acr=1.2 or standard=0.9 was expected"


@dataclass(frozen=True)
class Gate:
    """A figure and the least that it may be, exactly as it was written.

    Attributes:
        text: as it was given.
        column: which figure; a radius for certified accuracy.
        least: a share of 1, or for ``ACR`` a radius.
    """

    text: str
    column: Column
    least: Fraction

    def failure(self, run: Figures) -> str | None:
        """Say why a run does not meet the gate; None if it does.

        A run that is not complete or not labelled never meets it, nor does an adaptive run a figure
        that it left undecided. Figures are compared in full, not as they are printed.
        """
        name = printable(run.name)
        if run.status != "complete":
            return f"{name} is {printable(run.status)}, not complete"
        if not run.summary.labelled:
            return f"{name} has inputs without a label"
        if not run.decides(self.column):
            targets = ", ".join(map(plain, run.header.procedure.target_radii or ()))
            return f"{name} is adaptive and decided certified accuracy at {targets} alone"
        value = run.exact(self.column)
        if value >= self.least:
            return None
        shown = text_down(value, 4) if self.column == ACR else f"{percent_down(value)} %"
        return f"{name} has {self.text.partition('=')[0]} = {shown}"


def parse_gate(text: str) -> Gate:
    """Read a gate such as ``acc@0.5=0.60``, ``acr=1.2`` or ``standard=0.9``.

    Raises:
        UsageError: it is none, or a share above 1.
    """
    match = _GATE.fullmatch(text)
    if match is None:
        raise UsageError(f"--fail-under is {_quoted(text)}, but {_EXPECTED}")
    column, least = match["name"] or float(match["radius"]), Fraction(match["least"])
    if column != ACR and least > 1:
        raise UsageError(
            f"--fail-under is {_quoted(text)}, but accuracy is a share from 0 to 1: {_EXPECTED}"
        )
    if column == math.inf:
        raise UsageError(f"--fail-under is {_quoted(text)}, but a finite radius was expected")
    return Gate(match[0].replace(" ", ""), column, least)


def _quoted(text: str) -> str:
    return repr(shortened(text))


def failures(gates: Sequence[Gate], runs: Sequence[Figures]) -> str | None:
    """Return one sentence on all that is not met by any run; None if everything is."""
    missed = [
        f"{gate.text} is not met: {reason}"
        for gate in gates
        for run in runs
        if (reason := gate.failure(run)) is not None
    ]
    return "; ".join(missed) or None
