"""The e-process against golden values, and the properties that its guarantee rests on."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mpf
from scipy import stats

from rsonnx.statistics import clopper_pearson_lower
from rsonnx.statistics.eprocess import (
    LOG_MARGIN,
    anytime_lower,
    chance_to_reach,
    fewest_hits_to_reject,
    fewest_samples_to_reject,
    log_e,
    rejects,
)
from rsonnx.statistics.rounding import normal_cdf_up

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "adaptive.json").read_text())
SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "golden" / "statistics.json"


@pytest.mark.parametrize("row", GOLDEN["log_e"], ids=lambda r: f"{r['k']}-{r['n']}-{r['p0']}")
def test_log_e(row: dict[str, Any]) -> None:
    found = float(log_e(row["k"], row["n"], row["p0"]))
    # The threshold's margin is several times the error of scipy's functions at every n.
    allowed = max(LOG_MARGIN, 1e-13 * row["n"]) / 5
    assert abs(mpf(found) - mpf(row["value"])) <= allowed


@pytest.mark.parametrize("row", GOLDEN["cs_lower"], ids=lambda r: f"{r['k']}-{r['n']}")
def test_confidence_sequence(row: dict[str, Any]) -> None:
    found, true = anytime_lower(row["k"], row["n"], row["alpha"]), float(row["value"])
    assert true - 1e-9 <= found <= true


@pytest.mark.parametrize("row", GOLDEN["fewest_all_hits"], ids=lambda r: f"{r['z']}-{r['alpha']}")
def test_earliest_stop(row: dict[str, Any]) -> None:
    assert fewest_samples_to_reject(normal_cdf_up(row["z"]), row["alpha"]) == row["value"]


@pytest.mark.skipif(not SHARED.exists(), reason="the shared reference values are not at hand")
def test_golden_values_agree_with_the_shared_reference() -> None:
    shared = json.loads(SHARED.read_text())
    ours = {(r["k"], r["n"], r["p0"]): mpf(r["value"]) for r in GOLDEN["log_e"]}
    for row in shared["log_e_process"]:
        assert abs(ours[row["k"], row["n"], row["p0"]] - mpf(row["logE"])) <= mpf(10) ** -14
    cs = {(r["k"], r["n"], r["alpha"]): float(r["value"]) for r in GOLDEN["cs_lower"]}
    for row in shared["cs_lower"]:
        assert cs[row["k"], row["n"], row["alpha"]] == pytest.approx(row["cs_lower"], abs=1e-10)
    least = {(r["z"], r["alpha"]): r["value"] for r in GOLDEN["fewest_all_hits"]}
    for row in shared["min_n_all_success"]:
        assert least[row["z0"], 0.0002] == row["n_min_all_success_mix_alpha2e4"]
        assert least[row["z0"], 0.001] == row["n_min_mix_1e3"]


def test_vectorised_is_the_same_as_one_by_one() -> None:
    k, n, p = np.array([0, 30, 90]), np.array([100, 100, 100]), np.array([[0.5], [0.8]])
    found = log_e(k, n, p)
    assert found.shape == (2, 3)
    assert found[1, 2] == float(log_e(90, 100, 0.8))


@pytest.mark.parametrize(("p", "p0"), [(0.5, 0.5), (0.7, 0.7), (0.6, 0.84), (0.9, 0.977)])
def test_it_is_a_supermartingale(p: float, p0: float) -> None:
    # The mean of E after the next sample, given any (k, n), is at most E, for p <= p0.
    n = np.arange(60)[:, None]
    k = np.arange(60)[None, :]
    inside = k <= n
    now = np.exp(log_e(np.minimum(k, n), n, p0))
    hit = np.exp(log_e(np.minimum(k, n) + 1, n + 1, p0))
    miss = np.exp(log_e(np.minimum(k, n), n + 1, p0))
    assert np.all((p * hit + (1 - p) * miss <= now * (1 + 1e-9))[inside])


@given(
    st.integers(1, 10**6), st.floats(0, 1), st.floats(0.5, 0.999), st.floats(0.5, 0.999),
    st.floats(1e-9, 0.36),
)  # fmt: skip
def test_rejected_probabilities_form_an_interval(
    n: int, share: float, one: float, other: float, alpha: float
) -> None:
    k = round(n * (1 - share**4))
    low, high = sorted((one, other))
    if rejects(k, n, high, alpha):
        assert float(log_e(k, n, low)) >= float(log_e(k, n, high)) - 1e-9


@settings(deadline=None)
@given(st.integers(1, 10**6), st.floats(0, 1), st.floats(1e-9, 0.3))
def test_lower_bound_is_the_edge_of_what_is_rejected(n: int, share: float, alpha: float) -> None:
    k = round(n * (1 - share**4))
    bound = anytime_lower(k, n, alpha)
    if bound == 0.0:
        assert not rejects(k, n, 0.5, alpha)
    else:
        assert rejects(k, n, bound, alpha)
        assert not rejects(k, n, min(1 - 1e-16, bound + 1e-9), alpha)
        # Looking at every n has its price: never above the bound for one n.
        assert bound <= clopper_pearson_lower(k, n, alpha)


def test_least_hits_agree_with_single_decisions() -> None:
    n = np.array([1, 5, 14, 15, 50, 1000])
    least = fewest_hits_to_reject(n, 0.5, 2e-4)
    for total, k in zip(n.tolist(), least.tolist(), strict=True):
        assert k == total + 1 or rejects(k, total, 0.5, 2e-4)
        assert not rejects(k - 1, total, 0.5, 2e-4)
    assert least[:3].tolist() == [2, 6, 15]
    assert least[3] == 15


@pytest.mark.parametrize(
    ("k", "n", "most", "goal"),
    [
        (50, 100, 100_000, 60_000), (5, 14, 100_000, 60_000), (0, 5, 1000, 600), (0, 3, 9, 9),
        (900, 1000, 2000, 1850), (58, 100, 100_000, 69_000), (99_000, 99_500, 100_000, 99_499),
        (4, 10, 60, 40), (840, 1000, 1000, 841), (841, 1000, 1000, 841), (0, 10, 20, 11),
    ],
)  # fmt: skip
def test_predictive_chance(k: int, n: int, most: int, goal: int) -> None:
    found = chance_to_reach(k, n, most, goal)
    true = float(stats.betabinom.sf(goal - k - 1, most - n, k + 0.5, n - k + 0.5))
    if found == 1.0:
        assert true > 0.1
    else:
        assert found == pytest.approx(true, rel=1e-4, abs=1e-9)


@given(st.integers(200, 200_000), st.floats(0.001, 0.3), st.floats(1e-9, 0.3))
def test_a_bound_is_taken_again_where_only_its_last_digits_are_other_ones(
    n: int, missed: float, alpha: float
) -> None:
    """What is taken is on the safe side of the true threshold still: E is above 1/alpha."""
    k = n - int(n * missed)
    bound = anytime_lower(k, n, alpha)
    assert anytime_lower(k, n, alpha, near=bound) == bound
    if bound > 0.5:
        for steps in (-2, 2):
            near = bound + steps * math.ulp(bound)
            assert anytime_lower(k, n, alpha, near=near) == near
            assert float(log_e(k, n, near)) > -math.log(alpha) + LOG_MARGIN / 2
        assert anytime_lower(k, n, alpha, near=bound + 1e-6) == bound
