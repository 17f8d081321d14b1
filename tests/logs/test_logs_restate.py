"""Restating a log at another alpha: against the truth that the log was made from."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_FLOOR, Decimal
from pathlib import Path

import numpy as np
import pytest

from rsonnx.logs import ALPHAS, SAMPLES, Fit, Restatement, audit_log, read_log
from rsonnx.logs.printed import Printed
from rsonnx.noise import Gaussian
from rsonnx.statistics import clopper_pearson_lower


def restated(path: Path, alpha: float) -> Restatement:
    restatement = audit_log(read_log(path), sigma=0.5, alpha=alpha).restated
    assert restatement is not None
    return restatement


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
    certify_log: Callable[..., Path], show: Callable[[float], str]
) -> None:
    """Logs from known counts: whenever the true grid is allowed for, nothing is overstated."""
    source = np.random.default_rng(11)
    judged = 0
    for _ in range(3):
        n, alpha, other = (source.choice(values).item() for values in (SAMPLES, ALPHAS, ALPHAS))
        p = 1.0 - 0.6 * source.random(source.choice((1, 5, 40))) ** 3
        hits = source.binomial(n, p).tolist()
        log = read_log(certify_log(hits, n, 0.5, alpha, show=show))
        restatement = audit_log(log, sigma=0.5, alpha=other).restated
        if restatement is None or (n, alpha) not in [(f.n, f.alpha) for f in restatement.assumed]:
            continue
        judged += 1
        for row, k in zip(restatement.rows, hits, strict=True):
            assert row.radius <= Gaussian(0.5).radius(clopper_pearson_lower(k, n, other))
    assert judged


@pytest.mark.parametrize("alpha", [1e-4, 0.001, 0.05])
def test_three_digits_cost_little_and_full_ones_nothing(
    made_log: Callable[..., Path], alpha: float
) -> None:
    source = np.random.default_rng(7)  # the draws of made_log
    p = 1.0 - 0.6 * source.random(300) ** 3
    hits = np.where(source.random(300) < 0.9, source.binomial(100_000, p), 100_000).tolist()
    full, three = restated(made_log(show=str), alpha), restated(made_log(), alpha)
    assert full.ambiguous == 0
    assert three.ambiguous > 100
    radii = [Gaussian(0.5).radius(clopper_pearson_lower(k, 100_000, alpha)) for k in hits]
    for row, rough, radius in zip(full.rows, three.rows, radii, strict=True):
        assert rough.radius <= row.radius <= rough.radius + 0.02
        if not row.abstained:
            assert row.radius == pytest.approx(radius, abs=1e-7)
            assert row.radius <= radius


def test_overstated_radii_are_counted(certify_log: Callable[..., Path]) -> None:
    """With n = 1000 nearly every printed radius has one point; the rest may be either way."""
    hits = np.random.default_rng(7).integers(600, 1001, 300).tolist()
    audit = audit_log(read_log(certify_log(hits, 1000, 0.5, 0.01)), sigma=0.5)
    assert audit.grid is not None
    best, over = audit.grid.fits[0], audit.grid.overstated
    assert over is not None
    radii = np.array([row.radius for row in audit.log.rows])
    truly = int((radii > best.radii(np.array(hits, float))).sum())
    assert 20 < over.surely <= truly <= over.possibly
    assert over.surely <= over.expected <= over.possibly


def test_a_smaller_alpha_makes_no_radius_larger(made_log: Callable[..., Path]) -> None:
    path = made_log()
    same, smaller = restated(path, 0.01), restated(path, 0.001)
    assert all(b.radius <= a.radius for a, b in zip(same.rows, smaller.rows, strict=True))


def test_all_hits_behind_a_printed_radius_are_found(made_log: Callable[..., Path]) -> None:
    log = read_log(made_log(n=10_000))
    printed = Printed.of([row.printed for row in log.rows if row.radius > 0 and row.printed])
    fit = Fit(0.5, 10_000, 0.01, "nearest", by_chance=0.0, log10_chance=0.0)
    table = fit.radii(np.arange(1, 10_001, dtype=float))
    shown = np.array([f"{r:.3}" for r in table])
    for value, fewest, most in zip(printed.values, *fit.hits(printed), strict=True):
        alike = 1 + np.flatnonzero(shown == f"{value:.3}")
        assert most == alike[-1]
        assert fewest == alike[0] or value == 1.0  # below 1 the third digit is finer than above


def test_where_grids_are_alike_the_smallest_radius_counts(log_file: Callable[..., Path]) -> None:
    restatement = restated(log_file("0\t3\t3\t0.123\t1\t1.0\n1\t3\t3\t0.2\t1\t1.0\n"), 0.001)
    assert len(restatement.assumed) > 50
    assert all(row.radius < radius for row, radius in zip(restatement.rows, (0.123, 0.2)))  # noqa: B905


def test_rows_without_a_usable_radius_lose_their_certificate(
    made_log: Callable[..., Path], log_file: Callable[..., Path]
) -> None:
    content = made_log().read_text() + "900\t3\t3\tinf\t1\t1.0\n901\t3\t3\t0.0\t1\t1.0\n"
    path = log_file(content, "more")
    smaller, larger = restated(path, 0.001).rows[-2:], restated(path, 0.05).rows[-2:]
    assert [row.abstained for row in smaller] == [True, True]
    assert [(row.correct, row.radius) for row in larger] == [(True, 0.0), (True, 0.0)]
