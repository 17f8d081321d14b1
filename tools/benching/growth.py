"""How the time and the memory of a certification grow with its samples."""

from __future__ import annotations

import multiprocessing
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benching.subjects import Subject
from benching.turns import Record, Spread

FEWEST = 1_000
N0 = 100
CONTENDERS = ("rsonnx", "pytorch loop", "art")
_STATUS = Path("/proc/self/status")


def measure_cost(subject: Subject, provider: str, *, rounds: int, most: int) -> Iterator[Record]:
    """Certify with 1e3, 1e4, ... up to ``most`` samples, or with ``most`` if it is less.

    The longer runs get fewer rounds, at least 1.

    Yields:
        ``n`` estimation samples, to which n0 = 100 come on top, ``seconds`` and what they are a
        sample of both stages.
    """
    certify = certifier(subject, provider, "rsonnx")
    certify(FEWEST)
    for n in _tenfold(most):
        taken = []
        for _ in range(max(1, min(rounds, most // (2 * n)))):
            begun = time.perf_counter()
            certify(n)
            taken.append(time.perf_counter() - begun)
        yield {
            "model": subject.name,
            "n": n,
            "rounds": len(taken),
            "seconds": Spread.of(taken),
            "microseconds_a_sample": Spread.of([1e6 * s / (N0 + n) for s in taken]),
        }


def _tenfold(most: int) -> list[int]:
    return [n for n in (FEWEST * 10**power for power in range(12)) if n <= most] or [most]


def measure_peaks(
    subject: Subject, provider: str, contenders: tuple[str, ...], *, most: int
) -> Iterator[Record]:
    """Certify in a fresh process for every contender and n, one after the other.

    Yields:
        ``mebibytes`` at the peak, and those when the model was ``loaded`` and warm.

    Raises:
        SystemExit: the system does not report the peak of a process.
    """
    if not _STATUS.is_file():
        raise SystemExit(f"the part memory reads {_STATUS}, which only Linux has")
    # A spawned process starts from nothing, so its peak is not that of its parent or forerunner.
    context = multiprocessing.get_context("spawn")
    for who in contenders:
        for n in _tenfold(most):
            with context.Pool(1) as pool:
                peak, loaded = pool.apply(_certify_once, (subject, provider, who, n))
            yield {
                "model": subject.name, "who": who, "n": n, "mebibytes": peak, "loaded": loaded,
            }  # fmt: skip


def _certify_once(subject: Subject, provider: str, who: str, n: int) -> tuple[float, float]:
    certify = certifier(subject, provider, who)
    certify(100)
    loaded = resident("VmRSS")
    certify(n)
    return resident("VmHWM"), loaded


def certifier(subject: Subject, provider: str, who: str) -> Callable[[int], object]:
    """Return what certifies the subject's image with n samples."""
    if who == "rsonnx":
        smoothed = subject.smoothed(provider)
        point = smoothed.point(subject.image)
        return lambda n: smoothed.certify(point, n0=N0, n=n, seed=0)
    from benching import peers  # noqa: PLC0415  # needs torch

    both = peers.Peers(subject)
    way = both.loop if who == "pytorch loop" else both.art
    return lambda n: way(subject.image, N0, n, peers.USUAL_BATCH[who])


def resident(field: str) -> float:
    """Return a line of this process's status in MiB; VmHWM is the peak, VmRSS what is now."""
    status = _STATUS.read_text(encoding="utf-8")
    line = re.search(rf"^{field}:\s+(\d+) kB$", status, re.MULTILINE)
    if line is None:
        raise SystemExit(f"{_STATUS} has no line {field}, so memory cannot be measured")
    return int(line[1]) / 1024
