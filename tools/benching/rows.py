"""What the proof of independent rows buys, and what watching costs, model by model."""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from checking.catalogue import entries

from benching.efficiency import run_batches
from benching.turns import Record, ratios, take_turns, usable_cores
from rsonnx.errors import RsonnxError
from rsonnx.runtime import OnnxClassifier
from rsonnx.smoothing import SmoothedClassifier, load

_SIGMA, _SEED = 0.25, 1
_FEWEST = 1024
"""Samples of a round at least, in which one is watched."""


def measure_rows(arguments: argparse.Namespace) -> Iterator[Record]:
    """Measure η of every classifier of a folder: samples a second over its own session's.

    Yields:
        ``rows``: ``"proved"`` to be independent, or ``"alone"`` with the phrase of the run header,
        or ``"refused"``; ``eta`` as it runs by default; ``alone`` one row at a time, None where
        that is the default; and ``watched`` batches over unwatched ones, None without a proof.
    """
    for entry in entries(arguments.folder, arguments.only):
        if not entry.is_classifier:
            continue
        record: Record = {"model": entry.path.stem, "eta": None, "alone": None, "watched": None}
        try:
            model = load(entry.path, **entry.options(), providers=["cpu"])
            record |= {"rows": model.rows, "batch": model.facts["batch"]}
            yield record | _measured(model, arguments.rounds, arguments.seconds)
        except RsonnxError as error:
            yield record | {"rows": "refused", "batch": entry.without_folder(error)}


def _measured(model: OnnxClassifier, rounds: int, seconds: float) -> Record:
    """Let the model run as it is, alone, watched, and bare, in turns."""
    threads = usable_cores()
    batch = SmoothedClassifier(model, _SIGMA).batch_size or 1
    low, high = (b if np.isfinite(b) else s for b, s in zip(model.bounds, (-1, 1), strict=True))
    middle = np.full(model.shape, (low + high) / 2)
    ready = np.random.default_rng(_SEED).normal(0.5, _SIGMA, (batch, *model.shape))
    ready = (low + (high - low) * ready).astype(np.float32)
    begun = time.perf_counter()
    model.classify(ready)
    each = (time.perf_counter() - begun) / batch
    batches = max(threads, round(max(_FEWEST, seconds * threads / each) / batch))

    def count(rows: str) -> Callable[[], object]:
        twin = copy.copy(model)
        twin.rows = rows  # type: ignore[assignment]
        twin.batch_size = 1 if rows == "alone" else None
        smoothed = SmoothedClassifier(twin, _SIGMA * (high - low), batch_size=batch)
        return lambda: smoothed.sample_counts(
            middle, 0, batches * batch, stage="estimation", seed=_SEED
        )

    def bare() -> None:
        if model.batch_size is None:
            run_batches(pool, threads, batches, lambda: model.classify(ready))
        else:
            run_batches(pool, threads, batches * batch, lambda: model.classify(ready[:1]))

    runs = {"bare": bare, "alone": count("alone")}
    if model.rows == "proved":
        runs |= {"proved": count("proved"), "watched": count("watched")}
    with ThreadPoolExecutor(threads) as pool:
        times = take_turns(runs, rounds)
    alone = ratios(times["bare"], times["alone"])
    if model.rows != "proved":
        return {"eta": alone}
    return {
        "eta": ratios(times["bare"], times["proved"]),
        "alone": alone,
        "watched": ratios(times["proved"], times["watched"]),
    }
