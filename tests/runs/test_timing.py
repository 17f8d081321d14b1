"""What a run that takes long is told it would take by other rules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rsonnx.listener import Listener
from rsonnx.runs import certify, timing
from rsonnx.runtime import OnnxClassifier

DATA = (np.linspace(0, 1, 6)[:, None, None, None] * np.ones((6, 1, 8, 8)), np.arange(6))
FEW: dict[str, Any] = {"sigma": 0.25, "n": 200, "seed": 4}


class Hears(Listener):
    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []

    def said(self, topic: str, text: str) -> None:
        self.heard.append((topic, text))

    def of(self, topic: str) -> list[str]:
        return [text for heard, text in self.heard if heard == topic]


def heard_of(classifier: OnnxClassifier, **rules: Any) -> tuple[Hears, list[Any]]:
    listener = Hears()
    run = certify(classifier, DATA, listener=listener, **(FEW | rules))
    return listener, [row.estimation for row in run.rows]


def test_a_long_run_names_what_costs_less_and_counts_the_same(
    classifier: OnnxClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    short, rows = heard_of(classifier)
    assert not short.of("time") + short.of("instead")
    monkeypatch.setattr(timing, "LONG_SECONDS", 1e-9)
    monkeypatch.setattr(timing, "MEASURE_SECONDS", 0.02)
    monkeypatch.setattr(timing, "PILOT_SECONDS", 0.02)
    long, same = heard_of(classifier)
    assert same == rows
    (time,) = long.of("time")
    assert "1,800 samples" in time
    options = ["--adaptive", "--target-radius", "--precision", "--n 20"]
    for text, option in zip(long.of("instead"), options, strict=True):
        assert text.startswith(option)
    # An adaptive run has decided already, and rules that do not go together are not offered.
    assert not heard_of(classifier, adaptive=True)[0].of("time")
    two_sided = heard_of(classifier, radius="two-sided")[0].of("instead")
    assert [text.split(":")[0] for text in two_sided] == ["--n 20"]
    assert not any("--n" in text for text in heard_of(classifier, n=20)[0].of("instead"))
