"""Splitting noise (Levine & Feizi, arXiv 2103.10834): golden counts, and brute force over l1 balls.

The oracle is the formula in floating point, as the paper has it, and the certificate is compared
with the answers at every input of the ball.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from noise_laws import by_chance
from numpy.typing import NDArray
from scipy import stats

from rsonnx.counts import Counts
from rsonnx.errors import DataError, UsageError
from rsonnx.noise import ExactOutcome, InputSpace, NoisyStream, Point
from rsonnx.noise.laws.splitting import Splitting

Classify = Callable[[NDArray[np.float32]], NDArray[np.int64]]


def point(levels: Any) -> Point:
    levels = np.asarray(levels, np.uint8)
    return InputSpace(levels.shape).point(levels)


def outcomes(law: Splitting, levels: Any) -> NDArray[np.float32]:
    at = point(levels)
    out = np.full((law.levels, *at.space.shape), np.nan, np.float32)
    NoisyStream(at, law, 0, "estimation").write(0, out)
    return out


def smoothed(law: Splitting, levels: Any, classify: Classify) -> tuple[Counts, ExactOutcome]:
    counts = Counts.from_labels(classify(outcomes(law, levels)))
    return counts, law.certify(counts)


def above_half(batch: NDArray[np.float32]) -> NDArray[np.int64]:
    return (batch[:, 0] > 0.5).astype(np.int64)


def shares(seed: int, common: float) -> dict[int, float]:
    """One of three classes is the most common; the others and no class share the rest."""
    first, *others = [k % 3 for k in range(seed, seed + 3)]
    return {first: common} | dict.fromkeys([*others, -1], (1 - common) / 3)


def formula(lam: float, x: float, s: NDArray[np.float64]) -> NDArray[np.float64]:
    """The paper's sample at cuts s in (0, 2λ), in floating point."""
    if lam >= 0.5:
        return ((x > s) + np.minimum(s, 1)) / 2
    c = np.ceil((x - s) / (2 * lam)) * 2 * lam + s
    return (np.minimum(c, 1) + np.maximum(c - 2 * lam, 0)) / 2


@pytest.mark.parametrize(
    ("lam", "level", "expected", "label", "steps"),
    [(1.0, 100, [410, 100], 0, 155), (0.5, 200, [55, 200], 1, 72)],
)
def test_golden_counts(lam: float, level: int, expected: list[int], label: int, steps: int) -> None:
    """By the rule of the golden file's ``splitting_noise``, f = 1[x > .5] on one feature."""
    counts, found = smoothed(Splitting(lam), [level], above_half)
    assert list(counts) == expected
    assert found.label == label
    assert Fraction(found.radius) <= Fraction(steps, 255)
    assert found.radius == pytest.approx(steps / 255, rel=2**-52)


def test_the_golden_radius_is_the_largest() -> None:
    law = Splitting(0.5)
    assert smoothed(law, [200 - 72], above_half)[1].label == 1
    assert smoothed(law, [200 - 73], above_half)[1].label == 0


@pytest.mark.parametrize("seed", [0, 7])
@pytest.mark.parametrize("levels", [1, 2, 51, 153, 254, 255, 256, 257, 510, 1020])
def test_samples_follow_the_formula(levels: int, seed: int) -> None:
    """All 256 levels at once, one a feature; float32 rounds the result by up to 2^-25."""
    law = Splitting(levels / 510, seed=seed)
    assert law.levels == levels
    found = outcomes(law, np.arange(256))
    assert found.min() >= 0
    assert found.max() <= 1
    for level in range(0, 256, 5):
        every = (np.arange(levels) + 0.5) / 255
        expected = formula(law.lam, level / 255, every)
        # Each feature has every cut once, from an offset of its own on.
        rolls = [np.abs(np.roll(expected, -v) - found[:, level]).max() for v in range(levels)]
        assert min(rolls) < 2**-24


def test_the_outcomes_are_continuous_splitting_noise_on_the_grid() -> None:
    """The cut of an outcome is a uniform cut of (0, 2λ), moved to the middle of its two levels.

    No level is passed on the way, so a sample moves by half a step at most. Fixed seed; chi-square
    of 20,000 draws below 1e-9 fails.
    """
    rng = np.random.default_rng(3)
    for lam, level in [(0.1, 40), (0.25 + 1 / 1020, 200), (0.5, 129), (1.5, 77)]:
        law = Splitting(lam)
        cuts = rng.uniform(0, 2 * lam, 20_000)
        middles = (np.floor(cuts * 255) + 0.5) / 255
        moved = np.abs(formula(lam, level / 255, cuts) - formula(lam, level / 255, middles))
        assert moved.max() <= 0.5 / 255 + 1e-12
        values, expected = np.unique(outcomes(law, [level]), return_counts=True)
        drawn = formula(lam, level / 255, middles).astype(np.float32)
        nearest = np.abs(drawn[:, np.newaxis] - values).argmin(axis=1)
        assert np.abs(values[nearest] - drawn).max() < 1e-6
        counted = np.bincount(nearest, minlength=len(values))
        awaited = expected * len(cuts) / law.levels
        assert stats.chisquare(counted, awaited).pvalue > 1e-9


@given(st.integers(1, 300), st.data())
def test_a_change_of_c_levels_alters_at_most_c_outcomes(levels: int, data: Any) -> None:
    values = st.lists(st.integers(0, 255), min_size=3, max_size=3)
    x, y = np.array(data.draw(values)), np.array(data.draw(values))
    law = Splitting(levels / 510)
    changed = (outcomes(law, x) != outcomes(law, y)).any(axis=1).sum()
    assert changed <= np.abs(x - y).sum()


@given(st.integers(1, 255), st.integers(0, 255), st.integers(0, 255))
def test_one_feature_alters_exactly_as_many(levels: int, x: int, y: int) -> None:
    law = Splitting(levels / 510)
    changed = (outcomes(law, [x]) != outcomes(law, [y])).sum()
    assert changed == min(levels, abs(x - y))


@given(
    st.integers(1, 24),
    st.lists(st.integers(0, 255), min_size=1, max_size=2),
    st.integers(0, 10**6),
    st.floats(0.0, 0.95),
)
def test_no_input_of_the_ball_has_another_answer(
    levels: int, x: list[int], seed: int, common: float
) -> None:
    law, classify = Splitting(levels / 510, seed=seed % 3), by_chance(seed, shares(seed, common))
    found = smoothed(law, x, classify)[1]
    steps = round(found.radius * 255)
    if found.label == -1:
        assert steps == 0
        return
    reach = range(-steps, steps + 1)
    for change in itertools.product(reach, repeat=len(x)):
        y = np.array(x) + change
        if sum(map(abs, change)) <= steps and y.min() >= 0 and y.max() <= 255:
            assert smoothed(law, y, classify)[1].label == found.label


@given(st.integers(4, 255), st.integers(0, 127), st.booleans(), st.data())
def test_the_worst_classifier_changes_its_answer_one_level_further(
    levels: int, x: int, first: bool, data: Any
) -> None:
    """It answers the rival at every outcome that the step crosses, so the radius is tight."""
    law = Splitting(levels / 510)
    steps = data.draw(st.integers(0, min(levels // 2 - 1, 126)))
    here, there = outcomes(law, [x])[:, 0], outcomes(law, [x + steps + 1])[:, 0]
    top, rival = (0, 1) if first else (1, 0)
    crossed = here != there
    kept = np.flatnonzero(~crossed)
    # n_A - n_B - 1[B < A] = 2·steps or 2·steps + 1, with all that are crossed among n_A.
    lost = (levels - (rival < top) - 2 * steps) // 2
    votes = {there[i]: rival for i in np.flatnonzero(crossed)}
    votes |= {here[i]: rival for i in kept[:lost]}

    def classify(batch: NDArray[np.float32]) -> NDArray[np.int64]:
        return np.array([votes.get(value, top) for value in batch[:, 0]])

    found = smoothed(law, [x], classify)[1]
    assert (found.label, round(found.radius * 255)) == (top, steps)
    assert smoothed(law, [x + steps], classify)[1].label == top
    assert smoothed(law, [x + steps + 1], classify)[1].label == rival


@pytest.mark.parametrize("changed", [0, 1, 72, 155, 254, 255, 256, 509, 255_000])
def test_radii_are_rounded_down(changed: int) -> None:
    radius = Splitting(1.0).radius_within(changed)
    true = Fraction(changed, 255)
    assert Fraction(radius) <= true < Fraction(np.nextafter(radius, np.inf))


def test_offsets_are_uniform_and_depend_on_the_seed_alone() -> None:
    """Chi-square below 1e-9 fails; two seeds agree in a 255th of the features."""
    x = np.zeros(20_000, np.uint8)
    # At level 0 the piece begins below, and its middle tells the cut: (t + 1/2)/255/2.
    drawn = [np.rint(outcomes(Splitting(0.5, seed=s), x)[0] * 510 - 0.5) for s in (0, 1)]
    for offsets in drawn:
        counted = np.bincount(offsets.astype(int), minlength=255)
        assert stats.chisquare(counted).pvalue > 1e-9
    assert (drawn[0] == drawn[1]).mean() < 0.01
    again = outcomes(Splitting(0.5), x[:100])[0]
    np.testing.assert_array_equal(again, outcomes(Splitting(0.5), x)[0, :100])


def test_samples_do_not_depend_on_the_run() -> None:
    law, at = Splitting(1.0), point(np.arange(12).reshape(3, 4) * 20)
    whole = outcomes(law, at.data)
    for start, stop in [(0, 510), (3, 40), (250, 300), (509, 512), (700, 705)]:
        for seed, shared in [(1, False), (2, True)]:
            out = np.full((stop - start, 3, 4), np.nan, np.float32)
            NoisyStream(at, law, seed, "prediction", shared).write(start, out)
            np.testing.assert_array_equal(out, whole[np.arange(start, stop) % 510])


@pytest.mark.parametrize(
    ("lam", "near"),
    [
        (0.25, "0.24901960784313726 and 0.25098039215686274"),
        (0.001, "0.00196078431372549"),
        (0.8660254, "0.8647058823529412 and 0.8666666666666667"),
    ],
)
def test_a_lambda_that_does_not_work_names_the_nearest_that_do(lam: float, near: str) -> None:
    with pytest.raises(UsageError, match=near):
        Splitting(lam)


def test_a_lambda_written_as_a_decimal_is_the_one_that_works() -> None:
    assert Splitting(0.1) == Splitting(51 / 510)
    assert Splitting(0.249019607843) == Splitting(127 / 510)


def test_inputs_off_the_grid_are_refused_where_they_are_opened() -> None:
    law, space = Splitting(2.0), InputSpace((2,))
    law.check(space.point(np.array([3, 4], np.uint8)))
    law.check(space.point(np.array([3, 4]) / 255))
    for floats in (np.array([0.1234, 0.5]), np.array([3, 4]) / 255):
        off = space.point(floats, "float")
        with pytest.raises(DataError, match="grid"):
            law.check(off)
        with pytest.raises(DataError, match="grid"):
            NoisyStream(off, law, 0, "estimation").write(0, np.empty((4, 2), np.float32))
    wide = InputSpace((2,), (0.0, 255.0)).point(np.array([3, 4], np.uint8))
    with pytest.raises(UsageError, match="0 and 255"):
        law.check(wide)
