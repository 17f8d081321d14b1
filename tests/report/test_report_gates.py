"""Gates: exact, for every run, and never met by a run that is not complete or not labelled."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reported import STRANGERS, changed_header, figures, named, row

from rsonnx.errors import UsageError
from rsonnx.report import (
    OVER,
    UNDER,
    Figures,
    GateResult,
    check_gates,
    compare,
    failures,
    github_annotations,
    junit_xml,
    parse_gate,
)
from rsonnx.report.selection import Selection

WRONG = {"base_prediction": 2, "prediction": 2}
RUN = figures([row(0, 1.0), row(1, 0.5), row(2, 0.25), row(3, -1.0), row(4, 0.7, **WRONG)])


def result(text: str, run: Figures, baseline: Figures | None = None) -> GateResult:
    option = OVER if "abstain" in text else UNDER
    (found,) = check_gates([parse_gate(text, option)], [named("run.jsonl", run)], baseline)
    assert (found.gate, found.run) == (text.replace(" ", ""), "run.jsonl")
    return found


def met(text: str, run: Figures, baseline: Figures | None = None) -> bool:
    return result(text, run, baseline).met


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("abstain=0.2", True),
        ("abstain=0.19999999999999999999", False),
        ("acc@0=0.6", True),
        ("acc@0=0.60000000000000000001", False),
        ("acc@0.5=0.4", True),
        ("acc@0.5000000001=0.21", False),
        (" acc@.5 = .4 ", True),
        ("acr=0.35", True),  # (1 + .5 + .25)/5
        ("acr=0.3500000000000001", False),
        ("standard=0.8", True),
        ("standard=0.81", False),
        ("standard=1.", False),
        ("acr=0", True),
        ("acc@9=0", True),
    ],
)
def test_a_gate_is_met_exactly(text: str, passes: bool) -> None:
    assert met(text, RUN) is passes


@given(st.lists(st.sampled_from((-1.0, 0.25, 0.5)), min_size=1, max_size=9), st.integers(0, 9))
def test_a_gate_follows_the_definition(radii: list[float], tenths: int) -> None:
    share = Fraction(tenths, 10)
    run = figures(radii)
    assert met(f"acc@0.5=0.{tenths}", run) is (
        Fraction(sum(r >= 0.5 for r in radii), len(radii)) >= share
    )
    assert met(f"abstain=0.{tenths}", run) is (
        Fraction(sum(r < 0 for r in radii), len(radii)) <= share
    )


@given(st.integers(1, 40), st.data())
def test_what_a_gate_passes_passes_whoever_reads_the_json(inputs: int, data: st.DataObject) -> None:
    right = data.draw(st.integers(0, inputs))
    digits = data.draw(st.integers(1, 20))
    run = figures([1.0] * right + [-1.0] * (inputs - right))
    least = f"{right * 10**digits // inputs:0{digits + 1}d}"
    least = f"{least[:-digits]}.{least[-digits:]}"  # the share, cut after so many digits
    assert met(f"acc@0.5={least}", run)
    assert run.to_json()["certified_accuracy"][1] >= float(least)


ANY_RADII = st.lists(st.floats(0, 9), min_size=5, max_size=5)


def cut(value: Fraction, digits: int) -> str:
    """Return a number with so many decimals, rounded down, with its sign."""
    units = int(value * 10**digits // 1)
    figure = f"{abs(units):0{digits + 1}d}"
    return f"{'-' if units < 0 else '+'}{figure[:-digits]}.{figure[-digits:]}"


@given(ANY_RADII, ANY_RADII, st.integers(1, 30))
def test_what_a_gate_on_radii_passes_passes_whoever_reads_the_json(
    ours: list[float], theirs: list[float], digits: int
) -> None:
    run, base = figures(ours), named("base.jsonl", figures(theirs, sha256="9" * 64))
    mean = sum(map(Fraction, ours)) / 5
    difference = mean - sum(map(Fraction, theirs)) / 5
    least, offset = cut(mean, digits), cut(difference, digits)
    acr = run.to_json()["acr"]
    (pair,) = compare([run, base], [0.5])
    said = pair.to_json()["acr_difference"]
    assert not met(f"acr={least[1:]}", run) or acr >= float(least)
    assert not met(f"acr=baseline{offset}", run, base) or said >= float(offset)
    # What JSON has is met as it is written there.
    assert met(f"acr={Decimal(repr(acr)):f}", run)
    assert met(f"acr=baseline{Decimal(repr(said)):+f}", run, base)


def test_a_larger_alpha_meets_no_difference() -> None:
    """Its radii are larger by the larger probability of error alone."""
    run, base = figures([1.0]), named("base.jsonl", figures([0.5], sha256="9" * 64))
    loose = replace(run, header=changed_header(alpha=0.01))
    assert met("acr=baseline", run, base)
    for figure in ("acr", "acc@0.5", "acr:lower", "acc@0.5:lower"):
        assert "0.01" in result(f"{figure}=baseline-1", loose, base).said
        assert not met(f"{figure}=baseline-1", loose, base)
    assert met("acr=0.5", loose)


@given(st.lists(st.sampled_from((-1.0, 0.25, 0.5)), min_size=1, max_size=30))
def test_the_lower_end_of_an_interval_is_the_one_that_json_has(radii: list[float]) -> None:
    run = figures(radii)
    said: Any = run.to_json()["statements"]
    ends = {"acc@0.5": said["certified_accuracy"]["low"][1], "acr": said["acr"]["low"]}
    for figure, low in ends.items():
        at = f"{low:.12f}"
        assert met(f"{figure}:lower={at}", run) is (Fraction(low) >= Fraction(at))
        assert met(f"{figure}:lower={low + 1e-3:.12f}", run) is False
        assert low == 0 or met(f"{figure}:lower={max(0, low - 1e-3):.12f}", run)
    assert met("acc@0.3:lower=0.001", figures([0.5, 0.5]))  # no radius of the table


def test_what_says_nothing_of_the_population_has_no_lower_end() -> None:
    """Its own figure is what it is all the same."""
    statements = replace(RUN.statements, population=None, selection=Selection("why not"))
    spread = replace(RUN, statements=statements)
    for figure in ("acc@0.5", "acr"):
        assert "why not" in result(f"{figure}:lower=0", spread).said
        assert not met(f"{figure}:lower=0", spread)
        assert met(f"{figure}=0", spread)
        pair = f"{figure}:lower=baseline-1"
        assert not met(pair, spread, named("base.jsonl", figures([1.0, 0.5, 0.25, -1.0, 0.7])))


RADII = st.lists(st.sampled_from((-1.0, 0.25, 0.5, 1.0)), min_size=5, max_size=5)


@given(RADII, RADII, st.integers(-10, 10))
def test_a_difference_from_the_baseline_is_that_of_the_paired_comparison(
    ours: list[float], theirs: list[float], tenths: int
) -> None:
    run, base = figures(ours), named("base.jsonl", figures(theirs, sha256="9" * 64))
    (pair,) = compare([run, base], [0.5])
    limit, offset = Fraction(tenths, 10), f"{tenths / 10:+}"
    at = pair.at[0]
    assert met(f"acc@0.5=baseline{offset}", run, base) is (at.first - at.second >= limit)
    assert at.inferred is not None
    lower = met(f"acc@0.5:lower=baseline{offset}", run, base)
    assert lower is (Fraction(at.inferred.low) >= limit)
    assert pair.acr_difference is not None
    assert met(f"acr=baseline{offset}", run, base) is (pair.acr_difference >= limit)
    assert pair.acr is not None
    assert met(f"acr:lower=baseline{offset}", run, base) is (Fraction(pair.acr.low) >= limit)
    assert met("acc@0.5=baseline", run, base) is (at.first >= at.second)


def test_a_run_that_lacks_inputs_of_the_baseline_meets_no_difference() -> None:
    """Or the fewest inputs, the easiest ones, would be the best run."""
    whole, part = named("base.jsonl", figures([1.0, 0.25, -1.0])), figures([1.0])
    found = result("acc@0.5=baseline-1", part, whole)
    assert not found.met
    assert "2 of the inputs of base.jsonl" in found.said
    assert met("acc@0.5=baseline", whole, part)
    late = replace(whole, status="interrupted")
    assert "base.jsonl is interrupted" in result("acc@0.5=baseline-1", part, late).said


def test_every_run_must_meet_every_gate() -> None:
    gates = [parse_gate("acc@0.5=0.5"), parse_gate("acr=0.2")]
    runs = [figures([1.0, 0.5]), named("b\x1b.jsonl", figures([0.5, 0.0625, 0.0]))]
    assert failures(check_gates(gates, runs[:1])) is None
    missed = str(failures(check_gates(gates, runs)))
    for part in ("acc@0.5=0.5", "b\\x1b.jsonl", "0.3333", "acr=0.2", "0.1875"):
        assert part in missed


@pytest.mark.parametrize("status", ["incomplete", "interrupted", "failed", "shard 1/4"])
def test_a_run_that_is_not_complete_meets_nothing(status: str) -> None:
    late = replace(RUN, status=status)
    for text in ("acr=0", "abstain=1", "acc@0:lower=0"):
        found = result(text, late)
        assert not found.met
        assert f"run.jsonl is {status}" in found.said


def test_a_run_that_is_not_labelled_meets_no_gate_of_right_answers() -> None:
    bare = figures([row(0, 1.0), row(1, 1.0, label=None)])
    assert not met("acc@0=0", bare)
    assert not met("acc@0:lower=0", bare)
    assert met("abstain=0", bare)


def test_an_adaptive_run_meets_what_it_decided_alone() -> None:
    run = replace(RUN, header=changed_header(target_radii=(0.5, 0.75)))
    for text in ("acc@0.5=0.4", "acc@0.75=0.2", "standard=0.8", "abstain=0.2"):
        assert met(text, run)
    for text in ("acc@0=0", "acc@0.25=0.1", "acc@0.6=0", "acr=0", "acc@0.25:lower=0"):
        assert "0.5, 0.75" in result(text, run).said
        assert not met(text, run)


@pytest.mark.parametrize(
    "text",
    [
        *("", "acc", "acc=0.5", "acc@0.5", "acc@0.5=60", "acc@=1", "acr=-1", "acr=nan", "acr=1e3"),
        *("standard=1.0001", "acc@-1=0.5", "acc@0.5>=0.5", "ACC@0.5=0.6", "acc@0.5=0.6,acr=1"),
        *("acc@inf=0.1", f"acc@{'9' * 400}=0.5", "acr=1_0", "acr=\u0661"),
        *("acc@0.5=0.6 0", "acc@0. 5=0.6", "a cr=1", f"acr={'9' * 5000}", f"acr=.{'9' * 5000}"),
        *("standard:lower=0.5", "standard=baseline", "abstain=0.1", "acc@0.5:upper=0.5"),
        *("acc@0.5=baseline-2", "acc@0.5=baseline*2", "acr=baseline-", "acr=0.5-baseline"),
    ],
)
def test_what_is_no_gate_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--fail-under is"):
        parse_gate(text)


@pytest.mark.parametrize(
    "text", ["acc@0.5=0.5", "abstain:lower=0.5", "abstain=baseline", "abstain=1.5", "abstain=10%"]
)
def test_only_abstentions_must_stay_below(text: str) -> None:
    with pytest.raises(UsageError, match="--fail-over is"):
        parse_gate(text, OVER)


def test_a_gate_with_baseline_needs_one() -> None:
    with pytest.raises(UsageError, match="--baseline"):
        check_gates([parse_gate("acr=baseline")], [RUN])


ATTRIBUTES = {
    "testsuites": {"tests", "failures", "errors"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped"},
    "testcase": {"name", "classname"},
    "failure": {"type", "message"},
    "system-out": set(),
}
"""Elements of JUnit's XML, with attributes that its readers know (Jenkins' junit-10.xsd)."""


def test_every_gate_and_run_is_a_test_case_for_machines() -> None:
    """Names of strangers stay text, in XML, and on the one line of a workflow command."""
    runs = [named(f"{name}%", figures([1.0, -1.0])) for name in STRANGERS]
    results = check_gates([parse_gate("acc@0=0.5"), parse_gate("acr=1")], runs)
    root = ElementTree.fromstring(junit_xml(results).encode())  # noqa: S314 - it is ours
    for element in root.iter():
        assert set(element.attrib) == ATTRIBUTES[element.tag]
    (suite,) = root
    assert [(case.get("classname"), case.get("name")) for case in suite] == [
        (found.run, found.gate) for found in results
    ]
    for case, found in zip(suite, results, strict=True):
        (child,) = case
        assert child.tag == ("system-out" if found.met else "failure")
        assert (child.text if found.met else child.get("message")) == found.said
    assert (suite.get("tests"), suite.get("failures")) == (str(len(results)), str(len(runs)))
    lines = github_annotations(results).splitlines()
    assert len(lines) == len(runs)
    for line in lines:
        title, _, message = line.removeprefix("::error title=").partition("::")
        assert title == "acr=1 is not met"
        assert message.replace("%25", "%") in {found.said for found in results}
    assert github_annotations(results[:1]) == ""
