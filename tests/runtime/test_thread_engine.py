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
from runtime.workers.far import Ramp, noisy

from rsonnx.counts import Counts
from rsonnx.errors import DataError, InferenceError, ProviderError, UsageError
from rsonnx.runtime import CountRequest, Pace, ThreadEngine
from rsonnx.smoothing import load

Batch = NDArray[np.float32]
RANGES = [(0, 600), (5, 6), (255, 257), (256, 512), (4, 4), (300, 777)]


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


class Seen(Function):
    """Answers 0 to all, and keeps how many rows it was given."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.sizes: list[int] = []
        super().__init__(self._classify, thread_safe=True)
        self._seconds = seconds

    def _classify(self, batch: Batch) -> NDArray[np.int64]:
        self.sizes.append(len(batch))
        time.sleep(self._seconds)
        return np.zeros(len(batch), np.int64)


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("batch_size", [1, 2, 7, 64, 128, 1000])
def test_counts_show_neither_batches_nor_workers(
    tmp_path: Path, batch_size: int, workers: int
) -> None:
    stream = noisy()
    whole = np.empty((777, *stream.sample_shape), np.float32)
    stream.write(0, whole)
    for classifier in (
        load(save(linear(), tmp_path), preprocess="none", providers="cpu"),
        Thirds(),
    ):
        labels = classifier.classify(whole)
        assert len(set(labels.tolist())) >= 3  # else this test would show little
        seen: list[int] = []
        counts = ThreadEngine(classifier, batch_size, workers).count(
            [CountRequest(stream, start, stop) for start, stop in RANGES], seen.append
        )
        assert counts == [Counts.from_labels(labels[start:stop]) for start, stop in RANGES]
        assert {len(c) for c in counts} == {classifier.num_classes}
        assert sum(seen) == sum(stop - start for start, stop in RANGES)
        assert min(seen) >= 1


def test_counts_of_disjoint_ranges_add() -> None:
    stream, engine = noisy(), ThreadEngine(Thirds(), 50, 2)
    cuts = [0, 1, 37, 256, 300, 513, 900]
    parts = engine.count([CountRequest(stream, a, b) for a, b in pairwise(cuts)])
    (whole,) = engine.count([CountRequest(stream, 0, 900)])
    assert sum(parts[1:], parts[0]) == whole
    assert whole.no_class > 0
    assert whole.total == 900
    assert engine.count([]) == []


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("batch_size", [None, 1, 5, 64, 1000])
def test_sharing_a_call_and_its_batches_mixes_no_counts_up(
    batch_size: int | None, workers: int
) -> None:
    """Requests of several shapes too."""
    streams = [noisy(k, shape) for k, shape in enumerate([(1, 4, 4)] * 5 + [(3, 2, 2), (5,)])]
    asked = [
        CountRequest(stream, start, start + 3 + 40 * k)
        for k, stream in enumerate(streams)
        for start in (0, 250, 13)
    ]
    engine = ThreadEngine(Thirds(), batch_size, workers)
    assert engine.count(asked) == [ThreadEngine(Thirds(), 1, 1).count([one])[0] for one in asked]


def test_every_sample_is_counted_once_and_the_number_of_classes_may_be_unknown() -> None:
    classifier = Function(lambda b: b[:, 0].astype(np.int64), thread_safe=True)
    (counts,) = ThreadEngine(classifier, 10, 3).count([CountRequest(Ramp(), 13, 205)])
    expected = np.zeros(205, np.int64)
    expected[13:] = 1
    np.testing.assert_array_equal(counts.classes, expected)


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
        owners.setdefault(threading.get_ident(), set()).add(batch.ctypes.data)
        time.sleep(0.001)
        changed.append(not np.array_equal(before, batch))
        return np.zeros(len(batch), np.int64)

    ThreadEngine(Function(classify), 16, 3).count([CountRequest(Ramp(), 0, 1600)])
    assert changed == [False] * 100
    first, second, *_ = owners.values()
    assert not first & second


FAULTS: dict[str, Callable[[Batch], Any]] = {
    "raises": lambda b: len(b) // 0,
    "scalar": lambda b: len(b) + 0,
    "object": lambda b: {len(b): 0},
    "short": lambda b: np.zeros(len(b) - 1, np.int64),
    "scores": lambda b: np.zeros((len(b), 3), np.int64),
    "floats": lambda b: np.zeros(len(b)),
    "bools": lambda b: np.zeros(len(b), bool),
    "large": lambda b: np.full(len(b), 3),
    "negative": lambda b: np.full(len(b), -2),
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
    before, classifier = threading.active_count(), Seen(0.0005 * waiting)

    def progress(samples: int) -> None:
        if len(classifier.sizes) > 3 and not waiting:
            raise error

    def interrupted(*args: object, **kwargs: object) -> None:
        time.sleep(0.01)
        raise error

    if waiting:
        monkeypatch.setattr("rsonnx.runtime.thread_engine.wait", interrupted)
    engine = ThreadEngine(classifier, 16, workers)
    with pytest.raises(error):
        engine.count([CountRequest(Ramp(), 0, 10_000_000)], progress)
    assert len(classifier.sizes) < 10_000  # of 625,000
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
    assert (sizes[0], sizes[-1]) == (128, 1)


@pytest.mark.parametrize("workers", [1, 3])
def test_small_requests_share_batches(workers: int) -> None:
    """64 looks of 32 samples are 16 batches of 128, not 64 calls a quarter full."""
    classifier = Seen()
    looks = [CountRequest(Ramp(256), 32 * k, 32 * k + 32) for k in range(64)]
    ThreadEngine(classifier, 128, workers).count(looks)
    assert classifier.sizes == [128] * 16


@pytest.mark.parametrize("batch_size", [1, 7, 100, 128])
def test_no_batch_but_the_last_of_a_shape_is_mostly_empty(batch_size: int) -> None:
    classifier, rng = Seen(), np.random.default_rng(5)
    starts, lengths = rng.integers(0, 900, 200).tolist(), rng.integers(1, 90, 200).tolist()
    ranges = [CountRequest(Ramp(16), s, s + n) for s, n in zip(starts, lengths, strict=True)]
    ThreadEngine(classifier, batch_size, 1).count(ranges)
    assert sum(classifier.sizes) == sum(lengths)
    assert max(classifier.sizes) <= batch_size
    assert min(classifier.sizes[:-1]) >= batch_size / 2


@pytest.mark.parametrize(("call", "batches"), [(1e-5, 8), (2.0, 1)])
def test_a_worker_takes_several_batches_of_a_quick_model_and_fewer_where_few_are_left(
    call: float, batches: int
) -> None:
    written: list[int] = []

    class Noted(Ramp):
        def write(self, start: int, out: Batch) -> None:
            written.append(len(out))
            super().write(start, out)

    classifier = Seen()
    classifier.pace = Pace(call, 0.0)
    ThreadEngine(classifier, 16, 2).count([CountRequest(Noted(), 0, 1000)])
    assert max(classifier.sizes) == 16
    assert max(written) == 16 * batches
    assert min(written) <= 16


def test_batches_that_fit_no_memory_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any of it is taken: Linux grants memory that it does not have, and kills later."""
    monkeypatch.setattr("rsonnx.runtime.thread_engine.available_memory", lambda: 2**30)
    classifier, stream = Seen(), Ramp(256, (1000,))
    engine = ThreadEngine(classifier, 10**8, 2)
    with pytest.raises(UsageError, match=r"batch size"):
        engine.count([CountRequest(stream, 0, 10**9)])
    assert classifier.sizes == []
    # A batch is never larger than its samples.
    assert engine.count([CountRequest(stream, 0, 100)])[0].total == 100


@pytest.mark.parametrize("look", ["confirm", "watch"])
def test_what_was_refused_is_looked_at_again(look: str) -> None:
    """Who catches the error and asks once more is told once more."""

    def refuse(*_: object) -> None:
        raise ProviderError("it differs")

    made = Function(Thirds().classify, num_classes=3, on_cpu=look == "watch", **{look: refuse})
    engine = ThreadEngine(made, 64, 1)
    for _ in range(2):
        with pytest.raises(ProviderError):
            engine.count([CountRequest(noisy(), 0, 64)])


@pytest.mark.parametrize("claims", [{}, {"on_cpu": True}])
def test_a_processor_confirms_nothing(claims: dict[str, bool]) -> None:
    """What it answers in batches was compared when the model was loaded; no row is run twice."""
    seen = Seen()
    seen.__dict__ |= {"confirm": lambda *_: pytest.fail("it was confirmed")} | claims
    ThreadEngine(seen, 64, 1).count([CountRequest(noisy(), 0, 128)])
    assert seen.sizes == [64, 64]


@pytest.mark.parametrize(
    ("pace", "batch", "batches"),
    [
        (Pace(0.0001, 0.0), 128, 32),
        (Pace(2.0, 2.0), 1, 2),  # rows that gain nothing from companions: one a call
        (Pace(2.0, 0.02), 128, 1),  # those that gain much: a call of four times as long at most
        (Pace(2.0, 0.5), 13, 1),
    ],
)
def test_calls_of_a_slow_model_are_as_long_as_they_need_to_be(
    pace: Pace, batch: int, batches: int
) -> None:
    classifier = Function(Thirds().classify, pace=pace)
    engine = ThreadEngine(classifier, workers=2)
    assert engine.batch_size((1, 2, 2)) == batch
    assert engine.appetite((1, 2, 2)) == batch * batches * 2
    assert ThreadEngine(classifier, 64).batch_size((1, 2, 2)) == 64
