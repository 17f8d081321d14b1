"""The table as text: what it shows, what it cannot say, and nothing that a terminal acts on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsonnx.certificate import ABSTAIN, AbstainReason
from rsonnx.counts import Counts
from rsonnx.report import (
    Figures,
    Gain,
    Heading,
    Samples,
    Settings,
    Summary,
    dataset_statements,
    fraction_down,
    printable,
)
from rsonnx.report import render as render_figures
from rsonnx.runs import Row

SETTINGS = Settings(0.001, "clopper-pearson", "one-sided")
HEADING = Heading(
    model="tiny.onnx",
    noise="gaussian sigma = 0.5",
    sigma=0.5,
    within="at every point closer than the input's radius in the l2 norm",
    units="input values between 0 and 1",
    norm="l2",
    n=100_000,
    arithmetic="exact",
    status="complete",
    settings=SETTINGS,
)
SUMMARY = Summary(
    inputs=1500,
    labelled=True,
    standard_accuracy=Fraction(2, 3),
    radii=(0.0, 0.5, 1.25),
    certified_accuracy=(Fraction(9999, 10000), Fraction(29, 100), Fraction(0)),
    certified_share=(Fraction(1), Fraction(1, 2), Fraction(0)),
    acr=0.69999,
    abstentions={"wrong-guess": 2, "loose-bound": 1},
    samples=Samples(Fraction(100), Fraction(100_000)),
)


def render(runs: list[tuple[Heading, Summary]], rows: Sequence[Row] = ()) -> str:
    """The table, with the statements of ``rows``, or of one unlabelled row."""
    rows = rows or [make(0, label=None)]
    return render_figures(
        [
            Figures(
                heading,
                summary,
                dataset_statements(
                    rows,
                    summary.radii,
                    alpha=heading.settings.alpha,
                    family_wise=heading.settings.family_wise,
                ),
            )
            for heading, summary in runs
        ]
    )


def make(index: int, *, label: int | None = 1, radius: float = 0.5, **changed: Any) -> Row:
    """A certified row of class 1; a radius of 0 abstains."""
    row = Row(
        index=index,
        name=str(index),
        digest=str(index),
        label=label,
        base_prediction=1,
        prediction=1 if radius else ABSTAIN,
        top_class=1,
        selection=Counts([0, 10]),
        estimation=Counts([0, 90]),
        p_a_lower=0.5,
        radius=radius,
        reason=None if radius else AbstainReason.LOOSE_BOUND,
        explanation=None if radius else "why",
        arithmetic="exact",
        seconds=0.0,
    )
    return replace(row, **changed)


UNLABELLED = replace(
    SUMMARY, labelled=False, standard_accuracy=None, certified_accuracy=None, acr=None
)


def test_the_figures_are_rounded_down() -> None:
    head, line = render([(HEADING, SUMMARY)]).splitlines()[:2]
    assert head.split() == ["model", "sigma", "inputs", "standard", "ACR", "r=0", "r=0.5", "r=1.25"]
    assert line.split() == ["tiny.onnx", "0.5", "1,500", "66.6", "0.6999", "99.9", "29.0", "0.0"]


def test_the_notes_say_what_the_figures_are() -> None:
    text = render([(HEADING, SUMMARY)])
    assert "l2 radius in input values between 0 and 1" in text
    assert "n = 100,000, alpha = 0.001 an input, exact noise" in text
    assert "abstentions: 3 of 1500 (2 wrong-guess, 1 loose-bound)" in text
    assert "Intervals are rounded outward, all other figures down." in text
    assert "this run is" not in text


def test_unlabelled_rows_show_no_accuracy() -> None:
    text = render([(HEADING, UNLABELLED)])
    assert text.splitlines()[1].split() == ["tiny.onnx", "0.5", "1,500", *"?????"]
    assert "accuracy, certified accuracy and ACR are unknown" in text
    right_or_wrong = "certified, right or wrong: 100.0 at 0, 50.0 at 0.5, 0.0 at 1.25"
    assert right_or_wrong in _statements(text)


@pytest.mark.parametrize("status", ["incomplete", "interrupted", "failed"])
def test_a_run_that_did_not_end_well_says_so(status: str) -> None:
    text = render([(replace(HEADING, status=status), SUMMARY)])
    assert f"this run is {status}: the figures are of the 1500 inputs that it holds" in text


def test_several_runs_share_a_table_and_have_their_own_notes() -> None:
    other = replace(HEADING, model="a-much-longer-name.onnx", sigma=0.25, status="interrupted")
    lines = render([(HEADING, SUMMARY), (other, UNLABELLED)]).splitlines()
    assert lines[1].startswith("tiny.onnx ")
    assert lines[2].startswith("a-much-longer-name.onnx  ")
    assert len({len(line) for line in lines[:3]}) == 1
    notes = "\n".join(lines[3:])
    assert notes.index("tiny.onnx: l2") < notes.index("a-much-longer-name.onnx: l2")
    assert notes.count("this run is interrupted") == 1


def test_a_radius_in_the_head_is_never_shortened() -> None:
    radii = (0.1234567, 0.30000000000000004, 1.9999999)
    head = render([(HEADING, replace(SUMMARY, radii=radii))]).splitlines()[0]
    assert tuple(float(cell[2:]) for cell in head.split()[5:]) == radii


@pytest.mark.parametrize("field", ["model", "units", "norm", "arithmetic", "bound", "radius_rule"])
def test_what_a_stranger_wrote_cannot_reach_the_terminal(field: str) -> None:
    stranger = {field: "\x1b[2J\rx\x07\u202e\udc80\n"}
    if field in ("bound", "radius_rule"):
        settings = replace(SETTINGS, **stranger)
        heading = replace(HEADING, settings=settings, restated_from=settings)
    else:
        heading = replace(HEADING, **stranger)
    text = render([(heading, SUMMARY)])
    assert "\\x1b[2J\\x0dx\\x07\\x202e\\xdc80\\x0a" in text
    assert all(c.isprintable() for c in text.replace("\n", ""))
    assert text.encode("utf-8")


@given(st.text())
def test_printable_is_printable(text: str) -> None:
    found = printable(text)
    assert found.isprintable()
    assert printable(found) == found
    assert found == text or not text.isprintable()


def _statements(text: str) -> str:
    """The notes of a table, each on one line."""
    return text.replace("\n    ", " ")


def test_samples_of_a_fixed_and_of_an_adaptive_run() -> None:
    assert "samples: 100,100 an input on average (100 + 100,000)" in render([(HEADING, SUMMARY)])
    adaptive = replace(HEADING, target_radii=(0.5, 1.25))
    drawn = replace(SUMMARY, samples=Samples(Fraction(25, 2), Fraction(9001, 8)))
    text = _statements(render([(adaptive, drawn)]))
    assert "n = at most 100,000" in text
    # 12.5 + 1125.125 = 1137.625, and 1e5/1137.625 = 87.9...
    assert "1,137.6 an input on average (12.5 + 1,125.1); n = 100,000 is 87.9 times as many" in text
    assert "sampling stopped once the radii were decided, so ACR understates" in text
    assert "elsewhere than at 0.5, 1.25" in text
    assert "sampling stopped" not in render([(HEADING, SUMMARY)])


def test_the_gain_of_the_two_sided_radius() -> None:
    gain = Gain(Fraction(3, 4), Fraction(5, 8), Fraction(2, 3), Fraction(1, 8))
    text = _statements(render([(HEADING, replace(SUMMARY, gain=gain))]))
    assert (
        "the two-sided radius is larger than the one-sided for 66.6 % of inputs, smaller for "
        "12.5 %; ACR 0.7500 against 0.6250 (+20.0 %)" in text
    )
    worse = replace(gain, acr=Fraction(1, 2))
    assert "(-20.0 %)" in _statements(render([(HEADING, replace(SUMMARY, gain=worse))]))
    unlabelled = replace(gain, acr=None, one_sided_acr=None)
    text = _statements(render([(HEADING, replace(SUMMARY, gain=unlabelled))]))
    assert "smaller for 12.5 %\n" in text
    nothing = replace(gain, acr=Fraction(0), one_sided_acr=Fraction(0))
    text = _statements(render([(HEADING, replace(SUMMARY, gain=nothing))]))
    assert "ACR 0.0000 against 0.0000\n" in text


def test_the_statements_stand_below_the_table_with_their_assumptions() -> None:
    rows = [make(k, radius=0.5 if k < 14 else 0.0) for k in range(20)]
    text = _statements(render([(HEADING, SUMMARY)], rows))
    # N·alpha = 0.02; P(Bin(20, .001) = 0) = .98; CP at .025 of 14/20; sqrt(ln 40 / 40).
    assert "false certificates [N]: 0.02 expected at most; 95 %: at most 0 of 20\n" in text
    assert (
        "certified accuracy of the population, 95 % at each radius [N, P]: 0: 45.7-88.2, "
        "0.5: 45.7-88.2, 1.25: 0.0-16.9\n" in text
    )
    assert "truly right and robust, at least, 95 % at each radius [N, P]: 0: 49.1, 0.5: 49" in text
    assert "at all radii at once, 95 % [N, P]: +-30.4 points (DKW)" in text
    assert "ACR of the population, 95 % [N, P, many inputs]: 0.25" in text
    assert "(2,000 bootstraps, seed 0)" in text
    assert (
        "Assumed: [N] noise independent between inputs, [P] inputs drawn independently from the "
        "population." in text
    )
    assert "family-wise" not in text
    assert max(map(len, render([(HEADING, SUMMARY)], rows).splitlines())) <= 130
    assert "\xa0" not in text


def test_copies_and_the_family_wise_statement() -> None:
    rows = [make(k, digest=str(k % 3)) for k in range(5)]
    settings = replace(SETTINGS, alpha=0.002, family_wise=0.01)
    text = _statements(render([(replace(HEADING, settings=settings), SUMMARY)], rows))
    assert "2 of the inputs equal others and are false with them" in text
    assert (
        "family-wise [assumes nothing further: the union bound]: none is false with probability "
        "1 - 0.01" in text
    )


def test_a_restated_run_says_so() -> None:
    heading = replace(
        HEADING, settings=Settings(0.01, "hoeffding", "one-sided"), restated_from=SETTINGS
    )
    text = _statements(render([(heading, SUMMARY)]))
    assert (
        "restated at alpha = 0.01 an input, hoeffding, one-sided (sampled for alpha = 0.001 an "
        "input, clopper-pearson, one-sided); holds if chosen without looking at the counts" in text
    )
    same = _statements(render([(replace(HEADING, restated_from=SETTINGS), SUMMARY)]))
    assert "restated at alpha = 0.001 an input" in same
    assert "without looking" not in same
    family = Settings(0.0005, "clopper-pearson", "one-sided", 0.01)
    text = _statements(render([(replace(heading, settings=family), SUMMARY)]))
    assert "restated at alpha = 0.01 for all inputs at once, 0.0005 an input" in text


def test_json_has_the_settings_the_figures_and_the_statements() -> None:
    rows = [make(k) for k in range(4)]
    statements = dataset_statements(rows, SUMMARY.radii, alpha=0.001)
    heading = replace(HEADING, restated_from=SETTINGS, target_radii=(0.5,))
    found = json.loads(json.dumps(Figures(heading, SUMMARY, statements).to_json()))
    assert (found["alpha"], found["bound"], found["radius_rule"]) == (
        0.001,
        "clopper-pearson",
        "one-sided",
    )
    assert (found["family_wise"], found["target_radii"]) == (None, [0.5])
    assert found["restated_from"]["alpha"] == 0.001
    assert found["samples"]["mean"] == 100_100
    assert found["samples"]["n_over_mean"] == fraction_down(Fraction(100_000, 100_100))
    assert found["gain_over_one_sided"] is None
    assert set(found["statements"]) == {
        *("level", "false_certificates", "family_wise", "copies"),
        *("certified_accuracy", "certified_accuracy_band", "acr", "population_unknown"),
        *("classes_in_sample", "classes_in_data"),
    }
    for name in ("false_certificates", "certified_accuracy", "certified_accuracy_band", "acr"):
        assert "independent" in found["statements"][name]["assumes"]
