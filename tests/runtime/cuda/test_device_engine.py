"""The device engine on devices that do not wait: counts are the threads', whatever happens when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernels_in_cpp import NEEDS_COMPILER
from onnx_models import build, linear, node, save
from stub_cuda import StubCuda

from rsonnx.counts import Counts
from rsonnx.errors import InferenceError, ProviderError, TimeLimitError, UsageError
from rsonnx.model import Batch, ModelSettings, read_model
from rsonnx.noise import Arithmetic, Gaussian, InputSpace, NoisyStream
from rsonnx.runtime import (
    CountRequest,
    DeviceOptions,
    OnnxClassifier,
    ProviderChoice,
    Session,
    ThreadEngine,
    watchdog,
)
from rsonnx.runtime.cuda import DeviceEngine, engine_for, open_place
from rsonnx.runtime.device_options import CUDA
from rsonnx.runtime.session import DeviceMemoryError
from rsonnx.smoothing import load
from rsonnx.smoothing.adapting import make_plan

pytestmark = NEEDS_COMPILER

SHAPE = (1, 4, 4)
SEEDS = st.integers(0, 2**32)
BATCHES = st.sampled_from([2, 7, 8, 9, 16, 31, 64, 200])
FEW = settings(max_examples=5)


@dataclass(frozen=True)
class Model:
    """On the processor, where it counts as it should, and as a session on a device takes it."""

    on_cpu: OnnxClassifier
    adapted: bytes

    def on_device(self, options: DeviceOptions | None = None, **changes: Any) -> OnnxClassifier:
        """Open it on the devices of the stub that is installed."""
        provider = ProviderChoice(CUDA, ())
        place = open_place(provider, options or DeviceOptions())
        session = Session(self.adapted, provider, "a.onnx", place.options)
        opened = replace(self.on_cpu, session=session, device=place.device, on_cpu=False)
        return replace(opened, **changes)

    def engine(self, cuda: StubCuda, batch: int | None = None, **changes: Any) -> DeviceEngine:
        """Return an engine; from here on the stub counts calls anew."""
        engine = engine_for(self.on_device(**changes), batch)
        assert isinstance(engine, DeviceEngine)
        cuda.calls.clear()
        cuda.runs.clear()
        return engine

    def counts(self, asked: list[CountRequest]) -> list[Counts]:
        return ThreadEngine(self.on_cpu, workers=1).count(asked)


def opened(proto: onnx.ModelProto, folder: Path) -> Model:
    path = save(proto, folder)
    plan = make_plan(read_model(path), ModelSettings(preprocess="none"))
    on_cpu = load(path, preprocess="none", providers="cpu")
    return Model(on_cpu, plan.adapted(Batch.AS_FILED).model)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return opened(linear(), tmp_path_factory.mktemp("device"))


@pytest.fixture
def cuda() -> Iterator[StubCuda]:
    with StubCuda(11).installed() as stub:
        yield stub


def noisy(
    seed: int = 7,
    stage: str = "estimation",
    arithmetic: Arithmetic | None = None,
    shape: tuple[int, ...] = SHAPE,
) -> NoisyStream:
    levels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    return NoisyStream(InputSpace(shape).point(levels, arithmetic), Gaussian(0.5), seed, stage)


STREAMS = (noisy(), noisy(8), noisy(stage="selection"), noisy(arithmetic="float"))


def request(stream: int, start: int, length: int) -> CountRequest:
    return CountRequest(STREAMS[stream], start, start + length)


ASKED = [request(0, 0, 90), request(1, 5, 1), request(2, 60, 10), request(1, 9, 0)]
ASKED += [request(3, 250, 20), request(0, 64, 200)]
REQUESTS = st.lists(
    st.builds(request, st.integers(0, 3), st.integers(0, 300), st.integers(0, 120)), max_size=6
)


@given(seed=SEEDS, batch=BATCHES, asked=REQUESTS)
def test_counts_are_the_threads_in_every_order_of_completion(
    model: Model, seed: int, batch: int, asked: list[CountRequest]
) -> None:
    with StubCuda(seed).installed() as cuda:
        engine, seen = model.engine(cuda, batch), list[int]()
        assert engine.count(asked, seen.append) == model.counts(asked)
        full, rest = divmod(sum(r.stop - r.start for r in asked), engine.size)
    assert seen == [batch] * full + [rest] * (rest > 0)
    assert set(cuda.runs) <= {batch, *range(1, 9)}


@given(seed=SEEDS, batch=st.sampled_from([9, 31, 64]))
@FEW
def test_devices_and_threads_beside_each_other_do_not_mix(
    model: Model, seed: int, batch: int
) -> None:
    """Two streams, one counted on in the middle of the other, and threads on a third."""
    expected = model.counts(ASKED)
    with StubCuda(seed, devices=2).installed() as cuda:
        first = model.engine(cuda, batch, options=DeviceOptions(device=0))
        second = model.engine(cuda, batch, options=DeviceOptions(device=1))
        between: list[list[Counts]] = []

        def count(_: int) -> None:
            if len(between) < 3:
                between.append(second.count(ASKED))

        assert first.count(ASKED, count) == expected
        plain = replace(model.on_device(DeviceOptions()), device=None)
        assert ThreadEngine(plain, batch, 3).count(ASKED) == expected
    assert between == [expected] * len(between) != []


@given(
    seed=SEEDS,
    batch=st.sampled_from([33, 64, 200]),
    calls=st.sets(
        st.tuples(st.sampled_from(["run", "allocate"]), st.integers(1, 30)), min_size=1, max_size=4
    ),
)
def test_memory_that_runs_out_changes_no_count(
    model: Model, seed: int, batch: int, calls: set[tuple[str, int]]
) -> None:
    expected = model.counts(ASKED)
    with StubCuda(seed).installed() as cuda:
        engine, seen = model.engine(cuda, batch), list[int]()
        cuda.faults.update(dict.fromkeys(calls, "memory"))
        assert engine.count(ASKED, seen.append) == expected
        assert sum(seen) == sum(r.stop - r.start for r in ASKED)
        assert engine.count(ASKED) == expected
        assert engine.size >= batch // 2 ** len(calls)


@given(
    seed=SEEDS,
    batch=BATCHES,
    call=st.sampled_from(["run", "launch", "copy", "synchronize"]),
    number=st.integers(1, 5),
)
def test_a_device_that_fails_counts_nothing_any_more(
    model: Model, seed: int, batch: int, call: str, number: int
) -> None:
    """What is asked for in vain is told by a later call, at the latest by the one that waits."""
    with StubCuda(seed).installed() as cuda:
        engine = model.engine(cuda, batch)
        cuda.faults[call, number] = "device"
        for _ in range(2):
            with pytest.raises(InferenceError):
                engine.count([request(0, 0, 200), request(3, 0, 20)] * 4)


@given(seed=SEEDS, batch=BATCHES, number=st.integers(1, 20))
def test_a_run_that_writes_no_labels_is_refused(
    model: Model, seed: int, batch: int, number: int
) -> None:
    """Those of the batch before are not counted in their place."""
    with StubCuda(seed).installed() as cuda:
        engine = model.engine(cuda, batch)
        cuda.faults["run", number] = "lost"
        try:
            assert engine.count(ASKED) == model.counts(ASKED)
        except (ProviderError, InferenceError):
            assert cuda.calls["run"] >= number


def test_the_stub_tells_what_the_stream_does_not_order(model: Model, cuda: StubCuda) -> None:
    """A session on a stream of its own reads noise before it is there, and counts old labels."""
    there = model.on_device()
    provider = ProviderChoice(CUDA, ())
    apart = replace(there, session=Session(model.adapted, provider, "a.onnx", DeviceOptions()))
    with pytest.raises((ProviderError, InferenceError)):
        DeviceEngine(apart, there.device, 16).count(ASKED)


def test_the_host_does_not_wait_for_batches(model: Model, cuda: StubCuda) -> None:
    engine, waits = model.engine(cuda, 8), []
    engine.count([request(0, 0, 8)])
    for length in (80, 400):
        cuda.calls.clear()
        engine.count([request(0, 0, length)])
        waits.append(cuda.calls["synchronize"])
        assert cuda.calls["run"] == length // 8
    assert waits[0] == waits[1]


@pytest.mark.parametrize(
    ("behind", "batches"),
    [
        *product(("noise of the device", "noise of the host", "no memory"), (1, 9)),
        ("confirmation", 1),
    ],
)
def test_a_device_that_hangs_is_not_waited_for_for_ever(
    model: Model, cuda: StubCuda, monkeypatch: pytest.MonkeyPatch, behind: str, batches: int
) -> None:
    """Whatever the host would wait for; the stub refuses to be waited for."""
    engine = model.engine(cuda, 8, options=DeviceOptions(time_limit_per_call=0.1))
    if behind != "confirmation":
        engine.count([request(0, 0, 8)])  # this one has time: kernels may have to be compiled
    monkeypatch.setattr(watchdog, "_PATIENCE", 0.0)
    # A worker that another test made in this process may have asked for its end.
    monkeypatch.setattr(watchdog._WATCHDOG, "exit_code", None)
    cuda.calls.clear()
    cuda.faults["run", batches] = "hang"
    if behind == "no memory":
        cuda.faults["run", batches + 1] = "memory"
    other = STREAMS[3] if "host" in behind else replace(STREAMS[0], distribution=Gaussian(0.25))
    asked = [request(0, 0, 8 * batches), CountRequest(other, 0, 20), request(0, 0, 400)]
    for _ in range(2):
        with pytest.raises(TimeLimitError, match=r"a\.onnx"):
            engine.count(asked)
    assert cuda.calls["run"] <= batches + 5  # and the host was not far ahead


@pytest.mark.parametrize("kind", ["memory", "capture"])
def test_a_recording_that_fails_is_ended(model: Model, cuda: StubCuda, kind: str) -> None:
    engine = model.engine(cuda, 64, options=DeviceOptions(cuda_graph=True))
    cuda.faults["run", 4] = kind
    assert engine.count(ASKED) == model.counts(ASKED)
    assert engine.size == 32


def test_memory_that_a_session_keeps_in_pieces_is_given_back(model: Model) -> None:
    """A batch of 64 fits, though 256 and 128 were tried before and took all there was."""
    tables = 1_200_000
    with StubCuda(3, memory=tables + 100 * 20_000, row_memory=20_000).installed() as cuda:
        engine = model.engine(cuda, 256)
        assert engine.count(ASKED) == model.counts(ASKED)
        assert engine.size == 64


def test_a_batch_that_does_not_fit_is_given_back_before_the_next(model: Model) -> None:
    """What the buffers of 10,000 rows took is there for the session with 5,000."""
    a_row = 64 + 8  # of input and label
    with StubCuda(3, row_memory=100).installed() as cuda:
        model.engine(cuda, 5_000).count(ASKED)
        fits = cuda.used
    with StubCuda(3, memory=fits + 6_000 * a_row, row_memory=100).installed() as cuda:
        engine = model.engine(cuda, 20_000)
        assert engine.count(ASKED) == model.counts(ASKED)
        assert engine.size == 5_000


def test_a_model_that_fits_no_memory_is_one_sentence(model: Model) -> None:
    with StubCuda(3, memory=2_000_000).installed() as cuda:
        engine = model.engine(cuda, 8)
        cuda.row_memory = 2_000_000
        with pytest.raises(DeviceMemoryError) as caught:
            engine.count([request(0, 0, 80)])
    assert "\n" not in str(caught.value)
    assert (cuda.runs[0], engine.size) == (8, 1)


def wrong_tail(answers: dict[str, Any]) -> None:
    """Answer the last rows of a large batch wrongly, as kernels that count in 32 bits do."""
    (answer,) = answers.values()
    if len(answer) > 8:
        answer[-2:] = (answer[-2:] + 1) % 5


@pytest.mark.parametrize("where", ["device", "device, halved", "host"])
def test_wrong_labels_at_the_end_of_a_batch_are_refused(
    model: Model, cuda: StubCuda, where: str
) -> None:
    """At the first batch, and at the first after a halving, whoever draws the noise."""
    seen: list[int] = []
    engine: Any = model.engine(cuda, 64)
    cuda.distort = wrong_tail
    if where == "host":
        engine = ThreadEngine(model.on_device(device=None), 64, 2)
    if where == "device, halved":
        cuda.faults["run", 3] = "memory"
        cuda.distort = lambda answers: wrong_tail(answers) if cuda.runs[-1] < 64 else None
    with pytest.raises(ProviderError, match=r"a\.onnx"):
        engine.count([request(0, 0, 200)], seen.append)
    assert seen == ([64] if where == "device, halved" else [])


@pytest.mark.parametrize("near", [False, True])
def test_a_label_that_rounding_may_move_is_no_wrong_one(
    model: Model, cuda: StubCuda, near: bool
) -> None:
    class Rounding:
        def agree(self, alone: Any, together: Any) -> bool:
            raise NotImplementedError

        def near_ties(self, scores: Any, unit: float = 0.0) -> Any:
            assert unit == 0
            return np.full(len(scores), near)

    engine = model.engine(cuda, 64, tolerance=Rounding())
    cuda.distort = wrong_tail
    if near:
        assert engine.count([request(0, 0, 64)])[0].total == 64
        return
    with pytest.raises(ProviderError):
        engine.count([request(0, 0, 64)])


def test_rows_are_confirmed_where_batches_grow(model: Model, cuda: StubCuda) -> None:
    engine = model.engine(cuda, 64)
    for length, confirmed in ((5, [5]), (5, []), (20, [8]), (64, [8]), (300, [])):
        cuda.runs.clear()
        engine.count([request(0, 0, length)])
        assert [rows for rows in cuda.runs if rows != 64] == confirmed


def test_a_batch_is_no_larger_than_kernels_can_count(model: Model, cuda: StubCuda) -> None:
    assert model.engine(cuda, 64, most_rows=20).size == 20
    assert model.engine(cuda, None, most_rows=20).size == 20
    assert model.engine(cuda, 8, most_rows=20).size == 8
    there = model.on_device(device=None, most_rows=20)
    assert [ThreadEngine(there, batch).batch_size(SHAPE) for batch in (64, 8)] == [20, 8]


def test_what_is_loaded_on_a_device_counts_there(tmp_path: Path, cuda: StubCuda) -> None:
    path = save(linear(), tmp_path)
    models = [load(path, preprocess="none", providers=name) for name in ("cpu", "cuda")]
    assert [m.most_rows for m in models] == [None, (2**31 - 1) // 16]
    on_cpu, on_device = (engine_for(m, 16) for m in models)
    assert isinstance(on_device, DeviceEngine)
    assert on_device.count(ASKED) == on_cpu.count(ASKED)


def test_an_input_that_is_read_elsewhere_is_refused(model: Model, cuda: StubCuda) -> None:
    """Noise would be copied once, when the buffer is bound."""
    cuda.input_memory = "Cpu"
    with pytest.raises(ProviderError, match="processor"):
        model.engine(cuda, 8).count(ASKED)


def test_nothing_to_count(model: Model, cuda: StubCuda) -> None:
    engine = model.engine(cuda, 8)
    assert engine.count([]) == []
    (empty,) = engine.count([request(0, 5, 0)])
    assert (empty.total, len(empty), cuda.runs) == (0, 5, [])
    assert engine.appetite(SHAPE) >= 8 * engine.size


def test_an_input_of_many_streams_is_sent_once(model: Model, cuda: StubCuda) -> None:
    first, tables, out = noisy(), 6, 3
    streams = (first, replace(first, stage="selection"), first)
    model.engine(cuda, 8).count([CountRequest(s, 0, 8) for s in streams])
    assert cuda.calls["copy"] == tables + 1 + out


def test_answers_that_are_no_class_have_their_own_bin(tmp_path: Path, cuda: StubCuda) -> None:
    made = build([node("Log", ["x"], "scores")], ("batch", 3), ("batch", 3))
    model = opened(made, tmp_path)
    asked = [CountRequest(noisy(shape=(3,)), 0, 500)]
    (counts,) = model.engine(cuda, 48).count(asked)
    assert [counts] == model.counts(asked)
    assert 0 < counts.no_class < counts.total == 500


@pytest.mark.parametrize(("streams", "where"), [((0, 1), "device"), ((0, 3), "host")])
def test_a_header_says_where_noise_was_drawn(
    model: Model, cuda: StubCuda, streams: tuple[int, int], where: str
) -> None:
    engine = model.engine(cuda, 16)
    engine.count([request(stream, 0, 20) for stream in streams])
    assert engine.facts == {"noise": where, "batch_size": 16}


@pytest.mark.parametrize(
    ("changes", "shape", "named"),
    [({"shape": (1, 4, 5)}, (1, 4, 5), r"\[8, 1, 4, 5\]"), ({"num_classes": 2}, SHAPE, "label")],
)
def test_what_the_model_does_wrong_is_an_error(
    model: Model, cuda: StubCuda, changes: dict[str, Any], shape: tuple[int, ...], named: str
) -> None:
    """A run that fails, and a label that is no class."""
    engine = model.engine(cuda, 8, **changes)
    with pytest.raises(InferenceError, match=named):
        engine.count([CountRequest(noisy(shape=shape), 0, 80)])


class StopError(Exception):
    """Raised by a caller's own progress."""


@given(seed=SEEDS, batch=BATCHES)
@FEW
def test_a_call_that_was_stopped_leaves_nothing_behind(model: Model, seed: int, batch: int) -> None:
    def stop(samples: int) -> None:
        raise StopError

    with StubCuda(seed).installed() as cuda:
        engine = model.engine(cuda, batch)
        with pytest.raises(StopError):
            engine.count(ASKED, stop)
        assert engine.count(ASKED) == model.counts(ASKED)


def test_what_cannot_be_counted_is_refused(model: Model, cuda: StubCuda) -> None:
    there = model.on_device()
    with pytest.raises(UsageError, match="num_classes"):
        DeviceEngine(replace(there, num_classes=None), there.device)
    with pytest.raises(UsageError, match="batch_size is 0"):
        DeviceEngine(there, there.device, 0)
    with pytest.raises(UsageError, match=r"\[3\]"):
        model.engine(cuda).count([CountRequest(noisy(shape=(3,)), 0, 8)])


def test_the_first_batch_follows_memory_and_input_size(model: Model, cuda: StubCuda) -> None:
    def size(shape: tuple[int, ...], memory: int) -> int:
        cuda.memory = memory + cuda.used + 4_096
        return model.engine(cuda, shape=shape).size

    card = 24 << 30
    assert size((1, 28, 28), card) == 1024
    assert size((3, 224, 224), card) == 256
    assert size((3, 224, 224), card // 4) == 64
    assert size((3, 4096, 4096), card) == 1
    assert size((1, 28, 28), 10_000) == 1
