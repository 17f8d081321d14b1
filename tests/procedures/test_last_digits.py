"""Rows with the last digits of another machine: what is taken for ours, and that it is proved."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsonnx.counts import Counts
from rsonnx.noise import (
    BrightnessBlur,
    BrightnessContrast,
    Flips,
    Gaussian,
    Laplace,
    Law,
    PowerLinf,
)
from rsonnx.procedures import Bracket, Evidence, Exact, Fixed
from rsonnx.runs import Row, read_run, verify
from rsonnx.statistics import (
    as_recorded,
    proved_lower,
    proved_upper,
    proves_lower_bound,
    proves_upper_bound,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "runs"
CERTIFIED = sorted(p for p in GOLDEN.glob("*.jsonl") if not p.stem.startswith("samples"))


@given(st.floats(0.0, 1.0), st.floats(-1e-9, 1e-9), st.booleans())
def test_a_bound_is_taken_only_where_it_is_near_and_proved(
    bound: float, other: float, proved: bool
) -> None:
    recorded = bound * (1 + other)
    taken = as_recorded(bound, recorded, lambda p: proved and p == recorded)
    if not proved or abs(other) > 2.4e-10:
        assert taken == bound
    elif abs(other) < 2.3e-10:
        assert taken == recorded
    assert as_recorded(bound, None, lambda _: True) == bound


LAWS = [
    Gaussian(0.5),
    Laplace(0.5),
    Laplace(0.5, "linf", 50),
    PowerLinf(0.5, 100.0, "linf", 50),
    BrightnessContrast(0.3, 0.2),
    BrightnessBlur(0.3, blur=1.0, blur_lambda=2.0, layout="NCHW"),
    Flips(0.55, 4, size=16),
]


def moved(value: float, steps: int) -> float:
    """Return the double so many behind one."""
    for _ in range(abs(steps)):
        value = math.nextafter(value, math.copysign(math.inf, steps))
    return value


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_a_radius_is_taken_only_within_its_margin(law: Law) -> None:
    """Flips have whole numbers, and Laplace noise in l1 a radius in 160 bits: these have none."""
    for p in (0.9, 0.999):
        radius, proves = law.radius(p), partial(law.proves, p_a_lower=p, p_b_upper=None)
        others = {steps: moved(radius, steps) for steps in range(-6, 7)}
        near = [at for at, other in others.items() if law.same_radius(other, radius, proves)]
        exact = isinstance(law, Flips) or law.norm == "l1"
        assert near == [0] if exact else {-3, 0, 3} <= {*near}
        assert radius == 0 or not law.same_radius(radius * (1 + 1e-9), radius, proves)


@pytest.mark.parametrize(
    ("k", "n", "alpha", "upper"),
    [
        (8286248, 90480107, 2.07251479813851e-09, False),
        (1727022, 14782746, 7.8e-98, False),
        (3, 2013707, 0.14, True),
        (4, 4_000_000, 5e-4, True),
    ],
)
def test_bounds_of_millions_of_samples_are_proved(
    k: int, n: int, alpha: float, upper: bool
) -> None:
    """There scipy errs by as much as the margin of a bound, and in one release by more."""
    bound = (proved_upper if upper else proved_lower)(k, n, alpha)
    assert (proves_upper_bound if upper else proves_lower_bound)(bound, k, n, alpha)


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

from rsonnx.procedures import Bracket, Evidence, Exact, Fixed
from rsonnx.runs import Row, read_run, verify

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


@pytest.mark.parametrize("law", [Gaussian(0.5), Laplace(0.5), Laplace(0.5, "linf", 50)], ids=str)
def test_a_calculated_radius_is_taken_where_its_bracket_proves_it(law: Law) -> None:
    bracket = Bracket.of(1, 0.01, 0.995)
    exact = Exact(law)
    derived = exact.derive(Evidence(Counts([]), Counts([]), bracket=bracket))
    for steps, is_taken in ((0, True), (3, law.norm != "l1"), (10**6, False)):
        row = replace(derived, radius=derived.radius + steps * math.ulp(derived.radius))
        assert exact.same_radii(row, derived) == is_taken


def test_an_answer_of_no_class_has_no_radius_beside_it() -> None:
    run = read_run(GOLDEN / "two-sided.jsonl")
    silent = Counts([], run.header.procedure.n0), Counts([], run.header.procedure.n)
    certificate = run.header.procedure.derive(Evidence(*silent))
    row = Row.of(certificate, run.rows[0])
    for changed in (replace(row, one_sided_radius=5.0), replace(row, p_b_upper=1 - 2.0**-33)):
        rows = (changed, *run.rows[1:])
        assert [fault.index for fault in verify(replace(run, rows=rows)).faults] == [row.index]


@pytest.mark.parametrize("n", [4_000_000_000, 10**12])
def test_the_radius_beside_is_of_its_own_bound_however_near_the_other_is(n: int) -> None:
    fixed = Fixed(Gaussian(0.25), 30, n, 0.001, radius_rule="two-sided", num_classes=3)
    evidence = Evidence(Counts([30, 0, 0]), Counts([n, 0, 0]))
    derived = fixed.derive(evidence)
    again = fixed.derive(replace(evidence, near=derived.p_a_lower, near_b=derived.p_b_upper))
    assert again == derived
