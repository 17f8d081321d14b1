"""Ensembles of stumps that know the noise (De-Randomized Smoothing, arXiv 2205.13909, section 4).

Under noise a row falls below a cut with a probability, and counts on both sides with its share. A
stump a feature has the cut of least expected entropy, and as leaves the frequencies of the classes
on either side, which are their maximum-likelihood estimates. Further ensembles of such stumps are
trained on rows that are weighted by what the smoothed sum of the earlier ones, computed exactly,
makes of them. Leaves are whole hundredths: float32 sums are exact, and scores lie on a lattice.
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
ROWS = 256
"""Rows whose distributions of the score are computed at a time."""


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

    def below(self, distances: Floats) -> Floats:
        """Return P(noise <= distance)."""
        return NOISES[self.noise](distances / self.scale)

    def probabilities(self, x: Floats) -> Floats:
        """Return the smoothed probability of class 1 of two, [N], by convolution over features."""
        parts = [x[start : start + ROWS] for start in range(0, len(x), ROWS)]
        return np.concatenate([self._convolved(part) for part in parts])

    def _convolved(self, x: Floats) -> Floats:
        masses, lowest = np.ones((len(x), 1)), 0
        for feature in np.unique(self.features):
            own = np.flatnonzero(self.features == feature)
            own = own[np.argsort(self.cuts[own], kind="stable")]
            left, right = self.leaves[own, 0, 0], self.leaves[own, 1, 0]
            # Cell k lies above the first k cuts and below the others.
            sums = np.append(0, right.cumsum()) + np.append(left[::-1].cumsum()[::-1], 0)
            up_to = self.below(self.cuts[own].astype(np.float64) - x[:, feature, None])
            shares = np.diff(up_to, axis=1, prepend=0, append=1)
            wider = np.zeros((len(x), masses.shape[1] + int(np.ptp(sums))))
            for share, shift in zip(shares.T, sums - sums.min(), strict=True):
                wider[:, shift : shift + masses.shape[1]] += masses * share[:, None]
            masses, lowest = wider, lowest + int(sums.min())
        return masses[:, max(0, 1 - lowest) :].sum(axis=1)


def trained(
    x: Floats, y: NDArray[np.int64], noise: str, scale: float, ensembles: int = 1
) -> Stumps:
    """Return so many ensembles, one stump a feature in each, that are added up.

    Classes have equal weight. Before each further ensemble, of two classes only, a row is weighted
    by the logistic function of -2 times its radius in sigmas (Φ⁻¹ of the smoothed probability of
    its class), as in boosting: what is wrong or nearly so counts most.

    Args:
        x, y: training rows, [N, features], and their labels from 0 on.
        noise, scale: of the smoothing.
        ensembles: 1 or more.
    """
    classes = int(y.max()) + 1
    scores = 1 if classes == 2 else classes
    stumps = Stumps(
        *(noise, scale, np.zeros(0, np.int64), np.zeros(0, np.float32)),
        np.zeros((0, 2, scores), np.int64),
    )
    weights = np.ones(len(y))
    for round in range(ensembles):
        if round:
            p = stumps.probabilities(x)
            weights = special.expit(-2 * (2 * y - 1) * special.ndtri(np.clip(p, 1e-15, 1 - 1e-15)))
        stumps = _with_ensemble(stumps, x, y, weights / np.bincount(y, weights)[y])
    return stumps


def _with_ensemble(stumps: Stumps, x: Floats, y: NDArray[np.int64], weights: Floats) -> Stumps:
    """Return the ensemble with a stump more for every feature that tells the classes apart."""
    share = np.eye(y.max() + 1)[y] * weights[:, None]
    for feature in range(x.shape[1]):
        values, place = np.unique(x[:, feature], return_inverse=True)
        if len(values) == 1:
            continue
        cuts = np.linspace(values[0], values[-1], CUTS + 2)[1:-1].astype(np.float32)
        sums = [np.bincount(place, w, minlength=len(values)) for w in share.T]
        left = stumps.below(cuts[:, None].astype(np.float64) - values) @ np.stack(sums, axis=1)
        sides = np.stack([left, share.sum(axis=0) - left], axis=1)  # [cuts, side, class]
        sizes = sides.sum(axis=2)
        frequencies = sides / np.maximum(sizes, 1e-300)[..., None]
        best = int((special.entr(frequencies).sum(axis=2) * sizes).sum(axis=1).argmin())
        leaves = np.rint(100 * frequencies[best]).astype(np.int64)
        if stumps.leaves.shape[2] == 1:
            leaves = leaves[:, 1:] - 50
        if (leaves[0] != leaves[1]).any():
            stumps = replace(
                stumps,
                features=np.append(stumps.features, feature),
                cuts=np.append(stumps.cuts, cuts[best]),
                leaves=np.append(stumps.leaves, leaves[None], axis=0),
            )
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
