"""Gates: exact, for every run, and never met by a run that is not complete or not labelled."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reported import changed_header, figures, named, row

from rsonnx.errors import UsageError
from rsonnx.report import failures, parse_gate

WRONG = {"base_prediction": 2, "prediction": 2}
RUN = figures([row(0, 1.0), row(1, 0.5), row(2, 0.25), row(3, -1.0), row(4, 0.7, **WRONG)])


@pytest.mark.parametrize(
    ("text", "met"),
    [
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
def test_a_gate_is_met_exactly(text: str, met: bool) -> None:
    assert (failures([parse_gate(text)], [named("run.jsonl", RUN)]) is None) is met


@given(st.lists(st.sampled_from((-1.0, 0.25, 0.5)), min_size=1, max_size=9), st.integers(0, 9))
def test_a_gate_follows_the_definition(radii: list[float], tenths: int) -> None:
    gate = parse_gate(f"acc@0.5=0.{tenths}")
    met = Fraction(sum(r >= 0.5 for r in radii), len(radii)) >= Fraction(tenths, 10)
    assert (failures([gate], [figures(radii)]) is None) is met


def test_every_run_must_meet_every_gate() -> None:
    gates = [parse_gate("acc@0.5=0.5"), parse_gate("acr=0.2")]
    runs = [figures([1.0, 0.5]), named("b\x1b.jsonl", figures([0.5, 0.0625, 0.0]))]
    assert failures(gates, runs[:1]) is None
    assert failures(gates, runs) == (
        "acc@0.5=0.5 is not met: b\\x1b.jsonl has acc@0.5 = 33.3 %; "
        "acr=0.2 is not met: b\\x1b.jsonl has acr = 0.1875"
    )


@pytest.mark.parametrize("status", ["incomplete", "interrupted", "failed", "shard 1/4"])
def test_a_run_that_is_not_complete_meets_nothing(status: str) -> None:
    late = replace(RUN, status=status)
    found = failures([parse_gate("acr=0")], [named("run.jsonl", late)])
    assert found == f"acr=0 is not met: run.jsonl is {status}, not complete"


def test_a_run_that_is_not_labelled_meets_nothing() -> None:
    bare = figures([row(0, 1.0), row(1, 1.0, label=None)])
    found = failures([parse_gate("acc@0=0")], [named("run.jsonl", bare)])
    assert found == "acc@0=0 is not met: run.jsonl has inputs without a label"


def test_an_adaptive_run_meets_what_it_decided_alone() -> None:
    run = replace(RUN, header=changed_header(target_radii=(0.5, 0.75)))
    met = [parse_gate(text) for text in ("acc@0.5=0.4", "acc@0.75=0.2", "standard=0.8")]
    assert failures(met, [named("run.jsonl", run)]) is None
    for text in ("acc@0=0", "acc@0.25=0.1", "acc@0.6=0", "acr=0"):
        assert failures([parse_gate(text)], [named("run.jsonl", run)]) == (
            f"{text} is not met: run.jsonl is adaptive and decided certified accuracy at 0.5, 0.75 "
            "alone"
        )


@pytest.mark.parametrize(
    "text",
    [
        *("", "acc", "acc=0.5", "acc@0.5", "acc@0.5=60", "acc@=1", "acr=-1", "acr=nan", "acr=1e3"),
        *("standard=1.0001", "acc@-1=0.5", "acc@0.5>=0.5", "ACC@0.5=0.6", "acc@0.5=0.6,acr=1"),
        *("acc@inf=0.1", f"acc@{'9' * 400}=0.5", "acr=1_0", "acr=\u0661"),
        *("acc@0.5=0.6 0", "acc@0. 5=0.6", "a cr=1", f"acr={'9' * 5000}", f"acr=.{'9' * 5000}"),
    ],
)
def test_what_is_no_gate_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--fail-under is"):
        parse_gate(text)
