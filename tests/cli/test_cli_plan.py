"""``plan``: radii, samples and chances against formulas written out here, for every noise."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from commands import done, refused
from scipy import stats

from rsonnx.noise import (
    Ablation,
    Columns,
    ExponentialLinf,
    Flips,
    Gaussian,
    Laplace,
    SampledNoise,
    Splitting,
    norm_named,
)
from rsonnx.procedures import Adaptive
from rsonnx.statistics import Verdict, align_looks, largest_bound

TARGET = "--sigma 0.5 --target-radius 0.5"
P0 = stats.norm.cdf(1.0)


def plan(words: str) -> dict[str, Any]:
    outcome = done(f"plan {words} --json")
    assert outcome.err == "" or "--model" in words
    found: dict[str, Any] = outcome.json()
    return found


@pytest.mark.parametrize("n", [10, 100, 10_000, 10**9])
@pytest.mark.parametrize("alpha", [0.001, 1e-6])
def test_the_largest_radius(n: int, alpha: float) -> None:
    n = max(n, math.ceil(math.log(alpha, 0.5)) + 1)
    found = plan(f"--sigma 0.25 --alpha {alpha!r} --n {n}")
    with mpmath.workdps(40):
        bound = mpmath.mpf(alpha) ** (mpmath.mpf(1) / n)
        exact = mpmath.sqrt(2) * mpmath.erfinv(2 * bound - 1) / 4
        assert found["largest_radius"] <= exact
        assert found["largest_radius"] == pytest.approx(float(exact), rel=2e-3)
    assert (found["n"], found["target"], found["machine"]) == (n, None, None)
    assert found["radii"][0] == 0
    assert found["radii"][-1] <= found["largest_radius"]


@pytest.mark.parametrize("radius", [0.01, 0.5, 1.0, 1.9])
@pytest.mark.parametrize("alpha", [0.001, 0.05])
def test_the_smallest_n(radius: float, alpha: float) -> None:
    words = f"--sigma 0.5 --target-radius {radius!r} --alpha {alpha!r}"
    target = plan(words)["target"]
    with mpmath.workdps(40):
        p0 = mpmath.ncdf(mpmath.mpf(radius) / mpmath.mpf(0.5))
        exact = mpmath.log(alpha) / mpmath.log(p0)
        final = mpmath.log(alpha * 0.7) / mpmath.log(p0)  # 0.3 of alpha is the e-process's
        assert target["probability"] >= p0
        assert target["probability"] == pytest.approx(float(p0), abs=1e-12)
    least = target["smallest_n"]
    assert (least, target["smallest_ceiling"]) == (math.ceil(exact), math.ceil(final))
    assert plan(f"{words} --n {least}")["largest_radius"] >= radius
    refused(f"plan {words} --n {least - 1}", named=f"{least:,}")


def least_hits(n: int, p0: float, alpha: float) -> int:
    start = math.floor(n * p0)
    return next(k for k in range(start, n + 1) if stats.binom.sf(k - 1, n, p0) <= alpha)


def test_chances_of_fixed_samples() -> None:
    found = plan("--sigma 0.5 --n 2000 --alpha 0.01")
    for i, radius in enumerate(found["radii"]):
        k = least_hits(2000, stats.norm.cdf(radius / 0.5), 0.01)
        for row in found["table"]:
            exact = stats.binom.sf(k - 1, 2000, row["p"])
            assert row["chances"][i] == pytest.approx(exact, rel=1e-9, abs=1e-15)
            assert 0 <= row["chances"][i] <= 1
    for row in found["table"]:
        assert row["true_radius"] == pytest.approx(0.5 * stats.norm.ppf(row["p"]), rel=1e-12)
        assert row["adaptive_chance"] is row["adaptive_samples"] is None


def test_chances_and_samples_for_a_target() -> None:
    found = plan(f"{TARGET} --n 5000")
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
def test_adaptive_sampling_against_simulation(p: float) -> None:
    row = next(row for row in plan(f"{TARGET} --n 2000")["table"] if row["p"] == p)
    rule = Adaptive(Gaussian(0.5), 100, 2000, 0.001, (0.5,)).rule
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


def test_ceilings_that_are_too_low_and_those_that_are_raised() -> None:
    found = plan("--sigma 0.5 --target-radius 2.3")
    target, last = found["target"], found["table"][-1]
    assert target["smallest_n"] > 100_000
    assert found["n"] == 10 * target["smallest_ceiling"]
    assert found["table"][-2]["p"] <= target["probability"] < last["p"] == 0.999999
    assert last["chances"][0] > 0.9
    low = plan(f"{TARGET} --n 41")
    assert low["target"]["smallest_n"] <= 41 < low["target"]["smallest_ceiling"]
    assert all(row["adaptive_samples"] is None for row in low["table"])
    assert "too low a ceiling" in done(f"plan {TARGET} --n 41").out


def test_the_text_is_the_json_rounded_safely() -> None:
    found, out = plan(f"{TARGET} --n 5000"), done(f"plan {TARGET} --n 5000").out
    lines = [line.split() for line in out.splitlines()]
    assert "1.4965" in out
    assert 1.4965 <= found["largest_radius"] < 1.49657201
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


SAMPLED: list[tuple[str, SampledNoise]] = [
    ("laplace --lambda 0.5", Laplace(0.5)),
    ("laplace --lambda 0.5 --norm linf --input-shape 1,28,28", Laplace(0.5, "linf", 784)),
    ("exp-linf --lambda 0.5 --norm linf --input-shape 12", ExponentialLinf(0.5, "linf", 12)),
    ("ablation,keep=45 --input-shape 2,28,28", Ablation(45, 1, "NCHW", "l0", 784)),
    ("ablation,keep=45 --input-shape 32,32,6", Ablation(45, 3, "NHWC", "l0", 3072)),
    ("flips,keep=0.5,values=4 --input-shape 16", Flips(0.5, 4, "l0", 16)),
]


@pytest.mark.parametrize(("options", "law"), SAMPLED)
def test_radii_and_samples_are_those_of_the_law(options: str, law: SampledNoise) -> None:
    found = plan(f"--noise {options} --n 5000")
    assert found["noise"]["parameters"] == {**law.parameters}
    assert found["largest_radius"] == law.radius(largest_bound(5000, 0.001)) > 0
    assert all(float(r).is_integer() for r in found["radii"]) or not norm_named(law.norm).whole
    for row in found["table"]:
        assert row["true_radius"] == law.radius(row["p"])
        assert row["chances"] == sorted(row["chances"], reverse=True)
        # A radius of 0 is certified by a majority alone; 5,000 samples see 0.6 for sure.
        assert row["chances"][0] > 0.99 or row["p"] < 0.6
    aim = 2.0 if law.norm == "l0" else law.radius(0.8)
    found = plan(f"--noise {options} --target-radius {aim!r}")
    least = found["target"]["smallest_n"]
    assert law.radius(largest_bound(least, 0.001)) >= aim
    assert law.radius(largest_bound(least - 1, 0.001)) < aim
    assert law.radius(found["target"]["probability"]) >= aim
    assert found["table"][-1]["adaptive_chance"] > 0.9
    refused(f"plan --noise {options} --target-radius {aim!r} --n {least - 1}")


def test_noise_that_is_counted_in_full() -> None:
    found = plan("--noise columns,width=4 --input-shape 2,28,28")
    law = Columns(4, "NCHW")
    assert (found["evaluations"], found["n"], found["alpha"]) == (28, 28, 0)
    assert found["largest_radius"] == law.radius_within(14) == 11
    assert found["noise"]["parameters"] == law.parameters
    found = plan("--noise splitting,seed=3 --lambda 2")
    assert found["evaluations"] == Splitting(2.0).levels == 1020
    assert found["largest_radius"] == Splitting(2.0).radius_within(510)
    assert found["noise"]["parameters"]["seed"] == 3
    assert "784" in done("plan --noise blocks,width=2 --input-shape 28,28,2").out


def test_a_model_tells_the_time_and_the_shape(here: Path) -> None:
    found = plan(
        "--sigma 0.1 --target-radius 0.05 --n 1000 --providers cpu --limit 7 --seed 1 "
        "--model tiny.onnx --data set"
    )
    machine = found["machine"]
    rate = machine["samples_per_second"]
    assert rate > 0
    assert (machine["provider"], machine["inputs"]) == ("CPUExecutionProvider", 7)
    fixed, adaptive = machine["fixed"], machine["adaptive"]
    assert fixed["samples_per_input"] == 1100
    assert fixed["seconds_per_input"] == pytest.approx(1100 / rate)
    assert fixed["seconds"] == pytest.approx(7 * fixed["seconds_per_input"])
    assert 1 <= adaptive["inputs_tried"] <= 7
    assert 32 < adaptive["samples_per_input"] <= 1100
    assert adaptive["seconds"] == pytest.approx(7 * adaptive["seconds_per_input"])
    paired = "--model pair.onnx --data grey.npz --providers cpu"
    found = plan(f"--noise columns,width=2 {paired}")
    assert found["evaluations"] == found["machine"]["fixed"]["samples_per_input"] == 8
    found = plan(f"--noise ablation,keep=5 --target-radius 3 {paired}")
    assert found["noise"]["parameters"]["size"] == 64
    assert found["machine"]["adaptive"]["samples_per_input"] > 0
