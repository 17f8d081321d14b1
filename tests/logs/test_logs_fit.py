"""The grid of CERTIFY against the field's formula, and which grids radii fit."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from rsonnx.logs import audit_log, read_log
from rsonnx.logs.fit import Grid, fit_grids
from rsonnx.logs.printed import Printed, Resolution
from rsonnx.statistics import clopper_pearson_lower


@pytest.mark.parametrize(
    ("texts", "digits", "kind"),
    [
        ("0.165 0.0504 1.0 1.35", 3, "significant digits"),
        ("0.165 0.050 1.000 1.350", 3, "decimals"),
        ("0.1651 0.05 1.2 1.3512 0.0023", 4, "decimals"),
        ("0.5", 1, "decimals"),
        ("9.9e-05 0.0123", 3, "significant digits"),
        ("0.16512345678901234 1.2345678901234567", 17, "significant digits"),
        ("100 2e2", 0, "decimals"),
    ],
)
def test_printed_digits_are_told(texts: str, digits: int, kind: str) -> None:
    assert Resolution.of(texts.split()) == Resolution(digits, kind)  # type: ignore[arg-type]


@given(st.lists(st.floats(1e-3, 4.0), min_size=30, max_size=60), st.integers(2, 6), st.booleans())
def test_no_printed_radius_is_finer_than_the_resolution(
    values: list[float], digits: int, significant: bool
) -> None:
    shown = [f"{v:.{digits}}" if significant else f"{v:.{digits}f}" for v in values]
    printed = Printed.of([text for text in shown if float(text) > 0] or ["1.0"])
    steps = printed.values / printed.units
    assert steps == pytest.approx(np.round(steps), rel=1e-9)


def test_units() -> None:
    # The floats of 0.1, 0.01, ... are not below them.
    units = [Resolution(3, "significant digits").unit(v) for v in (1e-5, 0.0504, 0.1, 0.165, 1.35)]
    assert units == pytest.approx([1e-7, 1e-4, 1e-3, 1e-3, 1e-2])
    assert Resolution(6, "decimals").unit(3.9) == 1e-6


@pytest.mark.parametrize(
    ("n", "alpha"), [(100, 0.001), (1000, 0.05), (5000, 1e-6), (100_000, 1e-3)]
)
def test_points_are_the_field_s(n: int, alpha: float) -> None:
    """Against scipy's beta quantile, the formula of statsmodels that the field's core.py calls."""
    grid = Grid(0.25, n, alpha)
    hits = np.unique(np.linspace(1, n, 200).astype(int)).astype(float)
    expected = 0.25 * stats.norm.ppf(stats.beta.ppf(alpha, hits, n - hits + 1))
    assert grid.radii(hits) == pytest.approx(expected, abs=1e-9)
    if n <= 5000:
        radii = np.linspace(0.01, 1.2 * expected[-1], 60)
        table = [0.25 * stats.norm.ppf(clopper_pearson_lower(k, n, alpha)) for k in range(1, n + 1)]
        assert grid.fewest_hits(radii).tolist() == (1 + np.searchsorted(table, radii)).tolist()


def test_the_largest_point_is_the_known_one() -> None:
    largest = Grid(1.0, 100_000, 0.001).radii(np.array([100_000.0]))
    assert largest == pytest.approx(3.81145656338995, abs=1e-9)  # computed with 220 bits


@pytest.mark.parametrize(
    ("n", "alpha", "show"),
    [
        (100_000, 0.01, "{:.3}".format),
        (1000, 0.001, "{:.4f}".format),
        (10_000, 0.05, "{:.3}".format),
        (10_000, 0.05, str),
        (100_000, 0.01, lambda r: str(np.float32(r))),
        (1000, 0.001, lambda r: f"{math.floor(r * 10**6) / 10**6:.6f}"),
    ],
)
def test_the_parameters_of_a_log_are_told(
    made_log: Callable[..., Path], n: int, alpha: float, show: Callable[[float], str]
) -> None:
    audit = audit_log(read_log(made_log(n=n, alpha=alpha, sigma=0.25, show=show)), sigma=0.25)
    assert audit.grid is not None
    assert audit.grid.overstated is not None
    best, over = audit.grid.fits[0], audit.grid.overstated
    assert (best.sigma, best.n, best.alpha) == (0.25, n, alpha)
    assert best.rounding == ("down" if show(0.123_456_78) == "0.123456" else "nearest")
    misfits = {misfit.alpha: misfit.radii for misfit in audit.grid.misfits}
    assert misfits[alpha] == 0
    assert sum(count > 0 for count in misfits.values()) >= 8
    assert over.surely <= over.expected <= over.possibly <= audit.radii
    assert best.rounding == "nearest" or over.possibly == 0


def test_sigma_is_fitted_where_nobody_knows_it(made_log: Callable[..., Path]) -> None:
    grid = audit_log(read_log(made_log(sigma=1.0))).grid
    assert grid is not None
    best = grid.fits[0]
    assert (grid.sigma_source, best.sigma, best.n, best.alpha) == ("fitted", 1.0, 100_000, 0.01)


def test_chance_is_what_random_radii_reach() -> None:
    """Radii drawn without any grid fit as often as said: 6 sigma of a binomial, odds 1 in 5e8."""
    grid = Grid(0.5, 100_000, 0.001)
    drawn = np.random.default_rng(3).uniform(1.0, 1.7, 4000)
    printed = Printed.of([f"{r:.4f}" for r in drawn])
    count = len(printed.values)
    share = float(grid.chances(printed, "nearest").mean())
    fitting = count - grid.misses(*printed.interval("nearest"))
    assert 0.1 < share < 0.9
    assert abs(fitting - share * count) < 6 * math.sqrt(count * share * (1 - share))


def test_few_radii_tell_no_grids_apart_and_radii_of_no_grid_fit_none() -> None:
    fits = fit_grids(Printed.of(["0.123", "0.2"]), [0.5])
    assert sum(fit.alike for fit in fits) > 50
    assert (fits[0].n, fits[0].alpha) == (100_000, 0.001)  # the usual one
    assert fit_grids(Printed.of([f"{0.2 + 0.01 * step:.6f}" for step in range(100)]), [0.5]) == ()


@pytest.mark.parametrize("texts", [["1e-300"], ["1e300", "0.5"], ["1" + "0" * 300], ["1e-320"]])
def test_absurd_radii_fit_nothing_or_everything_but_raise_nothing(texts: list[str]) -> None:
    fit_grids(Printed.of(texts), [0.25, 1e-300, 1e300])
