"""Other designs for a whole curve with few samples, beside the rule that rsonnx has for it.

:class:`InputSpecific` chooses each input's n from its selection samples (Chen, Li, Yan, Li & Sheng,
AAAI 2022, arXiv 2112.12084, input-specific sampling), and bounds p by fresh ones; the published
code counts the selection samples in the bound too, which does not hold at alpha. :class:`Anytime`
stops where the bound of an e-process loses little enough. Both aim at what
:class:`rsonnx.statistics.PrecisionRule` aims at, and certify at the same alpha.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from rsonnx.statistics import align_looks, clopper_pearson_lower
from rsonnx.statistics.adaptive import look_schedule
from rsonnx.statistics.clopper_pearson import clopper_pearson_upper
from rsonnx.statistics.eprocess import log_e, log_threshold
from rsonnx.statistics.precision import FIRST_LOOK, PrecisionRule

BATCH = 200
"""Samples come in whole batches of so many, as in the published code."""

_SINGLE, _BETWEEN = 64, 192
"""Counts of misses at which an e-process is bounded: all up to the first, and so many beyond."""

_HALVINGS = 50


def needed(rule: PrecisionRule, p: float, sizes: Sequence[int]) -> int:
    """Return the least of the rising ``sizes`` that loses little enough where so many hits are.

    Of all sizes, it is what a run takes that is told p.
    """

    def suffices(n: int) -> bool:
        radius = rule.radius_at(int(p * n), n) if n else 0.0
        return aim - radius <= rule.share * max(aim, rule.radius(float(special.ndtr(1.0))))

    aim = rule.radius_at(int(p * rule.n_max), rule.n_max)
    return sizes[bisect_left(sizes[:-1], True, key=suffices)]


@dataclass(frozen=True)
class InputSpecific:
    """n from the interval of p that the selection samples give: as many as both its ends take.

    Args:
        rule: the share that may be lost, of which radius, and alpha.
        n0: selection samples, >= 1, which are drawn anew of each input and do not bound p.
    """

    rule: PrecisionRule
    n0: int

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """What n is chosen from; 0 abstains without further samples."""
        return (0, *align_looks(look_schedule(self.rule.n_max), BATCH))

    @cache  # noqa: B019 - there are few, and they live as long as the program
    def size(self, hits: int) -> int:
        """Return n after so many hits of the selection samples, by their two-sided interval."""
        half = self.rule.alpha / 2.0
        bounds = clopper_pearson_lower, clopper_pearson_upper
        return max(needed(self.rule, bound(hits, self.n0, half), self.sizes) for bound in bounds)

    def expected_end(self, p: float) -> tuple[float, float]:
        """Return the expected samples of both stages and the radius at a probability ``p``."""
        hits = np.arange(self.n0 + 1)
        chances = stats.binom.pmf(hits, self.n0, p)
        likely: dict[int, float] = {}
        for k in np.flatnonzero(chances > 1e-9).tolist():
            likely[self.size(k)] = likely.get(self.size(k), 0.0) + float(chances[k])
        radii = (chance * self._radius(n, p) for n, chance in likely.items() if n)
        return self.n0 + sum(n * chance for n, chance in likely.items()), sum(radii)

    @cache  # noqa: B019
    def _radius(self, n: int, p: float) -> float:
        spread = 8.0 * (n * p * (1.0 - p)) ** 0.5 + 8.0
        k = np.arange(max(1, int(n * p - spread)), min(n, int(n * p + spread)) + 1)
        bounds = special.betaincinv(k, n - k + 1, self.rule.alpha)
        radii = np.array([self.rule.radius(b) for b in bounds.tolist()])
        return float(stats.binom.pmf(k, n, p) @ radii)


class Anytime(PrecisionRule):
    """Stops at the first look at which the bound of an e-process suffices, and claims it."""

    def bound(self, k: int, n: int) -> float:
        """Return the bound, between counts at which it is known by a straight line."""
        return float(np.interp(k, *_bounds(n, self.alpha)))

    def expected(self, k: int, n: int) -> float:
        """Return the radius of ``n_max`` samples that were fixed, which is what is aimed at."""
        return self.radius(clopper_pearson_lower(k * self.n_max // n, self.n_max, self.alpha))

    @cached_property
    def looks(self) -> tuple[int, ...]:
        """The looks of the base class, up to the last where none suffices for all hits."""
        looks = align_looks(look_schedule(self.n_max), self.batch)
        late = [n for n in looks if n >= FIRST_LOOK]
        last = next((n for n in late if self.suffices(n, n)), self.n_max)
        return tuple(n for n in late if n <= last)


@cache
def _bounds(n: int, alpha: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    few = np.arange(min(_SINGLE, n // 2))
    many = np.linspace(few[-1] + 1, n - n // 2, _BETWEEN).astype(np.int64)
    hits = n - np.unique([*few, *many])[::-1]
    low, high = np.full(hits.size, 0.5), np.maximum(hits / n, 0.5)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        rejected = log_e(hits, n, middle) >= log_threshold(alpha, n)
        low, high = np.where(rejected, middle, low), np.where(rejected, high, middle)
    return hits, low
