"""The checks of ``gpu_check.py``: each returns what it measured, and whether that is right."""

from __future__ import annotations

import datetime
import math
import statistics
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper

import rsonnx
from gpu.restart import check_restart
from gpu.subjects import SEED, NotRunError, Outcome, Setup, convolution, drawn, noisy, serialized
from rsonnx.counts import NO_CLASS, Counts
from rsonnx.errors import ProviderError
from rsonnx.noise import NoisyStream
from rsonnx.resources import usable_cores
from rsonnx.runs import versions
from rsonnx.runtime import (
    CountRequest,
    Engine,
    OnnxClassifier,
    Session,
    choose_provider,
    provider_problem,
)
from rsonnx.runtime.cuda import engine_for, open_device
from rsonnx.runtime.cuda.drawing import Drawing
from rsonnx.runtime.device_options import TENSORRT
from rsonnx.runtime.machine import find_driver, packages_named, this_machine
from rsonnx.scalars import in_full
from rsonnx.smoothing import load

SIZES = (1, 3, 10, 784, 3_072, 150_528, 300_001)
_SIGMAS = (0.002, 0.12, 0.25, 1.0)
_BOUNDS = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))
_RANGES = ((0, 40), (5, 3), (100, 300))
_MOST_VALUES = 4_000_000

_TOLERANCE = 1e-3
"""How far scores may be apart, as a share of the largest: another order of sums moves those of the
ResNet-50 by 2e-5 of it, TF32 by 2e-2."""
_HALF_TOLERANCE = 0.05
"""float16 moves those of the ResNet-50 by 1.5e-2 on a processor."""

_CONVOLUTIONS = ((1, 1), (3, 1), (7, 2))
"""Kernel and stride."""
_CONVOLUTION_TOLERANCE = 5e-5
"""As a share of the largest value: float32 is off by 1e-6, Winograd's way by 1e-5, TF32 by 3e-4."""

_ROUNDS = 10
_SMALL, _TOO_LARGE = 64, 2_048
"""Batches: one that fits, and one whose input alone does not fit the memory that it is left."""


def check_machine(setup: Setup) -> Outcome:
    """The provider works; card, driver and versions."""
    machine = this_machine()
    figures = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "provider": setup.provider,
        "machine": asdict(machine),
        "versions": versions() | packages_named("nvidia-", "cupy", "tensorrt"),
    }
    cards = ", ".join(f"{card.name}, driver {card.driver}" for card in machine.cards)
    try:
        provider = choose_provider([setup.provider], setup.options())
    except ProviderError as error:
        return Outcome(False, str(error), figures)
    return Outcome(True, f"{setup.model.name} on {provider.name}; {cards or 'no card'}", figures)


def check_noise(setup: Setup) -> Outcome:
    """Noise drawn on the device is numpy's, bit for bit."""
    setup.need_device()
    device = open_device(setup.device)
    drawing = Drawing(device)
    values = wrong = 0
    for size, sigma, bounds, (start, rows) in product(SIZES, _SIGMAS, _BOUNDS, _RANGES):
        taken = max(1, min(rows, _MOST_VALUES // size))
        stream = noisy((size,), bounds, sigma, size)
        noise = stream.grid
        assert noise is not None
        memory = device.zeros((taken, size), np.float32)
        drawing.write(noise, drawing.upload(noise), start, memory)
        expected = np.empty((taken, size), np.float32)
        stream.write(start, expected)
        wrong += int(np.count_nonzero(device.copy_out(memory).view("u4") != expected.view("u4")))
        values += expected.size
    note = f"{wrong:,} of {values:,} values differ from numpy's in any bit"
    return Outcome(wrong == 0, note, {"values": values, "differ": wrong})


def check_ties(setup: Setup) -> Outcome:
    """The lowest index wins a tie; NaN, or a largest score that is infinite, is no class."""
    random = np.random.default_rng(SEED)
    rows = random.integers(0, 3, (4_096, 10)).astype(np.float32)
    rows[::7, 3], rows[::11, 5], rows[::13, 0] = np.nan, np.inf, -np.inf
    scores_are_inputs = serialized(
        [helper.make_node("Identity", ["x"], ["y"])], ("n", 10), ("n", 10)
    )
    options = setup.options()
    model = load(scores_are_inputs, preprocess="none", providers=setup.provider, device=options)
    labels = model.classify(rows)
    # The largest score is NaN where any is; -inf below a finite one is a low score.
    expected = np.where(np.isfinite(rows.max(axis=1)), rows.argmax(axis=1), NO_CLASS)
    wrong = int(np.count_nonzero(labels != expected))
    note = f"{wrong} of {len(rows):,} labels of tied, NaN and infinite scores are wrong"
    return Outcome(wrong == 0, note, {"rows": len(rows), "wrong": wrong})


def check_convolutions(setup: Setup) -> Outcome:
    """Convolutions keep float32's products: TF32, asked for or not, would show."""
    provider, errors = choose_provider([setup.provider], setup.options()), {}
    for kernel, stride in _CONVOLUTIONS:
        model, x, expected = convolution(kernel, stride)
        answer = Session(model, provider, "a convolution", setup.options()).run("y", "x", x)
        errors[f"{kernel}x{kernel}, stride {stride}"] = float(
            np.abs(answer - expected).max() / np.abs(expected).max()
        )
    note = "; ".join(f"{size}: {error:.1e}" for size, error in errors.items())
    passed = all(error <= _CONVOLUTION_TOLERANCE for error in errors.values())
    return Outcome(
        passed, f"{note} of the largest value off; {_CONVOLUTION_TOLERANCE:.0e} allowed", errors
    )


def check_answers(setup: Setup) -> Outcome:
    """Labels and scores of each sample: as counted, of a plain run, and of the processor."""
    return _compared(setup, setup.load())


def check_cuda_graph(setup: Setup) -> Outcome:
    """The same with a CUDA graph."""
    setup.need_device()
    return _compared(setup, setup.load(setup.options(cuda_graph=True)))


def check_float16(setup: Setup) -> Outcome:
    """The same of the model in float16, whose scores may be further from the processor's."""
    return _compared(setup, setup.load(float16=True), tolerance=_HALF_TOLERANCE)


def check_tensorrt(setup: Setup) -> Outcome:
    """The same on TensorRT, where it is installed."""
    setup.need_device()
    if (problem := provider_problem(TENSORRT, setup.device)) is not None:
        raise NotRunError(problem)
    return _compared(setup, setup.load(providers="tensorrt"))


def check_devices(setup: Setup) -> Outcome:
    """The same on every device."""
    setup.need_device()
    driver = find_driver()
    if driver is None or driver.devices < 2:
        raise NotRunError("it needs several devices")
    numbers = range(driver.devices)
    outcomes = [_compared(setup, setup.load(setup.options(number))) for number in numbers]
    wrong = [number for number in numbers if not outcomes[number].passed]
    named = ", ".join(map(str, wrong)) or "none"
    note = f"wrong of {driver.devices} devices: {named}; device 1: {outcomes[1].note}"
    return Outcome(not wrong, note, {str(k): outcomes[k].figures for k in numbers})


def check_memory(setup: Setup, cuda_graph: bool = False) -> Outcome:
    """A batch that does not fit is halved, and no sample is lost or counted twice."""
    setup.need_device()
    model = setup.load(setup.options(cuda_graph=cuda_graph))
    if model.device is None or model.batch_size is not None:
        raise NotRunError("it needs a model that runs at any batch size")
    stream = noisy(model.shape, model.bounds)
    _counted(_engine(model, _SMALL), stream, _SMALL)  # what libraries need, once and for all
    model.device.release()
    engine = _engine(model, _TOO_LARGE)
    first = _batch(engine, model)
    left = first // 2 * math.prod(model.shape) * 4
    # A batch that a whole card cannot hold would have tensors of more than 2**31 values.
    held = model.device.zeros((max(1, model.device.free_memory() - left),), np.uint8)
    labels = _counted(engine, stream, setup.samples)
    batch = _batch(engine, model)
    del held
    model.device.release()
    again = _compared(setup, model, engine)
    same = np.array_equal(labels, _counted(engine, stream, setup.samples))
    note = (
        f"from {_TOO_LARGE:,} to {batch:,}, labels {'the same' if same else 'DIFFERENT'} after it"
    )
    passed = batch < _TOO_LARGE and same and again.passed
    return Outcome(passed, f"{note}; {again.note}", again.figures | {"batch": batch, "same": same})


def _engine(model: OnnxClassifier, batch_size: int | None = None) -> Engine:
    """Return an engine; on a processor it has one thread, as a bare session has."""
    return engine_for(model, batch_size, 1 if model.on_cpu else None)


def _batch(engine: Engine, model: OnnxClassifier) -> int:
    return int(engine.batch_size(model.shape))  # type: ignore[attr-defined]


def _compared(
    setup: Setup, model: OnnxClassifier, engine: Engine | None = None, tolerance: float = _TOLERANCE
) -> Outcome:
    """Compare each sample's label and scores with a plain run's and with the processor's."""
    engine = engine or _engine(model)
    multiple = model.batch_size or 1
    n = -(-setup.samples // multiple) * multiple
    stream = noisy(model.shape, model.bounds)
    rows = drawn(stream, n)
    labels = _counted(engine, stream, n)
    begin = time.perf_counter()
    counts = engine.count([CountRequest(stream, 0, n)])[0]
    rate = n / (time.perf_counter() - begin)
    size = _batch(engine, model)
    scores = _scores(model, stream, rows, size)
    cpu = setup.load_on_cpu()
    expected = _in_batches(cpu.scores, rows, cpu.batch_size or 8, usable_cores())
    allowed = tolerance * float(np.abs(expected).max())
    own, clear = _clear(scores, _TOLERANCE), _clear(expected, tolerance)
    plain_run = _in_batches(model.classify, rows, size)
    figures = {
        "samples": n,
        "batch": size,
        "classes": len(np.unique(labels)),
        "clear": int(clear.sum()),
        "unlike_again": _unlike(labels, _counted(engine, stream, n)),
        "unlike_as_a_range": int(counts != Counts.from_labels(labels)),
        "unlike_plain_run": _unlike(labels[own], plain_run[own]),
        "unlike_processor": _unlike(labels[clear], expected.argmax(axis=1)[clear]),
        "scores_apart": float(np.abs(scores - expected).max()),
        "scores_allowed": allowed,
        "samples_a_second": rate,
    }
    right = not any(value for name, value in figures.items() if name.startswith("unlike"))
    right &= figures["scores_apart"] <= allowed
    note = (
        "{samples:,} labels of {classes} classes; counted again {unlike_again} differ, as a range "
        "{unlike_as_a_range}, in a plain run {unlike_plain_run}, on the processor "
        "{unlike_processor} of {clear:,} clear ones; scores {scores_apart:.1e} of "
        "{scores_allowed:.1e} apart; {samples_a_second:,.0f} samples a second"
    ).format(**figures)
    if right and figures["classes"] == 1:
        return Outcome(None, f"labels that do not vary show nothing: {note}", figures)
    return Outcome(right, note, figures | {"session": model.session.facts})


def _clear(scores: NDArray[Any], tolerance: float) -> NDArray[np.bool_]:
    """Return in which rows scores that are so far apart have the same largest one."""
    ordered = np.sort(scores, axis=1)
    return ordered[:, -1] - ordered[:, -2] > 2 * tolerance * np.abs(scores).max()


def _unlike(labels: NDArray[np.int64], others: NDArray[np.int64]) -> int:
    return int(np.count_nonzero(labels != others))


def _counted(engine: Engine, stream: NoisyStream, n: int) -> NDArray[np.int64]:
    """Return the label that an engine counts for each sample, by a request a sample; -2 for none.

    So no two samples can be taken for each other, as they can where labels are only added up.
    """
    counts = engine.count([CountRequest(stream, k, k + 1) for k in range(n)])
    return np.array([next(iter(c.seen), NO_CLASS) if c.total == 1 else -2 for c in counts])


def _in_batches(
    function: Callable[[NDArray[np.float32]], NDArray[Any]],
    rows: NDArray[np.float32],
    size: int,
    threads: int = 1,
) -> NDArray[Any]:
    with ThreadPoolExecutor(threads) as pool:
        parts = pool.map(function, (rows[k : k + size] for k in range(0, len(rows), size)))
        return np.concatenate(list(parts))


def _scores(
    model: OnnxClassifier, stream: NoisyStream, rows: NDArray[np.float32], size: int
) -> NDArray[Any]:
    """Return the scores of each row: on a device, of the noise that it draws, in its memory."""
    if model.device is None:
        return _in_batches(model.scores, rows, size)
    device, drawing, noise = model.device, Drawing(model.device), stream.grid
    assert noise is not None
    like = model.scores(rows[:size])
    inputs = device.zeros((size, *model.shape), np.float32)
    answers = device.zeros((size, *like.shape[1:]), like.dtype)
    run = model.session.bind(
        model.input_name, device.buffer(inputs), model.score_name, device.buffer(answers)
    )
    levels, parts = drawing.upload(noise), []
    for start in range(0, len(rows), size):  # the last batch has samples beyond them
        drawing.write(noise, levels, start, inputs)
        run()
        parts.append(device.copy_out(answers))
    return np.concatenate(parts)[: len(rows)]


def check_speed(setup: Setup) -> Outcome:
    """Eta: noisy, counted samples a second over those of the bare session, in turns."""
    model = setup.load()
    engine = _engine(model)
    size = _batch(engine, model)
    stream = noisy(model.shape, model.bounds)
    rows = drawn(stream, size)
    engine.count([CountRequest(stream, 0, size)])

    def fed() -> None:
        model.classify(rows)

    sessions, wait = {"fed by numpy": fed}, None
    if (device := model.device) is not None:
        inputs, labels = device.zeros(rows.shape, np.float32), device.zeros((size,), np.int64)
        device.copy_in(inputs, rows)
        run = model.session.bind(
            model.input_name, device.buffer(inputs), model.label_name, device.buffer(labels)
        )
        run()
        sessions["bound"] = run
        wait = partial(device.copy_out, labels)
    batches = max(1, int(setup.seconds / max(1e-4, _took(fed, 1))))
    ratios: dict[str, list[float]] = {name: [] for name in sessions}
    rates = []
    for turn in range(_ROUNDS):
        asked = [CountRequest(stream, turn * batches * size, (turn + 1) * batches * size)]
        seconds = _took(partial(engine.count, asked), 1)
        rates.append(batches * size / seconds)
        for name, bare in sessions.items():
            ratios[name].append(_took(bare, batches, wait) / seconds)
    etas = {name: statistics.median(each) for name, each in ratios.items()}
    note = ", ".join(f"eta {eta:.3f} of the session {name}" for name, eta in etas.items())
    rate = statistics.median(rates)
    figures = {"eta": etas, "ratios": ratios, "samples_a_second": rate, "batch": size}
    return Outcome(True, f"{note}; {rate:,.0f} samples a second", figures | {"batches": batches})


def _took(
    call: Callable[[], object], times: int, wait: Callable[[], object] | None = None
) -> float:
    """Return the seconds that calls take, until all that they asked of a device is done."""
    begin = time.perf_counter()
    for _ in range(times):
        call()
    if wait is not None:
        wait()
    return time.perf_counter() - begin


def check_certificate(setup: Setup) -> Outcome:
    """One input is certified, and its counts give the same certificate again."""
    model = setup.load()
    smoothed = rsonnx.SmoothedClassifier(model, 0.25, engine=_engine(model))
    x = np.random.default_rng(SEED).integers(0, 256, model.shape, np.uint8)
    begin = time.perf_counter()
    made = smoothed.certify(x, n=setup.n, seed=SEED)
    seconds = time.perf_counter() - begin
    counts = made.counts
    again = rsonnx.certify_from_counts(counts.selection, counts.estimation, sigma=0.25)
    passed = counts.estimation.total == setup.n
    passed &= (made.label, made.radius) == (again.label, again.radius)
    figures = {"n": setup.n, "seconds": seconds, "label": made.label, "radius": made.radius}
    note = f"n = {setup.n:,} in {seconds:.1f} s: class {made.label}, radius {in_full(made.radius)}"
    return Outcome(passed, note, figures)


CHECKS: Mapping[str, Callable[[Setup], Outcome]] = {
    "machine": check_machine,
    "noise": check_noise,
    "ties": check_ties,
    "convolutions": check_convolutions,
    "answers": check_answers,
    "speed": check_speed,
    "certificate": check_certificate,
    "restart": check_restart,
    "cuda-graph": check_cuda_graph,
    "float16": check_float16,
    "tensorrt": check_tensorrt,
    "devices": check_devices,
    "memory": check_memory,
    "memory-graph": partial(check_memory, cuda_graph=True),
}
"""By name, in the order in which they are run: what may spoil a device comes last."""
