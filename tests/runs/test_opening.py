"""A classifier that was loaded before is what it was loaded as, whatever is given beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx_models import FLOAT, build, echo, linear, node, parsed, save, tensor, with_outputs

import rsonnx
from rsonnx.listener import Listener
from rsonnx.model import ModelSettings
from rsonnx.runtime import EngineSettings

DRAW: Any = {"sigma": 0.25, "n": 300, "seed": 3}


def _two_outputs() -> onnx.ModelProto:
    nodes = parsed("one = Relu(x); other = Neg(x)")
    return with_outputs(nodes, [tensor(name, FLOAT, ["n", 4]) for name in ("one", "other")])


def _fed() -> onnx.ModelProto:
    proto = echo(4)
    proto.graph.input.append(tensor("t", FLOAT, [1]))
    proto.graph.node.append(node("Mul", ["scores", "t"], "times"))
    proto.graph.output[0].name = "times"
    return proto


def _open_axes() -> onnx.ModelProto:
    proto = linear(("n", 1, 2, 2), 3)
    for axis, name in ((2, "h"), (3, "w")):
        proto.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = name
    return proto


def _coupled() -> onnx.ModelProto:
    """Negate the scores of a batch that has a value above 9, which no noise of a test reaches."""
    made = [
        node("ReduceMax", ["x"], "most", keepdims=0),
        node("Greater", ["most", "limit"], "large"),
        node("Neg", ["x"], "turned"),
        node("Where", ["large", "turned", "x"], "scores"),
    ]
    return build(made, ("n", 4), ("n", 4), {"limit": np.array(9, np.float32)})


LOADED: dict[str, tuple[onnx.ModelProto, dict[str, Any]]] = {
    "plain": (echo(4), {}),
    "bounds": (echo(4), {"bounds": (0, 2)}),
    "preprocess": (linear(), {"preprocess": "mnist"}),
    "output_name": (_two_outputs(), {"output_name": "other"}),
    "threshold": (linear(("n", 4), 1), {"threshold": np.float32(0.25)}),
    "input_shape": (_open_axes(), {"input_shape": np.array([1, 2, 2])}),
    "feeds": (_fed(), {"feeds": {"t": -1.0}}),
    "float16": (linear(), {"float16": True}),
    "rows": (_coupled(), {"rows": "watched"}),
}
OTHER: dict[str, Any] = {
    "bounds": (0, 255),
    "preprocess": "cifar10",
    "output_name": "one",
    "threshold": 0.75,
    "input_shape": (1, 4, 1),
    "feeds": {"t": 2.0},
    "float16": False,
    "rows": "alone",
    "tf32": True,
    "cuda_graph": True,
    "devices": (3,),
}


def _load(name: str, folder: Path) -> tuple[Path, dict[str, Any], Any, Any]:
    """Return a model's file, how it is loaded, the classifier, and data for it."""
    proto, options = LOADED[name]
    path = save(proto, folder)
    options = {"preprocess": "none", "providers": "cpu"} | options
    loaded = rsonnx.load(path, **options)
    data = np.random.default_rng(0).random((3, *loaded.shape), dtype=np.float32)
    return path, options, loaded, data


@pytest.mark.parametrize("name", LOADED)
def test_a_run_of_a_loaded_classifier_is_that_of_its_file(name: str, tmp_path: Path) -> None:
    path, options, loaded, data = _load(name, tmp_path)
    output = tmp_path / "run.jsonl"
    run = rsonnx.certify(loaded, data, output=output, **DRAW)
    again = rsonnx.certify(path, data, **DRAW, **options)
    assert [row.counts for row in run.rows] == [row.counts for row in again.rows]
    assert run.header.resolved == {**again.header.resolved, "model": run.header.resolved["model"]}
    checked = rsonnx.verify(output, model=path, data=data, replay=2)
    assert not checked.faults
    assert checked.replay is not None
    assert checked.replay.exact
    lines = output.read_bytes().splitlines(keepends=True)
    output.write_bytes(b"".join(lines[:2]))
    resumed = rsonnx.certify(path, data, output=output, resume=True, **DRAW, **options)
    assert [row.radius for row in resumed.rows] == [row.radius for row in run.rows]


@pytest.mark.parametrize("name", OTHER)
def test_what_would_make_another_classifier_is_refused(name: str, tmp_path: Path) -> None:
    _, options, loaded, data = _load(name if name in LOADED else "plain", tmp_path)
    kind = ModelSettings if name in vars(ModelSettings()) else EngineSettings
    given: list[dict[str, Any]] = [{name: OTHER[name]}]
    if OTHER[name] != vars(kind())[name]:
        given.append({"settings" if kind is ModelSettings else "engine": kind(**given[0])})
    for asked in given:
        for call in (rsonnx.certify, rsonnx.predict):
            with pytest.raises(rsonnx.UsageError, match=rf"^{name} "):
                call(loaded, data, sigma=0.25, **asked)
    # What it has may be said again.
    rsonnx.certify(loaded, data, **DRAW, **options, batch_size=7, workers=1)


def test_another_provider_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, loaded, data = _load("plain", tmp_path)
    monkeypatch.setattr("rsonnx.runtime.providers.provider_problem", lambda *_: None)
    with pytest.raises(rsonnx.UsageError, match=r"^providers "):
        rsonnx.certify(loaded, data, sigma=0.25, providers="cuda")
    # What works best is not asked for where a provider is settled.
    assert (
        rsonnx.certify(loaded, data, **DRAW).header.resolved["providers"]
        == loaded.facts["providers"]["used"]
    )


@pytest.mark.parametrize("twice", [{"bounds": (0, 1)}, {"workers": 2}])
def test_a_setting_is_given_once(twice: dict[str, Any], tmp_path: Path) -> None:
    path, _, _, data = _load("plain", tmp_path)
    settings = ModelSettings(preprocess="none"), EngineSettings("cpu")
    with pytest.raises(rsonnx.UsageError, match=next(iter(twice))):
        rsonnx.certify(path, data, settings=settings[0], engine=settings[1], **DRAW, **twice)


class _Pairs:
    """What torchvision's data sets are: pairs by number, the image with its channels first."""

    def __init__(self, x: np.ndarray, y: list[int]) -> None:
        self.x, self.targets = x, y

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, at: int) -> tuple[np.ndarray, int]:
        return self.x[at], self.targets[at]


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_a_sequence_of_pairs_gives_the_run_of_its_arrays_and_verifies_it(tmp_path, dtype):
    model = save(linear(), tmp_path)
    levels = np.random.default_rng(0).integers(0, 256, (4, 1, 4, 4), np.uint8)
    x = levels if dtype == "uint8" else levels / np.float32(255)
    drawn = DRAW | {"preprocess": "none", "providers": "cpu"}
    pairs = _Pairs(x, [0, 1, 2, 0])
    of_arrays = rsonnx.certify(model, (x, pairs.targets), output=tmp_path / "a.jsonl", **drawn)
    of_pairs = rsonnx.certify(model, pairs, output=tmp_path / "b.jsonl", **drawn)
    assert [replace(row, seconds=0) for row in of_pairs.rows] == [
        replace(row, seconds=0) for row in of_arrays.rows
    ]
    assert of_pairs.header.record["data"]["kind"] == "sequence"
    assert not rsonnx.verify(tmp_path / "b.jsonl", model=model, data=pairs, replay=4).faults


def test_a_sequence_of_levels_that_may_be_numbers_is_warned_of(tmp_path):
    class Hearing(Listener):
        def said(self, topic: str, text: str) -> None:
            heard.append((topic, text))

    heard: list[tuple[str, str]] = []
    pairs = _Pairs(np.full((2, 1, 4, 4), 9, np.uint8), [0, 1])
    rsonnx.certify(
        linear(), pairs, listener=Hearing(), output=tmp_path / "a.jsonl", preprocess="none",
        providers="cpu", **DRAW,
    )  # fmt: skip
    assert any(topic == "warning" and "9 of 255" in text for topic, text in heard)
