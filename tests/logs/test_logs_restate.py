"""Restating a log at another alpha: against the truth that the log was made from."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_FLOOR, Decimal
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from rsonnx.errors import UsageError
from rsonnx.logs import ALPHAS, SAMPLES, Audit, Restatement, audit_log, read_log
from rsonnx.logs.restate import hits_behind
from rsonnx.noise import Gaussian
from rsonnx.statistics import clopper_pearson_lower


def field_radius(hits: int, n: int, sigma: float, alpha: float) -> float:
    """The radius of Cohen et al., Algorithm 1, by scipy."""
    return float(sigma * stats.norm.ppf(stats.beta.ppf(alpha, hits, n - hits + 1)))


def restated(path: Path, alpha: float, sigma: float | None = 0.5) -> tuple[Audit, Restatement]:
    found = audit_log(read_log(path), sigma=sigma, alpha=alpha)
    assert found.grid is not None
    assert found.grid.restated is not None
    return found, found.grid.restated


@pytest.mark.parametrize("alpha", [1e-4, 0.001, 0.05])
def test_a_restatement_never_overstates_the_truth(
    made_log: Callable[..., Path], alpha: float
) -> None:
    """The same counts are printed in full and with three digits; the full ones give the truth."""
    truth, exact = restated(made_log(alpha=0.01, show=str), alpha)
    _, found = restated(made_log(alpha=0.01), alpha)
    assert exact.ambiguous == 0
    assert found.ambiguous > 100
    for row, true in zip(found.rows, exact.rows, strict=True):
        assert row.radius <= true.radius
        assert row.radius >= true.radius - 0.02
        assert row.abstained or row.prediction == true.prediction
    assert truth.abstentions <= sum(row.abstained for row in found.rows)


def _floor(digits: int) -> Callable[[float], str]:
    step = Decimal(1).scaleb(-digits)
    return lambda radius: str(Decimal(radius).quantize(step, ROUND_FLOOR))


PRINTED: dict[str, Callable[[float], str]] = {
    **{form: f"{{:{form}}}".format for form in (".2", ".3", ".4", ".6g", ".17g", ".3e")},
    **{form: f"{{:{form}}}".format for form in (".1f", ".2f", ".3f", ".5f")},
    **{f"{digits} digits, down": _floor(digits) for digits in (2, 3, 6)},
    "single precision": lambda radius: str(np.float32(radius)),
}


@pytest.mark.parametrize("show", PRINTED.values(), ids=PRINTED)
def test_no_rounding_makes_a_restatement_overstate(
    log_file: Callable[..., Path], show: Callable[[float], str]
) -> None:
    """Logs from known counts: whenever the true grid is allowed for, nothing is overstated."""
    source = np.random.default_rng(11)
    judged = 0
    for _ in range(8):
        n, alpha, other = (source.choice(values) for values in (SAMPLES, ALPHAS, ALPHAS))
        p = 1.0 - 0.6 * source.random(source.choice((1, 5, 40))) ** 3
        hits = [int(k) for k in source.binomial(n, p)]
        radii = [field_radius(k, n, 0.5, alpha) if k else 0.0 for k in hits]
        lines = [
            f"{i}\t3\t3\t{show(r)}\t1\t1\n" if r > 0 else f"{i}\t3\t-1\t0.0\t0\t1\n"
            for i, r in enumerate(radii)
        ]
        grid = audit_log(read_log(log_file("".join(lines))), sigma=0.5, alpha=float(other)).grid
        if grid is None or grid.restated is None:
            continue
        assumed = [(fit.grid.n, fit.grid.alpha) for fit in grid.restated.assumed]
        if (n, alpha) not in assumed:
            continue
        judged += 1
        for row, k in zip(grid.restated.rows, hits, strict=True):
            truth = Gaussian(0.5).radius(clopper_pearson_lower(k, int(n), float(other)))
            assert row.radius <= truth
    assert judged >= 2


def test_an_unambiguous_log_gives_the_field_s_radius(made_log: Callable[..., Path]) -> None:
    path = made_log(alpha=0.01, n=1000, show=str)
    found, exact = restated(path, 0.001)
    assert found.grid is not None
    assert found.grid.fits.best is not None
    hits = hits_behind(found.grid.printed, found.grid.fits.best)
    assert hits.fewest == hits.most
    radius_of = dict(zip(found.grid.printed.values.tolist(), hits.fewest, strict=True))
    for row, new in zip(found.log.rows, exact.rows, strict=True):
        if row.abstained:
            assert new == row
            continue
        k = radius_of[row.radius]
        expected = field_radius(k, 1000, 0.5, 0.001)
        if expected > 0:
            assert new.radius == pytest.approx(expected, abs=1e-7)  # rounded down by about 5e-8
            assert new.radius <= expected
        else:
            assert new.abstained


def test_a_smaller_alpha_makes_no_radius_larger_than_the_grid_s(
    made_log: Callable[..., Path],
) -> None:
    path = made_log(alpha=0.01)
    _, same = restated(path, 0.01)
    _, smaller = restated(path, 0.001)
    assert all(b.radius <= a.radius for a, b in zip(same.rows, smaller.rows, strict=True))


def test_all_hits_behind_a_printed_radius_are_found(made_log: Callable[..., Path]) -> None:
    found, _ = restated(made_log(n=10_000, alpha=0.01), 0.001)
    assert found.grid is not None
    fit = found.grid.fits.best
    assert fit is not None
    hits = hits_behind(found.grid.printed, fit)
    table = fit.grid.radii(np.arange(1, 10_001, dtype=float))
    for value, fewest, most in zip(found.grid.printed.values, hits.fewest, hits.most, strict=True):
        alike = 1 + np.flatnonzero([f"{r:.3}" == f"{value:.3}" for r in table])
        assert (fewest, most) == (alike[0], alike[-1])


def test_overstated_radii_are_counted(made_log: Callable[..., Path]) -> None:
    found = audit_log(read_log(made_log(n=1000, alpha=0.01)), sigma=0.5)
    assert found.grid is not None
    assert found.grid.fits.best is not None
    over = found.grid.overstated
    assert over is not None
    table = found.grid.fits.best.grid.radii(np.arange(1, 1001, dtype=float))
    printed = {f"{r:.3}": float(r) for r in table}
    # With n = 1000 nearly every printed radius has one point; the rest may be either way.
    surely = sum(
        float(row.printed or 0) > printed.get(f"{row.radius:.3}", 9.0) for row in found.log.rows
    )
    assert over.surely <= surely <= over.possibly
    assert over.surely <= over.expected <= over.possibly
    assert over.surely > 20


def test_where_grids_are_alike_the_smallest_radius_counts(log_file: Callable[..., Path]) -> None:
    path = log_file("0\t3\t3\t0.123\t1\t1.0\n1\t3\t3\t0.2\t1\t1.0\n")
    _, found = restated(path, 0.001)
    assert len(found.assumed) > 50
    assert all(row.radius < row_radius for row, row_radius in zip(found.rows, (0.123, 0.2)))  # noqa: B905


def test_rows_without_a_usable_radius_lose_their_certificate(
    made_log: Callable[..., Path], log_file: Callable[..., Path]
) -> None:
    content = made_log(alpha=0.01).read_text() + "900\t3\t3\tinf\t1\t1.0\n901\t3\t3\t0.0\t1\t1.0\n"
    path = log_file(content, "more")
    _, smaller = restated(path, 0.001)
    _, larger = restated(path, 0.05)
    assert [row.abstained for row in smaller.rows[-2:]] == [True, True]
    assert [row.correct for row in larger.rows[-2:]] == [True, True]
    assert [row.radius for row in larger.rows[-2:]] == [0.0, 0.0]


def test_bad_parameters_are_refused(made_log: Callable[..., Path]) -> None:
    log = read_log(made_log(rows=5))
    for alpha in (0.0, 1.0, -1.0, float("nan")):
        with pytest.raises(UsageError, match="alpha"):
            audit_log(log, alpha=alpha)
    for sigma in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(UsageError, match="sigma"):
            audit_log(log, sigma=sigma)
