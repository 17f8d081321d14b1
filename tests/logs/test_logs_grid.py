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

from rsonnx.logs import Grid, Printed, audit_log, read_log
from rsonnx.logs.digits import Resolution, resolution_of
from rsonnx.logs.fit import chances, fit_grids, off_grid
from rsonnx.statistics import clopper_pearson_lower


@pytest.mark.parametrize(
    ("texts", "digits", "kind"),
    [
        (["0.165", "0.0504", "1.0", "1.35"], 3, "significant digits"),
        (["0.165", "0.050", "1.000", "1.350"], 3, "decimals"),
        (["0.1651", "0.05", "1.2", "1.3512", "0.0023"], 4, "decimals"),
        (["0.5"], 1, "decimals"),
        (["9.9e-05", "0.0123"], 3, "significant digits"),
        (["0.16512345678901234", "1.2345678901234567"], 17, "significant digits"),
        (["100", "2e2"], 0, "decimals"),
    ],
)
def test_printed_digits_are_told(texts: list[str], digits: int, kind: str) -> None:
    assert resolution_of(texts) == Resolution(digits, kind)  # type: ignore[arg-type]


@given(
    st.lists(st.floats(1e-3, 4.0), min_size=30, max_size=60),
    st.integers(2, 6),
    st.booleans(),
)
def test_no_printed_radius_is_finer_than_the_resolution(
    values: list[float], digits: int, significant: bool
) -> None:
    shown = [f"{v:.{digits}}" if significant else f"{v:.{digits}f}" for v in values]
    texts = [text for text in shown if float(text) > 0] or ["1.0"]
    resolution = resolution_of(texts)
    for text in texts:
        steps = float(text) / resolution.unit(float(text))
        assert steps == pytest.approx(round(steps), rel=1e-9)


def test_units() -> None:
    three = Resolution(3, "significant digits")
    assert [three.unit(v) for v in (0.0504, 0.165, 1.35)] == pytest.approx([1e-4, 1e-3, 1e-2])
    assert three.unit(0.1) == pytest.approx(1e-3)  # the float of 0.1, 0.01, ... is not below it
    assert three.unit(1e-5) == pytest.approx(1e-7)
    assert Resolution(6, "decimals").unit(3.9) == 1e-6


@pytest.mark.parametrize(("n", "alpha"), [(100, 0.001), (1000, 0.01), (100_000, 0.001)])
def test_points_are_the_field_s(n: int, alpha: float) -> None:
    """Against scipy's beta quantile, the formula of statsmodels that the field's core.py calls."""
    hits = np.unique(np.linspace(1, n, 200).astype(int)).astype(float)
    expected = 0.25 * stats.norm.ppf(stats.beta.ppf(alpha, hits, n - hits + 1))
    assert Grid(0.25, n, alpha).radii(hits) == pytest.approx(expected, abs=1e-9)


def test_the_largest_point_is_the_known_one() -> None:
    # 3.81145656338995: the most that n = 1e5 and alpha = 1e-3 can give at sigma 1 (220 bits)
    assert Grid(1.0, 100_000, 0.001).largest == pytest.approx(3.81145656338995, abs=1e-9)


@pytest.mark.parametrize(("n", "alpha"), [(100, 0.001), (1000, 0.05), (5000, 1e-6)])
def test_fewest_hits_are_those_of_a_search(n: int, alpha: float) -> None:
    grid = Grid(1.0, n, alpha)
    radii = np.linspace(0.01, 1.2 * grid.largest, 60)
    table = [stats.norm.ppf(clopper_pearson_lower(k, n, alpha)) for k in range(1, n + 1)]
    expected = [1 + int(np.searchsorted(table, r)) for r in radii]
    assert grid.fewest_hits(radii).tolist() == expected


def test_spacing_is_the_distance_of_neighbours() -> None:
    grid = Grid(1.0, 1000, 0.001)
    points = grid.radii(np.array([900.0, 901.0]))
    assert grid.spacing(np.array([points.mean()]))[0] == pytest.approx(points[1] - points[0])
    top = grid.radii(np.array([999.0, 1000.0]))
    assert grid.spacing(np.array([99.0]))[0] == pytest.approx(top[1] - top[0])


@pytest.mark.parametrize(("n", "alpha"), [(100_000, 0.01), (1000, 0.001), (10_000, 0.05)])
@pytest.mark.parametrize("show", ["{:.3}".format, "{:.4f}".format, str, "np32"])
def test_the_parameters_of_a_log_are_found(
    made_log: Callable[..., Path], n: int, alpha: float, show: Callable[[float], str] | str
) -> None:
    shown = (lambda r: str(np.float32(r))) if isinstance(show, str) else show
    path = made_log(n=n, alpha=alpha, sigma=0.25, show=shown)
    found = audit_log(read_log(path), sigma=0.25).grid
    assert found is not None
    assert found.fits.best is not None
    assert found.fits.best.grid == Grid(0.25, n, alpha)
    assert found.fits.best.rounding == "nearest"
    assert found.misfits[alpha] == 0
    assert sum(count > 0 for count in found.misfits.values()) >= 8


def test_sigma_is_fitted_where_nobody_knows_it(made_log: Callable[..., Path]) -> None:
    found = audit_log(read_log(made_log(sigma=1.0, alpha=0.01))).grid
    assert found is not None
    assert found.sigma.source == "fitted"
    assert found.fits.best is not None
    assert found.fits.best.grid == Grid(1.0, 100_000, 0.01)


def test_radii_that_were_rounded_down_are_told(made_log: Callable[..., Path]) -> None:
    path = made_log(show=lambda r: f"{math.floor(r * 10**6) / 10**6:.6f}")
    found = audit_log(read_log(path), sigma=0.5).grid
    assert found is not None
    assert found.fits.best is not None
    assert found.fits.best.rounding == "down"
    assert found.fits.best.grid == Grid(0.5, 100_000, 0.001)
    assert found.overstated is not None
    assert found.overstated.possibly == 0


def test_radii_of_no_grid_fit_none() -> None:
    texts = [f"{0.2 + 0.01 * step:.6f}" for step in range(100)]
    fits = fit_grids(Printed.of(texts), [0.5])
    assert (fits.best, fits.all) == (None, ())


def test_chance_is_what_random_radii_reach() -> None:
    """Radii drawn without any grid fit as often as said: 6 sigma of a binomial, odds 1 in 5e8."""
    grid = Grid(0.5, 100_000, 0.001)
    drawn = np.random.default_rng(3).uniform(1.0, 1.7, 4000)
    printed = Printed.of([f"{r:.4f}" for r in drawn])
    count = len(printed.values)
    share = float(chances(printed, grid, "nearest").mean())
    fitting = count - off_grid(printed, grid, "nearest")
    assert 0.1 < share < 0.9
    assert abs(fitting - share * count) < 6 * math.sqrt(count * share * (1 - share))


def test_few_radii_tell_no_grids_apart() -> None:
    fits = fit_grids(Printed.of(["0.123", "0.2"]), [0.5])
    assert len(fits.alike) > 50
    assert fits.best is not None
    assert (fits.best.grid.n, fits.best.grid.alpha) == (100_000, 0.001)  # the usual one


@pytest.mark.parametrize("texts", [["1e-300"], ["1e300", "0.5"], ["1" + "0" * 300], ["1e-320"]])
def test_absurd_radii_fit_nothing_or_everything_but_raise_nothing(texts: list[str]) -> None:
    fit_grids(Printed.of(texts), [0.25, 1e-300, 1e300])
