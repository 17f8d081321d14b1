"""One graph of each operator that is proved, and its sibling that mixes rows and must not be.

What is proved is run as well: onnxruntime must give each row the answer that it gives it alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx_models import rows_model
from row_oracle import assert_rows_are_independent, proof_of

RNG = np.random.default_rng(0)


def f(*shape: int) -> NDArray[np.float32]:
    return RNG.standard_normal(shape).astype(np.float32)


def i(*values: Any) -> NDArray[np.int64]:
    return np.array(values, np.int64)


USUAL = {"zero": i(0), "four": i(4), "two": i(2), "open": i(-1)}
USUAL |= {"s": np.float32(0.1), "z": np.uint8(128)}
"""Weights of cases that name them and neither make them nor bring their own."""


@dataclass
class Case:
    text: str
    shape: tuple[int, ...]
    weights: dict[str, Any]
    opset: int
    nan: bool

    def model(self) -> onnx.ModelProto:
        return rows_model(self.text, self.shape, USUAL | self.weights, opset=self.opset)


def case(
    text: str, shape: tuple[int, ...] = (4,), *, opset: int = 17, nan: bool = True, **weights: Any
) -> Case:
    return Case(text, shape, weights, opset, nan)


IMAGE = (3, 6, 6)
SIZES = "shape = Shape(x); rows = Gather(shape, zero); "
TREE = (
    "nodes_featureids=[0, 0, 0], nodes_falsenodeids=[2, 0, 0], nodes_hitrates=[1.0, 1.0, 1.0], "
    "nodes_missing_value_tracks_true=[0, 0, 0], nodes_nodeids=[0, 1, 2], nodes_treeids=[0, 0, 0], "
    "nodes_modes=['BRANCH_LEQ', 'LEAF', 'LEAF'], nodes_truenodeids=[1, 0, 0], "
    "nodes_values=[0.5, 0.0, 0.0]"
)

PROVED = [
    case("y = Add(x, w)", w=f(1, 4)),
    case("y = Mul(x, w)", w=f(4)),
    case("y = ArgMax<axis=1, keepdims=0>(x)"),
    case("y = ml.ArrayFeatureExtractor(x, i)", i=i(2, 0)),
    case("v, i = TopK(x, two); t = ml.ArrayFeatureExtractor(w, i); y = Reshape(t, s)",
         w=f(4), s=i(-1, 2)),
    case("y = ms.Attention<num_heads=2>(x, w, b)", (3, 4), w=f(4, 12), b=f(12)),
    case("y = Attention<kv_num_heads=2, q_num_heads=2>(x, x, x)", (3, 4), opset=23),
    case("y = AveragePool<kernel_shape=[2, 2]>(x)", IMAGE),
    case("y = BatchNormalization(x, a, a, a, b)", IMAGE, a=f(3), b=f(3) ** 2),
    case("y = ml.Binarizer<threshold=0.5>(x)", nan=False),
    case("y = Cast<to=6>(x)"),
    case("y = Clip(x, lo)", lo=np.float32(0)),
    case("l = Cast<to=7>(x); b = Greater(l, zero); c = Cast<to=1>(b); y = Relu(c)"),
    case("l = ArgMax<axis=1, keepdims=0>(x); g = Gather(w, l); y = Relu(g)", w=f(4, 2)),
    case("y = Compress<axis=1>(x, c)", c=np.array([True, False, True, True])),
    case("y = Concat<axis=-1>(x, x)"),
    case(SIZES + "s = Concat<axis=0>(rows, two); y = ConstantOfShape(s)"),
    case("y = Conv<pads=[1, 1, 1, 1]>(x, w, b)", IMAGE, w=f(2, 3, 3, 3), b=f(2)),
    case("q = QuantizeLinear(x, s, z); y = ConvInteger(q, w, z)",
         IMAGE, w=np.ones((1, 3, 2, 2), np.uint8)),
    case("y = ConvTranspose<strides=[2, 2]>(x, w)", IMAGE, w=f(3, 2, 2, 2)),
    case("y = CumSum(x, a)", a=np.array(1)),
    case("y = DepthToSpace<blocksize=2>(x)", (4, 2, 2)),
    case("q = QuantizeLinear(x, s, z); y = DequantizeLinear<axis=1>(q, t)",
         t=np.full(4, 0.1, np.float32)),
    case("y = Dropout(x)"),
    case("y = Dropout(x, , m)", m=np.array(False)),
    case("t = Einsum<equation='nk,kj->jn'>(x, w); y = Transpose(t)", w=f(4, 2)),
    case("y = Einsum<equation='nk,nj->nkj'>(x, x)"),
    case("s = Shape(x); y = Expand(w, s)", w=f(1, 4)),
    case("y = ml.FeatureVectorizer<inputdimensions=[4, 4]>(x, x)"),
    case("y = Flatten(x)", IMAGE),
    case("y = ms.FusedConv<activation='Relu'>(x, w, b)", IMAGE, w=f(2, 3, 3, 3), b=f(2)),
    case("y = ms.FusedMatMul<transB=1>(x, w)", w=f(3, 4)),
    case("i = ArgMax<axis=1, keepdims=0>(x); y = Gather(w, i)", w=f(4, 2)),
    case("y = Gather<axis=1>(x, i)", i=i(2, 1)),
    case("i = ArgMax<axis=1>(x); y = GatherElements<axis=1>(x, i)"),
    case("i = ArgMax<axis=1>(x); y = GatherND<batch_dims=1>(x, i)"),
    case("y = ms.Gelu(x)"),
    case("y = Gemm(x, w, b)", w=f(4, 3), b=f(3)),
    case("turned = Transpose<perm=[1, 0]>(x); y = Gemm<transA=1>(turned, w)", w=f(4, 3)),
    case("y = GlobalAveragePool(x)", IMAGE),
    case("t = Unsqueeze(x, zero); _, h = GRU<hidden_size=2>(t, w, r); y = Squeeze(h, zero)",
         w=f(1, 6, 4), r=f(1, 6, 2)),
    case("y = Hardmax(x)"),
    case("y = ml.Imputer<imputed_value_floats=[1.0], replaced_value_float=0.0>(x)"),
    case("y = InstanceNormalization(x, a, a)", IMAGE, a=f(3)),
    case("y = LayerNormalization(x, w, b)", w=f(4), b=f(4)),
    case("l, y = ml.LinearClassifier<classlabels_ints=[0, 1], coefficients=[1.0, 1.0, 1.0, 1.0, "
         "1.0, 1.0, 1.0, 1.0], intercepts=[0.0, 1.0]>(x)"),
    case("y = ml.LinearRegressor<coefficients=[1.0, 1.0, 1.0, 1.0]>(x)"),
    case("y = LpNormalization<axis=1>(x)"),
    case("y = LRN<size=3>(x)", IMAGE),
    case("t = Unsqueeze(x, zero); h = LSTM<hidden_size=2>(t, w, r); g = Squeeze(h, zero); y = "
         "Squeeze(g, zero)", w=f(1, 8, 4), r=f(1, 8, 2)),
    case("y = MatMul(x, w)", w=f(4, 3)),
    case("y = MatMul(x, w)", w=f(4)),
    case("y = MatMul(x, x)", (2, 3, 3)),
    case("q = QuantizeLinear(x, s, z); y = MatMulInteger(q, w, z)", w=np.ones((4, 2), np.uint8)),
    case("y = MaxPool<kernel_shape=[2, 2]>(x)", IMAGE),
    case("y = MeanVarianceNormalization<axes=[2, 3]>(x)", IMAGE),
    case("y = ms.MultiHeadAttention<num_heads=2>(x, x, x)", (3, 4)),
    case("y = ml.Normalizer<norm='L2'>(x)"),
    case("i = ArgMax<axis=1, keepdims=0>(x); y = OneHot(i, d, v)", d=np.array(4), v=f(2)),
    case("y = Pad(x, p)", p=i(0, 1, 0, 2)),
    case("y = Pad(x, p, , a)", opset=18, p=i(1, 2), a=i(-1)),
    case("y = PRelu(x, w)", IMAGE, w=f(3, 1, 1)),
    case("q = QuantizeLinear(x, s, z); r = ms.QGemm(q, s, z, w, s, z, , s, z); y = "
         "DequantizeLinear(r, s, z)", w=np.ones((4, 2), np.uint8)),
    case("q = QuantizeLinear(x, s, z); r = ms.QLinearAdd(q, s, z, q, s, z, s, z); y = "
         "DequantizeLinear(r, s, z)"),
    case("q = QuantizeLinear(x, s, z); r = ms.QLinearConcat<axis=1>(s, z, q, s, z, q, s, z); y "
         "= DequantizeLinear(r, s, z)"),
    case("q = QuantizeLinear(x, s, z); r = QLinearConv(q, s, z, w, s, z, s, z); y = "
         "DequantizeLinear(r, s, z)", IMAGE, w=np.ones((1, 3, 2, 2), np.uint8)),
    case("q = QuantizeLinear(x, s, z); r = QLinearMatMul(q, s, z, w, s, z, s, z); y = "
         "DequantizeLinear(r, s, z)", w=np.ones((4, 2), np.uint8)),
    case("q = QuantizeLinear(x, s, z); r = ms.QLinearSoftmax<axis=-1, opset=13>(q, s, z, s, z); "
         "y = DequantizeLinear(r, s, z)"),
    case("y = ReduceMax<axes=[1]>(x)"),
    case("y = ReduceSum<keepdims=0>(x, a)", a=i(-1)),
    case("y = Reshape(x, s)", IMAGE, s=i(-1, 108)),
    case("y = Reshape(x, s)", IMAGE, s=i(0, -1, 4)),
    case("t = Reshape(x, s); u = Softmax(t); y = Reshape(u, d)", s=i(-1, 2), d=i(-1, 4)),
    case(SIZES + "m = Mul(rows, two); s = Concat<axis=0>(m, open); t = Reshape(x, s); o = "
         "Div(m, two); u = Concat<axis=0>(o, open); y = Reshape(t, u)"),
    case("s0 = Shape(x); s = Cast<to=6>(s0); rows = Slice(s, zero, one); others = Slice(s, one, "
         "three); p = ReduceProd(others); q = Mul(p, single); t = Concat<axis=0>(rows, q); u = "
         "Cast<to=7>(t); y = Reshape(x, u)",
         (2, 3), one=i(1), three=i(3), single=np.array([1], np.int32)),
    case("y = Resize<mode='linear'>(x, , s)", IMAGE, s=np.array([1, 1, 1.5, 2], np.float32)),
    case("y = Resize(x, , s)", s=np.array([1, 2], np.float32)),
    case(SIZES + "s = Concat<axis=0>(rows, c); y = Resize<mode='nearest'>(x, , , s)",
         IMAGE, c=i(3, 4, 9)),
    case("y = ml.Scaler<offset=[1.0, 1.0, 1.0, 1.0], scale=[2.0, 2.0, 2.0, 2.0]>(x)"),
    case("i = ArgMax<axis=1>(x); u = Cast<to=1>(i); y = ScatterElements<axis=1>(x, i, u)"),
    case("turned = Transpose<perm=[1, 0]>(x); u = Slice(turned, a, b); t = ScatterND(turned, i, "
         "u); y = Transpose<perm=[1, 0]>(t)", i=i([2]), a=i(0), b=i(1)),
    case(SIZES + "m = Size(x); four = Div(m, rows); s = Concat<axis=0>(rows, four); y = "
         "Reshape(x, s)", (2, 3), zero=i(0)),
    case("n, , , s = ms.SkipLayerNormalization(x, x, g); y = Add(n, s)", (2, 4), g=f(4)),
    case("y = Slice(x, a, b, c)", a=i(1), b=i(3), c=i(1)),
    case("y = Slice(x, a, b)", a=i(0, 1), b=i(2**63 - 1, 3)),
    case(SIZES + "y = Slice(x, zero, rows, zero)"),
    case("y = Softmax(x)"),
    case("y = Softmax(x)", (2, 3), opset=11),
    case("a, y = Split<axis=1>(x)"),
    case("y = Squeeze(x, a)", (1, 3), a=i(1)),
    case("y = ml.SVMRegressor<coefficients=[1.0], kernel_params=[0.0, 0.0, 0.0], "
         "kernel_type='LINEAR', n_supports=1, rho=[0.0], support_vectors=[1.0, 1.0, 1.0, "
         "1.0]>(x)"),
    case("y = Tile(x, r)", r=i(1, 2)),
    case("y, i = TopK(x, k)", k=i(2)),
    case("y = Transpose<perm=[0, 2, 1]>(x)", (2, 3)),
    case(f"l, y = ml.TreeEnsembleClassifier<class_ids=[0, 1], class_nodeids=[1, 2], "
         f"class_treeids=[0, 0], class_weights=[1.0, 1.0], classlabels_int64s=[0, 1], {TREE}>(x)"),
    case("y = Trilu(x)", (3, 3)),
    case("y = Unsqueeze(x, a)", a=i(1)),
    case("y = Upsample<mode='nearest'>(x, s)",
         IMAGE, opset=9, s=np.array([1, 1, 2, 2], np.float32)),
    case("c = Greater(x, w); y = Where(c, x, w)", w=f(1, 4)),
]  # fmt: skip
COUPLED = [
    # What onnxruntime's vectors compute otherwise than its single values.
    case("u = Cast<to=12>(x); y = Cast<to=1>(u)"),
    case("y = CastLike(x, w)", w=np.zeros(1, np.uint32)),
    case("l = Cast<to=7>(x); m = Max(l, zero); y = Cast<to=1>(m)"),
    case("l = Cast<to=7>(x); m = Clip(l, lo); y = Cast<to=1>(m)", lo=np.array(0)),
    case("l = Cast<to=7>(x); t = Mul(l, four); m = ReduceMax<axes=[1]>(t); y = Cast<to=1>(m)"),
    case("v, l = TopK(x, two); t = Mul(l, w); m = Relu(t); y = Cast<to=1>(m)",
         w=np.array([3_000_000_000])),
    case("y = Add(x, w)", w=f(5, 1)),
    case("turned = Transpose<perm=[1, 0]>(x); y = Add(x, turned)"),
    case("m = ReduceMax<axes=[1], keepdims=0>(x); y = Add(x, m)"),
    case("m = ArgMax(x); n = Cast<to=1>(m); y = Add(x, n)"),
    case("turned = Transpose<perm=[1, 0]>(x); u = ml.ArrayFeatureExtractor(turned, i); y = "
         "Transpose(u)", i=i(0)),
    case("i = ArgMax<axis=1>(x); t = Transpose(x); y = ml.ArrayFeatureExtractor(t, i)"),
    case("t = Transpose<perm=[1, 0, 2]>(x); u = ms.MultiHeadAttention<num_heads=2>(t, t, t); y "
         "= Transpose<perm=[1, 0, 2]>(u)", (3, 4)),
    case("y = ms.MultiHeadAttention<num_heads=2>(x, w, w)", (3, 4), w=f(1, 3, 4)),
    case("y = ms.Attention<num_heads=2>(x, w, b, m)",
         (3, 4), w=f(4, 12), b=f(12), m=np.array([3, 3, 3, 3, 3], np.int32)),
    case("t = Transpose<perm=[1, 2, 0]>(x); u = AveragePool<kernel_shape=[1]>(t); y = "
         "Transpose<perm=[2, 0, 1]>(u)", (2, 3)),
    case("y, m, v = BatchNormalization<training_mode=1>(x, a, a, a, a)", IMAGE, a=f(3)),
    case("t = Transpose<perm=[1, 0, 2]>(x); u = BatchNormalization(t, a, a, a, a); y = "
         "Transpose<perm=[1, 0, 2]>(u)", (2, 3), a=f(3)),
    case("m = Compress(x, c); y = Add(x, m)", c=np.array([True])),
    case("b = Greater(x, w); y = Compress(x, b)", w=f(1)),
    case("t = Concat<axis=0>(x, x); y = Reshape(t, s)", s=i(-1, 8)),
    case("y = Concat<axis=1>(x, w)", w=f(1, 2)),
    case("t = Transpose<perm=[1, 0, 2, 3]>(x); u = Conv(t, w); y = Transpose<perm=[1, 0, 2, "
         "3]>(u)", IMAGE, w=f(2, 3, 3, 3)),
    case("u = Conv(w, x); y = Transpose<perm=[1, 0, 2, 3]>(u)", IMAGE, w=f(2, 3, 6, 6)),
    case("y = CumSum(x, a)", a=np.array(0)),
    case("a = Cast<to=7>(s); y = CumSum(x, a)", s=np.float32(np.nan)),
    case("q = QuantizeLinear(x, s, z); y = DequantizeLinear<axis=0>(q, t)",
         t=np.full(5, 0.1, np.float32)),
    case("q, s, z = DynamicQuantizeLinear(x); y = DequantizeLinear(q, s, z)"),
    case("y = Dropout(x, , m)", m=np.array(True)),
    case("m = Cast<to=9>(r); y = Dropout(x, , m)", r=np.array("")),
    case("m = Einsum<equation='nk,nj->kj'>(x, x); y = MatMul(x, m)"),
    case("y = Einsum<equation='nk,mk->nm'>(x, x)"),
    case("y = Einsum<equation='nn->n'>(x)", (1,)),
    case("m = ReduceMax<axes=[1]>(x); y = Expand(m, s)", s=i(5, 4)),
    case("y = ml.FeatureVectorizer(x, w)", w=f(1, 4)),
    case("t = Flatten<axis=0>(x); u = Softmax(t); y = Reshape(u, s)", s=i(-1, 4)),
    case("t = Transpose<perm=[1, 0, 2]>(x); u = Flatten<axis=2>(t); y = Reshape(u, s)",
         (2, 3), s=i(-1, 6)),
    case("m = Gather<axis=0>(x, i); y = Add(x, m)", i=i(0)),
    case("m = Gather(x, i); y = Add(x, m)", i=i(0)),
    case(SIZES + "last = Sub(rows, one); m = Gather(x, last); y = Add(x, m)", one=i(1)),
    case("i = ArgMax<axis=0>(x); m = GatherElements<axis=0>(x, i); y = Add(x, m)"),
    case("i = Cast<to=7>(x); y = GatherElements<axis=1>(w, i)", w=f(5, 9)),
    case("i = ArgMax<axis=1>(x); m = GatherND(x, i); y = Add(x, m)"),
    case("m = Gemm<transA=1>(x, x); y = MatMul(x, m)"),
    case("y = Gemm(x, w, b)", w=f(4, 3), b=f(5, 1)),
    case("y = Hardmax<axis=0>(x)"),
    case("y = LayerNormalization<axis=0>(x, w)", w=f(1, 4)),
    case("y = LpNormalization<axis=0>(x)"),
    case("t = Unsqueeze(x, o); h = LSTM<hidden_size=2>(t, w, r); y = Squeeze(h, o)",
         o=i(1), w=f(1, 8, 4), r=f(1, 8, 2)),
    case("turned = Transpose<perm=[1, 0]>(x); y = MatMul(x, turned)"),
    case("y = MatMul(w, x)", w=f(5, 5)),
    case("t, i = MaxPool<kernel_shape=[2, 2]>(x); y = Identity(i)", IMAGE),
    case("y = MeanVarianceNormalization(x)", IMAGE),
    case("t = NonZero(x); y = Transpose(t)"),
    case("t = Reshape(x, s); y = ml.Normalizer(t)", (1,), s=i(-1)),
    case(SIZES + "i = ArgMax<axis=1, keepdims=0>(x); y = OneHot(i, rows, v)", v=f(2)),
    case("t = Pad(x, p); y = Slice(t, a, b)", p=i(1, 0, 0, 0), a=i(0), b=i(-1)),
    case("q = QuantizeLinear(x, s, z); r = ms.QLinearSoftmax<axis=0, opset=11>(q, s, z, s, z); "
         "y = DequantizeLinear(r, s, z)"),
    case("s = Shape(x); r = Gather(s, n); t = Range(n, r, o); v = Unsqueeze(t, u); c = "
         "Cast<to=1>(v); y = Add(x, c)", n=np.array(0), o=np.array(1), u=i(1)),
    case("m = ReduceMax<axes=[0]>(x); y = Add(x, m)"),
    case("m = ReduceMax<keepdims=0>(x); y = Add(x, m)"),
    case("m = ReduceMax<axes=[-2]>(x); y = Add(x, m)"),
    case("m = ReduceSum(x, a); y = Add(x, m)", a=i()),
    case("y = Reshape(x, s)", (2, 3), s=i(5, -1)),
    case("y = Reshape(x, s)", (2, 5), s=i(-1, 20)),
    case("t = Transpose<perm=[1, 0, 2]>(x); u = Reshape(t, s); v = Softmax(u); w = Reshape(v, "
         "d); y = Transpose<perm=[1, 0, 2]>(w)", (2, 3), s=i(-1, 6), d=i(2, -1, 3)),
    case("t = Resize(x, , s); y = Slice(t, a, b)",
         IMAGE, s=np.array([2, 1, 1, 1], np.float32), a=i(0), b=i(-1)),
    case("i = ArgMax<axis=0>(x); u = Cast<to=1>(i); y = ScatterElements<axis=0>(x, i, u)"),
    case("u = Slice(x, a, b); y = ScatterND(x, i, u)", i=i([1]), a=i(0), b=i(1)),
    case("t = Reshape(x, s); y = ml.Scaler<offset=[0.0], scale=[2.0]>(t)", (1,), s=i(-1)),
    case("s = Shape(x); c = Cast<to=1>(s); m = ReduceMax(c); y = Add(x, m)"),
    case(SIZES + "c = Greater(rows, four); y = Where(c, x, w)", w=f(1, 4)),
    case("s = Size(x); c = Cast<to=1>(s); y = Div(x, c)"),
    case(SIZES + "r = Cast<to=6>(rows); m = Mul(r, big); c = Greater(m, none); y = Where(c, "
         "x, w)", big=np.array([2**30], np.int32), none=np.zeros(1, np.int32), w=f(1, 4)),
    case("m = Slice(x, a, b); y = Add(x, m)", a=i(0), b=i(1)),
    case("y = Slice(x, a, b, c, d)", a=i(-1), b=i(-(2**62)), c=i(0), d=i(-1)),
    case(SIZES + "y = Slice(x, zero, rows, o)", o=i(1)),
    case("y = Softmax<axis=0>(x)"),
    case("y = Softmax<axis=0>(x)", (2, 3), opset=11),
    case("a, y = Split(x, s); z = Add(a, y)", s=i(1, 1)),
    case("t = Squeeze(x); y = Reshape(t, s)", (1, 3), s=i(-1, 3)),
    case(SIZES + "t = ConstantOfShape(rows); n = ReduceSum(t); y = Add(x, n)"),
    case("t = Tile(x, r); y = Reshape(t, s)", r=i(2, 1), s=i(-1, 8)),
    case("y, i = TopK<axis=0>(x, k)", k=i(1)),
    case("y = Transpose(x)"),
    case("y = Trilu(x)"),
    case("y = Unique<axis=0>(x)"),
    case("y = Resize<mode='linear'>(x, , s)", s=np.array([1, 2], np.float32)),
    case("y = Resize<coordinate_transformation_mode='tf_half_pixel_for_nn'>(x, , s)",
         opset=11, s=np.array([1, 2], np.float32)),
    case("t = MaxPool<ceil_mode=1, kernel_shape=[2, 2]>(x); s = Size(t); c = Cast<to=1>(s); y = "
         "Add(x, c)", IMAGE),
    case(SIZES + "t = Compress<axis=0>(w, c); u = Tile(t, rows); s = ReduceSum(u); y = "
         "Add(x, s)", w=f(4), c=np.array([True, False])),
    case("y = ms.Magic(x)"),
    case("y = Relu<axis=0>(x)"),
    case("y = Relu(x)", opset=6),
    case("y = Relu(x)", opset=1000),
]  # fmt: skip


@pytest.mark.parametrize("case", PROVED, ids=lambda case: case.text)
def test_rows_that_stay_by_themselves_are_proved(case: Case) -> None:
    model = case.model()
    assert proof_of(model).stopped_by is None
    assert_rows_are_independent(model, "y", nan=case.nan)


@pytest.mark.parametrize("case", COUPLED, ids=lambda case: case.text)
def test_rows_that_mix_are_not_proved(case: Case) -> None:
    assert proof_of(case.model()).stopped_by
