"""Prove on inputs what a graph cannot show: one vector of scores a row, the same in every batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsonnx.errors import InferenceError, ModelError, RsonnxError
from rsonnx.model.inputs import Input
from rsonnx.model.proof import check_scores

Runner = Callable[[NDArray[np.float32]], NDArray[Any]]
"""Runs a batch, float32 (batch, \\*shape), and returns its scores, (batch, classes)."""

_ROWS = 8
_FEWER_ROWS = 5
"""A second batch size: a reshape to 8 rows, hard-coded, runs on the 8 probe rows and on no other
number, so a free batch is proved on both."""

_TOLERANCE = 1e-4
"""Largest difference of a score between batches, relative to itself or to the two largest scores of
its row, whichever is most. Kernels sum in another order in another batch, which costs about
1e-6; coupled rows differ by 1e-3 and more. The largest score of all would not do as the measure:
beside one masked class at -1e9 every coupling would pass."""


@dataclass(frozen=True)
class Batching:
    """How a model may be run.

    Attributes:
        size: the only batch size that may be used, None where any may.
        num_classes: scores an input.
        why: a phrase for the run's header.
        rewrite: which of the rewrites with a free batch size is used; None for none of them.
    """

    size: int | None
    num_classes: int
    why: str
    rewrite: int | None = None


def probe_rows(data: Input, bounds: tuple[float, float]) -> NDArray[np.float32]:
    """Return the probe inputs: uniform noise of several strengths within the bounds."""
    low, high = (b if np.isfinite(b) else s for b, s in zip(bounds, (-1.0, 1.0), strict=True))
    generator = np.random.default_rng(20190208)  # any fixed seed: these are no samples of a run
    unit = generator.random((_ROWS, *data.shape))
    strength = np.linspace(0.05, 1.0, _ROWS).reshape(-1, *[1] * len(data.shape))
    return np.asarray(low + (high - low) * unit * strength, np.float32)


def prove_batching(
    path: str,
    data: Input,
    rows: NDArray[np.float32],
    *,
    as_filed: Runner,
    freed: Sequence[Runner],
    coupling: str | None,
    kind: str = "scores",
) -> Batching:
    """Find a way of batching under which a row's scores do not depend on the other rows.

    Args:
        path: the model's file, for messages.
        data: the model's input.
        rows: probe inputs, (8, \\*shape).
        as_filed: runs the model at the batch size that its file fixes.
        freed: rewrites of the model with a free batch size in place of a fixed one, simplest first;
            empty where the file leaves it free. Each is used only if it gives the same scores.
        coupling: the operator that is known to couple rows, if any.
        kind: ``"label"`` where the scores are a column of labels, ``"score"`` where they are a
            threshold and one score.

    Raises:
        ModelError: the model does not run, is random, gives no scores, or couples rows at the only
            batch size at which it runs.
    """
    fixed = data.batch
    try:
        alone = _one_by_one(as_filed, rows, fixed or 1, path)
    except InferenceError as error:
        raise ModelError(
            f"{path} does not run on inputs of shape {list(data.shape)} at batch size "
            f"{fixed or 1} ({error}); try it in onnxruntime and export it again"
        ) from None
    check_scores(path, alone, kind)
    classes = alone.shape[1]
    if not _agree(alone, _one_by_one(as_filed, rows, fixed or 1, path)):
        raise ModelError(
            f"{path} gave different scores for the same input twice, but a certificate needs a "
            "deterministic classifier; look for random operators"
        )
    if (
        fixed is not None
        and fixed > 1
        and (coupling or _depends_on_rest(as_filed, rows, alone, fixed))
    ):
        raise ModelError(
            f"{path} runs only at batch size {fixed}, and a row's scores depend on the other rows"
            f"{f' ({coupling})' if coupling else ''}; export it with a batch size of 1"
        )
    if coupling:
        return Batching(1, classes, f"1, since {coupling} couples the rows of a batch")
    if fixed is None:
        if _is_free(as_filed, rows, alone):
            return Batching(None, classes, "any, as the file declares")
        return Batching(1, classes, "1, since larger batches fail or change a row's scores")
    for index, run in enumerate(freed):
        if _is_free(run, rows, alone):
            return Batching(None, classes, f"any; the file's {fixed} was freed", index)
    return Batching(fixed, classes, f"{fixed}, as the file fixes it")


def _is_free(run: Runner, rows: NDArray[np.float32], alone: NDArray[Any]) -> bool:
    """Return whether batches of several sizes give each row the scores that it has alone."""
    return all(
        (scores := _try(run, rows[:size])) is not None and _agree(scores, alone[:size])
        for size in (_ROWS, _FEWER_ROWS)
    )


def _one_by_one(run: Runner, rows: NDArray[np.float32], batch: int, path: str) -> NDArray[Any]:
    """Return each row's scores from a batch that holds nothing but copies of it."""
    found = []
    for row in rows:
        scores = run(np.repeat(row[None], batch, axis=0))
        if len(scores) != batch:
            raise ModelError(
                f"{path} gives {len(scores)} answers to a batch of {batch}, but one answer an "
                "input is needed; it is no classifier, or its first axis is no batch axis"
            )
        found.append(scores[:1])
    return np.concatenate(found)


def _depends_on_rest(
    run: Runner, rows: NDArray[np.float32], alone: NDArray[Any], batch: int
) -> bool:
    """Return whether a row's scores change with its companions in a batch of fixed size."""
    together = _try(run, np.resize(rows, (batch, *rows.shape[1:])))
    most = min(batch, len(rows))
    return together is None or not _agree(together[:most], alone[:most])


def _try(run: Runner, rows: NDArray[np.float32]) -> NDArray[Any] | None:
    try:
        return run(rows)
    except RsonnxError:
        return None


def _agree(a: NDArray[Any], b: NDArray[Any]) -> bool:
    """Return whether two arrays of scores, (rows, classes), are the same but for rounding."""
    if a.shape != b.shape:
        return False
    size = np.where(np.isfinite(a), np.abs(a, dtype=np.float64), 0.0)
    top = np.argsort(np.where(np.isfinite(a), a, -np.inf), axis=1)[:, -2:]
    at_top = np.take_along_axis(size, top, axis=1).max(axis=1, keepdims=True, initial=0.0)
    return np.allclose(a, b, rtol=0.0, atol=_TOLERANCE * np.maximum(size, at_top), equal_nan=True)
