from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto
from onnx_models import build, linear, model_file, node, save

from rsonnx.errors import ModelError
from rsonnx.model import read_model
from rsonnx.model.half import to_half
from rsonnx.smoothing import load

ROWS = np.random.default_rng(2).random((200, 1, 4, 4)).astype(np.float32)


def scores(proto: onnx.ModelProto) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    found: NDArray[np.float32] = session.run(None, {session.get_inputs()[0].name: ROWS})[0]
    return found


def test_a_converted_model_computes_in_float16_between_float32_ends() -> None:
    original = linear()
    half = to_half(model_file(original))
    proto = half.model.proto
    kinds = {t.name: t.data_type for t in proto.graph.initializer}
    assert set(kinds.values()) == {TensorProto.FLOAT16}
    assert proto.graph.input[0].type.tensor_type.elem_type == TensorProto.FLOAT
    assert proto.graph.output[0].type.tensor_type.elem_type == TensorProto.FLOAT
    before, after = scores(original), scores(proto)
    assert after.dtype == np.float32
    # 16 products of numbers around 1, each rounded to 11 bits: 2^-11 a term is far inside 0.05.
    np.testing.assert_allclose(after, before, atol=0.05)
    assert (after != before).any()


def test_the_original_is_left_as_it_was_and_the_digest_is_the_converted_one_s() -> None:
    original = linear()
    kept = original.SerializeToString(deterministic=True)
    file = model_file(original)
    first, again = to_half(file), to_half(file)
    assert original.SerializeToString(deterministic=True) == kept
    assert first.facts == again.facts
    assert first.facts["sha256"] != to_half(model_file(linear(seed=2))).facts["sha256"]
    assert (first.model.path, first.model.sha256) == (file.path, file.sha256)
    assert "none for the file's own" in first.facts["statement"]
    assert first.facts["weights_beyond_its_range"] == 0


def test_rows_that_are_proved_of_a_model_are_proved_of_it_in_float16(tmp_path: Path) -> None:
    """The converter's graph is in no order: its casts come last."""
    path = save(linear(), tmp_path)
    for float16 in (False, True):
        loaded = load(path, preprocess="none", providers="cpu", float16=float16)
        assert (loaded.rows, loaded.batch_size) == ("proved", None)


def test_weights_beyond_float16_are_counted() -> None:
    weights = {"w": np.array([[1e6, -1e-9, 0.0], [1.0, np.inf, 65504.0]], np.float32)}
    made = build([node("MatMul", ["x", "w"], "scores")], ("n", 2), ("n", 3), weights)
    assert to_half(model_file(made)).facts["weights_beyond_its_range"] == 2


def test_weights_in_nodes_count_too(tmp_path: Path) -> None:
    held = onnx.numpy_helper.from_array(np.ones((1, 1, 4, 4), np.float32))
    made = build(
        [node("Constant", [], "c", value=held), node("Add", ["x", "c"], "scores")],
        ("n", 1, 4, 4),
        ("n", 1, 4, 4),
    )
    half = to_half(read_model(save(made, tmp_path)))
    np.testing.assert_allclose(scores(half.model.proto), ROWS + 1, atol=0.002)


def quantised(operator: str) -> onnx.ModelProto:
    made = linear()
    made.graph.node.append(node(operator, ["a", "b"], "more"))
    return made


@pytest.mark.parametrize(
    ("made", "named"),
    [
        *((linear(dtype=dtype), "no float32 weights") for dtype in ("float16", "float64")),
        *((quantised(name), name) for name in ("QLinearConv", "DequantizeLinear", "MatMulInteger")),
    ],
)
def test_what_has_no_float32_weights_or_is_quantised_is_refused(
    made: onnx.ModelProto, named: str
) -> None:
    with pytest.raises(ModelError, match=rf"model\.onnx.*{named}"):
        to_half(model_file(made))


def test_what_the_converter_cannot_do_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise KeyError("a\nb")

    monkeypatch.setattr("onnxruntime.transformers.float16.convert_float_to_float16", broken)
    with pytest.raises(ModelError, match=r"cannot be converted to float16 \('a.nb'\); leave"):
        to_half(model_file(linear()))
