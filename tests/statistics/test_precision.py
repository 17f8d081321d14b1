"""Sampling for precision: no false claim is likelier than alpha, by counting every path exactly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from rsonnx.statistics import PrecisionRule, clopper_pearson_lower, expected_end
from rsonnx.statistics.rounding import normal_quantile_down

ALPHA = 0.05
RULE = PrecisionRule(0.1, 1000, ALPHA, lambda p: max(0.0, normal_quantile_down(p)), 64)

Ends = Mapping[tuple[int, int], float]
"""The chance of each (hits, samples) at which sampling can end."""


def ends(edges: Mapping[int, int], p: float, *, many: bool = False) -> Ends:
    """Every end of a run that stops at few hits, or at many: ``edges`` are c_n by the look n."""
    alive, before, ended = {0: 1.0}, 0, {}
    for n, edge in edges.items():
        step = stats.binom.pmf(np.arange(n - before + 1), n - before, p)
        chances = np.zeros(n + 1)
        for k, chance in alive.items():
            chances[k : k + len(step)] += chance * step
        stops = [(k > edge) if many else (k <= edge) for k in range(n + 1)]
        last = n == max(edges)
        ended |= {(k, n): chances[k] for k in range(n + 1) if stops[k] or last}
        alive = {k: chances[k] for k in range(n + 1) if chances[k] and not stops[k]}
        before = n
    return {end: chance for end, chance in ended.items() if chance}


def false(ended: Ends, p: float, alpha: float) -> float:
    """The chance of a claim above ``p``."""
    return sum(c for (k, n), c in ended.items() if clopper_pearson_lower(k, n, alpha) > p)


def critical(looks: Sequence[int], alpha: float) -> Iterator[float]:
    """Probabilities just below a bound that may be claimed, where false claims are likeliest."""
    for n in looks:
        yield from (clopper_pearson_lower(k, n, alpha) - 1e-12 for k in range(n // 2, n + 1))


def own_edges(rule: PrecisionRule) -> dict[int, int]:
    return {n: rule.most_hits(n) for n in rule.looks}


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.integers(1, 40), min_size=2, max_size=5, unique=True).map(sorted),
    st.sampled_from([0.001, 0.05, 0.3]),
    st.data(),
)
def test_few_hits_end_it_wherever_the_edges_are(
    looks: list[int], alpha: float, data: st.DataObject
) -> None:
    edges = {n: data.draw(st.integers(-1, n)) for n in looks[:-1]} | {looks[-1]: looks[-1]}
    for p in [*critical(looks[:2], alpha), data.draw(st.floats(0.01, 0.99))]:
        if p > 0:
            assert false(ends(edges, p), p, alpha) <= alpha * (1 + 1e-9)


def test_many_hits_may_not_end_it() -> None:
    """That the count of paths sees it: looking often, and stopping when it is pleasant."""
    looks = range(10, 41, 2)
    edges = {
        n: next(k for k in range(n) if clopper_pearson_lower(k + 1, n, ALPHA) > 0.6) for n in looks
    }
    assert false(ends(edges, 0.6, many=True), 0.6, ALPHA) > 1.5 * ALPHA


def test_the_rule_claims_falsely_with_probability_alpha_at_most() -> None:
    edges = own_edges(RULE)
    assert len(edges) > 3
    some = [*critical(RULE.looks[:1], ALPHA)][::25] + [*critical(RULE.looks[-1:], ALPHA)][::60]
    worst = max(false(ends(edges, p), p, ALPHA) for p in (*some, 0.5, 0.99))
    assert 0.9 * ALPHA < worst <= ALPHA * (1 + 1e-9)


@pytest.mark.parametrize("p", [0.5, 0.8, 0.97])
def test_what_is_expected_of_it(p: float) -> None:
    ended = ends(own_edges(RULE), p)
    samples, radius = expected_end(RULE, p)
    assert samples == pytest.approx(sum(n * c for (_, n), c in ended.items()), rel=1e-6)
    assert radius == pytest.approx(
        sum(RULE.radius_at(k, n) * c for (k, n), c in ended.items()), rel=1e-4
    )


def test_it_can_have_ended_where_some_run_ends_and_nowhere_else() -> None:
    reached = ends(own_edges(RULE), 0.5).keys() | ends(own_edges(RULE), 0.999).keys()
    some = {(k, n) for n in RULE.looks for k in range(0, n + 1, 7)}
    assert reached
    for k, n in {*reached, *some, (100, 300), (900, 1000)}:
        assert (RULE.stop_fault(k, n) is None) == ((k, n) in reached), (k, n)


def test_at_its_end_little_is_left_to_gain() -> None:
    """Of what the same share of hits would give, at every end that is near an edge."""
    rule = PrecisionRule(0.05, 100_000, 0.001, RULE.radius, 32)
    for before, n in pairwise(rule.looks):
        k = rule.most_hits(n)
        left = rule.expected(k, n) - rule.radius_at(k, n)
        assert left <= 0.05 * max(1.0, rule.expected(k, n)) + 1e-12
        # One more would go on, so that no sample is drawn in vain.
        assert k == n or not rule.suffices(k + 1, n)
        assert n - before <= max(32, 0.06 * n + 32)
    assert rule.looks[-1] < 50_000
