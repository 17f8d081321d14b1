"""Fair timing: turns in one process, medians with quartiles, circumstances.

A single figure of a busy machine says little, and two that were taken minutes apart cannot be
divided by each other. So what is compared takes turns, round by round, and a ratio is formed within
each round before its median is taken.
"""

from __future__ import annotations

import datetime
import importlib.util
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from rsonnx.report import text_down

PACKAGES = (
    *("rsonnx", "numpy", "llvmlite", "scipy", "onnx", "onnxruntime-gpu", "onnxruntime"),
    *("cupy-cuda13x", "torch", "adversarial-robustness-toolbox"),
)
Record = dict[str, Any]
"""A line of a table and of the JSON: texts, numbers and spreads by name."""


@dataclass(frozen=True)
class Spread:
    """The median of some figures, with their quartiles."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return median and quartiles of at least one value."""
        low, median, high = np.percentile(values, [25, 50, 75])
        return cls(float(low), float(median), float(high))

    def __format__(self, form: str) -> str:
        """Return ``median [low-high]``; the median alone where ``form`` begins with ``~``."""
        if form.startswith("~"):
            return format(self.median, form[1:])
        form = form or ".3f"
        return f"{self.median:{form}} [{self.low:{form}}-{self.high:{form}}]"


def take_turns(
    runs: Mapping[str, Callable[[], object]], rounds: int, rest: float = 0.0
) -> dict[str, list[float]]:
    """Return the seconds of every run in every round.

    Each is run once before, untimed. From round to round another one comes first, so that none
    always follows the same neighbour.

    Args:
        runs: what takes turns, by name.
        rounds: how often each is timed, >= 1.
        rest: seconds of pause before each, in which the idle threads of its neighbour fall asleep.
    """
    names = list(runs)
    for name in names:
        runs[name]()
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            time.sleep(rest)
            begun = time.perf_counter()
            runs[name]()
            seconds[name].append(time.perf_counter() - begun)
    return seconds


def rates(seconds: Sequence[float], samples: int) -> Spread:
    """Return samples per second."""
    return Spread.of([samples / s for s in seconds])


def ratios(slower: Sequence[float], faster: Sequence[float]) -> Spread:
    """Return how many times longer the first takes than the second, round by round."""
    return Spread.of([a / b for a, b in zip(slower, faster, strict=True)])


@contextmanager
def timed(*methods: tuple[type, str]) -> Iterator[list[float]]:
    """Time methods of classes while the context lasts, one thread; yields seconds, one a method."""
    seconds = [0.0] * len(methods)

    def clock(index: int, method: Callable[..., Any]) -> Callable[..., Any]:
        def timed_method(*args: Any, **kwargs: Any) -> Any:
            begun = time.perf_counter()
            try:
                return method(*args, **kwargs)
            finally:
                seconds[index] += time.perf_counter() - begun

        return timed_method

    with ExitStack() as stack:
        for index, (owner, name) in enumerate(methods):
            timing = clock(index, getattr(owner, name))
            stack.enter_context(mock.patch.object(owner, name, timing))
        yield seconds


def usable_cores() -> int:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def circumstances() -> Record:
    """Return machine, date and versions."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    processor, cpus = platform.processor(), Path("/proc/cpuinfo")
    if cpus.exists():
        lines = cpus.read_text(encoding="utf-8").splitlines()
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
        processor = next(iter(names), processor)
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": {
            "processor": processor,
            "architecture": platform.machine(),
            "system": platform.system(),
            "usable_cores": usable_cores(),
            "load_before": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
        },
        "versions": versions,
    }


def cell(value: Any, form: str) -> str:
    """Return a value as text; ``v4`` is four decimals, rounded down."""
    if value is None:
        return "-"
    return text_down(value, int(form[1:])) if form.startswith("v") else format(value, form)


def table(records: Sequence[Record], columns: str) -> str:
    """Return records as lines, the first column to the left and the others to the right.

    Args:
        records: one a line.
        columns: names of fields, apart by spaces, each with an optional ``:format``.
    """
    pairs = [column.partition(":")[::2] for column in columns.split()]
    lines = [[name.replace("_", " ") for name, _ in pairs]]
    lines += [[cell(record[name], form) for name, form in pairs] for record in records]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])])
        for line in lines
    )


def need(module: str, why: str) -> None:
    """Stop with one sentence where a package of the extra ``bench`` is missing."""
    if importlib.util.find_spec(module) is None:
        raise SystemExit(f"{module} is not installed, but {why}; pip install 'rsonnx[bench,gpu]'")
