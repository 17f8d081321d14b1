"""`rsonnx report --alpha --bound --radius`: restated tables, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rsonnx.certificate import AdaptiveSamples, FixedSamples
from rsonnx.cli import run
from rsonnx.counts import Counts
from rsonnx.noise import Gaussian
from rsonnx.runs import Row, RunWriter
from rsonnx.statistics import family_wise_alpha

NOISE = Gaussian(0.5)
HEADER: dict[str, Any] = {
    "kind": "header",
    "format": "rsonnx-run",
    "format_version": 1,
    "model": {"file": "tiny.onnx"},
    "data": {"inputs": 4, "size": 4},
    "noise": {"sigma": 0.5, "units": "unit values", "norm": "l2", "arithmetic": "exact"}
    | {"distribution": "gaussian"},
    "family_wise": None,
}
HITS = (990, 900, 700, 500)
RANDOMISED = "randomized-clopper-pearson"
RULES: dict[str, FixedSamples | AdaptiveSamples] = {
    "fixed": FixedSamples(NOISE, 1000, 0.001, num_classes=10),
    "two": FixedSamples(NOISE, 1000, 0.001, radius="two-sided", num_classes=10),
    "randomised": FixedSamples(NOISE, 1000, 0.001, RANDOMISED, num_classes=10),
    "family": FixedSamples(NOISE, 1000, family_wise_alpha(0.004, 4), num_classes=10),
    "adaptive": AdaptiveSamples(NOISE, 1000, 0.001, (0.25, 0.5)),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run by each rule over the same four inputs."""
    here = tmp_path_factory.mktemp("runs")
    for name, rule in RULES.items():
        header = HEADER | rule.to_json() | {"largest_radius": rule.largest_radius}
        if name == "family":
            header["family_wise"] = 0.004
        with RunWriter(here / f"{name}.jsonl", header) as writer:
            for index, hits in enumerate(HITS):
                selection = Counts([0, 1, 0, 99])
                estimation = Counts([1000 - hits - 4, 1, 1, hits, 2])
                found = (
                    rule.certify(selection, estimation, (hits, 1000))
                    if isinstance(rule, AdaptiveSamples)
                    else rule.certify(selection, estimation, 0.3)
                )
                row = Row.of(found, index=index, name="x", label=3, base_prediction=3, seconds=0)
                writer.write(row)
    return here


@pytest.fixture
def report(runs: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def call(*arguments: str) -> tuple[int, str, str]:
        names = [str(runs / f"{a}.jsonl") if a in RULES else a for a in arguments]
        before = {path: path.read_bytes() for path in runs.iterdir()}
        code = run(["report", *names])
        assert {path: path.read_bytes() for path in runs.iterdir()} == before
        out, err = capsys.readouterr()
        return code, out.replace("\n    ", " "), err

    return call


@pytest.mark.parametrize("name", RULES)
def test_its_own_settings_change_nothing_but_the_note(
    name: str, report: Callable[..., Any]
) -> None:
    rule = RULES[name]
    settings = rule.to_json()
    alpha = 0.004 if name == "family" else settings["alpha"]
    own = ("--alpha", repr(alpha), "--bound", settings["bound"])
    code, out, err = report(name, *own, "--radius", settings["radius_rule"])
    _, plain, _ = report(name)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    (note,) = (line for line in lines if line.startswith("  restated"))
    lines.remove(note)
    assert lines == plain.splitlines()
    assert note.startswith("  restated at alpha = 0.00")


def test_a_restated_table(report: Callable[..., Any], runs: Path) -> None:
    code, out, err = report("fixed", "--alpha", "0.01", "--radius", "two-sided", "--radii", "0,0.5")
    assert (code, err) == (0, "")
    assert "alpha = 0.01 an input, exact noise; clopper-pearson, two-sided" in out
    assert (
        "restated at alpha = 0.01 an input, clopper-pearson, two-sided (sampled for alpha = 0.001 "
        "an input, clopper-pearson, one-sided); holds if chosen without looking" in out
    )
    assert "the two-sided radius is larger than the one-sided for" in out
    assert "the two-sided" not in report("fixed")[1]


def test_restated_json(report: Callable[..., Any]) -> None:
    code, out, _ = report(
        *("fixed", "two", "--json", "--radii", "0,0.25,1"),
        *("--bound", "chernoff-kl", "--radius", "one-sided"),
    )
    assert code == 0
    one, two = json.loads(out)
    assert (one["bound"], one["radius_rule"], one["alpha"]) == ("chernoff-kl", "one-sided", 0.001)
    assert one["restated_from"]["radius_rule"] == "one-sided"
    assert two["restated_from"]["radius_rule"] == "two-sided"
    same = ("acr", "certified_accuracy", "statements", "samples")
    assert all(one[name] == two[name] for name in same)
    (before,) = json.loads(report("fixed", "--json")[1])
    assert before["restated_from"] is None
    assert one["acr"] < before["acr"]
    rule = FixedSamples(NOISE, 1000, 0.001, "chernoff-kl")
    radii = [rule.certify(Counts([0, 0, 0, 100]), Counts([1000 - h, 0, 0, h])).radius for h in HITS]
    assert one["acr"] == pytest.approx(sum(radii) / 4, rel=1e-12)


def test_a_smaller_alpha_gives_smaller_radii(report: Callable[..., Any]) -> None:
    acr = [
        json.loads(report("fixed", "--json", "--alpha", alpha)[1])[0]["acr"]
        for alpha in ("0.1", "0.001", "0.00001")
    ]
    assert acr == sorted(acr, reverse=True)
    assert len(set(acr)) == 3


def test_a_family_wise_run_is_restated_for_all_inputs_together(report: Callable[..., Any]) -> None:
    code, out, _ = report("family", "--alpha", "0.02")
    assert code == 0
    assert "restated at alpha = 0.02 for all inputs at once, 0.005 an input" in out
    assert "(sampled for alpha = 0.004 for all inputs at once, 0.001 an input" in out
    assert "none is false with probability 1 - 0.02" in out
    (found,) = json.loads(report("family", "--alpha", "0.02", "--json")[1])
    assert found["family_wise"] == found["statements"]["family_wise"]["alpha"] == 0.02
    assert found["alpha"] == family_wise_alpha(0.02, 4)


def test_an_adaptive_run_is_shown_at_its_targets(report: Callable[..., Any]) -> None:
    _, out, _ = report("adaptive")
    assert out.split()[5:8] == ["r=0", "r=0.25", "r=0.5"]
    assert "sampling stopped once the radii were decided, so ACR understates" in out
    assert "n = 1,000 is 0.9 times as many" in out  # these ran to the ceiling, and selected
    _, both, _ = report("adaptive", "fixed")
    assert "r=0.75" in both.splitlines()[0]
    assert "alpha = 0.001 an input, exact noise; e-process, one-sided" in both


REFUSED: dict[str, tuple[tuple[str, ...], int, str]] = {
    "adaptive alpha": (("adaptive", "--alpha", "0.01"), 2, "is adaptive: its sampling stopped"),
    "adaptive bound": (("adaptive", "--bound", "hoeffding"), 2, "at bound = hoeffding"),
    "adaptive radius": (("adaptive", "--radius", "two-sided"), 2, "radius rule = two-sided"),
    "one of two": (("fixed", "adaptive", "--alpha", "0.01"), 2, "adaptive.jsonl is adaptive"),
    "unsound": (("fixed", "--bound", "wilson"), 2, "cannot give a certificate: it is asymptotic"),
    "unknown": (("fixed", "--bound", "chernof"), 2, "the bound is 'chernof'"),
    "uniform": (("fixed", "--bound", RANDOMISED), 2, "records no uniform number"),
    "two bounds": (("two", "--bound", "hoeffding"), 2, "rests on the clopper-pearson bound"),
    "alpha": (("fixed", "--alpha", "1.5"), 2, "alpha is 1.5"),
    "alpha text": (("fixed", "--alpha", "x"), 2, "'x'"),
    "radius": (("fixed", "--radius", "both"), 2, "'both'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_counts_cannot_support_is_refused(name: str, report: Callable[..., Any]) -> None:
    arguments, code, words = REFUSED[name]
    found, out, err = report(*arguments)
    assert (found, out) == (code, "")
    (line,) = (line for line in err.splitlines() if line.startswith("Error: "))
    assert words in line
    assert "has a bug" not in err


def test_a_run_file_whose_rows_contradict_its_header(
    report: Callable[..., Any], runs: Path, tmp_path: Path
) -> None:
    lines = (runs / "fixed.jsonl").read_text().splitlines()
    header = json.loads(lines[0]) | {"n": 999}
    path = tmp_path / "changed.jsonl"
    path.write_text("\n".join([json.dumps(header), *lines[1:], ""]))
    code, out, err = report(str(path), "--alpha", "0.01")
    assert (code, out) == (1, "")
    assert "changed.jsonl, input 0: it has 1,000 estimation samples, but n = 999" in err
