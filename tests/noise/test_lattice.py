"""Exact noise on the grid, against thresholds and laws computed independently."""

import bisect
import re
from functools import cache

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mpf

from rsonnx.errors import UsageError
from rsonnx.noise import Gaussian, Laplace
from rsonnx.noise.additive import IndependentNoise
from rsonnx.noise.lattice import LatticeTable, lattice_table

STEP = 1 / 255


@cache
def reference_thresholds(sigma: float, step: float = STEP) -> tuple[list[int], int]:
    """F((k + 1/2)·step)·2^80 for every k, by another formula at another precision."""
    with mpmath.workprec(400):
        scale = mpf(2) ** 80
        found, k = [], 0
        while True:
            z = (mpf(k) + mpf(1) / 2) * mpf(step) / mpf(sigma)
            above = mpmath.erfc(z / mpmath.sqrt(2)) / 2  # P(noise > z sigma), k = 0, 1, ...
            t = int(mpmath.nint(above * scale))
            if t == 0:
                return [*reversed(found), *(2**80 - t for t in found)], -len(found)
            found.append(t)
            k += 1


def reference_outcome(thresholds: list[int], minimum: int, u: int) -> int:
    return minimum + bisect.bisect_right(thresholds, u)


@pytest.mark.parametrize("sigma", [0.002, 0.05, 0.25, 1.0])
def test_every_cell_against_the_reference(sigma: float) -> None:
    """All 65,536 cells, at both of their ends and at every threshold and its two neighbours."""
    table = Gaussian(sigma).table(STEP)
    thresholds, minimum = reference_thresholds(sigma)
    values = [cell << 64 for cell in range(1 << 16)]
    values += [(cell << 64) | (2**64 - 1) for cell in range(1 << 16)]
    values += [min(max(t + d, 0), 2**80 - 1) for t in thresholds for d in (-1, 0, 1)]
    cells = np.array([v >> 64 for v in values], np.uint16)
    further = np.array([v & (2**64 - 1) for v in values], np.uint64)
    expected = [reference_outcome(thresholds, minimum, v) for v in values]
    settled = table.settle(cells, further)
    quick = table.outcome[cells]
    decided = quick != -32768
    np.testing.assert_array_equal(np.where(decided, quick, settled), expected)
    # A cell is decided at once exactly where both of its ends have one outcome.
    np.testing.assert_array_equal(
        table.outcome[:] != -32768,
        np.array(expected[: 1 << 16]) == np.array(expected[1 << 16 : 2 << 16]),
    )


def test_thresholds_have_the_law_of_rounded_noise() -> None:
    """P(N = k) = Φ((k+½)Δ/σ) - Φ((k-½)Δ/σ) to 2^-79: two thresholds, each rounded to 2^-81."""
    table = Gaussian(0.5).table(STEP)
    thresholds = [(int(h) << 16) | int(lo) for h, lo in zip(table.high, table.low, strict=True)]
    with mpmath.workprec(300):
        for k in (-1300, -600, -127, -1, 0, 1, 64, 700):
            j = k - table.minimum
            mass = mpf(thresholds[j] - thresholds[j - 1]) / mpf(2) ** 80
            low, high = (mpmath.ncdf((mpf(k) + d) * mpf(STEP) / mpf("0.5")) for d in (-0.5, 0.5))
            assert abs(mass - (high - low)) <= mpf(2) ** -79


def reference_draw(table: LatticeTable, sigma: float, key: int, block: int, size: int) -> list[int]:
    """The outcomes of a block, word by word: 16 bits a value, 64 more for open cells in order."""
    thresholds, minimum = reference_thresholds(sigma)
    main = np.random.Philox(key=key, counter=block << 128).random_raw(-(-size // 4))
    cells = [(int(w) >> shift) & 0xFFFF for w in main for shift in (0, 16, 32, 48)][:size]
    open_cells = [c for c in cells if table.outcome[c] == -32768]
    further = iter(
        np.random.Philox(key=key, counter=(1 << 192) | (block << 128)).random_raw(len(open_cells))
    )
    return [
        reference_outcome(
            thresholds,
            minimum,
            (c << 64) | (int(next(further)) if table.outcome[c] == -32768 else 0),
        )
        for c in cells
    ]


@pytest.mark.parametrize("size", [1, 3, 4, 5000])
def test_draws_word_by_word(size: int) -> None:
    table = Gaussian(1.0).table(STEP)
    for block in (0, 1, 12345):
        expected = reference_draw(table, 1.0, 0xABCDEF, block, size)
        assert table.draw(0xABCDEF, block, size).tolist() == expected


def test_very_narrow_noise_is_all_zero() -> None:
    table = Gaussian(1e-5).table(STEP)
    assert not table.draw(1, 0, 1000).any()


@pytest.mark.parametrize("sigma", [1e-300, 5e-324, 1e-9])
def test_too_narrow_noise_is_refused(sigma: float) -> None:
    with pytest.raises(UsageError, match=r"too narrow .* larger sigma"):
        Gaussian(sigma).table(STEP)


def test_too_wide_noise_is_refused() -> None:
    with pytest.raises(UsageError, match=r"sigma = 50 .*too wide .* smaller sigma"):
        Gaussian(50.0).table(STEP)


def test_too_wide_noise_is_found_without_its_thirty_thousand_thresholds() -> None:
    asked: list[mpf] = []

    def cumulative(value: mpf) -> mpf:
        asked.append(value)
        return Gaussian(50.0).cumulative(value)

    with pytest.raises(OverflowError, match="fit a table"):
        lattice_table(cumulative, STEP)
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("law", "width"), [(Gaussian(128.0), 1.0), (Gaussian(25.0), 2.0), (Laplace(64.0), 2.0)]
)
def test_a_sigma_in_levels_is_told_in_the_units_of_the_bounds(
    law: IndependentNoise, width: float
) -> None:
    """Both that the sentence names can be drawn: sigma in those units, and levels as the unit."""
    with pytest.raises(UsageError, match="too wide") as caught:
        law.table(width / 255)
    meant = float(re.findall(r"levels is ([\d.]+)", str(caught.value))[0])
    assert law.deviation is not None
    assert meant == pytest.approx(law.deviation / 255 * width, rel=1e-5)  # six figures are printed
    type(law)(meant).table(width / 255)
    assert "--bounds 0 255" in str(caught.value)
    law.table(1.0)


@pytest.mark.parametrize(("sigma", "width"), [(5000.0, 1.0), (1e6, 255.0)])
def test_bounds_that_help_nothing_are_not_named(sigma: float, width: float) -> None:
    with pytest.raises(UsageError, match="too wide") as caught:
        Gaussian(sigma).table(width / 255)
    assert "--bounds" not in str(caught.value)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.003, 0.4))
def test_any_sigma_is_symmetric_and_complete(sigma: float) -> None:
    table = Gaussian(sigma).table(STEP)
    full = [(int(h) << 16) | int(lo) for h, lo in zip(table.high, table.low, strict=True)]
    assert full == sorted(full)
    assert [2**80 - t for t in reversed(full)] == full
    assert table.minimum == -len(full) // 2
    # Nothing beyond the last outcome has as much as half a unit of 2^-80.
    assert full[0] >= 1
