"""Graphs are read as layers that compute what onnxruntime does, or refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from layered_models import outputs, read
from onnx_models import rows_model

from rsonnx.deterministic import Ball, Verifier
from rsonnx.errors import ModelError

GENERATOR = np.random.default_rng(11)


def normal(*shape: int) -> Any:
    return GENERATOR.standard_normal(shape).astype(np.float32)


PICTURE = (4, 7, 6)
WEIGHTS = {
    "w3": normal(6, 4, 3, 2),
    "wd": normal(8, 1, 3, 3),
    "wg": normal(6, 2, 2, 2),
    "b6": normal(6),
    "b8": normal(8),
    "s": normal(4),
    "v": abs(normal(4)),
    "chan": normal(4, 1, 1),
    "row": normal(6),
    "wide": normal(42, 3),
    "m": normal(168, 3),
    "reversed": np.array([3, 2, 1, 0]),
    "flat": np.array([0, -1]),
    "axes": np.array([2, 3]),
    "one": np.array([1]),
    "starts": np.array([1, 0]),
    "ends": np.array([6, 5]),
    "zero": np.array(0),
    "minus": np.array([-1]),
    "from": np.float32(0),
    "to": np.float32(10_000),
    "by": np.float32(0.1),
    "five": np.array([5]),
    "eleven": np.array([11]),
    "far": np.array([3_000_000_000, 0, 0, 0, 0, 0]),
    "zeros": np.zeros(6, np.int64),
}

READ = {
    "padded convolution": "y = Conv<pads=[1,0,2,1],strides=[2,1]>(x, w3, b6)",
    "dilated convolution": "y = Conv<dilations=[2,3]>(x, w3)",
    "depthwise convolution": "y = Conv<group=4,auto_pad='SAME_UPPER',strides=[2,2]>(x, wd, b8)",
    "grouped convolution": "y = Conv<group=2,auto_pad='SAME_LOWER'>(x, wg, b6)",
    "pooling": "y = AveragePool<kernel_shape=[3,2],pads=[1,1,1,1],strides=[2,2]>(x)",
    "pooling with padding": (
        "y = AveragePool<kernel_shape=[3,2],pads=[1,1,1,1],count_include_pad=1>(x)"
    ),
    "global pooling": "y = GlobalAveragePool(x)",
    "mean": "y = ReduceMean<axes=[1,-1],keepdims=0>(x)",
    "normalisation": "y = BatchNormalization<epsilon=0.01>(x, s, s, s, v)",
    "constants": "a = Add(x, chan); b = Mul(row, a); c = Sub(chan, b); d = Div(c, row); y = Neg(d)",
    "residual": "r = Relu(x); a = Add(x, r); b = Sub(a, x); c = Add(b, b); y = Add(c, a)",
    "moved": (
        "t = Transpose<perm=[0,2,3,1]>(x); g = Gather<axis=3>(t, reversed); "
        "s = Slice(g, starts, ends, axes); y = Relu(s)"
    ),
    "shapes": (
        "n = Shape(x); f = Gather<axis=0>(n, zero); u = Unsqueeze(f, zero); "
        "c = Concat<axis=0>(u, minus); y = Reshape(x, c)"
    ),
    "product": "f = Reshape(x, flat); c = Mul(m, m); a = MatMul(f, c); y = Relu(a)",
    "dropout": "f = Flatten(x); d = Dropout(f); y = Gemm<alpha=0.5>(d, m)",
    "squeezed": "g = GlobalAveragePool(x); y = Squeeze(g, axes)",
    "broadcast": "g = GlobalAveragePool(x); y = Add(x, g)",
    "cast": "d = Cast<to=11>(x); y = Cast<to=1>(d)",
}


@pytest.mark.parametrize("text", READ.values(), ids=READ.keys())
def test_layers_compute_what_onnxruntime_does(text: str) -> None:
    model = rows_model(text, PICTURE, WEIGHTS)
    network = read(model)
    x = normal(network.size).astype(np.float64)
    scores = outputs(model, x)[0]
    box = Verifier(network, Ball(x, "linf", 0.0)).scores
    assert ((box.low <= scores) & (scores <= box.high)).all()
    assert (box.high - box.low).max() < 5e-3  # of numbers around 10, with a sum of 168 among them


@pytest.mark.parametrize("kind", ["Softmax", "LogSoftmax"])
def test_a_softmax_at_the_end_is_left_out_and_costs_a_margin(kind: str) -> None:
    plain = read(rows_model("y = Flatten(x)", (4,)))
    softened = read(rows_model(f"f = Flatten(x); s = {kind}(f); y = Identity(s)", (4,)))
    assert (plain.softened, softened.softened) == ("", kind)
    x = np.array([0.5, 0.1, 0.5, 0.4999])
    ball = Ball(x, "l2", 0.0)
    plain_margins, margins = (Verifier(n, ball).margins(0) for n in (plain, softened))
    assert plain_margins[2] > 0 > margins[2]  # so near that a Softmax may make them equal
    assert margins[0] > 0.39


REFUSED = {
    "Sigmoid": "y = Sigmoid(x)",
    "Softmax": "f = Flatten(x); s = Softmax(f); y = Relu(s)",
    "MatMul": "f = Flatten(x); t = Transpose(f); y = MatMul(f, t)",
    "Exp": "e = Exp(row); y = Add(x, e)",
    "Mul": "y = Mul(x, x)",
    "Div": "y = Div(row, x)",
    "AveragePool": "y = AveragePool<kernel_shape=[2,2],strides=[2,2],ceil_mode=1>(x)",
    # Which onnxruntime takes as padded for windows without dilations.
    "dilations": ("y = AveragePool<kernel_shape=[2,2],auto_pad='SAME_UPPER',dilations=[2,1]>(x)"),
    # Of whose constants the reference evaluator makes others than onnxruntime.
    "Range": "r = Range(from, to, by); t = Slice(r, five, eleven); y = Add(x, t)",
    "Max": "m = Max(far, zeros); r = Cast<to=1>(m); y = Add(x, r)",
    "larger than what it sees": "p = AveragePool<kernel_shape=[8,2]>(x); y = Relu(p)",
    "ReduceMean": "y = ReduceMean<axes=[0,2]>(x)",  # rows of a batch together
    "Cast": "y = Cast<to=10>(x)",
    "FusedMatMul": "y = ms.FusedMatMul(x, wide)",
}


@pytest.mark.parametrize(("named", "text"), REFUSED.items())
def test_what_no_bound_is_known_of_is_refused_by_name(named: str, text: str) -> None:
    with pytest.raises(ModelError, match=named):
        read(rows_model(text, PICTURE, WEIGHTS))


def test_a_mean_over_no_axes_is_one_over_all_values_and_refused() -> None:
    axes = {"none": np.zeros(0, np.int64)}
    with pytest.raises(ModelError, match="ReduceMean"):
        read(rows_model("m = ReduceMean(x, none); y = Sub(x, m)", (3,), axes, opset=18))


def test_a_softmax_over_less_than_the_scores_is_refused() -> None:
    with pytest.raises(ModelError, match="Softmax"):
        read(rows_model("s = Softmax<axis=1>(x); y = Flatten(s)", (3, 2)))


def test_scores_that_are_constant_are_refused() -> None:
    with pytest.raises(ModelError, match="'y'"):
        read(rows_model("y = Identity(row)", PICTURE, WEIGHTS))


def test_a_convolution_that_fits_no_memory_is_refused_by_its_size() -> None:
    weights = {"w": np.zeros((64, 3, 7, 7), np.float32)}
    with pytest.raises(ModelError, match=r"Conv.*products"):
        read(rows_model("y = Conv(x, w)", (3, 224, 224), weights))
