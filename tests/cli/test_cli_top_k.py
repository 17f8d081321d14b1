"""`rsonnx report --top-k`: its table and JSON, and what has no such figures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rsonnx.certificate import AdaptiveSamples, FixedSamples
from rsonnx.certificate.top_k import certify_top_k
from rsonnx.cli import run
from rsonnx.counts import Counts
from rsonnx.noise import Gaussian
from rsonnx.runs import Row, RunWriter

NOISE = Gaussian(0.5)
HEADER: dict[str, Any] = {
    "kind": "header",
    "format": "rsonnx-run",
    "format_version": 1,
    "model": {"file": "tiny\x1b.onnx", "input_shape": [1, 8, 8]},
    "data": {"inputs": 3, "size": 3},
    "noise": {"sigma": 0.5, "units": "unit values", "norm": "l2", "arithmetic": "exact"}
    | {"distribution": "gaussian", "parameters": NOISE.parameters},
    "family_wise": None,
}
COUNTS = (Counts([9, 1, 0, 990]), Counts([500, 0, 0, 400, 100]), Counts([1000]))
RULES: dict[str, FixedSamples | AdaptiveSamples] = {
    "fixed": FixedSamples(NOISE, 1000, 0.001, num_classes=10),
    "two": FixedSamples(NOISE, 1000, 0.001, radius="two-sided", num_classes=10),
    "unknown": FixedSamples(NOISE, 1000, 0.001),
    "adaptive": AdaptiveSamples(NOISE, 1000, 0.001, (0.25,)),
}
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run by each rule over the same three inputs of class 3, and one without labels."""
    here = tmp_path_factory.mktemp("runs")
    for name, rule in (RULES | {"unlabelled": RULES["fixed"]}).items():
        header = HEADER | rule.to_json() | {"largest_radius": rule.largest_radius}
        with RunWriter(here / f"{name}.jsonl", header) as writer:
            for index, counts in enumerate(COUNTS):
                selection = Counts([1, 0, 0, 9])
                found = (
                    rule.certify(selection, counts, (counts[3], 1000))
                    if isinstance(rule, AdaptiveSamples)
                    else rule.certify(selection, counts)
                )
                label = None if name == "unlabelled" and index == 1 else 3
                row = Row.of(
                    found, index=index, name="x", label=label, base_prediction=3, seconds=0
                )
                writer.write(row)
    (here / "log.tsv").write_text(
        "idx\tlabel\tpredict\tradius\tcorrect\ttime\n0\t1\t1\t0.75\t1\t0:00:01\n"
    )
    return here


@pytest.fixture
def report(runs: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    def call(*words: str) -> tuple[int, str, str]:
        there = {path.stem: str(path) for path in runs.iterdir()}
        code = run(["report", *(there.get(word, word) for word in words)])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def radii(k: int, alpha: float = 0.001) -> list[float]:
    return [certify_top_k(c, 3, k, sigma=0.5, num_classes=10, alpha=alpha).radius for c in COUNTS]


def test_the_table(report: Call) -> None:
    code, out, err = report("fixed", "two", "--top-k", "2", "--radii", "0,0.25,1")
    assert (code, err) == (0, "")
    head, first, second = out.splitlines()[:3]
    assert head.split() == ["model", "sigma", "inputs", "top-2", "ACR", "r=0", "r=0.25", "r=1"]
    assert first == second
    assert first.split()[:3] == ["tiny\\x1b.onnx", "0.5", "3"]
    assert first.split()[4:] == ["66.6", "33.3", "33.3"]
    first_radius, second_radius, third_radius = radii(2)
    assert (first_radius > 1, 0 < second_radius < 0.25, third_radius) == (True, True, 0.0)
    assert "unit values; n = 1,000, alpha = 0.001 an input, exact noise" in out
    assert "was fixed before the noise was drawn" in out.replace("\n", " ")


def test_json_and_a_restated_alpha(report: Call) -> None:
    for alpha in (0.001, 0.1):
        words = ("fixed", "--top-k", "3", "--json", "--alpha", str(alpha), "--radii", "0")
        code, out, err = report(*words)
        assert (code, err) == (0, "")
        (found,) = json.loads(out)
        assert (found["top_k"], found["alpha"]) == (3, alpha)
        assert found["top_k_acr"] == pytest.approx(sum(radii(3, alpha)) / 3, rel=1e-15)
        same = report(*words[:3], "--format", "json", *words[4:])[1]
        assert same == out


def test_the_top_1_is_about_the_usual_accuracy(report: Call) -> None:
    usual = json.loads(report("two", "--json", "--radii", "0,0.5,1")[1])[0]
    top = json.loads(report("two", "--top-k", "1", "--json", "--radii", "0,0.5,1")[1])[0]
    assert top["top_k_certified_accuracy"] == usual["certified_accuracy"]
    # Every rival has its share of alpha here, none more by the selection samples: within 2 %.
    assert usual["acr"] * 0.98 < top["top_k_acr"] <= usual["acr"]


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("adaptive", "--top-k", "2"), 2, "is adaptive: its sampling stopped"),
        (("unknown", "--top-k", "2"), 2, "does not say how many classes its model has"),
        (("fixed", "unlabelled", "--top-k", "2"), 2, "1 of 3 inputs of "),
        (("log", "--top-k", "2"), 2, "is a log, which has no counts"),
        (("fixed", "--top-k", "0"), 2, "k is 0, but with 10 classes a number from 1 to 9"),
        (("fixed", "--top-k", "10"), 2, "k is 10, but with 10 classes a number from 1 to 9"),
        (("fixed", "--top-k", "-1"), 2, "k is -1, but"),
        (("fixed", "--top-k", "five"), 2, "'five' is not a valid integer"),
        (("fixed", "two", "--top-k", "2", "--paired"), 2, "of which --paired knows nothing"),
        (("fixed", "--top-k", "2", "--fail-under", "acr=1"), 2, "--fail-under knows nothing"),
        (("fixed", "--top-k", "2", "--bound", "hoeffding"), 2, "--bound knows nothing"),
        (("fixed", "--top-k", "2", "--radius", "one-sided"), 2, "--radius knows nothing"),
        (("fixed", "--top-k", "2", "--plot", "x.svg"), 2, "--plot knows nothing"),
        (("fixed", "--top-k", "2", "--card", "x.md"), 2, "--card knows nothing"),
        (("fixed", "--top-k", "2", "--html", "x.html"), 2, "--html knows nothing"),
        (("fixed", "--top-k", "2", "--radii", "1,0"), 2, "ascending"),
    ],
)
def test_what_has_no_top_k_figures(
    words: tuple[str, ...], code: int, sentence: str, report: Call
) -> None:
    found, out, err = report(*words)
    assert (found, out) == (code, "")
    assert sentence in err.replace("\n", " ")
    assert "bug" not in err
