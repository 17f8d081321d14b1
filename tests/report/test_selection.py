"""Whether the inputs of a run speak for the population."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from headers import header
from reported import figures, row

from rsonnx.report import compare, dataset_statements, paired_report, selection_of, to_text
from rsonnx.report.curves import curve_figure
from rsonnx.report.notes import cautions
from rsonnx.report.selection import Selection
from rsonnx.runs.sample import Sample

SPREAD, RANDOM = Sample(5).to_json(), Sample(5, seed=1).to_json()


@pytest.mark.parametrize(
    ("data", "status", "drawn"),
    [
        ({"inputs": 9, "size": 9}, "complete", True),
        ({"inputs": 5, "size": 9}, "complete", False),
        ({"inputs": 5, "size": 9, "sample": SPREAD}, "complete", False),
        ({"inputs": 5, "size": 5, "sample": SPREAD}, "complete", True),
        ({"inputs": 5, "size": 9, "sample": RANDOM}, "complete", True),
        ({"inputs": 5, "size": 9, "sample": RANDOM}, "interrupted", False),
        ({"inputs": 9, "size": 9}, "shard 1/2", False),
    ],
)
def test_only_all_inputs_and_a_random_sample_are_drawn(data: Any, status: str, drawn: bool) -> None:
    assert (selection_of(header(data=data), status).undrawn is None) is drawn


@pytest.mark.parametrize(
    ("here", "there", "said"),
    [(2, 3, "2 of the 3 classes"), (1, 1, "one class"), (3, 3, None), (None, None, None)],
)
def test_classes_that_a_sample_lacks_are_noted(
    here: int | None, there: int | None, said: str | None
) -> None:
    data = {"inputs": 9, "size": 9, "classes_in_sample": here, "classes_in_data": there}
    own = header(data=data)
    run = replace(figures([0.5]), header=own)
    assert any("class" in line for line in cautions(run, None)) is (said is not None)
    assert said is None or any(said in line for line in cautions(run, None))
    found = selection_of(own, "complete")
    stated = dataset_statements([row(0, 0.5)], (0.0,), alpha=0.001, selection=found)
    assert stated.to_json()["classes_in_sample"] == here


def test_pictures_that_were_left_out_speak_for_no_population() -> None:
    data = {"inputs": 5, "size": 9, "sample": RANDOM, "unreadable": {"a.png": 3, "b.png": 7}}
    found = selection_of(header(data=data), "complete")
    assert found.undrawn is not None
    stated = dataset_statements([row(0, 0.5)], (0.0,), alpha=0.001, selection=found)
    assert stated.to_json()["unreadable"] == 2


def test_no_interval_and_no_test_rest_on_inputs_that_were_not_drawn() -> None:
    rows = [row(k, 0.5) for k in range(9)]
    why = Selection("they were chosen by hand")
    stated = dataset_statements(rows, (0.0, 0.5), alpha=0.001, selection=why)
    assert stated.population is None
    assert "of the population, " not in "\n".join(stated.lines())
    assert "chosen by hand" in "\n".join(stated.lines())
    drawn = figures(rows)
    chosen = replace(figures(rows, file="other.onnx"), statements=stated)
    for pair in ((drawn, chosen), (chosen, drawn)):
        (found,) = compare(pair, (0.0,))
        assert (found.undrawn, found.acr, found.at[0].inferred) == (why.undrawn, None, None)
        assert found.first_acr == found.second_acr is not None
        assert "chosen by hand" in to_text(paired_report([found]))


def test_a_curve_of_inputs_that_were_not_drawn_has_no_band() -> None:
    pytest.importorskip("matplotlib")
    drawn = figures([row(k, 0.5) for k in range(9)])
    chosen = replace(drawn, statements=replace(drawn.statements, population=None))
    bands = [len(curve_figure([run]).axes[0].collections) for run in (drawn, chosen)]
    assert bands[0] > bands[1] == 0
