"""Training of stumps: smoothed probabilities, least entropy, and files that say what they are."""

from __future__ import annotations

import itertools
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
def test_smoothed_probabilities_are_sums_over_all_cells(tool: Tool, noise: str) -> None:
    drawn = np.random.default_rng(4)
    features, cuts = np.array([0, 2, 0, 1, 2]), np.float32([0.5, 0.25, 0.1, 0.75, 0.3])
    leaves = np.array([[-2, 3], [1, -4], [0, 2], [-3, 3], [-1, 1]])[..., None]
    ensemble = tool("training.stumps").Stumps(noise, 0.3, features, cuts, leaves)
    x = drawn.random((4, 3))
    expected = np.zeros(4)
    inner = [sorted(cuts[features == f].astype(float)) for f in range(3)]
    edges = [[-99.0, *points, 99.0] for points in inner]
    for cells in itertools.product(*(itertools.pairwise(e) for e in edges)):
        middle = np.array([(a + b) / 2 for a, b in cells])
        score = sum(
            leaf[int(middle[f] > c), 0] for f, c, leaf in zip(features, cuts, leaves, strict=True)
        )
        if score > 0:
            ends = [
                np.diff(CDFS[noise](np.subtract.outer(cell, x[:, f]) / 0.3), axis=0)[0]
                for f, cell in enumerate(cells)
            ]
            expected += np.prod(ends, axis=0)
    np.testing.assert_allclose(ensemble.probabilities(x), expected, rtol=1e-12)


def test_a_stump_has_the_cut_of_least_entropy_and_the_frequencies_there(tool: Tool) -> None:
    """Two rows of each class at 0 and 1, one of them astray: the cut is in the middle."""
    x = np.array([0.0] * 4 + [1.0] * 4)[:, None]
    y = np.array([0, 0, 0, 1, 1, 1, 1, 0])
    stumps = tool("training.stumps").trained(x, y, "gaussian", 0.5)
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
        words += ["--classes", *map(str, range(4, 4 + classes)), "--ensembles", str(4 - classes)]
        monkeypatch.setattr(sys, "argv", ["train_stumps.py", *words])
        tool("train_stumps").main()
    assert paths[0].read_bytes() == paths[1].read_bytes()
    base = rsonnx.load(paths[0], providers=["cpu"])
    assert (base.classify(x) == y - 4).mean() > 0.6
    (facts,) = (p.value for p in onnx.load(paths[0]).metadata_props if p.key == "rsonnx.training")
    assert json.loads(facts)["scale"] == 0.2


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
