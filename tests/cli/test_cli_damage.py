"""A damaged installation: what needs nothing of it works, all else is a sentence that mends it."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from commands import assert_sentence, command, done, refused

from rsonnx.cli import run, stopping
from rsonnx.runtime import installed_wheels, provider_problem
from rsonnx.runtime.device_options import CPU

SHIMS = {
    "absent": "raise ModuleNotFoundError(\"No module named 'onnxruntime'\", name='onnxruntime')",
    "emptied": "",  # what is left where two wheels were installed and one was removed
    "unloadable": "raise ImportError('lib.so.1: cannot open shared object file\\nNo such file')",
    "missing": """
import importlib.metadata, sys
others = [d for d in importlib.metadata.distributions() if not d.name.startswith("onnxruntime")]
importlib.metadata.distributions = lambda: others
sys.modules["onnxruntime"] = None  # which an import refuses
""",
    "worse": "raise OSError('[WinError 126] The specified module could not be found')",
}
QUICK = ("absent",)
PACKAGES = {"missing": "sitecustomize"}
"""Which Python imports as it begins."""
MENDED = {"missing": "pip install 'rsonnx[gpu]'"}
WORK = "tiny.onnx floats.npz --sigma 0.25 --n 20 --n0 9"
COMMANDS = {
    f"certify {WORK}": 4,
    f"certify {WORK} --providers cpu -o new.jsonl": 4,
    f"certify {WORK} --providers cuda": 4,
    f"predict {WORK.removesuffix(' --n0 9')}": 4,
    "inspect tiny.onnx": 0,
    "inspect tiny.onnx --float16": 4,
    "inspect tiny.onnx floats.npz": 4,
    "declare tiny.onnx --preprocess none -o declared.onnx": 0,
    "preview tiny.onnx floats.npz --sigma 0.25 -o new.png": 4,
    "plan --sigma 0.25 --n 100": 0,
    "plan --sigma 0.25 --n 100 --model tiny.onnx --data floats.npz": 4,
    "bounds -k 99 -n 100": 0,
    "report run.jsonl": 0,
    "verify run.jsonl": 0,
    "verify run.jsonl --replay 1 --model tiny.onnx --data floats.npz": 4,
    "merge run.jsonl -o merged.jsonl": 0,
    "export run.jsonl --tsv -o run.tsv": 0,
    "attest run.jsonl -o statement.json": 0,
    "audit run.tsv": 0,
    "doctor": 4,
    "doctor --json": 4,
}
SCRIPT = """
import contextlib, io, json, sys
from rsonnx.cli import run
for words in json.load(sys.stdin):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(words.split())
    print(json.dumps([words, code, out.getvalue(), err.getvalue()]))
"""


def _shim(folder: Path, package: str, source: str) -> dict[str, str]:
    """Put a package in the place of the installed one; return the environment that finds it."""
    (folder / package).mkdir(parents=True)
    (folder / package / "__init__.py").write_text(source)
    places = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(places)}


@pytest.mark.parametrize(
    "kind", [k if k in QUICK else pytest.param(k, marks=pytest.mark.slow) for k in SHIMS]
)
def test_every_command_survives_a_damaged_onnxruntime(kind: str, here: Path) -> None:
    done(f"certify {WORK} --providers cpu -o run.jsonl")
    few = ("certify", "inspect", "report", "doctor")  # of what differs in no command but in words
    typed = [words for words in COMMANDS if kind != "absent" or words.startswith(few)]
    outcomes = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input=json.dumps(typed),
        env=_shim(here / "shim", PACKAGES.get(kind, "onnxruntime"), SHIMS[kind]),
        capture_output=True,
        check=True,
        text=True,
        timeout=300,
    )
    mend = MENDED.get(kind, "pip uninstall -y onnxruntime")
    for line in outcomes.stdout.splitlines():
        words, code, out, err = json.loads(line)
        assert code == COMMANDS[words], (words, err)
        assert "Traceback" not in err
        assert "has a bug" not in err
        if code:
            assert mend in err.splitlines()[-1], words
        if words == "doctor":
            assert "rsonnx" in out  # the report is there all the same
        if words == "doctor --json":
            answer = json.loads(out)
            assert answer["default"] is None
            assert mend in answer["findings"][0]["mend"]
    assert len(outcomes.stdout.splitlines()) == len(typed)
    assert not Path("new.jsonl").exists()


def test_a_function_is_certified_without_an_onnxruntime(tmp_path: Path) -> None:
    script = """
import numpy, rsonnx
g = rsonnx.SmoothedClassifier(lambda batch: (batch.sum(axis=1) > 0).astype("int64"), sigma=0.5)
print(g.certify(numpy.ones(9, "float32"), n0=10, n=100, alpha=0.001, seed=1).label)
"""
    environment = _shim(tmp_path, "sitecustomize", SHIMS["missing"])
    ended = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        capture_output=True,
        check=True,
        text=True,
        timeout=120,
    )
    assert ended.stdout == "1\n"


@pytest.mark.parametrize(
    ("package", "source"),
    [
        *(
            (package, f"raise ImportError('see') from ModuleNotFoundError('No {package}')")
            for package in ("click", "numpy", "onnx", "mpmath")
        ),
        ("click", "def ("),
        ("cloup", "raise ValueError"),
        ("numpy", "def ("),
        ("numpy", "import json; json.loads('{')"),
        ("onnx", "def check(): raise RuntimeError('boom\\nboom')\ncheck()"),
        ("google", "raise TypeError('Descriptors cannot be created directly.')"),
        ("scipy", ""),
        ("scipy", "raise RuntimeError"),
        ("mpmath", "\0"),  # as a disk leaves it that lost its power
        ("mpmath", None),
    ],
)
def test_a_package_that_cannot_be_imported_is_named_with_what_mends_it(
    package: str, source: str | None, here: Path
) -> None:
    environment = _shim(here / "shim", package, source or "")
    if source is None:  # byte code that breaks off
        (here / "shim" / package / "__init__.py").unlink()
        broken = importlib.util.MAGIC_NUMBER + bytes(12)
        (here / "shim" / package / "__init__.pyc").write_bytes(broken)
    ended = subprocess.run(
        [sys.executable, "-m", "rsonnx", *f"certify {WORK}".split()],
        env=environment,
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    (sentence,) = ended.stderr.strip().splitlines()  # click ends a line at the end of a file
    assert package in sentence
    assert "pip install" in sentence
    assert "bug" not in sentence


@pytest.mark.parametrize(
    "fault",
    [
        lambda: 1 / 0,
        lambda: os.no_such_call,  # type: ignore[attr-defined]  # as on another system
        lambda: stopping.no_such_name,
        lambda: json.loads("{"),
        lambda: np.load(io.BytesIO()),  # an EOFError
        lambda: compile("def (", "<text>", "exec"),
    ],
)
def test_a_bug_is_called_one(
    fault: Callable[[], object], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(import_module("rsonnx.report"), "compare_bounds", lambda *_, **__: fault())
    assert run(["bounds", "-k", "9", "-n", "10"]) == 1
    assert "has a bug" in capsys.readouterr().err


@pytest.fixture
def cpu_wheel(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An onnxruntime that was built for the processor alone, on a system that has another."""
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CPU])
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    provider_problem.cache_clear()
    yield
    provider_problem.cache_clear()


@pytest.mark.usefixtures("cpu_wheel")
@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_a_provider_that_another_wheel_has_is_refused_with_the_command(
    provider: str, here: Path
) -> None:
    outcome = refused(f"certify {WORK} --providers {provider}", code=4, named=provider)
    assert "pip install 'rsonnx[cuda]'" in outcome.err
    assert command(f"certify {WORK} --providers cpu").code == 0


def test_two_wheels_work_on_the_processor_and_doctor_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("onnxruntime", "onnxruntime-gpu"):
        metadata = tmp_path / f"{name.replace('-', '_')}-9.9.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 9.9\n")
        (metadata / "top_level.txt").write_text("onnxruntime\n")
    monkeypatch.syspath_prepend(tmp_path)
    installed_wheels.cache_clear()
    try:
        outcome = done("doctor")
    finally:
        installed_wheels.cache_clear()
    assert "pip uninstall -y onnxruntime onnxruntime-gpu && pip install" in outcome.out
    assert "CPUExecutionProvider: works" in outcome.out


def test_a_processor_on_which_no_session_opens(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("illegal hardware instruction")

    monkeypatch.setattr(onnxruntime, "InferenceSession", broken)
    provider_problem.cache_clear()
    try:
        refused(f"certify {WORK}", code=4, named="illegal hardware instruction")
        assert_sentence(command("doctor"), "illegal hardware instruction")
    finally:
        provider_problem.cache_clear()
