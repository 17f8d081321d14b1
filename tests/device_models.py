"""A model on the devices of ``stub_cuda``, and what its engines are asked to count."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from hypothesis import settings
from hypothesis import strategies as st
from onnx_models import save
from stub_cuda import StubCuda

from rsonnx.counts import Counts
from rsonnx.model import Batch, ModelSettings, read_model
from rsonnx.noise import Arithmetic, Gaussian, InputSpace, NoisyStream
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
