"""Runs and logs as reports take them, made of a few radii."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from headers import header

from rsonnx.counts import Counts
from rsonnx.procedures import ABSTAIN, AbstainReason, Adaptive, CertificateCounts, Fixed
from rsonnx.report import Figures, dataset_statements, summarize
from rsonnx.runs import Header, Row

HEADER = header()

STRANGERS = (
    "<script>alert(1)</script>",
    "$x$",
    "a|b",
    r"\input{x}",
    "\x1b[2J\r\n",
    "__init__ *b* _i_ `c` ~~d~~",
    "[a](http://b) ![c](d) <e@f.g>",
    "=1+1",
    "@SUM(A1)",
    "1. one",
    "- two",
    "# three",
    "&amp; &#60;",
    "100 % ~ ^ {} #1 \"q\" 'r' --",
    "[2pt]",
    "*",
    "naïve 模型 \u202e\udc80",
    "",
)
"""Names that a stranger may give a file, a model or a class."""


def row(index: int, radius: float, **changed: Any) -> Row:
    """An input of class 1 that is certified for it; a radius below 0 abstains."""
    abstained = radius < 0
    found = Row(
        index=index,
        name=f"{index}.png",
        digest=f"digest {index}",
        label=1,
        base_prediction=1,
        prediction=ABSTAIN if abstained else 1,
        top_class=1,
        counts=CertificateCounts(
            changed.pop("selection", Counts([0, 10])), changed.pop("estimation", Counts([0, 90]))
        ),
        p_a_lower=0.5,
        radius=max(radius, 0.0),
        reason=AbstainReason.LOOSE_BOUND if abstained else None,
        explanation="why" if abstained else None,
        arithmetic="exact",
        seconds=0.0,
    )
    return replace(found, **changed)


_OF_PROCEDURE = ("noise", "n", "alpha", "bound", "target_radii")
_OF_MODEL = ("file", "sha256", "input_shape", "variation")


def changed_header(**changed: Any) -> Header:
    """A header, some of whose own fields, or its procedure's or its model's, are others."""
    own = HEADER.procedure
    law, n, alpha, bound, targets = (
        changed.pop(name, getattr(own, name)) for name in _OF_PROCEDURE
    )
    procedure = (
        Fixed(law, own.n0, n, alpha, bound, num_classes=own.num_classes)
        if targets is None
        else Adaptive(law, own.n0, n, alpha, targets)
    )
    model = replace(HEADER.model, **{k: changed.pop(k) for k in _OF_MODEL if k in changed})
    return replace(HEADER, procedure=procedure, model=model, **changed)


def figures(
    radii: Sequence[float] | Sequence[Row],
    at: Sequence[float] = (0.0, 0.5),
    status: str = "complete",
    **changed: Any,
) -> Figures:
    """A run with these radii, or these rows, and a header of which some fields are changed."""
    rows = tuple(one if isinstance(one, Row) else row(i, one) for i, one in enumerate(radii))
    own = changed_header(**changed)
    stated = dataset_statements(rows, at, alpha=own.procedure.alpha, shared_noise=own.shared)
    return Figures(own, status, summarize(rows, at), stated, rows)


def named(name: str, run: Figures) -> Figures:
    """A run of a file of this name."""
    return replace(run, path=name)


@dataclass(frozen=True)
class Line:
    """A line of somebody's log."""

    label: int | None
    prediction: int
    radius: float

    @property
    def abstained(self) -> bool:
        return self.prediction == ABSTAIN

    @property
    def correct(self) -> bool:
        return not self.abstained and self.prediction == self.label
