"""Adaptive certification that spends alpha on its looks, each of which is counted exactly.

An e-process may be looked at whenever one likes, which costs more than looks that are fixed
beforehand (Lan & DeMets 1983). alpha is split once: 0.3 for deciding a target early, 0.65 for one
Clopper-Pearson bound at ``n_max``, and the rest for an e-process, whose bound is claimed of what is
not a target.

A target p0 is certified at the look n_j with h_j hits or more. The chance that p0 itself ever has
so many at a look before ``n_max`` is added up over all paths, and the h_j are the fewest with which
it is at most 0.3·alpha, spread over the logarithm of n. It is less for a smaller p, as more hits
never lead out of those that certify, and less again for stopping early. Higher targets need no
fewer hits at any look. So if p0 is the lowest target that is not below the true p, every false
early claim has the hits that certify p0, and the chances of the three kinds of false claims add up
to alpha at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from rsonnx.statistics import portable
from rsonnx.statistics.adaptive import AdaptiveRule, align_looks, look_schedule, target_as_recorded
from rsonnx.statistics.checks import check_count
from rsonnx.statistics.clopper_pearson import clopper_pearson_lower, lower_as_recorded
from rsonnx.statistics.eprocess import anytime_lower, fewest_hits_to_reject, rejects
from rsonnx.statistics.paths import binomial, convolve, trim

EARLY_SHARE, FINAL_SHARE = 0.3, 0.65
LEAST_ALPHA, MOST_SAMPLES = 1e-6, 2_000_000
"""Beyond them rounding errors, and the time, of adding up all paths are no longer negligible."""

_MARGIN = 1e-6
"""Of what may be spent, left for rounding errors: 1000 times the largest of a chance."""


@dataclass(frozen=True)
class SpendingRule(AdaptiveRule):
    """When to stop, and what may then be claimed, with looks that are fixed beforehand.

    Args:
        targets, n_max, alpha, futility: as for :class:`AdaptiveRule`; alpha >= ``LEAST_ALPHA`` and
            n_max <= ``MOST_SAMPLES``.
        share: of alpha that the e-process gets.
        batch: looks are at multiples of so many samples.
    """

    share: float = 1.0 - EARLY_SHARE - FINAL_SHARE
    futility: float = 0.002
    batch: int = 1

    @property
    def alpha_f(self) -> float:
        """Probability of error of the bound at ``n_max``."""
        return self.alpha * FINAL_SHARE

    @cached_property
    def looks(self) -> tuple[int, ...]:
        """The numbers of samples at which the counts are looked at."""
        return align_looks(look_schedule(self.n_max), self.batch)

    @cached_property
    def _certifying(self) -> list[dict[int, int]]:
        """For each target, the fewest hits that certify it, by the look."""
        at, tables = np.asarray(self.looks[:-1], np.int64), []
        fewest = np.zeros(at.size, np.int64)
        for target in self.targets:
            spent = least_hits(self.looks[:-1], target, EARLY_SHARE * self.alpha)
            anytime = fewest_hits_to_reject(at, target, self.alpha_e)
            fewest = np.maximum(fewest, np.minimum(spent, anytime))
            tables.append(dict(zip(self.looks, fewest.tolist(), strict=False)))
        return tables

    def early_hits(self, target: int, looks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the fewest hits that certify a target at looks before ``n_max``."""
        table = self._certifying[target]
        return np.array([table.get(n, n + 1) for n in looks.tolist()], np.int64)

    def lower(self, k: int, n: int, near: float | None = None) -> float:
        """Lower bound on p that ``k`` hits in ``n`` samples support; as of the base class."""
        return _lower(self, *check_count(k, n), near)

    def reaches(self, k: int, n: int, target: int = 0) -> bool:
        """Whether ``k`` hits in ``n`` samples certify a target, at any look."""
        if n == self.n_max:
            return k >= self.final_hits[target]
        return k >= self._certifying[target].get(n, n + 1)


@lru_cache(maxsize=1 << 16)
def _lower(rule: SpendingRule, k: int, n: int, near: float | None) -> float:
    """Return :meth:`SpendingRule.lower`, which inputs of few samples ask for time after time."""
    value = clopper_pearson_lower(k, n, rule.alpha_f) if n == rule.n_max else 0.0
    value = lower_as_recorded(value, near, k, n, rule.alpha_f)
    for place, target in enumerate(rule.targets if n < rule.n_max else ()):
        if rule.reaches(k, n, place):
            value = target_as_recorded(target, near)
    if value > 0.5 and not rejects(k, n, value, rule.alpha_e):
        return value
    return max(value if value > 0.5 else 0.0, anytime_lower(k, n, rule.alpha_e, near))


def least_hits(looks: Sequence[int], p0: float, alpha: float) -> list[int]:
    """Return the fewest hits at each look that all together have the chance ``alpha`` under p0.

    Up to a look, alpha is spent by the share of the logarithm of its samples; n + 1 where too
    little is left.
    """
    alive, start, before, spent, fewest = np.ones(1), 0, 0, 0.0, []
    shares = 1.0 + portable.log(np.asarray(looks, np.float64) / min(looks, default=1))
    for n, share in zip(looks, (shares / shares[-1:]).tolist(), strict=True):
        step, first = binomial(n - before, p0)
        alive, start, before = convolve(alive, step), start + first, n
        tails = np.cumsum(alive[::-1])[::-1]
        left = alpha * (1.0 - _MARGIN) * share - spent
        reached = int(np.searchsorted(-tails, -left))
        if reached < tails.size:
            spent += float(tails[reached])
        fewest.append(start + reached if reached < tails.size else n + 1)
        alive, start = trim(alive[:reached], start)
    return fewest
