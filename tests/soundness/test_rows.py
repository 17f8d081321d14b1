"""Models whose rows depend on their batch: no certificate that batch size 1 contradicts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from commands import command, done, lines_of, write_lines
from numpy.typing import NDArray
from onnx_models import build, node, save

from rsonnx.errors import CouplingError, RunFileError
from rsonnx.runs import read_run
from rsonnx.smoothing import SmoothedClassifier, load

SIZE = 8
pytestmark = pytest.mark.usefixtures("no_children")


def rescaling(above: float) -> onnx.ModelProto:
    """Class 1 iff the values sum to more than 4.6; divides its batch by 255 if any is ``above``.

    The kind of loader that takes large values for levels of 255: at ``above`` = 1.2 rows within the
    bounds never couple, and rows of noise do.
    """
    weights = {
        "w": np.stack([np.zeros(SIZE), np.ones(SIZE)], axis=1).astype(np.float32),
        "b": np.array([4.6, 0.0], np.float32),
        "limit": np.array(above, np.float32),
        "levels": np.array(255.0, np.float32),
    }
    made = [
        node("ReduceMax", ["x"], "most", keepdims=0),
        node("Greater", ["most", "limit"], "large"),
        node("Div", ["x", "levels"], "scaled"),
        node("Where", ["large", "scaled", "x"], "chosen"),
        node("Gemm", ["chosen", "w", "b"], "scores"),
    ]
    return build(made, ("n", SIZE), ("n", 2), weights)


def test_a_model_that_rescales_its_batch_runs_alone(tmp_path: Path) -> None:
    found = load(save(rescaling(1.2), tmp_path), preprocess="none", providers="cpu")
    assert (found.rows, found.batch_size) == ("alone", 1)
    batch = np.random.default_rng(1).normal(0.5, 0.4, (200, SIZE)).astype(np.float32)
    scaled = np.where(batch.max(axis=1, keepdims=True) > 1.2, batch / 255, batch)
    expected = (scaled.sum(axis=1) > 4.6).astype(int)
    assert 0 < expected.mean() < 1
    assert found.classify(batch).tolist() == expected.tolist()


def test_probes_outside_of_the_bounds_find_it(tmp_path: Path) -> None:
    path = save(rescaling(1.2), tmp_path)
    assert load(path, preprocess="none", providers="cpu", rows="watched").rows == "alone"


def test_watching_finds_it(tmp_path: Path) -> None:
    """The probes see nothing, and one noisy row in 10,000 is that large."""
    path = save(rescaling(2.6), tmp_path)
    found = load(path, preprocess="none", providers="cpu", rows="watched")
    assert found.rows == "watched"
    smoothed = SmoothedClassifier(found, sigma=0.55, batch_size=128, workers=1)
    with pytest.raises(CouplingError):
        smoothed.certify(np.full(SIZE, 0.7, np.float32), n=200_000, seed=1)


def small_run(folder: Path, above: float) -> tuple[int, Path]:
    x: NDArray[np.float32] = np.full((3, SIZE), 0.7, np.float32)
    np.savez(folder / "data.npz", x=x + np.arange(3, dtype=np.float32)[:, None] / 50)
    model, output = save(rescaling(above), folder), folder / "run.jsonl"
    few = "--preprocess none --quiet --sigma 0.55 --n 60000 --seed 3 --rows watched --workers 1"
    given = (model, folder / "data.npz", *few.split(), "-o", output)
    return command("certify", *given).code, output


def test_a_difference_voids_the_run(tmp_path: Path) -> None:
    code, output = small_run(tmp_path, 2.6)
    assert code == 4
    assert json.loads(output.read_text().splitlines()[-1])["status"] == "void"
    assert not Path(f"{output}.partial").exists()
    with pytest.raises(RunFileError):
        read_run(output)
    for reader in ("report", "verify", "attest", "merge -o m.jsonl"):
        assert command(reader, output).code != 0


def test_a_run_that_was_watched_says_what_it_assumes(tmp_path: Path) -> None:
    code, output = small_run(tmp_path, 9.0)  # 15 standard deviations: no row is that large
    assert code == 0
    found = read_run(output)
    assert found.header.record["model"]["rows"] == "watched"
    assert "assuming" in found.header.record["claim"]
    for row in found.rows:
        assert row.estimation.watched_rows in (58, 59)  # one in each 1,024 of 60,000
    done("verify", output)
    (reported,) = done("report", output, "--json").json()
    assert reported["rows"] == "watched"
    assert reported["samples"]["watched_rows"] == sum(
        row.selection.watched_rows + row.estimation.watched_rows for row in found.rows
    )
    assert reported["assumption"]


def counting_its_rows(most: int) -> onnx.ModelProto:
    """Scores that are negated where the batch has more than ``most`` rows."""
    weights = {
        "w": np.stack([np.zeros(SIZE), np.ones(SIZE)], axis=1).astype(np.float32),
        "b": np.array([4.6, 0.0], np.float32),
        "most": np.array(most),
        "first": np.array(0),
    }
    made = [
        node("Shape", ["x"], "shape"),
        node("Gather", ["shape", "first"], "rows"),
        node("Greater", ["rows", "most"], "many"),
        node("Gemm", ["x", "w", "b"], "open"),
        node("Neg", ["open"], "turned"),
        node("Where", ["many", "turned", "open"], "scores"),
    ]
    return build(made, ("n", SIZE), ("n", 2), weights)


def test_the_batch_that_runs_is_the_batch_that_is_watched(tmp_path: Path) -> None:
    """Fewer samples than hold a watched one, and small batches before: a run begins with one."""
    model = load(
        save(counting_its_rows(40), tmp_path), preprocess="none", providers="cpu", rows="watched"
    )
    assert model.rows == "watched"  # the probes' batches are smaller
    smoothed = SmoothedClassifier(model, sigma=0.3, batch_size=64, workers=1)
    x = np.full(SIZE, 0.6, np.float32)
    smoothed.sample_counts(x, 0, 1, stage="selection", seed=0)
    with pytest.raises(CouplingError):
        smoothed.certify(x, n0=100, n=300, seed=7)


def test_a_changed_claim_is_found(tmp_path: Path) -> None:
    code, output = small_run(tmp_path, 9.0)
    assert code == 0
    lines = lines_of(output)
    lines[0]["claim"] = lines[0]["claim"].partition(", assuming")[0]
    assert command("verify", write_lines(output, lines)).code == 1
