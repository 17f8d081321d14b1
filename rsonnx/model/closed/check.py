"""Hold a closed form against the model that it was read from: the labels of chosen inputs."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np
from numpy.typing import NDArray

from rsonnx.closed_form import UNDECIDED, Boxes, Form, Linear
from rsonnx.errors import ModelError

_ROWS = 4096
_BESIDE = np.array([-np.inf, np.nan, np.inf], np.float32)
"""To which side of a cut a value is put; NaN puts it on the cut."""

_NEAR = 16
"""By how many times its rounding a linear score is brought near the others."""


def check_form(
    form: Form,
    classify: Callable[[NDArray[np.float32]], NDArray[np.int64]],
    rows: NDArray[np.float32],
    fixed: Collection[int] = (),
) -> None:
    """Refuse a form whose label of an input is not the model's.

    The inputs are the given ones, these with values at cuts and one float32 number beside them, or
    brought near to where a linear score decides. An input that the form leaves undecided is passed
    over. What is not found here cannot be excluded: probes refute, and never prove.

    Args:
        form: as it was read.
        classify: gives the model's label of each input of a batch.
        rows: inputs of the model, (rows, \\*shape).
        fixed: places of the flat input that stay as they are.

    Raises:
        ModelError: a label differs.
    """
    flat = rows.reshape(len(rows), -1)
    generator = np.random.default_rng(20220588)  # any fixed seed: these are no samples of a run
    chosen = flat[generator.integers(len(flat), size=_ROWS)]
    near = _near_planes if isinstance(form, Linear) else _at_cuts
    moved = near(form, chosen, generator)  # type: ignore[arg-type]
    kept = list(fixed)
    moved[:, kept] = chosen[:, kept]
    probes = np.concatenate([flat, moved])
    labels = form.labels(probes)
    answers = classify(probes.reshape(-1, *rows.shape[1:]))
    wrong = (labels != UNDECIDED) & (labels != answers)
    if wrong.any():
        first = int(wrong.argmax())
        raise ModelError(
            f"the model answers {answers[first]} where its closed form gives {labels[first]}, on "
            f"{wrong.sum()} of {len(probes)} probes; leave out --procedure exact to sample instead"
        )


def _at_cuts(
    form: Form, rows: NDArray[np.float32], generator: np.random.Generator
) -> NDArray[np.float32]:
    """Put about half of the values that are cut on a cut, or beside it."""
    probes = rows.copy()
    for cuts in form.cuts if isinstance(form, Boxes) else form.splits:  # type: ignore[union-attr]
        values = cuts.cuts.astype(np.float32)[generator.integers(len(cuts.cuts), size=len(rows))]
        beside = _BESIDE[generator.integers(len(_BESIDE), size=len(rows))]
        moved = np.where(np.isnan(beside), values, np.nextafter(values, beside))
        taken = generator.random(len(rows)) < 0.5
        probes[taken, cuts.at] = moved[taken]
    return probes


def _near_planes(
    form: Linear, rows: NDArray[np.float32], generator: np.random.Generator
) -> NDArray[np.float32]:
    """Move inputs to where two scores, or one and its threshold, are some roundings apart."""
    weights, intercepts = form.weights, form.intercepts - form.decision.threshold
    if len(weights) > 1:
        pairs = generator.permuted(np.tile(np.arange(len(weights)), (len(rows), 1)), axis=1)[:, :2]
        normals = weights[pairs[:, 0]] - weights[pairs[:, 1]]
        offsets = intercepts[pairs[:, 0]] - intercepts[pairs[:, 1]]
    else:
        normals, offsets = np.tile(weights, (len(rows), 1)), np.repeat(intercepts, len(rows))
    values = rows.astype(np.float64)
    scores = (normals * values).sum(axis=1) + offsets
    rounding = (np.abs(values) @ form.rounding.T).max(axis=1) + form.decision.slack.max()
    wanted = rounding * generator.uniform(-_NEAR, _NEAR, len(rows))
    squares = np.maximum((normals**2).sum(axis=1), np.finfo(float).tiny)
    moved: NDArray[np.float32] = (values - ((scores - wanted) / squares)[:, None] * normals).astype(
        np.float32
    )
    return moved
