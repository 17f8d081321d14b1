"""Exact certificates of forms made by hand, against golden values and exact enumeration."""

import itertools
import json
import math
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from closed_forms import (
    ANYWHERE,
    FormClassifier,
    cells_of,
    oracle_of,
    real_point,
    stump_sum,
)
from exact_oracle import Cut, Noise, Oracle, Stump, answer, cuts_of
from hypothesis import assume, given
from hypothesis import strategies as st

from rsonnx.closed_form import UNDECIDED, Boxes, Decision, Linear
from rsonnx.counts import Counts
from rsonnx.errors import UsageError
from rsonnx.noise import AnisotropicGaussian, Columns, Gaussian, InputSpace, Laplace, Law, Uniform
from rsonnx.procedures import ABSTAIN, Evidence, Exact, Task
from rsonnx.procedures.brackets import bracket
from rsonnx.procedures.confirming import unconfirmed
from rsonnx.procedures.result import AbstainReason
from rsonnx.smoothing import SmoothedClassifier

GOLDEN = json.loads((Path(__file__).resolve().parents[1] / "golden" / "stumps.json").read_text())
LAWS: dict[str, Any] = {"gaussian": Gaussian, "laplace": Laplace, "uniform": Uniform}
NOTHING = (Counts([]), Counts([]))
SINGLE = Decision((0, 1), np.zeros(1))


def _stumps(rows: list[list[Any]], *, leq: bool = True) -> list[Stump]:
    return [
        Stump(at, Cut(float(np.float32(Fraction(cut))), leq), *map(_scores, leaves))
        for at, cut, *leaves in rows
    ]


def _scores(leaf: float | list[float]) -> tuple[float, ...]:
    return tuple(leaf) if isinstance(leaf, list) else (leaf,)


@pytest.mark.parametrize("case", GOLDEN["hand"], ids=lambda case: case["name"])
def test_hand_cases(case: dict[str, Any]) -> None:
    form = stump_sum(_stumps(case["stumps"]), SINGLE, [case["base"]])
    law = LAWS[case["noise"]](case["scale"])
    found = bracket(form, law, real_point(case["x"]))
    # Their cuts are doubles, and not where float32 numbers round to either side.
    other = float(case[f"p_class_{1 - case['label']}"])
    assert (found.label, found.p_b_upper) == (case["label"], pytest.approx(other, abs=1e-6))
    assert law.radius_beside(found.p_b_upper) == pytest.approx(float(case["radius"]), abs=1e-6)


@pytest.mark.parametrize("case", GOLDEN["grid_noise"])
def test_noise_on_the_grid_is_compared_as_the_file_does(case: dict[str, Any]) -> None:
    rows = [[at, cut, below, above] for at, cut, _, below, above in case["stumps"]]
    leq = case["stumps"][0][2] == "BRANCH_LEQ"
    form, law = stump_sum(_stumps(rows, leq=leq), SINGLE), Gaussian(case["sigma"])
    found = bracket(form, law, InputSpace((3,)).point(np.array(case["levels"], np.uint8)))
    radius, true = law.radius_beside(found.p_b_upper), float(case["radius"])
    assert found.label == case["label"]
    assert true - 1e-9 < radius <= true + 1e-15  # which is printed in 15 digits


@pytest.mark.parametrize("case", GOLDEN["multiclass"], ids=lambda case: case["noise"])
def test_several_classes_are_bounded_by_their_sum(case: dict[str, Any]) -> None:
    form = stump_sum(_stumps(case["stumps"]), Decision((0, 1, 2), np.zeros(3)))
    found = bracket(form, LAWS[case["noise"]](case["scale"]), real_point(case["x"]))
    top = float(case["p"][case["label"]])
    assert found.label == case["label"]
    assert found.p_a_lower <= top + 1e-6
    assert found.p_a_upper >= top - 1e-6
    assert 1 - found.p_a_lower == pytest.approx(found.p_b_upper)


@pytest.mark.parametrize("case", GOLDEN["published"], ids=lambda case: case["model"])
def test_published_stumps(case: dict[str, Any]) -> None:
    form = stump_sum(
        _stumps(case["stumps"]), Decision((0, 1), np.zeros(1), case["score_threshold"])
    )
    law = LAWS[case["noise"]](case["scale"])
    for row in case["rows"]:
        found = bracket(form, law, real_point(row["x"]))
        assert found.label == row["label"]
        assert law.radius_beside(found.p_b_upper) == pytest.approx(float(row["radius"]), abs=1e-6)


LEAVES = {
    "lattice": st.integers(-12, 12).map(lambda k: k / 4),
    "decimal": st.integers(-12, 12).map(lambda k: float(np.float32(k / 10))),
    "float": st.floats(-3, 3, width=32),
}
NOISES = st.sampled_from(
    [("gaussian", 0.3), ("gaussian", 0.02), ("laplace", 0.2), ("uniform", 0.4), ("gaussian", 5.0)]
)


def _random_stumps(leaf: st.SearchStrategy[float], scores: int) -> st.SearchStrategy[list[Stump]]:
    leaves = st.tuples(*[leaf] * scores)
    cut = st.builds(Cut, st.floats(-1, 2, width=32), st.booleans())
    stump = st.builds(Stump, st.integers(0, 3), cut, leaves, leaves)
    return st.lists(stump, min_size=1, max_size=6)


@pytest.mark.parametrize("leaf", LEAVES)
@pytest.mark.parametrize("scores", [1, 3])
def test_no_bracket_excludes_what_enumeration_gives(leaf: str, scores: int) -> None:
    @given(
        _random_stumps(LEAVES[leaf], scores),
        NOISES,
        st.lists(st.floats(-1, 2), min_size=4, max_size=4),
        st.sampled_from([0.0, 1e-6]),
        st.booleans(),
    )
    def check(
        stumps: list[Stump], noise: tuple[str, float], x: list[float], slack: float, tie: bool
    ) -> None:
        classes = (0, 1) if scores == 1 else tuple(range(scores))
        decision = Decision(classes, np.full(scores, slack), 0.25 if scores == 1 else 0.0, tie)
        form = stump_sum(stumps, decision)
        oracle, true = oracle_of(form, cuts_of(stumps), 4), Noise(*noise)
        found = bracket(form, law := LAWS[noise[0]](noise[1]), real_point(x))
        masses = oracle.masses(x, true)
        with mpmath.workprec(300):
            other = mpmath.fsum(mass for c, mass in masses.items() if c != found.label)
            undecided = masses.get(UNDECIDED, mpmath.mpf(0))
            # Of three scores two may be near each other, and the third below both.
            own = masses.get(found.label, mpmath.mpf(0)) + (undecided if scores == 1 else 0)
            assert found.p_a_lower <= 1 - other + mpmath.mpf(2) ** -280
            assert found.p_b_upper >= other * (1 - mpmath.mpf(2) ** -280) - mpmath.mpf(2) ** -1200
            assert found.p_a_upper >= own * (1 - mpmath.mpf(2) ** -280)
            if scores > 1 or slack or leaf == "float":
                return
            top, radius = answer(masses, true)
            gap = radius - law.radius_beside(found.p_b_upper)
            assert gap >= 0
            assert gap <= 1e-9 * max(1, radius) or other < 2.0**-1000 or leaf == "decimal"
            assert found.label == top or abs(other - 0.5) < 1e-9 or leaf == "decimal"

    check()


@given(
    st.lists(st.lists(st.floats(-1, 2, width=32), min_size=1, max_size=3), min_size=1, max_size=3),
    st.integers(0, 2**30),
    NOISES,
    st.lists(st.floats(-1, 2), min_size=3, max_size=3),
)
def test_one_tree_is_the_sum_of_its_boxes(
    values: list[list[float]], seed: int, noise: tuple[str, float], x: list[float]
) -> None:
    cuts = {at: [Cut(cut) for cut in sorted(set(own))] for at, own in enumerate(values)}
    shape = [len(own) + 1 for own in cuts.values()]
    corners = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1).reshape(
        -1, len(shape)
    )
    labels = np.random.default_rng(seed).integers(-1, 3, len(corners))
    # The cells along the last value are joined where their labels are equal, as in a tree.
    first, last, classes = [], [], []
    for corner, label in zip(corners, labels, strict=True):
        joins = corner[-1] > 0 and classes[-1] == label
        if joins:
            last[-1] = corner
        else:
            first.append(corner), last.append(corner), classes.append(label)
    form = Boxes(cells_of(cuts), np.array(first), np.array(last), np.array(classes))
    found = bracket(form, law := LAWS[noise[0]](noise[1]), real_point(x[: len(shape)]))
    masses = oracle_of(form, cuts, len(shape)).masses(x, Noise(*noise))
    with mpmath.workprec(300):
        other = mpmath.fsum(mass for c, mass in masses.items() if c != found.label)
        assert found.p_b_upper >= other * (1 - mpmath.mpf(2) ** -280) - mpmath.mpf(2) ** -1200
        assert found.p_b_upper <= other * (1 + mpmath.mpf(2) ** -40) + mpmath.mpf(2) ** -1000
        best = max((mass for c, mass in masses.items() if c != UNDECIDED), default=0)
        if found.label != ABSTAIN:
            assert masses.get(found.label, 0) >= best * (1 - mpmath.mpf(2) ** -40)
            true = Noise(*noise).radius(other) if other else mpmath.inf
            assert law.radius_beside(found.p_b_upper) <= true


def _linear(weights: list[list[float]], intercepts: list[float], *, rounding: float) -> Linear:
    several = np.array(weights)
    single = (
        Decision((0, 1), np.zeros(1)),
        Decision(tuple(range(len(several))), np.zeros(len(several))),
    )
    return Linear(
        several, np.array(intercepts), rounding * np.abs(several), 1e30, single[len(several) > 1]
    )


@given(
    st.lists(st.lists(st.floats(-3, 3), min_size=3, max_size=3), min_size=1, max_size=3),
    st.lists(st.floats(-1, 1), min_size=3, max_size=3),
    st.lists(st.floats(-2, 2), min_size=3, max_size=3),
    st.floats(0.05, 2),
)
def test_linear_scores_are_half_spaces(
    weights: list[list[float]], intercepts: list[float], x: list[float], sigma: float
) -> None:
    form = _linear(weights, intercepts[: len(weights)], rounding=2.0**-22)
    found = bracket(form, law := Gaussian(sigma), real_point(x))
    scores = form.weights @ np.array(x) + form.intercepts
    radius = law.radius_beside(found.p_b_upper)
    if len(weights) == 1:
        distance = abs(scores[0]) / max(1e-300, float(np.linalg.norm(form.weights[0])))
        assume(np.abs(form.weights).max() > 1e-3)
        assert found.label == int(scores[0] > 0) or distance < 1e-5
        assert radius <= distance * (1 + 1e-12)
        assert radius >= min(distance, 37 * sigma) - 1e-4 * (1 + distance)
        return
    top = int(scores.argmax())
    nearest = min(
        (scores[top] - scores[c])
        / max(1e-300, float(np.linalg.norm(weights[top] - form.weights[c])))
        for c in range(len(weights))
        if c != top
    )
    assert radius <= max(0.0, nearest) * (1 + 1e-9) + 1e-12 or found.label != top


def test_grid_noise_moves_a_half_space_to_the_bad_side() -> None:
    form = _linear([[1.0, -0.5]], [-0.2], rounding=2.0**-23)
    law, space = Gaussian(0.1), InputSpace((2,))
    levels = np.array([200, 100], np.uint8)
    found = bracket(form, law, space.point(levels))
    # N(k) moves each level by whole steps: the true probability, by summing both.
    with mpmath.workprec(100):
        step, other = mpmath.mpf(1) / 255, mpmath.mpf(0)
        for k in range(-200, 201):
            low, high = (mpmath.ncdf((k + d) * step / 0.1) for d in (-0.5, 0.5))
            # The second value decides: 1·(200 + k) - 0.5·(100 + m) <= 51
            most = math.ceil(2 * (200 + k - 51) - 100)
            other += (high - low) * (1 - mpmath.ncdf((most - mpmath.mpf(0.5)) * step / 0.1))
        assert found.label == 1
        assert other <= found.p_b_upper <= other * 1.2
    with pytest.raises(UsageError, match="laplace"):
        bracket(form, Laplace(0.1), space.point(levels))


def test_sigmas_of_their_own_and_fixed_values_are_those_of_the_law() -> None:
    stumps = _stumps([[0, "1/2", -1.0, 1.0], [1, "1/2", -0.5, 0.75], [2, "1/2", -1.0, 1.0]])
    form, law = stump_sum(stumps, SINGLE), AnisotropicGaussian((0.1, 0.0, 0.4))
    x = [0.61, 0.7, 0.45]
    found = bracket(form, law, real_point(x))
    edges = [float(cut.real()) for cut in (stumps[0].cut,)]
    p0, p2 = (float(mpmath.ncdf((x[at] - edges[0]) / sigma)) for at, sigma in ((0, 0.1), (2, 0.4)))
    # With 0.75 from the fixed value, class 0 needs both others.
    assert found.p_b_upper == pytest.approx((1 - p0) * (1 - p2), rel=1e-12)
    assert found.label == 1
    radius = Exact(law).derive(Evidence(*NOTHING, bracket=found)).radius
    assert radius == law.radius_beside(found.p_b_upper) > 0


@given(st.integers(0, 2**30), st.sampled_from([1, 3]), st.integers(0, 2), st.booleans())
def test_changes_of_fixed_values_are_the_worst_of_all(
    seed: int, scores: int, changed: int, decimal: bool
) -> None:
    generator = np.random.default_rng(seed)
    unit = 0.1 if decimal else 0.25

    def leaf() -> tuple[float, ...]:
        return tuple(float(np.float32(unit * k)) for k in generator.integers(-9, 9, scores))

    cuts = [Cut(float(np.float32(c))) for c in (0.5, 1.5)]
    stumps = [Stump(at, cut, leaf(), leaf()) for at in range(5) for cut in cuts]
    decision = Decision((0, 1) if scores == 1 else (0, 1, 2), np.zeros(scores))
    form, law = stump_sum(stumps, decision), AnisotropicGaussian((0.4, 0.0, 0.3, 0.0, 0.0))
    x = [*generator.uniform(0, 2, 5)]
    for at in law.fixed:
        x[at] = float(generator.integers(3))
    found = bracket(form, law, real_point(x), changed)
    assert list(unconfirmed(form, law, real_point(x), found, changed)) == []
    worst = 0.0
    for places in itertools.combinations(law.fixed, changed):
        for values in itertools.product((0.0, 1.0, 2.0), repeat=changed):
            other = [*x]
            for at, value in zip(places, values, strict=True):
                other[at] = value
            masses = oracle_of(form, cuts_of(stumps), 5)
            worst = max(worst, _not(found.label, masses, other, law))
    assert found.p_b_upper >= worst
    if scores == 1 and not decimal:
        assert found.p_b_upper <= worst + 1e-9
    if changed and found.p_b_upper < 0.5:
        assert bracket(form, law, real_point(x)).p_b_upper <= found.p_b_upper


def _not(label: int, oracle: Oracle, x: list[float], law: AnisotropicGaussian) -> float:
    """The probability of all other labels, in doubles and a little below."""
    total = np.array([1.0])
    for at, cuts in oracle.cuts.items():
        edges = [float(cut.real()) - x[at] for cut in cuts]
        sigma = law.sigmas[at]
        below = [float(mpmath.ncdf(e / sigma)) if sigma else float(e > 0) for e in edges]
        total = np.multiply.outer(total, np.diff([0.0, *below, 1.0])).reshape(-1)
    return float(total[oracle.labels.reshape(-1) != label].sum()) * (1 - 1e-12)


def test_changes_are_refused_where_they_are_not_certified() -> None:
    law = AnisotropicGaussian((0.4, 0.0))
    with pytest.raises(UsageError, match="changed"):
        Exact(law, 2)
    with pytest.raises(UsageError, match="changed"):
        Exact(Gaussian(1.0), 1)
    with pytest.raises(UsageError, match="one tree"):
        bracket(_thirds(), law, real_point([0.0, 0.0]), 1)
    assert "fixed values" in Exact(law, 1).claim("float", "proved")
    assert Exact.recorded(Exact(law, 1).to_json(), law, (2,)) == Exact(law, 1)


def test_beyond_all_doubles_a_radius_is_finite() -> None:
    stumps = _stumps([[at, "1/2", -1.0, 1.0] for at in range(40)])
    law = Gaussian(0.01)
    found = bracket(stump_sum(stumps, SINGLE), law, real_point([1.0] * 40))
    assert found.p_b_upper == 2.0**-1022
    assert 0.375 < law.radius_beside(found.p_b_upper) < 0.3752


@pytest.mark.parametrize(
    ("kind", "scale"), [(Gaussian, 1e-300), (Gaussian, 1e300), (Laplace, 1e-30), (Uniform, 1e-30)]
)
def test_scales_so_small_and_large_that_numbers_end(kind: type[Law], scale: float) -> None:
    law, point = kind(scale), real_point([1.0, 0.75])  # type: ignore[call-arg]
    form = stump_sum(_stumps([[at, "1/2", -1.0, 1.0] for at in range(2)]), SINGLE)
    calculated = bracket(form, law, point)
    assert (calculated.label, calculated.p_b_upper < 0.5) == (int(scale < 1), True)  # a tie is of 0
    assert not list(unconfirmed(form, law, point, calculated))
    if law.normal and scale < 1:
        half = Linear(np.ones((1, 2)), np.zeros(1), np.zeros((1, 2)), 1e30, SINGLE)
        assert bracket(half, law, point).p_b_upper < 0.5


@pytest.mark.parametrize("law", [Gaussian(0.25), Laplace(0.2), Uniform(0.3)])
def test_a_form_is_certified_like_any_base_classifier(law: Law) -> None:
    form = stump_sum(_stumps(GOLDEN["hand"][3]["stumps"]), SINGLE, [-0.0625])
    smoothed = SmoothedClassifier(FormClassifier(form, (4,)), noise=law)
    certificate = smoothed.certify(np.array([0.3, 0.6, 0.5, 0.45]), procedure="exact")
    assert (certificate.method, certificate.alpha, certificate.n) == ("exact", 0, 0)
    assert certificate.label == certificate.top_class == 1
    sampled = smoothed.certify(np.array([0.3, 0.6, 0.5, 0.45]), n=20_000, seed=1)
    assert sampled.radius <= certificate.radius  # wrong with probability 0.001


def test_where_no_class_has_more_than_half_the_reason_says_so() -> None:
    tie = stump_sum(_stumps([[0, "0", -1.0, 1.0]]), Decision((0, 1), np.array([2.0])))
    for form, reason in (
        (tie, AbstainReason.LOOSE_BOUND),
        (_thirds(), AbstainReason.LOW_PROBABILITY),
    ):
        smoothed = SmoothedClassifier(FormClassifier(form, (2,), 3), noise=Gaussian(1.0))
        certificate = smoothed.certify(np.zeros(2), procedure="exact")
        assert (certificate.label, certificate.radius, certificate.reason) == (ABSTAIN, 0, reason)
        assert certificate.explanation


def _thirds() -> Boxes:
    cuts = cells_of({0: [Cut(-0.4), Cut(0.4)]})
    cells = np.arange(3)
    return Boxes(cuts, cells[:, None], cells[:, None], cells)


def test_a_function_and_other_noise_are_refused() -> None:
    smoothed = SmoothedClassifier(lambda x: x.argmax(1), 0.5, bounds=ANYWHERE)
    with pytest.raises(UsageError, match="function"):
        smoothed.certify(np.zeros(2), procedure="exact")
    with pytest.raises(UsageError, match="column"):
        Exact(Columns(1, "NCHW"))
    with pytest.raises(UsageError):
        SmoothedClassifier(lambda x: x.argmax(1), 0.5).certify(
            np.zeros(2), procedure="exact", target_radii=0.5
        )


def test_a_recorded_bracket_gives_the_certificate_again_and_no_better_one() -> None:
    form = stump_sum(_stumps(GOLDEN["hand"][0]["stumps"]), SINGLE)
    law, point = Gaussian(1.0), real_point([1.0, 0.5])
    procedure = Exact(law)
    steps = procedure.steps(Task(point, 0, lambda: form))
    with pytest.raises(StopIteration) as stopped:
        next(steps)
    certificate = stopped.value.value
    proof = procedure.prove(certificate)
    assert (proof.radius, proof.faults) == (True, ())
    assert procedure.prove(replace(certificate, radius=certificate.radius * 1.001)).faults
    with pytest.raises(UsageError):
        procedure.derive(Evidence(*NOTHING))
