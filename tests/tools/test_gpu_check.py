"""``tools/gpu_check.py`` without a card: on the processor, and over the stub of a device."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from kernels_in_cpp import NEEDS_COMPILER

from rsonnx.runtime import provider_problem
from rsonnx.runtime.device_options import CUDA
from rsonnx.smoothing import load

STUBBED = Path(__file__).with_name("stubbed_gpu_check.py")
SIZES = ["--preprocess", "imagenet", "--samples", "128", "--n", "500", "--seconds", "0.01"]


@pytest.fixture
def tools(tool: Callable[[str], ModuleType]) -> Any:
    names = {"check": "gpu_check", "checks": "gpu.checks", "subjects": "gpu.subjects"}
    names["page"] = "gpu.page"
    return SimpleNamespace(**{key: tool(name) for key, name in names.items()})


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A residual net so small that a check of it takes a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[2] / "tools")
        subjects = importlib.import_module("gpu.subjects")
    path = tmp_path_factory.mktemp("gpu") / "resnet.onnx"
    subjects.write_resnet(path, ((1, 8), (1, 16)), 24, 100)
    return path


def records(output: Path) -> dict[str, Any]:
    lines = map(json.loads, output.read_text().splitlines())
    return {record["check"]: record for record in lines}


@pytest.mark.skipif(provider_problem(CUDA) is None, reason="this machine has CUDA")
def test_without_cuda_it_is_one_sentence_and_exit_code_4(
    tools: Any, model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert tools.check.main(["--model", str(model)]) == 4
    out = capfd.readouterr().out
    assert ("'cuda' does not work here" in out, out.count("\n")) == (True, 1)


@pytest.mark.slow
def test_a_processor_runs_what_it_can(tools: Any, model: Path, tmp_path: Path) -> None:
    output = tmp_path / "checks.jsonl"
    given = ["--provider", "cpu", "--model", str(model), *SIZES, "--output", str(output)]
    assert tools.check.main(given) == 0
    passed = {name: record["passed"] for name, record in records(output).items()}
    assert [*passed] == [*tools.checks.CHECKS]
    device = ("noise", "cuda-graph", "tensorrt", "devices", "memory", "memory-graph")
    assert passed == {name: None if name in device else True for name in passed}
    assert {"date", "machine", "versions"} <= set(records(output)["machine"]["figures"])


@pytest.fixture
def stubbed(tools: Any) -> Any:
    """The tool over the stub, in this process."""
    session = onnxruntime.InferenceSession
    spec = importlib.util.spec_from_file_location("stubbed_gpu_check", STUBBED)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [*sys.path])
        spec.loader.exec_module(module)
        yield module
    assert onnxruntime.InferenceSession is session  # the stub and its faults are gone


FINDS = {
    "tail_of_the_noise": "noise",
    "tail_of_the_labels": "answers",
    "swapped_samples": "answers",
    "tf32": "convolutions",
}
"""The check that must find a fault."""


@pytest.mark.parametrize("fault", ["none", *FINDS])
@NEEDS_COMPILER
def test_a_fault_is_found_by_the_check_that_is_for_it(
    stubbed: Any, model: Path, tmp_path: Path, fault: str
) -> None:
    output = tmp_path / "checks.jsonl"
    for name in sorted({*FINDS.values()}) if fault == "none" else [FINDS[fault]]:
        given = ["--model", str(model), *SIZES, "--output", str(output), "--only", name]
        assert stubbed.main(fault, given) == (fault != "none"), records(output)[name]["note"]
        assert records(output)[name]["passed"] is (fault == "none")
    assert {*FINDS} == {*stubbed.FAULTS}


@NEEDS_COMPILER
def test_scores_show_tf32_and_labels_swapped_samples(
    tools: Any, stubbed: Any, model: Path, tmp_path: Path
) -> None:
    found = {}
    for fault in ("swapped_samples", "tf32"):
        output = tmp_path / fault
        stubbed.main(
            fault, ["--model", str(model), *SIZES, "--output", str(output), "--only", "answers"]
        )
        assert records(output)["answers"]["passed"] is False
        found[fault] = records(output)["answers"]["figures"]
    assert not any(found["tf32"][name] for name in found["tf32"] if name.startswith("unlike"))
    assert tools.checks._unlike(np.array([0, 1, 2]), np.array([1, 0, 2])) == 2  # no histograms
    assert found["tf32"]["scores_apart"] > found["tf32"]["scores_allowed"]
    assert found["swapped_samples"]["scores_apart"] <= found["swapped_samples"]["scores_allowed"]
    assert found["swapped_samples"]["unlike_processor"] > 0


@NEEDS_COMPILER
def test_scores_are_of_the_device_s_noise_also_where_batches_do_not_divide_the_samples(
    stubbed: Any, model: Path, tmp_path: Path
) -> None:
    output = tmp_path / "checks.jsonl"
    given = ["--model", str(model), *SIZES, "--samples", "100"]
    stubbed.main("tail_of_the_noise", [*given, "--output", str(output), "--only", "answers"])
    figures = records(output)["answers"]["figures"]
    assert figures["samples"] % figures["batch"] != 0
    assert figures["scores_apart"] > figures["scores_allowed"]


@pytest.mark.slow
@NEEDS_COMPILER
def test_every_check_passes_over_the_stub(stubbed: Any, model: Path, tmp_path: Path) -> None:
    output = tmp_path / "checks.jsonl"
    assert stubbed.main("none", ["--model", str(model), *SIZES, "--output", str(output)]) == 0
    assert {record["passed"] for record in records(output).values()} == {True}


CHILD = """
import json, os, signal, sys, time
*_, output, _, name = sys.argv
if name == "noise":
    os.kill(os.getpid(), signal.SIGSEGV)
if name == "speed":
    time.sleep(600)
if name == "ties":
    sys.exit("a last word")
with open(output, "a") as file:
    passed = None if name == "devices" else True
    file.write(json.dumps({"check": name, "passed": passed, "note": "", "figures": {}}) + "\\n")
if name == "certificate":
    os.kill(os.getpid(), signal.SIGSEGV)
"""


def test_a_check_that_dies_or_hangs_is_noted_and_the_others_are_run(
    tools: Any, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that dies when all but the end is done: its device may be spoilt."""
    monkeypatch.setattr(tools.check, "LIMIT", 2.0)
    output = tmp_path / "checks.jsonl"
    given = ["--model", str(model), "--output", str(output)]
    assert tools.check.main(given, [sys.executable, "-c", CHILD]) == 1
    made = records(output)
    assert [*made] == [*tools.checks.CHECKS]
    failed = {name: r["note"] for name, r in made.items() if r["passed"] is False}
    assert {*failed} == {"noise", "ties", "speed", "certificate"}
    assert ("-11" in failed["noise"], "a last word" in failed["ties"]) == (True, True)
    monkeypatch.setattr(tools.check, "TOTAL", 0.0)
    assert tools.check.main(given, [sys.executable, "-c", CHILD]) == 0
    assert {record["passed"] for record in records(output).values()} == {None}


def test_wrong_usage_is_exit_code_2(
    tools: Any, tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = str(tmp_path / "none" / "file")
    for given, named in (
        (["--model", nowhere], nowhere),
        (["--model", str(model), "--output", nowhere], nowhere),
        (["--n", "0"], "0 is below 1"),
    ):
        with pytest.raises(SystemExit, match="2"):
            tools.check.main(given)
        assert named in capsys.readouterr().err


@pytest.mark.slow
def test_the_resnet_50_is_one_and_its_labels_vary(tools: Any, tmp_path: Path) -> None:
    """25.5 million weights (torchvision's has 25,557,032, its batch norms' scales among them)."""
    path = tmp_path / "resnet50.onnx"
    tools.subjects.write_resnet(path)
    weights = sum(int(np.prod(t.dims)) for t in onnx.load(path).graph.initializer)
    assert weights == 25_530_472
    made = load(path, preprocess="imagenet", providers="cpu")
    assert (made.num_classes, made.shape) == (1000, (3, 224, 224))
    rows = tools.subjects.drawn(tools.subjects.noisy(made.shape, made.bounds, seed=2), 12)
    assert len(np.unique(made.classify(rows))) >= 6
    assert 0.1 < np.abs(made.scores(rows)).max() < 10


def test_the_page_says_what_the_file_of_results_says(tools: Any, tmp_path: Path) -> None:
    page = tools.page
    assert page.BEGIN + page.passage(page.RESULTS) + page.END in page.PAGE.read_text()
    results = tmp_path / "gpu.jsonl"
    figures: dict[str, Any] = {"date": "2027-01-02T03:04:05+00:00", "provider": "cuda"}
    figures |= {"versions": {"onnxruntime-gpu": "1.31.1"}}
    lines = [
        {"check": "machine", "passed": True, "note": "a card", "figures": figures},
        {"check": "noise", "passed": True, "note": "0 differ", "figures": {}},
        {"check": "speed", "passed": None, "note": "not run: why", "figures": {}},
        {"check": "ties", "passed": False, "note": "3 wrong", "figures": {}},
    ]
    results.write_text("".join(json.dumps(line) + "\n" for line in lines))
    on_a_processor = tmp_path / "cpu.jsonl"
    on_a_processor.write_text(results.read_text().replace('"cuda"', '"cpu"'))
    said = page.passage(results)
    assert all(part in said for part in ("2027-01-02", "a card", "1.31.1"))
    states = [line.split(" | ")[1] for line in said.splitlines()[4:]]
    assert states == ["passed", "not run", "failed"]
    assert len({page.passage(each) for each in (tmp_path / "none", on_a_processor)}) == 1
