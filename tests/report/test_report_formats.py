"""The same table in every format: the same figures, the same marks, and no run that looks whole."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from reported import HEADING, STRANGERS, Line, figures, row

from rsonnx.report import (
    Figures,
    LogFigures,
    Named,
    compare,
    fraction_down,
    log_figures,
    printable,
    render,
    render_comparisons,
    render_comparisons_csv,
    render_comparisons_latex,
    render_comparisons_markdown,
    render_csv,
    render_latex,
    render_markdown,
)

Render = Callable[[Sequence[Figures | LogFigures]], str]
FORMATS: dict[str, Render] = {
    "table": render,
    "markdown": render_markdown,
    "latex": render_latex,
    "csv": render_csv,
}
ONE = figures([1.0, 0.5, 0.25, -1.0])
TWO = figures([1.5, 0.25, 0.25, -1.0], model="two.onnx", sigma=0.25)
LOG = log_figures(
    "published.tsv",
    [Line(1, 1, 0.7), Line(2, 1, 0.9), Line(1, -1, 0.0)],
    (0.0, 0.5),
    ["line 3: the label is empty"] * 7,
)


def cells(line: str, between: str = "|") -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").removesuffix(r"\\").split(between)]


def test_markdown_has_the_figures_and_the_best_in_bold() -> None:
    head, rule, first, second = map(cells, render_markdown([ONE, TWO]).splitlines()[:4])
    assert head == [
        *("model", "sigma", "alpha", "n", "inputs", "abstained", "standard", "ACR", "r=0", "r=0.5")
    ]
    assert rule == ["---", *["---:"] * 9]
    # (1 + .5 + .25)/4 = .4375 against (1.5 + .25 + .25)/4 = .5; 3/4 at 0; 2/4 against 1/4 at .5.
    assert first == [
        *("tiny.onnx", "0.5", "0.001", "1,000", "4", "1"),
        *("**100.0**", "0.4375", "**75.0**", "**50.0**"),
    ]
    assert second == [
        *("two.onnx", "0.25", "0.001", "1,000", "4", "1"),
        *("**100.0**", "**0.5000**", "**75.0**", "25.0"),
    ]


def test_latex_has_the_same_cells() -> None:
    lines = render_latex([ONE, TWO]).splitlines()
    start = lines.index(r"\midrule")
    first, second = (cells(line, "&") for line in lines[start + 1 : start + 3])
    assert first == [
        *("tiny.onnx", "0.5", "0.001", "1,000", "4", "1"),
        *(r"\textbf{100.0}", "0.4375", r"\textbf{75.0}", r"\textbf{50.0}"),
    ]
    assert second[-3:] == [r"\textbf{0.5000}", r"\textbf{75.0}", "25.0"]
    assert lines[0] == r"% \usepackage{booktabs}"
    assert any(line.startswith("Bold: best of the complete") for line in lines)


def test_the_text_table_has_stars_and_its_columns_stay_straight() -> None:
    head, first, second = render([ONE, TWO]).splitlines()[:3]
    assert first.split()[3:] == ["100.0*", "0.4375", "75.0*", "50.0*"]
    assert second.split()[3:] == ["100.0*", "0.5000*", "75.0*", "25.0"]
    assert len({len(head), len(first), len(second)}) == 1
    assert first.index("0.4375") == second.index("0.5000")
    assert "*" not in render([ONE])


def test_csv_has_every_figure_as_json_has_it() -> None:
    first, second, log = csv.DictReader(io.StringIO(render_csv([ONE, TWO, LOG])))
    for line, run in ((first, ONE), (second, TWO)):
        found = json.loads(json.dumps(run.to_json()))
        stated = found["statements"]
        assert (line["kind"], line["status"], line["name"]) == ("run", "complete", found["model"])
        assert float(line["acr"]) == found["acr"]
        assert float(line["standard_accuracy"]) == found["standard_accuracy"]
        assert float(line["acr_low"]) == stated["acr"]["low"]
        for i, radius in enumerate(("0", "0.5")):
            at = f"certified_accuracy@{radius}"
            assert float(line[at]) == found["certified_accuracy"][i]
            assert float(line[f"{at}_low"]) == stated["certified_accuracy"]["low"][i]
            assert float(line[f"{at}_high"]) == stated["certified_accuracy"]["high"][i]
            robust = stated["certified_accuracy"]["robust_low"][i]
            assert float(line[f"robust_low@{radius}"]) == robust
        assert int(line["n"]) == 1000
    assert (log["kind"], log["inputs"], log["abstained"]) == ("log", "3", "1")
    assert float(log["certified_accuracy@0.5"]) == fraction_down(Fraction(1, 3))
    unknown = ("status", "sigma", "units", "n", "alpha", "standard_accuracy", "robust_low@0")
    assert [log[name] for name in unknown] == [""] * len(unknown)


@pytest.mark.parametrize("status", ["incomplete", "interrupted", "failed", "shard 1/4"])
@pytest.mark.parametrize("form", FORMATS)
def test_an_incomplete_run_says_so_in_every_format(form: str, status: str) -> None:
    text = FORMATS[form]([ONE, replace(TWO, heading=replace(TWO.heading, status=status))])
    if form == "csv":
        lines = list(csv.DictReader(io.StringIO(text)))
        assert [line["status"] for line in lines] == ["complete", status]
        return
    assert f"this run is {status}: the figures are of the 4 inputs" in text
    assert "No best is marked: it takes two complete, labelled runs." in text
    assert "**0" not in text
    if form == "markdown":
        assert f"two.onnx (**{status}**)" in text
    if form == "latex":
        assert rf"two.onnx (\textbf{{{status}}})" in text
        assert f"% INCOMPLETE: two.onnx is {status}" in text


@pytest.mark.parametrize("form", [form for form in FORMATS if form != "csv"])
def test_what_a_log_does_not_say_is_a_question_mark(form: str) -> None:
    text = FORMATS[form]([ONE, LOG])
    line = next(line for line in text.splitlines() if "published.tsv" in line)
    shown = {
        "table": ["?", "3", "?", "0.2333", "33.3", "33.3"],
        "markdown": ["?", "?", "?", "3", "1", "?", "0.2333", "33.3", "33.3"],
        "latex": ["?", "?", "?", "3", "1", "?", "0.2333", "33.3", "33.3"],
    }
    if form == "table":
        assert line.split()[1:] == shown[form]
    else:
        assert cells(line, "|" if form == "markdown" else "&")[1:] == shown[form]
    joined = " ".join(text.split())
    assert "nor whether it is complete" in joined
    assert "false certificates: ? (alpha is not known)" in joined
    assert "where it rounded them to nearest, figures may overstate" in joined
    assert "as read: 2 further irregularities" in joined


def test_a_log_for_a_program_has_null_for_what_it_does_not_say() -> None:
    found = json.loads(json.dumps(LOG.to_json()))
    assert found["log"] == "published.tsv"
    assert [found[k] for k in ("model", "sigma", "alpha", "status")] == [None] * 4
    assert found["certified_accuracy"] == [fraction_down(Fraction(1, 3))] * 2
    assert set(found["statements"]) == {
        *("level", "certified_accuracy", "certified_accuracy_band", "acr")
    }
    bare = log_figures("x", [Line(None, 1, 0.5)], (0.0,))
    assert bare.to_json()["certified_accuracy"] is None
    assert bare.to_json()["statements"] is None
    assert "accuracy, certified accuracy and ACR are unknown" in " ".join(render([bare]).split())


@pytest.mark.parametrize("name", STRANGERS, ids=ascii)
def test_csv_of_a_stranger_has_no_formula_and_no_control_code(name: str) -> None:
    text = render_csv([hostile(name), log_figures(name, [Line(1, 1, 1.0)], (0.0, 0.5))])
    assert all(c.isprintable() or c == "\n" for c in text)
    lines = list(csv.DictReader(io.StringIO(text)))
    assert [line["name"].removeprefix("'") for line in lines] == [printable(name)] * 2
    for cell in (line[key] for line in lines for key in ("name", "units", "norm", "status")):
        assert not cell.startswith(("=", "+", "-", "@"))


def hostile(name: str, **heading: str) -> Figures:
    strange = dict.fromkeys(("model", "units", "norm", "arithmetic", "status"), name) | heading
    return figures([1.0, 0.5], **strange)


@pytest.mark.parametrize("name", STRANGERS, ids=ascii)
def test_markdown_of_a_stranger_keeps_its_table(name: str) -> None:
    reader = pytest.importorskip("markdown_it", reason="no reader of Markdown is installed")
    text = render_markdown([hostile(name), ONE, log_figures(name, [Line(1, 1, 1.0)], (0.0, 0.5))])
    tokens = reader.MarkdownIt("commonmark").enable("table").parse(text)
    assert sum(token.type == "tr_open" for token in tokens) == 4
    assert sum(token.type in ("td_open", "th_open") for token in tokens) == 40
    children = {child.type for token in tokens for child in token.children or ()}
    assert children <= {"text", "text_special", "strong_open", "strong_close", "softbreak"}
    assert all(c.isprintable() or c == "\n" for c in text)


def test_latex_compiles_whatever_strangers_wrote(tmp_path: Path) -> None:
    compiler = shutil.which("pdflatex")
    styles = shutil.which("kpsewhich")
    if compiler is None or styles is None:
        pytest.skip("no pdflatex is installed")
    if not subprocess.run([styles, "booktabs.sty"], capture_output=True, check=False).stdout:
        pytest.skip("the LaTeX package booktabs is not installed")
    runs: list[Figures | LogFigures] = [hostile(name) for name in STRANGERS]
    runs += [ONE, TWO, log_figures("[*]", [Line(1, 1, 1.0)], (0.0, 0.5), STRANGERS)]
    pairs = compare([Named(name, ONE) for name in STRANGERS], (0.0, 0.5))
    (tmp_path / "x.tex").write_text("this must not be read")
    body = f"{render_latex(runs)}\n\n{render_comparisons_latex(pairs)}"
    document = [r"\documentclass{article}", r"\usepackage{booktabs}", r"\begin{document}"]
    (tmp_path / "page.tex").write_text(
        "\n".join([*document, body, r"\end{document}"]), encoding="utf-8"
    )
    done = subprocess.run(
        [compiler, "-interaction=nonstopmode", "-halt-on-error", "page.tex"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
        timeout=100,
    )
    log = done.stdout.decode("latin-1")
    assert done.returncode == 0, log[-2000:]
    assert "Missing character" not in log
    assert "this must not be read" not in log
    assert "(./x.tex" not in log


def test_comparisons_have_the_same_figures_in_every_format() -> None:
    [pair] = compare([Named("a.jsonl", ONE), Named("b.jsonl", TWO)], (0.0, 0.5))
    text = render_comparisons([pair])
    line = next(line for line in text.splitlines() if line.startswith("r=0.5")).split()
    # 1 of 4 inputs is right at .5 in the first run alone.
    assert line[:4] == ["r=0.5", "50.0", "25.0", "+25.0"]
    assert line[6:] == ["1", "0", "1.0"]
    acr = next(line for line in text.splitlines() if line.startswith("ACR")).split()
    assert acr[:4] == ["ACR", "0.4375", "0.5000", "-0.0625"]
    row_of = {
        cells(one)[0]: cells(one)
        for one in render_comparisons_markdown([pair]).splitlines()
        if one.startswith("|")
    }
    assert row_of["r=0.5"] == line
    latex = render_comparisons_latex([pair])
    assert "r=0.5 & 50.0 & 25.0 & +25.0 &" in latex
    assert "ACR & 0.4375 & 0.5000 & $-$0.0625 &" in latex
    lines = {
        one["figure"]: one for one in csv.DictReader(io.StringIO(render_comparisons_csv([pair])))
    }
    assert float(lines["certified_accuracy@0.5"]["difference"]) == 0.25
    assert float(lines["acr"]["difference"]) == -0.0625
    assert lines["acr"]["pairs"] == "4"


def test_an_incomplete_run_says_so_in_every_comparison() -> None:
    late = replace(TWO, heading=replace(HEADING, status="interrupted"))
    [pair] = compare([Named("a.jsonl", ONE), Named("b.jsonl", late)], (0.0,))
    said = "b.jsonl is interrupted: it holds 4 inputs"
    assert said in render_comparisons([pair])
    assert said in render_comparisons_markdown([pair])
    assert f"% {said}" in render_comparisons_latex([pair])
    assert said in render_comparisons_csv([pair])
    assert pair.to_json()["cautions"] == [said]


def test_an_unlabelled_run_has_no_accuracy_in_any_format() -> None:
    unlabelled = figures([row(0, 1.0, label=None), row(1, 0.2)])
    for form, show in FORMATS.items():
        text = show([ONE, unlabelled])
        if form == "csv":
            line = list(csv.DictReader(io.StringIO(text)))[1]
            assert (line["acr"], line["certified_accuracy@0"], line["robust_low@0"]) == ("",) * 3
        else:
            assert "certified, right or wrong: 100.0 at 0" in " ".join(text.split())
