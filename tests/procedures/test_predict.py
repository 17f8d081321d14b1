"""PREDICT and PREDICT1 from counts."""

import json
from pathlib import Path

import pytest

from rsonnx import ABSTAIN, Counts, UsageError, predict_from_counts

GOLDEN = json.loads(
    (Path(__file__).resolve().parents[1] / "golden" / "statistics.json").read_text()
)
RELATIVE = 2**-35  # p-values are rounded up by 2^-36 of themselves


@pytest.mark.parametrize("row", GOLDEN["two_sided"])
def test_two_class_golden_values(row: dict[str, str | int]) -> None:
    found = predict_from_counts([int(row["n_a"]), int(row["n_b"])])
    true = float(row["value"])
    assert true <= found.p_value * (1 + 1e-15)
    assert found.p_value <= min(1.0, true * (1 + RELATIVE))
    assert found.label == (0 if true <= 0.001 else ABSTAIN)


@pytest.mark.parametrize("row", [row for row in GOLDEN["one_sided"] if row["k"]])
def test_majority_golden_values(row: dict[str, str | int]) -> None:
    k, n = int(row["k"]), int(row["n"])
    found = predict_from_counts([k, n - k], method="majority")
    true = float(row["value"])
    assert true * (1 - 1e-15) <= found.p_value <= min(1.0, true * (1 + RELATIVE))
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


def test_two_class_looks_at_the_top_two_only() -> None:
    found = predict_from_counts([30, 2, 1, 1])
    assert found.p_value == predict_from_counts([30, 2]).p_value
    assert found.label == 0


def test_majority_needs_more_than_half() -> None:
    assert predict_from_counts([400, 300, 300], method="majority").abstained
    assert predict_from_counts([400, 300, 300], method="two-class").label == 0


def test_answers_without_a_class_never_win_but_compete() -> None:
    lost = predict_from_counts(Counts([10, 0], no_class=990))
    assert (lost.label, lost.top_class) == (ABSTAIN, ABSTAIN)
    rival = predict_from_counts(Counts([60, 0], no_class=40))
    assert rival.p_value == predict_from_counts([60, 40]).p_value
    assert predict_from_counts(Counts([0], no_class=20)).abstained


def test_one_class_only() -> None:
    assert predict_from_counts([11]).label == 0
    assert predict_from_counts([10]).label == ABSTAIN  # 2 * 2^-10 > 0.001


def test_bad_arguments() -> None:
    with pytest.raises(UsageError, match=r"method is 'best'.*two-class or majority"):
        predict_from_counts([10, 1], method="best")
    with pytest.raises(UsageError, match="no samples"):
        predict_from_counts([0, 0])
    with pytest.raises(UsageError, match="alpha is 2"):
        predict_from_counts([10, 1], alpha=2)
