"""A section for a model card: the result, what it assumes, and what it does not claim.

The front matter is Hugging Face's ``model-index``
(https://github.com/huggingface/hub-docs/blob/main/modelcard.md), the rest is Markdown.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import PurePath

from rsonnx.report.accuracy import accuracy_report
from rsonnx.report.escape import markdown_text, printable
from rsonnx.report.features import features_table
from rsonnx.report.figures import ACR, Figures
from rsonnx.report.formats.markdown import to_markdown
from rsonnx.report.notes import cautions, denied, made, unfinished
from rsonnx.report.rounding import text_down
from rsonnx.report.table import Report
from rsonnx.scalars import in_full

_TASKS = {1: "tabular-classification", 3: "image-classification"}
_BEYOND_IDS = re.compile(r"[^A-Za-z0-9_]{2,}|[^A-Za-z0-9_.-]")
_RECORDED = (
    *("Model digest (SHA-256)", "Preprocessing, behind the noise", "Selection samples (n0)"),
    *("Seed", "Seed from", "Execution provider", "Started"),
)


def render_card(runs: Sequence[Figures]) -> str:
    """Return a model card's front matter and section on one or more runs.

    The front matter holds what a program may take at its word: figures of complete, labelled runs,
    and of adaptive ones only where they decided. The section has the others too, and says what they
    are. Radii are rounded down, shares correctly.
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
        yield f"- name: {_yaml(hub_id(model.replace('.onnx', '')))}"
        yield "  results:"
        for run in of_model:
            data = PurePath(run.record.data).name
            yield "  - task:"
            yield f"      type: {_TASKS.get(len(run.header.model.input_shape), 'other')}"
            yield "      name: Certified robustness"
            yield "    dataset:"
            yield f"      type: {_yaml(hub_id(data.partition('.')[0]))}  # or its id on the Hub"
            yield f"      name: {_yaml(data or 'unknown')}"
            yield "    metrics:"
            yield from _metrics(run)
    yield "---"
    yield ""


def hub_id(name: str) -> str:
    """Return a name as the Hub has them: of ASCII letters, digits, ``_``, ``.`` and ``-``.

    At most 96 of them, with a letter, a digit or ``_`` at both ends, and never ``--`` or ``..``.
    """
    return _BEYOND_IDS.sub("-", name[:96]).strip("-.") or "unknown"


def _metrics(run: Figures) -> Iterator[str]:
    summary, header = run.summary, run.header
    norm = header.noise.norm
    arguments: dict[str, object] = {"noise": printable(header.noise.label), "norm": norm}
    arguments |= {"units": printable(header.units)}
    arguments |= {"alpha": header.settings.alpha, "n": header.procedure.n}
    arguments |= {"inputs": summary.inputs, "shared_noise": header.shared}
    # What the figures are on condition of: a program reads no more than these.
    arguments |= {"rows": header.model.rows, "restated": header.restated_from is not None}
    noise = header.noise.short_label.replace("sigma = ", "sigma ")
    standard = "Accuracy of the model itself, without noise"
    of = {"inputs": summary.inputs}
    yield from _metric("accuracy", standard, summary.standard_accuracy, of)
    for radius, share in zip(summary.radii, summary.certified_accuracy or (), strict=True):
        if run.decides(radius):
            name = f"Certified accuracy at {norm} radius {in_full(radius)} ({noise})"
            yield from _metric("certified_accuracy", name, share, {"radius": radius} | arguments)
    if run.decides(ACR):
        name = f"Average certified {norm} radius ({noise})"
        acr = None if summary.acr is None else Fraction(text_down(summary.acr, 4))
        yield from _metric("average_certified_radius", name, acr, arguments)


def _metric(
    kind: str, name: str, value: Fraction | None, arguments: Mapping[str, object]
) -> Iterator[str]:
    if value is not None:
        yield f"    - type: {kind}"
        yield f"      name: {_yaml(name)}"
        yield f"      value: {float(value):.4f}"
        yield f"      args: {json.dumps(arguments, ensure_ascii=False)}"


def _section(run: Figures) -> Iterator[str]:
    inputs, data = run.summary.inputs, run.record.data
    for caution in filter(None, (unfinished([run]), *cautions(run, run.assumption))):
        yield f"- **{markdown_text(caution)}**"
    named = dict(run.record.named)
    recorded = {name: named.get(name, "not recorded") for name in _RECORDED}
    source, started = recorded.pop("Seed from"), recorded.pop("Started")
    recorded["Seed"] += f" (from: {source})"
    version = run.record.fact("versions", "rsonnx") or "of an unknown version"
    sigma = run.header.noise.deviation
    facts = {
        "Model": ", which says that it is the ".join(
            filter(None, [run.classifier, run.header.model.composition])
        ),
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
    features = features_table(run)
    if features is not None:
        yield from ("", to_markdown(Report([features])))


def _yaml(text: str) -> str:
    """Return text as a quoted scalar: JSON's are YAML's."""
    return json.dumps(printable(text), ensure_ascii=False)
