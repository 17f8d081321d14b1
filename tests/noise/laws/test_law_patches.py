"""Column and block ablation (Levine & Feizi, arXiv 2002.10733), by brute force over all patches."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from noise_laws import by_chance
from numpy.typing import NDArray

from rsonnx.counts import Counts
from rsonnx.errors import UsageError
from rsonnx.noise import ExactOutcome, InputSpace, NoisyStream, Point
from rsonnx.noise.laws.patches import Blocks, Columns

Law = Columns | Blocks
Classify = Callable[[NDArray[np.float32]], NDArray[np.int64]]


def outcomes(law: Law, at: Point) -> NDArray[np.float32]:
    shape = at.space.shape
    out = np.full((law.evaluations(shape), *law.sample_shape(shape)), np.nan, np.float32)
    NoisyStream(at, law, 0, "estimation").write(0, out)
    return out


def image(levels: Any, layout: str = "NCHW") -> Point:
    levels = np.asarray(levels, np.uint8)
    return InputSpace(levels.shape, layout=layout).point(levels)


def smoothed(law: Law, levels: Any, classify: Classify) -> ExactOutcome:
    return law.certify(Counts.from_labels(classify(outcomes(law, image(levels)))))


def patched(levels: NDArray[np.uint8], side: int, values: list[int]) -> Any:
    """All images that differ from one of (1, H, W) in a square, cut off at the edges."""
    _, height, width = levels.shape
    high, wide = min(side, height), min(side, width)
    for top, left in itertools.product(range(height - high + 1), range(width - wide + 1)):
        for content in itertools.product(values, repeat=high * wide):
            other = levels.copy()
            other[0, top : top + high, left : left + wide] = np.reshape(content, (high, wide))
            yield other


def shares(common: float) -> dict[int, float]:
    """Class 1 is the most common, 0 and 2 are its rivals, and some answers are none."""
    zero = (1 - common) / 2
    return {1: common, 0: zero, 2: max(0.0, 0.98 - common - zero), -1: 1.0}


def any_marked(batch: NDArray[np.float32]) -> NDArray[np.int64]:
    """Class 1 where a pixel that is kept is white: the worst there is against a white patch."""
    half = batch.shape[1] // 2
    return (batch[:, :half] == 1).any(axis=(1, 2, 3)).astype(np.int64)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("kind", [Columns, Blocks])
@pytest.mark.parametrize("arithmetic", ["exact", "float"])
def test_what_a_sample_shows(kind: type[Law], layout: str, arithmetic: Any) -> None:
    """Pixel by pixel: (x, 1 - x) where it is kept, (0, 0) elsewhere; x-channels first."""
    rng = np.random.default_rng(1)
    levels = rng.integers(0, 256, (3, 4, 5)).astype(np.uint8)
    own = levels if layout == "NCHW" else np.ascontiguousarray(np.moveaxis(levels, 0, -1))
    space = InputSpace(own.shape, layout=layout)
    values = own if arithmetic == "exact" else np.minimum(own / 255 + 0.0011, 1)
    at = space.point(values)
    assert at.arithmetic == arithmetic
    law = kind(3, layout)
    found = outcomes(law, at)
    assert len(found) == law.evaluations(own.shape) == (5 if kind is Columns else 20)
    axis = 1 if layout == "NCHW" else 3
    assert found.shape[axis] == 6
    assert law.input_shape(law.sample_shape(own.shape)) == own.shape
    seen = np.moveaxis(found, axis, 1)
    x = np.moveaxis(at.values(), axis - 1, 0)
    for place, row, column in itertools.product(range(len(found)), range(4), range(5)):
        down, right = (0, place) if kind is Columns else divmod(place, 5)
        kept = (column - right) % 5 < 3 and (kind is Columns or (row - down) % 4 < 3)
        pixel = x[:, row, column]
        expected = np.concatenate([pixel, np.float32(1) - pixel]) if kept else np.zeros(6)
        np.testing.assert_array_equal(seen[place, :, row, column], expected)
    np.testing.assert_array_equal(law.unchanged(at), outcomes(Columns(5, layout), at)[0])


def test_what_is_ablated_leaves_no_trace() -> None:
    """A value may lie a millionth below 0, and a product of it would leave a negative zero."""
    x = np.full((1, 1, 4), -5e-7)
    x[0, 0, 1] = 0.7
    found = outcomes(Columns(1, "NCHW"), InputSpace(x.shape).point(x))
    assert not np.signbit(found[1, 0]).any()


@pytest.mark.parametrize(
    ("law", "lead", "expected"),
    [
        # s = 4 of MNIST's 28 columns: n_A >= n_B + 2(m + 3).
        (Columns(4, "NCHW"), 28, 11),
        (Columns(4, "NCHW"), 16, 5),
        (Columns(4, "NCHW"), 15, 4),
        (Columns(4, "NCHW"), 8, 1),
        (Columns(4, "NCHW"), 7, 0),
        (Columns(1, "NHWC"), 2, 1),
        # s = 10 of CIFAR's 32 x 32: n_A >= n_B + 2(m + 9)².
        (Blocks(10, "NCHW"), 1024, 13),
        (Blocks(10, "NCHW"), 392, 5),
        (Blocks(10, "NCHW"), 391, 4),
        (Blocks(10, "NCHW"), 199, 0),
    ],
)
def test_radii_by_hand(law: Law, lead: int, expected: int) -> None:
    for counts in (Counts([lead + 3, 3]), Counts([3, lead + 4]), Counts([lead + 3], no_class=3)):
        # A rival before the top class wins ties, so one more is needed against it.
        assert law.certify(counts).radius == expected


def test_a_radius_is_the_largest_that_the_lead_allows() -> None:
    for width, lead in itertools.product(range(1, 6), range(60)):
        changed = lead // 2
        column = Columns(width, "NCHW").radius_within(changed)
        block = Blocks(width, "NCHW").radius_within(changed)
        sides = range(1, 70)
        assert column == max([m for m in sides if 2 * (m + width - 1) <= lead], default=0)
        assert block == max([m for m in sides if 2 * (m + width - 1) ** 2 <= lead], default=0)


@settings(max_examples=25)
@given(
    st.sampled_from([(1, 5), (2, 6), (1, 8), (2, 8)]),
    st.integers(1, 2),
    st.integers(0, 10**6),
    st.floats(0.5, 0.95),
)
def test_no_patch_changes_the_answer_of_columns(
    size: tuple[int, int], width: int, seed: int, common: float
) -> None:
    law, classify = Columns(width, "NCHW"), by_chance(seed, shares(common))
    levels = np.random.default_rng(seed).choice([0, 255], (1, *size)).astype(np.uint8)
    found = smoothed(law, levels, classify)
    side = int(found.radius)
    if found.label == -1 or side == 0:
        return
    for other in patched(levels, side, [0, 255]):
        assert smoothed(law, other, classify).label == found.label


@settings(max_examples=25)
@given(
    st.sampled_from([(3, 3), (3, 4), (4, 4), (4, 5)]), st.integers(0, 10**6), st.floats(0.6, 0.97)
)
def test_no_patch_changes_the_answer_of_blocks(
    size: tuple[int, int], seed: int, common: float
) -> None:
    law, classify = Blocks(1 + seed % 2, "NCHW"), by_chance(seed, shares(common))
    levels = np.random.default_rng(seed).choice([0, 128, 255], (1, *size)).astype(np.uint8)
    found = smoothed(law, levels, classify)
    side = int(found.radius)
    if found.label == -1 or side == 0:
        return
    for other in patched(levels, side, [0, 255] if side > 1 else [0, 128, 255]):
        assert smoothed(law, other, classify).label == found.label


@pytest.mark.parametrize(
    ("law", "size", "largest"),
    [
        (Columns(1, "NCHW"), (2, 8), 4),
        (Columns(2, "NCHW"), (3, 9), 3),
        (Columns(3, "NCHW"), (4, 12), 4),
        (Blocks(1, "NCHW"), (4, 8), 4),
        (Blocks(2, "NCHW"), (6, 6), 3),
        (Blocks(3, "NCHW"), (7, 7), 2),
    ],
)
def test_the_worst_patch_changes_the_answer_at_the_next_side(
    law: Law, size: tuple[int, int], largest: int
) -> None:
    """White patches on black: each place that sees one answers 1, and nothing else does."""
    black = np.zeros((1, *size), np.uint8)
    found = smoothed(law, black, any_marked)
    assert (found.label, found.radius) == (0, largest)
    answers = []
    for side in (largest, largest + 1):
        white = black.copy()
        white[0, :side, :side] = 255
        answers.append(smoothed(law, white, any_marked).label)
    assert answers == [0, 1]


@pytest.mark.parametrize("kind", [Columns, Blocks])
def test_inputs_that_are_no_such_image(kind: type[Law]) -> None:
    law = kind(3, "NCHW")
    for shape in [(784,), (28, 28), (1, 1, 28, 28), ()]:
        with pytest.raises(UsageError, match="three axes"):
            law.evaluations(shape)
    with pytest.raises(UsageError, match="the width is 3"):
        law.check(image(np.zeros((1, 2, 2))))
    with pytest.raises(UsageError, match="NCHW"):
        law.check(image(np.zeros((5, 5, 1)), "NHWC"))
    wide = InputSpace((1, 5, 5), (0.0, 255.0)).point(np.zeros((1, 5, 5), np.uint8))
    with pytest.raises(UsageError, match="0 and 255"):
        law.check(wide)
    with pytest.raises(UsageError, match="0 and 255"):
        NoisyStream(wide, law, 0, "estimation").write(0, np.empty((1, 2, 5, 5), np.float32))
    with pytest.raises(UsageError, match="3 channels"):
        law.input_shape((3, 28, 28))


def test_a_block_must_fit_both_sides() -> None:
    assert Columns(5, "NCHW").evaluations((1, 2, 5)) == 5
    with pytest.raises(UsageError, match="2 x 5 pixels"):
        Blocks(3, "NCHW").evaluations((1, 2, 5))
