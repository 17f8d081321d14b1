"""How the time and the memory of the commands grow with the inputs of a run.

Each is measured in a fresh process. Its time is that of the processor, user and system together,
which other work on the machine hardly changes.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import numpy as np

import rsonnx
from benching.growth import resident
from benching.subjects import SAMPLES
from benching.turns import Record
from rsonnx import cli
from rsonnx.counts import Counts
from rsonnx.listener import Listener
from rsonnx.procedures import Certificate, Procedure, Task
from rsonnx.runs import Row, RunWriter, manifest_digest

_MODEL = SAMPLES / "mnist_gaussian_0.50.onnx"
PROCEDURES: dict[str, dict[str, float]] = {"fixed n": {}, "adaptive": {"target_radii": 0.5}}


def measure_inputs(given: argparse.Namespace) -> Iterator[Record]:
    """Measure `report`, `verify` and `merge` of runs, and `certify` up to its first certificate.

    Yields:
        ``what`` command of which run, its ``inputs``, ``seconds`` of the processor and
        ``mebibytes`` at the peak.
    """
    sizes = [given.most // 4, given.most // 2, given.most]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run, merged, data = (folder / name for name in ("run.jsonl", "merged.jsonl", "images.npz"))
        for procedure, options in PROCEDURES.items():
            for inputs in sizes:
                write_run(run, inputs, **options)
                for words in (("report", run), ("verify", run), ("merge", run, "-o", merged)):
                    yield measured(f"{words[0]}, {procedure}", inputs, command, *words)
                run.unlink()
                merged.unlink()
        for inputs in sizes:
            write_images(data, inputs)
            yield measured("certify, to the first certificate", inputs, _first_certificate, data)


def measured(what: str, inputs: int, call: Callable[..., None], *arguments: object) -> Record:
    """Call a function of this module in a fresh process, and return what that took."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        seconds, mebibytes = pool.apply(_used, (call, arguments))
    return {"what": what, "inputs": inputs, "seconds": seconds, "mebibytes": mebibytes}


def _used(call: Callable[..., None], arguments: tuple[object, ...]) -> tuple[float, float]:
    call(*arguments)
    return sum(os.times()[:4]), resident("VmHWM")


def command(*words: object) -> None:
    """Run a command in this process, which must succeed."""
    sys.argv = ["rsonnx", *map(str, words)]
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            cli.main()
    except SystemExit as ended:
        if ended.code:  # which a pool does not hand on
            raise RuntimeError(said.getvalue()) from None


def _first_certificate(data: Path) -> None:
    with contextlib.suppress(_CertifiedError):
        rsonnx.certify(_MODEL, data, sigma=0.5, n=1000, listener=_Impatient())


class _CertifiedError(Exception):
    """There is a first certificate."""


class _Impatient(Listener):
    def finished(self, result: object, *, certified: bool) -> None:
        del result, certified
        raise _CertifiedError


def write_run(path: Path, inputs: int, **options: float) -> None:
    """Write a complete run of the MNIST model whose counts are drawn, not sampled of it.

    Args:
        path: of the file, which must not exist.
        inputs: how many.
        options: of :func:`rsonnx.certify`, beside sigma = 0.5, n0 = 100, n = 100,000.
    """
    chance = np.random.default_rng(0)
    image = np.full((1, 28, 28), 200, np.uint8), np.zeros(1, np.int64)
    made = rsonnx.certify(_MODEL, image, sigma=0.5, seed=0, **cast(Any, options))
    rows = []
    for index in range(inputs):
        certificate = _drawn(made.header.procedure, chance)
        digest = sha256(str(index).encode()).hexdigest()
        rows.append(
            Row.of(certificate, replace(made.rows[0], index=index, name=str(index), digest=digest))
        )
    sizes = {"size": inputs, "inputs": inputs, "manifest": manifest_digest(rows)}
    header = made.header.changed(data={**made.header.record["data"], **sizes})
    with RunWriter(path, header.to_json()) as writer:
        writer.write_all(rows)


def _drawn(procedure: Procedure, chance: np.random.Generator) -> Certificate:
    """Go through the steps of a procedure with a classifier that answers class 0 or 1 by chance."""
    share = float(chance.choice([chance.uniform(0.3, 1), chance.uniform(0.9, 1), 0.9995]))
    steps = procedure.steps(Task(cast(Any, None), 0, cast(Any, None)))  # none looks at the input
    asks = next(steps)
    try:
        while True:
            lengths = [ask.stop - ask.start for ask in asks]
            hits = [int(chance.binomial(length, share)) for length in lengths]
            pairs = zip(hits, lengths, strict=True)
            asks = steps.send([Counts([hit, length - hit]) for hit, length in pairs])
    except StopIteration as stop:
        return cast(Certificate, stop.value)


def write_images(path: Path, inputs: int) -> None:
    """Write so many pictures of 28x28 levels, with labels, by chance."""
    chance = np.random.default_rng(0)
    images = chance.integers(0, 256, (inputs, 28, 28), dtype=np.uint8)
    np.savez(path, x=images, y=chance.integers(0, 10, inputs))
