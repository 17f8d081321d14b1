"""One graph of each operator that is proved, and its sibling that mixes rows and must not be.

What is proved is run as well: onnxruntime must give each row the answer that it gives it alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper
from row_oracle import assert_rows_are_independent, proof_of

ML, MS = "ai.onnx.ml", "com.microsoft"
RNG = np.random.default_rng(0)


def op(operator: str, inputs: str, outputs: str = "y", domain: str = "", **attributes: Any) -> Any:
    """A node; its inputs and outputs are words, and - stands for one that is left out."""
    names = [["" if name == "-" else name for name in text.split()] for text in (inputs, outputs)]
    return helper.make_node(operator, *names, domain=domain, **attributes)


def f(*shape: int) -> NDArray[np.float32]:
    return RNG.standard_normal(shape).astype(np.float32)


def i(*values: Any) -> NDArray[np.int64]:
    return np.array(values, np.int64)


@dataclass
class Case:
    nodes: NodeProto | Sequence[NodeProto]
    shape: tuple[int, ...] = (4,)
    weights: dict[str, Any] = field(default_factory=dict)
    opset: int = 17
    nan: bool = True

    def model(self) -> onnx.ModelProto:
        nodes = [self.nodes] if isinstance(self.nodes, NodeProto) else self.nodes
        info = helper.make_tensor_value_info
        graph = helper.make_graph(
            nodes,
            "case",
            [info("x", TensorProto.FLOAT, ["n", *self.shape])],
            [onnx.ValueInfoProto(name="y")],
            [numpy_helper.from_array(np.asarray(v), k) for k, v in self.weights.items()],
        )
        versions = {"": self.opset, ML: 3, MS: 1}
        opsets = [helper.make_opsetid(domain, version) for domain, version in versions.items()]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def quantised(*nodes: NodeProto) -> list[NodeProto]:
    """The nodes, with x quantised to q before and r brought back to y behind."""
    return [
        op("QuantizeLinear", "x s z", "q"),
        *nodes,
        op("DequantizeLinear", "r s z"),
    ]


SCALES = {"s": np.float32(0.1), "z": np.uint8(128)}
IMAGE = (3, 6, 6)
SIZES = [op("Shape", "x", "shape"), op("Gather", "shape zero", "rows")]
LISTS = {"zero": i(0), "four": i(4), "two": i(2), "open": i(-1)}
TREE = {
    "nodes_featureids": [0, 0, 0],
    "nodes_falsenodeids": [2, 0, 0],
    "nodes_hitrates": [1.0] * 3,
    "nodes_missing_value_tracks_true": [0] * 3,
    "nodes_nodeids": [0, 1, 2],
    "nodes_treeids": [0] * 3,
    "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
    "nodes_truenodeids": [1, 0, 0],
    "nodes_values": [0.5, 0.0, 0.0],
}
FOREST = TREE | {
    "class_ids": [0, 1],
    "class_nodeids": [1, 2],
    "class_treeids": [0, 0],
    "class_weights": [1.0, 1.0],
    "classlabels_int64s": [0, 1],
}
TURN = op("Transpose", "x", "turned", perm=[1, 0])

PROVED = {
    "Add a weight": Case(op("Add", "x w"), weights={"w": f(1, 4)}),
    "Add of other rank": Case(op("Mul", "x w"), weights={"w": f(4)}),
    "ArgMax": Case(op("ArgMax", "x", axis=1, keepdims=0)),
    "ArrayFeatureExtractor": Case(
        op("ArrayFeatureExtractor", "x i", domain=ML), weights={"i": i(2, 0)}
    ),
    "ArrayFeatureExtractor of a table": Case(
        [
            op("TopK", "x two", "v i"),
            op("ArrayFeatureExtractor", "w i", "t", domain=ML),
            op("Reshape", "t s"),
        ],
        weights=LISTS | {"w": f(4), "s": i(-1, 2)},
    ),
    "Attention": Case(
        op("Attention", "x w b", domain=MS, num_heads=2), (3, 4), {"w": f(4, 12), "b": f(12)}
    ),
    "Attention of the standard": Case(
        op("Attention", "x x x", q_num_heads=2, kv_num_heads=2), (3, 4), opset=23
    ),
    "AveragePool": Case(op("AveragePool", "x", kernel_shape=[2, 2]), IMAGE),
    "BatchNormalization": Case(
        op("BatchNormalization", "x a a a b"), IMAGE, {"a": f(3), "b": f(3) ** 2}
    ),
    "Binarizer": Case(op("Binarizer", "x", domain=ML, threshold=0.5), nan=False),
    "Cast": Case(op("Cast", "x", to=TensorProto.INT32)),
    "Clip": Case(op("Clip", "x lo"), weights={"lo": np.float32(0)}),
    "Compress": Case(
        op("Compress", "x c", axis=1), weights={"c": np.array([True, False, True, True])}
    ),
    "Concat": Case(op("Concat", "x x", axis=-1)),
    "ConstantOfShape": Case(
        [*SIZES, op("Concat", "rows two", "s", axis=0), op("ConstantOfShape", "s")], weights=LISTS
    ),
    "Conv": Case(op("Conv", "x w b", pads=[1, 1, 1, 1]), IMAGE, {"w": f(2, 3, 3, 3), "b": f(2)}),
    "ConvInteger": Case(
        [op("QuantizeLinear", "x s z", "q"), op("ConvInteger", "q w z")],
        IMAGE,
        SCALES | {"w": np.ones((1, 3, 2, 2), np.uint8)},
    ),
    "ConvTranspose": Case(op("ConvTranspose", "x w", strides=[2, 2]), IMAGE, {"w": f(3, 2, 2, 2)}),
    "CumSum": Case(op("CumSum", "x a"), weights={"a": np.array(1)}),
    "DepthToSpace": Case(op("DepthToSpace", "x", blocksize=2), (4, 2, 2)),
    "DequantizeLinear per column": Case(
        [op("QuantizeLinear", "x s z", "q"), op("DequantizeLinear", "q t", axis=1)],
        weights=SCALES | {"t": np.full(4, 0.1, np.float32)},
    ),
    "Dropout": Case(op("Dropout", "x")),
    "Dropout of a false mode": Case(op("Dropout", "x - m"), weights={"m": np.array(False)}),
    "Einsum": Case(
        [op("Einsum", "x w", "t", equation="nk,kj->jn"), op("Transpose", "t")],
        weights={"w": f(4, 2)},
    ),
    "Einsum of rows first": Case(op("Einsum", "x x", equation="nk,nj->nkj")),
    "Expand": Case([op("Shape", "x", "s"), op("Expand", "w s")], weights={"w": f(1, 4)}),
    "FeatureVectorizer": Case(op("FeatureVectorizer", "x x", domain=ML, inputdimensions=[4, 4])),
    "Flatten": Case(op("Flatten", "x"), IMAGE),
    "FusedConv": Case(
        op("FusedConv", "x w b", domain=MS, activation="Relu"),
        IMAGE,
        {"w": f(2, 3, 3, 3), "b": f(2)},
    ),
    "FusedMatMul": Case(op("FusedMatMul", "x w", domain=MS, transB=1), weights={"w": f(3, 4)}),
    "Gather from a table": Case(
        [op("ArgMax", "x", "i", axis=1, keepdims=0), op("Gather", "w i")], weights={"w": f(4, 2)}
    ),
    "Gather columns": Case(op("Gather", "x i", axis=1), weights={"i": i(2, 1)}),
    "GatherElements": Case([op("ArgMax", "x", "i", axis=1), op("GatherElements", "x i", axis=1)]),
    "GatherND": Case([op("ArgMax", "x", "i", axis=1), op("GatherND", "x i", batch_dims=1)]),
    "Gelu": Case(op("Gelu", "x", domain=MS)),
    "Gemm": Case(op("Gemm", "x w b"), weights={"w": f(4, 3), "b": f(3)}),
    "Gemm turned": Case([TURN, op("Gemm", "turned w", transA=1)], weights={"w": f(4, 3)}),
    "GlobalAveragePool": Case(op("GlobalAveragePool", "x"), IMAGE),
    "GRU": Case(
        [
            op("Unsqueeze", "x zero", "t"),
            op("GRU", "t w r", "- h", hidden_size=2),
            op("Squeeze", "h zero"),
        ],
        weights=LISTS | {"w": f(1, 6, 4), "r": f(1, 6, 2)},
    ),
    "Hardmax": Case(op("Hardmax", "x")),
    "Imputer": Case(
        op("Imputer", "x", domain=ML, imputed_value_floats=[1.0], replaced_value_float=0.0)
    ),
    "InstanceNormalization": Case(op("InstanceNormalization", "x a a"), IMAGE, {"a": f(3)}),
    "LayerNormalization": Case(op("LayerNormalization", "x w b"), weights={"w": f(4), "b": f(4)}),
    "LinearClassifier": Case(
        op(
            "LinearClassifier",
            "x",
            "l y",
            domain=ML,
            coefficients=[1.0] * 8,
            intercepts=[0.0, 1.0],
            classlabels_ints=[0, 1],
        )
    ),
    "LinearRegressor": Case(op("LinearRegressor", "x", domain=ML, coefficients=[1.0] * 4)),
    "LpNormalization": Case(op("LpNormalization", "x", axis=1)),
    "LRN": Case(op("LRN", "x", size=3), IMAGE),
    "LSTM of rows first": Case(
        [
            op("Unsqueeze", "x zero", "t"),
            op("LSTM", "t w r", "h", hidden_size=2),
            op("Squeeze", "h zero", "g"),
            op("Squeeze", "g zero"),
        ],
        weights=LISTS | {"w": f(1, 8, 4), "r": f(1, 8, 2)},
    ),
    "MatMul": Case(op("MatMul", "x w"), weights={"w": f(4, 3)}),
    "MatMul of a vector": Case(op("MatMul", "x w"), weights={"w": f(4)}),
    "MatMul of a row's matrices": Case(op("MatMul", "x x"), (2, 3, 3)),
    "MatMulInteger": Case(
        [op("QuantizeLinear", "x s z", "q"), op("MatMulInteger", "q w z")],
        weights=SCALES | {"w": np.ones((4, 2), np.uint8)},
    ),
    "MaxPool": Case(op("MaxPool", "x", kernel_shape=[2, 2]), IMAGE),
    "MeanVarianceNormalization": Case(op("MeanVarianceNormalization", "x", axes=[2, 3]), IMAGE),
    "MultiHeadAttention": Case(op("MultiHeadAttention", "x x x", domain=MS, num_heads=2), (3, 4)),
    "Normalizer": Case(op("Normalizer", "x", domain=ML, norm="L2")),
    "OneHot": Case(
        [op("ArgMax", "x", "i", axis=1, keepdims=0), op("OneHot", "i d v")],
        weights={"d": np.array(4), "v": f(2)},
    ),
    "Pad": Case(op("Pad", "x p"), weights={"p": i(0, 1, 0, 2)}),
    "Pad of some axes": Case(op("Pad", "x p - a"), weights={"p": i(1, 2), "a": i(-1)}, opset=18),
    "PRelu": Case(op("PRelu", "x w"), IMAGE, {"w": f(3, 1, 1)}),
    "QGemm": Case(
        quantised(op("QGemm", "q s z w s z - s z", "r", domain=MS)),
        weights=SCALES | {"w": np.ones((4, 2), np.uint8)},
    ),
    "QLinearAdd": Case(
        quantised(op("QLinearAdd", "q s z q s z s z", "r", domain=MS)), weights=SCALES
    ),
    "QLinearConcat": Case(
        quantised(op("QLinearConcat", "s z q s z q s z", "r", domain=MS, axis=1)), weights=SCALES
    ),
    "QLinearConv": Case(
        quantised(op("QLinearConv", "q s z w s z s z", "r")),
        IMAGE,
        SCALES | {"w": np.ones((1, 3, 2, 2), np.uint8)},
    ),
    "QLinearMatMul": Case(
        quantised(op("QLinearMatMul", "q s z w s z s z", "r")),
        weights=SCALES | {"w": np.ones((4, 2), np.uint8)},
    ),
    "QLinearSoftmax": Case(
        quantised(op("QLinearSoftmax", "q s z s z", "r", domain=MS, axis=-1, opset=13)),
        weights=SCALES,
    ),
    "ReduceMax": Case(op("ReduceMax", "x", axes=[1])),
    "ReduceSum": Case(op("ReduceSum", "x a", keepdims=0), weights={"a": i(-1)}),
    "Reshape": Case(op("Reshape", "x s"), IMAGE, {"s": i(-1, 108)}),
    "Reshape by 0": Case(op("Reshape", "x s"), IMAGE, {"s": i(0, -1, 4)}),
    "Reshape into rows": Case(
        [op("Reshape", "x s", "t"), op("Softmax", "t", "u"), op("Reshape", "u d")],
        weights={"s": i(-1, 2), "d": i(-1, 4)},
    ),
    "Reshape by arithmetic": Case(
        [
            *SIZES,
            op("Mul", "rows two", "m"),
            op("Concat", "m open", "s", axis=0),
            op("Reshape", "x s", "t"),
            op("Div", "m two", "o"),
            op("Concat", "o open", "u", axis=0),
            op("Reshape", "t u"),
        ],
        weights=LISTS,
    ),
    "Reshape by arithmetic in 32 bits": Case(
        [
            op("Shape", "x", "s0"),
            op("Cast", "s0", "s", to=TensorProto.INT32),
            op("Slice", "s zero one", "rows"),
            op("Slice", "s one three", "others"),
            op("ReduceProd", "others", "p"),
            op("Mul", "p single", "q"),
            op("Concat", "rows q", "t", axis=0),
            op("Cast", "t", "u", to=TensorProto.INT64),
            op("Reshape", "x u"),
        ],
        (2, 3),
        LISTS | {"one": i(1), "three": i(3), "single": np.array([1], np.int32)},
    ),
    "Resize": Case(
        op("Resize", "x - s", mode="linear"), IMAGE, {"s": np.array([1, 1, 1.5, 2], np.float32)}
    ),
    "Resize along the rows of a picture": Case(
        op("Resize", "x - s"), weights={"s": np.array([1, 2], np.float32)}
    ),
    "Resize to sizes": Case(
        [*SIZES, op("Concat", "rows c", "s", axis=0), op("Resize", "x - - s", mode="nearest")],
        IMAGE,
        LISTS | {"c": i(3, 4, 9)},
    ),
    "Scaler": Case(op("Scaler", "x", domain=ML, offset=[1.0] * 4, scale=[2.0] * 4)),
    "ScatterElements": Case(
        [
            op("ArgMax", "x", "i", axis=1),
            op("Cast", "i", "u", to=1),
            op("ScatterElements", "x i u", axis=1),
        ]
    ),
    "ScatterND": Case(
        [
            TURN,
            op("Slice", "turned a b", "u"),
            op("ScatterND", "turned i u", "t"),
            op("Transpose", "t", perm=[1, 0]),
        ],
        weights={"i": i([2]), "a": i(0), "b": i(1)},
    ),
    "Size by N": Case(
        [
            *SIZES,
            op("Size", "x", "m"),
            op("Div", "m rows", "four"),
            op("Concat", "rows four", "s", axis=0),
            op("Reshape", "x s"),
        ],
        (2, 3),
        {"zero": i(0)},
    ),
    "SkipLayerNormalization": Case(
        [op("SkipLayerNormalization", "x x g", "n - - s", domain=MS), op("Add", "n s")],
        (2, 4),
        {"g": f(4)},
    ),
    "Slice": Case(op("Slice", "x a b c"), weights={"a": i(1), "b": i(3), "c": i(1)}),
    "Slice to the end": Case(op("Slice", "x a b"), weights={"a": i(0, 1), "b": i(2**63 - 1, 3)}),
    "Slice to the number of rows": Case([*SIZES, op("Slice", "x zero rows zero")], weights=LISTS),
    "Softmax": Case(op("Softmax", "x")),
    "Softmax of old": Case(op("Softmax", "x"), (2, 3), opset=11),
    "Split": Case(op("Split", "x", "a y", axis=1)),
    "Squeeze": Case(op("Squeeze", "x a"), (1, 3), {"a": i(1)}),
    "SVMRegressor": Case(
        op(
            "SVMRegressor",
            "x",
            domain=ML,
            coefficients=[1.0],
            kernel_type="LINEAR",
            kernel_params=[0.0] * 3,
            n_supports=1,
            rho=[0.0],
            support_vectors=[1.0] * 4,
        )
    ),
    "Tile": Case(op("Tile", "x r"), weights={"r": i(1, 2)}),
    "TopK": Case(op("TopK", "x k", "y i"), weights={"k": i(2)}),
    "Transpose": Case(op("Transpose", "x", perm=[0, 2, 1]), (2, 3)),
    "TreeEnsembleClassifier": Case(op("TreeEnsembleClassifier", "x", "l y", domain=ML, **FOREST)),
    "Trilu": Case(op("Trilu", "x"), (3, 3)),
    "Unsqueeze": Case(op("Unsqueeze", "x a"), weights={"a": i(1)}),
    "Upsample": Case(
        op("Upsample", "x s", mode="nearest"),
        IMAGE,
        {"s": np.array([1, 1, 2, 2], np.float32)},
        opset=9,
    ),
    "Where": Case([op("Greater", "x w", "c"), op("Where", "c x w")], weights={"w": f(1, 4)}),
}

COUPLED = {
    "Add a weight a row": Case(op("Add", "x w"), weights={"w": f(5, 1)}),
    "Add turned": Case([TURN, op("Add", "x turned")]),
    "Add without an axis": Case(
        [op("ReduceMax", "x", "m", axes=[1], keepdims=0), op("Add", "x m")], (4,)
    ),
    "ArgMax": Case([op("ArgMax", "x", "m"), op("Cast", "m", "n", to=1), op("Add", "x n")]),
    "ArrayFeatureExtractor": Case(
        [TURN, op("ArrayFeatureExtractor", "turned i", "u", domain=ML), op("Transpose", "u")],
        weights={"i": i(0)},
    ),
    "ArrayFeatureExtractor of one list by many": Case(
        [
            op("ArgMax", "x", "i", axis=1),
            op("Transpose", "x", "t"),
            op("ArrayFeatureExtractor", "t i", domain=ML),
        ]
    ),
    "Attention between rows": Case(
        [
            op("Transpose", "x", "t", perm=[1, 0, 2]),
            op("MultiHeadAttention", "t t t", "u", domain=MS, num_heads=2),
            op("Transpose", "u", perm=[1, 0, 2]),
        ],
        (3, 4),
    ),
    "Attention to fixed keys": Case(
        op("MultiHeadAttention", "x w w", domain=MS, num_heads=2), (3, 4), {"w": f(1, 3, 4)}
    ),
    "Attention with a mask of all rows": Case(
        op("Attention", "x w b m", domain=MS, num_heads=2),
        (3, 4),
        {"w": f(4, 12), "b": f(12), "m": np.array([3, 3, 3, 3, 3], np.int32)},
    ),
    "AveragePool": Case(
        [
            op("Transpose", "x", "t", perm=[1, 2, 0]),
            op("AveragePool", "t", "u", kernel_shape=[1]),
            op("Transpose", "u", perm=[2, 0, 1]),
        ],
        (2, 3),
    ),
    "BatchNormalization of training": Case(
        op("BatchNormalization", "x a a a a", "y m v", training_mode=1), IMAGE, {"a": f(3)}
    ),
    "BatchNormalization of rows as channels": Case(
        [
            op("Transpose", "x", "t", perm=[1, 0, 2]),
            op("BatchNormalization", "t a a a a", "u"),
            op("Transpose", "u", perm=[1, 0, 2]),
        ],
        (2, 3),
        {"a": f(3)},
    ),
    "Compress": Case(
        [op("Compress", "x c", "m"), op("Add", "x m")], weights={"c": np.array([True])}
    ),
    "Compress by rows": Case(
        [op("Greater", "x w", "b"), op("Compress", "x b")], weights={"w": f(1)}
    ),
    "Concat": Case(
        [op("Concat", "x x", "t", axis=0), op("Reshape", "t s")], weights={"s": i(-1, 8)}
    ),
    "Concat to a weight": Case(op("Concat", "x w", axis=1), weights={"w": f(1, 2)}),
    "Conv of rows as channels": Case(
        [
            op("Transpose", "x", "t", perm=[1, 0, 2, 3]),
            op("Conv", "t w", "u"),
            op("Transpose", "u", perm=[1, 0, 2, 3]),
        ],
        IMAGE,
        {"w": f(2, 3, 3, 3)},
    ),
    "Conv by rows": Case(
        [op("Conv", "w x", "u"), op("Transpose", "u", perm=[1, 0, 2, 3])],
        IMAGE,
        {"w": f(2, 3, 6, 6)},
    ),
    "CumSum": Case(op("CumSum", "x a"), weights={"a": np.array(0)}),
    "CumSum of an axis not known": Case(
        [op("Cast", "s", "a", to=7), op("CumSum", "x a")], weights={"s": np.float32(np.nan)}
    ),
    "DequantizeLinear per row": Case(
        [op("QuantizeLinear", "x s z", "q"), op("DequantizeLinear", "q t", axis=0)],
        weights=SCALES | {"t": np.full(5, 0.1, np.float32)},
    ),
    "DynamicQuantizeLinear": Case(
        [op("DynamicQuantizeLinear", "x", "q s z"), op("DequantizeLinear", "q s z")]
    ),
    "Dropout of a true mode": Case(op("Dropout", "x - m"), weights={"m": np.array(True)}),
    "Dropout of no known mode": Case(
        [op("Cast", "r", "m", to=9), op("Dropout", "x - m")], weights={"r": np.array("")}
    ),
    "Einsum": Case([op("Einsum", "x x", "m", equation="nk,nj->kj"), op("MatMul", "x m")]),
    "Einsum of rows with rows": Case(op("Einsum", "x x", equation="nk,mk->nm")),
    "Einsum of a diagonal": Case(op("Einsum", "x", equation="nn->n"), (1,)),
    "Expand the rows": Case(
        [op("ReduceMax", "x", "m", axes=[1]), op("Expand", "m s")], weights={"s": i(5, 4)}
    ),
    "FeatureVectorizer of a weight": Case(
        op("FeatureVectorizer", "x w", domain=ML), weights={"w": f(1, 4)}
    ),
    "Flatten": Case(
        [op("Flatten", "x", "t", axis=0), op("Softmax", "t", "u"), op("Reshape", "u s")],
        weights={"s": i(-1, 4)},
    ),
    "Flatten of rows behind": Case(
        [
            op("Transpose", "x", "t", perm=[1, 0, 2]),
            op("Flatten", "t", "u", axis=2),
            op("Reshape", "u s"),
        ],
        (2, 3),
        {"s": i(-1, 6)},
    ),
    "Gather rows": Case([op("Gather", "x i", "m", axis=0), op("Add", "x m")], weights={"i": i(0)}),
    "Gather of the default axis": Case(
        [op("Gather", "x i", "m"), op("Add", "x m")], weights={"i": i(0)}
    ),
    "Gather the last row": Case(
        [*SIZES, op("Sub", "rows one", "last"), op("Gather", "x last", "m"), op("Add", "x m")],
        weights=LISTS | {"one": i(1)},
    ),
    "GatherElements": Case(
        [op("ArgMax", "x", "i", axis=0), op("GatherElements", "x i", "m", axis=0), op("Add", "x m")]
    ),
    "GatherElements from a table": Case(
        [op("Cast", "x", "i", to=7), op("GatherElements", "w i", axis=1)], weights={"w": f(5, 9)}
    ),
    "GatherND": Case(
        [op("ArgMax", "x", "i", axis=1), op("GatherND", "x i", "m"), op("Add", "x m")]
    ),
    "Gemm turned": Case([op("Gemm", "x x", "m", transA=1), op("MatMul", "x m")]),
    "Gemm with a bias a row": Case(op("Gemm", "x w b"), weights={"w": f(4, 3), "b": f(5, 1)}),
    "Hardmax": Case(op("Hardmax", "x", axis=0)),
    "LayerNormalization": Case(op("LayerNormalization", "x w", axis=0), weights={"w": f(1, 4)}),
    "LpNormalization": Case(op("LpNormalization", "x", axis=0)),
    "LSTM of rows as steps": Case(
        [
            op("Unsqueeze", "x o", "t"),
            op("LSTM", "t w r", "h", hidden_size=2),
            op("Squeeze", "h o"),
        ],
        weights={"o": i(1), "w": f(1, 8, 4), "r": f(1, 8, 2)},
    ),
    "MatMul of rows with rows": Case([TURN, op("MatMul", "x turned")]),
    "MatMul from the left": Case([op("MatMul", "w x")], weights={"w": f(5, 5)}),
    "MaxPool's indices": Case(
        [op("MaxPool", "x", "t i", kernel_shape=[2, 2]), op("Identity", "i")], IMAGE
    ),
    "MeanVarianceNormalization": Case(op("MeanVarianceNormalization", "x"), IMAGE),
    "NonZero": Case([op("NonZero", "x", "t"), op("Transpose", "t")]),
    "Normalizer of one axis": Case(
        [op("Reshape", "x s", "t"), op("Normalizer", "t", domain=ML)], (1,), {"s": i(-1)}
    ),
    "OneHot by the number of rows": Case(
        [*SIZES, op("ArgMax", "x", "i", axis=1, keepdims=0), op("OneHot", "i rows v")],
        weights=LISTS | {"v": f(2)},
    ),
    "Pad": Case(
        [op("Pad", "x p", "t"), op("Slice", "t a b")],
        weights={"p": i(1, 0, 0, 0), "a": i(0), "b": i(-1)},
    ),
    "QLinearSoftmax of old": Case(
        quantised(op("QLinearSoftmax", "q s z s z", "r", domain=MS, axis=0, opset=11)),
        weights=SCALES,
    ),
    "Range as row numbers": Case(
        [
            op("Shape", "x", "s"),
            op("Gather", "s n", "r"),
            op("Range", "n r o", "t"),
            op("Unsqueeze", "t u", "v"),
            op("Cast", "v", "c", to=1),
            op("Add", "x c"),
        ],
        weights={"n": np.array(0), "o": np.array(1), "u": i(1)},
    ),
    "ReduceMax": Case([op("ReduceMax", "x", "m", axes=[0]), op("Add", "x m")]),
    "ReduceMax of no axes": Case([op("ReduceMax", "x", "m", keepdims=0), op("Add", "x m")]),
    "ReduceMax of an axis from behind": Case(
        [op("ReduceMax", "x", "m", axes=[-2]), op("Add", "x m")]
    ),
    "ReduceSum of empty axes": Case(
        [op("ReduceSum", "x a", "m"), op("Add", "x m")], weights={"a": i()}
    ),
    "Reshape that names the rows": Case(op("Reshape", "x s"), (2, 3), {"s": i(5, -1)}),
    "Reshape into the rows": Case(op("Reshape", "x s"), (2, 5), {"s": i(-1, 20)}),
    "Reshape around the rows": Case(
        [
            op("Transpose", "x", "t", perm=[1, 0, 2]),
            op("Reshape", "t s", "u"),
            op("Softmax", "u", "v"),
            op("Reshape", "v d", "w"),
            op("Transpose", "w", perm=[1, 0, 2]),
        ],
        (2, 3),
        {"s": i(-1, 6), "d": i(2, -1, 3)},
    ),
    "Resize": Case(
        [op("Resize", "x - s", "t"), op("Slice", "t a b")],
        IMAGE,
        {"s": np.array([2, 1, 1, 1], np.float32), "a": i(0), "b": i(-1)},
    ),
    "ScatterElements": Case(
        [
            op("ArgMax", "x", "i", axis=0),
            op("Cast", "i", "u", to=1),
            op("ScatterElements", "x i u", axis=0),
        ]
    ),
    "ScatterND": Case(
        [op("Slice", "x a b", "u"), op("ScatterND", "x i u")],
        weights={"i": i([1]), "a": i(0), "b": i(1)},
    ),
    "Scaler of one axis": Case(
        [op("Reshape", "x s", "t"), op("Scaler", "t", domain=ML, offset=[0.0], scale=[2.0])],
        (1,),
        {"s": i(-1)},
    ),
    "Shape as data": Case(
        [
            op("Shape", "x", "s"),
            op("Cast", "s", "c", to=1),
            op("ReduceMax", "c", "m"),
            op("Add", "x m"),
        ]
    ),
    "Shape as a condition": Case(
        [*SIZES, op("Greater", "rows four", "c"), op("Where", "c x w")],
        weights=LISTS | {"w": f(1, 4)},
    ),
    "Size as data": Case([op("Size", "x", "s"), op("Cast", "s", "c", to=1), op("Div", "x c")]),
    "Sizes of 32 bits that wrap": Case(
        [
            *SIZES,
            op("Cast", "rows", "r", to=TensorProto.INT32),
            op("Mul", "r big", "m"),
            op("Greater", "m none", "c"),
            op("Where", "c x w"),
        ],
        weights=LISTS
        | {"big": np.array([2**30], np.int32), "none": np.zeros(1, np.int32), "w": f(1, 4)},
    ),
    "Slice": Case([op("Slice", "x a b", "m"), op("Add", "x m")], weights={"a": i(0), "b": i(1)}),
    "Slice backwards": Case(
        op("Slice", "x a b c d"), weights={"a": i(-1), "b": i(-(2**62)), "c": i(0), "d": i(-1)}
    ),
    "Slice by rows": Case([*SIZES, op("Slice", "x zero rows o")], weights=LISTS | {"o": i(1)}),
    "Softmax": Case(op("Softmax", "x", axis=0)),
    "Softmax of old": Case(op("Softmax", "x", axis=0), (2, 3), opset=11),
    "Split": Case([op("Split", "x s", "a y"), op("Add", "a y", "z")], weights={"s": i(1, 1)}),
    "Squeeze of any axis": Case(
        [op("Squeeze", "x", "t"), op("Reshape", "t s")], (1, 3), {"s": i(-1, 3)}
    ),
    "Sum over rows of ones": Case(
        [*SIZES, op("ConstantOfShape", "rows", "t"), op("ReduceSum", "t", "n"), op("Add", "x n")],
        weights=LISTS,
    ),
    "Tile": Case(
        [op("Tile", "x r", "t"), op("Reshape", "t s")], weights={"r": i(2, 1), "s": i(-1, 8)}
    ),
    "TopK": Case(op("TopK", "x k", "y i", axis=0), weights={"k": i(1)}),
    "Transpose": Case(op("Transpose", "x")),
    "Trilu": Case(op("Trilu", "x")),
    "Unique": Case(op("Unique", "x", axis=0)),
    "Resize of rows as a picture's rows": Case(
        op("Resize", "x - s", mode="linear"), weights={"s": np.array([1, 2], np.float32)}
    ),
    "Resize that starts half a row later": Case(
        op("Resize", "x - s", coordinate_transformation_mode="tf_half_pixel_for_nn"),
        weights={"s": np.array([1, 2], np.float32)},
        opset=11,
    ),
    "Size of sizes that are not known": Case(
        [
            op("MaxPool", "x", "t", kernel_shape=[2, 2], ceil_mode=1),
            op("Size", "t", "s"),
            op("Cast", "s", "c", to=TensorProto.FLOAT),
            op("Add", "x c"),
        ],
        IMAGE,
    ),
    "Tile of a size that is not known": Case(
        [
            *SIZES,
            op("Compress", "w c", "t", axis=0),
            op("Tile", "t rows", "u"),
            op("ReduceSum", "u", "s"),
            op("Add", "x s"),
        ],
        weights=LISTS | {"w": f(4), "c": np.array([True, False])},
    ),
    "Unknown operator": Case(op("Magic", "x", domain=MS)),
    "Unknown attribute": Case(op("Relu", "x", axis=0)),
    "Old operator set": Case(op("Relu", "x"), opset=6),
    "Operator set of the future": Case(op("Relu", "x"), opset=1000),
}


@pytest.mark.parametrize("name", PROVED)
def test_rows_that_stay_by_themselves_are_proved(name: str) -> None:
    case = PROVED[name]
    model = case.model()
    proof = proof_of(model)
    assert proof.stopped_by is None
    assert_rows_are_independent(model, "y", nan=case.nan)


@pytest.mark.parametrize("name", COUPLED)
def test_rows_that_mix_are_not_proved(name: str) -> None:
    case = COUPLED[name]
    proof = proof_of(case.model())
    assert not proof.proved
    assert proof.stopped_by
