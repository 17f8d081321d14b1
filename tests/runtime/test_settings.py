"""One object says where and how a model counts; a classifier travels by what it was made of."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx_models import linear, save
from runtime.workers.far import noisy, on_the_processor

from rsonnx.cli.settings import engine_settings
from rsonnx.errors import ModelError, ProviderError, UsageError
from rsonnx.runtime import (
    CountRequest,
    DeviceOptions,
    EngineSettings,
    ThreadEngine,
    open_engine,
)
from rsonnx.runtime.machine import Driver
from rsonnx.runtime.workers import ProcessEngine
from rsonnx.smoothing import load

REQUESTS = [CountRequest(noisy(), 0, 3000), CountRequest(noisy(8), 5, 700)]


def sent(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))  # noqa: S301 - our own


def external(folder: Path) -> Path:
    """Save a model whose weights are in a file of another folder beside it."""
    (folder / "weights").mkdir()
    path = folder / "model.onnx"
    onnx.save(linear(), path, save_as_external_data=True, location="weights/all", size_threshold=0)
    return path


@pytest.mark.parametrize("kind", ["file", "external data", "bytes", "proto"])
def test_a_classifier_pickles_by_what_it_was_made_of(kind: str, tmp_path: Path) -> None:
    path = external(tmp_path) if kind == "external data" else save(linear(), tmp_path)
    source: Any = {"bytes": path.read_bytes(), "proto": onnx.load(path)}.get(kind, path)
    options: Any = {"bounds": (0.0, 2.0), "preprocess": "mean=0.5,std=0.25", "providers": "cpu"}
    mine = load(source, **options)
    for theirs in (sent(mine), mine.origin.with_files().classifier()):  # type: ignore[union-attr]
        assert theirs.facts == mine.facts
        (ours,), (other,) = (ThreadEngine(c).count(REQUESTS[:1]) for c in (mine, theirs))
        assert ours == other
    assert len(pickle.dumps(mine)) < 3000


def test_a_model_that_was_changed_is_not_the_one_that_was_loaded(tmp_path: Path) -> None:
    mine = load(save(linear(), tmp_path), preprocess="none", providers="cpu")
    travelling = pickle.dumps(mine)
    save(linear(seed=2), tmp_path)
    with pytest.raises(ModelError, match=r"model\.onnx"):
        pickle.loads(travelling)  # noqa: S301 - our own
    with pytest.raises(ModelError, match=r"model\.onnx"):
        mine.origin.with_files().classifier()  # type: ignore[union-attr]
    (tmp_path / "model.onnx").unlink()
    with pytest.raises(UsageError, match=r"model\.onnx"):
        mine.origin.with_files()  # type: ignore[union-attr]
    mine.origin = None
    with pytest.raises(pickle.PicklingError):
        pickle.dumps(mine)


@pytest.mark.slow
def test_several_devices_are_a_process_each(tmp_path: Path) -> None:
    model = load(save(linear(), tmp_path), preprocess="none", providers="cpu")
    assert model.origin is not None
    model.origin = replace(model.origin, load=on_the_processor)
    settings = EngineSettings(devices=(0, 1), batch_size=50, workers=1)
    with open_engine(model, settings) as engine:
        assert isinstance(engine, ProcessEngine)
        assert engine.facts == {"processes": 2}
        assert engine.count(REQUESTS) == ThreadEngine(model).count(REQUESTS)
    save(linear(seed=2), tmp_path)
    with pytest.raises(ModelError, match=r"model\.onnx"):
        open_engine(model, settings)


def test_one_device_is_this_process(tmp_path: Path) -> None:
    model = load(save(linear(), tmp_path), preprocess="none", providers="cpu")
    with open_engine(model, EngineSettings(batch_size=7, workers=2)) as engine:
        assert isinstance(engine, ThreadEngine)
        assert (engine.batch_size(model.shape), engine.workers) == (7, 2)
        assert np.array(engine.count(REQUESTS)[0]).sum() == 3000


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"engine": "ray", "devices": (0,)}, "--gpus-per-worker"),
        ({"address": "x:1"}, "--address"),
        ({"gpus_per_worker": 1.0}, "--gpus-per-worker"),
        ({"devices": (1, 1)}, r"1, 1"),
    ],
)
def test_settings_that_exclude_each_other_are_refused(settings: Any, named: str) -> None:
    with pytest.raises(UsageError, match=named):
        EngineSettings(**settings)


@pytest.mark.parametrize(("driver", "devices"), [(Driver(13000, 0, 3), (0, 1, 2)), (None, None)])
def test_all_devices_are_those_of_the_driver(
    monkeypatch: pytest.MonkeyPatch, driver: Driver | None, devices: tuple[int, ...] | None
) -> None:
    monkeypatch.setattr("rsonnx.runtime.machine.find_driver", lambda: driver)
    given = {"providers": "cuda", "devices": "all", "workers": 2}
    given |= {"time_limit_per_call": 60.0, "time_limit_to_try": 300.0}
    if devices is None:
        with pytest.raises(ProviderError, match="--devices"):
            engine_settings(given)
    else:
        expected = EngineSettings(("cuda",), devices, workers=2, time_limit_per_call=60.0)
        assert engine_settings(given) == expected


def test_a_processor_has_no_devices() -> None:
    for providers in (("cpu",), ["cpu"], "cpu"):
        assert EngineSettings(providers) == EngineSettings(("cpu",))
        assert EngineSettings(providers).provider().is_cpu
    with pytest.raises(UsageError, match="--devices"):
        EngineSettings(("cpu",), (0,)).provider()
    assert EngineSettings(devices=(3, 1), tf32=True).device == DeviceOptions(3, tf32=True)
