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
from rsonnx.runs import Run, RunWriter, read_run, restate
from rsonnx.statistics import BOUNDS, family_wise_alpha

Make = Callable[..., Run]
NOISE = Gaussian(0.5)
N, INPUTS, CLASSES = 1000, 30, 4
SOUND = [bound.name for bound in BOUNDS.values() if bound.sound]
PLAIN = [name for name in SOUND if not BOUNDS[name].needs_uniform]
RANDOMISED = "randomized-clopper-pearson"
FIXED = {name: Fixed(NOISE, 100, N, 0.001, name, "one-sided", CLASSES) for name in SOUND}
FIXED["two-sided"] = replace(FIXED["clopper-pearson"], radius_rule="two-sided")
ADAPTIVE = Adaptive(NOISE, 100, N, 0.001, (0.25, 0.5))


def _evidence(procedure: Procedure, generator: np.random.Generator) -> Evidence:
    """Counts of an input of its own difficulty, some of no class; an adaptive run stops early."""
    *p, nothing = generator.dirichlet([8.0 * generator.random() ** 4, 2.0, 0.3, 0.1, 0.05])
    drawn = [generator.multinomial(size, [*p, nothing]) for size in (100, N)]
    selection, estimation = (Counts(stage[:-1], stage[-1]) for stage in drawn)
    if procedure.fixed_n:
        return Evidence(selection, estimation, 1.0 - generator.random())
    top = selection.top()[0] if selection.classes.any() else 0
    hits = round(estimation[top] * 640 / N)
    counts = [hits if k == top else 0 for k in range(CLASSES)]
    return Evidence(selection, Counts(counts, 640 - hits), claim=(hits, 640))


@pytest.fixture
def make_run(tmp_path: Path) -> Make:
    """A run file by a procedure, written and read again."""

    def make(procedure: Procedure, **changed: Any) -> Run:
        generator = np.random.default_rng(11)
        path = tmp_path / "run.jsonl"
        path.unlink(missing_ok=True)
        own = {"data": {"inputs": INPUTS, "size": INPUTS}}
        with RunWriter(path, record_of(procedure, **own | changed)) as writer:
            for index in range(INPUTS):
                found = procedure.derive(_evidence(procedure, generator))
                writer.write(row_of(found, index, label=0, seconds=index / 8))
        return read_run(path, checked=False)  # its counts are those of no run

    return make


def _exact(run: Run) -> list[str]:
    """Rows with every float to the last bit, through JSON as a file would have them."""
    return [json.dumps(row.to_json(), sort_keys=True) for row in run.rows]


@pytest.mark.parametrize("name", [*FIXED, "adaptive"])
def test_its_own_settings_give_identical_rows(name: str, make_run: Make) -> None:
    procedure = ADAPTIVE if name == "adaptive" else FIXED[name]
    run = make_run(procedure)
    assert 0 < sum(row.abstained for row in run.rows) < INPUTS or name == "chebyshev"
    own: dict[str, Any] = {"alpha": 0.001, "bound": procedure.bound}
    own["radius"] = procedure.radius_rule
    for options in ({}, *({key: value} for key, value in own.items()), own):
        again = restate(run, **options)
        assert _exact(again) == _exact(run)
        before = again.header.restated_from
        assert before == run.header.settings
        assert again.header.changed(restated_from=None) == run.header.changed(restated_from=None)
        assert (again.path, again.status) == (run.path, run.status)


@pytest.mark.parametrize("made", FIXED)
@pytest.mark.parametrize("alpha", [0.05, 1e-6])
def test_other_settings_give_what_a_run_at_them_gives(
    made: str, alpha: float, make_run: Make
) -> None:
    run = make_run(FIXED[made])
    for asked in {*PLAIN, "two-sided", made}:
        procedure = replace(FIXED[asked], alpha=alpha)
        options: Any = {"bound": procedure.bound, "radius": procedure.radius_rule}
        again = restate(run, alpha=alpha, **options)
        assert again.header.restated_from == run.header.settings
        assert again.header.procedure == procedure
        assert again.header.largest_radius == procedure.largest_radius
        for row, before in zip(again.rows, run.rows, strict=True):
            seconds = before.seconds
            expected = row_of(
                procedure.derive(before.evidence), before.index, label=0, seconds=seconds
            )
            assert json.dumps(row.to_json()) == json.dumps(expected.to_json())
            assert row.uniform == (before.uniform if asked == RANDOMISED else None)
    back = restate(restate(run, alpha=0.2), alpha=0.001)
    assert _exact(back) == _exact(run)
    assert back.header.restated_from == run.header.settings


def test_restated_bounds_are_the_textbook_s(make_run: Make) -> None:
    run = restate(make_run(FIXED["two-sided"]), alpha=0.02, radius="one-sided")
    for row in run.rows:
        k = row.estimation[row.top_class]
        p = stats.beta.ppf(0.02, k, N - k + 1) if k else 0.0
        assert row.p_a_lower == pytest.approx(p, rel=1e-9)
        radius = max(0.0, 0.5 * stats.norm.ppf(p))
        assert row.radius == pytest.approx(radius, rel=1e-6, abs=1e-9)
        assert row.radius <= radius + 1e-12


def test_a_family_wise_run_shares_the_new_alpha(make_run: Make) -> None:
    each = family_wise_alpha(0.05, INPUTS + 10)
    data = {"inputs": INPUTS + 10, "size": INPUTS + 10}  # interrupted: the share is that of all
    run = make_run(replace(FIXED["clopper-pearson"], alpha=each), family_wise=0.05, data=data)
    for alpha in (None, 0.05):
        same = restate(run, alpha=alpha)
        assert _exact(same) == _exact(run)
        assert (same.header.procedure.alpha, same.header.family_wise) == (each, 0.05)
    again = restate(run, alpha=0.2)
    assert again.header.family_wise == 0.2
    assert again.header.procedure.alpha == family_wise_alpha(0.2, INPUTS + 10)
    assert again.header.procedure.alpha == pytest.approx(0.2 / 40)
    assert again.header.restated_from == run.header.settings
    for row in again.rows:
        assert row.radius == again.header.procedure.derive(row.evidence).radius


@pytest.mark.parametrize(
    ("made", "options", "named"),
    [
        *(("hoeffding", {"bound": name}, name) for name in ("wald", "wilson", "jeffreys")),
        ("clopper-pearson", {"bound": RANDOMISED}, "uniform number"),
        ("clopper-pearson", {"bound": "e-process"}, "'e-process'"),
        ("clopper-pearson", {"bound": "chernof"}, "'chernof'"),
        ("clopper-pearson", {"bound": "hoeffding", "radius": "two-sided"}, "hoeffding"),
        ("clopper-pearson", {"radius": "three-sided"}, "'three-sided'"),
        *(("clopper-pearson", {"alpha": a}, f"alpha is {a}") for a in (0.0, 1.0, float("nan"))),
        *(("adaptive", {"alpha": alpha}, f"alpha = {alpha}") for alpha in (0.01, 0.0001)),
        ("adaptive", {"bound": "clopper-pearson"}, "bound = clopper-pearson"),
        ("adaptive", {"radius": "two-sided"}, "radius rule = two-sided"),
    ],
)
def test_what_the_counts_do_not_support_is_refused(
    made: str, options: dict[str, Any], named: str, make_run: Make
) -> None:
    run = make_run(ADAPTIVE if made == "adaptive" else FIXED[made])
    with pytest.raises(UsageError, match=named) as caught:
        restate(run, **options)
    assert "\n" not in str(caught.value)


def test_two_sided_needs_the_number_of_classes(make_run: Make) -> None:
    run = make_run(replace(FIXED["clopper-pearson"], num_classes=None))
    with pytest.raises(UsageError, match="classes"):
        restate(run, radius="two-sided")


def _stages(selection: Counts, estimation: Counts) -> dict[str, Any]:
    return {"counts": CertificateCounts(selection, estimation)}


HUNDRED = Counts([100])
CONTRADICTIONS: list[tuple[Procedure, dict[str, Any], str]] = [
    (FIXED["two-sided"], _stages(HUNDRED, Counts([990])), "990 estimation"),
    (FIXED["two-sided"], _stages(Counts([]), Counts([N])), "0 selection"),
    (FIXED["two-sided"], _stages(Counts([99]), Counts([N])), "99 selection"),
    (FIXED["two-sided"], _stages(HUNDRED, Counts([990, 0, 0, 0, 10])), "num_classes is 4"),
    (FIXED[RANDOMISED], {"uniform": None}, "uniform"),
    (ADAPTIVE, {"claim": None}, "no claim"),
    (ADAPTIVE, {"claim": (900, 900)}, "claim of 900"),
    (ADAPTIVE, {"claim": (3, 2)}, "claim of 3"),
    (ADAPTIVE, _stages(HUNDRED, Counts([N + 1])), "1,001 estimation"),
]


@pytest.mark.parametrize(("procedure", "changed", "named"), CONTRADICTIONS)
def test_a_row_that_contradicts_the_run_is_named(
    procedure: Procedure, changed: dict[str, Any], named: str, make_run: Make
) -> None:
    run = make_run(procedure)
    with pytest.raises(RunFileError, match=rf"run\.jsonl, input 1: .*{named}"):
        restate(replace(run, rows=(run.rows[0], replace(run.rows[1], **changed))))
