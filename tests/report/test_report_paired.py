"""Runs paired by what their inputs are: matching, copies, refusals, and what is left out."""

from __future__ import annotations

import csv
import io
import random
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reported import Line, changed_header, figures, named, row

from rsonnx.errors import UsageError
from rsonnx.noise import Uniform
from rsonnx.report import FORMATS, Comparison, Figures, compare, log_figures, paired_report, to_text
from rsonnx.statistics import paired_accuracy, paired_mean_interval

AT = (0.0, 0.5)


def shown(pairs: list[Comparison]) -> str:
    return to_text(paired_report(pairs))


def pair(one: Figures, two: Figures) -> Comparison:
    [found] = compare([named("a", one), named("b", two)], AT)
    return found


outcomes = st.lists(
    st.tuples(*[st.sampled_from((-1.0, 0.0, 0.25, 0.5, 1.0))] * 2), min_size=1, max_size=12
)


@given(outcomes, st.randoms(use_true_random=False), st.integers(0, 3), st.integers(0, 3))
def test_inputs_are_matched_by_digest_in_any_order(
    radii: list[tuple[float, float]], shuffle: random.Random, more: int, others: int
) -> None:
    one = [row(i, a) for i, (a, _) in enumerate(radii)]
    two = [row(i, b) for i, (_, b) in enumerate(radii)]
    one += [row(100 + i, 0.5) for i in range(more)]
    two += [row(200 + i, 0.5) for i in range(others)]
    shuffle.shuffle(two)
    # Positions say nothing: every index of the second run is another one.
    two = [replace(each, index=1000 + i) for i, each in enumerate(two)]
    found = pair(figures(one), figures(two))
    assert (found.pairs, found.left_first, found.left_second) == (len(radii), more, others)
    for at, r in zip(found.at, AT, strict=True):
        right = [(a >= r, b >= r) for a, b in radii]
        b, c = right.count((True, False)), right.count((False, True))
        assert (at.only_first, at.only_second) == (b, c)
        assert at.first - at.second == Fraction(b - c, len(radii))
        assert at.inferred == paired_accuracy(b, c, len(radii))
    means = [sum(max(one[k], 0.0) for one in radii) for k in (0, 1)]
    assert found.first_acr == Fraction(means[0]) / len(radii)
    assert found.second_acr == Fraction(means[1]) / len(radii)
    differences = [max(a, 0.0) - max(b, 0.0) for a, b in radii]
    acr = paired_mean_interval(differences)
    assert found.acr is not None
    assert (found.acr.low, found.acr.high) == pytest.approx((acr.low, acr.high), abs=1e-12)


def test_copies_are_matched_one_to_one_and_with_their_own_label() -> None:
    same = {"digest": "same"}
    one = figures([row(0, 1.0, **same), row(1, 1.0, **same), row(2, 1.0, **same), row(3, 0.2)])
    two = figures([row(3, 0.2), row(1, 0.1, **same), row(2, 0.1, **same)])
    found = pair(one, two)
    assert (found.pairs, found.left_first, found.left_second, found.copies) == (3, 1, 0, 1)
    assert "of which 1 equal others and share their noise" in shown([found])
    first, second = row(0, 1.0, **same), row(1, 1.0, label=2, **same)
    found = pair(figures([first, second]), figures([second, first]))
    assert found.pairs == 2
    assert [(at.only_first, at.only_second) for at in found.at] == [(0, 0), (0, 0)]


ONE, OTHER_LABEL = figures([1.0, 0.5]), figures([row(0, 1.0, label=2), row(1, 1.0)])
A_LOG = log_figures("x", [Line(1, 1, 1.0)], AT)


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        ([ONE], "two run files or more"),
        ([ONE, A_LOG], "x is a log, which has no digests"),
        ([A_LOG, ONE], "x is a log, which has no digests"),
        ([ONE, figures([row(0, 1.0, label=None)])], "inputs without a label"),
        ([ONE, OTHER_LABEL], r"0\.png has the label 1"),
        ([ONE, figures([row(0, 1.0, digest="elsewhere")])], "no input in common"),
        ([ONE, ONE], "one run"),
        ([ONE, figures([1.0, 0.5], noise=Uniform(2.0, "linf", 4))], "one norm and one unit"),
        ([ONE, figures([1.0, 0.5], units="input values between 0 and 255")], "one norm and one"),
    ],
)
def test_what_cannot_be_paired_is_refused(runs: list[Figures], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        compare(runs, AT)


def test_adaptive_runs_are_compared_where_both_decided() -> None:
    adaptive, other = (
        replace(figures(radii), header=changed_header(target_radii=(0.5,)))
        for radii in ([1.0, 0.5], [1.0, 0.25])
    )
    for runs in ((figures([1.0, 0.5]), adaptive), (other, adaptive)):
        found = pair(*runs)
        assert [at.radius for at in found.at] == [0.5]
        assert found.undecided == (0.0,)
        assert (found.acr, found.first_acr, found.second_acr) == (None, None, None)
        text = " ".join(shown([found]).split())
        assert "not compared, since an adaptive run left it undecided: r=0" in text
        assert "b: sampling stopped once the radii were decided" in text
        assert "ACR 0" not in text


def test_the_first_run_is_compared_with_each_other_and_other_settings_are_said() -> None:
    runs = [
        named(name, figures([1.0, radius])) for name, radius in (("a", 1), ("b", 0.2), ("c", 2))
    ]
    found = compare(runs, AT)
    assert [(one.first, one.second) for one in found] == [("a", "b"), ("a", "c")]
    assert [one.at[1].only_first for one in found] == [1, 0]
    two = figures([1.0], alpha=0.01)
    said = pair(figures([1.0]), two).cautions[-1]
    assert said == "the runs have different alphas, 0.001 and 0.01"


def test_differences_are_rounded_correctly_and_intervals_outward() -> None:
    one, two = figures([1.0, 0.1, 0.1]), figures([0.1, 0.1, 0.1])
    forth = shown([pair(one, two)])
    back = shown([pair(two, one)])
    at = paired_accuracy(1, 0, 3)
    line = cells(forth, "r=0.5")
    assert line[3] == "+33.3"
    assert float(line[4]) <= 100 * at.low < float(line[4]) + 0.1
    assert float(line[5]) >= 100 * at.high > float(line[5]) - 0.1
    assert cells(back, "r=0.5")[3] == "-33.3"
    assert cells(back, "r=0")[3] == "0.0"


def cells(text: str, head: str) -> list[str]:
    return next(line.split() for line in text.splitlines() if line.split()[:1] == [head])


def test_comparisons_have_the_same_figures_in_every_format() -> None:
    one, two = figures([1.0, 0.5, 0.25, -1.0]), figures([1.5, 0.25, 0.25, -1.0])
    report = paired_report([pair(one, two)])
    line, acr = cells(to_text(report), "r=0.5"), cells(to_text(report), "ACR")
    # 1 of 4 inputs is right at .5 in the first run alone.
    assert line[1:4] + line[6:] == ["50.0", "25.0", "+25.0", "1", "0", "1.0"]
    assert acr[1:4] == ["0.4375", "0.5000", "-0.0625"]
    assert f"| {' | '.join(line)} |" in FORMATS["markdown"](report)
    assert r"ACR & 0.4375 & 0.5000 & $-$0.0625 &" in FORMATS["latex"](report)
    lines = {x["figure"]: x for x in csv.DictReader(io.StringIO(FORMATS["csv"](report)))}
    assert float(lines["certified_accuracy@0.5"]["difference"]) == 0.25
    assert float(lines["acr"]["difference"]) == -0.0625
    assert lines["acr"]["pairs"] == "4"


@pytest.mark.parametrize("form", FORMATS)
def test_an_incomplete_run_says_so_in_every_comparison(form: str) -> None:
    late = figures([0.75], status="interrupted")
    assert "(b) is interrupted: the figures are of the 1 of" in FORMATS[form](
        paired_report([pair(figures([1.0]), late)])
    )
