"""Statements about a dataset against exact sums, a known case and their own coverage."""

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from rsonnx.statistics import clopper_pearson_lower
from rsonnx.statistics.dataset import (
    accuracy_band,
    accuracy_interval,
    false_certificates,
    family_wise_alpha,
    radius_interval,
)


def binomial_cdf(q: int, n: int, p: Fraction) -> Fraction:
    return sum((math.comb(n, j) * p**j * (1 - p) ** (n - j) for j in range(q + 1)), Fraction(0))


@pytest.mark.parametrize(("inputs", "expected"), [(500, 2), (10_000, 15)])
def test_false_certificates_of_the_usual_runs(inputs: int, expected: int) -> None:
    found = false_certificates(inputs, 0.001)
    assert found.quantile == expected
    assert found.expected == pytest.approx(inputs * 0.001)


@pytest.mark.parametrize("inputs", [1, 30, 400])
@pytest.mark.parametrize("alpha", [0.001, 0.05])
def test_the_quantile_is_the_least_that_holds(inputs: int, alpha: float) -> None:
    found = false_certificates(inputs, alpha, level=0.9).quantile
    assert binomial_cdf(found, inputs, Fraction(alpha)) >= Fraction(0.9)
    assert found == 0 or binomial_cdf(found - 1, inputs, Fraction(alpha)) < Fraction(0.9)


@pytest.mark.parametrize("inputs", [1, 30, 500, 10_000])
@pytest.mark.parametrize("alpha", [0.001, 0.02, 0.6])
def test_shared_noise_leaves_markovs_bound_alone(inputs: int, alpha: float) -> None:
    found = false_certificates(inputs, alpha, shared_noise=True)
    level = Fraction(found.level)
    assert found.expected == inputs * alpha
    # The worst that shared noise can do: t certificates false at once, with probability N·alpha/t.
    mean = inputs * Fraction(alpha)
    if found.quantile < inputs:
        assert mean / (found.quantile + 1) <= 1 - level
    assert found.quantile == 0 or mean / found.quantile > 1 - level


@pytest.mark.parametrize(("inputs", "expected"), [(500, 9), (10_000, 199), (20, 0)])
def test_shared_noise_of_the_usual_runs(inputs: int, expected: int) -> None:
    # P(count >= 10) <= 500·.001/10 = 5 %, so at most 9 with 95 %; the binomial quantile is 2.
    assert false_certificates(inputs, 0.001, shared_noise=True).quantile == expected


def missed(share: Fraction, alpha: Fraction, together: Fraction, *, shared_noise: bool) -> Fraction:
    """Return how often robust_low is above the truth under noise that is shared.

    With probability alpha/together the noise certifies a part ``together`` of the inputs that are
    not robust falsely, otherwise none: each of them with probability alpha.
    """
    inputs, missing = 20, Fraction(0)
    bad = alpha / together
    for chance, q in ((bad, share + (1 - share) * together), (1 - bad, share)):
        for k in range(inputs + 1):
            found = accuracy_interval(k, inputs, float(alpha), shared_noise=shared_noise)
            if Fraction(found.robust_low) > share:
                missing += chance * math.comb(inputs, k) * q**k * (1 - q) ** (inputs - k)
    return missing


@pytest.mark.parametrize("share", [Fraction(1, 20), Fraction(1, 2), Fraction(9, 10)])
@pytest.mark.parametrize("together", [Fraction(1, 10), Fraction(2, 5), Fraction(1)])
@pytest.mark.parametrize("alpha", [Fraction(1, 1000), Fraction(1, 50), Fraction(1, 20)])
def test_robust_low_holds_under_shared_noise(
    share: Fraction, together: Fraction, alpha: Fraction
) -> None:
    assert missed(share, alpha, together, shared_noise=True) <= Fraction(1, 20)


def test_the_formula_for_independent_noise_would_not() -> None:
    found = missed(Fraction(1, 20), Fraction(1, 20), Fraction(1), shared_noise=False)
    assert found > Fraction(1, 20)


def test_robust_low_under_shared_noise_by_hand() -> None:
    found = accuracy_interval(450, 500, 0.001, shared_noise=True)
    low = float(stats.beta.ppf(0.025, 450, 51))
    assert found.robust_low == pytest.approx((low - 0.04) / 0.96, abs=1e-9)
    alone = accuracy_interval(450, 500, 0.001)
    assert (found.low, found.high) == (alone.low, alone.high)
    assert accuracy_interval(500, 500, 0.03, shared_noise=True).robust_low == 0.0


def test_family_wise_alpha_is_rounded_down() -> None:
    for inputs in (1, 3, 7, 10_000):
        assert Fraction(family_wise_alpha(0.001, inputs)) * inputs <= Fraction(0.001)
        assert family_wise_alpha(0.001, inputs) == pytest.approx(0.001 / inputs)


def test_accuracy_interval_by_hand_and_its_ends() -> None:
    found = accuracy_interval(286, 500, 0.001)
    # R: binom.test(286, 500)$conf.int = 0.5273 0.6158; one-sided lower 0.5344.
    assert (found.low, found.high) == (
        pytest.approx(0.5273, abs=1e-4),
        pytest.approx(0.6158, abs=1e-4),
    )
    assert found.robust_low == pytest.approx((0.5344 - 0.001) / 0.999, abs=2e-4)
    assert found.share == 0.572
    assert accuracy_interval(0, 10, 0.001).robust_low == 0.0
    assert accuracy_interval(10, 10, 0.001).high == 1.0


def test_accuracy_interval_covers_exactly() -> None:
    # If a share A is robust and false certificates are as frequent as alpha allows, X is binomial
    # with q = A + (1 - A)·alpha; the bound misses A with probability at most delta.
    n, alpha, delta = 40, 0.02, 0.1
    bounds = [accuracy_interval(x, n, alpha, delta).robust_low for x in range(n + 1)]
    for truth in np.linspace(0.01, 0.99, 50):
        q = truth + (1 - truth) * alpha
        missed = sum(
            math.comb(n, x) * q**x * (1 - q) ** (n - x) for x in range(n + 1) if bounds[x] > truth
        )
        assert missed <= delta


def test_band_covers_the_whole_curve() -> None:
    # 400 samples of a known curve: the band misses somewhere with probability at most 0.1; 55 or
    # more of 400 would happen to a band of exactly that with probability 0.01.
    generator = np.random.Generator(np.random.Philox(5))
    grid, missed, n = np.linspace(0, 1, 101), 0, 200
    for _ in range(400):
        radii = generator.uniform(size=n)
        share = (radii[None, :] >= grid[:, None]).mean(axis=1)
        band = accuracy_band(share, n, 0.1)
        missed += bool(np.any(band.low > 1 - grid + 1e-12) or np.any(band.high < 1 - grid - 1e-12))
    assert missed < 55
    assert band.half_width == pytest.approx(math.sqrt(math.log(20) / (2 * n)))
    assert band.low.min() >= 0.0
    assert band.high.max() <= 1.0


def test_radius_interval_is_seeded_and_near_the_normal_one() -> None:
    generator = np.random.Generator(np.random.Philox(6))
    radii = np.where(generator.uniform(size=2000) < 0.4, 0.0, generator.uniform(0, 2, 2000))
    found = radius_interval(radii)
    assert found == radius_interval(radii.tolist())
    assert found.mean == pytest.approx(radii.mean())
    half = 1.959964 * radii.std() / math.sqrt(2000)
    # 2,000 resamples know a 2.5 % quantile to about 6 % of the half width.
    assert found.low == pytest.approx(found.mean - half, abs=0.2 * half)
    assert found.high == pytest.approx(found.mean + half, abs=0.2 * half)
    assert radius_interval(radii, seed=1) != found


@pytest.mark.parametrize("shared", [False, True])
def test_certificates_without_samples_are_never_false(shared: bool) -> None:
    found = false_certificates(500, 0.0, shared_noise=shared)
    assert (found.expected, found.quantile) == (0.0, 0)
    # What is certified is true, so its share in the population is Clopper-Pearson's and no less.
    exact = accuracy_interval(430, 500, 0.0, shared_noise=shared)
    below = clopper_pearson_lower(430, 500, 0.05)
    assert below - 1e-10 < exact.robust_low <= below
    sampled = accuracy_interval(430, 500, 0.001, shared_noise=shared)
    assert (exact.low, exact.high) == (sampled.low, sampled.high)
    assert exact.robust_low > sampled.robust_low
