"""plan: radii, samples and chances against formulas written out here and a simulation."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from scipy import stats

from rsonnx.errors import UsageError
from rsonnx.noise import (
    Ablation,
    Columns,
    ExponentialLinf,
    Flips,
    Gaussian,
    Laplace,
    Law,
    Splitting,
    Uniform,
)
from rsonnx.procedures import Adaptive, Precise, plan
from rsonnx.statistics import Verdict, largest_bound

HALF = Gaussian(0.5)
P0 = stats.norm.cdf(1.0)


@pytest.mark.parametrize("n", [10, 100, 10_000, 100_000, 10**9])
@pytest.mark.parametrize("alpha", [0.001, 1e-6])
def test_the_largest_radius(n: int, alpha: float) -> None:
    n = max(n, math.ceil(math.log(alpha, 0.5)) + 1)
    planned = plan(Gaussian(0.25), n=n, alpha=alpha)
    with mpmath.workdps(40):
        bound = mpmath.mpf(alpha) ** (mpmath.mpf(1) / n)
        exact = mpmath.sqrt(2) * mpmath.erfinv(2 * bound - 1) / 4
        assert planned.largest_radius <= exact
        assert planned.largest_radius == pytest.approx(float(exact), rel=2e-3)
    assert (planned.n, planned.target) == (n, None)
    assert planned.radii[0] == 0
    assert planned.radii[-1] <= planned.largest_radius


@pytest.mark.parametrize("radius", [0.01, 0.5, 1.5, 1.9])
@pytest.mark.parametrize("alpha", [0.001, 0.05])
def test_the_smallest_n(radius: float, alpha: float) -> None:
    planned = plan(HALF, alpha=alpha, target_radius=radius)
    target = planned.target
    assert target is not None
    with mpmath.workdps(40):
        p0 = mpmath.ncdf(mpmath.mpf(radius) / mpmath.mpf(0.5))
        exact = mpmath.log(alpha) / mpmath.log(p0)
        final = mpmath.log(alpha * 0.65) / mpmath.log(p0)  # the rest is for what is decided before
        assert target.probability >= p0
        assert target.probability == pytest.approx(float(p0), abs=1e-12)
    assert target.smallest_n == math.ceil(exact)
    assert target.smallest_ceiling == math.ceil(final)
    assert planned.radii == (radius,)
    assert planned.n == max(100_000, 0 if radius < 1.9 else 10 * target.smallest_ceiling)
    least = plan(HALF, alpha=alpha, target_radius=radius, n=target.smallest_n)
    assert (least.adaptive is None) is (target.smallest_n < target.smallest_ceiling)
    with pytest.raises(UsageError, match=f"{target.smallest_n:,}|can never"):
        plan(HALF, alpha=alpha, target_radius=radius, n=target.smallest_n - 1)


def least_hits(n: int, p0: float, alpha: float) -> int:
    return next(
        k for k in range(math.floor(n * p0), n + 1) if stats.binom.sf(k - 1, n, p0) <= alpha
    )


def test_chances_of_fixed_samples() -> None:
    planned = plan(HALF, n=2000, alpha=0.01)
    for i, radius in enumerate(planned.radii):
        k = least_hits(2000, stats.norm.cdf(radius / 0.5), 0.01)
        for line in planned.table:
            exact = stats.binom.sf(k - 1, 2000, line.p)
            assert line.chances[i] == pytest.approx(exact, rel=1e-9, abs=1e-15)
            assert 0 <= line.chances[i] <= 1
    for line in planned.table:
        assert line.true_radius == pytest.approx(0.5 * stats.norm.ppf(line.p), rel=1e-12)
        assert line.adaptive_chance is line.adaptive_samples is None


def test_chances_and_samples_for_a_target() -> None:
    planned = plan(HALF, n=5000, target_radius=0.5)
    assert [line.p for line in planned.table][::15] == [0.55, 0.9999]
    k = least_hits(5000, P0, 0.001)
    for line in planned.table:
        assert line.chances == (pytest.approx(stats.binom.sf(k - 1, 5000, line.p), abs=1e-12),)
        assert (line.samples_for_chance is None) is bool(line.p < P0)
        if (n := line.samples_for_chance) is not None:
            assert stats.binom.sf(least_hits(n, P0, 0.001) - 1, n, line.p) >= 0.9
        assert 0 <= (line.adaptive_chance or 0.0) <= 1
        assert 16 <= (line.adaptive_samples or 0.0) <= 5000
    assert (planned.table[-1].adaptive_samples or 0.0) < 100


@pytest.mark.parametrize("p", [0.8, 0.9, 0.95])
def test_adaptive_sampling_against_simulation(p: float) -> None:
    planned = plan(HALF, n=2000, target_radius=0.5)
    line = next(line for line in planned.table if line.p == p)
    adaptive = Adaptive(HALF, 100, 2000, 0.001, (0.5,))
    assert planned.adaptive == adaptive
    generator = np.random.default_rng(1)
    runs = 300
    samples, certified = np.zeros(runs), 0
    for i in range(runs):
        decision, drawn = adaptive.rule.start(), generator.random(2000) < p
        for look in adaptive.looks:
            samples[i] = look
            if decision.update(int(drawn[:look].sum()), look) is not Verdict.CONTINUE:
                break
        certified += decision.verdict is Verdict.CERTIFIED
    error = samples.std() / math.sqrt(runs)
    assert line.adaptive_samples == pytest.approx(samples.mean(), abs=4 * error + 1)
    assert line.adaptive_chance == pytest.approx(certified / runs, abs=0.05)


def test_a_far_target_raises_the_ceiling_and_adds_nines() -> None:
    planned = plan(HALF, target_radius=2.3)
    target = planned.target
    assert target is not None
    assert target.smallest_n > 100_000
    assert planned.n == 10 * target.smallest_ceiling
    before, last = planned.table[-2:]
    assert before.p <= target.probability < last.p == 0.999999
    assert last.chances[0] > 0.9


SAMPLED = [
    Laplace(0.5),
    Laplace(0.5, "linf", 784),
    ExponentialLinf(0.5, "linf", 12),
    Ablation(45, 1, "NCHW", "l0", 784),
    Ablation(45, 3, "NHWC", "l0", 3072),
    Flips(0.5, 4, "l0", 16),
]


@pytest.mark.parametrize("law", SAMPLED, ids=str)
def test_radii_and_targets_are_those_of_the_law(law: Law) -> None:
    planned = plan(law, n=5000)
    assert planned.largest_radius == law.radius(largest_bound(5000, 0.001)) > 0
    assert not law.measure.whole or all(radius.is_integer() for radius in planned.radii)
    for line in planned.table:
        assert line.true_radius == law.radius(line.p)
        assert list(line.chances) == sorted(line.chances, reverse=True)
        # A radius of 0 is certified by a majority alone; 5,000 samples see 0.6 for sure.
        assert line.chances[0] > 0.99 or line.p < 0.6
    radius = 2.0 if law.norm == "l0" else law.radius(0.8)
    target = plan(law, target_radius=radius).target
    assert target is not None
    assert law.radius(largest_bound(target.smallest_n, 0.001)) >= radius
    assert law.radius(largest_bound(target.smallest_n - 1, 0.001)) < radius
    assert law.radius(target.probability) >= radius


def test_noise_that_is_counted_in_full() -> None:
    law = Columns(4, "NCHW")
    planned = plan(law, shape=(1, 28, 28))
    assert (planned.n, planned.alpha, planned.table) == (28, 0.0, ())
    assert planned.largest_radius == law.radius_within(14) == 11
    splitting = Splitting(2.0)
    planned = plan(splitting)
    assert planned.n == splitting.levels == 1020
    assert planned.largest_radius == splitting.radius_within(510)


@pytest.mark.parametrize(
    ("law", "words", "named"),
    [
        (HALF, {"alpha": 0.0}, "alpha"),
        (HALF, {"n": 0}, "n is 0"),
        (HALF, {"n": 9}, "10"),
        (HALF, {"n": 10**13}, "n is"),
        (HALF, {"target_radius": 0.0}, "0.0"),
        (HALF, {"target_radius": math.nan}, "nan"),
        (HALF, {"target_radius": math.inf}, "inf"),
        (HALF, {"target_radius": 2.0, "n": 100_000}, "1.9057.*218,105"),
        (HALF, {"target_radius": 9.0}, "3.29"),
        (Gaussian(1e-300), {"target_radius": 1e300}, "1e\\+300"),
        (Uniform(1.0), {"target_radius": 1.0}, "1.0"),
        (Ablation(45, 1, "NCHW", "l0", 784), {"target_radius": 12.0}, "12.0"),
    ],
)
def test_what_can_never_be_certified_is_refused(
    law: Law, words: dict[str, float], named: str
) -> None:
    with pytest.raises(UsageError, match=named):
        plan(law, **words)  # type: ignore[arg-type]


def test_what_a_precision_costs_and_loses() -> None:
    planned = plan(HALF, precision=0.1, n=20_000)
    assert planned.adaptive == Precise(HALF, 100, 20_000, 0.001, 0.1)
    fewest = math.inf
    for line in planned.table:
        assert 256 <= (line.adaptive_samples or 0.0) < 20_000
        assert line.adaptive_chance is None
        if line.p >= 0.9:  # below, it is a share of sigma
            assert 0.05 < (line.lost or 0.0) < 0.13
        fewest = min(fewest, line.adaptive_samples or 0.0)
    assert (planned.table[-1].adaptive_samples or 0.0) > 2 * fewest
    with pytest.raises(UsageError, match="one of them"):
        plan(HALF, precision=0.1, target_radius=0.5)
