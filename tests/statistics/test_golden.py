"""Bounds, quantiles and tests against 220-bit golden values (tools/make_golden.py)."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mpmath import mp, mpf

from rsonnx.statistics import (
    clopper_pearson_lower,
    clopper_pearson_upper,
    normal_quantile_down,
    p_value_above_half,
    p_value_differs_from_half,
)

GOLDEN = json.loads(
    (Path(__file__).resolve().parents[1] / "golden" / "statistics.json").read_text()
)
SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "golden" / "statistics.json"

# The library gives up 2^-36 of a probability and 2^-48 of a quantile on purpose; one more unit in
# the last place is its rounding.
PROBABILITY = mpf(2) ** -36 + mpf(2) ** -44
QUANTILE = mpf(2) ** -48 + mpf(2) ** -50


@pytest.fixture(autouse=True)
def wide_precision() -> Iterator[None]:
    """Compare at 200 bits: at 53 the golden values themselves would be rounded."""
    with mp.workprec(200):
        yield


def rows(table: str) -> list[Any]:
    return [
        pytest.param(row, id="-".join(map(str, list(row.values())[:-1]))) for row in GOLDEN[table]
    ]


@pytest.mark.parametrize("row", rows("clopper_pearson_lower"))
def test_lower_bound_is_below_the_true_one_and_close(row: dict[str, Any]) -> None:
    true = mpf(row["value"])
    found = mpf(clopper_pearson_lower(row["k"], row["n"], row["alpha"]))
    assert found <= true
    assert true - found <= true * PROBABILITY


@pytest.mark.parametrize("row", rows("clopper_pearson_upper"))
def test_upper_bound_is_above_the_true_one_and_close(row: dict[str, Any]) -> None:
    true = mpf(row["value"])
    found = mpf(clopper_pearson_upper(row["k"], row["n"], row["alpha"]))
    assert found >= true
    assert found - true <= true * PROBABILITY


@pytest.mark.parametrize("row", rows("phi_inv"))
def test_quantile_is_below_the_true_one_and_close(row: dict[str, Any]) -> None:
    true = mpf(row["value"])
    found = mpf(normal_quantile_down(row["p"]))
    assert found <= true
    assert true - found <= true * QUANTILE


@pytest.mark.parametrize("row", rows("two_sided"))
def test_two_sided_p_value(row: dict[str, Any]) -> None:
    true = mpf(row["value"])
    found = mpf(p_value_differs_from_half(row["n_a"], row["n_a"] + row["n_b"]))
    assert true <= found <= min(1, true * (1 + PROBABILITY))


@pytest.mark.parametrize("row", rows("one_sided"))
def test_one_sided_p_value(row: dict[str, Any]) -> None:
    true = mpf(row["value"])
    found = mpf(p_value_above_half(row["k"], row["n"]))
    assert true <= found <= min(1, true * (1 + PROBABILITY))


def test_largest_radius_of_the_usual_setting() -> None:
    # n = 1e5, alpha = 1e-3: 3.81145656338995 sigma (FIELD's figure; also 0.001^(1e-5) by hand).
    bound = clopper_pearson_lower(100_000, 100_000, 0.001)
    assert normal_quantile_down(bound) == pytest.approx(3.81145656338995, rel=1e-7)
    assert normal_quantile_down(bound) < 3.81145656338995


def test_quantiles_at_the_ends() -> None:
    assert normal_quantile_down(0.0) == -math.inf
    assert normal_quantile_down(1.0) == math.inf
    assert normal_quantile_down(0.5) <= 0.0


@pytest.mark.skipif(not SHARED.exists(), reason="the shared reference values are not at hand")
def test_golden_values_agree_with_the_shared_reference() -> None:
    shared = json.loads(SHARED.read_text())
    tables = (
        ("clopper_pearson_lower", ("nA", "n", "alpha"), "pA_lower"),
        ("clopper_pearson_upper", ("nB", "n", "alpha"), "pB_upper"),
    )
    compared = 0
    for name, keys, value in tables:
        ours = {tuple(list(row.values())[:3]): mpf(row["value"]) for row in GOLDEN[name]}
        for row in shared[name]:
            true = mpf(row[value])
            # The reference is printed with 22 to 25 digits.
            assert abs(ours[tuple(row[k] for k in keys)] - true) <= true * mpf(10) ** -21
            compared += 1
    ours = {row["p"]: mpf(row["value"]) for row in GOLDEN["phi_inv"]}
    for row in shared["phi_inv"]:
        true = mpf(row["Phi_inv"])
        assert abs(ours[float(row["p"])] - true) <= true * mpf(10) ** -21
        compared += 1
    assert compared == 27
