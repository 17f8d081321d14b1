"""Restating: the same rows at the same settings, the procedure's own at others, or a refusal."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from headers import record_of, row_of
from scipy import stats

from rsonnx.counts import Counts
from rsonnx.errors import RunFileError, UsageError
from rsonnx.noise import Gaussian
from rsonnx.procedures import Adaptive, CertificateCounts, Evidence, Fixed, Procedure
from rsonnx.runs import Row, Run, RunWriter, read_run, restate
from rsonnx.statistics import BOUNDS, family_wise_alpha

NOISE = Gaussian(0.5)
N, INPUTS, CLASSES = 1000, 30, 4
SOUND = [bound.name for bound in BOUNDS.values() if bound.sound]
PLAIN = [name for name in SOUND if not BOUNDS[name].needs_uniform]

FIXED: dict[str, Fixed] = {
    name: Fixed(NOISE, 100, N, 0.001, name, "one-sided", CLASSES) for name in SOUND
} | {"two-sided": Fixed(NOISE, 100, N, 0.001, radius_rule="two-sided", num_classes=CLASSES)}
TARGETS = (0.25, 0.5)


def _counts(generator: np.random.Generator) -> tuple[Counts, Counts]:
    """Counts of the two stages of an input of its own difficulty, some of no class."""
    *p, nothing = generator.dirichlet([8.0 * generator.random() ** 4, 2.0, 0.3, 0.1, 0.05])
    drawn = [generator.multinomial(size, [*p, nothing]) for size in (100, N)]
    return Counts(drawn[0][:-1], drawn[0][-1]), Counts(drawn[1][:-1], drawn[1][-1])


def _adaptive_row(rule: Adaptive, selection: Counts, estimation: Counts) -> Any:
    """Stop at some look, as a run does: the counts up to there, and the claim of that look."""
    top = selection.top()[0] if selection.classes.any() else 0
    stop = 640
    hits = round(estimation[top] * stop / N)
    counts = [0] * CLASSES
    counts[top] = hits
    return rule.derive(Evidence(selection, Counts(counts, stop - hits), claim=(hits, stop)))


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Run]:
    """A run file by a rule, written and read again."""

    def make(rule: Procedure, **changed: Any) -> Run:
        generator = np.random.default_rng(11)
        path = tmp_path / "run.jsonl"
        path.unlink(missing_ok=True)
        own = {"data": {"inputs": INPUTS, "size": INPUTS}}
        with RunWriter(path, record_of(rule, **own | changed)) as writer:
            for index in range(INPUTS):
                stages = _counts(generator)
                if isinstance(rule, Adaptive):
                    found = _adaptive_row(rule, *stages)
                else:
                    found = rule.derive(Evidence(*stages, 1.0 - generator.random()))
                writer.write(row_of(found, index, label=0, seconds=index / 8))
        return read_run(path)

    return make


def _hex(rows: tuple[Row, ...]) -> list[str]:
    """Rows with every float to the last bit, through JSON as a file would have them."""
    return [json.dumps(row.to_json(), sort_keys=True) for row in rows]


@pytest.mark.parametrize("name", FIXED)
def test_its_own_settings_give_identical_rows(name: str, make_run: Callable[..., Run]) -> None:
    rule = FIXED[name]
    run = make_run(rule)
    assert 0 < sum(row.abstained for row in run.rows) < INPUTS or name == "chebyshev"
    for options in (
        {},
        {"alpha": 0.001},
        {"bound": rule.bound},
        {"radius": rule.radius_rule},
        {"alpha": 0.001, "bound": rule.bound, "radius": rule.radius_rule},
    ):
        again = restate(run, **options)
        assert again.rows == run.rows
        assert _hex(again.rows) == _hex(run.rows)
        own = {"alpha": 0.001, "bound": rule.bound, "radius_rule": rule.radius_rule}
        assert again.header == run.header.changed(restated_from=own | {"family_wise": None})
        assert (again.path, again.status) == (run.path, run.status)


@pytest.mark.parametrize("targets", [TARGETS, TARGETS[:1]])
def test_an_adaptive_run_keeps_its_settings(
    targets: tuple[float, ...], make_run: Callable[..., Run]
) -> None:
    run = make_run(Adaptive(NOISE, 100, N, 0.001, targets))
    assert 0 < sum(row.abstained for row in run.rows) < INPUTS
    options: dict[str, Any]
    for options in (
        {"alpha": 0.001},
        {"bound": "e-process"},
        {"radius": "one-sided"},
        {"alpha": 0.001, "bound": "e-process", "radius": "one-sided"},
    ):
        assert _hex(restate(run, **options).rows) == _hex(run.rows)
    for name, value in (
        ("alpha", 0.01),
        ("alpha", 0.0001),
        ("bound", "clopper-pearson"),
        ("radius", "two-sided"),
    ):
        with pytest.raises(UsageError, match=rf"run\.jsonl .*adaptive: .*{name}.* = {value}"):
            restate(run, **{name: value})


@pytest.mark.parametrize("made", FIXED)
@pytest.mark.parametrize("alpha", [0.05, 1e-6])
@pytest.mark.parametrize("asked", [*PLAIN, "two-sided"])
def test_other_settings_give_what_a_run_at_them_gives(
    made: str, asked: str, alpha: float, make_run: Callable[..., Run]
) -> None:
    run = make_run(FIXED[made])
    rule = replace(FIXED[asked], alpha=alpha)
    again = restate(run, alpha=alpha, bound=rule.bound, radius=rule.radius_rule)
    assert again.header.record["restated_from"]["bound"] == FIXED[made].bound
    assert again.header.record["largest_radius"] == rule.largest_radius
    assert {k: again.header.record[k] for k in rule.to_json()} == rule.to_json()
    for row, before in zip(again.rows, run.rows, strict=True):
        expected = rule.derive(before.evidence)
        assert row.radius.hex() == expected.radius.hex()
        assert row.p_a_lower.hex() == expected.p_a_lower.hex()
        assert (row.p_b_upper, row.one_sided_radius) == (
            expected.p_b_upper,
            expected.one_sided_radius,
        )
        assert (row.prediction, row.reason, row.explanation, row.uniform) == (
            *(expected.label, expected.reason, expected.explanation),
            None,
        )
        kept = ("index", "name", "digest", "label", "base_prediction", "top_class", "seconds")
        assert all(getattr(row, name) == getattr(before, name) for name in kept)
        assert (row.selection, row.estimation) == (before.selection, before.estimation)


def test_restated_bounds_are_the_textbook_s(make_run: Callable[..., Run]) -> None:
    run = restate(make_run(FIXED["two-sided"]), alpha=0.02, radius="one-sided")
    for row in run.rows:
        k = row.estimation[row.top_class]
        p = stats.beta.ppf(0.02, k, N - k + 1) if k else 0.0
        assert row.p_a_lower == pytest.approx(p, rel=1e-9)
        radius = max(0.0, 0.5 * stats.norm.ppf(p))
        assert row.radius == pytest.approx(radius, rel=1e-6, abs=1e-9)
        assert row.radius <= radius + 1e-12


def test_restating_there_and_back_gives_the_run_again(make_run: Callable[..., Run]) -> None:
    run = make_run(FIXED["clopper-pearson"])
    away = restate(run, alpha=0.2, bound="hoeffding")
    back = restate(away, alpha=0.001, bound="clopper-pearson")
    assert _hex(back.rows) == _hex(run.rows)
    assert _hex(away.rows) != _hex(run.rows)
    assert back.header.record["restated_from"]["bound"] == "clopper-pearson"


def test_a_randomised_run_keeps_its_uniform_numbers(make_run: Callable[..., Run]) -> None:
    name = "randomized-clopper-pearson"
    run = make_run(FIXED[name])
    again = restate(run, alpha=0.01)
    rule = replace(FIXED[name], alpha=0.01)
    for row, before in zip(again.rows, run.rows, strict=True):
        assert row.uniform == before.uniform is not None
        expected = rule.derive(before.evidence)
        assert row.radius.hex() == expected.radius.hex()


def test_a_family_wise_run_shares_the_new_alpha(make_run: Callable[..., Run]) -> None:
    each = family_wise_alpha(0.05, INPUTS + 10)
    data = {"inputs": INPUTS + 10}  # it was interrupted: its share is that of all inputs
    run = make_run(replace(FIXED["clopper-pearson"], alpha=each), family_wise=0.05, data=data)
    for alpha in (None, 0.05):
        same = restate(run, alpha=alpha)
        assert _hex(same.rows) == _hex(run.rows)
        assert (same.header.record["alpha"], same.header.record["family_wise"]) == (each, 0.05)
    again = restate(run, alpha=0.2)
    assert again.header.record["family_wise"] == 0.2
    assert again.header.record["alpha"] == family_wise_alpha(0.2, INPUTS + 10)
    assert again.header.record["alpha"] == pytest.approx(0.2 / 40)
    assert again.header.record["restated_from"]["family_wise"] == 0.05
    rule = replace(FIXED["clopper-pearson"], alpha=again.header.record["alpha"])
    for row in again.rows:
        assert row.radius == rule.derive(row.evidence).radius


@pytest.mark.parametrize("name", ["wald", "clt", "wilson", "jeffreys"])
def test_an_unsound_bound_is_refused(name: str, make_run: Callable[..., Run]) -> None:
    with pytest.raises(UsageError, match="cannot give a certificate"):
        restate(make_run(FIXED["hoeffding"]), bound=name)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"bound": "randomized-clopper-pearson"}, "records no uniform number"),
        ({"bound": "e-process"}, "the bound is 'e-process', but one of clopper-pearson"),
        ({"bound": "chernof"}, "the bound is 'chernof', but one of clopper-pearson"),
        ({"bound": "hoeffding", "radius": "two-sided"}, "rests on the clopper-pearson bound"),
        ({"radius": "three-sided"}, "the radius rule is 'three-sided'"),
        ({"alpha": 0.0}, r"alpha is 0\.0"),
        ({"alpha": 1.0}, r"alpha is 1\.0"),
        ({"alpha": float("nan")}, "alpha is nan"),
    ],
)
def test_what_cannot_be_restated(
    options: dict[str, Any], words: str, make_run: Callable[..., Run]
) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        restate(make_run(FIXED["clopper-pearson"]), **options)
    assert "\n" not in str(caught.value)


def test_two_sided_needs_the_number_of_classes(make_run: Callable[..., Run]) -> None:
    run = make_run(FIXED["clopper-pearson"], num_classes=None)
    with pytest.raises(UsageError, match="does not say how many classes"):
        restate(run, radius="two-sided")
    assert _hex(restate(run, alpha=0.001).rows) == _hex(run.rows)


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        ({"estimation": Counts([990])}, "990 estimation"),
        ({"selection": Counts([])}, "0 selection"),
        ({"selection": Counts([99])}, "99 selection"),
        ({"estimation": Counts([990, 0, 0, 0, 10])}, "num_classes is 4"),
    ],
)
def test_a_row_that_contradicts_the_header_is_named(
    stages: dict[str, Any], words: str, make_run: Callable[..., Run]
) -> None:
    run = make_run(FIXED["clopper-pearson"])
    row = replace(run.rows[1], counts=replace(run.rows[1].counts, **stages))
    with pytest.raises(RunFileError, match=rf"run\.jsonl, input 1: .*{words}"):
        restate(replace(run, rows=(run.rows[0], row)), radius="two-sided")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"claim": None}, "no claim"),
        ({"claim": (900, 900)}, "claim of 900"),
        ({"claim": (3, 2)}, "claim of 3"),
        ({"counts": CertificateCounts(Counts([9]), Counts([N + 1]))}, "1,001 estimation"),
    ],
)
def test_an_adaptive_row_that_contradicts_itself_is_named(
    changed: dict[str, Any], words: str, make_run: Callable[..., Run]
) -> None:
    run = make_run(Adaptive(NOISE, 100, N, 0.001, TARGETS))
    with pytest.raises(RunFileError, match=rf"run\.jsonl, input 0: .*{words}"):
        restate(replace(run, rows=(replace(run.rows[0], **changed),)))


def test_a_randomised_row_without_its_number_is_named(make_run: Callable[..., Run]) -> None:
    run = make_run(FIXED["randomized-clopper-pearson"])
    rows = tuple(replace(row, uniform=None) for row in run.rows)
    with pytest.raises(RunFileError, match=r"input 0: .*uniform"):
        restate(replace(run, rows=rows), alpha=0.01)
