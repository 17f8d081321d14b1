"""Large weights that lie apart change nothing but where they lie."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_models import linear

from rsonnx.errors import ModelError
from rsonnx.model import ModelSettings, apart, read, read_model
from rsonnx.model.apart import put_back
from rsonnx.model.wire import _number
from rsonnx.runtime import choose_provider
from rsonnx.smoothing import load_with, make_plan, open_plan

SETTINGS = ModelSettings(preprocess="none", input_shape=(1, 4, 4))


@pytest.fixture(autouse=True)
def every_weight_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LARGE", "MANY"):
        monkeypatch.setattr(apart, name, 1)
        monkeypatch.setattr(f"rsonnx.model.read.{name}", 1)


def saved(folder: Path, *, external: bool) -> Path:
    path = folder / "model.onnx"
    onnx.save_model(
        linear(), path, save_as_external_data=external, location="weights", size_threshold=0
    )
    return path


@pytest.mark.parametrize("external", [False, True])
def test_weights_that_lie_apart_are_those_of_the_file(tmp_path: Path, external: bool) -> None:
    path = saved(tmp_path, external=external)
    whole, light = read_model(path), read_model(path, apart=True)
    assert light.weights
    assert (light.sha256, light.size) == (whole.sha256, whole.size)
    for tensor in whole.proto.graph.initializer:
        tensor.ClearField("data_location")  # which onnx states
    restored = put_back(light.proto.SerializeToString(), light.weights)
    assert restored == whole.proto.SerializeToString()
    rows = np.random.default_rng(1).random((3, 1, 4, 4), np.float32)
    classifier = load_with(path, SETTINGS, ["cpu"])
    given = load_with(whole.proto, SETTINGS, ["cpu"])
    np.testing.assert_array_equal(classifier.scores(rows), given.scores(rows))


def large(folder: Path, place: str) -> tuple[Path, Path]:
    """A classifier with a weight that onnxruntime packs, and one that it leaves where it is.

    Returns its file, and the one that the weights are in.
    """
    chance = np.random.default_rng(3)
    nodes = [
        helper.make_node("Reshape", ["x", "flat"], ["rows"]),
        helper.make_node("MatMul", ["rows", "packed"], ["sums"]),
        helper.make_node("ArgMax", ["sums"], ["top"], axis=1, keepdims=0),
        helper.make_node("Gather", ["left", "top"], ["y"]),
    ]
    stored, path, written = [], folder / "model.onnx", b""
    for name, shape in (("packed", (16, 4)), ("left", (4, 16))):
        tensor = numpy_helper.from_array(chance.standard_normal(shape, np.float32), name)
        if place != path.name:
            said = {"location": place, "offset": len(written), "length": 256}
            written += tensor.raw_data
            tensor.ClearField("raw_data")
            for key, value in said.items():
                tensor.external_data.add(key=key, value=str(value))
            tensor.data_location = TensorProto.EXTERNAL
        stored.append(tensor)
    stored.append(numpy_helper.from_array(np.array([-1, 16]), "flat"))
    (folder / place).parent.mkdir(exist_ok=True)
    (folder / place).write_bytes(written)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1, 4, 4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 16])
    graph = helper.make_graph(nodes, "large", [x], [y], stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path, folder / place


ROWS = np.random.default_rng(4).standard_normal((5, 1, 4, 4), np.float32)


@pytest.mark.parametrize(
    ("folder", "place"),
    [
        ("plain", "weights"),
        ("plain", "folder/weights"),
        ("plain", "model.onnx"),
        ("plain", "weights (deleted)"),  # as the system says of a file that is no more
        ("of two\u2028words and so on and on", "weights"),
        ("of two\rlines", "weights"),
    ],
    ids=["beside", "below", "inside", "deleted", "separator", "return"],
)
def test_what_happens_to_a_file_of_weights_later_changes_no_answer(
    tmp_path: Path, folder: str, place: str
) -> None:
    (tmp_path / folder).mkdir()
    path, weights = large(tmp_path / folder, place)
    whole = load_with(onnx.load(path), SETTINGS, ["cpu"])
    classifier = load_with(path, SETTINGS, ["cpu"])
    np.testing.assert_array_equal(classifier.scores(ROWS), whole.scores(ROWS))
    with weights.open("r+b") as file:
        file.write(bytes(weights.stat().st_size))
    np.testing.assert_array_equal(classifier.scores(ROWS), whole.scores(ROWS))


@pytest.mark.parametrize("place", ["weights", "model.onnx"])
def test_a_file_of_weights_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, place: str
) -> None:
    path, weights = large(tmp_path, place)
    plan = make_plan(read_model(path, apart=True), SETTINGS)
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    with pytest.raises(ModelError, match="changed"):
        open_plan(plan, choose_provider(["cpu"]))


@pytest.mark.parametrize("light", [False, True])
def test_what_is_loaded_is_what_is_hashed(
    tmp_path: Path, light: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, weights = large(tmp_path, "weights")
    loaded = read._loaded

    def loaded_before_a_change(*arguments: Any, **options: Any) -> Any:
        both = loaded(*arguments, **options)
        weights.write_bytes(bytes(513))
        return both

    monkeypatch.setattr(read, "_loaded", loaded_before_a_change)
    with pytest.raises(ModelError, match="changed"):
        _ = read_model(path, apart=light).sha256


@pytest.mark.parametrize("light", [False, True])
def test_a_tensor_that_names_two_files_is_refused(tmp_path: Path, light: bool) -> None:
    """One would be hashed, and the other loaded."""
    path, weights = large(tmp_path, "weights")
    (tmp_path / "other").write_bytes(bytes(weights.stat().st_size))
    model = onnx.load(path, load_external_data=False)
    model.graph.initializer[0].external_data.add(key="location", value="other")
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="twice"):
        read_model(path, apart=light)


def test_a_folder_that_onnx_cannot_open_is_one_sentence(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"\x80")
    folder.mkdir()
    path, _ = large(folder, "weights")
    with pytest.raises(ModelError, match="UTF-8"):
        read_model(path, apart=True)


def test_a_file_of_very_many_fields_is_left_to_protobuf(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path, external=False)
    monkeypatch.setattr("rsonnx.model.wire._MOST_FIELDS", 9)
    assert read_model(path, apart=True).sha256 == read_model(path).sha256


def test_a_file_cannot_say_itself_that_weights_lie_apart(tmp_path: Path) -> None:
    path = saved(tmp_path, external=True)
    model = onnx.load(path, load_external_data=False)
    for entry in (e for t in model.graph.initializer for e in t.external_data):
        if entry.key == "location":
            entry.value = apart._NOWHERE
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="no such file beside it"):
        read_model(path, apart=True)


@pytest.mark.parametrize("external", [False, True])
def test_a_weight_that_is_not_all_there_is_refused(tmp_path: Path, external: bool) -> None:
    path = saved(tmp_path, external=external)
    if external:
        (tmp_path / "weights").write_bytes(b"1")
    else:
        model = onnx.load(path)
        model.graph.initializer[0].raw_data = b"1"
        path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError):
        read_model(path, apart=True)


def test_values_that_are_stated_twice_are_those_that_protobuf_takes(tmp_path: Path) -> None:
    path = saved(tmp_path, external=False)
    weight = linear().graph.initializer[0]
    other = onnx.TensorProto(raw_data=bytes(len(weight.raw_data))).SerializeToString()
    graph = linear().graph
    del graph.initializer[:]
    stated = graph.SerializeToString()
    for tensor in linear().graph.initializer:
        both = tensor.SerializeToString() + (other if tensor.name == weight.name else b"")
        stated += b"\x2a" + _number(len(both)) + both
    light = linear()
    light.ClearField("graph")
    path.write_bytes(light.SerializeToString() + b"\x3a" + _number(len(stated)) + stated)
    read = read_model(path, apart=True)
    assert read.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert not read.weights[weight.name].any()
    assert onnx.load(path).graph.initializer[0].raw_data == bytes(len(weight.raw_data))


def test_a_damaged_file_is_refused_wherever_it_ends(tmp_path: Path) -> None:
    path = saved(tmp_path, external=False)
    whole = path.read_bytes()
    for end in range(0, len(whole), 7):
        path.write_bytes(whole[:end])
        with pytest.raises(ModelError):
            read_model(path, apart=True)
