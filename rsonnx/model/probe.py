"""How a model may be batched: as its graph proves it, and as it is seen to run on probe inputs.

Probes can refute that the rows of a batch are independent and never prove it (a model may couple
them for rare inputs only): what the graph does not prove runs alone, or in batches that are watched
where the caller asks for that assumption.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from rsonnx.errors import InferenceError, ModelError, RsonnxError, TimeLimitError
from rsonnx.model.answers import check_scores
from rsonnx.model.file import ModelFile
from rsonnx.model.graph import tensors
from rsonnx.model.inputs import Input

Runner = Callable[[NDArray[np.float32]], NDArray[Any]]
"""Runs a batch, float32 (batch, \\*shape), and returns its scores, (batch, classes)."""

Rows = Literal["proved", "alone", "watched"]
"""Why a row's answer does not depend on its batch: the graph shows it; it has no companions but
copies of itself; or it is assumed, and a share of the rows is computed again alone."""

_ROWS = 8
_BEYOND = 4
"""Probe rows outside the bounds, where noise will lead."""

_FEWER_ROWS = 5
"""A second batch size: a reshape to all rows, hard-coded, runs on the probe rows and on no other
number, so a free batch is tried in both."""

PROBES = 2 * _ROWS + _BEYOND + (_ROWS + _BEYOND) + _FEWER_ROWS + _ROWS
"""Inputs at most that a model is given to find out how it runs and what it answers."""

_TOLERANCE = 1e-4
_ROUNDINGS = 8
"""In units of the last place of the largest score."""


@dataclass(frozen=True)
class Tolerance:
    """How far rounding may move the scores of a row when its batch is another.

    Kernels sum in another order in another batch, which costs about 1e-6 of what they sum. Scores
    matter by their distance to the row's own largest, so that is what is compared: a common offset
    of all scores would hide any coupling behind a tolerance relative to them, and so would one
    masked class at -1e9. The distance may move by 1e-4 of itself and of the usual distance between
    the two largest scores, and by the rounding of the scores themselves.

    Attributes:
        usual_gap: the median over rows of the distance between the two largest scores.
        unit: relative rounding of a score as it is computed.
    """

    usual_gap: float
    unit: float

    @classmethod
    def of(cls, scores: NDArray[Any], unit: float) -> Tolerance:
        """Return the tolerance for a model that gave these scores, (rows, classes)."""
        gaps = np.sort(_gaps(scores)[0], axis=1)[:, 1:2]
        gaps = gaps[np.isfinite(gaps)]
        return cls(float(np.median(gaps)) if gaps.size else 0.0, unit)

    def agree(self, alone: NDArray[Any], together: NDArray[Any]) -> bool:
        """Return whether two arrays of scores, (rows, classes), are the same but for rounding."""
        if alone.shape != together.shape:
            return False
        if alone.shape[1:] == (1,):  # a column of labels, of which none is nearly another
            return np.array_equal(alone, together)
        finite = np.isfinite(alone)
        if not np.array_equal(alone[~finite], together[~finite], equal_nan=True):
            return False
        (gaps, largest), (others, _) = (_gaps(scores) for scores in (alone, together))
        with np.errstate(invalid="ignore"):
            near = np.abs(gaps - others) <= self._most_moved(gaps, np.abs(largest), self.unit)
        return bool(near[finite].all())

    def near_ties(self, scores: NDArray[Any], unit: float = 0.0) -> NDArray[np.bool_]:
        """Return for each row whether rounding may give it another class, bool (rows,).

        It may where the two largest scores are no further apart than rounding moves them; one near
        0 is a sum of larger numbers, so it moves as one of the usual distance does. A row that is
        no class (NaN, or an infinite largest score) is none by more than rounding.

        Args:
            scores: (rows, classes); a column of labels has no near ties.
            unit: relative rounding of a session that computes more coarsely than the model says.
        """
        if scores.shape[1:] == (1,):
            return np.zeros(len(scores), np.bool_)
        gaps, largest = _gaps(scores)
        second = np.sort(gaps, axis=1)[:, 1:2]
        size = np.maximum(np.abs(largest), self.usual_gap)
        near = second <= self._most_moved(second, size, max(unit, self.unit))
        is_class = ~(np.isnan(scores) | np.isposinf(scores)).any(axis=1)
        return np.asarray((near & np.isfinite(second))[:, 0] & is_class)

    def _most_moved(
        self, gaps: NDArray[np.float64], size: NDArray[np.float64], unit: float
    ) -> NDArray[np.float64]:
        """Return how far rounding moves scores of a size that are so far below the largest."""
        return _TOLERANCE * (gaps + self.usual_gap) + size * unit * _ROUNDINGS


def _gaps(scores: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how far each score is below the largest finite one of its row, and that one.

    What is not finite is infinitely far below, and the largest of none is 0, (rows, 1).
    """
    finite = np.isfinite(scores)
    known = np.where(finite, scores, -np.inf).astype(np.float64)
    largest = known.max(axis=1, keepdims=True, initial=-np.inf)
    largest = np.where(np.isfinite(largest), largest, 0.0)
    return np.where(finite, largest - known, np.inf), largest


@dataclass(frozen=True)
class Batched:
    """A model with a free batch size, as its file has it or rewritten.

    Attributes:
        run: runs it.
        coupled_by: what stopped the proof that its rows are independent; None where it is proved.
    """

    run: Runner
    coupled_by: str | None


@dataclass(frozen=True)
class Batching:
    """How a model may be run.

    Attributes:
        size: the only batch size that may be used, None where any may.
        rows: why a row's answer does not depend on its batch.
        num_classes: scores an input.
        why: a phrase for the run's header.
        tolerance: of scores that were computed in another batch.
        chosen: which of the models with a free batch size is used; None for none of them.
    """

    size: int | None
    rows: Rows
    num_classes: int
    why: str
    tolerance: Tolerance
    chosen: int | None = None


def rounding_unit(model: ModelFile) -> float:
    """Return the relative rounding of what a model computes, by the shortest of its weights."""
    kinds = {tensor.data_type for tensor in tensors(model.proto)}
    if TensorProto.BFLOAT16 in kinds:
        return 2.0**-7
    return 2.0**-10 if TensorProto.FLOAT16 in kinds else 2.0**-23


def probe_rows(data: Input, bounds: tuple[float, float]) -> NDArray[np.float32]:
    """Return the probe inputs: uniform noise of several strengths within the bounds."""
    # Any fixed seed: these are no samples of a run.
    unit = np.random.default_rng(20190208).random((_ROWS, *data.shape))
    strength = np.linspace(0.05, 1.0, _ROWS).reshape(-1, *[1] * len(data.shape))
    return _between(bounds, unit * strength, data)


def rows_beyond(data: Input, bounds: tuple[float, float]) -> NDArray[np.float32]:
    """Return probe inputs up to the width of the bounds outside of them, where noise will lead."""
    unit = np.random.default_rng(20180208).random((_BEYOND, *data.shape))
    return _between(bounds, 3 * unit - 1, data)


def _between(bounds: tuple[float, float], unit: NDArray[Any], data: Input) -> NDArray[np.float32]:
    """Return rows between the bounds, fixed columns at a value that the data have."""
    low, high = (b if np.isfinite(b) else s for b, s in zip(bounds, (-1.0, 1.0), strict=True))
    rows = np.asarray(low + (high - low) * unit, np.float32)
    for at, column in enumerate(data.columns):
        if column.fixed:
            rows.reshape(len(rows), -1)[:, at] = column.first
    return rows


def choose_batching(
    path: str,
    data: Input,
    rows: NDArray[np.float32],
    *,
    as_filed: Runner,
    batched: Sequence[Batched],
    watch: bool = False,
    coupling: str | None = None,
    kind: str = "scores",
    unit: float = float(np.finfo(np.float32).eps),
    beyond: NDArray[np.float32] | None = None,
) -> Batching:
    """Find a way of batching under which a row's answer is a function of that row.

    Args:
        path: the model's file, for messages.
        data: the model's input.
        rows: probe inputs, (8, \\*shape).
        as_filed: runs the model at the batch size that its file fixes.
        batched: the model with a free batch size: as it is, or rewrites, simplest first. Each is
            used only if it gives the same scores.
        watch: whether rows that are not proved to be independent may be batched all the same.
        coupling: the operator that is known to couple rows, if any.
        kind: ``"label"`` where the scores are a column of labels, ``"score"`` where they are a
            threshold and one score.
        unit: relative rounding of a score as it is computed.
        beyond: further probe inputs; those on which the model fails are left out.

    Raises:
        ModelError: the model does not run, is random, gives no scores, or answers copies of one
            input differently.
        TimeLimitError: it takes too long for a probe input.
    """
    copies = data.batch or 1
    try:
        alone = _one_by_one(as_filed, rows, copies, path)
    except TimeLimitError:
        raise
    except InferenceError as error:
        raise ModelError(
            f"{path} does not run on inputs of shape {list(data.shape)} at batch size "
            f"{copies} ({error}); try it in onnxruntime and export it again"
        ) from None
    check_scores(path, alone, kind)
    tolerance = Tolerance(0.0, 0.0) if kind == "label" else Tolerance.of(alone, unit)

    def repeat() -> None:
        if not tolerance.agree(alone[:_ROWS], _one_by_one(as_filed, rows[:_ROWS], copies, path)):
            raise ModelError(
                f"{path} gave different scores for the same input twice, but a certificate needs a "
                "deterministic classifier; look for random operators"
            )

    if copies > 1:
        repeat()
    for row, scores in zip(rows, alone, strict=True) if copies > 1 else ():
        several = as_filed(np.repeat(row[None], copies, axis=0))
        if not tolerance.agree(np.repeat(scores[None], copies, axis=0), several):
            raise ModelError(
                f"{path} runs only at batch size {copies}, and answers copies of one input "
                "differently by their place; export it with a batch size of 1"
            )
    for row in () if beyond is None else beyond:
        further = _try(as_filed, np.repeat(row[None], copies, axis=0))
        if further is not None:
            rows, alone = np.concatenate([rows, row[None]]), np.concatenate([alone, further[:1]])
    classes = alone.shape[1]
    why = None if coupling is None else f"{coupling} couples the rows of a batch"
    for index, candidate in enumerate(batched):
        proved = candidate.coupled_by is None
        if coupling is not None or not (proved or watch):
            why = why or f"{candidate.coupled_by} may couple the rows of a batch"
        elif _is_free(candidate.run, rows, alone, tolerance):
            how = "as the file declares" if data.batch is None else f"the file's {copies} was freed"
            kind_of_rows: Rows = "proved" if proved else "watched"
            return Batching(None, kind_of_rows, classes, f"any; {how}", tolerance, index)
        else:
            why = "larger batches fail or change a row's scores"
    if copies == 1:  # a free batch that was taken gave each row what it was given before
        repeat()
    size = "1" if copies == 1 else f"{copies} copies of one input"
    why = f"{size}, since {why or 'the file fixes it'}"
    return Batching(copies, "alone", classes, why, tolerance)


def _is_free(
    run: Runner, rows: NDArray[np.float32], alone: NDArray[Any], tolerance: Tolerance
) -> bool:
    """Return whether batches of several sizes give each row the scores that it has alone."""
    return all(
        (scores := _try(run, rows[-size:])) is not None and tolerance.agree(alone[-size:], scores)
        for size in (len(rows), _FEWER_ROWS)
    )


def _one_by_one(run: Runner, rows: NDArray[np.float32], batch: int, path: str) -> NDArray[Any]:
    """Return each row's scores from a batch that holds nothing but copies of it."""
    alone = []
    for row in rows:
        scores = run(np.repeat(row[None], batch, axis=0))
        if len(scores) != batch:
            raise ModelError(
                f"{path} gives {len(scores)} answers to a batch of {batch}, but one an input is "
                "needed; it is no classifier, or its first axis is no batch axis"
            )
        alone.append(scores[:1])
    return np.concatenate(alone)


def _try(run: Runner, rows: NDArray[np.float32]) -> NDArray[Any] | None:
    try:
        return run(rows)
    except TimeLimitError:
        raise
    except RsonnxError:
        return None
