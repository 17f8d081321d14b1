"""Top-k certificates: golden radii, worst cases, coverage by exact enumeration, and proofs."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf
from numpy.typing import NDArray
from scipy import stats

from rsonnx.counts import Counts
from rsonnx.errors import UsageError
from rsonnx.noise import Gaussian
from rsonnx.procedures.top_k import (
    TopKCertificate,
    certify_top_k,
    proves_top_k_radius,
    top_k_radius,
)
from rsonnx.statistics import clopper_pearson_lower, clopper_pearson_upper
from rsonnx.statistics.rigorous import proves_lower_bound, proves_upper_bound


def exact_radius(p_lower: float, rivals: tuple[float, ...]) -> mpf:
    """The R of the theorem at sigma = 1 by bisection in 40 digits: an independent oracle."""
    with mp.workdps(40):
        quantile = lambda p: mp.sqrt(2) * mp.erfinv(2 * p - 1)  # noqa: E731
        low = quantile(mpf(p_lower))
        sums = [
            min(total, 1 - mpf(p_lower)) for total in itertools.accumulate(map(mpf, sorted(rivals)))
        ]
        highs = [quantile(total) for total in sums]

        def holds(radius: mpf) -> bool:
            right = min(mp.ncdf(high + radius) / t for t, high in enumerate(highs, start=1))
            return bool(mp.ncdf(low - radius) > right)

        left, far = mpf(0), mpf(40)
        for _ in range(110):
            middle = (left + far) / 2
            left, far = (middle, far) if holds(middle) else (left, middle)
        return left


shares = st.floats(1e-6, 0.999)


@settings(deadline=None, max_examples=50)
@given(shares, st.lists(shares, min_size=1, max_size=4).map(tuple))
@example(0.4, (0.3, 0.2, 0.1))
def test_the_radius_is_the_theorems_rounded_down(p_lower: float, rivals: tuple[float, ...]) -> None:
    found, exact = top_k_radius(1.0, p_lower, rivals), exact_radius(p_lower, rivals)
    assert found <= exact
    assert top_k_radius(0.25, p_lower, rivals[::-1]) == pytest.approx(found / 4, rel=1e-9, abs=1e-9)
    # Where the radius is small the doubles that stand for the quantiles cost 2^-47 of them.
    assert exact - found <= exact * mpf(2) ** -40 + mpf(2) ** -40
    if found > 0:
        assert proves_top_k_radius(found, 1.0, p_lower, rivals)
        assert not proves_top_k_radius(found * (1 + 1e-6) + 1e-9, 1.0, p_lower, rivals)


def masses(edges: NDArray[np.float64], labels: NDArray[Any], shift: float) -> NDArray[np.float64]:
    """Probability of each of five classes under N(shift, 1), where a class owns intervals."""
    pieces = np.diff(stats.norm.cdf(np.r_[-np.inf, edges, np.inf] - shift))
    return np.bincount(labels, pieces, minlength=5)


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.floats(-3.0, 3.0), min_size=1, max_size=9, unique=True),
    st.integers(0, 2**32),
    st.integers(1, 4),
)
def test_no_classifier_of_a_line_loses_the_class_within_the_radius(
    cuts: list[float], seed: int, k: int
) -> None:
    edges = np.sort(cuts)
    labels = np.random.default_rng(seed).integers(0, 5, len(edges) + 1)
    truth = masses(edges, labels, 0.0)
    rivals = tuple(float(p) for p in np.minimum(1, np.sort(truth[1:])[::-1][:k] + 1e-12))
    radius = top_k_radius(1.0, max(0.0, truth[0] - 1e-12), rivals)
    for share in (-1.0, -0.9, -0.5, 0.5, 0.9, 1.0):
        if 0 < radius < math.inf:
            moved = masses(edges, labels, share * radius)
            assert (moved[1:] > moved[0] + 1e-12).sum() < k


@pytest.mark.parametrize(
    ("k", "p", "rest"),
    [(1, 0.7, 0.3), (1, 0.5, 0.4), (2, 0.4, 0.6), (2, 0.6, 0.3), (3, 0.3, 0.6), (3, 0.6, 0.4)],
)
def test_the_worst_classifier_loses_the_class_just_beyond_the_radius(
    k: int, p: float, rest: float
) -> None:
    """The class on one half-line, k rivals in 3,000 thin stripes of equal mass on the other."""
    stripes = 3_000
    top = 1 - rest + rest * np.arange(stripes) / stripes
    edges = np.r_[stats.norm.ppf(p), stats.norm.ppf(top)]
    labels = np.r_[0, 4, 1 + np.arange(stripes) % k]  # between them a class that does not matter
    truth = masses(edges, labels, 0.0)
    rivals = tuple(map(float, truth[1 : 1 + k]))
    radius = top_k_radius(1.0, float(truth[0]), rivals)
    assert radius > 0.05
    inside, beyond = (masses(edges, labels, share * radius) for share in (0.99, 1.02))
    assert inside[0] > inside[1 : 1 + k].min()
    assert beyond[0] < beyond[1 : 1 + k].min()


def _compositions(n: int) -> list[tuple[int, ...]]:
    return [c for c in itertools.product(range(n + 1), repeat=4) if sum(c) == n]


@pytest.mark.parametrize("k", [1, 2])
def test_all_bounds_hold_at_once(k: int) -> None:
    # Every outcome of 10 samples over 3 classes and no class, for a grid of probabilities: the
    # chance that the bound on the class, or any of the k largest on its rivals, fails.
    alpha, n = 0.3, 10
    outcomes = _compositions(n)
    found = [
        certify_top_k(Counts(c[:3], c[3]), 1, k, sigma=1.0, num_classes=3, alpha=alpha)
        for c in outcomes
    ]
    worst = 0.0
    for truth in (np.array(c) / 5 for c in _compositions(5)):
        rivals = np.sort(truth[[0, 2, 3]])[::-1][:k]
        chances = stats.multinomial.pmf(outcomes, n, truth)
        failed = [b.p_lower > truth[1] or (rivals > b.rivals_upper).any() for b in found]
        worst = max(worst, float(chances[failed].sum()))
    assert 0.0 < worst <= alpha


def test_the_bounds_by_hand() -> None:
    found = certify_top_k(Counts([700, 200, 60], 40), 0, 2, sigma=0.5, num_classes=10, alpha=0.01)
    # Ten classes: nine rivals and the answers that are no class share alpha/2.
    upper = tuple(clopper_pearson_upper(hits, 1000, 0.01 / 20) for hits in (200, 60))
    lower = clopper_pearson_lower(700, 1000, 0.005)
    assert found == TopKCertificate(0, 2, top_k_radius(0.5, lower, upper), lower, upper)
    assert found.certified
    silent = certify_top_k(Counts([700, 60], 240), 0, 2, sigma=0.5, num_classes=10, alpha=0.01)
    assert silent.rivals_upper[0] == clopper_pearson_upper(240, 1000, 0.01 / 20)


count_vectors = st.lists(st.integers(0, 2000), min_size=2, max_size=8).filter(any)


@settings(deadline=None)
@given(count_vectors, st.integers(0, 500), st.floats(1e-6, 0.3))
def test_every_certificate_is_proved_and_grows_with_k(
    classes: list[int], no_class: int, alpha: float
) -> None:
    counts, size = Counts(classes, no_class), len(classes)
    n, before = counts.total, 0.0
    rivals = sorted([*classes[1:], no_class], reverse=True)
    for k in range(1, size):
        found = certify_top_k(counts, 0, k, sigma=0.5, num_classes=size, alpha=alpha)
        assert proves_lower_bound(found.p_lower, classes[0], n, alpha / 2)
        for hits, upper in zip(rivals, found.rivals_upper, strict=False):
            assert proves_upper_bound(upper, hits, n, alpha / (2 * size))
        assert found.certified == (found.radius > 0)
        assert found.radius >= before * (1 - 1e-9) - 1e-12
        if found.certified:
            assert proves_top_k_radius(found.radius, 0.5, found.p_lower, found.rivals_upper)
        before = found.radius


@settings(deadline=None)
@given(count_vectors, st.floats(1e-6, 0.3))
def test_the_top_1_is_the_two_sided_radius_of_the_same_bounds(
    classes: list[int], alpha: float
) -> None:
    found = certify_top_k(classes, 0, 1, sigma=0.5, num_classes=len(classes), alpha=alpha)
    rival = min(found.rivals_upper[0], 1 - found.p_lower)
    same = Gaussian(0.5).radius_between(found.p_lower, rival)
    assert found.radius == pytest.approx(same, rel=1e-9, abs=1e-12)


def test_ends() -> None:
    assert top_k_radius(1.0, 0.0, (0.1,)) == 0.0
    assert top_k_radius(1.0, 0.3, (0.3,)) == 0.0
    assert top_k_radius(1.0, 1e-300, (1.0, 1.0)) == 0.0
    assert top_k_radius(1.0, 0.3, (0.0, 0.2)) == math.inf  # a rival that is impossible
    assert top_k_radius(1.0, 1.0, (0.2,)) == math.inf
    assert not proves_top_k_radius(1.0, 1.0, 0.0, (0.1,))
    nothing = certify_top_k(Counts([0, 0], 9), 0, 1, sigma=1.0, num_classes=2)
    assert (nothing.radius, nothing.certified, nothing.rivals_upper) == (0.0, False, (1.0,))
    huge = certify_top_k([10**12, 0], 0, 1, sigma=1e300, num_classes=2)
    assert 6e300 < huge.radius < math.inf


WRONG: dict[str, tuple[Any, ...]] = {
    "k": (0, 4, 1.0, True),
    "label": (4, -1, "0"),
    "num_classes": (1, 2, 10**9),
    "alpha": (0.0,),
    "sigma": (math.nan,),
    "estimation": ([0, 0, 0], [1, -1]),
}


@pytest.mark.parametrize("name", WRONG)
def test_bad_arguments(name: str) -> None:
    good: dict[str, Any] = {"estimation": [90, 5, 5], "label": 0, "k": 2}
    for value in WRONG[name]:
        with pytest.raises(UsageError):
            certify_top_k(**(good | {"sigma": 1.0, "num_classes": 4} | {name: value}))
    with pytest.raises(UsageError, match="at least one"):
        top_k_radius(1.0, 0.9, ())
