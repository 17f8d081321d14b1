"""Ensembles of stumps that know the noise (De-Randomized Smoothing, arXiv 2205.13909, section 4).

Under noise a row falls below a cut with a probability, and counts on both sides with its share, so
that nothing is sampled. Either every feature has one stump, of the cut with the least expected
entropy, and as leaves the frequencies of the classes on either side, their maximum-likelihood
estimates. Or stumps are boosted: each takes Newton's step for the logistic loss that is expected
under the noise. Leaves are whole hundredths: float32 sums are exact, and scores lie on a lattice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from scipy import special

Floats = NDArray[np.float64]

NOISES: dict[str, Callable[[Floats], Floats]] = {
    "gaussian": special.ndtr,
    "laplace": lambda z: np.where(z < 0, np.exp(-abs(z)), 2 - np.exp(-abs(z))) / 2,
    "uniform": lambda z: np.clip((z + 1) / 2, 0, 1),
}
"""Distribution functions, at a scale (sigma of the first, lambda of the others) of 1."""

CUTS = 100
"""Cuts that are tried between the lowest and the highest value of a feature."""
RATE = 0.3
"""Share of Newton's step that a boosted stump takes."""


@dataclass(frozen=True)
class Stumps:
    """An ensemble; with one score class 1 is above 0, with more the largest wins.

    Attributes:
        noise, scale: of the smoothing.
        features: (stumps,) the value that each looks at.
        cuts: (stumps,) float32; a value at most the cut gives the left leaf.
        leaves: (stumps, 2, scores), left and right, in hundredths.
    """

    noise: str
    scale: float
    features: NDArray[np.int64]
    cuts: NDArray[np.float32]
    leaves: NDArray[np.int64]

    def cells(self, column: Floats) -> tuple[NDArray[np.float32], Floats]:
        """Return cuts to try, and with what probability noise takes each row to each cell between.

        Args:
            column: [N], a value of each row.

        Returns:
            [cuts], and [cuts + 1, N].
        """
        low, high = column.min(), column.max()
        cuts = np.linspace(low, high, CUTS + 2)[1:-1].astype(np.float32)
        values, place = np.unique(column, return_inverse=True)
        below = NOISES[self.noise]((cuts[:, None].astype(np.float64) - values) / self.scale)
        return cuts, np.diff(below, axis=0, prepend=0, append=1)[:, place]

    def with_stump(self, feature: int, cut: np.float32, leaves: Floats) -> Stumps:
        """Return the ensemble with one more; leaves: (2, scores), in hundredths, to be rounded."""
        whole = np.rint(leaves).astype(np.int64)
        if (whole[0] == whole[1]).all():
            return self
        return replace(
            self,
            features=np.append(self.features, feature),
            cuts=np.append(self.cuts, cut),
            leaves=np.append(self.leaves, whole[None], axis=0),
        )


def untrained(noise: str, scale: float, classes: int) -> Stumps:
    """Return an ensemble of no stumps."""
    leaves = np.zeros((0, 2, 1 if classes == 2 else classes), np.int64)
    return Stumps(noise, scale, np.zeros(0, np.int64), np.zeros(0, np.float32), leaves)


def independent(stumps: Stumps, x: Floats, y: NDArray[np.int64]) -> Stumps:
    """Return the ensemble with a stump for every feature that tells the classes apart.

    Args:
        stumps: to which they are added.
        x, y: training rows, [N, features], and their labels from 0 on. All classes weigh the same.
    """
    share = np.eye(y.max() + 1)[y] / np.bincount(y)[y, None]
    for feature in np.flatnonzero(np.ptp(x, axis=0)):
        cuts, cells = stumps.cells(x[:, feature])
        left = (cells @ share).cumsum(axis=0)
        sides = np.stack([left[:-1], left[-1] - left[:-1]], axis=1)  # [cuts, side, class]
        sizes = sides.sum(axis=2)
        frequencies = sides / np.maximum(sizes, 1e-300)[..., None]
        best = int((special.entr(frequencies).sum(axis=2) * sizes).sum(axis=1).argmin())
        leaves = 100 * frequencies[best]
        if stumps.leaves.shape[2] == 1:
            leaves = leaves[:, 1:] - 50
        stumps = stumps.with_stump(int(feature), cuts[best], leaves)
    return stumps


def boosted(stumps: Stumps, x: Floats, y: NDArray[np.int64], rounds: int) -> Stumps:
    """Return the ensemble of two classes, of no stumps yet, with so many.

    A score is a logit in hundredths. What a row adds to the gradient on one side of a cut depends
    on the score there, whose part from the other features is taken as normal, of the exact mean and
    variance; the logistic function of a normal number has about the mean of MacKay's formula.
    """
    features = np.flatnonzero(np.ptp(x, axis=0)).tolist()
    tried = [stumps.cells(x[:, feature]) for feature in features]
    own = np.zeros((len(features), CUTS + 1))  # of each feature, in each cell
    means, variances = np.zeros((2, len(features), len(y)))
    for _ in range(rounds):
        gains, steps = [], []
        for (_, cells), score, mean, variance in zip(tried, own, means, variances, strict=True):
            others = np.maximum(variances.sum(axis=0) - variance, 0)
            spread = np.sqrt(1 + np.pi / 8 * others)
            p = special.expit((means.sum(axis=0) - mean + score[:, None]) / spread)
            gradient = (cells * (y - p)).sum(axis=1).cumsum()
            curvature = (cells * p * (1 - p) / spread).sum(axis=1).cumsum() + 1e-9
            slopes = np.stack([gradient[:-1], gradient[-1] - gradient[:-1]])
            curves = np.stack([curvature[:-1], curvature[-1] - curvature[:-1] + 1e-9])
            gains.append((slopes**2 / curves).sum(axis=0))
            steps.append(slopes / curves)
        at, cut = np.unravel_index(int(np.argmax(gains)), (len(features), CUTS))
        leaves = np.rint(100 * RATE * steps[at][:, cut])
        stumps = stumps.with_stump(features[at], tried[at][0][cut], leaves[:, None])
        own[at] += np.where(np.arange(CUTS + 1) <= cut, *leaves) / 100
        means[at] = own[at] @ tried[at][1]
        variances[at] = own[at] ** 2 @ tried[at][1] - means[at] ** 2
    return stumps


def model_of(stumps: Stumps, shape: tuple[int, ...]) -> onnx.ModelProto:
    """Return the ensemble as one TreeEnsembleClassifier of inputs of ``shape``, flat or not.

    Raises:
        ValueError: a binary ensemble has no negative leaf, so that onnxruntime would compare with
            1/2 in place of 0.
    """
    count, _, scores = stumps.leaves.shape
    if scores == 1 and stumps.leaves.min() >= 0:
        raise ValueError("no leaf speaks for class 0; the classes cannot be told apart")
    trees = np.repeat(np.arange(count), 3)
    attributes: dict[str, Any] = {
        "nodes_treeids": trees,
        "nodes_nodeids": np.tile([0, 1, 2], count),
        "nodes_featureids": np.repeat(stumps.features, 3) * np.tile([1, 0, 0], count),
        "nodes_values": np.repeat(stumps.cuts, 3) * np.tile(np.float32([1, 0, 0]), count),
        "nodes_truenodeids": np.tile([1, 0, 0], count),
        "nodes_falsenodeids": np.tile([2, 0, 0], count),
        "class_treeids": np.repeat(np.arange(count), 2 * scores),
        "class_nodeids": np.tile(np.repeat([1, 2], scores), count),
        "class_ids": np.tile(np.arange(scores), 2 * count),
        "class_weights": stumps.leaves.reshape(-1).astype(np.float32),
    }
    classes = max(2, scores)
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node(
            "TreeEnsembleClassifier",
            ["flat" if len(shape) > 1 else "x"],
            ["label", "scores"],
            domain="ai.onnx.ml",
            nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"] * count,
            classlabels_int64s=list(range(classes)),
            **{key: values.tolist() for key, values in attributes.items()},
        ),
    ]
    graph = helper.make_graph(
        nodes[len(shape) < 2 :],
        "stumps",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", *shape])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, ["batch"]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", classes]),
        ],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)
