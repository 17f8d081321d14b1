"""Bad input: one sentence, the right exit code, no traceback, and no output file left behind."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rsonnx.cli import run
from rsonnx.runtime.providers import provider_problem

GOOD = ("tiny.onnx", "set")
FEW = ("--sigma", "0.25", "--n", "100", "--providers", "cpu")

# Per case: model and data, further arguments, exit code, words of the sentence.
CERTIFY: dict[str, tuple[tuple[str, ...], tuple[str, ...], int, tuple[str, ...]]] = {
    "missing model": (("no.onnx", "set"), FEW, 2, ("no.onnx does not exist",)),
    "missing data": (("tiny.onnx", "nowhere"), FEW, 2, ("nowhere does not exist",)),
    "no model": (("text.onnx", "set"), FEW, 4, ("text.onnx is not an ONNX model",)),
    "wrong size": (("tiny.onnx", "sizes"), FEW, 1, ("0/b.png", "9x9")),
    "labels": (("tiny.onnx", "labels.npz"), FEW, 1, ("'3'", "label 10", "0..9")),
    "nan": (("tiny.onnx", "nan.npz"), FEW, 1, ("example 2", "NaN")),
    "bytes": (("tiny.onnx", "bytes.npz"), FEW, 1, ("the input '0'", "declared bounds are 0 to 1")),
    "sigma 0": (GOOD, (*FEW, "--sigma", "0"), 2, ("sigma is 0.0",)),
    "sigma -1": (GOOD, (*FEW, "--sigma", "-1"), 2, ("sigma is -1.0",)),
    "sigma nan": (GOOD, (*FEW, "--sigma", "nan"), 2, ("sigma is nan",)),
    "sigma inf": (GOOD, (*FEW, "--sigma", "inf"), 2, ("sigma is inf",)),
    "sigma in levels": (GOOD, (*FEW, "--sigma", "127"), 2, ("too wide",)),
    "sigma huge": (GOOD, (*FEW, "--sigma", "1e300"), 2, ("too wide",)),
    "alpha 0": (GOOD, (*FEW, "--alpha", "0"), 2, ("alpha is 0.0",)),
    "alpha 1": (GOOD, (*FEW, "--alpha", "1"), 2, ("alpha is 1.0",)),
    "alpha 2": (GOOD, (*FEW, "--alpha", "2"), 2, ("alpha is 2.0",)),
    "alpha nan": (GOOD, (*FEW, "--alpha", "nan"), 2, ("alpha is nan",)),
    "n0 0": (GOOD, (*FEW, "--n0", "0"), 2, ("n0 is 0",)),
    "n 0": (GOOD, (*FEW, "--n", "0"), 2, ("n is 0",)),
    "n too small": (GOOD, (*FEW, "--n", "9"), 2, ("can never certify", "smallest n", "is 10")),
    "n no number": (GOOD, (*FEW, "--n", "1e5"), 2, ("'1e5'",)),
    "provider": (GOOD, (*FEW, "--providers", "gpu"), 2, ("'gpu' is not known",)),
    "option": (GOOD, (*FEW, "--sigm", "1"), 2, ("--sigm",)),
    "no sigma": (GOOD, (), 2, ("needs sigma",)),
    "limit": (GOOD, (*FEW, "--limit", "0"), 2, ("limit is 0",)),
    "skip": (GOOD, (*FEW, "--skip-every", "0"), 2, ("skip-every is 0",)),
    "batch": (GOOD, (*FEW, "--batch-size", "0"), 2, ("batch_size is 0",)),
    "seed": (GOOD, (*FEW, "--seed", "-1"), 2, ("seed is -1",)),
    "undeclared": (("undeclared.onnx", "set"), FEW, 2, ("does not say what preprocessing",)),
    "preset": (GOOD, (*FEW, "--preprocess", "imagnet"), 2, ("'imagnet'",)),
    "bounds": (GOOD, (*FEW, "--bounds", "1", "0"), 2, ("1 and 0",)),
    "classes": (GOOD, (*FEW, "--classes", "no.txt"), 2, ("no.txt",)),
}
# A process takes a second to start, so a case of each way to fail has one of its own.
IN_A_PROCESS = (
    *("missing model", "missing data", "no model", "wrong size", "labels", "nan", "bytes"),
    *("sigma 0", "n too small", "provider", "option", "no sigma", "undeclared", "bounds"),
)
OTHER: dict[str, tuple[tuple[str, ...], int, tuple[str, ...]]] = {
    "predict n": (("predict", *GOOD, *FEW, "--n", "10"), 2, ("never answer", "is 11")),
    "predict method": (("predict", *GOOD, *FEW, "--method", "x"), 2, ("'x'",)),
    "report nothing": (("report",), 2, ("RUN",)),
    "report missing": (("report", "no.jsonl"), 2, ("no.jsonl does not exist",)),
    "report image": (("report", "plain/0.png"), 1, ("plain/0.png",)),
    "report radii": (("report", "no.jsonl", "--radii", "1,0"), 2, ("ascending",)),
    "report letters": (("report", "no.jsonl", "--radii", "a"), 2, ("'a'",)),
    "inspect missing": (("inspect", "no.onnx"), 2, ("no.onnx does not exist",)),
    "inspect text": (("inspect", "text.onnx"), 4, ("text.onnx is not an ONNX model",)),
    "command": (("certfy",), 2, ("certfy",)),
}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("out")


@pytest.fixture(scope="module")
def outcomes(rsonnx: Callable[..., Any], workshop: Path, out: Path) -> dict[str, Any]:
    """The cases that have processes of their own, some at a time."""
    commands = {name: _certify(name, out) for name in IN_A_PROCESS}
    with ThreadPoolExecutor(4) as pool:
        running = {k: pool.submit(rsonnx, *v, cwd=workshop) for k, v in commands.items()}
        return {name: future.result() for name, future in running.items()}


def _certify(name: str, out: Path) -> tuple[str, ...]:
    files, further, _, _ = CERTIFY[name]
    return ("certify", *files, *further, "-o", str(out / f"{name}.jsonl"))


def _assert_one_sentence(outcome: Any, code: int, words: tuple[str, ...]) -> None:
    assert outcome.code == code, outcome.err
    assert outcome.out == ""
    assert "Traceback" not in outcome.err
    assert "has a bug" not in outcome.err
    lines = outcome.err.splitlines()
    assert [line.startswith("Error: ") for line in lines].count(True) == 1
    assert lines[-1].startswith("Error: ")
    for word in words:
        assert word in lines[-1]


@pytest.mark.parametrize("name", IN_A_PROCESS)
def test_certify_refuses_in_a_process(name: str, outcomes: dict[str, Any], out: Path) -> None:
    _, _, code, words = CERTIFY[name]
    _assert_one_sentence(outcomes[name], code, words)
    assert not (out / f"{name}.jsonl").exists()


@pytest.fixture
def run_here(
    workshop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[tuple[str, ...]], Any]:
    def here(arguments: tuple[str, ...]) -> Any:
        monkeypatch.chdir(workshop)
        code = run(list(arguments))
        printed = capsys.readouterr()
        return SimpleNamespace(code=code, out=printed.out, err=printed.err)

    return here


@pytest.mark.parametrize("name", sorted(set(CERTIFY) - set(IN_A_PROCESS)))
def test_certify_refuses(name: str, run_here: Callable[..., Any], tmp_path: Path) -> None:
    _, _, code, words = CERTIFY[name]
    _assert_one_sentence(run_here(_certify(name, tmp_path)), code, words)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", OTHER)
def test_other_commands_refuse(name: str, run_here: Callable[..., Any]) -> None:
    arguments, code, words = OTHER[name]
    _assert_one_sentence(run_here(arguments), code, words)


@pytest.mark.skipif(provider_problem("CUDAExecutionProvider") is None, reason="CUDA works here")
def test_cuda_is_refused_where_it_does_not_work(
    rsonnx: Callable[..., Any], workshop: Path, tmp_path: Path
) -> None:
    done = rsonnx(
        *("certify", *GOOD, *FEW, "--providers", "cuda", "-o", tmp_path / "run"), cwd=workshop
    )
    _assert_one_sentence(done, 4, ("'cuda' was asked for but does not work here", "doctor"))
    assert not (tmp_path / "run").exists()


def test_an_existing_output_is_untouched(
    rsonnx: Callable[..., Any], workshop: Path, tmp_path: Path
) -> None:
    (tmp_path / "run").write_text("precious")
    done = rsonnx("certify", *GOOD, *FEW, "-o", tmp_path / "run", cwd=workshop)
    _assert_one_sentence(done, 2, ("exists already",))
    assert (tmp_path / "run").read_text() == "precious"


@pytest.mark.parametrize("name", ["nowhere/run.jsonl", "a" * 300])
def test_an_output_that_cannot_be_made(
    rsonnx: Callable[..., Any], workshop: Path, tmp_path: Path, name: str
) -> None:
    done = rsonnx("certify", *GOOD, *FEW, "-o", tmp_path / name, cwd=workshop)
    _assert_one_sentence(done, 2, ("cannot be created",))
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write everywhere"
)
def test_an_output_in_an_unwritable_folder(
    rsonnx: Callable[..., Any], workshop: Path, tmp_path: Path
) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    done = rsonnx("certify", *GOOD, *FEW, "-o", tmp_path / "locked" / "run", cwd=workshop)
    _assert_one_sentence(done, 2, ("not writable",))
