"""How near rsonnx comes to the bare model: the ratio η, and where the rest of the time goes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
from bench_subjects import Subject
from bench_timing import Spread, rates, ratios, take_turns, timed
from numpy.typing import NDArray

from rsonnx.noise import Arithmetic, NoisyStream
from rsonnx.runtime import Session, choose_provider

SEED = 1
Call = Callable[[], object]


@dataclass(frozen=True)
class Eta:
    """One model on one provider; all rates are samples per second.

    Attributes:
        workers: threads that call the session, the same number on every side.
        batch: rows of a call, the same on every side.
        samples: of a round.
        rsonnx: noisy, counted samples.
        own: rsonnx's adapted session (preprocessing in front, label behind) on one ready batch.
        bare: the file's own session on one ready batch of normalised pixels.
        pooled: as bare, but one call at a time that ``workers`` threads share; None on a device.
        eta: rsonnx against bare.
        against_own: rsonnx against own.
        own_against_bare: what preprocessing and label cost.
    """

    model: str
    provider: str
    arithmetic: Arithmetic
    workers: int
    batch: int
    samples: int
    rsonnx: Spread
    own: Spread
    bare: Spread
    pooled: Spread | None
    eta: Spread
    against_own: Spread
    own_against_bare: Spread


def measure_eta(
    subject: Subject,
    provider: str,
    arithmetic: Arithmetic,
    *,
    rounds: int,
    workers: int,
    batch_size: int | None = None,
) -> Eta:
    """Let rsonnx, its own session and the bare session take turns on the same number of samples."""
    choice = choose_provider([provider])
    smoothed = subject.smoothed(
        provider,
        batch_size=batch_size,
        workers=workers if choice.is_cpu else None,
        arithmetic=arithmetic,
    )
    threads = workers if choice.is_cpu else 1
    batch = smoothed.batch_size
    if batch is None:
        raise SystemExit("the engine does not say its batch size; give --batch-size")
    batches = max(1, subject.samples // (batch * threads)) * threads
    samples = batches * batch
    point = smoothed.point(subject.image)
    pixels = subject.noisy(batch)
    session = bare_session(subject, provider)
    rows = subject.normalised(pixels)
    device = None if choice.is_cpu else "cuda"
    with ThreadPoolExecutor(threads) as pool:

        def all_batches(call: Call) -> Call:
            return lambda: run_batches(pool, threads, batches, call)

        runs: dict[str, Call] = {
            "rsonnx": lambda: smoothed.sample_counts(
                point, 0, samples, stage="estimation", seed=SEED
            ),
            "own": all_batches(lambda: smoothed.base.classify(pixels)),
            "bare": all_batches(bare_call(session, rows, device)),
        }
        if choice.is_cpu:
            pooled = bare_call(pooled_session(subject, threads), rows, None)
            runs["pooled"] = lambda: [pooled() for _ in range(batches)]
        seconds = take_turns(runs, rounds)
    return Eta(
        model=subject.name,
        provider=choice.name,
        arithmetic=arithmetic,
        workers=threads,
        batch=batch,
        samples=samples,
        rsonnx=rates(seconds["rsonnx"], samples),
        own=rates(seconds["own"], samples),
        bare=rates(seconds["bare"], samples),
        pooled=rates(seconds["pooled"], samples) if "pooled" in seconds else None,
        eta=ratios(seconds["bare"], seconds["rsonnx"]),
        against_own=ratios(seconds["own"], seconds["rsonnx"]),
        own_against_bare=ratios(seconds["bare"], seconds["own"]),
    )


def run_batches(pool: ThreadPoolExecutor, threads: int, batches: int, call: Call) -> None:
    """Call ``batches`` times from as many threads as rsonnx has workers, whoever is free."""
    work = iter(range(batches))
    lock = threading.Lock()

    def worker() -> None:
        while True:
            with lock:
                if next(work, None) is None:
                    return
            call()

    for future in [pool.submit(worker) for _ in range(threads)]:
        future.result()


def bare_session(subject: Subject, provider: str) -> onnxruntime.InferenceSession:
    """Return a session on the file with a free batch axis and nothing of rsonnx in the graph.

    It is taken out of rsonnx's own class, so that both sides have the same settings.
    """
    session = Session(freed(subject), choose_provider([provider]), str(subject.path))
    return session._session


def pooled_session(subject: Subject, threads: int) -> onnxruntime.InferenceSession:
    """Return a processor session whose calls are shared by ``threads`` threads of its own."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that spin between calls would slow whoever takes the next turn.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(freed(subject), options, providers=["CPUExecutionProvider"])


def freed(subject: Subject) -> bytes:
    """Return the file with a free first axis in its first input and all its outputs."""
    model = onnx.load(subject.path)
    for value in (model.graph.input[0], *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    del model.graph.value_info[:]
    return bytes(model.SerializeToString())


def bare_call(
    session: onnxruntime.InferenceSession, rows: NDArray[np.float32], device: str | None
) -> Call:
    """Return one call of the session on ready rows.

    Args:
        session: the bare session.
        rows: normalised pixels.
        device: where rows and scores stay between calls, such as ``"cuda"``; None passes numpy
            arrays, which costs a processor nothing.
    """
    name, outputs = session.get_inputs()[0].name, [session.get_outputs()[0].name]
    if device is None:
        return lambda: session.run(outputs, {name: rows})
    binding = session.io_binding()
    binding.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(rows, device, 0))
    binding.bind_output(outputs[0], device)
    return lambda: session.run_with_iobinding(binding)


@dataclass(frozen=True)
class Stages:
    """Shares of the time of one worker; they sum to 1.

    Attributes:
        noise: drawing it, adding the input, and scaling into the batch.
        session: the adapted model, from preprocessing to label.
        rest: checking and counting labels, cutting ranges, and everything else.
    """

    model: str
    provider: str
    arithmetic: Arithmetic
    noise: Spread
    session: Spread
    rest: Spread


def measure_stages(
    subject: Subject,
    provider: str,
    arithmetic: Arithmetic,
    *,
    rounds: int,
    batch_size: int | None = None,
) -> Stages:
    """Time the parts of counting, one worker, so that no time is counted twice."""
    smoothed = subject.smoothed(provider, batch_size=batch_size, workers=1, arithmetic=arithmetic)
    point = smoothed.point(subject.image)
    shares: list[NDArray[np.float64]] = []
    with timed((NoisyStream, "write"), (Session, "run")) as clocks:

        def count() -> None:
            for clock in clocks:
                clock.seconds = 0.0
            begun = time.perf_counter()
            smoothed.sample_counts(point, 0, subject.samples, stage="estimation", seed=SEED)
            total = time.perf_counter() - begun
            write, run = (clock.seconds for clock in clocks)
            parts = np.array([write, run, total - write - run])
            shares.append(parts / total)

        for _ in range(rounds + 1):
            count()
    noise, session, rest = (Spread.of(column) for column in np.array(shares[1:]).T)
    name = choose_provider([provider]).name
    return Stages(subject.name, name, arithmetic, noise, session, rest)
