"""What the certificates of a run say together, and about inputs that were not among them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from rsonnx.report.population import (
    DELTA,
    INDEPENDENT,
    LEVEL,
    NOISE,
    PERCENT,
    UNDER_SHARED_NOISE,
    Assumed,
    accuracy_line,
    acr_line,
    band_json,
    band_line,
    population_of,
)
from rsonnx.report.rounding import alpha_up, percent_down, plain, text_up
from rsonnx.report.selection import Selection
from rsonnx.report.table import JOINT
from rsonnx.runs.rows import Row
from rsonnx.statistics import (
    AccuracyInterval,
    Band,
    FalseCertificates,
    MeanInterval,
    accuracy_interval,
    false_certificates,
)

NOTHING = "nothing further: the union bound"
COUNTED = Assumed("P", "inputs drawn independently from the population")
"""What intervals for the population assume where certificates rest on no samples of the noise."""
NONE_FALSE = "none possible, since every change that the noise can make was counted"
_WHOLE = Selection()
_MARKOV = "nothing further, since all inputs share their noise: Markov's inequality"


@dataclass(frozen=True)
class Statements:
    """Statements on all inputs of a run at once, at ``LEVEL``.

    Attributes:
        inputs: N, all inputs of the run.
        false: how many of the certificates may be false.
        family_wise: the probability that any of them is, where the run was made for it.
        radii: where certified accuracy is stated.
        accuracy: certified accuracy of the population at each of ``radii``; None if the inputs are
            unlabelled or not drawn from it.
        band: a band around certified accuracy at all radii at once; None likewise.
        acr: an interval on the average certified radius of the population; None likewise.
        copies: inputs that equal an earlier one, whose noise they therefore share.
        shared_noise: whether all inputs share their noise. Certificates may then be false together,
            and ``accuracy``, ``band`` and ``acr`` are of the population under that noise; the
            shares that are truly right and robust are of the population all the same.
        exact: whether every change that the noise can make was counted, so that no certificate can
            be false.
        selection: how the inputs were chosen.
    """

    inputs: int
    false: FalseCertificates
    family_wise: float | None
    radii: tuple[float, ...]
    accuracy: tuple[AccuracyInterval, ...] | None
    band: Band | None
    acr: MeanInterval | None
    copies: int
    shared_noise: bool = False
    exact: bool = False
    selection: Selection = _WHOLE

    @property
    def assumed(self) -> Assumed:
        """What the intervals for the population assume."""
        if self.exact:
            return COUNTED
        return UNDER_SHARED_NOISE if self.shared_noise else INDEPENDENT

    def to_json(self) -> dict[str, Any]:
        """Return the statements for a program, each with what it assumes."""
        accuracy, band, acr, assumed = self.accuracy, self.band, self.acr, self.assumed
        return {
            "level": LEVEL,
            "false_certificates": asdict(self.false) | {"assumes": self._false_assumes},
            "family_wise": None
            if self.family_wise is None
            else {"alpha": self.family_wise, "assumes": NOTHING},
            "certified_accuracy": None
            if accuracy is None
            else {
                "low": [one.low for one in accuracy],
                "high": [one.high for one in accuracy],
                "robust_low": [one.robust_low for one in accuracy],
                "assumes": assumed.words,
            },
            "certified_accuracy_band": None if band is None else band_json(band, assumed),
            "acr": None if acr is None else asdict(acr) | {"assumes": assumed.asymptotic},
            "copies": self.copies,
            **self.selection.to_json(),
            "population_unknown": self._unknown,
        }

    def lines(self) -> Iterator[str]:
        """Return the statements as text, one a line, rounded outward; ``legend`` has the tags."""
        yield self._false_line()
        if self.family_wise is not None:
            yield (
                f"family-wise [assumes {NOTHING}]: none is false with probability 1 - "
                f"{alpha_up(self.family_wise)}"
            )
        if self.selection.note is not None:
            yield self.selection.note
        if self.selection.undrawn is not None:
            yield f"nothing is said of the population: {self.selection.undrawn}"
        if self.accuracy is None or self.band is None or self.acr is None:
            return
        lows = [one.low for one in self.accuracy]
        highs = [one.high for one in self.accuracy]
        robust = ", ".join(
            f"{plain(r)}:{JOINT}{percent_down(Fraction(one.robust_low))}"
            for r, one in zip(self.radii, self.accuracy, strict=True)
        )
        robust_tags = "P" if self.shared_noise else self.assumed.tags
        yield accuracy_line(self.radii, lows, highs, self.assumed)
        yield (
            f"truly right and robust, at least, {PERCENT} at each radius [{robust_tags}]: {robust}"
        )
        yield band_line(self.band, self.assumed)
        yield acr_line(self.acr, self.assumed)

    @property
    def _unknown(self) -> str | None:
        """Why nothing is said of the population, in words."""
        if self.selection.undrawn is None and self.accuracy is None:
            return "not every input has a label"
        return self.selection.undrawn

    @property
    def _false_assumes(self) -> str:
        if self.exact:
            return "nothing further: every change that the noise can make was counted"
        return _MARKOV if self.shared_noise else NOISE

    def _false_line(self) -> str:
        if self.exact:
            return f"false certificates: {NONE_FALSE}"
        tag, further = " [N]", ""
        if self.shared_noise:
            tag, further = "", " (Markov); many may be false together, since all share their noise"
        elif self.copies:
            further = f"; {self.copies:,} of the inputs equal others and are false with them"
        return (
            f"false certificates{tag}: {text_up(self.false.expected, 3)} expected at most; "
            f"{PERCENT}: at most {self.false.quantile:,} of {self.inputs:,}{further}"
        )


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
    inputs = len(rows)
    population = None if selection.undrawn is not None else population_of(rows, radii)
    accuracy = None
    if population is not None:
        right = [sum(row.correct and row.radius >= r for row in rows) for r in radii]
        accuracy = tuple(
            accuracy_interval(k, inputs, alpha, DELTA, shared_noise=shared_noise) for k in right
        )
    times = _times_each_input_stands(rows)
    return Statements(
        inputs=inputs,
        false=_false_certificates(times, alpha, shared_noise=shared_noise),
        family_wise=family_wise,
        radii=tuple(float(r) for r in radii),
        accuracy=accuracy,
        band=None if population is None else population.band,
        acr=None if population is None else population.acr,
        copies=inputs - len(times),
        shared_noise=shared_noise,
        exact=alpha == 0,
        selection=selection,
    )


def _times_each_input_stands(rows: Sequence[Row]) -> list[int]:
    """Return how many rows each different input has, the most first."""
    known = Counter(row.digest for row in rows if row.digest)
    return [*sorted(known.values(), reverse=True), *(1 for row in rows if not row.digest)]


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
