"""A section for a model card: the result, what it assumes, and what it does not claim.

The front matter is Hugging Face's ``model-index``
(https://github.com/huggingface/hub-docs/blob/main/modelcard.md), the rest is Markdown.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import PurePath
from typing import Any

from rsonnx.noise import norm_named
from rsonnx.report.accuracy import accuracy_report
from rsonnx.report.escape import markdown_text, printable
from rsonnx.report.formats import to_markdown
from rsonnx.report.html.content import PageRun
from rsonnx.report.ranking import decides
from rsonnx.report.rounding import alpha_up, plain, text_down

_TASKS = {1: "tabular-classification", 3: "image-classification"}
_UNRECORDED = "not recorded"
_SAMPLED = (
    "No certificate is certain: each holds with the probability that is stated above, over the "
    "noise that was drawn, and nothing tells which may be false."
)
_COUNTED = (
    "Certificates that were counted in full are certain for a model that gives one input one "
    "answer: on another machine or runtime its scores may round otherwise."
)
_DRAWN = "The intervals on the population assume that the inputs were drawn from it independently."
_NOT_CLAIMED = (
    "The certificates are of the smoothed classifier, not of the model as it stands: only who adds "
    "the noise and takes the vote has them.",
    "They are of these inputs and no others.",
    "Nothing is said of changes at or beyond an input's radius, nor of changes that are small in "
    "another way than the norm.",
    "A certificate says that the answer stays the same, not that it is right.",
)


def render_card(runs: Sequence[PageRun]) -> str:
    """Return a model card's front matter and section on one or more runs.

    The front matter holds what a program may take at its word: figures of complete, labelled runs,
    and of adaptive ones only where they decided. The section has the others too, and says what they
    are. Figures are rounded down.
    """
    parts = [*_front_matter(runs), "## Certified robustness", ""]
    for run in runs:
        parts += [f"### {markdown_text(run.title)}", "", *_section(run), ""]
    parts += ["### Result", "", to_markdown(accuracy_report([run.figures for run in runs])), ""]
    parts += ["### What is not claimed", "", *(f"- {sentence}" for sentence in _denied(runs))]
    return "\n".join([*parts, ""])


def _denied(runs: Sequence[PageRun]) -> Iterator[str]:
    counted = [run.figures.heading.settings.exact for run in runs]
    if not all(counted):
        yield f"Of sampled runs: {_SAMPLED[0].lower()}{_SAMPLED[1:]}" if any(counted) else _SAMPLED
    if any(counted):
        yield _COUNTED
    whole = all(norm_named(run.figures.heading.norm).whole for run in runs)
    if any(run.figures.drawn for run in runs):
        yield _DRAWN
    for sentence in _NOT_CLAIMED:
        yield sentence.replace("at or beyond", "beyond") if whole else sentence


def _front_matter(runs: Sequence[PageRun]) -> Iterator[str]:
    by_model: dict[str, list[PageRun]] = defaultdict(list)
    for run in runs:
        if run.figures.ranked:
            by_model[run.figures.heading.model].append(run)
    if not by_model:
        return
    yield "---"
    yield "model-index:"
    for model, of_model in by_model.items():
        yield f"- name: {_yaml(model)}"
        yield "  results:"
        for run in of_model:
            yield "  - task:"
            yield f"      type: {_task(run)}"
            yield "      name: certified robustness"
            yield "    dataset:"
            yield "      type: unknown  # put the data set's name on the Hub here"
            yield f"      name: {_yaml(_data(run) or 'unknown')}"
            yield "    metrics:"
            yield from _metrics(run)
    yield "---"
    yield ""


def _metrics(run: PageRun) -> Iterator[str]:
    heading, summary = run.figures.heading, run.figures.summary
    noise = heading.short_noise.replace("sigma = ", "sigma ")
    sure = f"alpha {alpha_up(heading.settings.alpha)}, n {heading.n}"
    if heading.settings.exact:
        sure = f"all {heading.n} changes counted"
    made = f"{noise}, {sure}, {summary.inputs} inputs" + (
        ", shared noise" if heading.shared_noise else ""
    )
    yield from _metric(
        "accuracy", "standard accuracy of the model itself", summary.standard_accuracy
    )
    for radius, share in zip(summary.radii, summary.certified_accuracy or (), strict=True):
        if decides(heading, radius):
            name = f"certified accuracy at {heading.norm} radius {plain(radius)} ({made})"
            yield from _metric("certified_accuracy", name, share)
    if heading.target_radii is None:
        name = f"average certified {heading.norm} radius ({made})"
        yield from _metric("average_certified_radius", name, summary.acr)


def _metric(kind: str, name: str, value: Fraction | float | None) -> Iterator[str]:
    if value is not None:
        yield f"    - type: {kind}"
        yield f"      name: {_yaml(name)}"
        yield f"      value: {text_down(value, 4)}"


def _section(run: PageRun) -> Iterator[str]:
    heading, summary = run.figures.heading, run.figures.summary
    if heading.status != "complete":
        yield (
            f"**This run is {markdown_text(heading.status)}: its figures are of the "
            f"{summary.inputs:,} inputs that it holds.**"
        )
        yield ""
    settings = heading.settings
    error = f"at most {alpha_up(settings.alpha)} for each input"
    if settings.family_wise is not None:
        error = f"at most {alpha_up(settings.family_wise)} for all inputs at once"
    samples = f"n0 = {_text(run, 'n0')}, n = {heading.n:,}"
    samples += "" if heading.target_radii is None else " at most (adaptive)"
    if settings.exact:
        error = "none: every change that the noise can make was counted"
        samples = f"none: all {heading.n:,} changes of each input were counted"
    data = _data(run)
    stays = f"at every point closer to the input than its radius, in the {heading.norm} norm"
    if heading.settings.exact or heading.norm not in ("l2", "l1", "linf"):
        stays = heading.within
    noise = heading.noise.replace("gaussian sigma", "gaussian, sigma")
    arithmetic = f", {heading.arithmetic} arithmetic" if heading.additive else ""
    facts = {
        "Model": heading.model,
        "Model digest (SHA-256)": _text(run, "model", "sha256"),
        "Inputs": f"{summary.inputs:,}" + ("" if data is None else f" of {data}"),
        "Guarantee": f"the smoothed classifier's answer is the same {stays}",
        "Noise": f"{noise}{arithmetic}"
        + (", the same for all inputs" if heading.shared_noise else ""),
        "Units of sigma and radius"
        if heading.sigma is not None
        else "Units of the radius": heading.units,
        "Probability of error (alpha)": error,
        "Samples": samples,
        "Bound and radius rule": settings.bound
        if settings.exact
        else f"{settings.bound}, {settings.radius_rule}",
        "Preprocessing, behind the noise": _text(run, "model", "preprocess"),
        "Seed": f"{_text(run, 'seed', 'value')} (from: {_text(run, 'seed', 'source')})",
        "Execution provider": _text(run, "model", "providers", "used"),
        "Made with": f"rsonnx {_text(run, 'versions', 'rsonnx')}, {_text(run, 'created')}",
    }
    if run.figures.assumption is not None:
        facts["Assumption"] = run.figures.assumption
    for name, value in facts.items():
        yield f"- {name}: {markdown_text(value)}"


def _data(run: PageRun) -> str | None:
    """Return where the inputs came from, without the folders of somebody's machine."""
    path = run.fact("data", "path")
    if not isinstance(path, str):
        return None
    pure = PurePath(path)
    return pure.name if pure.is_absolute() else path


def _task(run: PageRun) -> str:
    shape = run.fact("model", "input_shape")
    return _TASKS.get(len(shape), "other") if isinstance(shape, list) else "other"


def _text(run: PageRun, *keys: str) -> str:
    """Return a field of the header as text."""
    value: Any = run.fact(*keys)
    if value is None or value == "":
        return _UNRECORDED
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    try:
        return json.dumps(value)
    except RecursionError:
        return "nested too deeply to be shown"


def _yaml(text: str) -> str:
    """Return text as a quoted scalar: JSON's are YAML's."""
    return json.dumps(printable(text), ensure_ascii=False)
