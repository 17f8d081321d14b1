"""Rows with the last digits of another machine: what is taken for ours, and that it is proved."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsonnx.noise import Gaussian
from rsonnx.procedures.last_digits import SHARE, is_near
from rsonnx.runs import read_run, verify
from rsonnx.statistics import (
    SAME_BOUND,
    as_recorded,
    clopper_pearson_lower,
    clopper_pearson_upper,
    proves_lower_bound,
    proves_upper_bound,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "runs"
CERTIFIED = sorted(p for p in GOLDEN.glob("*.jsonl") if not p.stem.startswith("samples"))

COUNTS = st.integers(1, 200_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(COUNTS, st.floats(1e-9, 0.5))
def test_bounds_that_are_taken_and_strengthened_are_proved(
    counts: tuple[int, int], alpha: float
) -> None:
    most = (1 + SAME_BOUND) * (1 + SHARE)
    assert proves_lower_bound(clopper_pearson_lower(*counts, alpha) * most, *counts, alpha)
    assert proves_upper_bound(clopper_pearson_upper(*counts, alpha) / most, *counts, alpha)


@given(st.floats(0.0, 1.0), st.floats(-1e-11, 1e-11))
def test_a_bound_is_taken_for_ours_only_where_it_is_near(bound: float, other: float) -> None:
    recorded = bound * (1 + other)
    assert as_recorded(bound, None) == bound
    taken = as_recorded(bound, recorded)
    assert taken in {bound, recorded}
    assert abs(taken - bound) <= 1.001 * SAME_BOUND * bound


@given(st.floats(0.5, 1.0, exclude_max=True), st.floats(-1e-9, 1e-9))
def test_a_radius_is_near_only_below_that_of_a_stronger_bound(p: float, other: float) -> None:
    law = Gaussian(0.5)
    radius = law.radius(p) * (1 + other)
    if is_near(radius, law.radius, p):
        assert law.radius(p * (1 - SHARE)) <= radius
        assert radius <= law.radius(max(p, min(p * (1 + SHARE), 1 - 2.0**-53)))
    assert is_near(law.radius(p), law.radius, p)


@pytest.mark.parametrize("path", CERTIFIED, ids=lambda path: path.stem)
def test_a_radius_that_is_larger_by_a_billionth_does_not_hold(path: Path) -> None:
    run = read_run(path)
    rows = [replace(row, radius=row.radius * (1 + 1e-9)) for row in run.rows]
    raised = [row.index for row in run.rows if row.radius > 0]
    checked = verify(replace(run, rows=tuple(rows)))
    assert {fault.index for fault in checked.faults if fault.index is not None} == {*raised}


ANOTHER = """
import math, random, sys
from dataclasses import replace
from rsonnx.statistics import special

draws = random.Random(3)

def moved(function):
    return lambda *given: function(*given) * (1 + draws.uniform(-2, 2) * 2.0**-52)

betas = ("betainc", "betaincc", "betaincinv", "betainccinv", "betaln")
for name in (*betas, "gammaln", "ndtr", "ndtri", "xlogy", "xlog1py", "inv_boxcox", "inv_boxcox1p"):
    setattr(special, name, moved(getattr(special, name)))
for name in ("exp", "expm1", "log", "log1p"):
    setattr(math, name, moved(getattr(math, name)))

from rsonnx.runs import read_run, verify

for path in sys.argv[1:]:
    run = read_run(path, checked=False)
    for fault in verify(run).faults:
        print("fault", path, fault.index, fault.what)
    for row in run.rows:
        again = run.header.procedure.derive(replace(row.evidence, near=None, near_b=None))
        if (again.p_a_lower, again.radius) != (row.p_a_lower, row.radius):
            print("moved", path)
"""


def test_runs_hold_with_the_last_digits_of_another_library() -> None:
    """Every function of scipy and of C that counts is up to 2 units in the last place off."""
    command = [sys.executable, "-c", ANOTHER, *map(str, CERTIFIED)]
    said = subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines()
    assert [line for line in said if line.startswith("fault")] == []
    assert len([line for line in said if line.startswith("moved")]) > len(CERTIFIED)
