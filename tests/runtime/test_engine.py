from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx_models import linear, save

from rsonnx.counts import Counts
from rsonnx.errors import DataError, InferenceError, UsageError
from rsonnx.noise import Gaussian, InputSpace, NoisyStream
from rsonnx.runtime import CountRequest, OnnxClassifier, ThreadEngine
from rsonnx.runtime.resources import available_memory
from rsonnx.smoothing import load

Batch = NDArray[np.float32]
SHAPE = (1, 4, 4)


class Thirds:
    """Three classes and no class, from a fixed function of an input's values."""

    num_classes = 3
    thread_safe = True

    def classify(self, batch: Batch) -> NDArray[np.int64]:
        return np.asarray(np.floor(batch.reshape(len(batch), -1).sum(axis=1)) % 4 - 1, np.int64)


class Function:
    """A base classifier that is a function; it claims nothing but what a test gives it."""

    def __init__(self, classify: Callable[[Batch], Any], **claims: Any) -> None:
        self.classify = classify
        self.__dict__.update(claims)


class Ramp:
    """A stream whose sample i is filled with i, so that every sample can be told apart."""

    def __init__(self, block: int = 16, shape: tuple[int, ...] = (2,)) -> None:
        self.block = block
        self.sample_shape = shape

    def write(self, start: int, out: Batch) -> None:
        index = np.arange(start, start + len(out), dtype=np.float32)
        out[...] = index.reshape(-1, *[1] * len(self.sample_shape))


def noisy(shape: tuple[int, ...] = SHAPE, seed: int = 7) -> NoisyStream:
    levels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    return NoisyStream(InputSpace(shape).point(levels), Gaussian(0.5), seed, "estimation")


@pytest.fixture(scope="module")
def onnx_classifier(tmp_path_factory: pytest.TempPathFactory) -> OnnxClassifier:
    folder: Path = tmp_path_factory.mktemp("engine")
    return load(save(linear(), folder), preprocess="none", providers="cpu")


RANGES = [(0, 600), (5, 6), (255, 257), (256, 512), (300, 777)]


def requests(stream: Any) -> list[CountRequest]:
    return [CountRequest(stream, start, stop) for start, stop in RANGES]


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("batch_size", [1, 2, 7, 64, 128, 1000])
def test_counts_show_neither_batches_nor_workers(
    onnx_classifier: OnnxClassifier, batch_size: int, workers: int
) -> None:
    stream = noisy()
    for classifier in (onnx_classifier, Thirds()):
        whole = np.empty((777, *SHAPE), np.float32)
        stream.write(0, whole)
        labels = classifier.classify(whole)
        assert len(set(labels.tolist())) >= 3  # else this test would show little
        found = ThreadEngine(classifier, batch_size, workers).count(requests(stream))
        for (start, stop), counts in zip(RANGES, found, strict=True):
            assert counts == Counts.from_labels(labels[start:stop])
            assert counts.total == stop - start
            assert len(counts) == classifier.num_classes


def test_counts_of_disjoint_ranges_add() -> None:
    stream, engine = noisy(), ThreadEngine(Thirds(), 50, 2)
    cuts = [0, 1, 37, 256, 300, 513, 900]
    parts = engine.count([CountRequest(stream, a, b) for a, b in pairwise(cuts)])
    (whole,) = engine.count([CountRequest(stream, 0, 900)])
    assert sum(parts[1:], parts[0]) == whole
    assert whole.no_class > 0
    assert whole.total == 900


def test_requests_of_different_shapes_share_a_call() -> None:
    streams = [noisy((1, 4, 4)), noisy((3, 2, 2)), noisy((5,)), noisy((1, 4, 4), seed=8)]
    engine = ThreadEngine(Thirds(), None, 3)
    together = engine.count([CountRequest(s, 3, 300) for s in streams])
    alone = [engine.count([CountRequest(s, 3, 300)])[0] for s in streams]
    assert together == alone
    assert together[0] != together[3]


def test_every_sample_is_counted_once() -> None:
    classifier = Function(lambda b: b[:, 0].astype(np.int64), thread_safe=True)
    (counts,) = ThreadEngine(classifier, 10, 3).count([CountRequest(Ramp(), 13, 205)])
    expected = np.zeros(205, np.int64)
    expected[13:] = 1
    np.testing.assert_array_equal(counts.classes, expected)


def test_no_requests_and_empty_ranges_give_no_counts() -> None:
    for workers in (1, 2):
        engine = ThreadEngine(Thirds(), 8, workers)
        assert engine.count([]) == []
        (empty,) = engine.count([CountRequest(Ramp(), 5, 5)])
        assert (empty.total, len(empty)) == (0, 3)


@pytest.mark.parametrize("workers", [1, 3])
def test_progress_adds_up_to_the_samples(workers: int) -> None:
    seen: list[int] = []
    ThreadEngine(Thirds(), 40, workers).count(requests(noisy()), seen.append)
    assert sum(seen) == sum(stop - start for start, stop in RANGES)
    assert min(seen) >= 1


def test_a_classifier_may_not_say_how_many_classes_it_has() -> None:
    classifier = Function(lambda b: np.full(len(b), 41), thread_safe=False)
    (counts,) = ThreadEngine(classifier).count([CountRequest(Ramp(), 0, 100)])
    assert counts[41] == counts.total == 100


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.uint8, np.int64, ">i8"])
def test_any_integer_type_is_taken(dtype: Any) -> None:
    classifier = Function(lambda b: (b[:, 0] % 2).astype(dtype), num_classes=2)
    (counts,) = ThreadEngine(classifier, 7).count([CountRequest(Ramp(), 0, 101)])
    assert counts == Counts([51, 50])


def test_a_classifier_may_answer_in_one_buffer_again_and_again() -> None:
    buffer = np.empty(7, np.int64)

    def classify(batch: Batch) -> NDArray[np.int64]:
        buffer[: len(batch)] = batch[:, 0]
        return buffer[: len(batch)]

    (counts,) = ThreadEngine(Function(classify), 7).count([CountRequest(Ramp(), 0, 32)])
    np.testing.assert_array_equal(counts.classes, np.ones(32))


def test_workers_share_no_buffer() -> None:
    """A batch must still hold what it held when its worker comes back from a pause."""
    owners: dict[int, set[int]] = {}
    changed = []

    def classify(batch: Batch) -> NDArray[np.int64]:
        before = batch.copy()
        owners.setdefault(threading.get_ident(), set()).add(batch.__array_interface__["data"][0])
        time.sleep(0.001)
        changed.append(not np.array_equal(before, batch))
        return np.zeros(len(batch), np.int64)

    ThreadEngine(Function(classify), 16, 3).count([CountRequest(Ramp(), 0, 1600)])
    assert len(changed) == 100
    assert not any(changed)
    assert len(owners) >= 2
    used = list(owners.values())
    assert not set.intersection(*used[:2])


FAULTS: dict[str, Callable[[Batch], Any]] = {
    "ZeroDivisionError": lambda b: len(b) // 0,
    "scalar": lambda b: len(b) + 0,
    "object": lambda b: {len(b): 0},
    "short": lambda b: np.zeros(len(b) - 1, np.int64),
    "scores": lambda b: np.zeros((len(b), 3), np.int64),
    "float64": lambda b: np.zeros(len(b)),
    "bool": lambda b: np.zeros(len(b), bool),
    "label 3": lambda b: np.full(len(b), 3),
    "label -2": lambda b: np.full(len(b), -2),
}


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_an_error_and_never_a_vote(fault: str, workers: int) -> None:
    """It comes after some good batches, and no worker takes many more parts afterwards."""
    lock, calls = threading.Lock(), []

    def classify(batch: Batch) -> Any:
        with lock:
            calls.append(len(batch))
            good = len(calls) < 5
        time.sleep(0.0005)
        return np.zeros(len(batch), np.int64) if good else FAULTS[fault](batch)

    engine = ThreadEngine(Function(classify, num_classes=3), 16, workers)
    with pytest.raises(InferenceError, match="the classifier"):
        engine.count([CountRequest(Ramp(), 0, 1_000_000)])
    assert len(calls) <= 5 + 10 * workers  # of 62,500


def test_the_package_s_own_errors_pass_unchanged() -> None:
    def classify(batch: Batch) -> Any:
        raise DataError("as it was")

    with pytest.raises(DataError, match=r"^as it was$"):
        ThreadEngine(Function(classify), 4, 2).count([CountRequest(Ramp(), 0, 100)])


class StopError(Exception):
    """Raised by a caller's own progress."""


@pytest.mark.parametrize("error", [KeyboardInterrupt, StopError])
@pytest.mark.parametrize(("workers", "waiting"), [(1, False), (3, False), (3, True)])
def test_what_progress_raises_stops_the_workers(
    error: type[BaseException], workers: int, waiting: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So does a Ctrl-C that ends the wait of the main thread for its workers."""
    before, calls = threading.active_count(), []

    def classify(batch: Batch) -> NDArray[np.int64]:
        calls.append(len(batch))
        time.sleep(0.0005 * waiting)
        return np.zeros(len(batch), np.int64)

    def progress(samples: int) -> None:
        if len(calls) > 3 and not waiting:
            raise error

    def interrupted(*args: object, **kwargs: object) -> None:
        time.sleep(0.01)
        raise error

    if waiting:
        monkeypatch.setattr("rsonnx.runtime.engine.wait", interrupted)
    engine = ThreadEngine(Function(classify), 16, workers)
    with pytest.raises(error):
        engine.count([CountRequest(Ramp(), 0, 10_000_000)], progress)
    assert len(calls) < 10_000  # of 625,000
    assert threading.active_count() == before


@pytest.mark.parametrize("value", [0, -1, 2.5])
@pytest.mark.parametrize("name", ["batch_size", "workers"])
def test_batch_size_and_workers_are_whole_numbers_from_1(name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=f"{name} is {value}"):
        ThreadEngine(Thirds(), **{name: value})


def test_several_workers_only_for_a_classifier_that_allows_them() -> None:
    assert ThreadEngine(Function(len)).workers == 1
    assert ThreadEngine(Function(len, thread_safe=True, on_cpu=False)).workers == 1
    assert ThreadEngine(Function(len, thread_safe=True)).workers >= 1
    assert ThreadEngine(Function(len), None, 4).workers == 4


def test_batches_shrink_with_the_size_of_an_input() -> None:
    engine = ThreadEngine(Thirds())
    sizes = [engine.batch_size(s) for s in [(1,), (1, 28, 28), (3, 224, 224), (3, 4096, 4096)]]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == 128
    assert sizes[-1] == 1


def seen_batches(requests: list[CountRequest], batch_size: int, workers: int) -> list[int]:
    sizes: list[int] = []

    def classify(batch: Batch) -> NDArray[np.int64]:
        sizes.append(len(batch))
        return batch[:, 0].astype(np.int64) % 7

    ThreadEngine(Function(classify, thread_safe=True), batch_size, workers).count(requests)
    return sizes


@pytest.mark.parametrize("workers", [1, 3])
def test_small_requests_share_batches(workers: int) -> None:
    """64 looks of 32 samples are 16 batches of 128, not 64 calls a quarter full."""
    looks = [CountRequest(Ramp(256), 32 * k, 32 * k + 32) for k in range(64)]
    assert seen_batches(looks, 128, workers) == [128] * 16


@pytest.mark.parametrize("batch_size", [1, 7, 100, 128])
def test_no_batch_but_the_last_of_a_shape_is_mostly_empty(batch_size: int) -> None:
    rng = np.random.default_rng(5)
    ranges = [
        CountRequest(Ramp(16), int(start), int(start + length))
        for start, length in zip(rng.integers(0, 900, 200), rng.integers(1, 90, 200), strict=True)
    ]
    sizes = seen_batches(ranges, batch_size, 1)
    assert sum(sizes) == sum(r.stop - r.start for r in ranges)
    assert max(sizes) <= batch_size
    assert min(sizes[:-1]) >= batch_size / 2


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("batch_size", [1, 5, 64, 1000])
def test_sharing_batches_mixes_no_counts_up(batch_size: int, workers: int) -> None:
    streams = [noisy(seed=k) for k in range(7)]
    asked = [
        CountRequest(stream, start, start + 3 + 40 * k)
        for k, stream in enumerate(streams)
        for start in (0, 250, 13)
    ]
    engine = ThreadEngine(Thirds(), batch_size, workers)
    expected = [ThreadEngine(Thirds(), 1, 1).count([one])[0] for one in asked]
    assert engine.count(asked) == expected


def test_batches_that_fit_no_memory_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any of it is taken: Linux grants memory that it does not have, and kills later."""
    monkeypatch.setattr("rsonnx.runtime.engine.available_memory", lambda: 2**30)
    asked = [CountRequest(Ramp(256, (1000,)), 0, 10**9)]
    calls: list[int] = []
    engine = ThreadEngine(Function(lambda b: calls.append(len(b))), 10**8, 2)
    with pytest.raises(UsageError, match=r"batch size"):
        engine.count(asked)
    assert calls == []
    small = [CountRequest(Ramp(256, (1000,)), 0, 100)]  # a batch is never larger than its samples
    zeros = Function(lambda b: np.zeros(len(b), np.int64))
    assert ThreadEngine(zeros, 10**8, 2).count(small)[0].total == 100


@pytest.mark.parametrize(
    ("meminfo", "limit", "expected"),
    [
        ("MemTotal: 9 kB\nMemAvailable:   2000 kB\n", None, 2_048_000),
        ("MemTotal: 9 kB\nMemAvailable:   2000 kB\n", "max\n", 2_048_000),
        ("MemTotal: 9 kB\nMemAvailable:   2000 kB\n", "1000000\n", 1_000_000),
        ("MemTotal: 9 kB\n", None, None),
        (None, None, None),
    ],
)
def test_free_memory_is_read_where_linux_says_it(
    meminfo: str | None, limit: str | None, expected: int | None, tmp_path: Path
) -> None:
    for name, text in (("proc/meminfo", meminfo), ("sys/fs/cgroup/memory.max", limit)):
        if text is not None:
            (tmp_path / name).parent.mkdir(parents=True)
            (tmp_path / name).write_text(text)
    assert available_memory(tmp_path) == expected
