"""The adaptive rule: exact error, agreement with a brute-force enumeration, and its state."""

import itertools
import math

import numpy as np
import pytest

from rsonnx.statistics import clopper_pearson_lower
from rsonnx.statistics.adaptive import (
    AdaptiveDecision,
    AdaptiveRule,
    Verdict,
    align_looks,
    look_schedule,
)
from rsonnx.statistics.eprocess import anytime_lower, rejects
from rsonnx.statistics.operating import operating_point, stopping_regions
from rsonnx.statistics.rounding import normal_cdf_up


def run(rule: AdaptiveRule, path: tuple[int, ...], looks: tuple[int, ...]) -> AdaptiveDecision:
    """Feed one sequence of hits and misses to a decision."""
    state = rule.start()
    for n in looks:
        if state.update(sum(path[:n]), n) is not Verdict.CONTINUE:
            break
    return state


@pytest.mark.parametrize("targets", [(0.5,), (0.5, 0.6)])
def test_operating_point_by_enumerating_every_path(targets: tuple[float, ...]) -> None:
    rule = AdaptiveRule(targets, n_max=12, alpha=0.2, share=0.5, futility=0.02)
    looks = (2, 4, 5, 7, 8, 9, 11, 12)
    ends = [(sum(path), run(rule, path, looks)) for path in itertools.product((0, 1), repeat=12)]
    for p in (0.5, 0.6, 0.85):
        certified, futile, samples = [0.0] * len(targets), 0.0, 0.0
        for hits, state in ends:
            chance = p**hits * (1 - p) ** (12 - hits)
            samples += chance * state.n
            futile += chance * (state.verdict is Verdict.FUTILE)
            for t in range(state.reached):
                certified[t] += chance
        found = operating_point(rule, p, looks)
        assert found.certified == pytest.approx(certified, abs=1e-12)
        assert found.futile == pytest.approx(futile, abs=1e-12)
        assert found.samples == pytest.approx(samples, abs=1e-10)
        assert 0.0 < found.samples < 12.0


@pytest.mark.parametrize(("r", "alpha"), [(0.5, 0.001), (1.0, 0.001), (2.0, 0.01)])
@pytest.mark.parametrize("every_sample", [True, False])
def test_exact_error_is_below_alpha(r: float, alpha: float, every_sample: bool) -> None:
    # At p = p0 every certificate is false. tools/check.py does the same at n_max = 1e5.
    p0 = normal_cdf_up(r)
    rule = AdaptiveRule((p0,), n_max=2000, alpha=alpha)
    looks = tuple(range(1, 2001)) if every_sample else None
    error = operating_point(rule, p0, looks).certified[0]
    assert 0.3 * alpha < error < alpha
    # Without giving up the error is larger, and still below alpha.
    patient = AdaptiveRule((p0,), n_max=2000, alpha=alpha, futility=0.0)
    assert error <= operating_point(patient, p0, looks).certified[0] < alpha


def test_exact_error_of_a_grid_of_targets() -> None:
    grid = tuple(normal_cdf_up(r) for r in (0.25, 0.5, 0.75, 1.0))
    rule = AdaptiveRule(grid, n_max=2000, alpha=0.01)
    for i, p in enumerate(grid):
        point = operating_point(rule, p)
        assert 0.0 < point.certified[i] < 0.01
        assert list(point.certified) == sorted(point.certified, reverse=True)


def test_peeking_at_a_fixed_bound_is_what_this_avoids() -> None:
    # Clopper-Pearson at full alpha after every batch of 100: 0.8 to 1.7 % at n_max = 1e5.
    p0, alpha, n_max = 0.8413447460685430, 0.001, 10_000
    chance = np.ones(1)
    false = 0.0
    step = np.array([math.comb(100, k) * p0**k * (1 - p0) ** (100 - k) for k in range(101)])
    for n in range(100, n_max + 1, 100):
        chance = np.convolve(chance, step)
        low, high = int(n * p0), n
        while high - low > 1:
            k = (low + high) // 2
            low, high = (low, k) if clopper_pearson_lower(k, n, alpha) > p0 else (k, high)
        false += chance[high:].sum()
        chance = chance[:high]
    assert false > 5 * alpha


def test_regions_agree_with_decisions() -> None:
    rule = AdaptiveRule((0.6, 0.8), n_max=300, alpha=0.01)
    looks = rule.looks
    regions = stopping_regions(rule)
    for i, n in enumerate(looks):
        for k in {0, n // 2, n, *(int(c) + d for c in regions.certify[:, i] for d in (-1, 0)),
                  *(int(g) + d for g in regions.give_up[:, i] for d in (0, 1))}:  # fmt: skip
            if not 0 <= k <= n:
                continue
            verdict = rule.start().update(k, n)
            reached = int(np.sum(k >= regions.certify[:, i]))
            assert (verdict is Verdict.CERTIFIED) == (reached == 2)
            if reached < 2 and n < 300:
                assert (verdict is Verdict.FUTILE) == (k <= regions.give_up[reached, i])


def test_a_clear_input_is_certified_early() -> None:
    rule = AdaptiveRule((normal_cdf_up(1.0),))
    state = rule.start()
    assert state.p_lower == 0.0
    while state.verdict is Verdict.CONTINUE:
        n = next(look for look in rule.looks if look > state.n)
        state.update(n, n)
    assert (state.verdict, state.n) == (Verdict.CERTIFIED, 57)
    assert state.claim == (57, 57)
    assert state.p_lower >= rule.targets[0]
    assert state.p_lower == rule.lower(*state.claim)
    assert state.p_lower >= anytime_lower(57, 57, rule.alpha_e)


def test_a_hopeless_input_is_given_up_early_and_claims_what_it_can() -> None:
    rule = AdaptiveRule((normal_cdf_up(2.0),))
    state = rule.start()
    while state.verdict is Verdict.CONTINUE:
        n = next(look for look in rule.looks if look > state.n)
        state.update(round(0.9 * n), n)
    assert state.verdict is Verdict.FUTILE
    assert state.n < 1000
    assert 0.5 < state.p_lower < 0.9
    assert state.reached == 0


def test_a_grid_remembers_the_look_that_certified() -> None:
    rule = AdaptiveRule((0.6, 0.99), n_max=1000, alpha=0.001)
    state = rule.start()
    assert state.update(59, 60) is Verdict.CONTINUE
    assert state.reached == 1
    assert state.update(60, 100) is Verdict.FUTILE
    assert not rejects(60, 100, 0.6, rule.alpha_e)
    assert state.claim == (59, 60)
    assert state.p_lower == rule.lower(59, 60) > 0.6


def test_the_ceiling_has_a_test_of_its_own() -> None:
    rule = AdaptiveRule((0.5,), n_max=1000, alpha=0.001, futility=0.0)
    goal = rule.final_hits[0]
    assert clopper_pearson_lower(goal, 1000, rule.alpha_f) >= 0.5
    assert clopper_pearson_lower(goal - 1, 1000, rule.alpha_f) < 0.5
    assert not rejects(goal, 1000, 0.5, rule.alpha_e)
    state = rule.start()
    assert state.update(goal, 1000) is Verdict.CERTIFIED
    assert state.p_lower == clopper_pearson_lower(goal, 1000, rule.alpha_f)
    assert rule.start().update(goal - 1, 1000) is Verdict.EXHAUSTED
    assert rule.start().update(goal - 1, 999) is Verdict.CONTINUE
    assert rule.start().update(goal - 2, 999) is Verdict.FUTILE  # cannot be reached any more


def test_schedule() -> None:
    looks = look_schedule(100_000, through=57)
    assert looks[0] == 16
    assert look_schedule(100, through=15)[0] == 15
    assert looks[-1] == 100_000
    assert 57 in looks
    assert all(b > a for a, b in itertools.pairwise(looks))
    assert align_looks(looks, 64)[:2] == (64, 128)
    assert align_looks(looks, 64)[-1] == 100_000
    assert look_schedule(3) == (3,)
    assert look_schedule(1) == (1,)
