"""How near rsonnx comes to the bare model, what noise costs, and where the rest goes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from benching.subjects import KINDS, Subject
from benching.turns import Record, Spread, rates, ratios, take_turns, timed
from rsonnx.noise import Arithmetic, Gaussian, InputSpace, NoisyStream
from rsonnx.noise.additive import quickest_block, quickest_normal
from rsonnx.noise.lattice import LatticeBlock
from rsonnx.runtime import Session, choose_provider

SEED = 1
ARITHMETICS: tuple[Arithmetic, Arithmetic] = ("exact", "float")
Call = Callable[[], object]


def measure_eta(
    subject: Subject,
    provider: str,
    arithmetic: Arithmetic,
    *,
    rounds: int,
    workers: int,
    batch_size: int | None,
) -> Record:
    """Let rsonnx, its own session and the bare session take turns on the same number of samples.

    Returns:
        Samples a second: ``rsonnx`` noisy and counted; ``own``, of rsonnx's adapted session
        (preprocessing in front, label behind) on one ready batch; ``bare``, of the file's own
        session on one ready batch of normalised pixels; ``pooled``, as bare, but one call at a time
        that the workers' threads share, None on a device; and ratios of those, η of the processor's
        seconds, too, which other work on the machine changes less. All with the same batch and
        number of threads.
    """
    choice = choose_provider([provider])
    threads, device = (workers, None) if choice.is_cpu else (1, "cuda")
    smoothed = subject.smoothed(
        provider,
        batch_size=batch_size,
        workers=workers if choice.is_cpu else None,
        arithmetic=arithmetic,
    )
    batch = smoothed.batch_size
    if batch is None:
        raise SystemExit("the engine does not say its batch size; give --batch-size")
    batches = max(1, subject.samples // (batch * threads)) * threads
    samples = batches * batch
    point, pixels = smoothed.point(subject.image), subject.noisy(batch)
    rows = subject.normalised(pixels)
    bare = bare_call(bare_session(subject, provider), rows, device)
    with ThreadPoolExecutor(threads) as pool:

        def own() -> None:
            run_batches(pool, threads, batches, lambda: smoothed.base.classify(pixels))

        runs: dict[str, Call] = {
            "rsonnx": lambda: smoothed.sample_counts(
                point, 0, samples, stage="estimation", seed=SEED
            ),
            "own": own,
            "bare": lambda: run_batches(pool, threads, batches, bare),
        }
        if choice.is_cpu:
            pooled = bare_call(pooled_session(subject, threads), rows, None)
            runs["pooled"] = lambda: [pooled() for _ in range(batches)]
        used: dict[str, list[float]] = {name: [] for name in runs}
        clocked = {name: _clocked(run, used[name]) for name, run in runs.items()}
        seconds = take_turns(clocked, rounds)
    return {
        "model": subject.name,
        "provider": choice.name,
        "arithmetic": arithmetic,
        "workers": threads,
        "batch": batch,
        "samples": samples,
        "pooled": None,
        **{who: rates(taken, samples) for who, taken in seconds.items()},
        "eta": ratios(seconds["bare"], seconds["rsonnx"]),
        "eta_of_processor": ratios(used["bare"][1:], used["rsonnx"][1:]),
        "against_own": ratios(seconds["own"], seconds["rsonnx"]),
        "own_against_bare": ratios(seconds["bare"], seconds["own"]),
    }


def _clocked(run: Call, used: list[float]) -> Call:
    """Return what runs the same and notes the processor's seconds, of all threads."""

    def clocked() -> None:
        begun = time.process_time()
        run()
        used.append(time.process_time() - begun)

    return clocked


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
    return Session(subject.freed(), choose_provider([provider]), str(subject.path))._session


def pooled_session(subject: Subject, threads: int) -> onnxruntime.InferenceSession:
    """Return a processor session whose calls are shared by ``threads`` threads of its own."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that spin between calls would slow whoever takes the next turn.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(
        subject.freed(), options, providers=["CPUExecutionProvider"]
    )


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


def measure_stages(
    subject: Subject,
    provider: str,
    arithmetic: Arithmetic,
    *,
    rounds: int,
    batch_size: int | None,
) -> Record:
    """Time the parts of counting, one worker, so that no time is counted twice.

    Returns:
        The shares of ``noise`` (drawn, added, scaled into the batch), ``session`` (from
        preprocessing to label) and ``rest``, which sum to 1.
    """
    smoothed = subject.smoothed(provider, batch_size=batch_size, workers=1, arithmetic=arithmetic)
    point = smoothed.point(subject.image)
    shares = []
    for _ in range(rounds + 1):
        with timed((NoisyStream, "write"), (Session, "run_all")) as seconds:
            begun = time.perf_counter()
            smoothed.sample_counts(point, 0, subject.samples, stage="estimation", seed=SEED)
            total = time.perf_counter() - begun
        shares.append(np.array([*seconds, total - sum(seconds)]) / total)
    parts = zip(("noise", "session", "rest"), np.array(shares[1:]).T, strict=True)
    return {
        "model": subject.name,
        "provider": choose_provider([provider]).name,
        "arithmetic": arithmetic,
        **{name: Spread.of(column) for name, column in parts},
    }


def measure_noise(*, rounds: int, values: int) -> Iterator[Record]:
    """Time all that a worker does with noise, beside numpy's yardstick, on 3x32x32 pixels.

    Args:
        rounds: turns of each.
        values: drawn in a turn, at least.

    Yields:
        Nanoseconds a value ``written``: drawn, added to the input, scaled into float32.
    """
    shape = KINDS["resnet20"].shape
    image = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    quickest_normal()
    drawers = dict.fromkeys([LatticeBlock, quickest_block()])
    ways = [("exact, compiled" if d is not LatticeBlock else "exact, numpy", d) for d in drawers]
    runs: dict[str, Call] = {}
    for how, drawer in [*ways, ("float", LatticeBlock)]:
        point = InputSpace(shape).point(image, "float" if how == "float" else "exact")
        stream = NoisyStream(point, Gaussian(0.5), 1, "estimation")
        batch = np.empty((stream.block, *stream.sample_shape), np.float32)
        blocks = -(-values // batch.size)

        def write(stream=stream, batch=batch, blocks=blocks, drawer=drawer) -> None:  # type: ignore[no-untyped-def]
            with mock.patch("rsonnx.noise.additive.exact_block", return_value=drawer):
                for block in range(blocks):
                    stream.write(block * stream.block, batch)

        runs[f"gaussian {how}"] = write
    size = blocks * batch.size
    generator = np.random.Generator(np.random.PCG64(1))
    buffer = np.empty(size // 16, np.float32)
    runs["numpy standard_normal float32"] = lambda: [
        generator.standard_normal(dtype=np.float32, out=buffer) for _ in range(16)
    ]
    for what, taken in take_turns(runs, rounds).items():
        written = Spread.of([1e9 * s / size for s in taken])
        yield {"what": what, "values": size, "written": written}
