"""Statements on a whole data set, against their formulas written out with scipy and numpy."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reported import row

from rsonnx.counts import Counts
from rsonnx.report import dataset_statements, fraction_down
from rsonnx.report.summary import gain_of, samples_of
from rsonnx.runs import Row
from rsonnx.statistics import accuracy_band, accuracy_interval, false_certificates


def _row(index: int, radius: float, **changed: Any) -> Row:
    """A row of class 1; a radius of 0 abstains."""
    return row(index, radius or -1.0, **changed)


radii_of_rows = st.lists(st.sampled_from((0.0, 0.25, 0.5, 1.0, 1.5)), min_size=1, max_size=40)
alphas = st.sampled_from((0.05, 0.001, 1e-9))


@given(radii_of_rows, alphas, st.lists(st.booleans(), min_size=40, max_size=40))
def test_certified_accuracy_of_the_population(
    found: list[float], alpha: float, right: Sequence[bool]
) -> None:
    rows = [_row(i, r, prediction=1 if right[i] else 2) for i, r in enumerate(found)]
    radii, n = (0.0, 0.5, 1.25), len(found)
    stated = dataset_statements(rows, radii, alpha=alpha)
    hits = [sum(ok and 0 < x >= r for x, ok in zip(found, right, strict=False)) for r in radii]
    assert stated.population is not None
    assert stated.population.accuracy == tuple(accuracy_interval(k, n, alpha) for k in hits)
    band = accuracy_band([k / n for k in hits], n)
    assert stated.population.band.low.tolist() == band.low.tolist()
    assert stated.population.band.high.tolist() == band.high.tolist()
    assert stated.false == false_certificates(n, alpha)


def test_the_acr_interval_is_the_bootstrap_written_out() -> None:
    radii = [0.0, 0.25, 0.5, 0.75, 1.5, 1.5, 0.0]
    rows = [_row(i, r, prediction=2 if i == 4 else 1) for i, r in enumerate(radii)]
    values = np.array([0.0, 0.25, 0.5, 0.75, 0.0, 1.5, 0.0])  # input 4 is certified and wrong
    drawn = np.random.Generator(np.random.Philox(0)).integers(0, 7, (2000, 7))
    means = np.sort(values[drawn].mean(axis=1))
    population = dataset_statements(rows, (0.0,), alpha=0.001).population
    assert population is not None
    low, high = (np.interp(q * 1999, np.arange(2000), means) for q in (0.025, 0.975))
    assert (population.acr.low, population.acr.high) == pytest.approx((low, high), rel=1e-12)
    assert population.acr.mean == values.mean()


def test_radii_whose_sum_no_float_holds() -> None:
    rows = [_row(i, 2.0**1023) for i in range(9)]
    population = dataset_statements(rows, (0.0,), alpha=0.001).population
    assert population is not None
    stated = population.acr
    assert (stated.low, stated.mean, stated.high) == (2.0**1023,) * 3


def test_unlabelled_runs_have_no_accuracy_to_speak_of() -> None:
    rows = [_row(0, 0.5), _row(1, 0.5, label=None)]
    stated = dataset_statements(rows, (0.0,), alpha=0.001)
    assert stated.population is None
    assert stated.false.expected == 0.002
    assert not list(stated.lines())
    written = json.loads(json.dumps(stated.to_json()))
    assert written["certified_accuracy"] is None
    assert written["certified_accuracy_band"] is None
    assert written["acr"] is None


def test_the_statements_for_a_program() -> None:
    rows = [_row(i, 0.5 * (i % 3), digest=str(i // 2)) for i in range(10)]
    stated = dataset_statements(rows, (0.0, 0.75), alpha=0.0002, family_wise=0.002)
    found = json.loads(json.dumps(stated.to_json(), allow_nan=False))
    assert stated.population is not None
    accuracy = stated.population.accuracy
    assert (found["level"], found["copies"], found["family_wise"]["alpha"]) == (0.95, 5, 0.002)
    assert found["false_certificates"]["expected"] == 0.002
    assert found["certified_accuracy"]["low"] == [at.low for at in accuracy]
    assert found["certified_accuracy"]["robust_low"] == [at.robust_low for at in accuracy]
    assert len(found["certified_accuracy_band"]["high"]) == 2
    assert (found["acr"]["resamples"], found["acr"]["seed"]) == (2000, 0)


def test_copies_of_an_input_are_false_together() -> None:
    # 500 different inputs, the first of them five times: at most 2 are false, which may be that
    # one and another, so 6 certificates.
    rows = [_row(i, 0.5, digest=str(max(0, i - 4))) for i in range(504)]
    stated = dataset_statements(rows, (0.0,), alpha=0.001)
    assert (stated.copies, stated.false.quantile) == (4, 6)
    assert stated.false.expected == 504 * 0.001
    for words in ("0.504 of 504", "at most 6", "4 of the inputs equal others"):
        assert words in stated.expected


@given(st.lists(st.integers(0, 5), min_size=1, max_size=12), st.sampled_from((0.3, 0.04)))
def test_the_bound_with_copies_holds(digests: list[int], alpha: float) -> None:
    rows = [_row(i, 0.5, digest=str(one)) for i, one in enumerate(digests)]
    found = dataset_statements(rows, (0.0,), alpha=alpha).false.quantile
    within, times = 0.0, [digests.count(one) for one in set(digests)]
    for wrong in product((0, 1), repeat=len(times)):  # every set of inputs that may be false
        if sum(a * b for a, b in zip(wrong, times, strict=True)) <= found:
            within += math.prod(alpha if one else 1 - alpha for one in wrong)
    assert within >= 0.95 - 1e-12


def test_shared_noise_withholds_what_needs_independence() -> None:
    rows = [_row(i, 0.5 * (i % 3), digest=str(i)) for i in range(500)]
    alone = dataset_statements(rows, (0.0, 0.75), alpha=0.001)
    stated = dataset_statements(rows, (0.0, 0.75), alpha=0.001, shared_noise=True)
    assert (alone.false.quantile, stated.false.quantile) == (2, 9)
    assert stated.population is not None
    assert alone.population is not None
    for one, other in zip(stated.population.accuracy, alone.population.accuracy, strict=True):
        assert (one.low, one.high) == (other.low, other.high)
        assert one.robust_low < other.robust_low - 0.01
    lines = [line.replace("\xa0", " ") for line in stated.lines()]
    for words in ("0.5 of 500", "at most 9", "Markov", "together"):
        assert words in stated.expected
    assert "of the noise that they share" in lines[0]
    found = stated.to_json()
    assert "independent between inputs" not in json.dumps(found)
    assert "Markov" in found["false_certificates"]["assumes"]
    assert "independent between inputs" in json.dumps(alone.to_json())


@given(radii_of_rows)
def test_printed_intervals_are_rounded_outward(found: list[float]) -> None:
    rows = [_row(i, r) for i, r in enumerate(found)]
    stated = dataset_statements(rows, (0.0,), alpha=0.001)
    assert stated.population is not None
    lines = [line.replace("\xa0", " ") for line in stated.lines()]
    low, high = (Fraction(x) for x in lines[1].split(" 0: ")[1].split("-"))
    assert low <= 100 * Fraction(stated.population.accuracy[0].low) < low + Fraction(1, 10)
    assert high - Fraction(1, 10) < 100 * Fraction(stated.population.accuracy[0].high) <= high
    half = Fraction(lines[3].split("+-")[1].split()[0])
    assert half - Fraction(1, 10) < 100 * Fraction(stated.population.band.half_width) <= half
    low, high = (Fraction(x) for x in lines[4].split(": ")[1].split()[0].split("-"))
    assert low <= Fraction(stated.population.acr.low)
    assert high >= Fraction(stated.population.acr.high)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**9)), min_size=1, max_size=9))
def test_samples(drawn: list[tuple[int, int]]) -> None:
    found = samples_of(
        [
            _row(i, 0.5, selection=Counts([a]), estimation=Counts([b]))
            for i, (a, b) in enumerate(drawn)
        ]
    )
    total = sum(a + b for a, b in drawn)
    assert found.mean == Fraction(total, len(drawn))
    assert found.selection == Fraction(sum(a for a, _ in drawn), len(drawn))
    saving = found.saving(1000)
    assert (saving is None) if total == 0 else (saving == Fraction(1000 * len(drawn), total))
    written = found.to_json(1000)
    assert written["mean"] == fraction_down(found.mean)
    assert (written["n_over_mean"] is None) is (total == 0)


gains = st.lists(
    st.tuples(
        st.sampled_from((0.0, 0.25, 0.5, 1.0)),
        st.sampled_from((0.0, 0.25, 0.5, 1.0)),
        st.sampled_from((1, 2)),
    ),
    min_size=1,
    max_size=12,
)


@given(gains)
def test_the_gain_by_its_definition(found: list[tuple[float, float, int]]) -> None:
    rows = [
        _row(i, r, one_sided_radius=o, prediction=k, top_class=k)
        for i, (r, o, k) in enumerate(found)
    ]
    gain = gain_of(rows)
    assert gain is not None
    n = len(rows)
    two = Fraction(sum(Fraction(r) for r, _, k in found if k == 1), n)
    one = Fraction(sum(Fraction(o) for _, o, k in found if k == 1), n)
    assert (gain.acr, gain.one_sided_acr) == (two, one)
    assert gain.larger == Fraction(sum(r > o for r, o, _ in found), n)
    assert gain.smaller == Fraction(sum(r < o for r, o, _ in found), n)
    assert gain.relative == (two / one - 1 if one else None)
    assert gain.to_json()["larger_count"] == sum(r > o for r, o, _ in found)


def test_no_gain_without_both_radii_and_no_acr_without_labels() -> None:
    assert gain_of([_row(0, 0.5, one_sided_radius=0.25), _row(1, 0.5)]) is None
    gain = gain_of(
        [_row(0, 0.5, one_sided_radius=0.25), _row(1, 0.5, one_sided_radius=0.5, label=None)]
    )
    assert gain is not None
    assert (gain.acr, gain.one_sided_acr, gain.relative) == (None, None, None)
    assert (gain.larger, gain.smaller) == (Fraction(1, 2), Fraction(0))
