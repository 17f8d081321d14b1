"""plan: radii, samples and chances against formulas written out here, times, and bad input."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy import stats

from rsonnx.certificate import AdaptiveSamples
from rsonnx.cli import run
from rsonnx.noise import Gaussian
from rsonnx.statistics import Verdict, align_looks

TARGET = ("--sigma", "0.5", "--target-radius", "0.5")
P0 = stats.norm.cdf(1.0)


@pytest.fixture
def text(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def call(*arguments: str) -> str:
        assert run(["plan", *arguments]) == 0
        out, err = capsys.readouterr()
        assert err == "" or "--model" in arguments
        return str(out)

    return call


@pytest.fixture
def plan(text: Callable[..., str]) -> Callable[..., dict[str, Any]]:
    def call(*arguments: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(text(*arguments, "--json"))
        return found

    return call


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["rsonnx.cli.timing"]
    monkeypatch.setattr(module, "MEASURE_SECONDS", 0.05)
    monkeypatch.setattr(module, "PILOT_SECONDS", 0.2)


@pytest.mark.parametrize("n", [10, 100, 10_000, 100_000, 10**9])
@pytest.mark.parametrize("alpha", [0.001, 1e-6])
def test_the_largest_radius(n: int, alpha: float, plan: Callable[..., dict[str, Any]]) -> None:
    n = max(n, math.ceil(math.log(alpha, 0.5)) + 1)
    found = plan("--sigma", "0.25", "--alpha", repr(alpha), "--n", str(n))
    with mpmath.workdps(40):
        bound = mpmath.mpf(alpha) ** (mpmath.mpf(1) / n)
        exact = mpmath.sqrt(2) * mpmath.erfinv(2 * bound - 1) / 4
        assert found["largest_radius"] <= exact
        assert found["largest_radius"] == pytest.approx(float(exact), rel=2e-3)
    assert (found["n"], found["target"], found["machine"]) == (n, None, None)
    assert found["radii"][0] == 0
    assert found["radii"][-1] <= found["largest_radius"]


@pytest.mark.parametrize("radius", [0.01, 0.25, 0.5, 1.0, 1.5, 1.9])
@pytest.mark.parametrize("alpha", [0.001, 0.05])
def test_the_smallest_n(radius: float, alpha: float, plan: Callable[..., dict[str, Any]]) -> None:
    found = plan("--sigma", "0.5", "--target-radius", repr(radius), "--alpha", repr(alpha))
    target = found["target"]
    with mpmath.workdps(40):
        p0 = mpmath.ncdf(mpmath.mpf(radius) / mpmath.mpf(0.5))
        exact = mpmath.log(alpha) / mpmath.log(p0)
        final = mpmath.log(alpha * 0.7) / mpmath.log(p0)  # 0.3 of alpha is the e-process's
        assert target["probability"] >= p0
        assert target["probability"] == pytest.approx(float(p0), abs=1e-12)
    assert target["smallest_n"] == math.ceil(exact)
    assert target["smallest_ceiling"] == math.ceil(final)
    assert found["radii"] == [radius]
    assert found["n"] == max(100_000, 0 if radius < 1.9 else 10 * target["smallest_ceiling"])


def test_the_smallest_n_is_one_that_the_same_command_accepts(
    plan: Callable[..., dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    least = plan(*TARGET)["target"]["smallest_n"]
    assert plan(*TARGET, "--n", str(least))["largest_radius"] >= 0.5
    assert run(["plan", *TARGET, "--n", str(least - 1)]) == 2
    err = capsys.readouterr().err
    assert f"needs n = {least}" in err
    assert "above 0.4924, the largest that n = 39 samples" in err


def least_hits(n: int, p0: float, alpha: float) -> int:
    return next(
        k for k in range(math.floor(n * p0), n + 1) if stats.binom.sf(k - 1, n, p0) <= alpha
    )


def test_chances_of_fixed_samples(plan: Callable[..., dict[str, Any]]) -> None:
    found = plan("--sigma", "0.5", "--n", "2000", "--alpha", "0.01")
    for i, radius in enumerate(found["radii"]):
        k = least_hits(2000, stats.norm.cdf(radius / 0.5), 0.01)
        for row in found["table"]:
            exact = stats.binom.sf(k - 1, 2000, row["p"])
            assert row["chances"][i] == pytest.approx(exact, rel=1e-9, abs=1e-15)
            assert 0 <= row["chances"][i] <= 1
    for row in found["table"]:
        assert row["true_radius"] == pytest.approx(0.5 * stats.norm.ppf(row["p"]), rel=1e-12)
        assert row["adaptive_chance"] is row["adaptive_samples"] is None


def test_chances_and_samples_for_a_target(plan: Callable[..., dict[str, Any]]) -> None:
    found = plan(*TARGET, "--n", "5000")
    assert [row["p"] for row in found["table"]][::15] == [0.55, 0.9999]
    k = least_hits(5000, P0, 0.001)
    for row in found["table"]:
        p, n = row["p"], row["samples_for_chance"]
        assert row["chances"] == [pytest.approx(stats.binom.sf(k - 1, 5000, p), abs=1e-12)]
        assert (n is None) is bool(p < P0)
        if n is not None:
            assert stats.binom.sf(least_hits(n, P0, 0.001) - 1, n, p) >= 0.9
        assert 0 <= row["adaptive_chance"] <= 1
        assert 16 <= row["adaptive_samples"] <= 5000
    assert found["table"][-1]["adaptive_samples"] < 100


@pytest.mark.parametrize("p", [0.8, 0.9, 0.95])
def test_adaptive_sampling_against_simulation(
    p: float, plan: Callable[..., dict[str, Any]]
) -> None:
    row = next(row for row in plan(*TARGET, "--n", "2000")["table"] if row["p"] == p)
    rule = AdaptiveSamples(Gaussian(0.5), 2000, 0.001, (0.5,)).rule
    generator = np.random.default_rng(1)
    runs = 300
    samples, certified = np.zeros(runs), 0
    for i in range(runs):
        decision, drawn = rule.start(), generator.random(2000) < p
        for look in align_looks(rule.looks, 32):
            samples[i] = look
            if decision.update(int(drawn[:look].sum()), look) is not Verdict.CONTINUE:
                break
        certified += decision.verdict is Verdict.CERTIFIED
    error = samples.std() / math.sqrt(runs)
    assert row["adaptive_samples"] == pytest.approx(samples.mean(), abs=4 * error + 1)
    assert row["adaptive_chance"] == pytest.approx(certified / runs, abs=0.05)


def test_a_far_target_raises_the_ceiling_and_adds_nines(
    plan: Callable[..., dict[str, Any]],
) -> None:
    found = plan("--sigma", "0.5", "--target-radius", "2.3")
    target = found["target"]
    assert target["smallest_n"] > 100_000
    assert found["n"] == 10 * target["smallest_ceiling"]
    last, before = found["table"][-1]["p"], found["table"][-2]["p"]
    assert before <= target["probability"] < last == 0.999999
    assert found["table"][-1]["chances"][0] > 0.9


def test_a_ceiling_between_fixed_and_adaptive(
    plan: Callable[..., dict[str, Any]], text: Callable[..., str]
) -> None:
    found = plan(*TARGET, "--n", "41")
    assert found["target"]["smallest_n"] <= 41 < found["target"]["smallest_ceiling"]
    assert all(row["adaptive_samples"] is None for row in found["table"])
    out = text(*TARGET, "--n", "41")
    assert "n = 41 is too low a ceiling" in out
    assert "adaptive %" not in out


def test_the_text_is_the_json_rounded_safely(
    plan: Callable[..., dict[str, Any]], text: Callable[..., str]
) -> None:
    found, out = plan(*TARGET, "--n", "5000"), text(*TARGET, "--n", "5000")
    lines = [line.split() for line in out.splitlines()]
    assert lines[2][:7] == ["largest", "radius", "of", "n", "=", "5,000", "1.4965"]
    assert 1.4965 <= found["largest_radius"] < 1.49657201
    assert lines[4][:5] == ["smallest", "n", "for", "it", "40"]
    start = next(i for i, line in enumerate(lines) if line[:1] == ["p"]) + 1
    for line, row in zip(lines[start:], found["table"], strict=True):
        p, radius, fixed, enough, adaptive, samples = line
        assert float(p) == row["p"]
        assert 0 <= row["true_radius"] - float(radius) < 1e-4
        assert 0 <= 100 * row["chances"][0] - float(fixed) < 0.1 + 1e-12
        assert 0 <= 100 * row["adaptive_chance"] - float(adaptive) < 0.1 + 1e-12
        assert 0 <= int(samples.replace(",", "")) - row["adaptive_samples"] < 1
        wanted = row["samples_for_chance"]
        assert enough == ("-" if wanted is None else f"{wanted:,}")


def test_the_text_without_a_target(text: Callable[..., str]) -> None:
    lines = text("--sigma", "1", "--n", "500").splitlines()
    assert lines[2] == "largest radius of n = 500  2.2051 (all samples agree)"
    assert lines[5].split() == [
        *("p", "true", "radius", "r=0", "r=0.25", "r=0.5", "r=0.75", "r=1"),
        *("r=1.25", "r=1.5", "r=1.75", "r=2"),
    ]
    assert len({len(line) for line in lines[5:]}) == 1


def test_time_on_this_machine(
    workshop: Path, quick: None, plan: Callable[..., dict[str, Any]]
) -> None:
    model = ("--model", str(workshop / "tiny.onnx"), "--data", str(workshop / "set"))
    found = plan(
        *("--sigma", "0.1", "--target-radius", "0.05", "--n", "1000", "--providers", "cpu"),
        *("--limit", "7", "--seed", "1", *model),
    )
    machine = found["machine"]
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


def test_a_model_alone_gives_the_time_of_a_fixed_run(
    rsonnx: Callable[..., Any], workshop: Path
) -> None:
    done = rsonnx(
        *("plan", "--sigma", "0.25", "--model", "tiny.onnx", "--data", "set"),
        *("--providers", "cpu"),
        cwd=workshop,
    )
    assert done.code == 0
    assert "largest radius of n = 100,000" in done.out
    assert "samples/s on the first input (CPUExecutionProvider, batches of 128)" in done.out
    assert "fixed, 100,100 samples: " in done.out
    assert " for 20 inputs" in done.out
    assert "adaptive: give --target-radius" in done.out
    assert done.err.startswith("model      tiny.onnx")
    assert "samples/s" not in done.err


def model_with(*arguments: str, model: str = "tiny.onnx", data: str = "set") -> tuple[str, ...]:
    return ("--sigma", "0.5", "--providers", "cpu", "--model", model, "--data", data, *arguments)


BAD: dict[str, tuple[tuple[str, ...], int, tuple[str, ...]]] = {
    "nothing": (("--sigma", "0.5"), 2, ("nothing to plan", "--n, --target-radius")),
    "no sigma": (("--n", "100"), 2, ("--sigma",)),
    "sigma 0": (("--sigma", "0", "--n", "100"), 2, ("sigma is 0.0",)),
    "sigma nan": (("--sigma", "nan", "--n", "100"), 2, ("sigma is nan",)),
    "alpha 0": ((*TARGET, "--alpha", "0"), 2, ("alpha is 0.0",)),
    "alpha 1": ((*TARGET, "--alpha", "1"), 2, ("alpha is 1.0",)),
    "n 0": (("--sigma", "0.5", "--n", "0"), 2, ("n is 0", "at least 1")),
    "n 9": (("--sigma", "0.5", "--n", "9"), 2, ("never certify", "is 10")),
    "n huge": (("--sigma", "0.5", "--n", "9" * 20), 2, ("at most 1,000,000,000,000",)),
    "n no number": (("--sigma", "0.5", "--n", "1e5"), 2, ("'1e5'",)),
    "radius 0": (("--sigma", "0.5", "--target-radius", "0"), 2, ("is 0.0", "above 0")),
    "radius -1": (("--sigma", "0.5", "--target-radius", "-1"), 2, ("is -1.0",)),
    "radius nan": (("--sigma", "0.5", "--target-radius", "nan"), 2, ("is nan",)),
    "radius inf": (("--sigma", "0.5", "--target-radius", "inf"), 2, ("is inf",)),
    "radius too far": (
        ("--sigma", "0.5", "--target-radius", "2", "--n", "100000"),
        2,
        ("the target radius 2.0 is above 1.9057", "needs n = 218,105"),
    ),
    "radius out of reach": (
        ("--sigma", "0.5", "--target-radius", "9"),
        2,
        ("out of reach of any number", "reach at most 3.29"),
    ),
    "radius at 1": (("--sigma", "1e-300", "--target-radius", "1e300"), 2, ("out of reach",)),
    "model alone": (("--sigma", "1", "--model", "x.onnx"), 2, ("--model is given without --data",)),
    "data alone": (("--sigma", "1", "--data", "x"), 2, ("--data is given without --model",)),
    "limit": (("--sigma", "1", "--n", "99", "--limit", "3"), 2, ("--limit has no effect",)),
    "seed": ((*TARGET, "--seed", "3"), 2, ("--seed has no effect without a model",)),
    "classes": ((*TARGET, "--classes", "c.txt"), 2, ("--classes has no effect",)),
    "bounds": ((*TARGET, "--bounds", "0", "1"), 2, ("--bounds has no effect",)),
    "missing model": (model_with(model="no.onnx"), 2, ("no.onnx does not exist",)),
    "missing data": (model_with(data="nowhere"), 2, ("nowhere does not exist",)),
    "bad model": (model_with(model="text.onnx"), 4, ("text.onnx is not an ONNX model",)),
    "provider": (model_with("--providers", "gpu"), 2, ("'gpu' is not known",)),
    "negative seed": (model_with("--seed", "-1"), 2, ("seed is -1",)),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_sentence(
    name: str,
    workshop: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(workshop)
    arguments, code, words = BAD[name]
    assert run(["plan", *arguments]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1].startswith("Error: ")
    assert all(word in err for word in words), err
    assert "has a bug" not in err


def test_the_examples_of_the_help_work(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    workshop: Path,
    quick: None,
) -> None:
    monkeypatch.chdir(workshop)
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["plan", "-h"]) == 0
    text = capsys.readouterr().out
    assert "Example:\n    rsonnx plan" in text
    examples = [line.split()[1:] for line in text.splitlines() if line.startswith("    rsonnx ")]
    starts = ["Gaussian noise of sigma = 0.5, alpha = 0.001"] * 3
    starts.append("Columns noise of width 4, counted in full and without chance")
    names = {"mnist.onnx": "tiny.onnx", "images/": "set"}
    for example, start in zip(examples, starts, strict=True):
        cpu = ["--providers", "cpu"] if "--model" in example else []
        assert run([names.get(word, word) for word in example] + cpu) == 0
        assert capsys.readouterr().out.startswith(start)
