"""What is out of range is one sentence that names it, whatever function is asked."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from rsonnx.errors import UsageError
from rsonnx.statistics import (
    AdaptiveRule,
    SequentialPredict,
    accuracy_band,
    accuracy_interval,
    certifying_bound,
    chance_to_certify,
    clopper_pearson_lower,
    clopper_pearson_upper,
    false_certificates,
    family_wise_alpha,
    fewest_samples,
    largest_bound,
    operating_point,
    paired_accuracy,
    paired_mean_interval,
    proves_lower_bound,
    radius_interval,
    samples_for_chance,
    selection_settled,
)
from rsonnx.statistics.adaptive import Verdict
from rsonnx.statistics.bounds import BOUNDS, get_bound
from rsonnx.statistics.eprocess import anytime_lower, fewest_samples_to_reject, rejects
from rsonnx.statistics.rigorous import upper_tail_at_most
from rsonnx.statistics.sequential import lead_of

RULE = AdaptiveRule((0.6,), n_max=100, alpha=0.01)

BAD: list[tuple[Callable[..., object], tuple[object, ...], str]] = [
    *(
        (bound, arguments, named)
        for bound in (clopper_pearson_lower, clopper_pearson_upper)
        for arguments, named in (
            *(((k, 4, 0.001), f"k is {k}") for k in (5, -1, 1.5)),
            *(((1, n, 0.001), f"n is {n}") for n in (0, True, 10**13)),
            *(((1, 4, alpha), f"alpha is {alpha!r}") for alpha in (0.0, 1.0, math.nan, "x")),
        )
    ),
    *((bound.lower, (5, 4, 0.001, 0.5), "k is 5") for bound in BOUNDS.values()),
    *((bound.upper, (5, 4, 0.001, 0.5), "k is 5") for bound in BOUNDS.values()),
    *((bound.lower, (1, 4, 0, 0.5), "alpha is 0") for bound in BOUNDS.values()),
    *(
        (get_bound("randomized-clopper-pearson").lower, (1, 4, 0.1, u), "uniform number")
        for u in (None, 0.0, 1.5, math.nan)
    ),
    (get_bound, ("normal",), "'normal'"),
    *((certifying_bound, (name,), "cannot give") for name in ("wald", "clt", "wilson", "jeffreys")),
    *((AdaptiveRule, (targets,), "target") for targets in ((), (0.7, 0.6), (0.6, 0.6))),
    *((AdaptiveRule, ((target,),), f"exceed is {target}") for target in (0.4, 1.0)),
    (AdaptiveRule, ((0.9999,), 1000), "n_max"),
    (AdaptiveRule, ((0.6,), 100, 0), "alpha is 0"),
    (AdaptiveRule, ((0.6,), 0), "n_max is 0"),
    (AdaptiveRule, ((0.6,), 100, 0.001, 1.0), "share is 1.0"),
    (AdaptiveRule, ((0.6,), 100, 0.001, 0.2, -0.1), "futility is -0.1"),
    (AdaptiveRule, ((0.6,), 100, 0.9, 0.9), "0.368"),
    (RULE.lower, (50, 101), "n_max = 100"),
    *((operating_point, (RULE, p), f"p is {p}") for p in (-0.1, 1.1)),
    (operating_point, (RULE, 0.5, (50, 60)), "looks"),
    (rejects, (5, 6, 0.5, 0.4), "0.368"),
    (anytime_lower, (7, 6, 0.001), "k is 7"),
    (anytime_lower, (5, 6, 0), "alpha is 0"),
    *((fewest_samples_to_reject, (p0, 0.001), "exceed is") for p0 in (0.4, 1.0, math.nan)),
    (SequentialPredict, (100, 0.001, "best"), "'best'"),
    (SequentialPredict, (100, 0), "alpha is 0"),
    (SequentialPredict, (0,), "n_max is 0"),
    (SequentialPredict(100).look, ([100, 1],), "101 votes"),
    (lead_of, ([1, -1],), "negative"),
    (lambda: selection_settled([1], ceiling=0), (), "ceiling is 0"),
    (false_certificates, (0, 0.001), "inputs is 0"),
    (false_certificates, (5, 0.001, 1), "level is 1"),
    (family_wise_alpha, (0, 5), "alpha is 0"),
    *((false_certificates, (5, alpha), "alpha is") for alpha in (-1e-4, 1.0, math.nan, False)),
    *((accuracy_interval, (1, 5, alpha), "alpha is") for alpha in (-1e-4, 1.0, math.nan, False)),
    (accuracy_interval, (6, 5, 0.001), "k is 6"),
    (accuracy_interval, (5, 5, 0.001, 0), "delta is 0"),
    (accuracy_band, ([1.2], 5), "outside"),
    (radius_interval, ([],), "no radii"),
    *((radius_interval, ([1.0, bad],), "radius is") for bad in (-1.0, math.inf, math.nan)),
    *((paired_accuracy, (b, c, 5), "5 inputs") for b, c in ((-1, 0), (3, 3))),
    (paired_accuracy, (0, 0, 0), "pairs is 0"),
    *(
        (paired_mean_interval, (values,), "differences")
        for values in ([], [math.nan], [math.inf], [1e300], [[1.0]])
    ),
    (largest_bound, (0, 0.001), "n is 0"),
    (fewest_samples, (0.3, 0.001), "exceed is 0.3"),
    (fewest_samples, (0.6, 0), "alpha is 0"),
    (fewest_samples, (1 - 2.0**-50, 0.001), "would need about"),
    (fewest_samples, (1 - 2.0**-37, 0.001), "above what any n"),
    (chance_to_certify, (1.5, 10, 0.6, 0.001), "p is 1.5"),
    (samples_for_chance, (0.9, 0.8, 0.001, 1.0), "chance is 1"),
    (upper_tail_at_most, (5, 4, 0.5, 0.1), "k is 5"),
    (proves_lower_bound, (0.5, 3, 4, 0), "alpha is 0"),
]


@pytest.mark.parametrize(("function", "arguments", "named"), BAD, ids=map(str, range(len(BAD))))
def test_what_is_out_of_range(
    function: Callable[..., object], arguments: tuple[object, ...], named: str
) -> None:
    with pytest.raises(UsageError) as caught:
        function(*arguments)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("k", "n"), [(11, 10), (6, 10), (5, 11), (9, 11), (50, 101)])
def test_counts_that_do_not_grow(k: int, n: int) -> None:
    state = RULE.start()
    state.update(6, 10)
    with pytest.raises(UsageError, match=f"{k}|n_max = 100"):
        state.update(k, n)
    assert state.update(56, 60) is Verdict.CERTIFIED
    with pytest.raises(UsageError, match="certified"):
        state.update(57, 61)
