"""Training of stumps: smoothed probabilities, least entropy, and files that say what they are."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest
from scipy import stats

import rsonnx

Tool = Callable[[str], ModuleType]
CDFS = {
    "gaussian": stats.norm.cdf,
    "laplace": stats.laplace.cdf,
    "uniform": stats.uniform(-1, 2).cdf,
}


@pytest.mark.parametrize("noise", CDFS)
def test_a_row_is_shared_among_cells_as_the_noise_takes_it_there(tool: Tool, noise: str) -> None:
    stumps = tool("training.stumps").untrained(noise, 0.3, 2)
    column = np.array([0.0, 0.25, 1.0])
    cuts, cells = stumps.cells(column)
    for row, value in enumerate(column):
        ends = np.array([-99, *cuts, 99], float)
        expected = np.diff(CDFS[noise]((ends - value) / 0.3))
        np.testing.assert_allclose(cells[:, row], expected, atol=1e-15)


def test_a_stump_has_the_cut_of_least_entropy_and_the_frequencies_there(tool: Tool) -> None:
    """Two rows of each class at 0 and 1, one of them astray: the cut is in the middle."""
    x = np.array([0.0] * 4 + [1.0] * 4)[:, None]
    y = np.array([0, 0, 0, 1, 1, 1, 1, 0])
    stumps = tool("training.stumps")
    stumps = stumps.independent(stumps.untrained("gaussian", 0.5, 2), x, y)
    (cut,), share = stumps.cuts, stats.norm.cdf(1)  # of a row on its own side of the middle
    assert cut == pytest.approx(0.5, abs=0.01)
    right = 0.75 * share + 0.25 * (1 - share)
    assert stumps.leaves[0, :, 0].tolist() == [round(50 - 100 * right), round(100 * right - 50)]


@pytest.mark.parametrize("classes", [2, 3])
def test_a_file_is_made_again_to_the_byte_and_answers_what_was_trained(
    tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, classes: int
) -> None:
    drawn = np.random.default_rng(classes)
    y = np.arange(90) % classes + 4
    x = (y[:, None] * 0.2 + 0.2 * drawn.standard_normal((90, 5))).astype(np.float32)
    np.savez(tmp_path / "rows.npz", x=x, y=y)
    paths = [tmp_path / f"{name}.onnx" for name in "ab"]
    for path in paths:
        words = [str(tmp_path / "rows.npz"), "--scale", "0.2", "--out", str(path)]
        words += [
            "--classes",
            *map(str, range(4, 4 + classes)),
            "--boost",
            str(40 if classes == 2 else 0),
        ]
        monkeypatch.setattr(sys, "argv", ["train_stumps.py", *words])
        tool("train_stumps").main()
    assert paths[0].read_bytes() == paths[1].read_bytes()
    base = rsonnx.load(paths[0], providers=["cpu"])
    assert (base.classify(x) == y - 4).mean() > 0.6
    (facts,) = (p.value for p in onnx.load(paths[0]).metadata_props if p.key == "rsonnx.training")
    assert json.loads(facts)["scale"] == 0.2


def test_boosting_learns_what_no_cut_of_one_value_shows(tool: Tool) -> None:
    """A sum of two values; the loss under the noise falls as long as stumps are added."""
    x = np.random.default_rng(3).random((400, 2))
    y = (x.sum(axis=1) > 1).astype(np.int64)
    stumps = tool("training.stumps")
    accuracies = []
    noisy = x + 0.1 * np.random.default_rng(4).standard_normal(x.shape)
    for rounds in (1, 10, 100):
        made = stumps.boosted(stumps.untrained("gaussian", 0.1, 2), x, y, rounds)
        below = noisy[:, made.features] <= made.cuts
        score = np.where(below, *made.leaves[:, :, 0].T).sum(axis=1)
        accuracies.append(((score > 0) == y).mean())
    assert accuracies == sorted(accuracies)
    assert accuracies[0] < 0.8
    assert accuracies[-1] > 0.85


@pytest.mark.parametrize(
    "words", ["wine --scale 0", "wine --scale 1 --classes 0 1", "absent.npz --scale 1"]
)
def test_what_is_wrong_ends_in_a_sentence(
    tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["x", *words.split(), "--out", str(tmp_path / "a.onnx")])
    with pytest.raises(SystemExit) as end:
        tool("train_stumps").main()
    assert end.value.code == 2
    assert list(tmp_path.iterdir()) == []
