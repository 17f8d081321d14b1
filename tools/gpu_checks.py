"""The checks of ``gpu_check.py``: each returns what it measured, and whether that is right."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from gpu_subjects import SEED, Subject, Where, open_subject, ties_model

from rsonnx.counts import Counts
from rsonnx.noise import Gaussian, InputSpace, NoisyStream
from rsonnx.report.rounding import plain
from rsonnx.runtime import CountRequest, Engine, ThreadEngine, choose_provider
from rsonnx.runtime.cuda import DeviceEngine, open_device
from rsonnx.runtime.cuda.drawing import Drawing
from rsonnx.smoothing import SmoothedClassifier

_SIZES = (1, 3, 10, 784, 3_072, 150_528, 300_001)
_SIGMAS = (0.002, 0.12, 0.25, 1.0)
_BOUNDS = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))
_RANGES = ((0, 40), (5, 3), (100, 300))
_MOST_VALUES = 4_000_000
_MOST_FLIPS = 1e-3
"""Share of labels that may differ between a card and a processor: their sums are rounded
differently, and a random input is near a boundary of a net far less often than this."""


@dataclass
class Check:
    """One check.

    Attributes:
        name: what is checked.
        passed: None where it could not be run.
        figures: what was measured.
        note: in a sentence, what the figures say or why there are none.
    """

    name: str
    passed: bool | None
    note: str
    figures: dict[str, Any] = field(default_factory=dict)


def not_run(name: str, why: str) -> Check:
    """Return a check that could not be run."""
    return Check(name, None, f"not run: {why}")


def check_noise(number: int) -> Check:
    """Draw noise on the device and compare it with numpy's, bit for bit."""
    device = open_device(number)
    drawing = Drawing(device)
    compared = wrong = 0
    for size in _SIZES:
        for sigma in _SIGMAS:
            for bounds in _BOUNDS:
                for start, rows in _RANGES:
                    taken = max(1, min(rows, _MOST_VALUES // size))
                    stream = _stream(size, sigma, bounds)
                    noise = stream.grid
                    assert noise is not None
                    out = device.zeros((taken, size), np.float32)
                    drawing.write(noise, drawing.upload(noise), start, out)
                    expected = np.empty((taken, size), np.float32)
                    stream.write(start, expected)
                    found = device.copy_out(out)
                    wrong += int(np.count_nonzero(found.view("u4") != expected.view("u4")))
                    compared += expected.size
    note = f"{wrong} of {compared:,} values differ from numpy's in any bit"
    return Check("noise, bit for bit", wrong == 0, note, {"values": compared, "differ": wrong})


def _stream(size: int, sigma: float, bounds: tuple[float, float]) -> NoisyStream:
    space = InputSpace((size,), bounds)
    levels = np.random.default_rng(size).integers(0, 256, size, np.uint8)
    law = Gaussian(sigma * (bounds[1] - bounds[0]))
    return NoisyStream(space.point(levels), law, SEED, "estimation")


def check_ties(where: Where) -> Check:
    """See that the lowest index wins a tie, and that NaN or an infinite largest is no class."""
    random = np.random.default_rng(SEED)
    rows = random.integers(0, 3, (4_096, 10)).astype(np.float32)
    rows[::7, 3], rows[::11, 5], rows[::13, 0] = np.nan, np.inf, -np.inf
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ties.onnx"
        path.write_bytes(ties_model())
        subject, _ = open_subject(path, "none", replace(where, cuda_graph=False))
    labels = subject.classify(rows)
    # The largest score is NaN where any is; -inf below a finite one is a low score.
    expected = np.where(np.isfinite(rows.max(axis=1)), rows.argmax(axis=1), -1)
    wrong = int(np.count_nonzero(labels != expected))
    note = f"{wrong} of {len(rows):,} labels of tied, NaN and infinite scores are wrong"
    return Check("ties and NaN", wrong == 0, note, {"rows": len(rows), "wrong": wrong})


def check_counts(
    model: Path, preprocess: str | None, subject: Subject, engine: Engine, samples: int
) -> Check:
    """Count the same samples twice on the provider and once on the processor."""
    size = _size(engine, subject)
    samples = -(-samples // size) * size  # whole batches: every run has one shape
    asked = [CountRequest(subject.stream(1), 0, samples)]
    counts = engine.count(asked)[0]
    again = engine.count(
        [CountRequest(asked[0].stream, a, a + size) for a in range(0, samples, size)]
    )
    repeated = sum(again[1:], again[0]) == counts
    plain = ThreadEngine(subject, size, 1).count(asked)[0]
    cpu, _ = open_subject(model, preprocess, Where(choose_provider(["cpu"])))
    flips = _flips(counts, ThreadEngine(cpu).count(asked)[0])
    passed = repeated and plain == counts and flips <= _MOST_FLIPS * samples
    note = (
        f"batch by batch {'equal' if repeated else 'DIFFERENT'}, with noise from the host "
        f"{'equal' if plain == counts else 'DIFFERENT'}, on the CPU {flips} of {samples} differ"
    )
    return Check("counts", passed, note, {"samples": samples, "differ_from_cpu": flips})


def _flips(a: Counts, b: Counts) -> int:
    """Return the fewest labels that must differ for counts to differ so."""
    size = max(len(a), len(b))
    apart = sum(abs(a[k] - b[k]) for k in range(size)) + abs(a.no_class - b.no_class)
    return apart // 2


def _size(engine: Engine, subject: Subject) -> int:
    assert isinstance(engine, ThreadEngine | DeviceEngine)
    return engine.batch_size(subject.shape)


def check_speed(subject: Subject, engine: Engine, rounds: int, seconds: float) -> Check:
    """Measure eta: noisy, counted samples a second over those of the bare session."""
    size = _size(engine, subject)
    stream = subject.stream(1)
    rows = np.empty((size, *subject.shape), np.float32)
    stream.write(0, rows)
    engine.count([CountRequest(stream, 0, size)])
    batches = max(1, int(seconds / max(1e-4, _took(lambda: subject.classify(rows)))))
    at = 0

    def counted() -> None:
        nonlocal at
        engine.count([CountRequest(stream, at, at + batches * size)])
        at += batches * size

    def bare() -> None:
        for _ in range(batches):
            subject.classify(rows)

    ratios, rates = [], []
    for _ in range(rounds):
        plain, noisy = _took(bare), _took(counted)
        ratios.append(plain / noisy)
        rates.append(batches * size / noisy)
    eta, rate = statistics.median(ratios), statistics.median(rates)
    note = f"eta {eta:.3f} ({min(ratios):.3f} to {max(ratios):.3f}), {rate:,.0f} samples a second"
    figures = {"eta": eta, "ratios": ratios, "samples_a_second": rate, "batch": size}
    return Check("speed", True, note, figures | {"rounds": rounds, "batches_a_round": batches})


def _took(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def check_memory(model: Path, preprocess: str | None, where: Where) -> Check:
    """Begin with a batch that cannot fit, and see that it is halved and nothing counted twice."""
    _, small = open_subject(model, preprocess, where, 64)
    subject, engine = open_subject(model, preprocess, where, 1 << 20)
    assert isinstance(engine, DeviceEngine)
    asked = [CountRequest(subject.stream(1), 0, 4_096)]
    counts, expected = engine.count(asked)[0], small.count(asked)[0]
    flips = _flips(counts, expected)
    passed = counts.total == 4_096 and engine.size < 1 << 20 and flips <= _MOST_FLIPS * 4_096
    note = f"halved from {1 << 20:,} to {engine.size:,}; {counts.total:,} of 4,096 samples counted"
    return Check("out of memory", passed, note, {"batch": engine.size, "differ": flips})


def check_devices(
    model: Path, preprocess: str | None, where: Where, devices: int, engine: Engine
) -> Check:
    """Count the same samples on every device."""
    subject, _ = open_subject(model, preprocess, where)
    asked = [CountRequest(subject.stream(1), 0, 2_048)]
    expected, differ = engine.count(asked)[0], {}
    for number in range(devices):
        there = Where(where.provider, number)
        _, other = open_subject(model, preprocess, there, _size(engine, subject))
        differ[number] = _flips(other.count(asked)[0], expected)
    passed = all(flips <= _MOST_FLIPS * 2_048 for flips in differ.values())
    note = ", ".join(
        f"device {number}: {flips} of 2,048 differ" for number, flips in differ.items()
    )
    return Check("all devices", passed, note, {"differ": differ})


def check_certificate(subject: Subject, engine: Engine, n: int) -> Check:
    """Certify one input with n samples."""
    smoothed = SmoothedClassifier(subject, 0.25, engine=engine)
    point = subject.stream(2).point
    begin = time.perf_counter()
    found = smoothed.certify(point, n=n, seed=SEED)
    seconds = time.perf_counter() - begin
    note = (
        f"n = {n:,} in {seconds:.1f} s, {(n + 100) / seconds:,.0f} samples a second, class "
        f"{found.label}, radius {plain(found.radius)}"
    )
    figures = {"n": n, "seconds": seconds, "label": found.label, "radius": found.radius}
    return Check("certificate", True, note, figures)
