"""Certificates from the counts of all outcomes."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rsonnx.counts import Counts
from rsonnx.errors import UsageError
from rsonnx.noise import Columns, Law, Splitting
from rsonnx.procedures import ABSTAIN, AbstainReason, Certificate, Enumerated, Evidence

NONE = Counts([])
ONE = Enumerated(Splitting(1.0), (1,))
COLUMNS = Enumerated(Columns(1, "NCHW"), (1, 8, 8))


def of(procedure: Enumerated, counts: Counts) -> Certificate:
    return procedure.derive(Evidence(NONE, counts))


def test_a_certificate() -> None:
    """The golden counts of splitting noise: R = 155/255 from (410, 100)."""
    found = of(ONE, Counts([410, 100]))
    assert (found.label, found.top_class, found.abstained) == (0, 0, False)
    assert (found.reason, found.explanation) == (None, None)
    assert (found.noise, found.norm, found.sigma, found.alpha) == ("splitting", "l1", None, 0.0)
    assert (found.bound, found.radius_rule, found.method) == ("exact", "exact", "exact")
    assert (found.n0, found.n) == (0, 510)
    assert found.radius == pytest.approx(155 / 255, rel=2**-52)
    assert Fraction(found.radius) <= Fraction(155, 255)
    assert Fraction(found.p_a_lower) <= Fraction(410, 510) < Fraction(found.p_a_lower + 1e-15)


@pytest.mark.parametrize(
    ("counts", "label", "radius"),
    [
        (Counts([8]), 0, 4),
        # Classes that were not seen are rivals, and those before the top class win ties.
        (Counts([0, 8]), 1, 3),
        (Counts([5, 3]), 0, 1),
        (Counts([3, 5]), 1, 0),
        (Counts([4, 4]), 0, 0),  # no abstention: the answer at the input itself is known
        (Counts([0, 4, 4]), 1, 0),
        (Counts([3, 3, 2]), 0, 0),
        # Answers that are no class lose ties, and win where they are the most.
        (Counts([5], no_class=3), 0, 1),
        (Counts([0, 5], no_class=3), 1, 1),
        (Counts([1, 4], no_class=3), 1, 0),
        (Counts([4], no_class=4), 0, 0),
        (Counts([3], no_class=5), ABSTAIN, 0),
        (Counts([0, 0], no_class=8), ABSTAIN, 0),
        (Counts([], no_class=8), ABSTAIN, 0),
    ],
)
def test_ties_rivals_and_no_class(counts: Counts, label: int, radius: int) -> None:
    found = of(COLUMNS, counts)
    assert (found.label, found.radius) == (label, radius)
    assert found.top_class == (counts.top()[0] if counts.classes.any() else ABSTAIN)
    assert found.reason == (AbstainReason.NO_CLASS if label == ABSTAIN else None)
    assert (found.explanation is None) == (not found.abstained)


@given(st.lists(st.integers(0, 300), min_size=1, max_size=5), st.integers(0, 300))
def test_laws(classes: list[int], no_class: int) -> None:
    """Against the definition: the largest c at which no change of c outcomes can win."""
    counts = Counts(classes, no_class)
    assume(counts.total)
    procedure = Enumerated(Splitting(counts.total / 510), (3, 2))
    found = of(procedure, counts)
    assert 0 <= found.radius <= procedure.largest_radius
    votes = [*classes, no_class]
    top = max(range(len(votes)), key=lambda k: (votes[k], -k))
    if top == len(classes):
        assert found.abstained
        return
    assert found.label == top

    def stands(c: int) -> bool:
        moved = min(c, votes[top])
        rivals = [*votes, 0]  # and a class that was never seen, behind all
        return all(
            (votes[top] - moved, -top) > (rivals[b] + moved, -b)
            for b in range(len(rivals))
            if b != top
        )

    steps = round(found.radius * 255)
    assert stands(steps)
    assert not stands(steps + 1)


@pytest.mark.parametrize(
    ("selection", "estimation"),
    [
        (NONE, Counts([7])),
        (NONE, Counts([9])),
        (NONE, Counts([5], no_class=2)),
        (NONE, NONE),
        (Counts([1]), Counts([8])),
        (Counts([], no_class=1), Counts([8])),
    ],
)
def test_counts_that_are_not_of_all_outcomes(selection: Counts, estimation: Counts) -> None:
    with pytest.raises(UsageError, match="8 outcomes"):
        COLUMNS.derive(Evidence(selection, estimation))


def test_the_largest_radius_is_where_all_agree() -> None:
    assert COLUMNS.largest_radius == 4
    assert Enumerated(Columns(5, "NCHW"), (1, 8, 8)).largest_radius == 0
    assert ONE.largest_radius == pytest.approx(1.0, abs=1e-15)
    with pytest.raises(UsageError, match="three axes"):
        Enumerated(Columns(1, "NCHW"), (64,))


@pytest.mark.parametrize("law", [Splitting(1 / 51), Columns(2, layout="NCHW")])
def test_how_many_outcomes_there_are_is_never_guessed(law: Law) -> None:
    made = Enumerated(law, law.input_shape((2, 3, 5)))
    assert Enumerated.recorded(made.to_json(), law, (2, 3, 5)) == made
