"""plan on the command line: text against JSON, and what a model tells."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from noise_cli_models import make_shelf

from rsonnx.cli import run
from rsonnx.noise import NOISES, norm_named
from rsonnx.noise.catalogue import LAWS

TARGET = ("--sigma", "0.5", "--target-radius", "0.5")
Plan = Callable[..., dict[str, Any]]


@pytest.fixture
def text(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def call(*arguments: str) -> str:
        assert run(["plan", *arguments]) == 0, capsys.readouterr().err
        out, err = capsys.readouterr()
        assert err == "" or "--model" in arguments
        return str(out)

    return call


@pytest.fixture
def plan(text: Callable[..., str]) -> Plan:
    def call(*arguments: str) -> dict[str, Any]:
        printed: dict[str, Any] = json.loads(text(*arguments, "--json"))
        return printed

    return call


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rsonnx.runs.timing.MEASURE_SECONDS", 0.05)
    monkeypatch.setattr("rsonnx.runs.timing.PILOT_SECONDS", 0.2)


def test_the_text_is_the_json_rounded_safely(plan: Plan, text: Callable[..., str]) -> None:
    planned, out = plan(*TARGET, "--n", "5000"), text(*TARGET, "--n", "5000")
    assert planned["noise"]["parameters"]["sigma"] == planned["sigma"] == 0.5
    assert (planned["n"], planned["alpha"], planned["machine"]) == (5000, 0.001, None)
    lines = [line.split() for line in out.splitlines()]
    assert lines[2][:7] == ["largest", "radius", "of", "n", "=", "5,000", "1.4965"]
    assert 1.4965 <= planned["largest_radius"] < 1.49657201
    assert lines[4][:5] == ["smallest", "n", "for", "it", str(planned["target"]["smallest_n"])]
    start = next(i for i, line in enumerate(lines) if line[:1] == ["p"]) + 1
    for row, line in zip(planned["table"], lines[start:], strict=False):  # notes come behind
        p, radius, fixed, enough, adaptive, samples = line
        assert float(p) == row["p"]
        assert 0 <= row["true_radius"] - float(radius) < 1e-4
        assert 0 <= 100 * row["chances"][0] - float(fixed) < 0.1 + 1e-12
        assert 0 <= 100 * row["adaptive_chance"] - float(adaptive) < 0.1 + 1e-12
        assert 0 <= int(samples.replace(",", "")) - row["adaptive_samples"] < 1
        wanted = row["samples_for_chance"]
        assert enough == ("-" if wanted is None else f"{wanted:,}")


def test_the_text_without_a_target_or_with_a_ceiling_too_low_for_it(
    text: Callable[..., str],
) -> None:
    out = text("--sigma", "1", "--n", "500")
    assert "largest radius of n = 500  2.2051" in out
    head = ["p", "true", "radius", "r=0", "r=0.25", "r=0.5", "r=0.75", "r=1"]
    assert [*head, "r=1.25", "r=1.5", "r=1.75", "r=2"] in map(str.split, out.splitlines())
    assert "adaptive %" not in text(*TARGET, "--n", "41")


BEHIND = {
    "brightness-contrast": ",contrast=0.1",
    "brightness-blur": ",blur=1,blur_lambda=2",
    "contrast-blur": ",blur=1,blur_lambda=2",
    "brightness-translation": ",shift=1,sigma_shift=2",
    "contrast-translation": ",shift=1,sigma_shift=2",
    "power-linf": ",a=200",
    "columns": ",width=2",
    "blocks": ",width=2",
    "ablation": ",keep=5",
    "flips": ",keep=0.9,values=4",
    "sparse-flips": ",p_plus=0.01,p_minus=0.3",
}

BOUND = sorted(
    NOISES.keys() - {"gaussian-per-feature"} - {n for n, law in NOISES.items() if law.covered}
)


@pytest.mark.parametrize("name", BOUND)
def test_a_plan_says_what_its_radii_measure(name: str, text: Callable[..., str]) -> None:
    law = NOISES[name]
    more = [word for scale in law.scales()[:1] for word in (f"--{scale}", "2")]
    more += [] if law.enumerated else ["--n", "100"]
    shape = "1,8,8" if name in LAWS["Images"] else "2,8,8"
    for norm in law.norms:
        asked = ("--noise", name + BEHIND.get(name, ""), "--norm", norm, "--input-shape", shape)
        measure = norm_named(norm)
        said = measure.measure.rstrip(",") if measure.unit else f"{norm} radii"
        assert said in text(*asked, *more).splitlines()[0]


def test_noise_that_is_counted_in_full(plan: Plan, text: Callable[..., str]) -> None:
    planned = plan("--noise", "splitting,seed=3", "--lambda", "2")
    assert planned["evaluations"] == planned["n"] == 1020
    assert (planned["noise"]["parameters"]["seed"], planned["table"]) == (3, [])
    blocks = text("--noise", "blocks,width=2", "--input-shape", "28,28,2").splitlines()
    assert [line.split()[-2:] for line in blocks if line.startswith("changes")] == [["it", "takes"]]
    assert any(line.startswith("changes of an input") and " 784," in line for line in blocks)


def test_a_model_tells_the_shape_and_the_time(
    tmp_path: Path, plan: Plan, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(make_shelf(tmp_path))
    with_model = ("--model", "pair.onnx", "--data", "grey.npz", "--providers", "cpu")
    planned = plan("--noise", "columns,width=2", *with_model)
    assert planned["evaluations"] == planned["machine"]["fixed"]["samples_per_input"] == 8
    planned = plan("--noise", "ablation,keep=5", "--target-radius", "3", *with_model)
    assert planned["noise"]["parameters"]["size"] == 64
    assert planned["machine"]["adaptive"]["samples_per_input"] > 0


def test_noise_that_is_certified_by_several_images(
    tmp_path: Path, plan: Plan, quick: None, text: Callable[..., str], monkeypatch: Any
) -> None:
    """Of shifts their number is known; of an interval a model and data tell it."""
    shifts = plan("--shifts", "3", "--sigma", "0.5")
    assert (shifts["largest_radius"], shifts["fewest_samples"]) == (3, 100 + 29 * 32)
    assert "29" in text("--shifts", "3", "--sigma", "0.5").split()
    turned = ("--angles", "-5,5", "--sigma", "0.5", "--n", "300")
    assert plan(*turned)["fewest_samples"] is None
    assert "--model" in text(*turned)
    monkeypatch.chdir(make_shelf(tmp_path))
    model = ("--model", "image.onnx", "--data", "grey.npz", "--providers", "cpu")
    machine = plan(*turned, *model)["machine"]
    assert machine["images"] >= 1
    assert machine["adaptive"]["samples_per_input"] >= 100 + 32
    assert "images and about" in text(*turned, *model)
    assert run(["plan", *turned, "--target-radius", "3"]) == 2


def test_what_no_shape_decides_asks_for_none(text: Callable[..., str]) -> None:
    assert "0.5" in text("--noise", "blur", "--lambda", "2", "--target-radius", "0.5")


def test_time_on_this_machine(
    workshop: Path, quick: None, plan: Plan, text: Callable[..., str]
) -> None:
    model = ("--model", str(workshop / "tiny.onnx"), "--data", str(workshop / "set"))
    planned = plan(
        *("--sigma", "0.1", "--target-radius", "0.05", "--n", "1000", "--providers", "cpu"),
        *("--limit", "7", "--seed", "1", *model),
    )
    machine = planned["machine"]
    rate = machine["samples_per_second"]
    assert rate > 0
    assert (machine["provider"], machine["inputs"]) == ("CPUExecutionProvider", 7)
    assert machine["batch_size"] == 128
    fixed, adaptive = machine["fixed"], machine["adaptive"]
    assert fixed["samples_per_input"] == 1100
    assert fixed["seconds_per_input"] == pytest.approx(1100 / rate)
    assert fixed["seconds"] == pytest.approx(7 * fixed["seconds_per_input"])
    assert 1 <= adaptive["inputs_tried"] <= 7
    assert 32 < adaptive["samples_per_input"] <= 1100
    assert adaptive["seconds_per_input"] >= adaptive["samples_per_input"] / rate
    assert adaptive["seconds"] == pytest.approx(7 * adaptive["seconds_per_input"])
    assert "fixed, 100,100 samples: " in text("--sigma", "0.25", "--providers", "cpu", *model)
