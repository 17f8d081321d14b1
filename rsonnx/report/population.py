"""What certified radii say about inputs that were not among them, whatever their alpha is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from rsonnx.report.outcome import Outcome
from rsonnx.report.rounding import percent_down, percent_up, plain, text_down
from rsonnx.report.summary import accuracy_at
from rsonnx.report.table import JOINT
from rsonnx.statistics import (
    Band,
    MeanInterval,
    accuracy_band,
    clopper_pearson_lower,
    clopper_pearson_upper,
    radius_interval,
)

LEVEL = 0.95
DELTA = 0.05
PERCENT = f"{100 * LEVEL:g} %"
"""The level of every interval of a report, as it is shown."""

NOISE = "noise independent between inputs"
_HUGE = 2.0**900


def legend(*, drawn: bool) -> str:
    """Return what the tags mean, that of drawn inputs where something is said of them."""
    inputs = ", [P] inputs drawn independently from the population" if drawn else ""
    return f"Assumed: [N] {NOISE}{inputs}."


@dataclass(frozen=True)
class Assumed:
    """What intervals for the population assume.

    Attributes:
        tags: in a line of text, which :func:`legend` explains.
        words: for a program.
    """

    tags: str
    words: str

    @property
    def asymptotic(self) -> str:
        """What an interval assumes that is good for many inputs only, for a program."""
        return f"{self.words}; many inputs"


INDEPENDENT = Assumed("N, P", f"inputs drawn independently from the population, {NOISE}")
UNDER_SHARED_NOISE = Assumed(
    "P, under this noise",
    "inputs drawn independently from the population; of the noise that they share, as it was drawn",
)
"""Given the noise that they share, what is certified of further inputs is independent still."""


@dataclass(frozen=True)
class Population:
    """Intervals for certified accuracy and ACR of the population, at ``LEVEL``.

    Attributes:
        radii: where certified accuracy is stated.
        low, high: of certified accuracy at each of ``radii`` (Clopper-Pearson).
        band: around certified accuracy at all radii at once.
        acr: an interval on the average certified radius.
    """

    radii: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    band: Band
    acr: MeanInterval

    def to_json(self) -> dict[str, Any]:
        """Return the intervals for a program, each with what it assumes."""
        return {
            "level": LEVEL,
            "certified_accuracy": {
                "low": list(self.low),
                "high": list(self.high),
                "assumes": INDEPENDENT.words,
            },
            "certified_accuracy_band": band_json(self.band, INDEPENDENT),
            "acr": asdict(self.acr) | {"assumes": INDEPENDENT.asymptotic},
        }

    def lines(self) -> Iterator[str]:
        """Return the intervals as text, one a line, rounded outward; ``legend`` has the tags."""
        yield accuracy_line(self.radii, self.low, self.high, INDEPENDENT)
        yield band_line(self.band, INDEPENDENT)
        yield acr_line(self.acr, INDEPENDENT)


def population_of(rows: Sequence[Outcome], radii: Sequence[float]) -> Population | None:
    """Derive the intervals from all rows of a run or a log; None if one has no label.

    Args:
        rows: all inputs, at least one.
        radii: where to state certified accuracy, >= 0, ascending.
    """
    if any(row.label is None for row in rows):
        return None
    inputs = len(rows)
    shares = [accuracy_at(rows, r) for r in radii]
    right = [int(share * inputs) for share in shares]
    return Population(
        radii=tuple(float(r) for r in radii),
        low=tuple(clopper_pearson_lower(k, inputs, DELTA / 2.0) for k in right),
        high=tuple(clopper_pearson_upper(k, inputs, DELTA / 2.0) for k in right),
        band=accuracy_band([k / inputs for k in right], inputs, DELTA),
        acr=_radius_interval([row.radius if row.correct else 0.0 for row in rows]),
    )


def accuracy_line(
    radii: Sequence[float], low: Sequence[float], high: Sequence[float], assumed: Assumed
) -> str:
    """Return the intervals at each radius as text."""
    found = ", ".join(
        f"{plain(r)}:{JOINT}{percent_down(Fraction(a))}-{percent_up(Fraction(b))}"
        for r, a, b in zip(radii, low, high, strict=True)
    )
    return (
        f"certified accuracy of the population, {PERCENT} at each radius [{assumed.tags}]: {found}"
    )


def band_line(band: Band, assumed: Assumed) -> str:
    """Return the half width of the band as text."""
    half = percent_up(Fraction(band.half_width))
    where = f"at all radii at once, {PERCENT} [{assumed.tags}]"
    return f"certified accuracy {where}: +-{half} points (DKW)"


def acr_line(acr: MeanInterval, assumed: Assumed) -> str:
    """Return the interval on the ACR as text."""
    high = text_down(-Fraction(acr.high), 4).removeprefix("-")
    return (
        f"ACR of the population, {PERCENT} [{assumed.tags}, many inputs]: "
        f"{text_down(acr.low, 4)}-{high} "
        f"({acr.resamples:,} bootstraps, seed {acr.seed})"
    )


def band_json(band: Band, assumed: Assumed) -> dict[str, Any]:
    """Return the band for a program."""
    return {
        "low": band.low.tolist(),
        "high": band.high.tolist(),
        "half_width": band.half_width,
        "assumes": assumed.words,
    }


def _radius_interval(radii: list[float]) -> MeanInterval:
    """Return the interval; radii whose sum no float holds are scaled by a power of two."""
    scale = 2.0**-100 if max(radii) > _HUGE else 1.0
    found = radius_interval([r * scale for r in radii], level=LEVEL)
    if scale == 1.0:
        return found
    mean, low, high = found.mean / scale, found.low / scale, found.high / scale
    return MeanInterval(mean, low, high, found.level, found.resamples, found.seed)
