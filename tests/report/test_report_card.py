"""The model card: what it says, that programs can read it, and that strangers' words stay text."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from headers import record
from hypothesis import given
from hypothesis import strategies as st
from reported import STRANGERS, changed_header, figures, row

from rsonnx.noise import Gaussian
from rsonnx.report import Figures
from rsonnx.report.card import hub_id, render_card

yaml = pytest.importorskip("yaml", reason="no reader of YAML is installed")

HEADER: dict[str, Any] = {
    "model": {"sha256": "ab12"},
    "data": {"path": "/home/somebody/images"},
    "seed": {"value": "17", "source": "argument"},
    "versions": {"rsonnx": "9.9", "platform": "Kernel-1", "processor": "Chip-2"},
}
RUN = figures([1.0, 0.5, 0.25, -1.0])


def page(run: Figures = RUN, **header: Any) -> Figures:
    own = replace(run.header, record=record(**HEADER | header))
    return replace(run, header=own, path="folder/run.jsonl")


def front_matter(card: str) -> Any:
    start, found, _ = card.split("---\n", 2)
    assert start == ""
    return yaml.safe_load(found)


def test_the_front_matter_is_a_model_index() -> None:
    [model] = front_matter(render_card([page()]))["model-index"]
    assert model["name"] == "tiny"
    [result] = model["results"]
    assert result["task"]["type"] == "image-classification"
    assert result["dataset"] == {"type": "images", "name": "images"}
    metrics = result["metrics"]
    assert [(m["type"], m["args"].get("radius"), m["value"]) for m in metrics] == [
        ("accuracy", None, 1.0),
        ("certified_accuracy", 0.0, 0.75),
        ("certified_accuracy", 0.5, 0.5),
        ("average_certified_radius", None, 0.4375),
    ]
    for metric in metrics[1:]:
        of_run = {"norm": "l2", "alpha": 0.001, "n": 1000, "inputs": 4, "shared_noise": False}
        assert of_run.items() <= metric["args"].items()
        assert (metric["args"]["rows"], metric["args"]["restated"]) == ("proved", False)


def test_a_program_reads_on_which_conditions_figures_hold() -> None:
    own = replace(RUN.header, restated_from=RUN.header.settings)
    own = replace(own, model=replace(own.model, rows="watched"))
    [model] = front_matter(render_card([replace(RUN, header=own)]))["model-index"]
    for metric in model["results"][0]["metrics"][1:]:
        assert (metric["args"]["rows"], metric["args"]["restated"]) == ("watched", True)


def test_hugging_faces_own_reader_reads_it_and_takes_its_names() -> None:
    hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    other = figures([1.0], noise=Gaussian(0.25))
    card = hub.ModelCard(render_card([page(), page(other)]))
    results = card.data.eval_results
    assert card.data.model_name == "tiny"
    assert [result.metric_value for result in results[:4]] == [1.0, 0.75, 0.5, 0.4375]
    assert len(results) == 8
    assert all(result.metric_type.isidentifier() for result in results)
    assert len({(result.metric_name, result.metric_value) for result in results[1:]}) == 7
    index = hub.repocard_data.eval_results_to_model_index("tiny", results)
    assert hub.repocard_data.model_index_to_eval_results(index) == ("tiny", results)
    assert card.text.lstrip().startswith("## Certified robustness")


@given(st.text() | st.sampled_from(STRANGERS) | st.text(alphabet="a.-_ /\u00e9", max_size=100))
def test_an_id_is_one_that_the_hub_accepts(name: str) -> None:
    hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    hub.utils.validate_repo_id(hub_id(name))
    assert hub_id("mnist_gaussian-0.50") == "mnist_gaussian-0.50"


def test_the_section_says_what_was_certified_and_what_is_not_claimed() -> None:
    card = render_card([page()])
    for said in (
        "### tiny.onnx, sigma = 0.5 (run.jsonl)",
        "- Model digest (SHA-256): ab12",
        "- Inputs: 4 of images",
        "in the l2 norm",
        "- Noise: gaussian sigma = 0.5",
        "- Units of sigma and radius: input values between 0 and 1",
        "- Certified with: n = 1,000, alpha = 0.001 an input, exact noise; clopper-pearson, one-si",
        "- Selection samples (n0): 100",
        "- Seed: 17 (from: argument)",
        "- Execution provider: CPUExecutionProvider",
        "- Made with: rsonnx 9.9, 2026-01-02",
        "| tiny.onnx | 0.5 | 0.001 | 1,000 | 4 | 100.0 | 0.4375 | 0 | 1 | 75.0 | 50.0 |",
        "### What is not claimed",
        "Nothing is certified of the model itself",
    ):
        assert said in card
    assert not any(private in card for private in ("/home/somebody", "Kernel-1", "Chip-2"))


@pytest.mark.parametrize(
    "run",
    [
        replace(RUN, status="interrupted"),
        replace(RUN, status="shard 1/4"),
        figures([row(0, 1.0, label=None)]),
    ],
)
def test_no_program_reads_figures_that_are_not_whole(run: Figures) -> None:
    card = render_card([page(run)])
    assert "model-index" not in card
    assert card.startswith("## Certified robustness")
    if run.status != "complete":
        assert f"(run.jsonl) is {run.status}: the figures are of the 4 of" in card
        assert "folder/" not in card
    [model] = front_matter(render_card([page(run), page()]))["model-index"]
    assert len(model["results"]) == 1


def test_an_adaptive_run_gives_programs_what_it_decided_alone() -> None:
    run = replace(RUN, header=changed_header(target_radii=(0.5,)))
    card = render_card([page(run)])
    [model] = front_matter(card)["model-index"]
    kinds = [metric["type"] for metric in model["results"][0]["metrics"]]
    assert kinds == ["accuracy", "certified_accuracy"]
    assert "n = at most 1,000" in card


@pytest.mark.parametrize(
    ("shape", "task"),
    [
        ((784,), "tabular-classification"),
        ((1, 28, 28), "image-classification"),
        ((2, 2), "other"),
    ],
)
def test_the_task_follows_the_shape_of_an_input(shape: tuple[int, ...], task: str) -> None:
    card = render_card([replace(RUN, header=changed_header(input_shape=shape))])
    assert front_matter(card)["model-index"][0]["results"][0]["task"]["type"] == task


@pytest.mark.parametrize("name", STRANGERS, ids=ascii)
def test_a_strangers_words_stay_text(name: str) -> None:
    run = replace(RUN, header=changed_header(file=name, units=name))
    header = {"data": {"path": name}, "model": {"sha256": name}, "created": name}
    card = render_card([page(run, **header)])
    assert all(c.isprintable() or c == "\n" for c in card)
    [model] = front_matter(card)["model-index"]
    assert model["name"] == hub_id(name.replace(".onnx", ""))
    reader = pytest.importorskip("markdown_it", reason="no reader of Markdown is installed")
    body = card.split("---\n", 2)[2]
    tokens = reader.MarkdownIt("commonmark").enable("table").parse(body)
    children = {child.type for token in tokens for child in token.children or ()}
    assert children <= {"text", "text_special", "strong_open", "strong_close"}
    assert [t.tag for t in tokens if t.type == "heading_open"] == ["h2", "h3", "h3", "h3"]
