"""Random small graphs for the proof of rows: every operator along any axis, rows or not.

Each node is tried on :data:`ROWS` rows by onnx's reference evaluator as it is drawn, so that the
graph runs at least at this number of rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

Draw = Callable[[st.SearchStrategy[Any]], Any]
Array = NDArray[Any]

ROWS = 5  # no other axis that is drawn has this length, so an axis of 5 is mostly one of rows
OPSET = 18
_OPSETS = [helper.make_opsetid("", OPSET)]
_FLOAT = TensorProto.FLOAT
_MOST = 4000


@dataclass
class Drawn:
    """A graph that grows; its tensors at five rows, and which of them are float."""

    draw: Draw
    shape: tuple[int, ...]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: dict[str, Array] = field(default_factory=dict)
    values: dict[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        generator = np.random.default_rng(0)
        self.values["x"] = generator.standard_normal((ROWS, *self.shape)).astype(np.float32)

    def integer(self, low: int, high: int) -> int:
        return int(self.draw(st.integers(low, high)))

    def one(self, choices: Any) -> Any:
        return self.draw(st.sampled_from(list(choices)))

    def weight(self, value: Any) -> str:
        name = f"w{len(self.weights)}"
        self.weights[name] = np.asarray(value)
        return name

    def numbers(self, *shape: int) -> str:
        seed = len(self.weights)
        return self.weight(np.random.default_rng(seed).standard_normal(shape).astype(np.float32))

    def add(self, operator: str, inputs: list[str], outputs: int = 1, **attributes: Any) -> str:
        """Add a node; return the first output, or its input where it does not run."""
        names = [f"t{len(self.nodes)}_{i}" for i in range(outputs)]
        node = helper.make_node(operator, inputs, names, **attributes)
        known = self.values | self.weights
        try:
            with np.errstate(all="ignore"):
                made = ReferenceEvaluator(_of_one(node)).run(None, {n: known[n] for n in inputs})
        except Exception:  # the reference refuses in many ways
            return inputs[0]
        if any(np.size(value) > _MOST or np.ndim(value) > 5 for value in made):
            return inputs[0]
        self.nodes.append(node)
        self.values.update({n: np.asarray(v) for n, v in zip(names, made, strict=True)})
        return names[0]

    def model(self, output: str) -> onnx.ModelProto:
        needed, nodes = {output}, []
        for node in reversed(self.nodes):
            if needed.intersection(node.output):
                needed.update(node.input)
                nodes.append(node)
        graph = helper.make_graph(
            nodes[::-1],
            "drawn",
            [helper.make_tensor_value_info("x", _FLOAT, ["n", *self.shape])],
            [helper.make_tensor_value_info(output, _FLOAT, None)],
            [numpy_helper.from_array(v, n) for n, v in self.weights.items() if n in needed],
        )
        return helper.make_model(graph, opset_imports=_OPSETS, ir_version=8)


def _of_one(node: onnx.NodeProto) -> onnx.ModelProto:
    """A model of one node, whose types the reference does not look at."""
    infos = [
        [helper.make_tensor_value_info(name, _FLOAT, None) for name in dict.fromkeys(names)]
        for names in (node.input, node.output)
    ]
    graph = helper.make_graph([node], "one", *infos)
    return helper.make_model(graph, opset_imports=_OPSETS, ir_version=8)


def _axis(g: Drawn, t: str) -> int:
    rank = g.values[t].ndim
    return g.integer(-rank, rank - 1)


def _unary(g: Drawn, t: str) -> str:
    return g.add(g.one(["Relu", "Neg", "Abs", "Sigmoid", "Tanh", "Identity"]), [t])


def _with_other(g: Drawn, t: str) -> str:
    fitting = [n for n, v in g.values.items() if v.dtype == np.float32 and _fits(v, g.values[t])]
    return g.add(g.one(["Add", "Mul", "Sub", "Max"]), [t, g.one(fitting)])


def _fits(a: Array, b: Array) -> bool:
    try:
        np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        return False
    return True


def _with_weight(g: Drawn, t: str) -> str:
    shape = [size if g.integer(0, 2) else 1 for size in g.values[t].shape]
    return g.add(g.one(["Add", "Mul"]), [t, g.numbers(*shape[g.integer(0, len(shape)) :])])


def _where(g: Drawn, t: str) -> str:
    other = _with_other(g, t)
    return g.add("Where", [g.add("Greater", [t, g.weight(np.float32(0.1))]), t, other])


def _transpose(g: Drawn, t: str) -> str:
    return g.add("Transpose", [t], perm=g.draw(st.permutations(range(g.values[t].ndim))))


def _reshape(g: Drawn, t: str) -> str:
    """To the sizes of the axes with some merged or split, with 0, -1, 5 or the number of rows."""
    sizes: list[Any] = list(g.values[t].shape)
    for _ in range(g.integer(0, 2)):
        place = g.integer(0, len(sizes) - 1)
        if g.integer(0, 1) and place + 1 < len(sizes):
            sizes[place : place + 2] = [sizes[place] * sizes[place + 1]]
        else:
            factor = g.one([d for d in (1, 2, 3, 5) if sizes[place] % d == 0])
            sizes[place : place + 1] = g.draw(st.permutations([factor, sizes[place] // factor]))
    if g.integer(0, 3):
        unknown = [i for i, size in enumerate(sizes) if size % ROWS == 0] or [0]
        sizes[g.one(unknown) if g.integer(0, 3) else g.integer(0, len(sizes) - 1)] = -1
    if not g.integer(0, 1):
        return g.add("Reshape", [t, g.weight(np.array(sizes, np.int64))])
    rows = g.add("Gather", [g.add("Shape", ["x"]), g.weight(np.array([0]))])
    parts = [
        g.add("Mul", [rows, g.weight(np.array([size // ROWS]))])
        if size % ROWS == 0 and size > 0
        else g.weight(np.array([size], np.int64))
        for size in sizes
    ]
    return g.add("Reshape", [t, g.add("Concat", parts, axis=0)])


def _reduce(g: Drawn, t: str) -> str:
    rank = g.values[t].ndim
    axes = g.draw(st.lists(st.integers(0, rank - 1), min_size=1, max_size=rank, unique=True))
    keep = g.integer(0, 1)
    if not g.integer(0, 5):
        return g.add("ReduceSum", [t], keepdims=keep)
    inputs = [t, g.weight(np.array(axes, np.int64))]
    return g.add(g.one(["ReduceSum", "ReduceMax", "ReduceMean", "ReduceL2"]), inputs, keepdims=keep)


def _along(g: Drawn, t: str) -> str:
    kind = g.one(["Softmax", "CumSum", "LpNormalization", "TopK", "ArgMax", "Layer"])
    axis = _axis(g, t)
    if kind == "CumSum":
        return g.add(kind, [t, g.weight(np.array(axis))])
    if kind == "TopK":
        return g.add(kind, [t, g.weight(np.array([1]))], 2, axis=axis)
    if kind == "ArgMax":
        found = g.add(kind, [t], axis=axis, keepdims=g.integer(0, 1))
        return g.add("Cast", [found], to=_FLOAT)
    if kind == "Layer":
        scale = g.numbers(*g.values[t].shape[axis % g.values[t].ndim :])
        return g.add("LayerNormalization", [t, scale], axis=axis)
    return g.add(kind, [t], axis=axis)


def _mat_mul(g: Drawn, t: str) -> str:
    columns = g.values[t].shape[-1]
    if g.integer(0, 2):
        return g.add("MatMul", [t, g.numbers(columns, g.integer(1, 3))])
    order = [*range(g.values[t].ndim - 2), g.values[t].ndim - 1, g.values[t].ndim - 2]
    return g.add("MatMul", [t, g.add("Transpose", [t], perm=order)])


def _gemm(g: Drawn, t: str) -> str:
    if g.values[t].ndim != 2:
        return t
    turned = g.integer(0, 1)
    columns = g.values[t].shape[0 if turned else 1]
    return g.add("Gemm", [t, g.numbers(columns, 3), g.numbers(3)], transA=turned)


def _join(g: Drawn, t: str) -> str:
    return g.add("Concat", [t, _unary(g, t)], axis=_axis(g, t))


def _cut(g: Drawn, t: str) -> str:
    axis = _axis(g, t)
    size = g.values[t].shape[axis]
    if g.integer(0, 1):
        index = g.weight(np.array(g.draw(st.lists(st.integers(0, size - 1), max_size=3)), np.int64))
        return g.add("Gather", [t, index], axis=axis)
    ends = [g.integer(0, 1), g.one([size, 2**31 - 1, 2**63 - 1, -1])]
    inputs = [g.weight(np.array([v], np.int64)) for v in (*ends, axis)]
    return g.add("Slice", [t, *inputs])


def _axes(g: Drawn, t: str) -> str:
    kind = g.one(["Unsqueeze", "Squeeze", "Flatten", "Squeeze all"])
    if kind == "Flatten":
        return g.add(kind, [t], axis=g.integer(0, g.values[t].ndim))
    if kind == "Squeeze all":
        return g.add("Squeeze", [t])
    place = g.integer(0, g.values[t].ndim - (kind == "Squeeze"))
    return g.add(kind, [t, g.weight(np.array([place]))])


def _larger(g: Drawn, t: str) -> str:
    kind = g.one(["Tile", "Expand", "Pad"])
    rank = g.values[t].ndim
    if kind == "Tile":
        return g.add(kind, [t, g.weight(np.array([g.one([1, 1, 2]) for _ in range(rank)]))])
    if kind == "Pad":
        ends = [g.one([0, 0, 1]) for _ in range(2 * rank)]
        return g.add(kind, [t, g.weight(np.array(ends))], mode=g.one(["constant", "edge"]))
    shape = g.add("Shape", [g.one(g.values)])
    return g.add(kind, [t, shape])


def _rows_as_data(g: Drawn, t: str) -> str:
    part = g.add("Slice", [g.add("Shape", [t]), g.weight(np.array([0])), g.weight(np.array([1]))])
    if g.integer(0, 1):
        return g.add("Mul", [t, g.add("Cast", [part], to=_FLOAT)])
    value = numpy_helper.from_array(np.array([1], np.float32))
    return g.add("Add", [t, g.add("ConstantOfShape", [part], value=value)])


def _einsum(g: Drawn, t: str) -> str:
    rank = g.values[t].ndim
    labels = "abcde"[:rank]
    out = "".join(g.draw(st.permutations(labels)))[: g.integer(1, rank)]
    return g.add("Einsum", [t, t], equation=f"{labels},{labels}->{out}")


def _split(g: Drawn, t: str) -> str:
    return g.add("Split", [t], 2, axis=_axis(g, t), num_outputs=2)


def _subset(g: Drawn, t: str) -> str:
    """Change the rows that a mask takes, and put them back: maybe to those of another mask."""
    masks = []
    for _ in range(2):
        other = g.weight(np.array(range(1, g.values[t].ndim), np.int64))
        largest = g.add("ReduceMax", [t, other], keepdims=0) if g.values[t].ndim > 1 else t
        masks.append(g.add("Greater", [largest, g.weight(np.float32(g.one([0.0, 0.5])))]))
    places = [
        g.add("Transpose", [g.add("NonZero", [g.one(masks) if g.integer(0, 1) else masks[0]])])
        for _ in range(2)
    ]
    taken = g.add("GatherND", [t, places[0]])
    changed = g.draw(st.sampled_from([_unary, _along, _with_weight]))(g, taken)
    if not g.integer(0, 3):
        changed = g.add("Add", [changed, g.add("Cast", [places[0]], to=_FLOAT)])
    return g.add("ScatterND", [t, places[1], changed])


_STEPS = [
    _unary, _with_other, _with_weight, _where, _transpose, _reshape, _reshape, _reduce, _along,
    _mat_mul, _gemm, _join, _cut, _axes, _larger, _rows_as_data, _einsum, _split, _subset,
]  # fmt: skip


@st.composite
def models(draw: Draw) -> tuple[onnx.ModelProto, str]:
    """Return a model of input x, (n, \\*sizes), and the name of its one float output."""
    shape = tuple(draw(st.lists(st.sampled_from([1, 2, 3, 4]), min_size=1, max_size=3)))
    g = Drawn(draw, shape)
    now = "x"
    for _ in range(draw(st.integers(1, 7))):
        if g.values[now].ndim == 0 or math.prod(g.values[now].shape) == 0:
            break
        step = draw(st.sampled_from(_STEPS))
        made = step(g, now)
        if made in g.values and g.values[made].dtype == np.float32:
            now = made
    rows_last = g.values[now].shape[:1] != (ROWS,) and ROWS in g.values[now].shape
    if rows_last and draw(st.booleans()):
        place = g.values[now].shape.index(ROWS)
        order = [place, *(i for i in range(g.values[now].ndim) if i != place)]
        now = g.add("Transpose", [now], perm=order)
    if not g.nodes or now == "x":
        now = g.add("Identity", ["x"])
    return g.model(now), now
