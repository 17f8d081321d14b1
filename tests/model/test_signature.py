from __future__ import annotations

import onnx
import pytest
from onnx import TensorProto, helper
from onnx_models import Dim, build, echo, linear, model_file, node

from rsonnx.errors import ModelError, UsageError
from rsonnx.model import find_signature, inputs_of, outputs_of


def of_shape(*shape: Dim) -> onnx.ModelProto:
    return build([node("Identity", ["x"], "scores")], shape, ("n", 3))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_floating_point_inputs_are_taken(dtype: str) -> None:
    found = find_signature(model_file(linear(dtype=dtype)))
    assert (found.input.dtype, found.output.dtype) == (dtype, dtype)
    assert found.input.name == "x"
    assert found.shape == (1, 4, 4)


@pytest.mark.parametrize("kind", ["UINT8", "INT64", "STRING", "BFLOAT16", "BOOL"])
def test_other_types_are_refused(kind: str) -> None:
    for role in ("input", "output"):
        proto = echo()
        value = getattr(proto.graph, role)[0]
        value.type.tensor_type.elem_type = TensorProto.DataType.Value(kind)
        with pytest.raises(
            ModelError, match=f"the {role} .* has type {kind.lower()}, but a floating-point type"
        ):
            find_signature(model_file(proto))


def test_an_output_that_is_no_tensor_is_refused() -> None:
    proto = echo()
    tensor = helper.make_tensor_type_proto(TensorProto.FLOAT, [3])
    kind = helper.make_sequence_type_proto(tensor)
    proto.graph.output[0].type.CopyFrom(kind)
    with pytest.raises(ModelError, match=r"'scores' .* has type sequence_type"):
        find_signature(model_file(proto))


def test_weights_that_are_listed_as_inputs_are_no_inputs() -> None:
    model = model_file(linear(list_weights=True, ir_version=3))
    assert len(model.proto.graph.input) == 3
    assert [i.name for i in inputs_of(model)] == ["x"]
    assert find_signature(model).input.name == "x"


def test_several_inputs_are_refused_by_name() -> None:
    proto = echo()
    proto.graph.input.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, [1]))
    with pytest.raises(ModelError, match=r"takes 2 inputs \('x', 'mask'\).*as constants"):
        find_signature(model_file(proto))


def test_no_input_is_refused() -> None:
    proto = echo()
    del proto.graph.input[:]
    with pytest.raises(ModelError, match=r"takes 0 inputs \(none\)"):
        find_signature(model_file(proto))


def test_several_outputs_are_refused_by_name() -> None:
    proto = echo()
    proto.graph.output.append(helper.make_tensor_value_info("label", TensorProto.INT64, ["n"]))
    model = model_file(proto)
    assert [o.name for o in outputs_of(model)] == ["scores", "label"]
    with pytest.raises(ModelError, match=r"gives 2 outputs \('scores', 'label'\).*scores alone"):
        find_signature(model)


def test_the_message_names_the_file() -> None:
    with pytest.raises(ModelError, match=r"nets/a\.onnx"):
        find_signature(model_file(of_shape("n"), "nets/a.onnx"))


@pytest.mark.parametrize("name", ["data:0", "net/input", "model.in", "x y", "é"])
def test_any_name_is_taken(name: str) -> None:
    proto = build(
        [node("Identity", [name], "out:0")],
        ("n", 3),
        ("n", 3),
        input_name=name,
        output_name="out:0",
    )
    found = find_signature(model_file(proto))
    assert (found.input.name, found.output.name) == (name, "out:0")


@pytest.mark.parametrize(
    ("batch", "expected"), [("batch", None), ("-1", None), (-1, None), (0, None), (None, None)]
)
def test_a_free_batch_axis_is_known(batch: Dim, expected: int | None) -> None:
    assert find_signature(model_file(of_shape(batch, 1, 4, 4))).batch is expected


@pytest.mark.parametrize("batch", [1, 3, 2000])
def test_a_fixed_batch_axis_is_known(batch: int) -> None:
    assert find_signature(model_file(of_shape(batch, 1, 4, 4))).batch == batch


@pytest.mark.parametrize("shape", [("n", 3, "h", "w"), ("n", 3, None, 4), ("n", 3, 0, 4)])
def test_open_axes_besides_the_batch_are_refused(shape: tuple[Dim, ...]) -> None:
    with pytest.raises(ModelError, match="axes besides the batch open; export it with a fixed"):
        find_signature(model_file(of_shape(*shape)))


@pytest.mark.parametrize("shape", [(), ("n",)])
def test_fewer_than_two_axes_are_refused(shape: tuple[Dim, ...]) -> None:
    with pytest.raises(ModelError, match="a batch axis and at least one axis of values"):
        find_signature(model_file(of_shape(*shape)))


def test_an_input_without_a_shape_is_refused() -> None:
    proto = echo()
    proto.graph.input[0].type.tensor_type.ClearField("shape")
    with pytest.raises(ModelError, match=r"has shape \[\]"):
        find_signature(model_file(proto))


@pytest.mark.parametrize(
    ("shape", "layout"),
    [
        (("n", 1, 28, 28), "NCHW"),
        (("n", 3, 32, 24), "NCHW"),
        (("n", 28, 28, 1), "NHWC"),
        (("n", 24, 32, 3), "NHWC"),
        (("n", 4, 8, 8), None),
        (("n", 784), None),
        (("n", 1, 784), None),
    ],
)
def test_the_layout_is_found_where_the_shape_shows_it(
    shape: tuple[Dim, ...], layout: str | None
) -> None:
    assert find_signature(model_file(of_shape(*shape))).layout == layout


@pytest.mark.parametrize("sizes", [(3, 3, 3), (1, 5, 1), (3, 8, 1)])
def test_an_ambiguous_layout_is_asked_for(sizes: tuple[int, ...]) -> None:
    model = model_file(of_shape("n", *sizes))
    with pytest.raises(ModelError, match="can be NCHW or NHWC; declare the layout"):
        find_signature(model)
    for declared in ("NCHW", "NHWC"):
        assert find_signature(model, declared).layout == declared


def test_a_declared_layout_that_contradicts_the_shape_is_refused() -> None:
    with pytest.raises(UsageError, match=r"NHWC was declared.*no 1 or 3 channels there"):
        find_signature(model_file(of_shape("n", 3, 8, 8)), "NHWC")
    with pytest.raises(UsageError, match="NCHW was declared"):
        find_signature(model_file(of_shape("n", 8, 8, 3)), "NCHW")
