"""CERTIFY from counts."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp, mpf

import rsonnx
from rsonnx import ABSTAIN, AbstainReason, Counts, UsageError, certify_from_counts
from rsonnx.noise import Gaussian
from rsonnx.procedures import Fixed
from rsonnx.statistics import clopper_pearson_lower


def test_a_certificate() -> None:
    cert = certify_from_counts([95, 5], [99_000, 1_000], sigma=0.5, alpha=0.001)
    assert (cert.label, cert.abstained, cert.reason, cert.explanation) == (0, False, None, None)
    assert cert.p_a_lower == clopper_pearson_lower(99_000, 100_000, 0.001)
    with mp.workprec(200):
        true = mp.mpf("0.5") * mp.sqrt(2) * mp.erfinv(2 * mpf(cert.p_a_lower) - 1)
        assert true * (1 - mpf(2) ** -46) <= cert.radius <= true
    assert (cert.n0, cert.n, cert.sigma, cert.alpha) == (100, 100_000, 0.5, 0.001)
    assert (cert.noise, cert.norm, cert.bound) == ("gaussian", "l2", "clopper-pearson")
    assert (cert.method, cert.arithmetic, cert.seed, cert.digest) == ("sampled", None, None, None)


def test_the_whole_of_alpha_goes_to_one_side() -> None:
    # locuslab's proportion_confint(..., alpha=2 * alpha, method="beta")[0]: one-sided at alpha.
    cert = certify_from_counts([1, 0], [84_134, 15_866], sigma=1.0)
    assert cert.p_a_lower == pytest.approx(0.8377417924, abs=1e-10)


def test_the_class_comes_from_the_selection_alone() -> None:
    cert = certify_from_counts([49, 51], [99_000, 1_000], sigma=0.5)
    assert cert.top_class == 1
    assert cert.abstained
    assert cert.reason is AbstainReason.WRONG_GUESS
    assert cert.explanation is not None
    assert "larger n0" in cert.explanation
    assert "class 0 has 99 %" in cert.explanation


def test_ties_of_the_selection_go_to_the_lowest_class() -> None:
    assert certify_from_counts([0, 50, 50], [0, 990, 10], sigma=0.5).label == 1


def test_low_probability() -> None:
    cert = certify_from_counts([40, 30, 30], [40_000, 30_000, 30_000], sigma=0.5)
    assert (cert.label, cert.radius, cert.reason) == (
        ABSTAIN,
        0.0,
        AbstainReason.LOW_PROBABILITY,
    )
    assert cert.explanation is not None
    assert "smaller sigma" in cert.explanation


def test_exactly_half_is_low_probability() -> None:
    cert = certify_from_counts([1, 0], [500, 500], sigma=0.5)
    assert cert.reason is AbstainReason.LOW_PROBABILITY


def test_loose_bound_says_how_many_samples_would_do() -> None:
    cert = certify_from_counts([60, 40], [55, 45], sigma=0.5)
    assert cert.reason is AbstainReason.LOOSE_BOUND
    assert cert.explanation is not None
    needed = int(cert.explanation.split("about n = ")[1].split()[0].replace(",", ""))
    assert clopper_pearson_lower(math.floor(0.55 * needed), needed, 0.001) > 0.5
    assert clopper_pearson_lower(math.floor(0.55 * needed * 0.95), int(needed * 0.95), 0.001) <= 0.5


def test_too_few_samples_for_any_certificate() -> None:
    cert = certify_from_counts([9], [9], sigma=0.5)
    assert cert.reason is AbstainReason.LOOSE_BOUND
    assert cert.explanation is not None
    assert "below n = 10 nothing can be certified" in cert.explanation
    assert not certify_from_counts([9], [10], sigma=0.5).abstained


def test_answers_without_a_class_are_never_certified() -> None:
    nothing = Counts([0, 0], no_class=1000)
    cert = certify_from_counts(nothing, nothing, sigma=0.5)
    assert (cert.label, cert.top_class) == (ABSTAIN, ABSTAIN)
    assert cert.reason is AbstainReason.NO_CLASS
    assert cert.explanation is not None
    assert "NaN" in cert.explanation
    most = certify_from_counts(Counts([10, 0]), Counts([300, 200], no_class=500), sigma=0.5)
    assert most.reason is AbstainReason.NO_CLASS
    assert "500 of 1,000" in str(most.explanation)
    some = certify_from_counts(Counts([10, 0]), Counts([400, 300], no_class=300), sigma=0.5)
    assert some.reason is AbstainReason.LOW_PROBABILITY
    mixed = certify_from_counts(Counts([10, 0]), Counts([600, 0], no_class=400), sigma=0.5)
    assert mixed.p_a_lower == clopper_pearson_lower(600, 1000, 0.001)


@pytest.mark.parametrize("n", [10, 100, 1000])
@pytest.mark.parametrize("alpha", [0.001, 0.05])
def test_p_a_lower_must_exceed_one_half(n: int, alpha: float) -> None:
    for k in range(n // 2, n + 1):
        cert = certify_from_counts([1], [k, n - k], sigma=1.0, alpha=alpha)
        assert cert.abstained == (clopper_pearson_lower(k, n, alpha) <= 0.5)
        assert (cert.radius > 0) == (not cert.abstained)


@given(
    st.lists(st.integers(0, 1000), min_size=2, max_size=5),
    st.lists(st.integers(0, 1000), min_size=2, max_size=5),
    st.floats(1e-6, 0.3),
    st.floats(0.01, 10),
)
def test_laws(selection: list[int], estimation: list[int], alpha: float, sigma: float) -> None:
    if not sum(selection) or not sum(estimation):
        return
    cert = certify_from_counts(selection, estimation, sigma=sigma, alpha=alpha)
    assert cert.abstained == (cert.reason is not None) == (cert.radius == 0.0)
    most = Fixed(Gaussian(sigma), 1, sum(estimation), alpha).largest_radius
    assert 0 <= cert.radius <= most
    twice = certify_from_counts(selection, estimation, sigma=2 * sigma, alpha=alpha)
    assert twice.radius == pytest.approx(2 * cert.radius, rel=1e-12)
    stricter = certify_from_counts(selection, estimation, sigma=sigma, alpha=alpha / 2)
    assert stricter.radius <= cert.radius


@pytest.mark.parametrize(
    ("selection", "estimation", "changes", "named"),
    [
        ([0], [10], {}, "0 selection and 10 estimation"),
        ([1], [0, 0], {}, "0 estimation"),
        ([1.5], [10], {}, r"\[1.5\].*whole numbers"),
        ([-1], [10], {}, "negative"),
        ([[1]], [10], {}, "whole numbers"),
        ([1], [10], {"sigma": 0}, "sigma is 0"),
        ([1], [10], {"alpha": 0}, "alpha is 0"),
        ([1], [10], {"alpha": 1}, "alpha is 1"),
    ],
)
def test_bad_arguments(
    selection: list[int], estimation: list[int], changes: dict[str, float], named: str
) -> None:
    with pytest.raises(UsageError, match=named):
        certify_from_counts(selection, estimation, **({"sigma": 0.5} | changes))


def test_numpy_counts_are_taken() -> None:
    cert = certify_from_counts(np.array([9, 1]), np.array([99, 1], np.uint32), sigma=0.5)
    assert cert.counts.estimation[0] == 99
    assert np.asarray(cert.counts.estimation).tolist() == [99, 1]


def test_results_are_frozen() -> None:
    cert = rsonnx.certify_from_counts([9], [99], sigma=0.5)
    with pytest.raises(AttributeError):
        cert.radius = 9.0  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        cert.counts.estimation.classes[0] = 5
