"""Sequential selection and prediction: exact error by enumeration, and agreement with PREDICT."""

import numpy as np
import pytest

from rsonnx.statistics.adaptive import Verdict
from rsonnx.statistics.sequential import SequentialPredict, lead_of, selection_settled


def test_lead() -> None:
    assert lead_of([3, 9, 4]) == (1, 9, 4)
    assert lead_of([4, 4]) == (0, 4, 4)
    assert lead_of([4, 0], 4) == (0, 4, 4)
    assert lead_of([4, 0], 5) == (-1, 5, 4)
    assert lead_of([7]) == (0, 7, 0)


def test_selection_stops_at_a_lead_or_at_the_ceiling() -> None:
    assert not selection_settled([7, 0], ceiling=100)
    assert selection_settled([8, 0], ceiling=100)
    assert not selection_settled([8, 1], ceiling=100)
    assert not selection_settled([9, 0], 2, ceiling=100)
    assert selection_settled([50, 45], 5, ceiling=100)
    assert selection_settled([0, 0], 8, ceiling=100)


def test_selection_takes_about_a_dozen_samples() -> None:
    # About 12 at p = 0.84 against one rival: the mean hitting time of a walk, 8/(2p - 1).
    p, alive, drawn = 0.84, {0: 1.0}, 0.0
    for _ in range(400):
        drawn += sum(alive.values())
        following: dict[int, float] = {}
        for lead, chance in alive.items():
            for step, q in ((1, p), (-1, 1 - p)):
                if abs(lead + step) < 8:
                    following[lead + step] = following.get(lead + step, 0.0) + q * chance
        alive = following
    assert drawn == pytest.approx(8 / (2 * p - 1), rel=0.01)


def error_of(rule: SequentialPredict, p: tuple[float, ...]) -> tuple[float, float]:
    """Return the exact chances of a wrong and of any answer; the last of ``p`` is no class."""
    alive = {(0,) * len(p): 1.0}
    truth = int(np.argmax(p))
    wrong = answered = 0.0
    for _ in range(rule.n_max):
        following: dict[tuple[int, ...], float] = {}
        for votes, chance in alive.items():
            for c, q in enumerate(p):
                if q:
                    key = (*votes[:c], votes[c] + 1, *votes[c + 1 :])
                    following[key] = following.get(key, 0.0) + q * chance
        alive = {}
        for votes, chance in following.items():
            look = rule.look(votes[:-1], votes[-1])
            if look.verdict is Verdict.CERTIFIED:
                answered += chance
                wrong += chance * (look.label != truth)
            else:
                alive[votes] = chance
    return wrong, answered


@pytest.mark.parametrize("method", ["majority", "two-class"])
@pytest.mark.parametrize(
    "p",
    [
        (0.5, 0.5, 0.0, 0.0),
        (0.501, 0.499, 0.0, 0.0),
        (0.34, 0.33, 0.33, 0.0),
        (0.45, 0.44, 0.11, 0.0),
        (0.3, 0.2, 0.1, 0.4),
        (0.9, 0.1, 0.0, 0.0),
    ],
)
def test_wrong_answers_are_rarer_than_alpha(method: str, p: tuple[float, ...]) -> None:
    # Looking after every single sample, all three classes and no class followed exactly.
    rule = SequentialPredict(n_max=22, alpha=0.2, method=method)
    wrong, answered = error_of(rule, p)
    assert wrong <= 0.2
    if p[0] == 0.9:
        assert answered > 0.95
    if p[0] == 0.5:
        assert answered > 0.01  # the bound on the error is not met by never answering


def test_clear_votes_are_answered_early() -> None:
    rule = SequentialPredict(n_max=1000, alpha=0.001, method="majority")
    looks = [rule.look([n, 0]).verdict for n in range(1, 16)]
    assert looks[-1] is Verdict.CERTIFIED
    assert set(looks[:-1]) == {Verdict.CONTINUE}
    pairwise = SequentialPredict(n_max=1000, alpha=0.001)
    assert pairwise.look([18, 0]).label == 0
    assert pairwise.look([0, 0], 30).verdict is Verdict.CONTINUE
    assert pairwise.look([0, 0], 1000).verdict is Verdict.EXHAUSTED


def test_below_one_half_only_the_pair_decides() -> None:
    votes = [400, 100, 100, 100, 100, 100]
    assert SequentialPredict(1000, method="majority").look(votes).verdict is Verdict.CONTINUE
    found = SequentialPredict(1000).look(votes)
    assert (found.verdict, found.label) == (Verdict.CERTIFIED, 0)
