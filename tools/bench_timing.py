"""Fair timing for ``bench.py``: turns in one process, medians with quartiles, circumstances.

A single figure of a busy machine says little, and two that were taken minutes apart cannot be
divided by each other. So what is compared takes turns, round by round, and a ratio is formed within
each round before its median is taken.
"""

from __future__ import annotations

import datetime
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

PACKAGES = (
    "rsonnx",
    "numpy",
    "numba",
    "scipy",
    "onnx",
    "onnxruntime-gpu",
    "onnxruntime",
    "cupy-cuda13x",
    "torch",
    "adversarial-robustness-toolbox",
)


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

    def text(self, form: str = ".3f") -> str:
        """Return ``median [low-high]``."""
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


class Clock:
    """Seconds spent in one method."""

    seconds = 0.0

    def around(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """Return the method, timed."""

        def timed_method(*args: Any, **kwargs: Any) -> Any:
            begun = time.perf_counter()
            try:
                return method(*args, **kwargs)
            finally:
                self.seconds += time.perf_counter() - begun

        return timed_method


@contextmanager
def timed(*methods: tuple[type, str]) -> Iterator[list[Clock]]:
    """Time methods of classes while the context lasts, one thread; yields a clock each."""
    clocks = []
    with ExitStack() as stack:
        for owner, name in methods:
            clock = Clock()
            stack.enter_context(mock.patch.object(owner, name, clock.around(getattr(owner, name))))
            clocks.append(clock)
        yield clocks


def usable_cores() -> int:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def circumstances() -> dict[str, object]:
    """Return machine, date and versions."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": {
            "processor": _processor(),
            "architecture": platform.machine(),
            "system": platform.system(),
            "usable_cores": usable_cores(),
            "load_before": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
        },
        "versions": {"python": platform.python_version()} | _versions(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
