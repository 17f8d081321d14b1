"""Whether a run of an adaptive rule can have stopped where a row says, with what the row claims.

A row keeps the last look and the one that it claims its bound from. The looks between are not kept,
so what is said here is necessary: a run that stopped so shows nothing of this, and one that shows
nothing of it may still have been made up.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from rsonnx.statistics.adaptive import AdaptiveRule
from rsonnx.statistics.clopper_pearson import clopper_pearson_lower
from rsonnx.statistics.eprocess import rejects

_MARGIN = 1e-9
"""Bounds that are nearer to each other than this are taken for equal."""


def stop_fault(  # noqa: PLR0911 - one return a fault
    rule: AdaptiveRule,
    looks: Sequence[int],
    hits: int,
    drawn: int,
    claim: tuple[int, int],
    bound: float,
) -> str | None:
    """Return why the rule cannot have stopped so, in words; None where it can.

    Args:
        rule: what decides.
        looks: after how many samples it is asked, rising, up to ``rule.n_max``.
        hits, drawn: of the row.
        claim: (hits, samples) of the look that the bound is claimed from, part of the former; (0,
            0) where nothing is claimed.
        bound: what follows from the claim; 0 where nothing is claimed.
    """
    claimed_hits, claimed = claim
    for samples in {drawn, claimed} - {0}:
        if samples not in looks:
            return f"it looked after {samples:,} samples, where its looks are others"
    reached = _reached(rule, claimed_hits, claimed) if claimed else 0
    everything = len(rule.targets)
    if claimed == drawn:
        if bound == 0.0:
            return "it claims a bound from its last look, which gives none"
    elif claimed and not reached:
        return f"it claims its bound from {claimed:,} samples, which decided no target"
    elif _gives_more(rule, hits, drawn, bound) or _reached(rule, hits, drawn) > reached:
        return f"it claims its bound from {claimed:,} samples, but its last look gives a better one"
    elif reached == everything:
        return f"it decided all targets after {claimed:,} samples, but drew {drawn:,}"
    if not (reached == everything or drawn == rule.n_max or rule.hopeless(hits, drawn, reached)):
        return f"it stopped after {drawn:,} samples with its targets undecided"
    before = max((look for look in looks if look < drawn), default=0)
    # Where the last look is claimed, fewer targets may have been decided before it.
    stages = [reached] if claimed < drawn else range(min(reached, everything - 1), -1, -1)
    if before and not any(_goes_on(rule, before, hits, drawn, claim, j) for j in stages):
        return f"it drew {drawn:,} samples, but must have stopped after {before:,}"
    return None


def _gives_more(rule: AdaptiveRule, k: int, n: int, bound: float) -> bool:
    """Whether a look gives a higher bound, by more than rounding errors."""
    least = max(bound, 0.5) + _MARGIN
    if n == rule.n_max and clopper_pearson_lower(k, n, rule.alpha_f) > least:
        return True
    return least < 1.0 and rejects(k, n, least, rule.alpha_e)


def _reached(rule: AdaptiveRule, k: int, n: int) -> int:
    """Return how many targets a look decides, from the lowest."""
    return bisect_left(
        range(len(rule.targets)), True, key=lambda target: not rule.reaches(k, n, target)
    )


def _goes_on(
    rule: AdaptiveRule, n: int, hits: int, drawn: int, claim: tuple[int, int], reached: int
) -> bool:
    """Whether any hits at the look before the last leave the next target open."""
    claimed_hits, claimed = claim
    if claimed <= n:
        least, fewest_missed = claimed_hits, claimed - claimed_hits
    else:
        least, fewest_missed = 0, 0
    low = max(least, n - (drawn - hits))
    undecided = _fewest_hits(rule, n, reached) - 1
    most = min(hits, n - fewest_missed, undecided)
    if claimed == n:
        most = min(most, claimed_hits)
    # More hits leave more hope, so the most of them decide.
    return low <= most and not rule.hopeless(most, n, reached)


@lru_cache(maxsize=65536)
def _fewest_hits(rule: AdaptiveRule, n: int, target: int) -> int:
    return int(rule.early_hits(target, np.array([n]))[0])
