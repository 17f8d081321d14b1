"""Certificates of runs that stop for precision: what is drawn, claimed, refused and drawn again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsonnx.counts import Counts
from rsonnx.errors import UsageError
from rsonnx.noise import Flips, Gaussian, Laplace, Uniform
from rsonnx.procedures import (
    Ask,
    Certificate,
    Evidence,
    Fixed,
    Precise,
    Steps,
    Task,
    certify_procedure,
)

PRECISE = Precise(Gaussian(0.5), 100, 3000, 0.001, 0.1)
TASK = Task(cast(Any, None), 0, cast(Any, None))  # its input is not looked at


def answered(steps: Steps[Certificate], votes: Sequence[int]) -> Certificate:
    """Answer what is asked for: class 1 where ``votes``, of either stage, are 1; else class 0."""

    def counts(ask: Ask) -> Counts:
        ones = sum(votes[ask.start : ask.stop])
        return Counts([ask.stop - ask.start - ones, ones])

    asks = next(steps)
    try:
        while True:
            asks = steps.send([counts(ask) for ask in asks])
    except StopIteration as stop:
        return cast(Certificate, stop.value)


def evidence_of(made: Certificate) -> Evidence:
    return Evidence(made.counts.selection, made.counts.estimation, claim=made.claim)


@settings(deadline=None, max_examples=12)
@given(st.floats(0.5, 1.0), st.integers(0, 2**32))
def test_a_run_is_what_its_row_says_and_no_longer_one_is(p: float, seed: int) -> None:
    votes = (np.random.default_rng(seed).random(PRECISE.n) < p).astype(int).tolist()
    made = answered(PRECISE.steps(TASK), votes)
    evidence = evidence_of(made)
    assert not [*PRECISE.check(evidence, None)]
    assert PRECISE.derive(evidence) == made
    assert answered(PRECISE.again(TASK, evidence), votes) == made
    # The bound is that of so many samples that were fixed.
    fixed = Fixed(PRECISE.noise, made.n0, made.n, PRECISE.alpha)
    assert fixed.derive(replace(evidence, claim=None)).radius == made.radius
    assert PRECISE.prove(made).radius
    left = PRECISE.left(evidence)
    assert 0 <= left <= 0.101 * max(0.5, made.radius + left)
    # Who goes on behind the stop is found by drawing again, whatever the later counts are.
    for look in [n for n in PRECISE.looks if n > made.n][:3]:
        later = Counts([look - sum(votes[:look]), sum(votes[:look])])
        hits = Evidence(evidence.selection, later).hits
        forged = replace(evidence, estimation=later, claim=(hits, look))
        assert answered(PRECISE.again(TASK, forged), votes).claim == made.claim


def test_a_claim_is_of_all_that_was_drawn() -> None:
    selection, half = Counts([0, 16]), Counts([128, 128])
    whole = Evidence(selection, half, claim=(128, 256))
    assert not [*PRECISE.check(whole, None)]
    for claim in ((0, 0), (128, 128), (64, 128)):
        assert [*PRECISE.check(replace(whole, claim=claim), None)]
    assert [*PRECISE.check(Evidence(selection, Counts([]), claim=(0, 0)), None)]
    for claim in (None, (300, 300), (129, 256)):
        with pytest.raises(UsageError):
            PRECISE.derive(replace(whole, claim=claim))


@pytest.mark.parametrize("noise", [Laplace(lam=0.5), Uniform(lam=0.5)])
def test_other_noise_stops_by_its_own_radii(noise: Any) -> None:
    procedure = Precise(noise, 100, 3000, 0.001, 0.1)
    votes = [1] * 19 + [0]
    made = answered(procedure.steps(TASK), votes * (procedure.n // len(votes)))
    best = Fixed(noise, 100, procedure.n, 0.001).derive(
        Evidence(Counts([1, 99]), Counts([procedure.n // 20, procedure.n - procedure.n // 20]))
    )
    assert made.n < procedure.n
    assert made.radius >= 0.9 * best.radius > 0


def test_looks_are_few_and_the_last_is_what_agreement_needs() -> None:
    looks = Precise(Gaussian(0.25), 100, 100_000, 0.001, 0.05).looks
    assert len(looks) < 120
    assert looks[-1] < 50_000


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan"), "much", True])
def test_a_share_is_between_0_and_1(share: Any) -> None:
    with pytest.raises(UsageError, match="precision"):
        Precise(Gaussian(0.5), 100, 1000, 0.001, share)


def test_whole_numbers_have_no_share_to_lose() -> None:
    with pytest.raises(UsageError, match="whole numbers"):
        Precise(Flips(0.55, values=4, size=8), 100, 1000, 0.001, 0.1)


@pytest.mark.parametrize(
    "others",
    [{"target_radii": 0.5}, {"bound": "hoeffding"}, {"radius": "two-sided", "num_classes": 3}],
)
def test_it_has_a_bound_and_an_end_of_its_own(others: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        certify_procedure(Gaussian(0.5), n0=10, n=100, alpha=0.01, precision=0.1, **others)
