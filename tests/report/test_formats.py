"""One table in every format: the same cells, and strangers' words that stay words."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reported import STRANGERS

from rsonnx.cli.terminal import show
from rsonnx.report import FORMATS, Cell, Column, Note, Report, Table, percent, printable, to_text

COLUMNS = (
    Column("model"),
    Column("sigma", symbols=True),
    Column("alpha", wide=True, symbols=True),
    Column("standard", "%", form=percent),
    Column("r=0.5", form=percent, symbols=True),
    Column("remark", left=True, unknown=""),
)
ROWS = (
    ("tiny.onnx", 0.5, 0.001, Cell(Fraction(2, 3), best=True), Fraction(29, 100), None),
    (Cell("two", status="late"), "gaussian sigma = 1e-05", 0.1, None, -0.5, "a-b"),
)
TABLE = Table(COLUMNS, ROWS, "title", [Note("first", ("b:\xa0c",))], marked="the best")
texts = st.text() | st.sampled_from(STRANGERS) | st.text(alphabet=",'=\uff1d ", max_size=6)


def shown(form: str, *tables: Table) -> str:
    return FORMATS[form](Report(tables or (TABLE,), notes=["below all"]))


def strange(words: Sequence[str]) -> Table:
    """A table whose every text a stranger wrote."""
    rows = [(Cell(word, status=word), 0.5, word, None, 1, word) for word in words]
    notes = [Note(printable(word), (printable(word),)) for word in words]
    return Table(COLUMNS, rows, notes=notes)


def test_text_has_no_wide_columns_stars_beside_figures_and_no_space_at_the_end() -> None:
    assert shown("table").splitlines() == [
        "title",
        "",
        "model                        sigma  standard %   r=0.5  remark",
        "tiny.onnx                      0.5        66.7*   29.0",
        "two (late)  gaussian sigma = 1e-05           ?   -50.0  a-b",
        "",
        "first",
        "  b: c",
        "*: the best",
        "",
        "below all",
    ]


@given(st.integers(1, 120), st.lists(st.integers(1, 12), min_size=1, max_size=12))
def test_a_terminal_of_any_width_has_every_figure(width: int, lengths: list[int]) -> None:
    values = [10**length for length in lengths]
    columns = [Column(""), *(Column(f"c{i}") for i in range(len(values)))]
    lines = to_text(Report([Table(columns, [("name", *values)])]), width).splitlines()
    assert [int(cell) for line in lines for cell in line.split() if cell.isdigit()] == values
    assert all(len(line) <= max(width, len("name  ") + 1 + max(lengths)) for line in lines)
    assert sum(line.startswith("name") for line in lines) == 1 + lines.count("")


def test_a_table_is_broken_on_a_terminal_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    longest = []
    for terminal in (False, True):
        monkeypatch.setattr(sys.stdout, "isatty", lambda terminal=terminal: terminal)
        show(Report([TABLE]))
        longest.append(max(map(len, capsys.readouterr().out.splitlines())))
    assert longest[0] > 50 >= longest[1]


def test_markdown_has_bold_figures_and_lists_of_notes() -> None:
    assert shown("markdown").splitlines() == [
        "title",
        "",
        "| model | sigma | alpha | standard % | r=0.5 | remark |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
        "| tiny.onnx | 0.5 | 0.001 | **66.7** | 29.0 |  |",
        "| two (**late**) | gaussian sigma = 1e-05 | 0.1 | ? | -50.0 | a-b |",
        "",
        "- first",
        "  - b: c",
        "- Bold: the best",
        "",
        "- below all",
    ]


def test_latex_sets_symbols_and_minus_signs() -> None:
    lines = shown("latex").splitlines()
    assert lines[0] == r"% \usepackage{booktabs}"
    head = r"model & $\sigma$ & $\alpha$ & standard \% & $r=0.5$ & remark \\"
    first = r"tiny.onnx & 0.5 & 0.001 & \textbf{66.7} & 29.0 &  \\"
    second = r"two (\textbf{late}) & gaussian $\sigma = 1e{-}05$ & 0.1 & ? & -50.0 & a{-}b \\"
    assert lines[lines.index(r"\toprule") + 1] == head
    assert lines[lines.index(r"\midrule") + 1 :][:2] == [first, second]
    plain = Table((Column(""), Column("A", form=percent)), [("x", -0.5)])
    assert r"x & $-$50.0 \\" in shown("latex", plain)


def test_programs_get_values_in_full() -> None:
    first, second = csv.DictReader(io.StringIO(shown("csv")))
    assert float(first["standard %"]) == 2 / 3
    assert (first["alpha"], second["alpha"], second["standard %"]) == ("0.001", "0.1", "")
    report = Report([TABLE], records=[{"a": "=1", "b": None, "c": True}], value={"x": [1.5]})
    assert FORMATS["csv"](report) == "a,b,c\n'=1,,True"
    assert json.loads(FORMATS["json"](report)) == {"x": [1.5]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        FORMATS["json"](Report([TABLE], value=float("nan")))


@pytest.mark.parametrize("form", ["table", "markdown", "latex", "csv"])
@given(st.lists(texts, min_size=1, max_size=3))
def test_nothing_that_a_terminal_acts_on_is_printed(form: str, words: list[str]) -> None:
    text = shown(form, strange(words))
    assert all(c.isprintable() or c == "\n" for c in text)
    assert text.encode("utf-8")


@given(st.lists(texts, min_size=1, max_size=3))
def test_csv_reads_back_and_is_no_formula(words: list[str]) -> None:
    lines = list(csv.DictReader(io.StringIO(shown("csv", strange(words)))))
    cells = [line["model"] for line in lines]
    # Whatever looks like a formula, or like such a remedy, has an apostrophe in front.
    assert all(
        cell in (printable(w), f"'{printable(w)}") for cell, w in zip(cells, words, strict=True)
    )
    acting = ("=", "+", "-", "@", " ", "\t", "\r", "\uff1d")
    assert not any(cell.startswith(acting) for cell in cells)


@given(st.lists(texts, min_size=1, max_size=3))
def test_markdown_of_a_stranger_keeps_its_table(words: list[str]) -> None:
    reader = pytest.importorskip("markdown_it", reason="no reader of Markdown is installed")
    text = shown("markdown", strange(words))
    tokens = reader.MarkdownIt("commonmark").enable("table").parse(text)
    assert sum(token.type == "tr_open" for token in tokens) == 1 + len(words)
    cells = sum(token.type in ("td_open", "th_open") for token in tokens)
    assert cells == len(COLUMNS) * (1 + len(words))
    children = {child.type for token in tokens for child in token.children or ()}
    assert children <= {"text", "text_special", "strong_open", "strong_close", "softbreak"}


def test_latex_compiles_whatever_strangers_wrote(tmp_path: Path) -> None:
    compiler, styles = shutil.which("pdflatex"), shutil.which("kpsewhich")
    if compiler is None or styles is None:
        pytest.skip("no pdflatex is installed")
    if not subprocess.run([styles, "booktabs.sty"], capture_output=True, check=False).stdout:
        pytest.skip("the LaTeX package booktabs is not installed")
    (tmp_path / "x.tex").write_text("this must not be read")
    document = [r"\documentclass{article}", r"\usepackage{booktabs}", r"\begin{document}"]
    caption, label = r"100 % & #_^~\ in $\ell_2$, $ alone", "tab:x_1"
    paper = Report([TABLE, strange(STRANGERS)], ["below all"], caption=caption, label=label)
    document += [shown("latex", strange(STRANGERS), TABLE), FORMATS["latex"](paper)]
    document += [r"Table~\ref{tab:x_1}", r"\end{document}"]
    (tmp_path / "page.tex").write_text("\n".join(document), encoding="utf-8")
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
