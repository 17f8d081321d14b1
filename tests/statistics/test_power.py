"""Planning figures against brute force."""

import math

import pytest
from scipy import stats

from rsonnx.statistics import clopper_pearson_lower, operating_point
from rsonnx.statistics.adaptive import AdaptiveRule
from rsonnx.statistics.power import (
    chance_to_certify,
    fewest_hits,
    fewest_samples,
    samples_for_chance,
)
from rsonnx.statistics.rounding import normal_cdf_up


@pytest.mark.parametrize("p0", [0.5, 0.7, 0.8413447, 0.99, 0.9986501, 0.99999])
@pytest.mark.parametrize("alpha", [0.5, 0.001, 1e-9])
def test_fewest_samples(p0: float, alpha: float) -> None:
    n = fewest_samples(p0, alpha)
    assert clopper_pearson_lower(n, n, alpha) >= p0
    assert n == 1 or clopper_pearson_lower(n - 1, n - 1, alpha) < p0
    assert abs(n - math.log(alpha) / math.log(p0)) <= 1.001 + 2e-6 * n


def test_fewest_samples_in_round_figures() -> None:
    # n = 10 at p0 = 1/2; 40, 301 and 5114 for 1, 2 and 3 sigma.
    assert [fewest_samples(normal_cdf_up(z), 0.001) for z in (0, 1, 2, 3)] == [10, 40, 301, 5114]


@pytest.mark.parametrize("n", [12, 200])
@pytest.mark.parametrize("p0", [0.5, 0.75])
def test_chance_by_brute_force(n: int, p0: float) -> None:
    alpha = 0.02
    certified = [k for k in range(n + 1) if clopper_pearson_lower(k, n, alpha) >= p0]
    least = fewest_hits(n, p0, alpha)
    assert least == (certified[0] if certified else None)
    for p in (0.0, 0.6, 0.9, 1.0):
        true = sum(stats.binom.pmf(k, n, p) for k in certified)
        assert chance_to_certify(p, n, p0, alpha) == pytest.approx(true, abs=1e-12)


def test_no_chance_with_too_few_samples() -> None:
    assert fewest_hits(9, 0.5, 0.001) is None
    assert chance_to_certify(1.0, 9, 0.5, 0.001) == 0.0


def test_samples_for_a_chance() -> None:
    n = samples_for_chance(0.9, 0.84, 0.001, 0.9)
    assert n is not None
    assert chance_to_certify(0.9, n, 0.84, 0.001) >= 0.9
    assert chance_to_certify(0.9, int(0.95 * n), 0.84, 0.001) < 0.9
    assert samples_for_chance(0.84, 0.84, 0.001) is None
    assert samples_for_chance(0.840001, 0.84, 0.001, most=10**6) is None
    assert samples_for_chance(1.0, 0.5, 0.001) == 10


def test_adaptive_sampling_decides_alike_with_fewer_samples() -> None:
    rule = AdaptiveRule((normal_cdf_up(1.0),), n_max=10_000)
    for p in (0.5, 0.8, 0.9, 0.99):
        fixed = chance_to_certify(p, 10_000, rule.targets[0], 0.001)
        point = operating_point(rule, p)
        assert abs(point.certified[0] - fixed) < 0.005
        assert point.samples < 1_000
