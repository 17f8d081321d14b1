"""How the time and the memory of a certification grow with its samples."""

from __future__ import annotations

import multiprocessing
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench_subjects import Subject
from bench_timing import Spread

FEWEST = 1_000
N0 = 100
_STATUS = Path("/proc/self/status")
Contender = Literal["rsonnx", "pytorch loop", "art"]


@dataclass(frozen=True)
class Cost:
    """The time of one certification.

    Attributes:
        n: estimation samples; n0 = 100 come on top.
        rounds: how often it was timed.
        seconds: wall time.
        microseconds_a_sample: of both stages.
    """

    model: str
    n: int
    rounds: int
    seconds: Spread
    microseconds_a_sample: Spread


def measure_cost(subject: Subject, provider: str, *, rounds: int, most: int) -> list[Cost]:
    """Certify with 1e3, 1e4, ... ``most`` samples; the longer runs get fewer rounds, at least 1."""
    smoothed = subject.smoothed(provider, batch_size=None, workers=None)
    point = smoothed.point(subject.image)
    found = []
    smoothed.certify(point, n0=N0, n=FEWEST, seed=0)
    for n in _tenfold(most):
        taken = []
        for turn in range(max(1, min(rounds, most // (2 * n)))):
            begun = time.perf_counter()
            smoothed.certify(point, n0=N0, n=n, seed=turn)
            taken.append(time.perf_counter() - begun)
        each = Spread.of([1e6 * s / (N0 + n) for s in taken])
        found.append(Cost(subject.name, n, len(taken), Spread.of(taken), each))
    return found


def _tenfold(most: int) -> list[int]:
    found = [FEWEST]
    while found[-1] * 10 <= most:
        found.append(found[-1] * 10)
    return found


@dataclass(frozen=True)
class Peak:
    """The most resident memory of a process that certified one input.

    Attributes:
        who: what certified.
        n: estimation samples.
        mebibytes: at the peak.
        loaded: mebibytes when the model was loaded and warm, before the certification.
    """

    model: str
    who: Contender
    n: int
    mebibytes: float
    loaded: float


def measure_peaks(
    subject: Subject, provider: str, contenders: tuple[Contender, ...], *, most: int
) -> list[Peak]:
    """Certify in a fresh process for every contender and n, one after the other.

    Raises:
        SystemExit: the system does not report the peak of a process.
    """
    if not _STATUS.is_file():
        raise SystemExit(f"the part memory reads {_STATUS}, which only Linux has")
    # A spawned process starts from nothing, so its peak is not that of its parent or forerunner.
    context = multiprocessing.get_context("spawn")
    found = []
    for who in contenders:
        for n in _tenfold(most):
            with context.Pool(1) as pool:
                peak, loaded = pool.apply(_certify_once, (subject, provider, who, n))
            found.append(Peak(subject.name, who, n, peak, loaded))
    return found


def _certify_once(subject: Subject, provider: str, who: Contender, n: int) -> tuple[float, float]:
    certify = certifier(subject, provider, who)
    certify(100)
    loaded = _resident("VmRSS")
    certify(n)
    return _resident("VmHWM"), loaded


def certifier(subject: Subject, provider: str, who: Contender) -> Callable[[int], object]:
    """Return what certifies the subject's image with n samples."""
    if who == "rsonnx":
        smoothed = subject.smoothed(provider, batch_size=None, workers=None)
        point = smoothed.point(subject.image)
        return lambda n: smoothed.certify(point, n0=N0, n=n, seed=0)
    import bench_peers  # noqa: PLC0415  # needs torch

    peers = bench_peers.Peers(subject)
    way = peers.loop if who == "pytorch loop" else peers.art
    return lambda n: way(N0, n, bench_peers.USUAL_BATCH[who])


def _resident(field: str) -> float:
    """Return a line of this process's status in MiB; VmHWM is the peak, VmRSS what is now."""
    status = _STATUS.read_text(encoding="utf-8")
    line = re.search(rf"^{field}:\s+(\d+) kB$", status, re.MULTILINE)
    if line is None:
        raise SystemExit(f"{_STATUS} has no line {field}, so memory cannot be measured")
    return int(line[1]) / 1024
