"""What the proof of independent rows buys, and what watching costs, model by model.

    python tools/bench_rows.py DIR [--rounds 5] [--seconds 0.3] [--only TEXT] [--json FILE]

DIR holds third-party models with their ``catalogue.json``, as for ``check_models.py``, or ONNX
files alone. For each classifier one line: whether its rows are proved to be independent, else what
stopped the proof, and η: noisy, counted samples a second over those of the model's own session on
one ready batch, with as many threads. η is measured for the model as it runs, one row at a time,
and in batches that are watched; all take turns in one process.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from bench_eta import run_batches
from bench_timing import Spread, circumstances, ratios, take_turns, usable_cores
from check_models import OPTIONS, preprocessing_text, with_input_shape

from rsonnx.errors import RsonnxError
from rsonnx.runtime import OnnxClassifier
from rsonnx.smoothing import SmoothedClassifier, load

_SIGMA, _SEED = 0.25, 1
_FEWEST = 1024
"""Samples of a round at least, in which one is watched."""


@dataclass(frozen=True)
class Line:
    """What was found of one classifier.

    Attributes:
        model: its file.
        rows: ``"proved"``, or ``"alone"`` with ``why``; ``"refused"`` with the reason.
        why: the run header's phrase.
        eta: as it runs by default.
        alone: η of one row at a time; None where that is the default.
        watched: η in watched batches over η in the same batches unwatched; None without a proof.
    """

    model: str
    rows: str
    why: str
    eta: Spread | None = None
    alone: Spread | None = None
    watched: Spread | None = None

    def text(self) -> str:
        """Return the line of a Markdown table."""
        figures = [
            "" if one is None else one.text(".3f") for one in (self.eta, self.alone, self.watched)
        ]
        return "| " + " | ".join([self.model, self.rows, self.why, *figures]) + " |"


def measured(model: OnnxClassifier, name: str, rounds: int, seconds: float) -> Line:
    """Let the model run as it is, alone, watched, and bare, in turns."""
    threads = usable_cores()
    batch = SmoothedClassifier(model, _SIGMA).batch_size or 1
    low, high = (b if np.isfinite(b) else s for b, s in zip(model.bounds, (-1, 1), strict=True))
    middle = np.full(model.shape, (low + high) / 2)
    ready = np.random.default_rng(_SEED).normal(0.5, _SIGMA, (batch, *model.shape))
    ready = (low + (high - low) * ready).astype(np.float32)
    begun = time.perf_counter()
    model.classify(ready)
    one = (time.perf_counter() - begun) / batch
    batches = max(threads, round(max(_FEWEST, seconds * threads / one) / batch))

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

    proved = model.rows == "proved"
    runs = {"bare": bare, "alone": count("alone")}
    runs |= {"proved": count("proved"), "watched": count("watched")} if proved else {}
    with ThreadPoolExecutor(threads) as pool:
        times = take_turns(runs, rounds)
    eta = {key: ratios(times["bare"], found) for key, found in times.items()}
    return Line(
        name,
        model.rows,
        model.facts["batch"],
        eta["proved" if proved else "alone"],
        eta["alone"] if proved else None,
        ratios(times["proved"], times["watched"]) if proved else None,
    )


def classifiers(folder: Path, only: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the classifiers of a folder, with the options that each needs."""
    catalogue = folder / "catalogue.json"
    if not catalogue.exists():
        yield from ((path, {}) for path in sorted(folder.glob(f"*{only}*.onnx")))
        return
    for entry in sorted(json.loads(catalogue.read_text("utf-8")), key=lambda e: str(e["file"])):
        if entry["role"] != "classifier" or only not in entry["file"]:
            continue
        options = next((dict(o) for part, o in OPTIONS.items() if part in entry["file"]), {})
        options = {key: options[key] for key in options if key not in ("data", "stated")}
        if entry.get("clean_accuracy") is not None:
            stated = entry["clean_accuracy"]["preprocessing"]
            options["preprocess"], _ = preprocessing_text(stated)
        options.setdefault("preprocess", "none")
        path = folder / entry["file"]
        yield path, with_input_shape(path, options)


def main() -> None:
    """Measure every classifier and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3, help="of a round, at least")
    parser.add_argument("--only", default="", help="models whose name holds this text")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    print("| model | rows | batch | η | η alone | watched / unwatched |\n|---|---|---|---|---|---|")
    lines = []
    for path, options in classifiers(arguments.folder, arguments.only):
        try:
            model = load(path, **options, providers=["cpu"])
            line = measured(model, path.stem, arguments.rounds, arguments.seconds)
        except RsonnxError as error:
            line = Line(path.stem, "refused", str(error).replace(str(path), path.name))
        lines.append(line)
        print(line.text(), flush=True)
    proved = sum(line.rows == "proved" for line in lines)
    print(f"\nproved: {proved} of {len(lines)}")
    if arguments.json is not None:
        found = circumstances() | {"models": [asdict(line) for line in lines]}
        arguments.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
