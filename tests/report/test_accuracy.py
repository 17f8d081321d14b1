"""The certified-accuracy table: its figures, what they rest on, and what is not known."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from reported import HEADER, STRANGERS, Line, changed_header, figures, named, row

from rsonnx.noise import Gaussian, Uniform
from rsonnx.report import FORMATS, Figures, LogFigures, accuracy_report, log_figures
from rsonnx.report.summary import Gain, Samples
from rsonnx.runs.records import Settings
from rsonnx.statistics import accuracy_interval

ONE = figures([1.0, 0.5, 0.25, -1.0])
TWO = figures([1.5, 0.25, 0.25, -1.0], file="two.onnx", noise=Gaussian(0.25))
COMMON = ("0.001", "1,000", "4", "**100.0**")
LOG = log_figures(
    "published.tsv",
    [Line(1, 1, 0.7), Line(2, 1, 0.9), Line(1, -1, 0.0)],
    (0.0, 0.5),
    ["line 3: the label is empty"] * 7,
)


def show(*runs: Figures | LogFigures, form: str = "table") -> str:
    return FORMATS[form](accuracy_report(runs))


def said(run: Figures | LogFigures, **changed: Any) -> str:
    """Table and notes on one line, some of a run's summary changed."""
    if changed and isinstance(run, Figures):
        run = replace(run, summary=replace(run.summary, **changed))
    return " ".join(show(run).split())


def headed(**changed: Any) -> Figures:
    return replace(ONE, header=changed_header(**changed))


def test_the_figures_and_their_columns() -> None:
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in show(ONE, TWO, LOG, form="markdown").splitlines()
        if line.startswith("|")
    ]
    # (1 + .5 + .25)/4 = .4375 against (1.5 + .25 + .25)/4 = .5; 3/4 at 0; 2/4 against 1/4 at .5.
    head = ("model", "sigma", "alpha", "n", "inputs", "standard", "ACR", "wrong", "abstained")
    assert lines == [
        [*head, "r=0", "r=0.5"],
        ["---", *["---:"] * 10],
        ["tiny.onnx", "0.5", *COMMON, "0.4375", "0", "1", "**75.0**", "**50.0**"],
        ["two.onnx", "0.25", *COMMON, "**0.5000**", "0", "1", "**75.0**", "25.0"],
        ["published.tsv", "?", "?", "?", "3", "?", "0.2333", "1", "1", "33.3", "33.3"],
    ]
    words, first = show(ONE).splitlines()[:2]
    assert words.split() == [*(h for h in head if h not in ("alpha", "n")), "r=0", "r=0.5"]
    assert first.split() == ["tiny.onnx", "0.5", "4", "100.0", "0.4375", "0", "1", "75.0", "50.0"]


def test_radii_are_rounded_down_and_shares_correctly() -> None:
    changed = {"standard_accuracy": Fraction(2, 3), "acr": Fraction(69999, 100000)}
    line = show(replace(ONE, summary=replace(ONE.summary, **changed)))
    assert line.splitlines()[1].split()[3:5] == ["66.7", "0.6999"]


def test_other_noise_and_several_norms_are_named() -> None:
    other = figures([1.0], noise=Uniform(2.0, "linf", 4))
    lines = show(ONE, other, form="markdown").splitlines()
    assert [line.split(" | ")[1] for line in (lines[0], *lines[2:4])] == [
        *("noise", "gaussian sigma = 0.5, l2", "uniform sigma = 1.1547, linf")
    ]


def test_a_radius_in_the_head_is_never_shortened() -> None:
    radii = (0.1234567, 0.30000000000000004, 1.9999999)
    head = show(figures([1.0], radii)).splitlines()[0]
    assert tuple(float(cell[2:]) for cell in head.split()[7:]) == radii


def test_csv_has_every_figure_as_json_has_it() -> None:
    text = show(ONE, TWO, LOG, form="csv")
    values = json.loads(show(ONE, TWO, LOG, form="json"))
    for line, value in zip(csv.DictReader(io.StringIO(text)), values, strict=True):
        stated = value["statements"]
        kind = "log" if "log" in value else "run"
        assert (line["kind"], line["name"]) == (kind, value["log" if kind == "log" else "model"])
        for name in ("acr", "standard_accuracy", "n", "alpha", "inputs", "abstained"):
            assert line[name] == ("" if value[name] is None else str(value[name]))
        assert float(line["acr_low"]) == stated["acr"]["low"]
        for i, radius in enumerate(("0", "0.5")):
            at, accuracy = f"certified_accuracy@{radius}", stated["certified_accuracy"]
            assert float(line[at]) == value["certified_accuracy"][i]
            assert int(line[f"{at}_count"]) == value["certified_accuracy_count"][i]
            assert float(line[f"{at}_low"]) == accuracy["low"][i]
            assert float(line[f"{at}_high"]) == accuracy["high"][i]
            if kind == "run":
                assert float(line[f"robust_low@{radius}"]) == accuracy["robust_low"][i]
    unknown = ("status", "sigma", "units", "adaptive", "restated", "robust_low@0")
    assert [line[name] for name in unknown] == [""] * len(unknown)


@pytest.mark.parametrize("status", ["incomplete", "interrupted", "failed", "shard 1/4"])
@pytest.mark.parametrize("form", ["table", "markdown", "latex", "csv"])
def test_an_incomplete_run_says_so_in_every_format(form: str, status: str) -> None:
    text = show(ONE, named("two.jsonl", replace(TWO, status=status)), form=form)
    beside = {"markdown": f"two.onnx (**{status}**)", "csv": f",two.onnx,two.onnx,{status},"}
    beside["latex"] = rf"two.onnx (\textbf{{{status}}})"
    assert beside.get(form, f"two.onnx ({status})") in text
    assert "**0" not in text
    if form != "csv":
        first = next(line for line in text.splitlines() if not line.startswith("%"))
        assert f"(two.jsonl) is {status}: the figures are of the 4 of" in first.replace("{", "")


def test_a_log_says_what_it_does_not_know() -> None:
    text = said(LOG)
    for words in ("whether it is complete", "certificates may be false", "may overstate"):
        assert words in text
    assert "as read: 2 further irregularities" in text
    assert LOG.population is not None
    for at in LOG.population.accuracy:  # one of three is right, at either radius
        assert (at.low, at.high) == (
            accuracy_interval(1, 3, 0).low,
            accuracy_interval(1, 3, 0).high,
        )
    value = LOG.to_json()
    assert [value[k] for k in ("model", "sigma", "alpha", "status")] == [None] * 4
    assert value["certified_accuracy"] == [1 / 3] * 2
    assert value["certified_accuracy_count"] == [1] * 2


@pytest.mark.parametrize(
    "run", [figures([row(0, 1.0, label=None)]), log_figures("x", [Line(None, 1, 1.0)], (0.0, 0.5))]
)
def test_an_unlabelled_run_has_no_accuracy(run: Figures | LogFigures) -> None:
    assert show(run).splitlines()[1].split()[-6:] == ["?", "?", "?", "0", "?", "?"]
    assert "certified, right or wrong: 100.0 at 0, 100.0 at 0.5" in said(run)
    (line,) = csv.DictReader(io.StringIO(show(run, form="csv")))
    assert (line["acr"], line["certified_accuracy@0"], line["robust_low@0"]) == ("",) * 3


@pytest.mark.parametrize("name", STRANGERS, ids=ascii)
def test_what_a_stranger_wrote_stays_words(name: str) -> None:
    strange = dict.fromkeys(("file", "units", "arithmetic"), name)
    run = replace(headed(**strange, restated_from=Settings(0.001, name, name)), status=name)
    for form in ("table", "markdown", "latex", "csv"):
        text = show(run, ONE, log_figures(name, [Line(1, 1, 1.0)], (0.0, 0.5), [name]), form=form)
        assert all(c.isprintable() or c == "\n" for c in text)


BEFORE = HEADER.settings
HOEFFDING: dict[str, Any] = {"alpha": 0.01, "bound": "hoeffding"}
GAIN = Gain(Fraction(3, 4), Fraction(5, 8), Fraction(2, 3), Fraction(1, 8), 24)
# 12.5 + 1125.125 = 1137.625, and 1e5/1137.625 = 87.9...
FEW = {"samples": Samples(Fraction(25, 2), Fraction(9001, 8))}
TWENTY = figures([0.5] * 14 + [-1.0] * 6, (0.0, 0.5, 1.25))


@pytest.mark.parametrize(
    ("run", "changed", "words"),
    [
        (ONE, {}, "samples: 100 an input on average (10 + 90)"),
        (headed(n=100_000, target_radii=(0.5, 1.25)), FEW, "1,137.6 an input on average (12.5 + "),
        (headed(n=100_000, target_radii=(0.5, 1.25)), FEW, "n = 100,000 is 87.9 times as many"),
        (headed(target_radii=(0.5, 1.0)), {}, "elsewhere than at 0.5, 1"),
        (
            ONE,
            {"gain": GAIN},
            "for 66.7 % of inputs, smaller for 12.5 %; ACR 0.7500 against 0.6250",
        ),
        (ONE, {"gain": GAIN}, "(+20.0 %)"),
        (ONE, {"gain": replace(GAIN, acr=Fraction(1, 2))}, "(-20.0 %)"),
        (
            ONE,
            {"gain": replace(GAIN, acr=None, one_sided_acr=None)},
            "smaller for 12.5 % of the population",
        ),
        # N·alpha = 0.02; P(Bin(20, .001) = 0) = .98; CP at .025 of 14/20; sqrt(ln 40 / 40).
        (TWENTY, {}, "to expect: at most 0.02 of 20; with 95 % confidence at most 0."),
        (
            TWENTY,
            {},
            "accuracy, each radius by itself: 0: 45.7-88.2, 0.5: 45.7-88.2, 1.25: 0.0-16.9 ",
        ),
        (TWENTY, {}, "by itself, at least: 0: 49.1, 0.5: 49"),
        (TWENTY, {}, "all radii at once: +-30.4 points (DKW)"),
        (
            headed(**HOEFFDING, restated_from=BEFORE),
            {},
            "Restated at alpha = 0.01 an input, hoeffding",
        ),
    ],
)
def test_notes_have_the_figures_rounded_and_their_assumptions(
    run: Figures, changed: dict[str, Any], words: str
) -> None:
    assert words in said(run, **changed)
    assert "holds if" not in said(headed(restated_from=BEFORE))


def test_json_has_the_settings_the_figures_and_the_statements() -> None:
    run = headed(restated_from=HEADER.settings, target_radii=(0.5,))
    (found,) = json.loads(show(run, form="json"))
    settings = (found["alpha"], found["bound"], found["radius_rule"], found["family_wise"])
    assert settings == (0.001, "alpha-spending", "one-sided", None)
    assert (found["target_radii"], found["restated_from"]["alpha"]) == ([0.5], 0.001)
    assert (found["samples"]["mean"], found["samples"]["n_over_mean"]) == (100, 10)
    assert found["gain_over_one_sided"] is None
    for name in ("false_certificates", "certified_accuracy", "certified_accuracy_band", "acr"):
        assert "independent" in found["statements"][name]["assumes"]
