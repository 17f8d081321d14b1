"""PREDICT and PREDICT1 from counts."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rsonnx.counts import Counts
from rsonnx.errors import UsageError
from rsonnx.procedures import ABSTAIN, predict_from_counts

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "statistics.json").read_text())
TESTS = [("two-class", row["n_a"], row["n_b"], row["value"]) for row in GOLDEN["two_sided"]] + [
    ("majority", row["k"], row["n"] - row["k"], row["value"])
    for row in GOLDEN["one_sided"]
    if row["k"]
]


@pytest.mark.parametrize(("method", "most", "rest", "value"), TESTS)
def test_golden_values(method: str, most: int, rest: int, value: str) -> None:
    found = predict_from_counts([most, rest], method=method)
    true = float(value)
    # p-values are rounded up by 2^-36 of themselves.
    assert true * (1 - 1e-15) <= found.p_value <= min(1.0, true * (1 + 2**-35))
    assert found.label == (0 if true <= 0.001 else ABSTAIN)


@pytest.mark.parametrize(
    ("n", "two_sided", "one_sided"),
    [(10, 9, 9), (100, 61, 59), (1000, 532, 527), (10_000, 5099, 5083)],
)
def test_fewest_votes_that_answer_at_five_percent(n: int, two_sided: int, one_sided: int) -> None:
    # Hits of n at which each test first rejects at 0.05: quantiles of Bin(n, 1/2), as scipy's
    # binomtest gives them.
    for method, least in (("two-class", two_sided), ("majority", one_sided)):
        below = predict_from_counts([least - 1, n - least + 1], alpha=0.05, method=method)
        at = predict_from_counts([least, n - least], alpha=0.05, method=method)
        assert (below.label, at.label) == (ABSTAIN, 0)


def test_who_competes() -> None:
    """Of two classes the top two; against a majority all; no class competes and never wins."""
    assert predict_from_counts([30, 2, 1, 1]).p_value == predict_from_counts([30, 2]).p_value
    assert predict_from_counts([400, 300, 300]).label == 0
    assert predict_from_counts([400, 300, 300], method="majority").abstained
    lost = predict_from_counts(Counts([10, 0], no_class=990))
    assert (lost.label, lost.top_class) == (ABSTAIN, ABSTAIN)
    rival = predict_from_counts(Counts([60, 0], no_class=40))
    assert rival.p_value == predict_from_counts([60, 40]).p_value
    assert predict_from_counts(Counts([0], no_class=20)).abstained
    assert predict_from_counts([11]).label == 0
    assert predict_from_counts([10]).label == ABSTAIN  # 2 * 2^-10 > 0.001


@pytest.mark.parametrize("wrong", [{"method": "best"}, {"counts": [0, 0]}, {"alpha": 2}])
def test_bad_arguments(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        predict_from_counts(**({"counts": [10, 1]} | wrong))


@pytest.mark.parametrize(("classes", "n"), [(10, 1), (3, 3), (2, 5)])
@pytest.mark.parametrize("alpha", [0.51, 0.9])
def test_a_majority_errs_no_more_than_alpha_where_that_is_above_a_half(
    classes: int, n: int, alpha: float
) -> None:
    # Every draw, of classes that are equal but for an arbitrarily small lead of the first.
    draws = product(range(classes), repeat=n)
    counts = (np.bincount(drawn, minlength=classes) for drawn in draws)
    found = (predict_from_counts(each, alpha=alpha, method="majority") for each in counts)
    wrong = sum(each.label > 0 for each in found)
    assert wrong <= alpha * classes**n
