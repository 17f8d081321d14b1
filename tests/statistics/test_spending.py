"""Spending alpha on looks: the exact chance of a false claim, against sums over all paths."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from rsonnx.statistics import (
    AdaptiveRule,
    SpendingRule,
    Verdict,
    align_looks,
    operating_point,
)
from rsonnx.statistics.adaptive import _SAME_TARGET
from rsonnx.statistics.paths import binomial, convolve
from rsonnx.statistics.rounding import normal_cdf_up
from rsonnx.statistics.spending import EARLY_SHARE, FINAL_SHARE, least_hits

GRID = tuple(normal_cdf_up(r) for r in (0.25, 0.5, 1.0, 1.5))


def test_what_is_spent_by_enumerating_every_path() -> None:
    looks, p, alpha = (4, 6, 9, 12), 0.6, 0.1
    fewest = least_hits(looks, p, alpha)
    spent = np.zeros(len(looks))
    for path in itertools.product((0, 1), repeat=looks[-1]):
        first = next((i for i, n in enumerate(looks) if sum(path[:n]) >= fewest[i]), None)
        if first is not None:
            spent[first] += p ** sum(path) * (1 - p) ** (len(path) - sum(path))
    assert 0.3 * alpha < spent.sum() <= alpha
    shares = np.log(np.array(looks) / looks[0]) + 1
    assert np.all(np.cumsum(spent) <= alpha * shares / shares[-1])
    # One hit fewer at the last look would have been too much.
    assert spent.sum() + stats.binom.pmf(fewest[-1] - 1, looks[-1], p) > alpha


@pytest.mark.parametrize(("n_max", "alpha"), [(2000, 0.05), (5000, 0.001), (100_000, 0.001)])
def test_no_target_is_claimed_falsely_too_often(n_max: int, alpha: float) -> None:
    rule = SpendingRule(GRID, n_max, alpha, futility=0.0, batch=32)
    assert rule.alpha_e + rule.alpha_f + EARLY_SHARE * alpha == pytest.approx(alpha)
    for at, p in enumerate(GRID):
        assert 0.5 * alpha < operating_point(rule, p).certified[at] < alpha
    point = operating_point(rule, GRID[2] - 0.004)
    assert point.certified[2] < alpha < point.certified[1]


@pytest.mark.parametrize(("n_max", "alpha"), [(100_000, 0.001), (2_000_000, 0.05)])
def test_a_target_that_is_taken_for_ours_is_not_claimed_too_often(n_max: int, alpha: float) -> None:
    """By the hits of ours, which come from a probability that is a little lower."""
    looks = SpendingRule(GRID[2:3], n_max, alpha, batch=32).looks[:-1]
    early = EARLY_SHARE * alpha
    fewest = least_hits(looks, GRID[2], early)
    alive, start, before, spent = np.ones(1), 0, 0, 0.0
    for n, least in zip(looks, fewest, strict=True):
        step, first = binomial(n - before, GRID[2] * (1 + _SAME_TARGET))
        alive, start, before = convolve(alive, step), start + first, n
        spent += float(alive[max(0, least - start) :].sum())
        alive = alive[: max(0, least - start)]
    assert 0.9 * early < spent < early


def test_higher_targets_need_no_fewer_hits_and_a_claim_is_a_target() -> None:
    rule = SpendingRule(GRID, 5000, 0.01, batch=32)
    looks = np.array(rule.looks[:-1])
    hits = [rule.early_hits(target, looks) for target in range(len(GRID))]
    assert all(np.all(low <= high) for low, high in itertools.pairwise(hits))
    for target, (n, k) in enumerate(zip(looks.tolist()[20:], hits[1].tolist()[20:], strict=True)):
        assert rule.lower(k, n) >= GRID[1]
        assert rule.reaches(k, n, 1)
        assert not rule.reaches(k - 1, n, 1)
        if target == 10:
            break
    # Elsewhere than at its looks nothing is decided, but for what holds at any time.
    assert not rule.reaches(40, 41)
    assert rule.lower(41, 41) == AdaptiveRule((0.5,), 5000, 0.01, rule.share).lower(41, 41)


def test_it_decides_with_fewer_samples_than_the_e_process() -> None:
    p0 = normal_cdf_up(1.0)
    spending, process = SpendingRule((p0,), batch=32), AdaptiveRule((p0,), share=0.3)
    for p in (0.88, 0.9, 0.93):
        before = operating_point(process, p, align_looks(process.looks, 32)).samples
        assert before > 1.05 * operating_point(spending, p).samples
    for p in (0.83, 0.87):
        chance, other = (operating_point(rule, p).certified[0] for rule in (spending, process))
        assert chance == pytest.approx(other, abs=0.02)


def test_bounds_hold_at_the_ceiling_with_their_share() -> None:
    assert SpendingRule((0.5,), 10, 0.01, batch=32).start().update(10, 10) is Verdict.CERTIFIED
    rule = SpendingRule(GRID, 1000, 0.01)
    final = stats.beta.ppf(0.01 * FINAL_SHARE, 900, 101)
    assert rule.lower(900, 1000) == pytest.approx(final, rel=1e-9)
