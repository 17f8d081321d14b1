"""Composed files by every way of running: the rows are the same to the last digit."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import done, rows_of

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "sample_models"
DATA = SAMPLES / "mnist_test_500"
FIRST, SECOND, THIRD = (
    SAMPLES / f"mnist_lenet_{how}_0.50.onnx" for how in ("gaussian", "consistency", "smoothadv")
)
COMPOSED = {
    "denoise": f"denoise {SAMPLES}/mnist_denoiser_0.50.onnx {FIRST}",
    "diffuse": f"diffuse {SAMPLES}/mnist_unet.onnx {FIRST} --sigma 0.5 --schedule linear-1000",
    "soft": f"ensemble {FIRST} {SECOND} {THIRD}",
    "hard": f"ensemble {FIRST} {SECOND} {THIRD} --vote hard",
    "consensus": f"consensus {FIRST} {SECOND} {THIRD} --k 2",
}
FEW = f"{DATA} --sigma 0.5 --n 150 --n0 20 --seed 3 --limit 4 --providers cpu"
RAY = "--engine ray --workers 2"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # of workers and of processes that are killed
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")


def certify(options: str, name: str) -> Path:
    done(f"certify composed.onnx {FEW} {options} --quiet -o {name}.jsonl")
    return Path(f"{name}.jsonl")


def kill_and_resume(name: str) -> Path:
    path = Path(f"{name}.jsonl")
    words = f"certify composed.onnx {FEW} --quiet --resume -o {path}".split()
    with subprocess.Popen([sys.executable, "-m", "rsonnx", *words]) as process:
        while process.poll() is None and not (path.exists() and path.read_bytes().count(b"\n") > 1):
            time.sleep(0.01)
        process.kill()
    return certify("--resume", name)


@pytest.mark.slow
@pytest.mark.parametrize("how", COMPOSED)
def test_rows_are_the_same_however_they_are_run(how: str) -> None:
    pytest.importorskip("ray", reason="ray is not installed: pip install 'rsonnx[ray]'")
    done(f"compose {COMPOSED[how]} -o composed.onnx")
    run = certify("", "run")
    rows = rows_of(run)
    assert len(rows) == 4
    for shard in (1, 2):
        certify(f"--shard {shard}/2 --batch-size 33", str(shard))
    done("merge 1.jsonl 2.jsonl -o merged.jsonl")
    for path in (
        certify("--workers 2", "threads"),
        certify("--batch-size 7", "odd"),
        certify(f"{RAY} --batch-size 19", "ray"),
        kill_and_resume("killed"),
        Path("merged.jsonl"),
    ):
        assert rows_of(path) == rows, path
    done(f"verify run.jsonl --replay 4 --model composed.onnx --data {DATA} --providers cpu")


@pytest.mark.slow
def test_exported_noise_is_counted_the_same_by_every_engine() -> None:
    pytest.importorskip("ray", reason="ray is not installed: pip install 'rsonnx[ray]'")
    drawn = f"predict {FIRST} {DATA} --sigma 0.5 --n 150 --limit 4 --seed 3 --providers cpu"
    words = f"{drawn} --generator exported --json"
    expected = [line | {"seconds": 0} for line in done(words).lines()]
    assert all(line["key"] for line in expected)
    for options in ("--workers 2", "--batch-size 7", RAY):
        answers = done(f"{words} {options}").lines()
        assert [line | {"seconds": 0} for line in answers] == expected
