"""What the certificates of a run say together, and about inputs that were not among them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from rsonnx.report.rounding import percent_down, percent_up, plain, text_down, text_up
from rsonnx.runs.rows import Row
from rsonnx.statistics import (
    AccuracyInterval,
    Band,
    FalseCertificates,
    MeanInterval,
    accuracy_band,
    accuracy_interval,
    false_certificates,
    radius_interval,
)

LEVEL = 0.95
_DELTA = 0.05

NOISE = "noise independent between inputs"
POPULATION = f"inputs drawn independently from the population, {NOISE}"
ASYMPTOTIC = f"{POPULATION}, many of them"
NOTHING = "nothing further: the union bound"
LEGEND = f"Assumed: [N] {NOISE}, [P] inputs drawn independently from the population."
JOINT = "\xa0"
"""A space at which no line is broken; :func:`rsonnx.report.render` prints it as a space."""

_HUGE = 2.0**900


@dataclass(frozen=True)
class Statements:
    """Statements on all inputs of a run at once, at ``LEVEL``.

    Attributes:
        inputs: N, all inputs of the run.
        false: how many of the certificates may be false.
        family_wise: the probability that any of them is, where the run was made for it.
        radii: where certified accuracy is stated.
        accuracy: certified accuracy of the population at each of ``radii``; None if unlabelled.
        band: a band around certified accuracy at all radii at once; None if unlabelled.
        acr: an interval on the average certified radius of the population; None if unlabelled.
        copies: inputs that equal an earlier one, whose noise they therefore share.
    """

    inputs: int
    false: FalseCertificates
    family_wise: float | None
    radii: tuple[float, ...]
    accuracy: tuple[AccuracyInterval, ...] | None
    band: Band | None
    acr: MeanInterval | None
    copies: int

    def to_json(self) -> dict[str, Any]:
        """Return the statements for a program, each with what it assumes."""
        accuracy, band, acr = self.accuracy, self.band, self.acr
        return {
            "level": LEVEL,
            "false_certificates": asdict(self.false) | {"assumes": NOISE},
            "family_wise": None
            if self.family_wise is None
            else {"alpha": self.family_wise, "assumes": NOTHING},
            "certified_accuracy": None
            if accuracy is None
            else {
                "low": [one.low for one in accuracy],
                "high": [one.high for one in accuracy],
                "robust_low": [one.robust_low for one in accuracy],
                "assumes": POPULATION,
            },
            "certified_accuracy_band": None
            if band is None
            else {
                "low": band.low.tolist(),
                "high": band.high.tolist(),
                "half_width": band.half_width,
                "assumes": POPULATION,
            },
            "acr": None if acr is None else asdict(acr) | {"assumes": ASYMPTOTIC},
            "copies": self.copies,
        }

    def lines(self) -> Iterator[str]:
        """Return the statements as text, one a line, rounded outward; ``LEGEND`` has the tags."""
        level = f"{100 * LEVEL:g} %"
        copies = (
            f"; {self.copies:,} of the inputs equal others and share their noise"
            if self.copies
            else ""
        )
        yield (
            f"false certificates [N]: {text_up(self.false.expected, 3)} expected at most; {level}: "
            f"at most {self.false.quantile:,} of {self.inputs:,}{copies}"
        )
        if self.family_wise is not None:
            yield (
                f"family-wise [assumes {NOTHING}]: none is false with probability 1 - "
                f"{self.family_wise:g}"
            )
        if self.accuracy is None or self.band is None or self.acr is None:
            return
        certified, robust = (
            ", ".join(
                f"{plain(r)}:{JOINT}{text}" for r, text in zip(self.radii, texts, strict=True)
            )
            for texts in (
                [f"{_percent(one.low)}-{percent_up(Fraction(one.high))}" for one in self.accuracy],
                [_percent(one.robust_low) for one in self.accuracy],
            )
        )
        half = percent_up(Fraction(self.band.half_width))
        yield f"certified accuracy of the population, {level} at each radius [N, P]: {certified}"
        yield f"truly right and robust, at least, {level} at each radius [N, P]: {robust}"
        yield f"certified accuracy at all radii at once, {level} [N, P]: +-{half} points (DKW)"
        yield (
            f"ACR of the population, {level} [N, P, many inputs]: {text_down(self.acr.low, 4)}-"
            f"{_text_up(self.acr.high)} ({self.acr.resamples:,} bootstraps, seed {self.acr.seed})"
        )


def dataset_statements(
    rows: Sequence[Row],
    radii: Sequence[float],
    *,
    alpha: float,
    family_wise: float | None = None,
) -> Statements:
    """Derive the statements from the rows of a run.

    Args:
        rows: all rows of the run, at least one.
        radii: where to state certified accuracy, >= 0, ascending.
        alpha: probability of error of each certificate, in (0, 1).
        family_wise: the probability of any error, if ``alpha`` is each input's share of it.
    """
    inputs = len(rows)
    accuracy, band, acr = None, None, None
    if all(row.label is not None for row in rows):
        right = [sum(row.correct and row.radius >= r for row in rows) for r in radii]
        accuracy = tuple(accuracy_interval(k, inputs, alpha, _DELTA) for k in right)
        band = accuracy_band([k / inputs for k in right], inputs, _DELTA)
        acr = _radius_interval([row.radius if row.correct else 0.0 for row in rows])
    digests = [row.digest for row in rows if row.digest]
    return Statements(
        inputs=inputs,
        false=false_certificates(inputs, alpha, LEVEL),
        family_wise=family_wise,
        radii=tuple(float(r) for r in radii),
        accuracy=accuracy,
        band=band,
        acr=acr,
        copies=len(digests) - len(set(digests)),
    )


def _radius_interval(radii: list[float]) -> MeanInterval:
    """Return the interval; radii whose sum no float holds are scaled by a power of two."""
    scale = 2.0**-100 if max(radii) > _HUGE else 1.0
    found = radius_interval([r * scale for r in radii], level=LEVEL)
    if scale == 1.0:
        return found
    mean, low, high = found.mean / scale, found.low / scale, found.high / scale
    return MeanInterval(mean, low, high, found.level, found.resamples, found.seed)


def _percent(share: float) -> str:
    return percent_down(Fraction(share))


def _text_up(value: float) -> str:
    return text_down(-Fraction(value), 4).removeprefix("-")
