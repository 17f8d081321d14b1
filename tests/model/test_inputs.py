"""Which input is smoothed, its shape and layout, and the values of the others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx_models import Dim, build, echo, linear, model_file, node

from rsonnx.errors import ModelError, UsageError
from rsonnx.model import Input, find_input, find_output, unused_inputs


def dims(text: str) -> tuple[Dim, ...]:
    """Read a shape such as ``n 3 h w``; ? is an axis without a name."""
    return tuple(
        int(d) if d.lstrip("-").isdigit() else None if d == "?" else d for d in text.split()
    )


def found_in(proto: onnx.ModelProto, **options: Any) -> Input:
    model = model_file(proto)
    return find_input(model, find_output(model), **options)


def of_shape(shape: str, output: str = "n 3") -> onnx.ModelProto:
    return build([node("Identity", ["x"], "scores")], dims(shape), dims(output))


def of_type(kind: str) -> onnx.ModelProto:
    proto = linear()
    proto.graph.input[0].type.tensor_type.elem_type = TensorProto.DataType.Value(kind)
    return proto


def with_second(
    kind: str = "FLOAT", shape: Sequence[Dim] | None = (1,), *, used: bool = True
) -> onnx.ModelProto:
    """Make a model that adds a second input, ``second``, to its scores."""
    proto = linear()
    value = helper.make_tensor_value_info("second", TensorProto.DataType.Value(kind), shape)
    proto.graph.input.append(value)
    if used:
        proto.graph.node[-1].name = proto.graph.node[-1].output[0] = "open"
        real = node("Cast", ["second"], "real", to=TensorProto.FLOAT)
        proto.graph.node.extend([real, node("Add", ["open", "real"], "scores")])
    return proto


@pytest.mark.parametrize("kind", ["FLOAT16", "FLOAT", "DOUBLE", "UINT8", "INT8"])
def test_floats_and_8_bit_integers_are_taken(kind: str) -> None:
    data = found_in(of_type(kind))
    assert data.spec.dtype == {"FLOAT": "float32", "DOUBLE": "float64"}.get(kind, kind.lower())
    assert (data.spec.name, data.shape) == ("x", (1, 4, 4))
    assert (data.has_batch_axis, data.feeds) == (True, {})


@pytest.mark.parametrize("kind", ["UINT16", "STRING", "BFLOAT16", "BOOL"])
def test_other_types_are_refused(kind: str) -> None:
    with pytest.raises(ModelError, match=f"'x' of .* {kind.lower()}") as caught:
        found_in(of_type(kind))
    assert caught.value.exit_code == 4


def test_weights_that_are_listed_as_inputs_are_no_inputs() -> None:
    model = model_file(linear(list_weights=True, ir_version=3))
    assert len(model.proto.graph.input) == 3
    assert [i.name for i in model.view.inputs] == ["x"]
    assert find_input(model, find_output(model)).spec.name == "x"


def test_other_than_one_input_is_refused_with_the_list() -> None:
    with pytest.raises(ModelError, match=r"'x' float32 \[batch, 1, 4, 4\], 'second' bool.*--feed"):
        found_in(with_second("BOOL"))
    with pytest.raises(ModelError, match="0 inputs"):
        found_in(echo(), feeds={"x": [0, 0, 0]})
    proto = echo()
    del proto.graph.input[:]
    with pytest.raises(ModelError, match="0 inputs"):
        found_in(proto)


def test_an_input_that_the_answer_does_not_use_is_left_out() -> None:
    proto = with_second(used=False)
    assert found_in(proto).spec.name == "x"
    model = model_file(proto)
    assert unused_inputs(model, find_output(model)) == ("second",)
    for name, other in (("second", proto), ("mask", with_second())):
        with pytest.raises(UsageError, match=f"'{name}'.* uses 'x' float32"):
            found_in(other, feeds={name: 1})


FIVE = np.arange(1, 6, dtype=np.float32)


@pytest.mark.parametrize(
    ("kind", "shape", "value", "expected"),
    [
        ("FLOAT", "1", 0.5, np.array([0.5], np.float32)),
        ("FLOAT", "", 0.5, np.array(0.5, np.float32)),
        ("FLOAT", "n 5", 2, np.full((1, 5), 2, np.float32)),
        ("FLOAT", "5", [1, 2, 3, 4, 5], FIVE),
        ("FLOAT", "1 5", [1, 2, 3, 4, 5], FIVE[None]),
        ("FLOAT", "n 5", [[1, 2, 3, 4, 5]], FIVE[None]),
        ("DOUBLE", "1", np.float32(0.1), np.array([np.float32(0.1)], np.float64)),
        ("BOOL", "1", True, np.array([True])),
        ("BOOL", "", False, np.array(False)),
        ("BOOL", "1", 1, np.array([True])),
        ("INT64", "1", 7, np.array([7])),
        ("INT32", "1", 7.0, np.array([7], np.int32)),
        ("UINT8", "2", [0, 255], np.array([0, 255], np.uint8)),
    ],
)
def test_a_value_takes_the_input_s_type_and_shape(
    kind: str, shape: str, value: Any, expected: np.ndarray
) -> None:
    data = found_in(with_second(kind, dims(shape)), feeds={"second": value})
    assert data.spec.name == "x"
    np.testing.assert_array_equal(data.feeds["second"], expected, strict=True)


@pytest.mark.parametrize(
    ("kind", "shape", "value"),
    [
        *(("INT64", "1", value) for value in (0.5, float("nan"), 2**70)),
        *(("UINT8", "1", value) for value in (256, -1)),
        *(("FLOAT", "1", value) for value in ("much", {"a": 1})),
        ("BOOL", "1", 2),
        ("FLOAT16", "1", 1e9),
        ("FLOAT", "2", [[1], [2, 3]]),
        ("STRING", "1", "text"),
        ("FLOAT", "3", [1, 2]),
        ("FLOAT", "n 3", [[1, 2]]),
    ],
)
def test_a_value_of_another_kind_is_refused(kind: str, shape: str, value: Any) -> None:
    with pytest.raises(UsageError, match="'second'") as caught:
        found_in(with_second(kind, dims(shape)), feeds={"second": value})
    assert caught.value.exit_code == 2


def test_which_input_is_smoothed_is_what_is_not_fed() -> None:
    data = found_in(with_second(shape=["n", 5]), feeds={"x": np.zeros((1, 1, 4, 4))})
    assert (data.spec.name, data.shape) == ("second", (5,))


@pytest.mark.parametrize("name", ["data:0", "net/input", "model.in", "x y", "é"])
def test_any_name_is_taken(name: str) -> None:
    made = [node("Relu", [name], "out:0")]
    proto = build(made, ("n", 3), ("n", 3), input_name=name, output_name="out:0")
    assert found_in(proto).spec.name == name


@pytest.mark.parametrize("batch", ["batch", "-1", -1, 0, None, 1, 3, 2000])
def test_the_batch_axis_is_known_free_or_fixed(batch: Dim) -> None:
    proto = build([node("Identity", ["x"], "scores")], (batch, 1, 4, 4), ("n", 3))
    data = found_in(proto)
    fixed = batch if isinstance(batch, int) and batch > 0 else None
    assert (data.batch, data.has_batch_axis) == (fixed, True)


@pytest.mark.parametrize(
    ("shape", "output"),
    [("784", "10"), ("784", "n 10"), ("3 8 8", "10"), ("1 8 8", "10"), ("8 8", "10")],
)
def test_an_input_without_a_batch_axis_is_known(shape: str, output: str) -> None:
    data = found_in(of_shape(shape, output))
    assert (data.has_batch_axis, data.batch, data.shape) == (False, 1, dims(shape))


@pytest.mark.parametrize("output", ["3", "n", "1", "3 10", "1 10"])
def test_scores_that_may_count_rows_leave_the_batch_axis(output: str) -> None:
    assert found_in(of_shape("3 8 8", output)).has_batch_axis


@pytest.mark.parametrize(
    ("shape", "layout", "size", "example"),
    [
        ("n c h w", None, (16, 16), "3,16,16"),
        ("n c h w", "NCHW", (16, 24), "3,16,24"),
        ("n h w c", "NHWC", (16, 24), "16,24,3"),
        ("n h w 3", None, (16, 24), "16,24,3"),
        ("n h w 1", None, None, "224,224,1"),
        ("n 1 h w", None, (28, 28), "1,28,28"),
        ("n c h w", None, None, "3,224,224"),
        ("n 3 ? 4", None, None, "3,224,4"),
        ("n 3 0 4", None, None, "3,224,4"),
        ("n h w", None, (16, 24), "16,24"),
        ("n c 32 w", "NCHW", (32, 16), "3,32,16"),
        ("n c h w", "NHWC", None, "224,224,3"),
    ],
)
def test_the_example_for_open_axes_of_an_image_can_be_taken(
    shape: str, layout: str | None, size: tuple[int, int] | None, example: str
) -> None:
    proto = of_shape(shape)
    with pytest.raises(ModelError, match="--input-shape") as caught:
        found_in(proto, layout=layout, size=size)
    assert re.findall(r"--input-shape(?:, such as)? ([\d,]*\d)", str(caught.value)) == [example]
    expected = tuple(map(int, example.split(",")))
    assert found_in(proto, layout=layout, size=size, input_shape=expected).shape == expected


@pytest.mark.parametrize(
    ("shape", "layout", "size", "named"),
    [
        ("n 3 h w", "NHWC", None, "NHWC"),
        ("n 1 h w", "NHWC", (4, 4), "NHWC"),
        ("n h w 3", "NCHW", (4, 4), "NCHW"),
        ("n c 4 4", "NHWC", (4, 4), "NHWC"),
        ("n 4 4 c", "NCHW", (4, 4), "NCHW"),
        ("n c 4 4", None, (4, 6), "4x6"),
        ("n c 32 w", "NCHW", (16, 16), "16x16"),
        ("n 16 w 3", None, (32, 32), "32x32"),
        ("n 16 w", None, (32, 32), "32x32"),
    ],
)
def test_a_layout_or_size_that_axes_contradict_is_said_instead_of_an_example(
    shape: str, layout: str | None, size: tuple[int, int] | None, named: str
) -> None:
    with pytest.raises(UsageError, match=named) as caught:
        found_in(of_shape(shape), layout=layout, size=size)
    assert "--input-shape" not in str(caught.value)


def test_an_input_of_no_known_shape_needs_one() -> None:
    proto = echo()
    proto.graph.input[0].type.tensor_type.ClearField("shape")
    with pytest.raises(ModelError, match="--input-shape 3,16,16, "):
        found_in(proto, size=(16, 16))
    with pytest.raises(ModelError, match=r"--input-shape, such as 4$"):
        found_in(proto)
    data = found_in(proto, input_shape=(3,))
    assert (data.shape, data.batch, data.has_batch_axis) == ((3,), None, True)


@pytest.mark.parametrize("shape", ["n tokens 8", "n a b", "n 3 4 h w", "n features", "n"])
def test_open_axes_of_no_image_have_no_image_s_example(shape: str) -> None:
    with pytest.raises(ModelError, match="--input-shape") as caught:
        found_in(of_shape(shape))
    assert "224" not in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "declared"),
    [
        ("n 3 h w", (3, 32, 24)), ("n ? ? 3", (32, 24, 3)), ("n features", (20,)),
        ("1 1 4 4", (1, 4, 4)), ("features", (20,)), ("? ? ? ?", (3, 8, 8)),
    ],
)  # fmt: skip
def test_a_declared_shape_fixes_open_axes(shape: str, declared: tuple[int, ...]) -> None:
    assert found_in(of_shape(shape), input_shape=declared).shape == declared
    assert found_in(of_shape(shape), input_shape=list(declared)).shape == declared


@pytest.mark.parametrize(
    "declared", [(3, 32), (1, 3, 32, 24), (1, 32, 24), (), (3, 0, 24), (3, -1, 24)]
)
def test_a_declared_shape_that_contradicts_the_file_is_refused(declared: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=r"'x' .* \[3, h, w\]"):
        found_in(of_shape("n 3 h w"), input_shape=declared)


@pytest.mark.parametrize("shape", [(3, 10**5, 10**5), (2**31,), (2**62,) * 4])
def test_absurd_dimensions_are_refused(shape: tuple[int, ...]) -> None:
    for axes, declared in ((map(str, shape), None), ("abcdef"[: len(shape)], shape)):
        with pytest.raises(ModelError, match="268,435,456"):
            found_in(of_shape(" ".join(["n", *axes])), input_shape=declared)


@pytest.mark.parametrize(
    ("shape", "layout"),
    [
        ("n 1 28 28", "NCHW"), ("n 3 32 24", "NCHW"), ("n 28 28 1", "NHWC"), ("n 24 32 3", "NHWC"),
        ("n 4 8 8", None), ("n 784", None), ("n 1 784", None), ("n 784 1", None), ("n 28 28", None),
    ],
)  # fmt: skip
def test_the_layout_is_found_where_the_shape_shows_it(shape: str, layout: str | None) -> None:
    data = found_in(of_shape(shape))
    assert (data.shape, data.layout) == (dims(shape)[1:], layout)
    axes = " ".join("?" for _ in data.shape)
    assert found_in(of_shape(f"n {axes}"), input_shape=data.shape).layout == layout


@pytest.mark.parametrize("sizes", ["3 3 3", "1 5 1", "3 8 1"])
def test_an_ambiguous_layout_is_asked_for_unless_declared_or_denoted(sizes: str) -> None:
    proto = of_shape(f"n {sizes}")
    with pytest.raises(ModelError, match="layout"):
        found_in(proto)
    for place, layout in ((1, "NCHW"), (3, "NHWC")):
        assert found_in(proto, layout=layout).layout == layout
        denoted = of_shape(f"n {sizes}")
        denoted.graph.input[0].type.tensor_type.shape.dim[place].denotation = "DATA_CHANNEL"
        assert found_in(denoted).layout == layout


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("shape", ["n 5 8 8", "n 8 8 4", "n 192"])
def test_a_layout_is_taken_where_the_shape_does_not_contradict_it(shape: str, layout: str) -> None:
    """As for images of more channels, and for flat inputs, which were images of that layout."""
    assert found_in(of_shape(shape)).layout is None
    assert found_in(of_shape(shape), layout=layout).layout == layout


def test_a_declared_layout_is_refused_or_says_nothing_where_it_does_not_fit() -> None:
    for shape, layout in (("n 3 8 8", "NHWC"), ("n 8 8 3", "NCHW")):
        with pytest.raises(UsageError, match=layout):
            found_in(of_shape(shape), layout=layout)
    assert found_in(of_shape("n 784"), layout="NCHW").layout is None
