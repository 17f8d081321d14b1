"""Brackets calculated again by other arithmetic: confirmed, and refuted where they are better."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from closed_forms import cells_of, real_point, stump_sum
from exact_oracle import Cut, Stump
from hypothesis import given
from hypothesis import strategies as st

from rsonnx.closed_form import Boxes, Decision, Form, Linear
from rsonnx.noise import AnisotropicGaussian, Gaussian, InputSpace, Laplace, Law, Point, Uniform
from rsonnx.procedures.brackets import bracket
from rsonnx.procedures.confirming import unconfirmed

LEAVES = {
    "lattice": st.integers(-12, 12).map(lambda k: k / 4),
    "decimal": st.integers(-12, 12).map(lambda k: float(np.float32(k / 10))),
    "float": st.floats(-3, 3, width=32),
}
LAWS: list[Law] = [
    Gaussian(0.3),
    Gaussian(0.02),
    Laplace(0.2),
    Uniform(0.4),
    AnisotropicGaussian((0.1, 0.0, 2.0, 0.4)),
]


def _confirmed(form: Form, law: Law, point: Point) -> None:
    found = bracket(form, law, point)
    assert list(unconfirmed(form, law, point, found)) == []
    for better in (
        replace(found, p_b_upper=found.p_b_upper * 0.9),
        replace(found, p_a_upper=found.p_a_upper * 0.9),
        replace(found, label=7),
    ):
        if better.p_b_upper >= 2.0**-1000:
            assert list(unconfirmed(form, law, point, better))


@pytest.mark.parametrize("leaf", LEAVES)
@pytest.mark.parametrize("scores", [1, 3])
def test_sums(leaf: str, scores: int) -> None:
    leaves = st.tuples(*[LEAVES[leaf]] * scores)
    cut = st.builds(Cut, st.floats(-1, 2, width=32), st.booleans())
    stumps = st.lists(
        st.builds(Stump, st.integers(0, 3), cut, leaves, leaves), min_size=1, max_size=6
    )

    @given(
        stumps,
        st.sampled_from(LAWS),
        st.lists(st.floats(-1, 2), min_size=4, max_size=4),
        st.sampled_from([0.0, 1e-6]),
        st.booleans(),
    )
    def check(own: list[Stump], law: Law, x: list[float], slack: float, tie: bool) -> None:
        classes = (0, 1) if scores == 1 else (2, 0, 1)
        form = stump_sum(own, Decision(classes, np.full(scores, slack), 0.25 * (scores == 1), tie))
        found = bracket(form, law, real_point(x))
        assert list(unconfirmed(form, law, real_point(x), found)) == []

    check()


def _stumps(count: int, seed: int, leaf: Any) -> list[Stump]:
    generator = np.random.default_rng(seed)
    return [
        Stump(
            at % 4,
            Cut(float(np.float32(generator.random()))),
            (leaf(generator),),
            (leaf(generator),),
        )
        for at in range(count)
    ]


@pytest.mark.parametrize("law", LAWS)
def test_a_better_bracket_is_refuted(law: Law) -> None:
    for leaf in (lambda g: g.integers(-9, 9) / 4, lambda g: float(np.float32(g.normal()))):
        form = stump_sum(_stumps(12, 3, leaf), Decision((0, 1), np.zeros(1)))
        _confirmed(form, law, real_point([0.31, 0.62, 0.45, 0.5]))


def test_leaves_of_very_different_sizes_are_rounded_outward() -> None:
    sizes = (1e-30, 1e-12, 1.0, 1e9)
    own = _stumps(12, 5, lambda g: float(np.float32(g.normal() * sizes[int(g.integers(4))])))
    form = stump_sum(own, Decision((0, 1), np.zeros(1)))
    _confirmed(form, Gaussian(0.3), real_point([0.31, 0.62, 0.45, 0.5]))


def test_levels_trees_and_half_spaces() -> None:
    space = InputSpace((2,))
    levels = space.point(np.array([100, 140], np.uint8))
    own = [
        Stump(0, Cut(100 / 255), (-1.0,), (1.0,)),
        Stump(1, Cut(0.5, leq=False), (0.25,), (-0.5,)),
    ]
    _confirmed(stump_sum(own, Decision((0, 1), np.zeros(1))), Gaussian(0.05), levels)
    cuts = cells_of({0: [Cut(0.3), Cut(0.6)], 1: [Cut(0.5)]})
    first, last = np.array([[0, 0], [1, 0], [1, 1]]), np.array([[0, 1], [2, 0], [2, 1]])
    tree = Boxes(cuts, first, last, np.array([0, 1, 2]))
    for law, point in ((Laplace(0.2), real_point([0.7, 0.8])), (Gaussian(0.1), levels)):
        _confirmed(tree, law, point)
    for rows in ([[1.0, -0.5]], [[1.0, -0.5], [0.25, 2.0], [-1.0, 0.0]]):
        weights = np.array(rows)
        decision = Decision(tuple(range(max(2, len(rows)))), np.full(len(rows), 1e-7))
        form = Linear(weights, np.zeros(len(rows)), 2.0**-22 * np.abs(weights), 1e30, decision)
        for law, point in ((Gaussian(0.3), real_point([0.7, 0.8])), (Gaussian(0.1), levels)):
            _confirmed(form, law, point)
