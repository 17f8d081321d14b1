"""How near runs of few samples an input come to bare inference, decisions and disk included."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

import rsonnx
from benching.efficiency import SEED, bare_call, bare_session, run_batches
from benching.subjects import SAMPLES, prepare
from benching.turns import Record, Spread
from rsonnx.data import open_dataset
from rsonnx.listener import Listener

_BATCH = 128
_BARE_BATCHES = 512
RULES: dict[str, dict[str, Any]] = {
    "predict": {},
    "certify": {"n0": 100},
    "adaptive": {"n0": 100, "target_radii": 0.25},
}


def measure_few(given: argparse.Namespace) -> Iterator[Record]:
    """Let runs on MNIST's test images, repeated, and the bare session take turns.

    The bare rate of a round is that before the run and behind it, whose geometric mean is taken.

    Yields:
        ``what``, its ``inputs`` and ``samples``, the input without noise being one, ``seconds``
        from the first sample on, and the samples a second as shares of those of the bare session,
        of the ``wall`` and of the ``processor``, which other work on the machine changes less.
    """
    images = open_dataset(SAMPLES / "mnist_test_500")
    values = np.stack([images[index].values for index in range(len(images))])
    times = -(-given.inputs // len(values))
    data = tuple(
        np.concatenate([array] * times)[: given.inputs]
        for array in (values, np.array(images.labels))
    )
    subject = prepare("mnist", Path())
    rows = subject.normalised(subject.noisy(_BATCH))
    call = bare_call(bare_session(subject, "cpu"), rows, None)
    for what in RULES:
        _run(subject.path, data, what, given.n)
        taken = [_round(call, subject.path, data, what, given) for _ in range(given.rounds)]
        walls, processors, seconds, samples = zip(*taken, strict=True)
        yield {
            "what": what,
            "n": given.n,
            "inputs": given.inputs,
            "samples": samples[0],
            "seconds": Spread.of(seconds),
            "wall": Spread.of(walls),
            "processor": Spread.of(processors),
        }


def _round(
    call: Callable[[], object], model: Path, data: Any, what: str, given: argparse.Namespace
) -> tuple[float, float, float, int]:
    before = _bare(call, given.workers)
    heard = _run(model, data, what, given.n)
    behind = _bare(call, given.workers)
    bare = np.sqrt(np.array(before) * np.array(behind))
    wall, processor = heard.samples / np.array([heard.wall, heard.processor]) / bare
    return float(wall), float(processor), heard.wall, heard.samples


def _bare(call: Callable[[], object], workers: int) -> tuple[float, float]:
    """Return samples a second of the wall, and of the processor."""
    with ThreadPoolExecutor(workers) as pool:
        processor, wall = time.process_time(), time.perf_counter()
        run_batches(pool, workers, _BARE_BATCHES, call)
        samples = _BARE_BATCHES * _BATCH
        return samples / (time.perf_counter() - wall), samples / (time.process_time() - processor)


class _Clock(Listener):
    """Takes the time from the first sample on."""

    samples = 0

    def begun(self, extent: object) -> None:
        del extent
        self._wall, self._processor = time.perf_counter(), time.process_time()

    def drawn(self, samples: int) -> None:
        self.samples += samples

    def stop(self) -> None:
        self.wall = time.perf_counter() - self._wall
        self.processor = time.process_time() - self._processor


def _run(model: Path, data: Any, what: str, n: int) -> _Clock:
    clock, rules = _Clock(), {"sigma": 0.5, "n": n, "seed": SEED, **RULES[what]}
    with tempfile.TemporaryDirectory() as folder:
        if what == "predict":
            rsonnx.runs.predict(model, data, listener=clock, **rules)
        else:
            output = Path(folder) / "run.jsonl"
            rsonnx.certify(model, data, output=output, listener=clock, **rules)
        clock.stop()
    return clock
