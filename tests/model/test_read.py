from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_models import build, echo, linear, node, save

from rsonnx.errors import ModelError, UsageError
from rsonnx.model import read_model


def with_external(folder: Path, location: str, **entries: str) -> Path:
    """Write a model whose weight w, 4 float32, is said to lie in ``location``."""
    proto = build([node("Add", ["x", "w"], "scores")], ("n", 4), ("n", 4))
    tensor = proto.graph.initializer.add(name="w", data_type=TensorProto.FLOAT, dims=[4])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=value)
    return save(proto, folder)


def weights(folder: Path, name: str = "w.bin", scale: float = 1.0) -> Path:
    path = folder / name
    path.write_bytes((scale * np.arange(4, dtype=np.float32)).tobytes())
    return path


@pytest.mark.parametrize("name", ["gone.onnx", ".", "a" * 300 + ".onnx"])
def test_what_is_no_file_is_a_usage_error_that_names_it(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=re.escape(str(tmp_path / name))) as caught:
        read_model(tmp_path / name)
    assert caught.value.exit_code == 2


WHOLE = linear().SerializeToString()
EMPTY = onnx.ModelProto()
EMPTY.CopyFrom(echo())
del EMPTY.graph.node[:]


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"PK\x03\x04 is no model\n" * 9, b"plain text\n"),
        np.random.default_rng(3).bytes(4096),
        *(WHOLE[: int(share * len(WHOLE))] for share in (0.1, 0.5, 0.99)),
        EMPTY.SerializeToString(),
    ],
    ids=["empty", "archive", "text", "random", "10 %", "50 %", "99 %", "no nodes"],
)
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"m\.onnx is not an ONNX model") as caught:
        read_model(path)
    assert caught.value.exit_code == 4
    with pytest.raises(ModelError, match="is not an ONNX model"):
        read_model(content)


def test_what_is_read_is_the_model(tmp_path: Path) -> None:
    proto = linear(opset=17, metadata={"author": "me"})
    path = save(proto, tmp_path)
    found = read_model(str(path))
    assert found.proto == proto
    assert found.opset == 17
    assert found.metadata == {"author": "me"}
    assert found.size == path.stat().st_size
    assert found.external_data == ()
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ["w.bin", "sub/w.bin"])
def test_external_data_beside_the_model_are_loaded_and_hashed(tmp_path: Path, name: str) -> None:
    (tmp_path / "sub").mkdir()
    stored = weights(tmp_path, name)
    path = with_external(tmp_path, name)
    found = read_model(path)
    assert found.external_data == (name,)
    loaded = numpy_helper.to_array(found.proto.graph.initializer[0])
    np.testing.assert_array_equal(loaded, [0, 1, 2, 3])
    both = path.read_bytes() + stored.read_bytes()
    assert found.sha256 == hashlib.sha256(both).hexdigest()
    weights(tmp_path, name, scale=2.0)
    assert read_model(path).sha256 != found.sha256


@pytest.mark.parametrize("location", ["../w.bin", "/w.bin", "../inner/../w.bin", "link.bin"])
def test_external_data_outside_the_folder_are_refused(tmp_path: Path, location: str) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    outside = weights(tmp_path)
    os.symlink(outside, inner / "link.bin")
    where = str(outside) if location == "/w.bin" else location
    with pytest.raises(ModelError, match="outside its own folder"):
        read_model(with_external(inner, where))


@pytest.mark.parametrize("location", ["gone.bin", "", ".", "loop.bin"])
def test_missing_external_data_are_named(tmp_path: Path, location: str) -> None:
    (tmp_path / "loop.bin").symlink_to("loop.bin")
    with pytest.raises(ModelError, match=f"'{location}'"):
        read_model(with_external(tmp_path, location))


@pytest.mark.parametrize("offset", ["abc", "-4", "4000"])
def test_external_data_that_cannot_be_read_are_refused(tmp_path: Path, offset: str) -> None:
    weights(tmp_path)
    with pytest.raises(ModelError, match="external data"):
        read_model(with_external(tmp_path, "w.bin", offset=offset))


@pytest.mark.parametrize("length", ["4000", "x", "", "15", "-16"])
def test_external_data_of_another_length_are_refused(tmp_path: Path, length: str) -> None:
    weights(tmp_path)
    with pytest.raises(ModelError, match=r"the tensor 'w' .*needs 16"):
        read_model(with_external(tmp_path, "w.bin", length=length))


def test_external_data_inside_a_function_are_checked_and_hashed(tmp_path: Path) -> None:
    value = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4])
    value.data_location = TensorProto.EXTERNAL
    value.external_data.add(key="location", value="../w.bin")
    body = [node("Constant", [], "w", value=value), node("Add", ["a", "w"], "b")]
    opsets = [helper.make_opsetid("", 13)]
    function = helper.make_function("mine", "Shift", ["a"], ["b"], body, opsets)
    call = node("Shift", ["x"], "scores", domain="mine")
    proto = build([call], ("n", 4), ("n", 4), domains=["mine"], functions=[function])
    inner = tmp_path / "inner"
    inner.mkdir()
    weights(tmp_path)
    with pytest.raises(ModelError, match="outside its own folder"):
        read_model(save(proto, inner))
    place = proto.functions[0].node[0].attribute[0].t.external_data[0]
    place.value = "w.bin"
    weights(inner)
    assert read_model(save(proto, inner)).external_data == ("w.bin",)


def test_external_data_of_a_sparse_tensor_are_refused(tmp_path: Path) -> None:
    proto = echo()
    sparse = onnx.SparseTensorProto(dims=[4])
    sparse.values.CopyFrom(TensorProto(name="s", data_type=TensorProto.FLOAT, dims=[1]))
    sparse.values.data_location = TensorProto.EXTERNAL
    sparse.values.external_data.add(key="location", value="w.bin")
    proto.graph.sparse_initializer.append(sparse)
    weights(tmp_path)
    with pytest.raises(ModelError, match="cannot be read"):
        read_model(save(proto, tmp_path))


def test_bytes_and_models_in_memory_are_read_as_the_file_is(tmp_path: Path) -> None:
    proto = linear(opset=17, metadata={"author": "me"})
    path = tmp_path / "m.onnx"
    path.write_bytes(proto.SerializeToString(deterministic=True))
    for source in (path.read_bytes(), proto):
        model = read_model(source)
        assert model.path is None
        assert model.proto == proto
        assert (model.sha256, model.size) == (read_model(path).sha256, path.stat().st_size)


def test_a_model_in_memory_is_a_copy() -> None:
    proto = linear()
    model = read_model(proto)
    proto.graph.node[0].op_type = "Relu"
    assert model.proto.graph.node[0].op_type != "Relu"


@pytest.mark.parametrize("kind", ["bytes", "proto"])
def test_weights_beside_a_model_in_memory_are_refused(tmp_path: Path, kind: str) -> None:
    weights(tmp_path)
    data = with_external(tmp_path, "w.bin").read_bytes()
    with pytest.raises(ModelError, match=r"'w\.bin'.*path"):
        read_model(data if kind == "bytes" else onnx.load_from_string(data))


def test_an_empty_model_in_memory_is_refused() -> None:
    with pytest.raises(ModelError, match="is not an ONNX model"):
        read_model(onnx.ModelProto())


def test_absurdly_many_values_are_refused_in_a_sentence() -> None:
    proto = linear()
    proto.graph.initializer.add(name="w2", data_type=TensorProto.FLOAT, dims=[2**62] * 400)
    with pytest.raises(ModelError, match="'w2'"):
        read_model(proto)
