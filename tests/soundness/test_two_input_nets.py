"""Sampled certificates of small ReLU nets, whose smoothed version is integrated exactly.

Along a line in the plane a net is made of pieces of lines, so the mass of class 1 on it is a sum of
differences of Φ; over the other value it is integrated by Gauss and Legendre between all points
where that sum changes its form.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from onnx import ModelProto, helper, numpy_helper
from onnx_models import FLOAT, node
from scipy import special, stats

import rsonnx

X = (0.25, -0.5)
ALPHA = 1e-6
FAR = 9
"""In sigmas, with 1e-19 of the mass beyond."""

NODES, SHARES = np.polynomial.legendre.leggauss(24)


@dataclass(frozen=True)
class Net:
    """Class 1 where ``out · relu(weights x + biases) + constant`` is above 0; all in eighths.

    Attributes:
        p: the mass of class 1 around X at sigma 0.25 and 0.5, to 11 digits (the shared half of
            ``deterministic.json``; cross-checked by 400,000 samples).
    """

    weights: list[list[int]]
    biases: list[int]
    out: list[int]
    constant: int
    p: tuple[float, float]

    def score(self, point: Sequence[float]) -> float:
        """Return the score of a point."""
        hidden = np.array(self.weights) @ point + self.biases
        return float((np.maximum(hidden, 0) @ self.out + 8 * self.constant) / 64)

    def model(self) -> ModelProto:
        """Return scores 0 and that of the net as an ONNX model."""
        tensors = {
            "w": np.array(self.weights).T / 8,
            "b": np.array(self.biases) / 8,
            "v": np.stack([np.zeros(len(self.out)), np.array(self.out) / 8], 1),
            "c": np.array([0, self.constant / 8]),
        }
        graph = helper.make_graph(
            [
                node("Gemm", ["x", "w", "b"], "h"),
                node("Relu", ["h"], "r"),
                node("Gemm", ["r", "v", "c"], "y"),
            ],
            "net",
            [helper.make_tensor_value_info("x", FLOAT, ["n", 2])],
            [helper.make_tensor_value_info("y", FLOAT, ["n", 2])],
            [numpy_helper.from_array(t.astype(np.float32), name) for name, t in tensors.items()],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    def mass(self, sigma: float) -> float:
        """Return the mass of class 1 under Gaussian noise around X."""
        folds = [(*w, k) for w, k in zip(self.weights, self.biases, strict=True)]
        edges = {X[0] + sigma * k / 4 for k in range(-4 * FAR, 4 * FAR + 1)}
        edges |= {-k / m for m, n, k in folds if n == 0 != m}
        for (a, b, c), (d, e, f) in itertools.combinations(folds, 2):  # where two folds cross
            if a * e != b * d:
                edges.add((b * f - e * c) / (a * e - b * d))
        for m, n, k in folds:  # where the score is 0 on a fold
            if n:
                edges |= roots(lambda u, m=m, n=n, k=k: self.score([u, -(m * u + k) / n]), edges)
        ends = np.array(sorted(u for u in edges if abs(u - X[0]) <= FAR * sigma))
        low, width = ends[:-1, None], np.diff(ends)[:, None]
        points = low + width * (NODES + 1) / 2
        density = np.exp(-(((points - X[0]) / sigma) ** 2) / 2) / np.sqrt(2 * np.pi) / sigma
        lines = np.array([[self._on_line(u, sigma) for u in row] for row in points])
        return float((width / 2 * SHARES * density * lines).sum())

    def _on_line(self, u: float, sigma: float) -> float:
        """Return the mass of class 1 over the second value, the first being u."""
        ends = {X[1] - FAR * sigma, X[1] + FAR * sigma}
        ends |= {
            -(m * u + k) / n
            for (m, n), k in zip(self.weights, self.biases, strict=True)
            if n and abs(-(m * u + k) / n - X[1]) < FAR * sigma
        }
        at = np.array(sorted(ends | roots(lambda v: self.score([u, v]), ends)))
        above = np.array([self.score([u, v]) > 0 for v in (at[1:] + at[:-1]) / 2])
        return float(np.diff(special.ndtr((at - X[1]) / sigma)) @ above)


def roots(line: Callable[[float], float], knots: Iterable[float]) -> set[float]:
    """Return the zeros of a function that is a line between knots."""
    ends = [(at, line(at)) for at in sorted(knots)]
    return {p + (q - p) * f / (f - g) for (p, f), (q, g) in itertools.pairwise(ends) if f * g < 0}


NETS = (
    Net(
        [[-1, 1], [6, 11], [-12, -9], [8, 11]],
        [-4, -3, 6, -1],
        [-5, 7, -5, -2],
        1,
        (0.047086417906, 0.204262165551),
    ),
    Net(
        [[8, -6], [-10, -5], [-2, 8], [-1, -10], [-4, 3], [8, 6]],
        [8, -5, 6, -8, 1, -4],
        [-6, 3, -4, 1, -5, -7],
        2,
        (0.000000045444, 0.002661496808),
    ),
    Net(
        [[4, 8], [-12, 8], [-1, 1], [3, -5], [12, -11], [-6, -3]],
        [1, -2, -6, -8, -8, -8],
        [-7, 10, -6, 3, 5, -6],
        -2,
        (0.244468005917, 0.393433851446),
    ),
    Net(
        [[-2, 9], [12, -5], [-10, 3], [4, 7], [4, 5], [10, 10], [11, 9], [6, 10]],
        [-8, -8, 5, -1, 4, 0, 7, -7],
        [4, -10, -7, 7, -4, 10, -3, 6],
        4,
        (0.392654573836, 0.366729470981),
    ),
    Net(
        [[-9, -9], [7, 1], [2, 3], [5, -12], [1, -9]],
        [-2, 7, 1, -7, 1],
        [-8, 5, 9, 10, 3],
        3,
        (0.997909385832, 0.943738075321),
    ),
    Net(
        [[-9, 8], [4, -3], [-10, 5], [-4, 9], [-4, 4], [-8, 1], [-11, 7], [-10, 5]],
        [4, -1, 5, 1, 6, 4, 7, -7],
        [-10, 3, 5, 5, 7, -2, 7, 0],
        -3,
        (0.593246922820, 0.574280333317),
    ),
)


@pytest.mark.parametrize("sigma", [0.25, 0.5])
@pytest.mark.parametrize("net", NETS)
def test_sampled_certificates_stay_below_the_exact_smoothed_classifier(
    net: Net, sigma: float
) -> None:
    """Fixed seed; each of the 12 bounds is false with odds of 1e-6."""
    p = net.mass(sigma)
    assert p == pytest.approx(net.p[(0.25, 0.5).index(sigma)], abs=1e-11)
    base = rsonnx.load(net.model(), providers=["cpu"], preprocess="none", bounds=(-1, 1))
    smoothed = rsonnx.SmoothedClassifier(base, sigma=sigma)
    sampled = smoothed.certify(np.array(X), n0=2_000, n=20_000, alpha=ALPHA, seed=3)
    top = int(p > 0.5)
    radius = -sigma * float(special.ndtri(min(p, 1 - p)))
    assert sampled.label == top
    assert 0 < sampled.radius < radius
    # The estimate itself is a binomial share of the exact mass; odds of failing 2e-6.
    counts = sampled.counts.estimation
    low, high = stats.binom.ppf([1e-6, 1 - 1e-6], 20_000, p)
    assert low <= counts[1] <= high
