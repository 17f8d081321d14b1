"""plan for every noise: radii against the law's own, exact counting, and what the shape decides."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from noise_cli_models import make_shelf

from rsonnx.cli import run
from rsonnx.noise import (
    Ablation,
    Columns,
    ExponentialLinf,
    Flips,
    Laplace,
    SampledNoise,
    Splitting,
    norm_named,
)
from rsonnx.statistics import largest_bound

Plan = Callable[..., dict[str, Any]]

SAMPLED: list[tuple[tuple[str, ...], SampledNoise]] = [
    (("--noise", "laplace", "--lambda", "0.5"), Laplace(0.5)),
    (
        ("--noise", "laplace", "--lambda", "0.5", "--norm", "linf", "--input-shape", "1,28,28"),
        Laplace(0.5, "linf", 784),
    ),
    (
        ("--noise", "exp-linf", "--lambda", "0.5", "--norm", "linf", "--input-shape", "12"),
        ExponentialLinf(0.5, "linf", 12),
    ),
    (
        ("--noise", "ablation,keep=45", "--input-shape", "2,28,28"),
        Ablation(45, 1, "NCHW", "l0", 784),
    ),
    (
        ("--noise", "ablation,keep=45", "--input-shape", "32,32,6"),
        Ablation(45, 3, "NHWC", "l0", 3072),
    ),
    (("--noise", "flips,keep=0.5,values=4", "--input-shape", "16"), Flips(0.5, 4, "l0", 16)),
]


@pytest.fixture
def plan(capsys: pytest.CaptureFixture[str]) -> Plan:
    def call(*words: str) -> dict[str, Any]:
        assert run(["plan", *words, "--json"]) == 0, capsys.readouterr().err
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    return call


@pytest.mark.parametrize(("options", "law"), SAMPLED)
def test_radii_are_those_of_the_law(
    options: tuple[str, ...], law: SampledNoise, plan: Plan
) -> None:
    found = plan(*options, "--n", "5000")
    assert found["noise"]["parameters"] == {**law.parameters}
    assert found["largest_radius"] == law.radius(largest_bound(5000, 0.001)) > 0
    assert [row["true_radius"] for row in found["table"]] == [
        law.radius(row["p"]) for row in found["table"]
    ]
    whole = norm_named(law.norm).whole
    assert all(float(r).is_integer() for r in found["radii"]) or not whole
    for row in found["table"]:
        chances = row["chances"]
        assert chances == sorted(chances, reverse=True)
        # A radius of 0 is certified by a majority alone; 5,000 samples see 0.6 for sure.
        assert chances[0] > 0.99 or row["p"] < 0.6


@pytest.mark.parametrize(("options", "law"), SAMPLED)
def test_the_smallest_n_of_a_target(
    options: tuple[str, ...], law: SampledNoise, plan: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    target = 2.0 if law.norm == "l0" else law.radius(0.8)
    found = plan(*options, "--target-radius", repr(target))
    least = found["target"]["smallest_n"]
    assert law.radius(largest_bound(least, 0.001)) >= target
    assert law.radius(largest_bound(least - 1, 0.001)) < target
    assert law.radius(found["target"]["probability"]) >= target
    assert found["table"][-1]["adaptive_chance"] > 0.9
    refused = ["plan", *options, "--target-radius", repr(target), "--n", str(least - 1)]
    assert run(refused) == 2
    err = capsys.readouterr().err
    assert f"needs n = {least:,}" in err or "can never certify" in err


def test_noise_that_is_counted_in_full(plan: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    found = plan("--noise", "columns,width=4", "--input-shape", "2,28,28")
    law = Columns(4, "NCHW")
    assert (found["evaluations"], found["n"], found["alpha"]) == (28, 28, 0)
    assert found["largest_radius"] == law.radius_within(14) == 11
    assert found["noise"]["parameters"] == law.parameters
    found = plan("--noise", "splitting,seed=3", "--lambda", "2")
    assert found["evaluations"] == Splitting(2.0).levels == 1020
    assert found["largest_radius"] == Splitting(2.0).radius_within(510)
    assert found["noise"]["parameters"]["seed"] == 3
    assert run(["plan", "--noise", "blocks,width=2", "--input-shape", "28,28,2"]) == 0
    out = capsys.readouterr().out
    assert "changes of an input  784" in out
    assert "largest radius       18 (all answers agree)" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--noise", "columns,width=4"), "give --input-shape"),
        (("--noise", "laplace", "--sigma", "1", "--norm", "linf", "--n", "99"), "--input-shape"),
        (("--noise", "splitting", "--lambda", "2", "--n", "100"), "--n was given"),
        (("--noise", "splitting", "--lambda", "2", "--alpha", "0.1"), "--alpha was given"),
        (("--noise", "splitting", "--lambda", "2", "--target-radius", "1"), "--target-radius was"),
        (("--noise", "splitting", "--lambda", "0.301"), "whole number"),
        (("--noise", "blocks,width=4", "--input-shape", "28,28"), "three axes"),
        (("--noise", "blocks,width=4", "--input-shape", "2,28,2"), "2 or 6 values"),
        (("--noise", "blocks,width=4", "--input-shape", "2,0,28"), "at least 1"),
        (("--noise", "blocks,width=4", "--input-shape", "x"), "--input-shape is 'x'"),
        (("--noise", "laplace", "--n", "99"), "sigma or lambda"),
        (("--noise", "laplace", "--sigma", "1"), "nothing to plan"),
        (("--noise", "uniform", "--lambda", "1", "--target-radius", "1"), "out of reach"),
        (
            ("--noise", "ablation,keep=45", "--input-shape", "2,28,28", "--target-radius", "12"),
            "out of reach",
        ),
    ],
)
def test_bad_input_is_one_sentence(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["plan", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Error: ")
    assert said in err
    assert err.count("\n") == 1


def test_a_model_tells_the_shape(
    tmp_path: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(make_shelf(tmp_path))
    with_model = ("--model", "pair.onnx", "--data", "grey.npz", "--providers", "cpu")
    monkeypatch.setattr("rsonnx.cli.timing.MEASURE_SECONDS", 0.05)
    monkeypatch.setattr("rsonnx.cli.timing.PILOT_SECONDS", 0.2)
    found = plan("--noise", "columns,width=2", *with_model)
    assert found["evaluations"] == 8
    assert found["machine"]["fixed"]["samples_per_input"] == 8
    found = plan("--noise", "ablation,keep=5", "--target-radius", "3", *with_model)
    assert found["noise"]["parameters"]["size"] == 64
    assert found["machine"]["adaptive"]["samples_per_input"] > 0
