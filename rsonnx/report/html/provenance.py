"""Where a run's figures come from: what its file records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rsonnx.report.html.content import PageRun
from rsonnx.report.html.markup import Markup, element, foreign

_MOST_SHOWN = 2_000
_TOO_DEEP = "nested too deeply to be shown"

_FACTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Started", ("created",)),
    ("Model", ("model", "file")),
    ("Model digest (SHA-256)", ("model", "sha256")),
    ("Model made by", ("model", "producer")),
    ("Input shape", ("model", "input_shape")),
    ("Preprocessing", ("model", "preprocess")),
    ("Bounds of an input", ("model", "bounds")),
    ("Answer", ("model", "label")),
    ("Execution provider", ("model", "providers", "used")),
    ("Batches", ("model", "batch")),
    ("Data", ("data", "path")),
    ("Labels", ("data", "labels")),
    ("Noise", ("noise",)),
    ("Seed", ("seed", "value")),
    ("Seed from", ("seed", "source")),
    ("Selection samples (n0)", ("n0",)),
    ("Estimation samples (n)", ("n",)),
    ("Error probability (alpha)", ("alpha",)),
    ("Bound", ("bound",)),
    ("Radius rule", ("radius_rule",)),
    ("Target radii", ("target_radii",)),
    ("Command", ("arguments", "given")),
    ("Versions", ("versions",)),
)


def provenance(run: PageRun) -> Markup:
    """Return the facts that a reader asks for first, and the whole header behind them."""
    facts = [("Run file", run.file), ("Ended", run.figures.heading.status)]
    for name, keys in _FACTS:
        value = run.fact(*keys)
        if value is not None and value not in ([], {}, ""):
            facts.append((name, _shallow(value)))
    entries = (
        element("div", element("dt", name), element("dd", foreign(text, _MOST_SHOWN)))
        for name, text in facts
    )
    header = element("pre", _whole(run.header), tabindex=0)
    summary = element("summary", "Everything that the run file records of the run")
    return element("div", element("dl", *entries), element("details", summary, header))


def _shallow(value: Any) -> str:
    try:
        return _text(value)
    except RecursionError:
        return _TOO_DEEP


def _text(value: Any) -> str:
    """Return a value of the header in a line: texts as they are, lists and objects unwrapped."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_text(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return " ".join(map(_text, value))
    return value if isinstance(value, str) else json.dumps(value)


def _whole(header: Mapping[str, Any]) -> str:
    try:
        return json.dumps(header, indent=2)
    except RecursionError:
        return _TOO_DEEP
