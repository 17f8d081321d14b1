"""Another classifier of the same model file says so wherever its figures stand."""

from __future__ import annotations

import csv
import functools
import io
import json
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from headers import HALF, RECORD
from html_pages import Node, page_run, tree
from hypothesis import given
from hypothesis import strategies as st
from reported import STRANGERS, figures

from rsonnx.report import FORMATS, Figures, accuracy_report, compare, paired_report, told_apart
from rsonnx.report.card import render_card
from rsonnx.report.figures import ACR
from rsonnx.report.page import render_page
from rsonnx.report.plotting import name_of
from rsonnx.report.ranking import rank
from rsonnx.report.top_k import top_k_figures, top_k_report
from rsonnx.runs import Header, Run
from rsonnx.runs.variation import Variation

VARIATIONS: dict[str, dict[str, Any]] = {
    "float16": {"float16": HALF},
    "TF32": {"session": {"tf32": True}},
    "threshold 0.3": {"threshold": 0.3},
    "output logits": {"output_name": "logits"},
    "mask=1": {"feeds": {"mask": [1]}},
    "input 1x8x8": {"input": RECORD["model"]["input"] | {"shape": [None, 1, None, None]}},
    "mean=0.5": {"preprocess": {"mean": [0.5], "source": "argument"}},
    "mask=(SHA-256": {"feeds": {"mask": list(range(100))}},
}
"""What a header says of the model, by the words that must stand with the figures."""


FILES_OWN = {"preprocess": {"identity": True, "source": "model metadata"}}


@functools.cache
def run(words: str = "", file: str = "run.jsonl", **model: Any) -> Figures:
    return page_run(model=FILES_OWN | VARIATIONS.get(words, {}) | model, file=file)


def shown(form: str) -> Callable[[list[Figures]], str]:
    return lambda runs: FORMATS[form](accuracy_report(runs))


def top_k(runs: list[Figures]) -> str:
    made = [
        Run(Path("run.jsonl"), Header.from_json(dict(run.record.header)), run.rows, "complete")
        for run in runs
    ]
    return FORMATS["table"](top_k_report([top_k_figures(run, (0.0,), 2) for run in made]))


WRITERS: dict[str, Callable[[list[Figures]], str]] = {
    **{form: shown(form) for form in FORMATS},
    "card": render_card,
    "page": lambda runs: tree(render_page(runs)).text,
    "top-k": top_k,
}


@functools.cache
def said_without(writer: str) -> str:
    """What a writer says of the file's own classifier."""
    return WRITERS[writer]([run()])


def plain(text: str) -> str:
    """A text without what formats write to escape it, and without breaks of lines."""
    for mark in ("\\", "{", "}"):
        text = text.replace(mark, "")
    return " ".join(text.split())


@pytest.mark.parametrize("words", VARIATIONS)
@pytest.mark.parametrize("writer", WRITERS)
def test_it_is_named_by_every_writer(writer: str, words: str) -> None:
    write = WRITERS[writer]
    # A page shows the whole header, which has a field called float16.
    assert plain(write([run(words)])).count(words) > plain(said_without(writer)).count(words)
    assert words in plain(write(told_apart([run(), run(words)])))


@pytest.mark.parametrize("words", VARIATIONS)
def test_two_stand_in_two_rows_of_two_names(words: str) -> None:
    runs = told_apart([run(), run(words), run()])
    names = [run.classifier for run in runs if isinstance(run, Figures)]
    assert names[0] == names[2] != names[1]
    table = FORMATS["table"](accuracy_report(runs)).splitlines()
    assert all(line.startswith(f"{name} ") for line, name in zip(table[1:4], names, strict=True))
    lines = list(csv.DictReader(io.StringIO(FORMATS["csv"](accuracy_report(runs)))))
    told = [(line["variation"], line["preprocess"]) for line in lines]
    assert told[0] == told[2] == ("", "none")
    assert words in "".join(told[1])
    assert name_of(runs[0]) != name_of(runs[1])


def test_a_card_has_an_entry_a_classifier() -> None:
    card = render_card([run(), run("float16"), run("float16"), run("threshold 0.3")])
    entries = [line for line in card.splitlines() if line.startswith("- name: ")]
    assert entries == [
        '- name: "tiny"',
        '- name: "tiny-float16"',
        '- name: "tiny-threshold-0.3"',
    ]


@pytest.mark.parametrize(("one", "other"), list(combinations(("", *VARIATIONS), 2)))
def test_two_of_one_file_are_compared_as_two_classifiers(one: str, other: str) -> None:
    runs = [run(one, "a.jsonl"), run(other, "b.jsonl")]
    assert not rank(runs).marked
    (pair,) = compare(told_apart(runs), (0.0,))
    said = " ".join(pair.cautions)
    assert "different classifiers" in said
    for words in filter(None, (one, other)):
        for form in FORMATS:
            assert words in plain(FORMATS[form](paired_report([pair])))


def test_runs_of_one_classifier_are_compared_as_before() -> None:
    for words in ("", *VARIATIONS):
        assert rank([run(words), run(words)]).marked
        fewer = replace(run(words), rows=run(words).rows[1:])
        (pair,) = compare([run(words), fewer], (0.0,))
        assert "different classifiers" not in " ".join(pair.cautions)


def _varied(radius: float, model: str, word: str) -> Figures:
    variation = Variation((word,) if word else (), "none", declared=False, insisted=None)
    return figures([radius, 0.5], file=model, sha256=32 * (model + "0"), variation=variation)


classifiers = st.tuples(
    st.sampled_from((0.5, 1.0, 1.5)), st.sampled_from("ab"), st.sampled_from(("", "float16"))
)


@given(st.lists(classifiers, min_size=2, max_size=5))
def test_the_best_has_no_better_rival_and_at_least_one(made: list[tuple[float, str, str]]) -> None:
    marked = [ACR in best for best in rank([_varied(*one) for one in made]).best]
    for at, (radius, model, word) in enumerate(made):
        rivals = [
            other[0]
            for k, other in enumerate(made)
            if k != at and (other[1] != model or other[2] == word)
        ]
        assert marked[at] == (bool(rivals) and radius >= max(rivals))


def test_what_a_file_is_called_does_not_matter() -> None:
    assert not rank(
        [run(), page_run(model=run("float16").record.fact("model") | {"file": "other.onnx"})]
    ).marked
    assert rank([run(), run("float16", sha256="cd" * 32)]).marked


def test_an_output_that_is_no_vector_of_scores_is_told() -> None:
    odd = run(output_name="boxes", insisted="a detector's boxes")
    for writer, write in WRITERS.items():
        if writer not in ("csv", "json"):
            assert "a detector's boxes" in plain(write([odd])).replace("textquotesingle", "'")


@functools.cache
def own_page() -> Node:
    return tree(render_page([run()]))


@pytest.mark.parametrize("name", [name for name in STRANGERS if "\udc80" not in name], ids=ascii)
def test_a_strangers_words_stay_words(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures have tests of their own."""
    monkeypatch.setattr(import_module("rsonnx.report.page"), "_curves", lambda _: ())
    model = {
        "output_name": name,
        "feeds": {name: name},
        "insisted": name,
        "preprocess": {"layout": name, "source": name},
    }
    strange = page_run(model=model)
    for writer in WRITERS.keys() - {"page"}:
        text = WRITERS[writer]([strange, run()])
        assert all(c.isprintable() or c == "\n" for c in text)
    assert json.loads(WRITERS["json"]([strange]))[0]["variation"][0] == f"output {name}"
    page = tree(render_page([strange]))
    assert all(c.isprintable() or c == "\n" for c in page.text)
    assert {n.name for n in page.all()} <= {n.name for n in own_page().all()}
