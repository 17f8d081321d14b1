"""``rsonnx doctor`` on machines that are made up."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace

import pytest
from commands import Outcome, done

from rsonnx.runtime.machine import Card, Driver, Machine

Say = Callable[..., Outcome]

ILL = Machine(
    system="Linux",
    processor="x86_64",
    wheels={"onnxruntime-gpu": "1.31.1"},
    build="13.0",
    problem="no session",
    on_bus=1,
    container=False,
    device_files=True,
    visible=None,
    driver=Driver(12040, 0, 1),
    cards=(Card("H\x1b[31m200", "550.54", "9.0"),),
    missing=(),
    packages={},
    cupy={"cupy-cuda13x": "14.2.0"},
    cupy_problem=None,
)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Say:
    def say(machine: Machine, *options: str) -> Outcome:
        monkeypatch.setattr(sys.modules["rsonnx.runtime.machine"], "this_machine", lambda: machine)
        outcome = done("doctor", *options)
        assert outcome.err == ""
        return outcome

    return say


def test_a_problem_stands_above_what_mends_it_and_names_are_escaped(said: Say) -> None:
    out = said(ILL).out
    problem, mend = out.index("12.4"), out.index("580")
    assert problem < mend
    assert "CPUExecutionProvider" in out
    assert "H\\x1b[31m200" in out
    assert "\x1b" not in out
    assert "problem" not in said(replace(ILL, problem=None, driver=Driver(13000, 0, 1))).out


def test_json_has_the_machine_and_the_findings(said: Say) -> None:
    found = said(ILL, "--json").json()
    assert found["cuda"]["driver"] == {"cuda": 12040, "status": 0, "devices": 1}
    assert [set(f) for f in found["findings"]] == [{"problem", "mend"}]
    assert found["providers"]["CPUExecutionProvider"] is None
