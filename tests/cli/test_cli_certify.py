"""`rsonnx certify` from outside: streams, exit codes, and a run file to derive again."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rsonnx import certify_from_counts
from rsonnx.certificate import AdaptiveSamples, Certificate, FixedSamples
from rsonnx.cli import run as run_here
from rsonnx.noise import Gaussian
from rsonnx.runs import Row, Run, read_run

SMALL = ("--sigma", "0.25", "--n", "1000", "--providers", "cpu")
Command = Callable[..., Any]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("out")


@pytest.fixture(scope="module")
def first(rsonnx: Command, workshop: Path, out: Path) -> Any:
    return rsonnx(
        *("certify", "tiny.onnx", "set", *SMALL, "--seed", "7", "-o", out / "first.jsonl"),
        cwd=workshop,
    )


@pytest.fixture(scope="module")
def fragile(rsonnx: Command, workshop: Path, out: Path) -> Any:
    return rsonnx(
        *("certify", "fragile.onnx", "plain", *SMALL, "--json", "-o", out / "fragile.jsonl"),
        cwd=workshop,
    )


def _rows(path: Path) -> list[dict[str, Any]]:
    return [row.to_json() | {"seconds": 0} for row in read_run(path).rows]


def test_the_table_is_all_of_stdout(first: Any) -> None:
    assert first.code == 0
    lines = first.out.splitlines()
    assert lines[0].split()[:5] == ["model", "sigma", "inputs", "standard", "ACR"]
    assert lines[1].split()[:4] == ["tiny.onnx", "0.25", "20", "100.0"]
    assert lines[-1] == "Intervals are rounded outward, all other figures down."


def test_the_preflight_is_on_stderr(first: Any) -> None:
    topics = {line.split()[0]: line for line in first.err.splitlines()}
    assert "tiny.onnx" in topics["model"]
    assert "10 classes" in topics["model"]
    assert "1x8x8" in topics["model"]
    assert "20 of 20 in set" in topics["inputs"]
    assert "CPUExecutionProvider (asked for: cpu)" in topics["provider"]
    assert "sigma = 0.25 where inputs lie in [0, 1], 63.75 of 255 levels" in topics["noise"]
    assert "exact arithmetic" in topics["noise"]
    assert topics["seed"].endswith("7 (from: argument)")
    assert "n0 = 100, n = 1,000 an input, alpha = 0.001" in topics["samples"]
    most = certify_from_counts([100], [1000], sigma=0.25).radius
    printed = float(topics["samples"].split()[-1])
    assert printed <= most < printed + 1e-4
    assert "20 of 20 labelled inputs" in topics["clean"]
    assert "warning" not in topics


def test_the_run_file_holds_every_input(first: Any, out: Path, workshop: Path) -> None:
    run = read_run(out / "first.jsonl")
    assert run.status == "complete"
    assert [row.index for row in run.rows] == list(range(20))
    assert [row.label for row in run.rows] == [k // 2 for k in range(20)]
    assert run.rows[3].name == "1/edge.png"
    assert all(row.selection.total == 100 for row in run.rows)
    assert all(row.estimation.total == 1000 for row in run.rows)
    # Centres are answered right; the edges between two classes are what abstentions are for.
    assert all(row.prediction in (row.label, -1) for row in run.rows)
    assert any(row.abstained for row in run.rows)
    given = run.header["arguments"]["given"]
    assert given[:3] == ["certify", "tiny.onnx", "set"]
    assert run.header["arguments"]["resolved"]["n"] == 1000
    assert run.header["data"]["inputs"] == 20


RULES: dict[str, tuple[str, ...]] = {
    "one-sided": (),
    "two-sided": ("--radius", "two-sided"),
    "randomised": ("--bound", "randomized-clopper-pearson"),
    "hoeffding": ("--bound", "hoeffding", "--alpha", "0.05"),
    "family-wise": ("--family-wise", "--alpha", "0.05", "--radius", "two-sided"),
    "one target": ("--target-radius", "0.25"),
    "adaptive": ("--adaptive",),
}


@pytest.fixture(scope="module")
def by_rule(workshop: Path, out: Path) -> dict[str, Run]:
    """A run by each rule over the same inputs, all with the same seed."""
    found = {}
    for name, options in RULES.items():
        path = out / f"{name}.jsonl"
        data = (str(workshop / "tiny.onnx"), str(workshop / "set"))
        assert run_here(["certify", *data, *SMALL, *options, "--seed", "7", "-o", str(path)]) == 0
        found[name] = read_run(path)
    return found


def _derived(header: dict[str, Any], row: Row) -> Certificate:
    """The certificate of a row, from its counts and the header alone."""
    noise = Gaussian(header["noise"]["sigma"])
    if header["target_radii"] is not None:
        targets = tuple(header["target_radii"])
        adaptive = AdaptiveSamples(noise, header["n"], header["alpha"], targets)
        assert row.claim is not None
        return adaptive.certify(row.selection, row.estimation, row.claim)
    rule = FixedSamples(
        noise,
        header["n"],
        header["alpha"],
        header["bound"],
        header["radius_rule"],
        header["num_classes"],
    )
    return rule.certify(row.selection, row.estimation, row.uniform)


def _hex(value: float | None) -> str | None:
    return None if value is None else value.hex()


def _derive_all(run: Run) -> None:
    for row in run.rows:
        derived = _derived(run.header, row)
        assert derived.p_a_lower.hex() == row.p_a_lower.hex()
        assert derived.radius.hex() == row.radius.hex()
        assert _hex(derived.p_b_upper) == _hex(row.p_b_upper)
        assert _hex(derived.one_sided_radius) == _hex(row.one_sided_radius)
        assert (derived.uniform, derived.claim) == (row.uniform, row.claim)
        assert (derived.label, derived.top_class) == (row.prediction, row.top_class)
        assert (derived.reason, derived.explanation) == (row.reason, row.explanation)
        assert row.radius <= run.header["largest_radius"]


def test_every_certificate_can_be_derived_again(first: Any, fragile: Any, out: Path) -> None:
    for name in ("first", "fragile"):
        run = read_run(out / f"{name}.jsonl")
        _derive_all(run)
        for row in run.rows:
            derived = certify_from_counts(
                row.selection,
                row.estimation,
                sigma=run.header["noise"]["sigma"],
                alpha=run.header["alpha"],
            )
            assert derived.radius.hex() == row.radius.hex()
            assert derived.p_a_lower.hex() == row.p_a_lower.hex()


@pytest.mark.parametrize("name", RULES)
def test_every_certificate_can_be_derived_again_by_its_rule(
    name: str, by_rule: dict[str, Run]
) -> None:
    run = by_rule[name]
    assert len(run.rows) == 20
    assert any(not row.abstained for row in run.rows)
    _derive_all(run)


def test_rows_record_what_their_rule_needs(by_rule: dict[str, Run]) -> None:
    for name, run in by_rule.items():
        two_sided, randomised = name in ("two-sided", "family-wise"), name == "randomised"
        adaptive = name in ("one target", "adaptive")
        for row in run.rows:
            assert (row.p_b_upper is not None) is two_sided
            assert (row.one_sided_radius is not None) is two_sided
            assert (row.uniform is not None) is randomised
            assert (row.claim is not None) is adaptive
            assert adaptive or row.samples == 1100
            assert row.samples <= 1100
        assert (run.header["family_wise"] is not None) is (name == "family-wise")
    assert by_rule["family-wise"].header["alpha"] <= 0.05 / 20
    assert by_rule["one target"].header["target_radii"] == [0.25]
    uniforms = [row.uniform for row in by_rule["randomised"].rows]
    assert len(set(uniforms)) > 1


def test_adaptive_rows_stop_early_and_decide_the_target(by_rule: dict[str, Run]) -> None:
    fixed, target = by_rule["one-sided"], by_rule["one target"]
    assert sum(row.samples for row in target.rows) < sum(row.samples for row in fixed.rows) / 3
    for one, other in zip(fixed.rows, target.rows, strict=True):
        if one.radius >= 0.3:  # well beyond the target, where the two rules agree
            assert other.radius >= 0.25


def test_answers_that_are_no_class_are_counted_and_never_certified(fragile: Any, out: Path) -> None:
    assert fragile.code == 0
    black = read_run(out / "fragile.jsonl").rows[0]
    assert black.base_prediction == -1
    assert black.estimation.no_class > 300
    assert black.estimation.total == 1000
    assert black.abstained


def test_an_unlabelled_folder_gets_certificates_and_no_accuracy(fragile: Any) -> None:
    assert "clean      unknown: the inputs have no labels" in fragile.err
    (found,) = json.loads(fragile.out)
    assert (found["labelled"], found["acr"], found["certified_accuracy"]) == (False, None, None)
    assert found["inputs"] == 6
    assert 0 < found["certified_share"][0] < 1


@pytest.mark.parametrize("further", [("--seed", "7"), ("--seed", "7", "--batch-size", "3")])
def test_the_same_seed_gives_the_same_rows(
    first: Any, rsonnx: Command, workshop: Path, out: Path, tmp_path: Path, further: tuple[str, ...]
) -> None:
    again = rsonnx(
        "certify", "tiny.onnx", "set", *SMALL, *further, "-o", tmp_path / "again", cwd=workshop
    )
    assert again.code == 0
    assert again.out == first.out
    assert _rows(tmp_path / "again") == _rows(out / "first.jsonl")


def test_infinite_bounds_can_be_written(rsonnx: Command, workshop: Path, tmp_path: Path) -> None:
    done = rsonnx(
        *("certify", "tiny.onnx", "floats.npz", *SMALL, "--bounds", "-inf", "inf"),
        *("-o", tmp_path / "run"),
        cwd=workshop,
    )
    assert done.code == 0
    assert "float arithmetic" in done.err
    assert read_run(tmp_path / "run").header["arguments"]["resolved"]["bounds"] == ["-inf", "inf"]


def test_a_broken_image_is_found_before_the_run(
    rsonnx: Command, workshop: Path, tmp_path: Path
) -> None:
    done = rsonnx("certify", "tiny.onnx", "broken", *SMALL, "-o", tmp_path / "run", cwd=workshop)
    assert done.code == 1
    assert done.out == ""
    last = done.err.splitlines()[-1]
    assert last.startswith("Error: ")
    assert "3.png" in last
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="limits on file sizes are POSIX")
def test_a_full_disk_in_the_middle_keeps_the_rows_before_it(workshop: Path, tmp_path: Path) -> None:
    script = (
        "import resource, sys; from rsonnx.cli import main; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (7500, 7500)); main()"
    )
    done = subprocess.run(
        [
            *(sys.executable, "-c", script, "certify", "tiny.onnx", "set", *SMALL),
            *("-o", str(tmp_path / "run")),
        ],
        cwd=workshop,
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("Error: the output")
    assert "cannot be written: File too large" in last
    run = read_run(tmp_path / "run")
    assert run.status == "incomplete"
    assert f"it holds the first {len(run.rows)} inputs" in last
    assert 0 < len(run.rows) < 20
