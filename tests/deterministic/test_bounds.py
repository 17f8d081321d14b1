"""Bounds are proofs: of exact arithmetic, and of what onnxruntime computes in float32."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layered_models import RELU_NET, certified, gradient, outputs, read
from numpy.typing import NDArray
from onnx_models import rows_model

from rsonnx.deterministic import METHODS, NORMS, Ball, Network, Verifier

CONVOLUTIONAL = """
a = Sub(x, mean); n = Mul(a, factor);
c = Conv<strides=[2,2],pads=[1,1,1,1]>(n, w1, b1); cn = BatchNormalization(c, s, o, m, v);
r = Relu(cn);
d = Conv<pads=[1,1,1,1]>(r, w2, b2); dn = BatchNormalization(d, s, o, m, v);
e = Add(dn, r); f = Relu(e); g = Add(f, cn); h = Relu(g);
p = AveragePool<kernel_shape=[2,2],strides=[2,2]>(h);
flat = Flatten<axis=1>(p); l = Gemm<transB=1>(flat, w3, b3); k = Relu(l);
y = Gemm<transB=1>(k, w4, b4)
"""


def convolutional(seed: int) -> Any:
    generator = np.random.default_rng(seed)

    def normal(*shape: int, scale: float = 1.0) -> NDArray[np.float32]:
        return (scale * generator.standard_normal(shape)).astype(np.float32)

    weights = {
        "mean": np.float32([0.3]),
        "factor": np.float32([2.7]),
        "w1": normal(4, 2, 3, 3, scale=0.3),
        "b1": normal(4, scale=0.1),
        "w2": normal(4, 4, 3, 3, scale=0.2),
        "b2": normal(4, scale=0.1),
        "s": 1 + normal(4, scale=0.2),
        "o": normal(4, scale=0.2),
        "m": normal(4, scale=0.2),
        "v": generator.uniform(0.3, 2.0, 4).astype(np.float32),
        "w3": normal(10, 36, scale=0.3),
        "b3": normal(10, scale=0.1),
        "w4": normal(3, 10, scale=0.5),
        "b4": normal(3, scale=0.1),
    }
    return rows_model(CONVOLUTIONAL, (2, 11, 11), weights)


def shrunk(step: NDArray[Any], norm: str, radius: float) -> NDArray[Any]:
    """Return a step, scaled to a radius; a network may be constant, which gives no direction."""
    length = np.linalg.norm(step, {"l2": 2, "linf": np.inf, "l1": 1}[norm])
    return np.asarray(step * radius / length if length else step)


def steepest(slope: NDArray[Any], norm: str) -> NDArray[Any]:
    """Return the direction in which a linear function grows most."""
    if norm == "l1":
        return np.where(np.arange(len(slope)) == abs(slope).argmax(), slope, 0.0)
    return np.sign(slope) if norm == "linf" else slope


def attacked(
    network: Network, x: NDArray[Any], label: int, norm: str, radius: float, seed: int
) -> list[NDArray[Any]]:
    """Return points of a ball, most of its surface: random ones, and those of ascents."""
    generator = np.random.default_rng(seed)
    points = [x + shrunk(generator.standard_normal(len(x)), norm, radius) for _ in range(20)]
    for other in range(network.widths[-1]):
        row = np.eye(network.widths[-1])[other] - np.eye(network.widths[-1])[label]
        step = np.zeros(len(x))
        for _ in range(10 if other != label else 0):
            step = step + shrunk(steepest(gradient(network, x + step, row), norm), norm, radius / 4)
            length = np.linalg.norm(step, {"l2": 2, "linf": np.inf, "l1": 1}[norm])
            step = step * min(1.0, radius / length) if length else step
            points.append(x + step)
    return points


@given(st.integers(0, 2**32 - 1), st.sampled_from(NORMS), st.sampled_from(METHODS))
def test_no_point_of_a_certified_ball_changes_the_label(seed: int, norm: str, method: str) -> None:
    model = convolutional(seed)
    network = read(model)
    x = np.random.default_rng(seed).random(network.size).astype(np.float32).astype(np.float64)
    label = int(outputs(model, x).argmax())
    radius = certified(network, x, label, norm, method=method)
    assert radius > 0
    points = np.array(attacked(network, x, label, norm, radius, seed))
    assert (outputs(model, points).argmax(axis=1) == label).all()


@pytest.mark.slow
def test_attacks_of_the_test_above_succeed_where_nothing_is_certified() -> None:
    """Otherwise it would show nothing."""
    broken = 0
    for seed in range(8):
        model = convolutional(seed)
        network = read(model)
        x = np.random.default_rng(seed).random(network.size)
        label = int(outputs(model, x).argmax())
        radius = certified(network, x, label, "l2")
        points = np.array(attacked(network, x, label, "l2", 4 * radius, seed))
        broken += bool((outputs(model, points).argmax(axis=1) != label).any())
    assert broken >= 3


def test_methods_are_ordered_and_bound_the_same() -> None:
    model = convolutional(3)
    network = read(model)
    x = np.full(network.size, 0.5)
    label = int(outputs(model, x).argmax())
    radii = [certified(network, x, label, "linf", method=method) for method in METHODS]
    assert radii == sorted(radii, reverse=True)
    assert radii[0] > radii[2]


def exact_scores(weights: dict[str, NDArray[Any]], x: NDArray[Any]) -> list[Fraction]:
    """Return the scores of a network of one hidden layer, in rational arithmetic."""

    def affine(matrix: NDArray[Any], bias: NDArray[Any], values: list[Fraction]) -> list[Fraction]:
        rows = zip(matrix.tolist(), bias.tolist(), strict=True)
        return [
            sum((Fraction(m) * v for m, v in zip(row, values, strict=True)), Fraction(b))
            for row, b in rows
        ]

    hidden = affine(weights["w"], weights["b"], [Fraction(v) for v in x.tolist()])
    return affine(weights["o"], weights["c"], [max(value, Fraction(0)) for value in hidden])


@given(st.integers(0, 2**32 - 1), st.integers(0, 20))
def test_bounds_hold_in_exact_arithmetic_and_in_float32(seed: int, spread: int) -> None:
    """At radius 0 nothing but rounding is between a bound and the score, which cancels here."""
    generator = np.random.default_rng(seed)

    def wild(*shape: int) -> NDArray[np.float32]:
        sizes = np.exp2(generator.uniform(-spread, spread, shape))
        return (sizes * generator.standard_normal(shape)).astype(np.float32)

    weights = {"w": wild(12, 5), "b": wild(12), "o": wild(2, 12), "c": wild(2)}
    weights["o"][1] = weights["o"][0] * np.float32(1 + 2**-20)
    weights["c"][1] = weights["c"][0]
    model = rows_model(RELU_NET, (5,), weights)
    network, x = read(model), wild(5).astype(np.float64)
    exact = exact_scores(weights, x)
    computed = outputs(model, x)[0].astype(np.float64)
    ball = Ball(x, "linf", 0.0)
    real, rounded = (Verifier(network, ball, arithmetic=a) for a in ("real", "float32"))
    size = max(abs(exact[0]), abs(exact[1]), 1)
    for label in (0, 1):
        difference = exact[label] - exact[1 - label]
        margin = Fraction(float(real.margins(label)[0]))
        assert margin <= difference
        assert difference - margin <= size * Fraction(2) ** (5 * spread - 40)
        assert rounded.margins(label)[0] <= computed[label] - computed[1 - label]
    assert (rounded.scores.low <= computed).all()
    assert (computed <= rounded.scores.high).all()


def test_a_label_that_only_rounding_makes_is_not_certified_of_the_file_as_it_runs() -> None:
    """In float32 2**25 + 1 is 2**25, so the file answers class 1, the function that it states 0."""
    weights = {
        "w": np.float32([[2**25], [2**25]]),
        "b": np.float32([1, 0]),
        "o": np.float32([[1, -1], [0, 0]]),
        "c": np.float32([0, 0.5]),
    }
    model = rows_model(RELU_NET, (1,), weights)
    assert outputs(model, np.ones(1)).argmax() == 1
    ball = Ball(np.ones(1), "l2", 0.0)
    assert Verifier(read(model), ball, arithmetic="real").margins(0)[0] > 0
    for label in (0, 1):
        assert Verifier(read(model), ball).margins(label)[0] <= 0


def test_numbers_that_float32_cannot_hold_certify_nothing() -> None:
    weights = {
        "w": np.float32([[1e38]] * 2),
        "b": np.float32([0, 0]),
        "o": np.float32([[1e38, 0], [0, 1]]),
        "c": np.float32([0, 0]),
    }
    network = read(rows_model(RELU_NET, (1,), weights))
    margins = Verifier(network, Ball(np.ones(1), "l2", 0.1)).margins(0)
    assert (margins == -np.inf).all()


@pytest.mark.parametrize("norm", NORMS)
def test_a_ball_bounds_linear_functions_within_its_bounds_and_beside_fixed_places(
    norm: str,
) -> None:
    generator = np.random.default_rng(5)
    center = generator.random(6)
    rows = generator.standard_normal((40, 6))
    ball = Ball(center, norm, 0.7, bounds=(0.0, 1.0), fixed=(1, 4))
    steps = np.array([shrunk(step, norm, 0.6999) for step in generator.standard_normal((500, 6))])
    steps[:, [1, 4]] = 0
    points = np.clip(center + steps, 0, 1)  # no further away
    low, high = ball.box
    assert ((low <= points) & (points <= high)).all()
    assert (low[[1, 4]] == center[[1, 4]]).all()
    assert (ball.lowest(rows)[:, None] <= rows @ points.T).all()
    assert (ball.lowest(rows) >= Ball(center, norm, 0.7).lowest(rows)).all()
