"""What a device, its memory or a model on it does wrong changes no count: it is told or mended."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from device_models import (
    ASKED,
    BATCHES,
    FEW,
    SEEDS,
    SHAPE,
    STREAMS,
    Model,
    noisy,
    request,
)
from hypothesis import given
from hypothesis import strategies as st
from kernels_in_cpp import NEEDS_COMPILER
from stub_cuda import StubCuda

from rsonnx.errors import InferenceError, ProviderError, TimeLimitError
from rsonnx.noise import Gaussian
from rsonnx.runtime import (
    CountRequest,
    DeviceOptions,
    ThreadEngine,
    watchdog,
)
from rsonnx.runtime.session import DeviceMemoryError

pytestmark = NEEDS_COMPILER


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
