"""Published rules and other designs of ``tools/benching``, against exact enumeration."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import product
from statistics import NormalDist
from types import ModuleType

import pytest

from rsonnx.noise import Gaussian
from rsonnx.statistics import PrecisionRule, clopper_pearson_lower
from rsonnx.statistics.eprocess import anytime_lower

Tool = Callable[[str], ModuleType]
RADIUS = Gaussian(1.0).radius


def tail(n: int, p: Fraction, k: int) -> Fraction:
    """Return P(Bin(n, p) >= k)."""
    return sum((math.comb(n, j) * p**j * (1 - p) ** (n - j) for j in range(k, n + 1)), Fraction(0))


def chances(n: int, p: float) -> list[float]:
    return [math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]


@pytest.mark.parametrize("name", ["union_bound", "betting"])
def test_a_boundary_does_what_all_sequences_do(tool: Tool, name: str) -> None:
    n_max, p0 = 11, 0.6
    rule = getattr(tool("benching.rules"), name)(p0, n_max, 0.3)
    ways: dict[tuple[bool, int], dict[int, int]] = {}  # ways by end, then by hits
    for sequence in product((0, 1), repeat=n_max):
        hits, drawn, certified = 0, 0, False
        for hit in sequence:
            hits, drawn = hits + hit, drawn + 1
            certified = hits >= rule.certify[drawn - 1]
            if certified or hits <= rule.give_up[drawn - 1]:
                break
        by_hits = ways.setdefault((certified, drawn), {})
        by_hits[sum(sequence)] = by_hits.get(sum(sequence), 0) + 1
    for p in (0.5, p0, 0.9, 1.0):
        expected = [0.0, 0.0]
        for (certified, drawn), by_hits in ways.items():
            chance = sum(c * p**k * (1 - p) ** (n_max - k) for k, c in by_hits.items())
            expected[0] += certified * chance
            expected[1] += drawn * chance
        assert rule.operating_point(p) == pytest.approx(expected)
    assert 0 < rule.operating_point(p0)[0] <= 0.3
    assert any(drawn < n_max and not certified for certified, drawn in ways)


def test_bets_are_those_of_krichevsky_and_trofimov(tool: Tool) -> None:
    """Each sample is bet on by the share of hits before it, with half a hit and half a miss."""
    p0, alpha, n_max = 0.8, 0.05, 60
    rule = tool("benching.rules").betting(p0, n_max, alpha)
    for n in (20, 45, n_max):
        for k in (rule.certify[n - 1], rule.certify[n - 1] - 1):
            # The wealth depends on no order; k hits first, then the misses.
            wealth = math.prod((i + 0.5) / (i + 1) / p0 for i in range(k))
            wealth *= math.prod((i + 0.5) / (k + i + 1) / (1 - p0) for i in range(n - k))
            # Hits that suffice at a later look suffice at once, so fewer than win may do.
            assert (wealth > 1 / alpha) <= (k >= rule.certify[n - 1])
    assert rule.certify[n_max - 1] == k + 1
    # All hits: (1/2 · 3/4 · 5/6 ...) / 0.8^n first passes 20 at n = 20, by the product itself.
    first = next(n for n in range(1, n_max) if rule.certify[n - 1] <= n)
    wealth = [math.prod((i + 0.5) / (i + 1) / p0 for i in range(n)) for n in range(n_max)]
    assert first == next(n for n in range(n_max) if wealth[n] > 1 / alpha)


def test_a_union_bound_spends_its_alpha_on_its_looks(tool: Tool) -> None:
    p0, alpha, n_max = Fraction(3, 4), 0.01, 200
    rule = tool("benching.rules").union_bound(float(p0), n_max, alpha)
    looks, power = [], 11
    for n in range(1, n_max + 1):
        if n > 1.1**power:
            looks.append(n)
            power += 1
    levels = [5 * alpha / ((t + 4) * (t + 5)) for t in range(1, len(looks) + 1)]
    assert sum(levels) < alpha
    last, level = looks[-1], levels[-1]
    least = int(rule.certify[last - 1])
    assert tail(last, p0, least) <= level < tail(last, p0, least - 1)
    assert all(rule.certify[last:] > n_max)  # no look is left


def test_stages_are_apart(tool: Tool) -> None:
    rules = tool("benching.rules")
    sizes, p0 = (4, 9, 20), 0.55
    rule = rules.Stages(p0, 0.3, sizes)
    for p in (0.3, p0, 0.8, 1.0):
        certified = samples = 0.0
        reached = 1.0
        for n, least, most in zip(sizes, rule.certify, rule.give_up, strict=True):
            pmf = chances(n, p)
            samples += reached * n
            certified += reached * sum(pmf[least:])
            reached *= sum(c for k, c in enumerate(pmf) if most < k < least)
        assert rule.operating_point(p) == pytest.approx((certified, samples))
    assert rule.operating_point(p0)[0] <= 0.3


# r / sigma, and the hits that certify and give up with 1,000, 10,000 and 120,000 samples at alpha
# 0.001: from `ensembles.json` (FIELD.md, J), by exact tails, in agreement with the authors' code.
GOLDEN = [
    (0.5, (741, 7_072, 83_520), (633, 6_733)),
    (1.5, (959, 9_416, 112_277), (900, 9_232)),
]


@pytest.mark.parametrize(("radius", "certify", "give_up"), GOLDEN)
def test_stages_are_the_golden_ones(
    tool: Tool, radius: float, certify: tuple[int, ...], give_up: tuple[int, ...]
) -> None:
    p0 = NormalDist().cdf(radius)
    rule = tool("benching.rules").Stages(p0, 0.001, (1_000, 10_000, 120_000))
    assert (rule.certify, rule.give_up[:2]) == (certify, give_up)


def test_input_specific_samples_follow_the_selection(tool: Tool) -> None:
    rule = PrecisionRule(0.2, 1_000, 0.01, RADIUS)
    design = tool("benching.designs").InputSpecific(rule, 60)
    assert [design.size(k) for k in (20, 60)] == [0, 400]
    n = design.size(57)
    p_high = 1 - 1e-12  # the interval of 60 of 60 ends at 1, whose radius takes most
    assert rule.radius_at(400, 400) >= 0.8 * rule.radius_at(int(p_high * 1_000) + 1, 1_000)
    for p in (0.9, 1.0):
        samples = radius = 0.0
        for k, chance in enumerate(chances(60, p)):
            n = design.size(k)
            samples += chance * (60 + n)
            if n and chance > 1e-9:
                reached = (rule.radius(clopper_pearson_lower(j, n, 0.01)) for j in range(n + 1))
                radius += chance * sum(map(math.prod, zip(chances(n, p), reached, strict=True)))
        assert design.expected_end(p) == pytest.approx((samples, radius), rel=1e-6)


def test_a_run_that_is_told_p_takes_the_least_number_that_suffices(tool: Tool) -> None:
    rule = PrecisionRule(0.05, 10_000, 0.001, RADIUS)
    n = tool("benching.designs").needed(rule, 1.0, range(10_001))
    lost = [1 - RADIUS(0.001 ** (1 / m)) / RADIUS(0.001 ** (1 / 10_000)) for m in (n - 1, n)]
    assert lost[1] <= 0.05 < lost[0]  # Clopper-Pearson's bound of n hits in n is alpha^(1/n)


def test_an_anytime_design_claims_the_bound_of_the_e_process(tool: Tool) -> None:
    rule = tool("benching.designs").Anytime(0.1, 1_000, 0.001, RADIUS)
    for k, n in ((1_000, 1_000), (990, 1_000), (700, 735)):
        assert rule.bound(k, n) == pytest.approx(anytime_lower(k, n, 0.001), abs=1e-6)
    for n in rule.looks[:-1]:
        edge = rule.most_hits(n)
        assert rule.suffices(edge, n)
        assert not rule.suffices(edge + 1, n)
