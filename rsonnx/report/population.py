"""What certified radii say about inputs that were not among them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rsonnx.report.rounding import decimals_up, percent_down, percent_up, text_down
from rsonnx.report.summary import Outcome, accuracy_at
from rsonnx.report.table import JOINT
from rsonnx.scalars import in_full
from rsonnx.statistics import (
    AccuracyInterval,
    Band,
    MeanInterval,
    accuracy_band,
    accuracy_interval,
    radius_interval,
)

LEVEL = 0.95
DELTA = 0.05
PERCENT = f"{100 * LEVEL:g} %"
"""The level of every interval of a report, as it is shown."""

NOISE = "noise independent between inputs"

_HUGE = 2.0**900

COUNTED = "inputs drawn independently from the population"
"""What intervals assume where certificates rest on no samples of the noise."""
INDEPENDENT = f"{COUNTED}, {NOISE}"
UNDER_SHARED_NOISE = f"{COUNTED}; of the noise that they share, as it was drawn"
"""Given the noise that they share, what is certified of further inputs is independent still."""


@dataclass(frozen=True)
class Population:
    """Intervals for certified accuracy and ACR of the population, at ``LEVEL``.

    Attributes:
        radii: where certified accuracy is stated.
        accuracy: at each of ``radii`` (Clopper-Pearson).
        band: around certified accuracy at all radii at once.
        acr: an interval on the average certified radius.
        assumed: what all of them assume.
        robust: whether alpha is known, and so what is truly right and robust.
    """

    radii: tuple[float, ...]
    accuracy: tuple[AccuracyInterval, ...]
    band: Band
    acr: MeanInterval
    assumed: str = INDEPENDENT
    robust: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return the intervals for a program, each with what it assumes."""
        bounds = ("low", "high", "robust_low") if self.robust else ("low", "high")
        accuracy = {name: [getattr(at, name) for at in self.accuracy] for name in bounds}
        assumes = {"assumes": self.assumed}
        return {
            "level": LEVEL,
            "certified_accuracy": accuracy | assumes,
            "certified_accuracy_band": {
                "low": self.band.low.tolist(),
                "high": self.band.high.tolist(),
                "half_width": self.band.half_width,
                **assumes,
            },
            "acr": asdict(self.acr) | {"assumes": f"{self.assumed}; many inputs"},
        }

    def lines(self, *, tabled: bool = False) -> Iterator[str]:
        """Yield what they assume and the intervals as text, one a line, rounded outward.

        Args:
            tabled: whether a table and a curve show certified accuracy already.
        """
        yield f"of the population, {PERCENT} confidence in each line, assuming {self.assumed}:"
        if not tabled:
            yield from self._at_each_radius()
        acr = self.acr
        yield (
            f"ACR, for many inputs: {text_down(acr.low, 4)}-{decimals_up(acr.high, 4)} "
            f"({acr.resamples:,} bootstraps, seed {acr.seed})"
        )

    def _at_each_radius(self) -> Iterator[str]:
        at = [(f"{in_full(r)}:{JOINT}", i) for r, i in zip(self.radii, self.accuracy, strict=True)]
        shares = [f"{r}{percent_down(i.low)}-{percent_up(i.high)}" for r, i in at]
        yield f"certified accuracy, each radius by itself: {', '.join(shares)}"
        if self.robust:
            robust = ", ".join(f"{r}{percent_down(i.robust_low)}" for r, i in at)
            yield f"truly right and robust, each radius by itself, at least: {robust}"
        half = percent_up(self.band.half_width)
        yield f"certified accuracy, all radii at once: +-{half} points (DKW)"


def population_of(
    rows: Sequence[Outcome],
    radii: Sequence[float],
    *,
    alpha: float | None = None,
    assumed: str = INDEPENDENT,
) -> Population | None:
    """Derive the intervals from all rows of a run or a log; None if one has no label.

    Args:
        rows: all inputs, at least one.
        radii: where to state certified accuracy, >= 0, ascending.
        alpha: probability of error of each certificate, in [0, 1); None where it is not known.
        assumed: what the intervals assume.
    """
    if any(row.label is None for row in rows):
        return None
    inputs, shared = len(rows), assumed == UNDER_SHARED_NOISE
    right = [int(accuracy_at(rows, r) * inputs) for r in radii]
    return Population(
        radii=tuple(float(r) for r in radii),
        accuracy=tuple(
            accuracy_interval(k, inputs, alpha or 0, DELTA, shared_noise=shared) for k in right
        ),
        band=accuracy_band([k / inputs for k in right], inputs, DELTA),
        acr=_radius_interval([row.radius if row.correct else 0.0 for row in rows]),
        assumed=assumed,
        robust=alpha is not None,
    )


def _radius_interval(radii: list[float]) -> MeanInterval:
    """Return the interval; radii whose sum no float holds are scaled by a power of two."""
    scale = 2.0**-100 if max(radii) > _HUGE else 1.0
    scaled = radius_interval([r * scale for r in radii], level=LEVEL)
    if scale == 1.0:
        return scaled
    mean, low, high = scaled.mean / scale, scaled.low / scale, scaled.high / scale
    return MeanInterval(mean, low, high, scaled.level, scaled.resamples, scaled.seed)
