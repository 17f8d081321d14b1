"""``rsonnx certify``: streams, the run file, certificates that follow from it, and ends."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Outcome, done, refused, rows_of
from onnx_models import build, linear, node, save

from rsonnx import certify_from_counts
from rsonnx.runs import read_run

SMALL = ("--sigma", "0.25", "--n", "1000", "--providers", "cpu", "--seed", "7")
GOOD = ("certify", "tiny.onnx", "set", *SMALL)
Command = Callable[..., Outcome]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("out")


@pytest.fixture(scope="module")
def first(rsonnx: Command, workshop: Path, out: Path) -> Outcome:
    return rsonnx(*GOOD, "-o", out / "first.jsonl", cwd=workshop)


def test_the_answer_is_on_stdout_and_what_it_rests_on_on_stderr(first: Outcome) -> None:
    assert first.code == 0
    assert first.out.splitlines()[1].split()[:4] == ["tiny.onnx", "0.25", "20", "100.0"]
    topics = {line.split()[0]: line for line in first.err.splitlines()}
    for topic, facts in {
        "model": ("tiny.onnx", "10 classes", "1x8x8"),
        "inputs": ("20 of 20",),
        "provider": ("CPUExecutionProvider",),
        "noise": ("sigma = 0.25", "63.75 of 255 levels", "exact"),
        "seed": (" 7 ",),
        "samples": ("n0 = 100", "n = 1,000", "alpha = 0.001"),
        "clean": ("20 of 20",),
    }.items():
        assert all(fact in topics[topic] for fact in facts), topics[topic]
    most = certify_from_counts([100], [1000], sigma=0.25).radius
    printed = float(topics["samples"].split()[-1])
    assert printed <= most < printed + 1e-4
    assert "warning" not in topics


def test_the_run_file_holds_every_input_and_how_it_was_asked_for(first: Outcome, out: Path) -> None:
    run = read_run(out / "first.jsonl")
    assert run.status == "complete"
    assert [row.index for row in run.rows] == list(range(20))
    assert [row.label for row in run.rows] == [k // 2 for k in range(20)]
    assert run.rows[3].name == "1/edge.png"
    assert all((row.selection.total, row.estimation.total) == (100, 1000) for row in run.rows)
    # Centres are answered right; the edges between two classes are what abstentions are for.
    assert all(row.prediction in (row.label, -1) for row in run.rows)
    assert any(row.abstained for row in run.rows)
    assert run.header.record["arguments"]["given"][:3] == ["certify", "tiny.onnx", "set"]
    assert run.header.record["arguments"]["resolved"]["n"] == 1000


@pytest.mark.parametrize("further", [(), ("--batch-size", "3"), ("--workers", "3")])
def test_the_same_seed_gives_the_same_rows_and_table(
    further: tuple[str, ...], first: Outcome, out: Path, here: Path
) -> None:
    assert done(*GOOD, *further, "-o", "again.jsonl").out == first.out
    assert rows_of(here / "again.jsonl") == rows_of(out / "first.jsonl")


RULES: dict[str, tuple[str, ...]] = {
    "one-sided": (),
    "two-sided": ("--radius", "two-sided"),
    "randomised": ("--bound", "randomized-clopper-pearson"),
    "family-wise": ("--family-wise", "--alpha", "0.05", "--radius", "two-sided"),
    "one target": ("--target-radius", "0.25"),
    "adaptive": ("--adaptive",),
}


@pytest.fixture(scope="module")
def by_rule(workshop: Path, out: Path) -> dict[str, Any]:
    """A run by each rule over the same inputs, all with the same seed."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(workshop)
        for name, options in RULES.items():
            done(*GOOD, *options, "-o", out / f"{name}.jsonl")
            found[name] = read_run(out / f"{name}.jsonl")
    return found


@pytest.mark.parametrize("name", RULES)
def test_every_certificate_follows_from_its_row(name: str, by_rule: dict[str, Any]) -> None:
    run = by_rule[name]
    again = done("verify", run.path, "--json").json()
    assert (again["rows"], again["derived"], again["faults"]) == (20, 20, [])
    two_sided, adaptive = name in ("two-sided", "family-wise"), name in ("one target", "adaptive")
    for row in run.rows:
        assert (row.p_b_upper is not None) is (row.one_sided_radius is not None) is two_sided
        assert (row.uniform is not None) is (name == "randomised")
        assert (row.claim is not None) is adaptive
        assert row.samples <= 1100
        assert adaptive or row.samples == 1100
        assert row.radius <= run.header.record["largest_radius"]
        if name == "one-sided":
            derived = certify_from_counts(row.selection, row.estimation, sigma=0.25)
            assert derived.radius.hex() == row.radius.hex()
            assert derived.p_a_lower.hex() == row.p_a_lower.hex()
    assert any(not row.abstained for row in run.rows)
    assert (run.header.record["family_wise"] is not None) is (name == "family-wise")


def test_what_a_rule_is_for(by_rule: dict[str, Any]) -> None:
    assert by_rule["family-wise"].header.record["alpha"] <= 0.05 / 20
    assert by_rule["one target"].header.record["target_radii"] == [0.25]
    assert len({row.uniform for row in by_rule["randomised"].rows}) > 1
    fixed, target = by_rule["one-sided"], by_rule["one target"]
    assert sum(row.samples for row in target.rows) < sum(row.samples for row in fixed.rows) / 3
    for one, other in zip(fixed.rows, target.rows, strict=True):
        if one.radius >= 0.3:  # well beyond the target, where the two rules agree
            assert other.radius >= 0.25


def test_answers_of_no_class_and_inputs_without_labels(here: Path) -> None:
    said = done("certify", "fragile.onnx", "plain", *SMALL, "--json", "-o", "run.jsonl")
    black = read_run(here / "run.jsonl").rows[0]
    assert (black.base_prediction, black.abstained) == (-1, True)
    assert black.estimation.no_class > 300
    assert black.estimation.total == 1000
    (found,) = said.json()
    assert (found["labelled"], found["acr"], found["certified_accuracy"]) == (False, None, None)
    assert found["inputs"] == 6
    assert 0 < found["certified_share"][0] < 1


def test_infinite_bounds_can_be_written(here: Path) -> None:
    bounds = ("--bounds", "-inf", "inf", "-o", "run.jsonl")
    assert "float arithmetic" in done("certify", "tiny.onnx", "floats.npz", *SMALL, *bounds).err
    header = read_run(here / "run.jsonl").header.record
    assert header["arguments"]["resolved"]["bounds"] == ["-inf", "inf"]


def test_what_a_certificate_rests_on_is_recorded_and_replayed(here: Path) -> None:
    for name, option in (("own", "--quiet"), ("shared", "--share-noise"), ("half", "--float16")):
        done(*GOOD, option, "-o", f"{name}.jsonl")
        with_model = ("--model", "tiny.onnx", "--data", "set", "--replay", 3)
        done("verify", f"{name}.jsonl", *with_model)
    names = ("own", "shared", "half")
    own, shared, half = (read_run(f"{name}.jsonl").header.record for name in names)
    assert (own["noise"]["shared"], shared["noise"]["shared"]) == (False, True)
    assert half["model"]["float16"]["sha256"] != half["model"]["sha256"]
    assert rows_of(here / "own.jsonl") != rows_of(here / "shared.jsonl")


def test_quiet_prints_the_result_and_nothing_else(first: Outcome, here: Path) -> None:
    quiet = done(*GOOD, "--quiet", "-o", "run.jsonl")
    assert (quiet.out, quiet.err) == (first.out, "")
    refused(*GOOD, "--quiet", "-o", "run.jsonl", named="run.jsonl")


@pytest.mark.skipif(sys.platform == "win32", reason="limits on file sizes are POSIX")
def test_a_full_disk_in_the_middle_keeps_the_rows_before_it(here: Path) -> None:
    script = (
        "import resource, sys; from rsonnx.cli import main; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000)); main()"
    )
    words = [sys.executable, "-c", script, *GOOD, "-o", "run.jsonl"]
    ended = subprocess.run(words, capture_output=True, check=False, text=True, timeout=120)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert "run.jsonl" in ended.stderr.splitlines()[-1]
    run = read_run(here / "run.jsonl")
    assert run.status == "incomplete"
    assert 0 < len(run.rows) < 20


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals to one process are POSIX")
def test_a_signal_that_is_ignored_stays_ignored(here: Path) -> None:
    script = (
        "import itertools, os, signal, threading, time; from rsonnx.cli import main; "
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "send = lambda: [(time.sleep(.05), os.kill(os.getpid(), 15)) for _ in itertools.count()]; "
        "threading.Thread(target=send, daemon=True).start(); main()"
    )
    words = [sys.executable, "-c", script, *GOOD, "-o", "run.jsonl"]
    ended = subprocess.run(words, capture_output=True, check=False, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert read_run(here / "run.jsonl").status == "complete"


@pytest.mark.parametrize(
    "words",
    [
        GOOD,
        ("predict", *GOOD[1:]),
        ("preview", *GOOD[1:3], *SMALL[:2], *SMALL[4:], "-o", "a.png"),
        ("plan", "--sigma", "1", "--providers", "cpu", "--model", "tiny.onnx", "--data", "set"),
        ("inspect", "tiny.onnx", "set", "--providers", "cpu"),
    ],
    ids=lambda words: words[0],
)
def test_a_model_is_tried_in_a_child_first(
    words: tuple[str, ...], here: Path, children: list[str]
) -> None:
    done(*words)
    assert "tiny.onnx" in children[0]


def _points(weight: float, bias: float, x: np.ndarray, folder: Path) -> tuple[str, ...]:
    """A model of class 1 where the weighted sum of six values is above a number, and inputs."""
    weights = {
        "w": np.stack([np.zeros(6), np.full(6, weight)], axis=1).astype(np.float32),
        "b": np.array([bias, 0.0], np.float32),
    }
    save(build([node("Gemm", ["x", "w", "b"], "scores")], ("n", 6), ("n", 2), weights), folder)
    np.savez(folder / "points.npz", x=x[:, None].repeat(6, axis=1).astype(np.float32))
    return ("certify", "model.onnx", "points.npz", "--preprocess", "none", "--sigma", "0.1")


@pytest.mark.parametrize(
    ("weight", "bias", "values", "warned"),
    [
        (1.0, 99.0, (0.1, 0.3, 0.6, 0.9), "class 0"),
        (0.0, 0.0, (0.1, 0.3, 0.6, 0.9), "tie"),
        # Noise is a class of its own to many good models: class 1 needs values of almost 1.
        (1.0, 5.7, (0.2, 0.99, 0.2, 0.99), ""),
    ],
)
def test_a_model_that_cannot_tell_inputs_apart_is_named(
    weight: float, bias: float, values: tuple[float, ...], warned: str, here: Path
) -> None:
    words = _points(weight, bias, np.array(values), here)
    said = done(*words, "--n", "100", "--seed", "1").err.splitlines()
    warnings = [line for line in said if line.startswith("warning")]
    assert sum(warned in line for line in warnings) == 1 if warned else True
    assert bool(warned) or not any("class" in line for line in warnings)


NAMES = ["red", "green", "blue"]
PREDICT = ("predict", "model.onnx", "x.npz", "--preprocess", "none", "--sigma", "0.1", "--n", "50")
PREDICT += ("--providers", "cpu", "--seed", "1")


@pytest.fixture
def points(here: Path) -> Path:
    x = np.random.default_rng(0).random((3, 4)).astype(np.float32)
    np.savez(here / "x.npz", x=x, y=np.arange(3))
    return here


def test_classes_are_named(points: Path) -> None:
    save(linear(("n", 4), 3, metadata={"names": json.dumps(NAMES)}), points)
    rows = [line.split("\t") for line in done(*PREDICT).out.splitlines()]
    assert [row[1] for row in rows] == NAMES
    assert {row[2] for row in rows} <= {*NAMES, "-1"}
    for line in done(*PREDICT, "--json").lines():
        assert line["label_name"] == NAMES[line["label"]]
        named = NAMES[line["prediction"]] if line["prediction"] >= 0 else None
        assert line["prediction_name"] == named
    save(linear(("n", 4), 3, metadata={"names": "['a', 'b']"}), points)
    said = done(*PREDICT)
    assert "'names'" in said.err
    assert said.out.split("\t")[1] == "0"


def test_what_a_model_answers_is_said(points: Path) -> None:
    zero = [node("Sub", ["x", "x"], "zeros"), node("Div", ["zeros", "zeros"], "scores")]
    save(build(zero, ("n", 4), ("n", 4)), points)
    assert "8 of 8" in done(*PREDICT).err
    save(linear(("n", 4), 3), points)
    assert "of 8" not in done(*PREDICT).err
    sigmoids = [node("Sigmoid", ["x"], "findings")]
    save(build(sigmoids, ("n", 4), ("n", 4), output_name="findings"), points)
    refused(*PREDICT, code=4, named="--output-name findings")
    insisted = ("certify", *PREDICT[1:], "--n0", "5", "--output-name", "findings")
    assert "sigmoids" in done(*insisted, "-o", "run.jsonl").err
    assert "sigmoids" in read_run(points / "run.jsonl").header.record["model"]["insisted"]
