"""The flips that are drawn: their law, where they begin and end, and what they refuse."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from rsonnx.errors import DataError, UsageError
from rsonnx.noise import InputSpace, Law, NoisyStream
from rsonnx.noise.laws import flips
from rsonnx.noise.laws.flips import Flips
from rsonnx.noise.laws.sparse_flips import SparseFlips
from rsonnx.noise.philox import raw_words

UNLIKELY = 1e-6
"""A right law fails a chi-square test below with this chance; the seeds are fixed."""

SAMPLES = 40_000


def stream(law: Law, x: Any, bounds: tuple[float, float], **options: Any) -> NoisyStream:
    x = np.asarray(x)
    x = x if x.dtype == np.uint8 else x.astype(float)
    point = InputSpace(x.shape, bounds).point(x, options.pop("arithmetic", None))
    law.check(point)
    return NoisyStream(point, law, options.pop("seed", 1), "estimation", **options)


def samples(
    law: Law, x: Any, bounds: tuple[float, float], count: int = SAMPLES, **options: Any
) -> NDArray[np.float32]:
    made = stream(law, x, bounds, **options)
    out = np.full((count, *made.sample_shape), np.nan, np.float32)
    made.write(0, out)
    return out


def fits(found: NDArray[Any], expected: dict[tuple[float, ...], float]) -> bool:
    """Whether rows (n, k) have the probabilities that are expected of each, by chi-square."""
    assert math.isclose(sum(expected.values()), 1)
    rows, counts = np.unique(found, axis=0, return_counts=True)
    seen = {tuple(row): int(n) for row, n in zip(rows.tolist(), counts, strict=True)}
    assert set(seen) <= set(expected)
    possible = [key for key, p in expected.items() if p > 0]
    table = [seen.get(key, 0) for key in possible]
    return bool(
        stats.chisquare(table, [expected[k] * len(found) for k in possible]).pvalue > UNLIKELY
    )


@pytest.mark.parametrize(
    ("keep", "values", "low"),
    [(0.8, 2, 0), (0.3, 5, 0), (0.6, 4, 1), (0.2, 3, -1), (0.05, 3, 0)],
)
def test_three_features_flip_independently(keep: float, values: int, low: int) -> None:
    high = low + values - 1
    x = [low, high, low + 1]
    found = samples(Flips(keep, values, size=3), x, (low, high))
    other = (1 - keep) / (values - 1)
    expected = {
        z: math.prod(keep if a == b else other for a, b in zip(x, z, strict=True))
        for z in itertools.product(map(float, range(low, high + 1)), repeat=3)
    }
    assert fits(found, expected)
    # The same feature in the next sample is independent of it too.
    pairs = np.stack([found[:-1:2, 0], found[1::2, 0]], axis=1)
    assert fits(
        pairs,
        {
            z: math.prod(keep if low == b else other for b in z)
            for z in itertools.product(map(float, range(low, high + 1)), repeat=2)
        },
    )


@pytest.mark.parametrize(("plus", "minus"), [(0.01, 0.6), (0.3, 0.2), (0.0, 0.5), (0.9, 0.0)])
def test_two_rates(plus: float, minus: float) -> None:
    x = [0, 1, 1]
    found = samples(SparseFlips(plus, minus, size=3), x, (0, 1))
    chance = {(0, 0): 1 - plus, (0, 1): plus, (1, 0): minus, (1, 1): 1 - minus}
    assert fits(
        found,
        {
            z: math.prod(chance[a, int(b)] for a, b in zip(x, z, strict=True))
            for z in itertools.product((0.0, 1.0), repeat=3)
        },
    )


def test_values_that_do_not_divide_the_words_are_drawn_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # At keep = 1 - 2^-53 a flip has 2,048 words; 48 of them are one too many for 1,000 values.
    law = Flips(1 - 2.0**-53, 1001, size=50)
    last = np.uint64(2**64 - 2048)
    monkeypatch.setattr(
        flips, "raw_words", lambda generator, n: raw_words(generator, n) % np.uint64(2048) + last
    )
    found = samples(law, np.zeros(50), (0, 1000), 20_000)
    assert found.min() == 1
    counts = np.bincount(found.astype(int).ravel(), minlength=1001)[1:]
    assert stats.chisquare(counts).pvalue > UNLIKELY


LAWS: list[tuple[Law, int]] = [
    (Flips(0.6, 2, size=30), 1),
    (Flips(0.3, 7, size=30), 6),
    (SparseFlips(0.1, 0.6, size=30), 1),
]


@pytest.mark.parametrize(("law", "high"), LAWS, ids=str)
def test_only_a_changed_feature_tells(law: Law, high: int) -> None:
    x, y = np.zeros(30), np.zeros(30)
    y[[4, 9]] = high
    a, b = (samples(law, v, (0, high), 500, shared=True) for v in (x, y))
    np.testing.assert_array_equal(np.delete(a, [4, 9], axis=1), np.delete(b, [4, 9], axis=1))
    assert (a[:, [4, 9]] != b[:, [4, 9]]).any()


@pytest.mark.parametrize("high", [1, 3, 5, 51, 255, 510, 999])
@pytest.mark.parametrize("low", [0, -7])
def test_codes_are_whole_in_either_arithmetic(high: int, low: int) -> None:
    # All codes of these inputs are among the 256 levels between the bounds, so that the input is
    # taken for an image; codes come back as whole numbers nevertheless.
    law = Flips(0.5, high + 1, size=4)
    step = math.lcm(high, 255) // 255
    x = np.array([0, high, step % (high + 1), 0]) + low
    bounds = (low, low + high)
    grid = stream(law, x, bounds)
    assert grid.point.arithmetic == "exact"
    found = samples(law, x, bounds, 300)
    assert set(found.ravel().tolist()) <= set(range(low, low + high + 1))
    np.testing.assert_array_equal(law.unchanged(grid.point), x)
    # Bytes that are taken off the grid are float32 values next to the codes. One digest: the same
    # flips.
    levels = ((x - low) * 255 // high).astype(np.uint8)
    off = stream(law, levels, bounds, arithmetic="float")
    np.testing.assert_array_equal(law.unchanged(off.point), x)
    np.testing.assert_array_equal(samples(law, levels, bounds, 300, arithmetic="float"), found)


def test_bytes_are_codes_for_bounds_of_bytes() -> None:
    x = np.arange(256).astype(np.uint8)
    law = Flips(1 - 2.0**-40, 256, size=256)
    np.testing.assert_array_equal(samples(law, x, (0, 255), 3), np.tile(np.arange(256.0), (3, 1)))


@pytest.mark.parametrize(
    ("law", "x", "bounds", "kind", "said"),
    [
        (Flips(0.6, 4, size=2), [0.5, 1], (0, 3), DataError, "number 0 of the input is 0.5"),
        (Flips(0.6, 4, size=2), [0, 1.001], (0, 3), DataError, "number 1 .* is 1.001"),
        (Flips(0.6, 4, size=2), [0, 1], (0, 1), UsageError, "3 apart"),
        (Flips(0.6, 4, size=2), [0, 1], (-math.inf, math.inf), UsageError, "3 apart"),
        (Flips(0.6, 4, size=2), [0.5, 1.5], (0.5, 3.5), UsageError, "whole numbers"),
        (Flips(0.6, 4, size=2), [0, 1, 2], (0, 3), UsageError, "2 values, but these have 3"),
        (Flips(0.6, 4, size=2), np.array([0, 1], np.uint8), (0, 3), DataError, "are levels"),
        (Flips(0.6, 4, size=2), [2**20 + 0.3, 2**20], (2**20, 2**20 + 3), DataError, "number 0"),
        (SparseFlips(0.1, 0.6, size=2), [0, 1], (0, 2), UsageError, "the bounds 0 and 1, but"),
        (SparseFlips(0.1, 0.6, size=2), [5, 6], (5, 6), UsageError, "they are 5 and 6"),
        (SparseFlips(0.1, 0.6, size=2), [0, 0.2], (0, 1), DataError, "number 1 .* is 0.2"),
    ],
)
def test_what_is_no_code_is_one_sentence(
    law: Law, x: Any, bounds: tuple[float, float], kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind, match=said):
        stream(law, x, bounds)
    if kind is DataError:  # also where nobody checked the input first
        point = InputSpace((len(x),), bounds).point(np.asarray(x))
        out = np.empty((3, len(x)), np.float32)
        with pytest.raises(DataError, match=said):
            NoisyStream(point, law, 1, "estimation").write(0, out)
