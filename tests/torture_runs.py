"""A run small enough to be stopped at every byte, and a disk that can end at any of them."""

from __future__ import annotations

import contextlib
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from headers import record_of
from numpy.typing import NDArray

from rsonnx.listener import Listener
from rsonnx.noise import Point
from rsonnx.procedures import Procedure, certify_procedure
from rsonnx.runs import (
    CountsRow,
    Header,
    Manifest,
    Row,
    SampleRange,
    Shard,
    Work,
)
from rsonnx.runs.keep import Keeping, reopened_file, run_into_file
from rsonnx.smoothing import SmoothedClassifier

SEED = 11
INPUTS = 3


class Nearest:
    """Three classes on two values, by the sum; it knows how many samples it saw."""

    shape = (2,)
    num_classes = 3

    def __init__(self) -> None:
        self.samples = 0

    def classify(self, batch: NDArray[np.float32]) -> NDArray[np.int64]:
        self.samples += len(batch)
        return np.clip((batch.sum(axis=1) * 2.0).astype(np.int64), 0, 2)


class TinyJob:
    """What the work of a run asks of a job, without a model file or a data set."""

    def __init__(self, inputs: int = INPUTS) -> None:
        self.classifier = Nearest()
        self.shape = (2,)
        self.smoothed = SmoothedClassifier(self.classifier, 0.25, batch_size=2, workers=1)
        self.indices = tuple(range(inputs))
        self.dataset = SimpleNamespace(name=lambda index: f"n{index}")

    def point(self, index: int) -> Point:
        return self.smoothed.point(np.array([index * 20, 255 - index * 15], np.uint8))

    def levels(self, indices: tuple[int, ...]) -> None:
        return None

    def label(self, index: int) -> int | None:
        return index % 3


class Killed(BaseException):
    """Nothing of the process comes after this."""


@dataclass
class World:
    """A disk that ends after some bytes or steps, as if the process was killed, or refuses them.

    Attributes:
        budget: bytes and steps that it allows.
        error: what writing more raises; None ends the process.
        only_writes: whether an error leaves it able to cut, rename and remove.
        once: whether it allows everything again after one error.
        dead: whether the process has ended.
        spent: what was asked for so far.
    """

    budget: float = math.inf
    error: OSError | None = None
    only_writes: bool = True
    once: bool = False
    dead: bool = False
    spent: int = 0

    def spend(self, cost: int) -> int:
        """Return how much of a cost is allowed."""
        if self.dead:
            raise Killed
        before, self.spent = self.spent, self.spent + cost
        return int(max(0, min(cost, self.budget - before)))

    def end(self) -> None:
        """End, where the last cost was not allowed in full."""
        if self.spent <= self.budget:
            return
        if self.error is None:
            self.dead = True
            raise Killed
        if self.once:
            self.budget = math.inf
        raise self.error


@dataclass(frozen=True)
class Session:
    """A run that can be started and gone on with."""

    folder: Path
    job: TinyJob
    procedure: Procedure
    manifest: Manifest
    shard: Shard | None = None
    samples: SampleRange | None = None
    name: str = "run.jsonl"
    checkpoint: float = 1e-9

    @property
    def path(self) -> Path:
        return self.folder / self.name

    def header(self) -> Header:
        inputs = len(self.job.indices)
        classes = len({self.job.label(index) for index in self.job.indices})
        record = record_of(
            self.procedure,
            model={"classes": 3},
            arguments={"given": []},
            data={
                **{"inputs": inputs, "size": inputs, "manifest": self.manifest.sha256},
                **{"classes_in_sample": classes, "classes_in_data": classes},
            },
            seed={"value": str(SEED), "source": "argument"},
            shard=None if self.shard is None else self.shard.to_json(),
            samples=None if self.samples is None else self.samples.to_json(),
        )
        header = Header.from_json(record | {"fields": {}})
        return header.changed(claim=header.claim)

    def go(self) -> list[Row | CountsRow]:
        """What `rsonnx certify ... -o RUN --resume` does once the model is there."""
        keeping = Keeping(self.path, resume=True, checkpoint=self.checkpoint)
        reopened = reopened_file(keeping, Listener())
        indices = self.job.indices if self.shard is None else self.shard.take(self.job.indices)
        work = Work(self.job, self.procedure, SEED, indices, self.samples, self.manifest)  # type: ignore[arg-type]
        with reopened or contextlib.nullcontext():
            return run_into_file(work, self.header(), self.manifest, keeping, reopened, Listener())

    def left(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()}


def without_times(content: bytes) -> bytes:
    """A run file but for what may differ: how long each input took."""
    return re.sub(rb'"seconds": [0-9.]+', b'"seconds": 0', content)


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in without_times(path.read_bytes()).splitlines()]


def fixed(n: int = 60) -> Procedure:
    return certify_procedure(
        SmoothedClassifier(Nearest(), 0.25).noise, n0=20, n=n, alpha=0.01, num_classes=3
    )


def adaptive() -> Procedure:
    noise = SmoothedClassifier(Nearest(), 0.25).noise
    return certify_procedure(noise, n0=40, n=600, alpha=0.05, target_radii=[0.1, 0.2])
