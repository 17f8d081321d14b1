"""The table as text: what it shows, what it cannot say, and nothing that a terminal acts on."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsonnx.report import Heading, Summary, printable, render

HEADING = Heading(
    model="tiny.onnx",
    sigma=0.5,
    units="input values between 0 and 1",
    norm="l2",
    n=100_000,
    alpha=0.001,
    arithmetic="exact",
    status="complete",
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
)
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
    assert "All figures are rounded down." in text
    assert "this run is" not in text


def test_unlabelled_rows_show_no_accuracy() -> None:
    text = render([(HEADING, UNLABELLED)])
    assert text.splitlines()[1].split() == ["tiny.onnx", "0.5", "1,500", *"?????"]
    assert "accuracy, certified accuracy and ACR are unknown" in text
    assert "certified, right or wrong: 100.0 at 0, 50.0 at 0.5, 0.0 at 1.25" in text


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


@pytest.mark.parametrize("field", ["model", "units", "norm", "arithmetic"])
def test_what_a_stranger_wrote_cannot_reach_the_terminal(field: str) -> None:
    text = render([(replace(HEADING, **{field: "\x1b[2J\rx\x07\u202e\udc80\n"}), SUMMARY)])
    assert "\\x1b[2J\\x0dx\\x07\\x202e\\xdc80\\x0a" in text
    assert all(c.isprintable() for c in text.replace("\n", ""))
    assert text.encode("utf-8")


@given(st.text())
def test_printable_is_printable(text: str) -> None:
    found = printable(text)
    assert found.isprintable()
    assert printable(found) == found
    assert found == text or not text.isprintable()
