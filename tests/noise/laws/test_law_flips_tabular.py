"""A decision tree of scikit-learn on categorical codes, certified in features changed.

The input has five features of three categories, so there are 243 inputs and the smoothed classifier
can be worked out exactly, by all samples of each: what sampling certifies is held against it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import rsonnx
from rsonnx.noise import InputSpace, NoisyStream
from rsonnx.noise.laws.flips import Flips
from rsonnx.statistics import clopper_pearson_lower

sklearn = pytest.importorskip("sklearn")
skl2onnx = pytest.importorskip("skl2onnx")

from skl2onnx.common.data_types import FloatTensorType  # noqa: E402
from sklearn import datasets, tree  # noqa: E402

CATEGORIES, FEATURES = 3, 5
BOUNDS = (0.0, CATEGORIES - 1.0)
KEEP = 0.5
N, ALPHA = 16_000, 1e-6
LAW = Flips(KEEP, CATEGORIES, size=FEATURES)
EVERY = np.indices((CATEGORIES,) * FEATURES).reshape(FEATURES, -1).T.astype(np.float32)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    x, y = datasets.load_breast_cancer(return_X_y=True)
    related = np.abs(np.corrcoef(x, y, rowvar=False)[-1, :-1])
    x = x[:, np.argsort(-related)[:FEATURES]]
    codes = (x[..., None] > np.quantile(x, (1 / 3, 2 / 3), axis=0).T).sum(axis=-1)
    rng = np.random.default_rng(0)
    noisy = np.repeat(codes, 50, axis=0)
    other = (noisy + rng.integers(1, CATEGORIES, noisy.shape)) % CATEGORIES
    noisy = np.where(rng.random(noisy.shape) < KEEP, noisy, other)
    fitted = tree.DecisionTreeClassifier(max_depth=7, random_state=0).fit(noisy, np.repeat(y, 50))
    proto = skl2onnx.convert_sklearn(
        fitted,
        initial_types=[("codes", FloatTensorType([None, FEATURES]))],
        target_opset={"": 17, "ai.onnx.ml": 3},
    )
    path = Path(tmp_path_factory.mktemp("tabular")) / "tree.onnx"
    path.write_bytes(proto.SerializeToString())
    return rsonnx.load(path, preprocess="none", bounds=BOUNDS, providers=["cpu"])


def smoothed(labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """The probability of every class at every input, (243, classes), by all samples."""
    one = np.full((CATEGORIES, CATEGORIES), (1 - KEEP) / (CATEGORIES - 1))
    np.fill_diagonal(one, KEEP)
    whole = np.ones((1, 1))
    for _ in range(FEATURES):
        whole = np.kron(whole, one)
    found: NDArray[np.float64] = whole @ np.eye(labels.max() + 1)[labels]
    return found


def counted(model: Any, x: NDArray[Any], seed: int) -> NDArray[np.int64]:
    point = InputSpace((FEATURES,), BOUNDS).point(x)
    out = np.empty((N, FEATURES), np.float32)
    NoisyStream(point, LAW, seed, "estimation").write(0, out)
    return np.bincount(model.classify(out), minlength=2)


def test_sampling_certifies_what_is_true_and_most_of_it(model: Any) -> None:
    exact = smoothed(model.classify(EVERY))
    answers = exact.argmax(axis=1)
    distance = (EVERY[:, None] != EVERY[None]).sum(axis=2)
    certified, possible = [], []
    for i, x in enumerate(EVERY):
        counts = counted(model, x, seed=7)
        top = int(counts.argmax())
        lower = clopper_pearson_lower(int(counts[top]), N, ALPHA)
        # Wrong with a chance of 2 · 243 · ALPHA over the whole test, whatever the tree.
        assert lower <= exact[i, top]
        radius = LAW.radius(lower)
        if lower > 0.5:
            assert (answers[distance[i] <= radius] == top).all()
        certified.append(radius)
        possible.append(LAW.radius(exact[i].max()))
    assert sum(certified) >= 0.7 * sum(possible) > 0
    assert max(certified) >= 3
