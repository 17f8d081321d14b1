"""``rsonnx doctor`` on machines that are made up."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest

from rsonnx.cli import run
from rsonnx.runtime.machine import Card, Driver, Machine

Say = Callable[..., str]

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
def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    def say(machine: Machine, *arguments: str) -> str:
        monkeypatch.setattr(sys.modules["rsonnx.runtime.machine"], "this_machine", lambda: machine)
        assert run(["doctor", *arguments]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        return out

    return say


def test_a_problem_stands_above_what_mends_it(said: Say) -> None:
    lines = said(ILL).splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("problem: the driver"))
    assert "CUDA up to 12.4" in lines[at]
    assert lines[at + 1].startswith("   mend: install driver 580 or later")
    assert "CPUExecutionProvider: works" in lines


def test_names_of_strangers_are_escaped(said: Say) -> None:
    out = said(ILL)
    assert "\x1b" not in out
    assert "card             H\\x1b[31m200, compute capability 9.0, driver 550.54" in out


def test_json_has_the_machine_and_the_findings(said: Say) -> None:
    found = json.loads(said(ILL, "--json"))
    assert found["cuda"]["driver"] == {"cuda": 12040, "status": 0, "devices": 1}
    assert [set(f) for f in found["findings"]] == [{"problem", "mend"}]
    assert found["providers"]["CPUExecutionProvider"] is None


def test_a_machine_on_which_all_works_has_no_problems(said: Say) -> None:
    assert "problem:" not in said(replace(ILL, problem=None, driver=Driver(13000, 0, 1)))
