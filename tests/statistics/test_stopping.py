"""Where an adaptive run can have stopped: each that was simulated, and none that was shifted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsonnx.statistics import AdaptiveRule, SpendingRule, Verdict, align_looks
from rsonnx.statistics.stopping import stop_fault

ONE = AdaptiveRule((0.6,), 3000, 0.001)
SEVERAL = AdaptiveRule((0.55, 0.7, 0.8, 0.9), 3000, 0.01)
SPENDING = SpendingRule((0.55, 0.7, 0.8, 0.9), 3000, 0.01, batch=32)


def looks_of(rule: AdaptiveRule) -> tuple[int, ...]:
    return align_looks(rule.looks, 32)


def sampled(rule: AdaptiveRule, p: float, seed: int) -> tuple[int, int, tuple[int, int], float]:
    """Hits, samples, claim and bound of a run at a probability."""
    rng, decision, hits = np.random.default_rng(seed), rule.start(), 0
    for look in looks_of(rule):
        hits += int(rng.binomial(look - decision.n, p))
        if decision.update(hits, look) is not Verdict.CONTINUE:
            break
    return decision.k, decision.n, decision.claim, decision.p_lower


@settings(deadline=None, max_examples=150)
@given(st.sampled_from([ONE, SEVERAL, SPENDING]), st.floats(0.4, 1.0), st.integers(0, 2**32))
def test_a_run_stopped_where_it_can_have_stopped(rule: AdaptiveRule, p: float, seed: int) -> None:
    hits, drawn, claim, bound = sampled(rule, p, seed)
    assert stop_fault(rule, looks_of(rule), hits, drawn, claim, bound) is None


@settings(deadline=None, max_examples=100)
@given(st.floats(0.4, 1.0), st.integers(0, 2**32), st.data())
def test_with_one_target_the_claim_is_the_stop(p: float, seed: int, data: st.DataObject) -> None:
    hits, drawn, claim, _ = sampled(ONE, p, seed)
    samples = data.draw(st.sampled_from([0, *(n for n in looks_of(ONE) if n <= drawn)]))
    least, most = max(0, samples - (drawn - hits)), min(hits, samples)
    other = (data.draw(st.integers(least, most)), samples)
    if other != claim:
        bound = ONE.lower(*other) if samples else 0.0
        assert stop_fault(ONE, looks_of(ONE), hits, drawn, other, bound)


@settings(deadline=None, max_examples=60)
@given(st.floats(0.6, 1.0), st.integers(0, 2**32), st.integers(1, 20))
def test_it_does_not_go_on_behind_its_stop(p: float, seed: int, further: int) -> None:
    """All samples behind the stop of a certified run are hits: no run draws them."""
    hits, drawn, _, _ = sampled(SEVERAL, p, seed)
    looks = looks_of(SEVERAL)
    later = looks[min(looks.index(drawn) + further, len(looks) - 1)]
    more = hits + later - drawn
    bound = SEVERAL.lower(hits, drawn)
    if bound > SEVERAL.targets[-1] and later > drawn:
        assert stop_fault(SEVERAL, looks, more, later, (hits, drawn), bound)


@pytest.mark.parametrize(
    ("hits", "drawn", "claim"),
    [
        (64, 64, (45, 45)),  # no look
        (60, 60, (60, 60)),
        (40, 64, (0, 0)),  # undecided
        (40, 64, (40, 64)),
        (3000, 3000, (3000, 3000)),  # certified long before
        (3000, 3000, (0, 0)),
    ],
)
def test_stops_that_no_run_has(hits: int, drawn: int, claim: tuple[int, int]) -> None:
    for rule in (ONE, SEVERAL, SPENDING):
        bound = rule.lower(*claim) if claim[1] else 0.0
        assert stop_fault(rule, looks_of(rule), hits, drawn, claim, bound)
