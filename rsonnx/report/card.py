"""A section for a model card: the result, what it assumes, and what it does not claim.

The front matter is Hugging Face's ``model-index``
(https://github.com/huggingface/hub-docs/blob/main/modelcard.md), the rest is Markdown.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from fractions import Fraction

from rsonnx.report.accuracy import accuracy_report
from rsonnx.report.escape import markdown_text, printable
from rsonnx.report.figures import ACR, Figures
from rsonnx.report.formats.markdown import to_markdown
from rsonnx.report.notes import cautions, denied, made
from rsonnx.report.rounding import alpha_up, plain, text_down

_TASKS = {1: "tabular-classification", 3: "image-classification"}
_RECORDED = (
    *("Model digest (SHA-256)", "Preprocessing, behind the noise", "Selection samples (n0)"),
    *("Seed", "Seed from", "Execution provider", "Started"),
)


def render_card(runs: Sequence[Figures]) -> str:
    """Return a model card's front matter and section on one or more runs.

    The front matter holds what a program may take at its word: figures of complete, labelled runs,
    and of adaptive ones only where they decided. The section has the others too, and says what they
    are. Figures are rounded down.
    """
    parts = [*_front_matter(runs), "## Certified robustness", ""]
    for run in runs:
        parts += [f"### {markdown_text(run.title)}", "", *_section(run), ""]
    parts += ["### Result", "", to_markdown(accuracy_report(runs)), ""]
    sentences = dict.fromkeys(sentence for run in runs for sentence in denied(run))
    parts += ["### What is not claimed", "", *(f"- {markdown_text(s)}" for s in sentences)]
    return "\n".join([*parts, ""])


def _front_matter(runs: Sequence[Figures]) -> Iterator[str]:
    by_model: dict[str, list[Figures]] = defaultdict(list)
    for run in runs:
        if run.ranked:
            by_model[run.classifier].append(run)
    if not by_model:
        return
    yield "---"
    yield "model-index:"
    for model, of_model in by_model.items():
        yield f"- name: {_yaml(model)}"
        yield "  results:"
        for run in of_model:
            yield "  - task:"
            yield f"      type: {_TASKS.get(len(run.header.model.input_shape), 'other')}"
            yield "      name: certified robustness"
            yield "    dataset:"
            yield "      type: unknown  # put the data set's name on the Hub here"
            yield f"      name: {_yaml(run.record.data or 'unknown')}"
            yield "    metrics:"
            yield from _metrics(run)
    yield "---"
    yield ""


def _metrics(run: Figures) -> Iterator[str]:
    summary = run.summary
    noise = run.header.noise.short_label.replace("sigma = ", "sigma ")
    sure = f"alpha {alpha_up(run.header.settings.alpha)}, n {run.header.procedure.n}"
    if run.header.settings.exact:
        sure = f"all {run.header.procedure.n} changes counted"
    shared = ", shared noise" * run.header.shared
    how = f"({noise}, {sure}, {summary.inputs} inputs{shared})"
    yield from _metric(
        "accuracy", "standard accuracy of the model itself", summary.standard_accuracy
    )
    for radius, share in zip(summary.radii, summary.certified_accuracy or (), strict=True):
        if run.decides(radius):
            name = f"certified accuracy at {run.header.noise.norm} radius {plain(radius)} {how}"
            yield from _metric("certified_accuracy", name, share)
    if run.decides(ACR):
        name = f"average certified {run.header.noise.norm} radius {how}"
        yield from _metric("average_certified_radius", name, summary.acr)


def _metric(kind: str, name: str, value: Fraction | float | None) -> Iterator[str]:
    if value is not None:
        yield f"    - type: {kind}"
        yield f"      name: {_yaml(name)}"
        yield f"      value: {text_down(value, 4)}"


def _section(run: Figures) -> Iterator[str]:
    inputs, data = run.summary.inputs, run.record.data
    for caution in cautions(run, inputs, run.assumption):
        yield f"- **{markdown_text(caution)}**"
    named = dict(run.record.named)
    recorded = {name: named.get(name, "not recorded") for name in _RECORDED}
    source, started = recorded.pop("Seed from"), recorded.pop("Started")
    recorded["Seed"] += f" (from: {source})"
    version = run.record.fact("versions", "rsonnx") or "of an unknown version"
    sigma = run.header.noise.deviation
    facts = {
        "Model": run.classifier,
        "Inputs": f"{inputs:,} of {data}",
        "Guarantee": f"the smoothed classifier's answer is the same {run.within}",
        "Noise": run.header.noise.label + ", the same for all inputs" * run.header.shared,
        "Units of the radius" if sigma is None else "Units of sigma and radius": run.header.units,
        "Certified with": made(run),
        **recorded,
        "Made with": f"rsonnx {version}, {started}",
    }
    for name, value in facts.items():
        yield f"- {name}: {markdown_text(value)}"


def _yaml(text: str) -> str:
    """Return text as a quoted scalar: JSON's are YAML's."""
    return json.dumps(printable(text), ensure_ascii=False)
