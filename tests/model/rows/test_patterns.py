"""What exporters write: reshapes by arithmetic on shapes, attention, tokens, time-distributed."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper
from row_oracle import assert_rows_are_independent, proof_of

HEADS, TOKENS, WIDTH = 2, 5, 4
WEIGHTS: dict[str, Any] = {
    "zero": np.array(0),
    "zeros": np.array([0]),
    "one": np.array([1]),
    "open": np.array([-1]),
    "heads": np.array([HEADS]),
    "tokens": np.array([TOKENS]),
    "depth": np.array([WIDTH // HEADS]),
    "width": np.array([WIDTH]),
    "root": np.float32(np.sqrt(WIDTH // HEADS)),
    "q": np.eye(WIDTH, dtype=np.float32) + 0.1,
    "k": np.eye(WIDTH, dtype=np.float32) - 0.2,
    "token": np.full((1, 1, WIDTH), 0.5, np.float32),
    "position": np.linspace(-1, 1, (TOKENS + 1) * WIDTH, dtype=np.float32).reshape(1, -1, WIDTH),
    "step": np.full((WIDTH, 2), 0.3, np.float32),
    "flat": np.array([-1, WIDTH]),
    "back": np.array([-1, TOKENS, 2]),
    "numbers": np.arange(100, dtype=np.float32)[None],
    "standing": np.array([-1, 1, 1]),
    "named": np.array([1, TOKENS * WIDTH]),
}


def node(operator: str, inputs: str, outputs: str = "y", **attributes: Any) -> NodeProto:
    return helper.make_node(operator, inputs.split(), outputs.split(), **attributes)


def model(nodes: list[NodeProto], opset: int = 17) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "main",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", TOKENS, WIDTH])],
        [onnx.ValueInfoProto(name="y")],
        [numpy_helper.from_array(v, k) for k, v in WEIGHTS.items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


ROWS = [
    node("Shape", "x", "shape"),
    node("Gather", "shape zero", "rows0"),
    node("Unsqueeze", "rows0 zeros", "rows"),
]
SPLIT = [node("Concat", "rows tokens heads depth", "split", axis=0)]


def heads(name: str, order: list[int]) -> list[NodeProto]:
    """(n, tokens, width) to heads, as PyTorch writes view and permute."""
    return [
        node("MatMul", f"x {name}", f"{name}1"),
        node("Reshape", f"{name}1 split", f"{name}2"),
        node("Transpose", f"{name}2", f"{name}3", perm=order),
    ]


ATTENTION = [
    *ROWS,
    *SPLIT,
    *heads("q", [0, 2, 1, 3]),
    *heads("k", [0, 2, 3, 1]),
    node("MatMul", "q3 k3", "scores"),
    node("Div", "scores root", "scaled"),
    node("Softmax", "scaled", "weights", axis=-1),
    node("MatMul", "weights q3", "mixed"),
    node("Transpose", "mixed", "turned", perm=[0, 2, 1, 3]),
    node("Concat", "rows tokens width", "joined", axis=0),
    node("Reshape", "turned joined"),
]
OLD_ATTENTION = [  # heads merged into the batch, as torch.nn.MultiheadAttention does
    *ROWS,
    node("Mul", "rows heads", "lots"),
    node("Concat", "tokens lots depth", "merged", axis=0),
    node("Transpose", "x", "t", perm=[1, 0, 2]),
    node("Reshape", "t merged", "h"),
    node("Transpose", "h", "a", perm=[1, 0, 2]),
    node("Transpose", "h", "b", perm=[1, 2, 0]),
    node("MatMul", "a b", "scores"),
    node("Softmax", "scores", "weights", axis=-1),
    node("MatMul", "weights a", "mixed"),
    node("Transpose", "mixed", "u", perm=[1, 0, 2]),
    node("Concat", "tokens rows width", "joined", axis=0),
    node("Reshape", "u joined", "v"),
    node("Transpose", "v", perm=[1, 0, 2]),
]
TOKEN = [  # torch's expand: Where(Equal(sizes, -1), 1, sizes)
    *ROWS,
    node("Concat", "rows one width", "sizes0", axis=0),
    node("Mul", "sizes0 ones", "sizes1"),
    node("Equal", "sizes1 minusones", "asked"),
    node("Where", "asked ones sizes1", "sizes"),
    node("Expand", "token sizes", "first"),
    node("Concat", "first x", "longer", axis=1),
    node("Add", "longer position", "placed"),
    node("Gather", "placed zero", axis=1),
]
TIME_DISTRIBUTED = [
    node("Reshape", "x flat", "steps"),
    node("MatMul", "steps step", "each"),
    node("Reshape", "each back"),
]


@pytest.mark.parametrize(
    "nodes",
    [ATTENTION, OLD_ATTENTION, TOKEN, TIME_DISTRIBUTED],
    ids=["attention", "old attention", "token", "time-distributed"],
)
def test_it_is_proved(nodes: list[NodeProto]) -> None:
    proto = model(nodes)
    for name, value in {"ones": [1, 1, 1], "minusones": [-1, -1, -1]}.items():
        proto.graph.initializer.append(numpy_helper.from_array(np.array(value), name))
    proof = proof_of(proto)
    assert proof.stopped_by is None
    assert_rows_are_independent(proto, "y")


MASK = [  # rows whose first value is negative
    node("Gather", "x zero", "first", axis=1),
    node("ReduceMax", "first", "highest", axes=[1], keepdims=0),
    node("Less", "highest root", "mask"),
]
PLACES = [node("NonZero", "mask", "n"), node("Transpose", "n", "places")]
AGAIN = [node("NonZero", "mask", "m"), node("Transpose", "m", "places2")]
CHANGED = [node("Tanh", "some", "t"), node("Softmax", "t", "changed", axis=1)]
BACK = node("ScatterND", "x places changed")
SUBSETS = {
    "gathered": [*MASK, *PLACES, node("GatherND", "x places", "some"), *CHANGED, BACK],
    "twice": [
        *MASK, *PLACES, *AGAIN, node("GatherND", "x places2", "some"), *CHANGED, BACK,
    ],
    "squeezed": [
        *MASK, *PLACES, node("Squeeze", "n zeros", "list"), node("Gather", "x list", "some"),
        *CHANGED, BACK,
    ],
    "compressed": [*MASK, *PLACES, node("Compress", "x mask", "some", axis=0), *CHANGED, BACK],
}  # fmt: skip
OTHER = [node("Greater", "highest root", "mask2"), node("NonZero", "mask2", "m")]
MIXED_SUBSETS = {
    "mixed within": [
        *MASK, *PLACES, node("GatherND", "x places", "some"),
        node("Softmax", "some", "changed", axis=0), BACK,
    ],
    "put in other places": [
        *MASK, *PLACES, node("GatherND", "x places", "some"), *CHANGED, *OTHER,
        node("Transpose", "m", "places2"), node("ScatterND", "x places2 changed"),
    ],
    "left as they are": [*MASK, *PLACES, node("GatherND", "x places")],
    "as data": [*MASK, *PLACES, node("Cast", "places", "f", to=1), node("ReduceSum", "f", "s"),
                node("Add", "x s")],
    "their numbers as values": [
        *MASK,
        *PLACES,
        node("GatherND", "x places", "some"),
        node("Cast", "places", "f", to=1),
        node("Unsqueeze", "f one", "column"),
        node("Add", "some column", "changed"),
        BACK,
    ],
    "their numbers into a table": [
        *MASK,
        *PLACES,
        node("Squeeze", "n zeros", "list"),
        node("Gather", "numbers list", "f", axis=1),
        node("Reshape", "f standing", "g"),
        node("GatherND", "x places", "some"),
        node("Add", "some g", "changed"),
        BACK,
    ],
    "their numbers compared": [
        *MASK,
        *PLACES,
        node("GatherND", "x places", "some"),
        node("Less", "places one", "late"),
        node("Unsqueeze", "late one", "late3"),
        node("Where", "late3 some root", "changed"),
        BACK,
    ],
    "their numbers through a branch": [
        *MASK,
        *PLACES,
        *AGAIN,
        node("ReduceMax", "position", "high", keepdims=0),
        node("Cast", "high", "opaque", to=TensorProto.BOOL),
        node("If", "opaque", "numbers2", **{
            f"{name}_branch": helper.make_graph(
                [node("Identity", source, "b")], name, [],
                [helper.make_tensor_value_info("b", TensorProto.INT64, None)],
            )
            for name, source in (("then", "places"), ("else", "places2"))
        }),
        node("Cast", "numbers2", "f", to=1),
        node("Unsqueeze", "f one", "column"),
        node("GatherND", "x places", "some"),
        node("Add", "some column", "changed"),
        BACK,
    ],
    "how many": [*MASK, *PLACES, node("Size", "n", "s"), node("Cast", "s", "f", to=1),
                 node("Add", "x f")],
    "whether any": [
        *MASK, *PLACES, node("Size", "n", "s"), node("Greater", "s zero", "any"),
        node("Where", "any x root"),
    ],
    "of two masks": [
        *MASK, *OTHER, node("Compress", "x mask", "some", axis=0),
        node("Compress", "x mask2", "others", axis=0), node("Add", "some others", "changed"),
        *PLACES, BACK,
    ],
    "squeezed with a single one": [
        *MASK, *PLACES, node("Squeeze", "n", "list"), node("Gather", "x list", "some"),
        *CHANGED, BACK,
    ],
    "of values": [
        node("Less", "x root", "mask"), *PLACES, node("GatherND", "x places", "some"),
        node("Tanh", "some", "changed"), BACK,
    ],
    "of two outputs of one node": [
        *MASK, node("Unsqueeze", "highest one", "column"),
        node("Concat", "column column", "columns", axis=1),
        node("Split", "columns", "a1 b1", axis=1),
        node("Squeeze", "a1 one", "a"), node("Squeeze", "b1 one", "b"),
        node("Compress", "x a", "some", axis=0), *CHANGED,
        node("NonZero", "b", "n"), node("Transpose", "n", "places"), BACK,
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", SUBSETS)
def test_a_subset_that_is_put_back_is_proved(name: str) -> None:
    proto = model(SUBSETS[name])
    proof = proof_of(proto)
    assert proof.stopped_by is None
    assert_rows_are_independent(proto, "y")


@pytest.mark.parametrize("name", MIXED_SUBSETS)
def test_a_subset_that_is_mixed_or_put_elsewhere_is_not(name: str) -> None:
    proto = model(MIXED_SUBSETS[name])
    assert not proof_of(proto).proved


def swapped(nodes: list[NodeProto], operator: str, output: str, **attributes: Any) -> Any:
    """The nodes, one of them with other attributes."""
    return [
        helper.make_node(operator, list(n.input), [output], **attributes)
        if output in n.output
        else n
        for n in nodes
    ]


@pytest.mark.parametrize(
    "nodes",
    [
        swapped(ATTENTION, "Softmax", "weights", axis=0),
        swapped(OLD_ATTENTION, "Softmax", "weights", axis=0),
        # The rows are not moved to the front before the heads are: each head mixes rows.
        [*list(OLD_ATTENTION[:4]), node("Reshape", "x merged", "h"), *OLD_ATTENTION[5:]],
        # Time is turned before the steps are merged, and not back.
        [node("Transpose", "x", "z", perm=[1, 0, 2]), node("Reshape", "z back0")],
        [*TIME_DISTRIBUTED[:2], node("Softmax", "each", "s", axis=0), node("Reshape", "s back")],
        [node("Reshape", "x named")],
    ],
    ids=["attention", "old attention", "heads", "time", "steps", "named"],
)
def test_its_mixing_sibling_is_not(nodes: list[NodeProto]) -> None:
    proto = model(nodes)
    proto.graph.initializer.append(numpy_helper.from_array(np.array([-1, TOKENS, WIDTH]), "back0"))
    proof = proof_of(proto)
    assert not proof.proved
