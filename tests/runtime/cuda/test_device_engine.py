"""The device engine on a device that is this machine: its counts are those of worker threads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from host_device import NEEDS_COMPILER, HostDevice
from onnx_models import build, linear, node, save

from rsonnx.errors import InferenceError, UsageError
from rsonnx.noise import Arithmetic, Gaussian, InputSpace, NoisyStream
from rsonnx.runtime import CountRequest, OnnxClassifier, ThreadEngine
from rsonnx.runtime.cuda import DeviceEngine
from rsonnx.runtime.session import Buffer, DeviceMemoryError
from rsonnx.smoothing import load

pytestmark = NEEDS_COMPILER

SHAPE = (1, 4, 4)
RANGES = [(0, 600), (5, 6), (255, 257), (9, 9), (256, 512), (300, 777)]


def loaded(proto: onnx.ModelProto, folder: Path) -> OnnxClassifier:
    return load(save(proto, folder), preprocess="none", providers="cpu")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> OnnxClassifier:
    return loaded(linear(), tmp_path_factory.mktemp("device"))


def noisy(
    seed: int = 7,
    stage: str = "estimation",
    arithmetic: Arithmetic | None = None,
    shape: tuple[int, ...] = SHAPE,
) -> NoisyStream:
    levels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    return NoisyStream(InputSpace(shape).point(levels, arithmetic), Gaussian(0.5), seed, stage)


def requests(*streams: NoisyStream) -> list[CountRequest]:
    return [CountRequest(s, start, stop) for start, stop in RANGES for s in streams]


@pytest.mark.parametrize("batch_size", [1, 7, 64, 128, 1000, None])
def test_counts_are_those_of_worker_threads(model: OnnxClassifier, batch_size: int | None) -> None:
    asked = requests(noisy(), noisy(seed=8), noisy(stage="selection"))
    if batch_size in (1, 7):  # a batch is three kernels
        asked = [CountRequest(r.stream, r.start, min(r.stop, r.start + 40)) for r in asked[3:]]
    engine, seen = DeviceEngine(model, HostDevice(), batch_size), list[int]()
    assert engine.appetite(SHAPE) >= 8 * engine.size
    counts = engine.count(asked, seen.append)
    assert counts == ThreadEngine(model).count(asked)
    assert [len(c) for c in counts] == [5] * len(asked)
    full, rest = divmod(sum(r.stop - r.start for r in asked), engine.size)
    assert seen == [engine.size] * full + [rest] * (rest > 0)
    assert engine.facts == {"noise": "device", "batch_size": engine.size}


def test_nothing_to_count(model: OnnxClassifier) -> None:
    device = HostDevice()
    engine = DeviceEngine(model, device, 8)
    assert engine.count([]) == []
    (empty,) = engine.count([CountRequest(noisy(), 5, 5)])
    assert (empty.total, len(empty), device.launches) == (0, 5, [])


def test_an_input_of_many_streams_is_sent_once(model: OnnxClassifier) -> None:
    device, first, tables = HostDevice(), noisy(), 6
    streams = (first, replace(first, stage="selection"), first)
    DeviceEngine(model, device, 8).count([CountRequest(s, 0, 8) for s in streams])
    assert device.sent == tables + 1


def test_answers_that_are_no_class_have_their_own_bin(tmp_path: Path) -> None:
    made = build([node("Log", ["x"], "scores")], ("batch", 3), ("batch", 3))
    model = loaded(made, tmp_path)
    asked = [CountRequest(noisy(shape=(3,)), 0, 500)]
    (counts,) = DeviceEngine(model, HostDevice(), 48).count(asked)
    assert [counts] == ThreadEngine(model).count(asked)
    assert 0 < counts.no_class < counts.total == 500


@pytest.mark.parametrize("batch_size", [5, 64])
def test_noise_off_the_grid_is_drawn_on_the_host(model: OnnxClassifier, batch_size: int) -> None:
    asked = requests(noisy(), noisy(arithmetic="float"))
    engine = DeviceEngine(model, HostDevice(), batch_size)
    assert engine.count(asked) == ThreadEngine(model).count(asked)
    assert engine.facts["noise"] == "host"


def test_a_model_of_one_batch_size_runs_at_it(tmp_path: Path) -> None:
    model = loaded(linear((3, 1, 4, 4)), tmp_path)
    engine = DeviceEngine(replace(model, batch_size=3), HostDevice(), 64)
    assert engine.size == 3
    assert engine.count(requests(noisy())) == ThreadEngine(model).count(requests(noisy()))


class Narrow:
    """A session that has memory for so many rows, and writes nonsense labels where it fails."""

    def __init__(self, session: Any, rows: int, fail_at: int = 0) -> None:
        self.session, self.rows, self.fail_at = session, rows, fail_at
        self.runs: list[int] = []

    def bind(self, name: str, data: Buffer, output: str, answer: Buffer) -> Callable[[], None]:
        rows, bound = data.shape[0], self.session.bind(name, data, output, answer)

        def run() -> None:
            self.runs.append(rows)
            bound()  # the labels are there, and must still not be counted
            if rows > self.rows or len(self.runs) == self.fail_at:
                self.rows = min(self.rows, rows // 2)
                raise DeviceMemoryError("CUDA out of memory")

        return run


def narrow(model: OnnxClassifier, rows: int, fail_at: int = 0, **changes: Any) -> OnnxClassifier:
    session: Any = Narrow(model.session, rows, fail_at)
    return replace(model, session=session, **changes)


@pytest.mark.parametrize(("rows", "fail_at"), [(16, 0), (1000, 5), (16, 9)])
def test_out_of_memory_halves_the_batch_and_counts_nothing_twice(
    model: OnnxClassifier, rows: int, fail_at: int
) -> None:
    """At the first run, and after some good ones; nothing is lost and nothing counted twice."""
    device, small, seen = HostDevice(), narrow(model, rows, fail_at), list[int]()
    engine = DeviceEngine(small, device, 128)
    asked = requests(noisy(), noisy(seed=8))
    assert engine.count(asked, seen.append) == ThreadEngine(model).count(asked)
    assert sum(seen) == sum(r.stop - r.start for r in asked)
    last = small.session.runs[-1]  # type: ignore[attr-defined]
    assert engine.size == last == (64 if rows == 1000 else 8 if fail_at else 16)
    assert device.released


def test_a_batch_that_does_not_fit_is_given_back_before_the_next(model: OnnxClassifier) -> None:
    device = HostDevice()
    engine = DeviceEngine(narrow(model, 5_000), device, 20_000)
    engine.count([CountRequest(noisy(), 0, 100)])
    assert engine.size == 5_000
    bytes_a_row = 4 * 16
    assert max(device.released) < 10_000 * bytes_a_row


def test_no_memory_for_the_buffers_halves_the_batch_too(model: OnnxClassifier) -> None:
    device = HostDevice(memory=700_000)  # enough for the tables; a row has 64 bytes
    engine = DeviceEngine(model, device, 20_000)
    asked = [CountRequest(noisy(), 0, 20_000)]
    assert engine.count(asked) == ThreadEngine(model).count(asked)
    assert engine.size == 10_000


@pytest.mark.parametrize(("fixed", "runs"), [(None, [8, 4, 2, 1]), (8, [8])])
def test_a_batch_that_fits_no_memory_is_one_sentence(
    model: OnnxClassifier, fixed: int | None, runs: list[int]
) -> None:
    small = narrow(model, 0, batch_size=fixed)
    with pytest.raises(DeviceMemoryError, match=f"batch of {runs[-1]}"):
        DeviceEngine(small, HostDevice(), 8).count(requests(noisy()))
    assert small.session.runs == runs  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("changes", "shape", "named"),
    [({"shape": (1, 4, 5)}, (1, 4, 5), r"\[8, 1, 4, 5\]"), ({"num_classes": 2}, SHAPE, "labels")],
)
def test_what_the_model_does_wrong_is_an_error(
    model: OnnxClassifier, changes: dict[str, Any], shape: tuple[int, ...], named: str
) -> None:
    """A run that fails, and a label that is no class."""
    engine = DeviceEngine(replace(model, **changes), HostDevice(), 8)
    with pytest.raises(InferenceError, match=named):
        engine.count([CountRequest(noisy(shape=shape), 0, 80)])


class StopError(Exception):
    """Raised by a caller's own progress."""


def test_a_call_that_was_stopped_leaves_nothing_behind(model: OnnxClassifier) -> None:
    engine, asked = DeviceEngine(model, HostDevice(), 64), requests(noisy())

    def stop(samples: int) -> None:
        raise StopError

    with pytest.raises(StopError):
        engine.count(asked, stop)
    assert engine.count(asked) == ThreadEngine(model).count(asked)


def test_padding_is_never_counted(model: OnnxClassifier, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies in the rest of the buffer, NaN at worst, changes no count."""
    device = HostDevice()
    zeros = device.zeros

    def poisoned(shape: tuple[int, ...], dtype: Any) -> Any:
        memory = zeros(shape, dtype)
        if memory.ndim > 2:
            memory[...] = np.nan
        return memory

    monkeypatch.setattr(device, "zeros", poisoned)
    asked = [CountRequest(noisy(), 0, 10)]
    assert DeviceEngine(model, device, 64).count(asked) == ThreadEngine(model).count(asked)


def test_what_cannot_be_counted_is_refused(model: OnnxClassifier) -> None:
    with pytest.raises(UsageError, match="num_classes"):
        DeviceEngine(replace(model, num_classes=None), HostDevice())
    with pytest.raises(UsageError, match="batch_size is 0"):
        DeviceEngine(model, HostDevice(), 0)
    with pytest.raises(UsageError, match=r"\[3\]"):
        DeviceEngine(model, HostDevice()).count([CountRequest(noisy(shape=(3,)), 0, 8)])


def test_the_first_batch_follows_memory_and_input_size(model: OnnxClassifier) -> None:
    def size(shape: tuple[int, ...], memory: int) -> int:
        return DeviceEngine(replace(model, shape=shape), HostDevice(memory=memory)).size

    card = 24 << 30
    assert size((1, 28, 28), card) == 1024
    assert size((3, 224, 224), card) == 256
    assert size((3, 224, 224), card // 4) == 64
    assert size((3, 4096, 4096), card) == 1
    assert size((1, 28, 28), 10_000) == 1
