"""Graphs whose rows couple where onnxruntime does otherwise than the standard, or than it seems.

Each is a linear classifier to whose last score something is added that is 0 unless a value is
above 2.5, so that no probe inside of the bounds sees it. Whatever is found of a graph, a row must
have the label among any companions that it has alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from rsonnx.runtime import OnnxClassifier
from rsonnx.smoothing import load

node = helper.make_node
FLOAT = TensorProto.FLOAT
Weights = dict[str, Any]


def value(name: str, shape: Sequence[int] | None = None, kind: int = FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def hidden(
    nodes: Sequence[NodeProto],
    weights: Weights | None = None,
    *,
    size: int = 8,
    opset: int = 17,
    functions: Sequence[onnx.FunctionProto] = (),
    domains: Sequence[str] = (),
) -> onnx.ModelProto:
    """Make the classifier; ``nodes`` lead from ``r``, which is 0 but for large values, to ``q``."""
    stored = {
        "w": np.eye(size, 4, dtype=np.float32) * 3,
        "limit": np.float32(2.5),
        "last": np.array([[0, 0, 0, 100]], np.float32),
    } | (weights or {})
    whole = [
        node("MatMul", ["x", "w"], ["lin"]),
        node("Sub", ["x", "limit"], ["above"]),
        node("Relu", ["above"], ["r"]),
        *nodes,
        node("Mul", ["q", "last"], ["pushed"]),
        node("Add", ["lin", "pushed"], ["scores"]),
    ]
    graph = helper.make_graph(
        whole,
        "hidden",
        [value("x", ["n", size])],  # type: ignore[list-item]
        [value("scores", ["n", 4])],  # type: ignore[list-item]
        [numpy_helper.from_array(np.asarray(v), k) for k, v in stored.items()],
    )
    opsets = [("", opset), ("ai.onnx.ml", 3), *((name, 1) for name in domains)]
    return helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid(*one) for one in opsets],
        functions=list(functions),
        ir_version=9,
    )


def body(
    nodes: Sequence[NodeProto], output: str, *, declared: Sequence[onnx.ValueInfoProto] = ()
) -> onnx.GraphProto:
    return helper.make_graph(list(nodes), "body", [], [value(output)], value_info=list(declared))


def mixing(name: str = "mixed") -> onnx.GraphProto:
    return body([node("ReduceMax", ["r"], [name], keepdims=1)], name)


def apart(name: str = "apart") -> onnx.GraphProto:
    return body([node("ReduceSum", ["r", "one_axis"], [name], keepdims=1)], name)


AXIS = {"one_axis": np.array([1])}


def if_declared(where: str) -> onnx.ModelProto:
    """A branch that declares its own shapes for a batch of 1, which it folds to a constant."""
    declared = value("y", [1, 8])
    steps = [
        node("Abs", ["r"], ["y"]),
        node("Shape", ["y"], ["sizes"]),
        node("Gather", ["sizes", "first"], ["rows"], axis=0),
        node("Concat", ["rows", "open"], ["target"], axis=0),
        node("Reshape", ["r", "target"], ["folded"]),
        node("ReduceMax", ["folded"], ["most"], axes=[1], keepdims=1),
    ]
    if where == "inside":
        branch = body(steps, "most", declared=[declared])
        outer: list[NodeProto] = []
    else:  # the output of one If, whose shape the nodes behind it take
        branch = helper.make_graph(steps[:1], "body", [], [declared])
        outer = steps[1:]
        outer[-1].output[0] = "q"
    other = body([node("Abs", ["r"], ["z"])], "z") if outer else apart()
    branches = {"then_branch": branch, "else_branch": other}
    nodes = [node("If", ["yes"], ["y" if outer else "q"], **branches), *outer]
    weights = {"yes": np.array(True), "first": np.array([0]), "open": np.array([-1])}
    return hidden(nodes, AXIS | weights)


def squeezed(opset: int) -> onnx.ModelProto:
    """An empty list of axes, which onnxruntime takes for none: all axes of 1 go."""
    squeeze = node("Squeeze", ["r4", "none"], ["s"])
    if opset < 13:
        squeeze = node("Squeeze", ["r4"], ["s"], axes=[1])
        del squeeze.attribute[0].ints[:]
    nodes = [
        node("Reshape", ["x", "four"], ["x4"]),
        node("Reshape", ["r", "four"], ["r4"]),
        squeeze,
        node("Mul", ["x4", "zero"], ["t"]),
        node("Add", ["s", "t"], ["c"]),
        node("ReduceMax", ["c"], ["m"], axes=[2], keepdims=0),
        node("Reshape", ["m", "two"], ["m2"]),
        node("ReduceMax", ["m2"], ["q"], axes=[1], keepdims=1),
    ]
    four, two = np.array([-1, 1, 1, 8]), np.array([-1, 8])
    weights = {"four": four, "two": two, "none": np.array([], np.int64), "zero": np.float32(0)}
    return hidden(nodes, weights, opset=opset)


def decided(nodes: Sequence[NodeProto], weights: Weights, **options: Any) -> onnx.ModelProto:
    """Mix rows unless the integer ``found`` is what ``believed`` says, as the standard has it."""
    choice = node("If", ["same"], ["q"], then_branch=apart(), else_branch=mixing())
    return hidden(
        [*nodes, node("Equal", ["found", "believed"], ["same"]), choice], AXIS | weights, **options
    )


def sized(nodes: Sequence[NodeProto], weights: Weights, axis: int, size: int) -> onnx.ModelProto:
    """Mix rows unless the tensor ``t`` has so many values along an axis."""
    measured = [
        node("Reshape", ["x", "picture"], ["x4"]),
        *nodes,
        node("Shape", ["t"], ["sizes"]),
        node("Gather", ["sizes", "which"], ["found"], axis=0),
    ]
    stored = {"picture": np.array([-1, 4, 4, 4]), "which": np.array(axis)}
    return decided(measured, stored | weights | {"believed": np.array(size)}, size=64)


def sliced(start: int, end: int) -> onnx.ModelProto:
    parts = {"from": start, "to": end, "along": 1, "step": -1}
    weights = {name: np.array([number]) for name, number in parts.items()}
    return sized([node("Slice", ["x4", *parts], ["t"])], weights, 1, 0)


def summed(operator: str, numbers: list[int], kind: type, believed: int) -> onnx.ModelProto:
    reduce = node(operator, ["numbers"], ["found"], keepdims=0)
    weights = {"numbers": np.array(numbers, kind), "believed": np.array(believed, kind)}
    return decided([reduce], weights)


def tree_of_two_lists() -> onnx.ModelProto:
    tree = node(
        "TreeEnsembleClassifier", ["x"], ["class", "t"], domain="ai.onnx.ml",
        nodes_treeids=[0, 0, 0], nodes_nodeids=[0, 1, 2], nodes_featureids=[0, 0, 0],
        nodes_modes=["BRANCH_GT", "LEAF", "LEAF"], nodes_values=[2.5, 0.0, 0.0],
        nodes_truenodeids=[1, 0, 0], nodes_falsenodeids=[2, 0, 0], class_treeids=[0, 0],
        class_nodeids=[1, 2], class_ids=[0, 1], class_weights=[1.0, 1.0],
        classlabels_int64s=[0, 1, 2, 3, 4], classlabels_strings=["a", "b"],
    )  # fmt: skip
    return sized([tree], {}, 1, 5)


def called_constant() -> onnx.ModelProto:
    """A function named Constant, which onnxruntime takes for ONNX's own."""
    no = numpy_helper.from_array(np.array(False), "no")
    yes = numpy_helper.from_array(np.array(True), "yes")
    inside = node("Constant", [], ["m"], value=no)
    function = helper.make_function(
        "my", "Constant", [], ["m"], [inside], [helper.make_opsetid("", 17)], attributes=["value"]
    )
    nodes = [
        node("Constant", [], ["chosen"], domain="my", value=yes),
        node("If", ["chosen"], ["q"], then_branch=mixing(), else_branch=apart()),
    ]
    return hidden(nodes, AXIS, functions=[function], domains=["my"])


def of_another_version(main: int) -> onnx.ModelProto:
    """A function that imports Softmax of version 13 in a model of an earlier one."""
    softmax = node("Softmax", ["a"], ["b"], axis=0)
    opset = [helper.make_opsetid("", 13)]
    function = helper.make_function("my", "F", ["a"], ["b"], [softmax], opset)
    nodes = [
        node("Reshape", ["r", "three"], ["r3"]),
        node("Transpose", ["r3"], ["t"], perm=[1, 0, 2]),
        node("F", ["t"], ["u"], domain="my"),
        node("Mul", ["u", "t"], ["v"]),
        node("Transpose", ["v"], ["back"], perm=[1, 0, 2]),
        node("Reshape", ["back", "two"], ["flat"]),
        node("ReduceMax", ["flat"], ["q"], axes=[1], keepdims=1),
    ]
    weights = {"three": np.array([-1, 2, 4]), "two": np.array([-1, 8])}
    return hidden(nodes, weights, opset=main, functions=[function], domains=["my"])


TRAPS: dict[str, Callable[[], onnx.ModelProto]] = {
    "a shape declared inside a branch": lambda: if_declared("inside"),
    "a shape declared of a branch's output": lambda: if_declared("output"),
    "Squeeze of an empty input": lambda: squeezed(13),
    "Squeeze of an empty attribute": lambda: squeezed(11),
    "a slice backwards from -9 to the end": lambda: sliced(-9, 2**63 - 1),
    "a slice backwards from 7 to the end": lambda: sliced(7, 2**31 - 1),
    "a slice backwards from -9 to -9": lambda: sliced(-9, -9),
    "dilated windows of the same size": lambda: sized(
        [node("MaxPool", ["x4"], ["t"], kernel_shape=[3, 1], auto_pad="SAME_LOWER",
              dilations=[2, 3])], {}, 2, 4,
    ),
    "a product beyond 32 bits": lambda: summed("ReduceProd", [65536, 65536, 3], np.int32, 0),
    "a sum beyond 53 bits": lambda: summed("ReduceSum", [2**62, 1, 7], np.int64, 2**62 + 8),
    "classes listed twice": tree_of_two_lists,
    "a function named Constant": called_constant,
    "a function of version 13 in 12": lambda: of_another_version(12),
    "a function of version 13 in 11": lambda: of_another_version(11),
}  # fmt: skip


def opened(proto: onnx.ModelProto, folder: Path) -> OnnxClassifier:
    path = folder / "trap.onnx"
    path.write_bytes(proto.SerializeToString())
    return load(path, preprocess="none", providers="cpu")


def labels_differ(found: OnnxClassifier, scale: float, seed: int) -> bool:
    """Return whether a row has another label among companions than alone."""
    generator = np.random.default_rng(seed)
    batch: NDArray[np.float32] = generator.normal(0.5, 0.5, (8, *found.shape)).astype(np.float32)
    place = seed % 8
    row = batch[place].copy()
    batch *= np.float32(scale)
    batch[place] = row
    return bool(found.classify(batch)[place] != found.classify(row[None])[0])


@pytest.mark.parametrize("trap", TRAPS)
def test_a_row_has_one_label(trap: str, tmp_path: Path) -> None:
    proto = TRAPS[trap]()
    found = opened(proto, tmp_path)
    assert not any(labels_differ(found, scale, seed) for scale in (10, 1000) for seed in range(8))


@pytest.mark.parametrize("operator", ["ReduceMax", "ReduceMin", "Hardmax"])
def test_a_maximum_that_loses_nan_by_its_place_is_no_class(operator: str, tmp_path: Path) -> None:
    """The file answers copies of one row differently, so none of its answers is counted."""
    axis = {"axis": 1} if operator == "Hardmax" else {"axes": [1], "keepdims": 1}
    nodes = [
        node("Add", ["x", "shift"], ["shifted"]),
        node("Sqrt", ["shifted"], ["root"]),
        node(operator, ["root"], ["m"], **axis),
        node("ReduceSum", ["m", "one_axis"], ["s"], keepdims=1),
        node("Greater", ["s", "bound"], ["g"]),
        node("Cast", ["g"], ["q"], to=FLOAT),
    ]
    weights = AXIS | {"shift": np.float32(1.01), "bound": np.float32(0.5)}
    found = opened(hidden(nodes, weights, size=5), tmp_path)
    assert found.rows == "proved"
    rows = np.random.default_rng(0).normal(0.5, 1, (2000, 5)).astype(np.float32)
    alone = np.concatenate([found.classify(row[None]) for row in rows])
    together = np.concatenate([found.classify(rows[i : i + 128]) for i in range(0, 2000, 128)])
    assert together.tolist() == alone.tolist()
    has_nan = (rows + np.float32(1.01) < 0).any(axis=1)
    assert 50 < has_nan.sum() < 1950
    assert ((alone == -1) == has_nan).all()


def test_a_freed_reshape_is_the_file_s_own_at_its_own_size(tmp_path: Path) -> None:
    """[1, -1] of a [4, 1]: a 0 in place of the 1 would copy the 4."""
    nodes = [
        node("Transpose", ["r"], ["t"], perm=[1, 0]),
        node("Reshape", ["t", "flat"], ["u"]),
        node("ReduceMax", ["u"], ["m"], axes=[0], keepdims=1),
        node("Mul", ["m", "weigh"], ["q"]),
    ]
    weights = {"flat": np.array([1, -1]), "weigh": np.array([[1, 1, 1, 1]], np.float32)}
    proto = hidden(nodes, weights, size=4)
    for one in (proto.graph.input[0], proto.graph.output[0]):
        one.type.tensor_type.shape.dim[0].dim_value = 1
    found = opened(proto, tmp_path)
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    rows = np.random.default_rng(0).normal(0.5, 2, (500, 4)).astype(np.float32)
    own = [int(session.run(None, {"x": row[None]})[0].argmax()) for row in rows]
    assert found.classify(rows).tolist() == own
