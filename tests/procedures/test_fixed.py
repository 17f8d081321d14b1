"""CERTIFY from counts of fixed n0 and n: the bound, the radius, and why there is none."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp, mpf

from rsonnx.counts import Counts
from rsonnx.errors import UsageError
from rsonnx.noise import Gaussian
from rsonnx.procedures import ABSTAIN, AbstainReason, Fixed, certify_from_counts
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
    with pytest.raises(AttributeError):
        cert.radius = 9.0  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        cert.counts.estimation.classes[0] = 5
    arrays = [np.array([95, 5]), np.array([99_000, 1_000], np.uint32)]
    assert certify_from_counts(*arrays, sigma=0.5) == cert


def test_the_whole_of_alpha_goes_to_one_side() -> None:
    # locuslab's proportion_confint(..., alpha=2 * alpha, method="beta")[0]: one-sided at alpha.
    cert = certify_from_counts([1, 0], [84_134, 15_866], sigma=1.0)
    assert cert.p_a_lower == pytest.approx(0.8377417924, abs=1e-10)


@pytest.mark.parametrize(
    ("selection", "estimation", "top", "reason"),
    [
        ([0, 50, 50], [0, 990, 10], 1, None),  # ties go to the lowest class
        ([9], [10], 0, None),
        ([9], [9], 0, AbstainReason.LOOSE_BOUND),  # below n = 10 nothing can be certified
        ([49, 51], [99_000, 1_000], 1, AbstainReason.WRONG_GUESS),
        ([40, 30, 30], [40_000, 30_000, 30_000], 0, AbstainReason.LOW_PROBABILITY),
        ([1, 0], [500, 500], 0, AbstainReason.LOW_PROBABILITY),
        (Counts([10, 0]), Counts([400, 300], 300), 0, AbstainReason.LOW_PROBABILITY),
        (Counts([10, 0]), Counts([300, 200], 500), 0, AbstainReason.NO_CLASS),
        (Counts([0, 0], 1000), Counts([0, 0], 1000), ABSTAIN, AbstainReason.NO_CLASS),
        (Counts([10, 0]), Counts([600, 0], 400), 0, None),
    ],
)
def test_the_class_comes_from_the_selection_and_the_reason_from_the_estimation(
    selection: Any, estimation: Any, top: int, reason: AbstainReason | None
) -> None:
    cert = certify_from_counts(selection, estimation, sigma=0.5)
    assert (cert.top_class, cert.reason) == (top, reason)
    assert (cert.label, cert.radius > 0) == ((top, True) if reason is None else (ABSTAIN, False))
    assert (cert.explanation is None) is (reason is None)


def test_loose_bound_says_how_many_samples_would_do() -> None:
    cert = certify_from_counts([60, 40], [55, 45], sigma=0.5)
    assert cert.reason is AbstainReason.LOOSE_BOUND
    needed = int(str(cert.explanation).split("about n = ")[1].split()[0].replace(",", ""))
    assert clopper_pearson_lower(math.floor(0.55 * needed), needed, 0.001) > 0.5
    assert clopper_pearson_lower(math.floor(0.55 * needed * 0.95), int(needed * 0.95), 0.001) <= 0.5


@pytest.mark.parametrize("n", [10, 100, 1000])
@pytest.mark.parametrize("alpha", [0.001, 0.05])
def test_p_a_lower_must_exceed_one_half(n: int, alpha: float) -> None:
    for k in range(n // 2, n + 1):
        cert = certify_from_counts([1], [k, n - k], sigma=1.0, alpha=alpha)
        assert cert.abstained == (clopper_pearson_lower(k, n, alpha) <= 0.5)
        assert (cert.radius > 0) == (not cert.abstained)


per_class = st.lists(st.integers(0, 1000), min_size=2, max_size=5).filter(any)


@given(per_class, per_class, st.floats(1e-6, 0.3), st.floats(0.01, 10))
def test_laws(selection: list[int], estimation: list[int], alpha: float, sigma: float) -> None:
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
        ([1.5], [10], {}, r"\[1.5\]"),
        ([-1], [10], {}, "negative"),
        ([[1]], [10], {}, "whole numbers"),
        ([1], [10], {"sigma": 0}, "sigma is 0"),
        ([1], [10], {"sigma": None}, "sigma or noise"),
        ([1], [10], {"alpha": 0}, "alpha is 0"),
        ([1], [10], {"alpha": 1}, "alpha is 1"),
        ([1], [10], {"bound": "wilson"}, "wilson"),
        ([1], [10], {"radius": "three-sided"}, "three-sided"),
        ([1], [10], {"radius": "two-sided", "bound": "hoeffding"}, "hoeffding"),
    ],
)
def test_bad_arguments(selection: Any, estimation: Any, changes: Any, named: str) -> None:
    with pytest.raises(UsageError, match=named):
        certify_from_counts(selection, estimation, **({"sigma": 0.5} | changes))
