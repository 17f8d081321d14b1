"""What the certificates of a run say together, and about inputs that were not among them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rsonnx.report.population import (
    COUNTED,
    INDEPENDENT,
    LEVEL,
    NOISE,
    PERCENT,
    UNDER_SHARED_NOISE,
    Population,
    population_of,
)
from rsonnx.report.rounding import text_up
from rsonnx.report.selection import Selection
from rsonnx.runs.rows import Row
from rsonnx.statistics import FalseCertificates, false_certificates

_UNION = "nothing further: the union bound"
_MARKOV = "nothing further, since all inputs share their noise: Markov's inequality"
_COUNTED = "nothing further: no certificate can be wrong by chance"
_WHOLE = Selection()


@dataclass(frozen=True)
class Statements:
    """Statements on all inputs of a run at once, at ``LEVEL``.

    Attributes:
        inputs: N, all inputs of the run.
        false: how many of the certificates may be false.
        family_wise: the probability that any of them is, where the run was made for it.
        population: what is said of further inputs; None if the inputs are unlabelled or not drawn
            from it.
        copies: inputs that equal an earlier one, whose noise they therefore share.
        shared_noise: whether all inputs share their noise. Certificates may then be false together,
            and the population is that under this noise; the shares that are truly right and robust
            are of the population all the same.
        exact: whether no certificate can be false by chance.
        selection: how the inputs were chosen.
    """

    inputs: int
    false: FalseCertificates
    family_wise: float | None
    population: Population | None
    copies: int
    shared_noise: bool = False
    exact: bool = False
    selection: Selection = _WHOLE

    def to_json(self) -> dict[str, Any]:
        """Return the statements for a program, each with what it assumes."""
        unknown = self.selection.undrawn
        if unknown is None and self.population is None:
            unknown = "not every input has a label"
        false = _COUNTED if self.exact else _MARKOV if self.shared_noise else NOISE
        family = None if self.family_wise is None else {"alpha": self.family_wise}
        said = ("certified_accuracy", "certified_accuracy_band", "acr")
        return {
            "level": LEVEL,
            "false_certificates": asdict(self.false) | {"assumes": false},
            "family_wise": family and family | {"assumes": _UNION},
            **(dict.fromkeys(said) if self.population is None else self.population.to_json()),
            "copies": self.copies,
            **self.selection.to_json(),
            "population_unknown": unknown,
        }

    @property
    def expected(self) -> str:
        """How many certificates may be false, in a sentence, rounded up."""
        if self.exact:
            return "False certificates to expect: none."
        further = ""
        if self.shared_noise:
            further = " (Markov); many may be false together, since all share their noise"
        elif self.copies:
            further = f"; {self.copies:,} of the inputs equal others and are false with them"
        return (
            f"False certificates to expect: at most {float(text_up(self.false.expected, 3)):g} of "
            f"{self.inputs:,}; with {PERCENT} confidence at most {self.false.quantile:,}{further}."
        )

    def lines(self, *, tabled: bool = False) -> Iterator[str]:
        """Yield what is stated of the population, or why nothing is, a line each.

        Args:
            tabled: whether a table has what is stated at each radius already.
        """
        if self.selection.undrawn is not None:
            yield f"nothing is said of the population: {self.selection.undrawn}"
        if self.population is not None:
            yield from self.population.lines(tabled=tabled)


def dataset_statements(
    rows: Sequence[Row],
    radii: Sequence[float],
    *,
    alpha: float,
    family_wise: float | None = None,
    shared_noise: bool = False,
    selection: Selection = _WHOLE,
) -> Statements:
    """Derive the statements from the rows of a run.

    Args:
        rows: all rows of the run, at least one.
        radii: where to state certified accuracy, >= 0, ascending.
        alpha: probability of error of each certificate, in (0, 1); 0 where every change was
            counted.
        family_wise: the probability of any error, if ``alpha`` is each input's share of it.
        shared_noise: whether all inputs have the same noise.
        selection: how the inputs were chosen.
    """
    exact = alpha == 0
    assumed = COUNTED if exact else UNDER_SHARED_NOISE if shared_noise else INDEPENDENT
    population = None
    if selection.undrawn is None:
        population = population_of(rows, radii, alpha=alpha, assumed=assumed)
    # How many rows each different input has, the most first.
    times = sorted(Counter(row.digest for row in rows).values(), reverse=True)
    return Statements(
        inputs=len(rows),
        false=_false_certificates(times, alpha, shared_noise=shared_noise),
        family_wise=family_wise,
        population=population,
        copies=len(rows) - len(times),
        shared_noise=shared_noise,
        exact=exact,
        selection=selection,
    )


def _false_certificates(
    times: Sequence[int], alpha: float, *, shared_noise: bool
) -> FalseCertificates:
    """Bound how many of all certificates are false.

    Copies of an input have the same noise and the same certificate: they are false together. Of the
    different inputs no more than the quantile are, in the worst case those with the most copies.
    """
    inputs = sum(times)
    if shared_noise:
        return false_certificates(inputs, alpha, LEVEL, shared_noise=True)
    different = false_certificates(len(times), alpha, LEVEL)
    return FalseCertificates(inputs * alpha, sum(times[: different.quantile]), LEVEL)
