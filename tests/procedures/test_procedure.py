"""What every procedure keeps: its record, its stages, and figures that its proof agrees with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from headers import derived
from hypothesis import given
from hypothesis import strategies as st

from rsonnx.closed_form import Form
from rsonnx.counts import Counts
from rsonnx.errors import ModelError, UsageError
from rsonnx.noise import Columns, Gaussian, InputSpace, Laplace
from rsonnx.procedures import (
    Adaptive,
    Certificate,
    CountRange,
    Enumerated,
    Evidence,
    Fixed,
    Procedure,
    Task,
    procedure_recorded,
)

NOISE, TAKEN = Gaussian(0.5), (2, 8, 8)  # noise of columns shows x and 1 - x
ALL: dict[str, Procedure] = {
    "fixed": Fixed(NOISE, 20, 500, 0.001, num_classes=3),
    "two-sided": Fixed(NOISE, 20, 500, 0.001, radius_rule="two-sided", num_classes=3),
    "hoeffding": Fixed(NOISE, 20, 500, 0.001, "hoeffding"),
    "randomised": Fixed(NOISE, 20, 500, 0.001, "randomized-clopper-pearson"),
    "laplace": Fixed(Laplace(0.3), 20, 500, 0.001),
    "adaptive": Adaptive(NOISE, 20, 500, 0.001, (0.25, 0.5)),
    "enumerated": Enumerated(Columns(1, "NCHW"), (1, 8, 8)),
}


def no_form() -> Form:
    raise ModelError("it is none")


each = pytest.mark.parametrize("procedure", ALL.values(), ids=ALL)


def _certificate(procedure: Procedure) -> Certificate:
    if isinstance(procedure, Enumerated):
        return procedure.derive(Evidence(Counts([]), Counts([1, 7])))
    return derived(procedure, Counts([1, 19]), Counts([10, 480], 10), 480)


@each
def test_what_a_header_records_gives_it_back(procedure: Procedure) -> None:
    recorded = procedure.to_json()
    assert recorded.keys() == ALL["fixed"].to_json().keys()
    assert procedure_recorded(recorded, procedure.noise, TAKEN) == procedure
    for wrong in ({"bound": "wald"}, {"radius_rule": "odd"}):
        with pytest.raises(UsageError):
            procedure_recorded(recorded | wrong, procedure.noise, TAKEN)
    if procedure.noise.enumerated:
        for other in (ALL["fixed"].to_json(), recorded | {"n": 9}, recorded | {"alpha": 0.1}):
            with pytest.raises(UsageError):
                procedure_recorded(other, procedure.noise, TAKEN)


@each
def test_the_proof_agrees_with_the_figures_and_with_no_better_ones(procedure: Procedure) -> None:
    found = _certificate(procedure)
    assert not found.abstained
    proof = procedure.prove(found)
    bounds, radius = {
        "clopper-pearson": (True, procedure.noise == NOISE),
        "hoeffding": (True, True),
        "exact": (True, True),
    }.get(procedure.bound, (False, False))
    assert (proof.bounds, proof.radius, proof.faults) == (bounds, radius, ())
    if procedure.bound == "exact" or not bounds:
        return
    better: list[Mapping[str, Any]] = [{"p_a_lower": 0.99}]
    better += [{"radius": found.radius * 1.001}] if radius else []
    better += [{"p_b_upper": 0.001}] if found.p_b_upper is not None else []
    for change in better:
        assert procedure.prove(replace(found, **change)).faults


@each
def test_drawn_again_the_same_counts_give_the_same_certificate(procedure: Procedure) -> None:
    found = _certificate(procedure)
    counts, totals = found.counts, found.counts.totals
    evidence = Evidence(counts.selection, counts.estimation, found.uniform, found.claim)
    steps = procedure.again(Task(InputSpace((1,)).point([0.5]), 0, no_form), evidence)
    asked = next(steps)
    assert {ask.stream: ask.stop for ask in asked} == {k: n for k, n in totals.items() if n}
    with pytest.raises(StopIteration) as stopped:
        steps.send([getattr(found.counts, ask.stream) for ask in asked])
    assert stopped.value.value == found


def test_the_stages_are_asked_for_in_full_and_checked() -> None:
    point = InputSpace((1,)).point([0.5])
    task = Task(point, 1, no_form)
    (selection, estimation) = next(ALL["fixed"].steps(task))
    assert (selection.stream, selection.stop) == ("selection", 20)
    assert (estimation.stream, estimation.stop) == ("estimation", 500)
    for stages in ((Counts([19]), Counts([500])), (Counts([20]), Counts([501]))):
        with pytest.raises(UsageError, match=r"(19 selection|501 estimation) samples"):
            ALL["fixed"].derive(Evidence(*stages))
    with pytest.raises(UsageError, match="uniform"):
        ALL["randomised"].derive(Evidence(Counts([20]), Counts([500])))


def test_a_range_is_of_a_fixed_n_and_has_the_selection_with_its_first_sample() -> None:
    assert [CountRange(ALL["fixed"], *part).samples for part in ((0, 9), (9, 500))] == [29, 491]
    assert CountRange(ALL["enumerated"], 0, 8).samples == 8
    for procedure, stop in ((ALL["fixed"], 501), (ALL["adaptive"], 9), (ALL["enumerated"], 9)):
        with pytest.raises(UsageError, match=f"0:{stop}"):
            CountRange(procedure, 0, stop)


@given(st.integers(20, 10**6), st.floats(0.05, 5.0))
def test_the_largest_reachable_radius_is_printed_rounded_down(n: int, sigma: float) -> None:
    noise = Gaussian(sigma)
    with pytest.raises(UsageError, match="cannot be reached") as refusal:
        Adaptive(noise, 100, n, 0.001, (100 * sigma,))
    found = re.search(r"give at most ([0-9.]+);", str(refusal.value))
    assert found is not None
    exact = Adaptive(noise, 100, n, 0.001, (1e-6 * sigma,)).largest_radius
    assert exact - 1e-4 <= float(found[1]) <= exact
