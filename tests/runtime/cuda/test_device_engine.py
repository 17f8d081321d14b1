"""The device engine on devices that do not wait: counts are the threads', whatever happens when."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from device_models import (
    ASKED,
    BATCHES,
    FEW,
    SEEDS,
    SHAPE,
    Model,
    noisy,
    opened,
    request,
)
from hypothesis import given
from hypothesis import strategies as st
from kernels_in_cpp import NEEDS_COMPILER
from onnx_models import build, linear, node, save
from stub_cuda import StubCuda

from rsonnx.counts import Counts
from rsonnx.errors import InferenceError, ProviderError, UsageError
from rsonnx.runtime import (
    CountRequest,
    DeviceOptions,
    ProviderChoice,
    Session,
    ThreadEngine,
)
from rsonnx.runtime.cuda import DeviceEngine, engine_for
from rsonnx.runtime.device_options import CUDA
from rsonnx.smoothing import load

pytestmark = NEEDS_COMPILER

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
