"""What adapting keeps, frees, feeds, drops and refuses in the graph itself."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from adapted import OPSETS, TOLERANCE, check, pixels, reference, run_adapted
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx_models import build, linear, model_file, node

from rsonnx.errors import ModelError
from rsonnx.model import (
    INPUT,
    LABEL,
    SCORES,
    Batch,
    adapt,
    find_input,
    find_output,
    parse_preprocessing,
)


@pytest.mark.parametrize("ir_version", [3, 8])
def test_weights_listed_as_inputs_stay_weights(ir_version: int) -> None:
    proto = linear(("n", 3, 4, 4), opset=8, ir_version=ir_version, list_weights=True)
    batch = pixels((3, 4, 4))
    labels, scores = run_adapted(proto, batch, "minus-one-one")
    check(labels, scores, reference(proto, 2 * batch - 1), TOLERANCE["float32"])


def test_a_freed_batch_gives_the_same_answers() -> None:
    proto = linear((1, 1, 4, 4))
    batch = pixels((1, 4, 4))
    expected = np.concatenate([reference(proto, row[None]) for row in batch])
    labels, scores = run_adapted(proto, batch, batch_as=Batch.FREED)
    check(labels, scores, expected, TOLERANCE["float32"])
    with pytest.raises(Exception, match="invalid dimensions"):  # onnxruntime's own class
        run_adapted(proto, batch, batch_as=Batch.AS_FILED)


def test_the_original_is_not_changed() -> None:
    proto = linear((1, 3, 4, 4))
    before = proto.SerializeToString(deterministic=True)
    run_adapted(proto, pixels((3, 4, 4))[:1], "imagenet")
    assert proto.SerializeToString(deterministic=True) == before


@pytest.mark.parametrize("opset", [1, 6])
def test_old_operator_sets_are_refused(opset: int) -> None:
    with pytest.raises(ModelError, match=f"set {opset}, but at least 7.*version_converter"):
        run_adapted(linear(opset=opset), pixels((1, 4, 4)))


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("shape", [(16,), (3, 4, 4), (1, 4, 4), (4, 4)])
def test_a_model_without_a_batch_axis_gets_one(opset: int, shape: tuple[int, ...]) -> None:
    generator = np.random.default_rng(8)
    size = int(np.prod(shape))
    weights = {"w": generator.standard_normal((size, 5)).astype(np.float32), "all": np.array([-1])}
    made = [node("Reshape", ["x", "all"], "flat"), node("MatMul", ["flat", "w"], "scores")]
    proto = build(made, shape, (5,), weights, opset=opset)
    batch = pixels(shape)
    expected = np.stack(
        [ReferenceEvaluator(proto).run(None, {"x": row})[0] for row in 2 * batch - 1]
    )
    found = [run_adapted(proto, row[None], "minus-one-one") for row in batch]
    labels, scores = (np.concatenate(part) for part in zip(*found, strict=True))
    check(labels, scores, expected, TOLERANCE["float32"])


def test_a_feed_is_a_constant_of_the_rewritten_model() -> None:
    proto = linear()
    proto.graph.input.append(onnx.helper.make_tensor_value_info("t", onnx.TensorProto.FLOAT, [1]))
    proto.graph.node[-1].name = proto.graph.node[-1].output[0] = "open"
    proto.graph.node.append(node("Mul", ["open", "t"], "scores"))
    batch = pixels((1, 4, 4))
    expected = reference(linear(), batch)
    labels, scores = run_adapted(proto, batch, feeds={"t": -2.0})
    check(labels, scores, -2 * expected, TOLERANCE["float32"])


def test_what_the_answer_does_not_need_is_dropped() -> None:
    """Neither the other output nor its weights are kept."""
    proto = linear()
    proto.graph.node.append(node("Mul", ["flat", "many"], "features"))
    proto.graph.output.append(
        onnx.helper.make_tensor_value_info("features", onnx.TensorProto.FLOAT, ["n", 16])
    )
    proto.graph.initializer.append(numpy_helper.from_array(np.ones(16, np.float32), "many"))
    model = model_file(proto)
    output = find_output(model, name="scores")
    data = find_input(model, output)
    made = onnx.load_from_string(adapt(model, data, output, parse_preprocessing("none"), (0, 1)))
    assert "features" not in {name for n in made.graph.node for name in n.output}
    assert "many" not in {t.name for t in made.graph.initializer}
    assert [o.name for o in made.graph.output] == [LABEL, SCORES]
    assert [i.name for i in made.graph.input] == [INPUT]
