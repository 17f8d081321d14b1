"""The device engine on devices that do not wait: counts are the threads', whatever happens when."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from host_device import NEEDS_COMPILER
from hypothesis import given
from hypothesis import strategies as st
from onnx_models import linear, save
from stub_cuda import StubCuda

from rsonnx.model import Batch, ModelSettings, read_model
from rsonnx.noise import Gaussian, InputSpace, NoisyStream
from rsonnx.runtime import (
    CountRequest,
    DeviceOptions,
    OnnxClassifier,
    ProviderChoice,
    Session,
    ThreadEngine,
)
from rsonnx.runtime.cuda import DeviceEngine, engine_for, open_place
from rsonnx.runtime.device_options import CUDA
from rsonnx.smoothing import load
from rsonnx.smoothing.adapting import make_plan

pytestmark = NEEDS_COMPILER

SHAPE = (1, 4, 4)
BATCHES = st.sampled_from([1, 2, 7, 8, 9, 16, 31, 64, 200])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> OnnxClassifier:
    """On the processor; what counts as it should."""
    return load(saved(tmp_path_factory), preprocess="none", providers="cpu")


@pytest.fixture(scope="module")
def adapted(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The same model, as a session takes it."""
    plan = make_plan(read_model(saved(tmp_path_factory)), ModelSettings(preprocess="none"))
    return plan.adapted(Batch.AS_FILED).model


def saved(folders: pytest.TempPathFactory) -> Path:
    return save(linear(), folders.mktemp("async"))


def engine_on_device(
    model: OnnxClassifier, adapted: bytes, batch: int, options: DeviceOptions | None = None
) -> DeviceEngine:
    """Return an engine on the devices of the stub that is installed."""
    provider = ProviderChoice(CUDA, ())
    place = open_place(provider, options or DeviceOptions())
    session = Session(adapted, provider, "a.onnx", place.options)
    there = replace(model, session=session, device=place.device, on_cpu=False)
    engine = engine_for(there, batch)
    assert isinstance(engine, DeviceEngine)
    return engine


def requests(seed: int) -> list[CountRequest]:
    ranges = [(0, 90), (5, 6), (60, 70), (9, 9), (64, 200)]
    streams = []
    for input_seed, arithmetic in ((seed, None), (seed + 1, None), (seed, "float")):
        levels = np.random.default_rng(input_seed).integers(0, 256, SHAPE, np.uint8)
        point = InputSpace(SHAPE).point(levels, arithmetic)  # type: ignore[arg-type]
        streams.append(NoisyStream(point, Gaussian(0.5), seed, "estimation"))
    return [CountRequest(streams[(seed + k) % 3], a, b) for k, (a, b) in enumerate(ranges)]


@given(seed=st.integers(0, 2**32), batch=BATCHES)
def test_counts_are_the_threads_for_every_order_of_completion(
    model: OnnxClassifier, adapted: bytes, seed: int, batch: int
) -> None:
    asked = requests(seed)
    with StubCuda(seed).installed():
        engine = engine_on_device(model, adapted, batch)
        assert engine.count(asked) == engine.count(asked) == ThreadEngine(model).count(asked)
