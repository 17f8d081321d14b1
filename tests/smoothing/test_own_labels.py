"""The class that is counted is the label that plain onnxruntime gives, for every kind of label."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from against_onnxruntime import opened, original, rows
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper
from onnx_models import FLOAT, INT64, ML, STRING, node, stump, tensor, with_outputs

from rsonnx.errors import ModelError

UINT8, INT32, BOOL = TensorProto.UINT8, TensorProto.INT32, TensorProto.BOOL
W = np.random.default_rng(1).standard_normal((4, 5)).astype(np.float32)
ONE = W[:, :1]
"""Weights of five scores, and of one."""


def text(name: str, *values: str) -> onnx.TensorProto:
    return helper.make_tensor(name, STRING, [len(values)], [v.encode() for v in values])


def top_k(k: int, **options: Any) -> list[NodeProto]:
    weight = numpy_helper.from_array(np.array([k]), "")
    return [
        node("Constant", [], "k", value=weight),
        helper.make_node("TopK", ["s", "k"], ["values", "indices"], axis=1, **options),
    ]


def model(
    made: Sequence[NodeProto],
    outputs: Sequence[onnx.ValueInfoProto],
    weights: dict[str, NDArray[np.generic]] | None = None,
    texts: Sequence[onnx.TensorProto] = (),
    w: NDArray[np.float32] = W,
) -> onnx.ModelProto:
    """Make a model whose scores s = (x - 1/2) @ w are followed by other nodes."""
    start = [node("Sub", ["x", "centre"], "c"), node("MatMul", ["c", "w"], "s")]
    own = {"w": w, "centre": np.full(1, 0.5, np.float32)}
    proto = with_outputs([*start, *made], outputs, own | (weights or {}))
    proto.graph.initializer.extend(texts)
    proto.opset_import[0].version = 3
    return proto


def encoder(position: str, **options: Any) -> NodeProto:
    return node("LabelEncoder", [position], "label", domain=ML, **options)


ARGMAX = node("ArgMax", ["s"], "at", axis=1, keepdims=0)
PROBABILITIES = node("Softmax", ["s"], "p", axis=1)
NEGATIVE = node("Less", ["s", "zero"], "negative")
ZERO: dict[str, NDArray[np.generic]] = {"zero": np.zeros(1, np.float32)}
LARGE = np.array([3_000_000_000, 2**40, 7, -1, 12])


def scores(width: int = 5, name: str = "s") -> onnx.ValueInfoProto:
    return tensor(name, FLOAT, ["n", width])


def label(kind: int = INT64, *more: int, name: str = "label") -> onnx.ValueInfoProto:
    return tensor(name, kind, ["n", *more])


KINDS: dict[str, tuple[onnx.ModelProto, str]] = {
    "the best of a TopK beside the second": (
        model(
            [
                *top_k(2),
                node("Gather", ["indices", "first"], "label", axis=1),
                node("Gather", ["indices", "second"], "next", axis=1),
            ],
            [label(), label(name="next")],
            {"first": np.array(0), "second": np.array(1)},
        ),
        "label",
    ),
    "the best 3 of a TopK": (
        model(top_k(3), [scores(3, "values"), label(INT64, 3, name="indices")]),
        "indices",
    ),
    "the best of a TopK": (
        model(top_k(1), [scores(1, "values"), label(INT64, 1, name="indices")]),
        "indices",
    ),
    "the smallest of a TopK": (
        model(top_k(2, largest=0), [scores(2, "values"), label(INT64, 2, name="indices")]),
        "indices",
    ),
    "the first column of a TopK": (
        model(
            [*top_k(3), node("Gather", ["indices", "first"], "label", axis=1)],
            [label()],
            {"first": np.array(0)},
        ),
        "label",
    ),
    "torch.max": (
        model(
            [
                PROBABILITIES,
                node("ReduceMax", ["p"], "confidence", axes=[1], keepdims=0),
                node("ArgMax", ["p"], "label", axis=1, keepdims=0),
            ],
            [tensor("confidence", FLOAT, ["n"]), label()],
        ),
        "label",
    ),
    "the last of the largest": (
        model(
            [
                node("Round", ["s"], "r"),
                node("ArgMax", ["r"], "label", axis=1, keepdims=0, select_last_index=1),
            ],
            [label(), scores(name="r")],
        ),
        "label",
    ),
    "the most votes": (
        model(
            [
                node("Mul", ["s", "ten"], "t"),
                node("Cast", ["t"], "votes", to=INT32),
                node("ArgMax", ["votes"], "label", axis=1, keepdims=0),
            ],
            [label()],
            {"ten": np.full(1, 10, np.float32)},
        ),
        "label",
    ),
    "the largest quantised score": (
        model(
            [
                node("QuantizeLinear", ["s", "step", "zero8"], "q"),
                node("ArgMax", ["q"], "label", axis=1, keepdims=0),
            ],
            [label(), tensor("q", UINT8, ["n", 5])],
            {"step": np.array(0.2, np.float32), "zero8": np.array(128, np.uint8)},
        ),
        "label",
    ),
    "the nearest prototype": (
        model(
            [
                node("Mul", ["s", "s"], "distances"),
                node("ArgMin", ["distances"], "label", axis=1, keepdims=0),
            ],
            [scores(name="distances"), label()],
        ),
        "label",
    ),
    "features beside": (
        model(
            [ARGMAX, node("Identity", ["c"], "features")], [scores(4, "features"), label(name="at")]
        ),
        "at",
    ),
    "uint8": (model([ARGMAX, node("Cast", ["at"], "label", to=UINT8)], [label(UINT8)]), "label"),
    "int32": (
        model([ARGMAX, node("Cast", ["at"], "label", to=INT32)], [label(INT32), scores()]),
        "label",
    ),
    "a float": (model([ARGMAX, node("Cast", ["at"], "label", to=FLOAT)], [label(FLOAT)]), "label"),
    "-1 and 1 by comparison": (
        model(
            [NEGATIVE, node("Where", ["negative", "minus", "plus"], "label")],
            [label(INT64, 1), scores(1)],
            ZERO | {"minus": np.array([-1]), "plus": np.array([1])},
            w=ONE,
        ),
        "label",
    ),
    "-1 and 1 by arithmetic": (
        model(
            [
                NEGATIVE,
                node("Cast", ["negative"], "is_out", to=INT64),
                node("Mul", ["is_out", "minus"], "step"),
                node("Add", ["step", "plus"], "label"),
            ],
            [label(INT64, 1), scores(1)],
            ZERO | {"minus": np.array([-2]), "plus": np.array([1])},
            w=ONE,
        ),
        "label",
    ),
    "-1 for an input of no known class": (
        model(
            [
                node("ReduceMax", ["s"], "top", axes=[1], keepdims=0),
                node("Less", ["top", "zero"], "rejected"),
                ARGMAX,
                node("Where", ["rejected", "minus", "at"], "label"),
            ],
            [label(), scores()],
            ZERO | {"minus": np.array(-1)},
        ),
        "label",
    ),
    "numbers from 1": (
        model([ARGMAX, node("Add", ["at", "one"], "label")], [label()], {"one": np.array(1)}),
        "label",
    ),
    "a sign": (
        model(
            [node("Sign", ["s"], "sign"), node("Cast", ["sign"], "label", to=INT64)],
            [label(INT64, 1), scores(1)],
            w=ONE,
        ),
        "label",
    ),
    "a sign that is a float": (
        model([node("Sign", ["s"], "label")], [label(FLOAT, 1)], w=ONE),
        "label",
    ),
    "a threshold": (
        model(
            [
                node("Sigmoid", ["s"], "p"),
                node("Greater", ["p", "half"], "above"),
                node("Cast", ["above"], "label", to=INT64),
            ],
            [label(INT64, 1), scores(1, "p")],
            {"half": np.full(1, 0.5, np.float32)},
            w=ONE,
        ),
        "label",
    ),
    "a truth value": (
        model([NEGATIVE], [label(BOOL, 1, name="negative")], ZERO, w=ONE),
        "negative",
    ),
    "numbers above 2^31 and -1": (
        model(
            [ARGMAX, node("Gather", ["large", "at"], "label")],
            [label(), scores()],
            {"large": LARGE},
        ),
        "label",
    ),
    "groups of classes": (
        model(
            [ARGMAX, node("Gather", ["groups", "at"], "label")],
            [label(), scores()],
            {"groups": np.array([4, 2, 4, 4, 2])},
        ),
        "label",
    ),
    "gathered texts": (
        model(
            [ARGMAX, node("Gather", ["texts", "at"], "label", axis=0)],
            [label(STRING), scores()],
            texts=[text("texts", "e", "d", "c", "é", "a")],
        ),
        "label",
    ),
    "gathered texts, some alike": (
        model(
            [ARGMAX, node("Gather", ["texts", "at"], "label", axis=0)],
            [label(STRING)],
            texts=[text("texts", "crane", "d", "crane", "b", "a")],
        ),
        "label",
    ),
    "texts of the best 2": (
        model(
            [*top_k(2), node("Gather", ["texts", "indices"], "label", axis=0)],
            [label(STRING, 2), scores(2, "values")],
            texts=[text("texts", "e", "d", "c", "b", "a")],
        ),
        "label",
    ),
    "encoded texts": (
        model(
            [
                ARGMAX,
                node(
                    "LabelEncoder",
                    ["at"],
                    "label",
                    domain=ML,
                    keys_int64s=[0, 1, 2, 3, 4],
                    values_strings=list("vwxyz"),
                ),
            ],
            [label(STRING)],
        ),
        "label",
    ),
    "one of two texts": (
        model(
            [NEGATIVE, node("Where", ["negative", "no", "yes"], "label")],
            [label(STRING, 1), scores(1)],
            ZERO,
            [text("no", "no"), text("yes", "yes")],
            w=ONE,
        ),
        "label",
    ),
    "texts in a constant of their own": (
        model(
            [
                ARGMAX,
                node("Constant", [], "texts", value_strings=list("edcba")),
                node("Identity", ["texts"], "same"),
                node("Gather", ["same", "at"], "label", axis=0),
            ],
            [label(STRING), scores()],
        ),
        "label",
    ),
    "a column of numbers": (
        model(
            [ARGMAX, node("Gather", ["column", "at"], "label", axis=0)],
            [label(INT64, 1)],
            {"column": np.array([[9], [8], [7], [6], [5]])},
        ),
        "label",
    ),
    "maps of one pixel": (
        model(
            [
                node("Reshape", ["s", "maps"], "m"),
                node("ArgMax", ["m"], "label", axis=1, keepdims=1),
            ],
            [label(INT64, 1, 1, 1)],
            {"maps": np.array([-1, 5, 1, 1])},
        ),
        "label",
    ),
    "the best of a TopK, squeezed": (
        model(
            [*top_k(1), node("Squeeze", ["indices", "axis"], "label")],
            [label()],
            {"axis": np.array([1])},
        ),
        "label",
    ),
    "the best of a TopK, in one row": (
        model(
            [
                *top_k(1),
                node("Reshape", ["indices", "flat"], "label"),
                node("Reshape", ["values", "flat"], "confidence"),
            ],
            [label(), tensor("confidence", FLOAT, ["n"])],
            {"flat": np.array([-1])},
        ),
        "label",
    ),
    "the best of a TopK, split from the next": (
        model(
            [*top_k(2), helper.make_node("Split", ["indices"], ["label", "rest"], axis=1)],
            [label(INT64, 1), label(INT64, 1, name="rest")],
        ),
        "label",
    ),
    "texts encoded from 1": (
        model(
            [
                ARGMAX,
                node("Add", ["at", "one"], "key"),
                encoder("key", keys_int64s=[1, 2, 3, 4, 5], values_strings=list("vwxyz")),
            ],
            [label(STRING), scores()],
            {"one": np.array([1])},
        ),
        "label",
    ),
    "texts encoded in another order": (
        model(
            [ARGMAX, encoder("at", keys_int64s=[2, 0, 3, 1, 4], values_strings=list("vwxyz"))],
            [label(STRING)],
        ),
        "label",
    ),
    "texts encoded, but for one": (
        model(
            [
                ARGMAX,
                encoder(
                    "at", keys_int64s=[0, 1, 2], values_strings=list("vwx"), default_string="none"
                ),
            ],
            [label(STRING)],
        ),
        "label",
    ),
    "texts of numbered categories": (
        model(
            [
                ARGMAX,
                node("Add", ["at", "one"], "key"),
                node(
                    "CategoryMapper",
                    ["key"],
                    "label",
                    domain=ML,
                    cats_int64s=[5, 4, 3, 2, 1],
                    cats_strings=list("vwxyz"),
                ),
            ],
            [label(STRING)],
            {"one": np.array([1])},
        ),
        "label",
    ),
    "texts encoded from floats": (
        model(
            [
                ARGMAX,
                node("Cast", ["at"], "real", to=FLOAT),
                encoder(
                    "real", keys_floats=[0.0, 1.0, 2.0, 3.0, 4.0], values_strings=list("vwxyz")
                ),
            ],
            [label(STRING)],
        ),
        "label",
    ),
    "texts encoded from floats that are not all keys": (
        model(
            [
                ARGMAX,
                node("Cast", ["at"], "real", to=FLOAT),
                node("Mul", ["real", "half"], "halves"),
                encoder("halves", keys_floats=[0.0, 1.0, 2.0], values_strings=list("vwx")),
            ],
            [label(STRING)],
            {"half": np.full(1, 0.5, np.float32)},
        ),
        "label",
    ),
    "texts encoded from texts": (
        model(
            [
                ARGMAX,
                node("Gather", ["texts", "at"], "name"),
                encoder("name", keys_strings=list("edcba"), values_strings=list("vwxyz")),
            ],
            [label(STRING)],
            texts=[text("texts", *"abcde")],
        ),
        "label",
    ),
    "a text for an input of no known class": (
        model(
            [
                node("ReduceMax", ["s"], "top", axes=[1], keepdims=0),
                node("Less", ["top", "zero"], "rejected"),
                ARGMAX,
                node("Gather", ["texts", "at"], "name"),
                node("Where", ["rejected", "unknown", "name"], "label"),
            ],
            [label(STRING)],
            ZERO,
            [text("texts", *"edcba"), text("unknown", "unknown")],
        ),
        "label",
    ),
    "texts by GatherND": (
        model(
            [
                node("ArgMax", ["s"], "at", axis=1, keepdims=1),
                node("GatherND", ["texts", "at"], "label"),
            ],
            [label(STRING)],
            texts=[text("texts", *"edcba")],
        ),
        "label",
    ),
    "texts by GatherElements": (
        model(
            [ARGMAX, node("GatherElements", ["texts", "at"], "label")],
            [label(STRING)],
            texts=[text("texts", *"edcba")],
        ),
        "label",
    ),
    "a number and its name": (
        model(
            [ARGMAX, node("Gather", ["texts", "at"], "class_name", axis=0)],
            [label(name="at"), label(STRING, name="class_name"), scores()],
            texts=[text("texts", "e", "d", "c", "b", "a")],
        ),
        "class_name",
    ),
}


def as_text(value: Any) -> str:
    first = np.ravel(value)[0]
    return str(first) if isinstance(first, str | bytes) else str(int(first))


@pytest.mark.parametrize("kind", KINDS)
def test_the_counted_class_is_the_file_s_own_label(tmp_path: Path, kind: str) -> None:
    proto, output = KINDS[kind]
    found = opened(proto, tmp_path)
    batch = rows(200, 4)
    own = [as_text(value) for value in original(proto, output, batch)]
    counted = found.classify(batch).tolist()
    names = found.class_names or [str(k) for k in range(5)]
    assert [names[k] for k in counted] == own
    assert min(counted) >= 0  # no label is "no class", whatever its number
    assert found.num_classes in (None, len(names))
    assert found.num_classes is not None
    assert len(set(own)) > 1  # else this test would show little


@pytest.mark.parametrize(
    "kind", [k for k in KINDS if k not in {"the most votes", "the largest quantised score"}]
)  # whose scores are whole numbers, which have no NaN
def test_nan_is_no_class_though_a_label_hides_it(tmp_path: Path, kind: str) -> None:
    found = opened(KINDS[kind][0], tmp_path)
    batch = rows(4, 4)
    batch[2, 1] = np.nan
    assert (found.classify(batch) == -1).tolist() == [False, False, True, False]


AFTER_SORTING: dict[str, list[NodeProto]] = {
    "nothing": [node("Identity", ["values"], "out")],
    "half precision": [
        node("Cast", ["values"], "half", to=TensorProto.FLOAT16),
        node("Cast", ["half"], "out", to=FLOAT),
    ],
    "softmax": [node("Softmax", ["values"], "out", axis=1)],
    "log of softmax": [node("LogSoftmax", ["values"], "out", axis=1)],
    "percent": [node("Mul", ["values", "hundred"], "out")],
    "less a number": [node("Sub", ["values", "hundred"], "out")],
    "scaled, clipped and rounded": [
        node("Div", ["values", "hundred"], "small"),
        node("Clip", ["small"], "clipped"),
        node("Round", ["clipped"], "out"),
    ],
    "less the largest": [
        node("ReduceMax", ["values"], "top", axes=[1], keepdims=1),
        node("Sub", ["values", "top"], "out"),
    ],
    "softmax, written out": [
        node("Exp", ["values"], "e"),
        node("ReduceSum", ["e", "axis"], "total", keepdims=1),
        node("Div", ["e", "total"], "out"),
    ],
}
SORTING = {"hundred": np.full(1, 100, np.float32), "axis": np.array([1])}


@pytest.mark.parametrize("k", [3, 5])
@pytest.mark.parametrize("after", AFTER_SORTING)
def test_sorted_values_are_no_scores_whatever_is_made_of_them(
    tmp_path: Path, after: str, k: int
) -> None:
    proto = model([*top_k(k), *AFTER_SORTING[after]], [scores(k, "out")], dict(SORTING))
    batch = rows(64, 4)
    found = opened(proto, tmp_path)
    assert found.num_classes == 5
    assert found.classify(batch).tolist() == ((batch - 0.5) @ W).argmax(axis=1).tolist()


@pytest.mark.parametrize(
    "after",
    [
        [node("Neg", ["values"], "out")],
        [node("Mul", ["values", "minus"], "out")],
        [node("Mul", ["values", "mask"], "out")],
        [node("Sub", ["minus", "values"], "out")],
        [node("Concat", ["values", "values"], "out", axis=1)],
        [node("Mul", ["values", "values"], "out")],
    ],
    ids=["negated", "times -1", "masked", "subtracted", "joined", "squared"],
)
def test_sorted_values_out_of_order_are_refused(tmp_path: Path, after: list[NodeProto]) -> None:
    weights = {"minus": np.full(1, -1, np.float32), "mask": np.array([0, 1, 1], np.float32)}
    width = 6 if after[0].op_type == "Concat" else 3
    proto = model([*top_k(3), *after], [scores(width, "out")], weights)
    for name in (None, "out"):
        with pytest.raises(ModelError, match="TopK"):
            opened(proto, tmp_path, output_name=name)


def test_the_sorted_values_of_sigmoids_are_still_sigmoids(tmp_path: Path) -> None:
    for made in (
        [*top_k(3), node("Sigmoid", ["values"], "out")],
        [
            node("Sigmoid", ["c"], "p"),
            node("Constant", [], "k", value=numpy_helper.from_array(np.array([3]), "")),
            helper.make_node("TopK", ["p", "k"], ["out", "indices"], axis=1),
        ],
    ):
        with pytest.raises(ModelError, match="sigmoid"):
            opened(model(made, [scores(3, "out")]), tmp_path)


@pytest.mark.parametrize(
    "made",
    [
        [
            *top_k(3),
            node("ReduceMin", ["values"], "least", axes=[1], keepdims=1),
            node("Less", ["s", "least"], "low"),
            node("Where", ["low", "minus", "s"], "out"),
        ],
        [
            node("Unsqueeze", ["s", "two"], "cells"),
            node("Constant", [], "k", value=numpy_helper.from_array(np.array([1]), "")),
            helper.make_node("TopK", ["cells", "k"], ["best", "where"], axis=2),
            node("Squeeze", ["best", "two"], "out"),
        ],
    ],
    ids=["all but the best masked", "the best of each channel"],
)
def test_scores_with_a_top_k_behind_them_that_keep_their_places(
    tmp_path: Path, made: list[NodeProto]
) -> None:
    weights = {"minus": np.full(1, -1e9, np.float32), "two": np.array([2])}
    batch = rows(64, 4)
    found = opened(model(made, [scores(5, "out")], weights), tmp_path)
    assert found.classify(batch).tolist() == ((batch - 0.5) @ W).argmax(axis=1).tolist()


@pytest.mark.parametrize("number_first", [True, False])
@pytest.mark.parametrize("by", ["ArgMax", "ArgMin", "TopK"])
@pytest.mark.parametrize("then", ["Cast", "Add", "Gather", "Where", "LabelEncoder"])
def test_the_number_of_a_class_is_no_score(
    tmp_path: Path, by: str, then: str, number_first: bool
) -> None:
    chosen = top_k(1) if by == "TopK" else [node(by, ["s"], "indices", axis=1, keepdims=1)]
    encoded = {"keys_int64s": [0, 1, 2, 3, 4], "values_floats": [7.0, 5.0, 6.0, 8.0, 9.0]}
    numbered = {
        "Cast": node("Cast", ["indices"], "id", to=FLOAT),
        "Add": node("Add", ["indices", "one"], "id"),
        "Gather": node("Gather", ["ids", "indices"], "id"),
        "Where": node("Where", ["known", "indices", "none"], "id"),
        "LabelEncoder": node("LabelEncoder", ["indices"], "id", domain=ML, **encoded),
    }
    parts = ["number", "confidence"] if number_first else ["confidence", "number"]
    made = [
        *chosen,
        node("ReduceMax", ["s"], "confidence", axes=[1], keepdims=1),
        node("Greater", ["confidence", "zero"], "known"),
        numbered[then],
        node("Cast", ["id"], "number", to=FLOAT),
        node("Concat", parts, "joined", axis=1),
        node("Cast", ["joined"], "out", to=FLOAT),
    ]
    weights = ZERO | {"one": np.array([1]), "ids": np.arange(5) + 10, "none": np.array([[-1]])}
    for name in (None, "out"):
        with pytest.raises(ModelError, match=r"'out'.*number of a class"):
            opened(model(made, [scores(2, "out")], weights), tmp_path, output_name=name)


def test_one_hot_rows_read_at_a_class_number_are_scores(tmp_path: Path) -> None:
    made = [ARGMAX, node("Gather", ["one_hot", "at"], "out")]
    found = opened(
        model(made, [scores(5, "out")], {"one_hot": np.eye(5, dtype=np.float32)}), tmp_path
    )
    batch = rows(64, 4)
    assert found.classify(batch).tolist() == ((batch - 0.5) @ W).argmax(axis=1).tolist()


def test_a_constant_list_of_the_classes_beside_a_label_is_no_answer(tmp_path: Path) -> None:
    made = [ARGMAX, node("Gather", ["texts", "at"], "label"), node("Identity", ["texts"], "list")]
    names = text("texts", *"edcba")
    proto = model(made, [label(STRING), scores(), tensor("list", STRING, [5])], texts=[names])
    batch = rows(32, 4)
    own = [as_text(value) for value in original(proto, "label", batch)]
    found = opened(proto, tmp_path)
    assert [found.class_names[k] for k in found.classify(batch)] == own


LOGS = [
    node("Log", ["x"], "logs"),
    node("IsNaN", ["logs"], "is_nan"),
    node("Where", ["is_nan", "zero", "logs"], "clean"),
    node("ArgMax", ["clean"], "label", axis=1, keepdims=0),
]
"""A label that hides the NaN in the logarithms of negative numbers."""


@pytest.mark.parametrize("name", ["output_1", "confidence"])
@pytest.mark.parametrize("shape", [["n"], ["n", 1], ["n", 4], ["unk__6", 4], [None]])
def test_nan_in_any_floats_beside_a_label_is_no_class(
    tmp_path: Path, name: str, shape: list[Any]
) -> None:
    last = node("Identity", ["logs"], name)
    if shape[1:] != [4]:
        last = node("ReduceSum", ["logs", "axis"], name, keepdims=len(shape) - 1)
    weights = ZERO | {"axis": np.array([1])}
    proto = model([*LOGS, last], [label(), tensor(name, FLOAT, shape)], weights)
    batch = rows(4, 4)
    batch[2, 1] = -1
    assert (opened(proto, tmp_path).classify(batch) == -1).tolist() == [False, False, True, False]


def test_an_infinite_largest_score_beside_a_label_is_no_class(tmp_path: Path) -> None:
    made = [
        ARGMAX,
        node("Mul", ["s", "large"], "more"),
        node("Exp", ["more"], "scores"),
    ]
    proto = model(
        made, [label(name="at"), scores(name="scores")], {"large": np.full(1, 60, np.float32)}
    )
    batch = 3 * rows(200, 4)
    shown = np.array(original(proto, "scores", batch))
    own = np.array(original(proto, "at", batch))
    infinite = np.isinf(shown.max(axis=1))
    assert 0 < infinite.sum() < len(batch)
    expected = np.where(infinite, -1, own)
    assert opened(proto, tmp_path).classify(batch).tolist() == expected.tolist()


def test_an_infinite_largest_score_of_a_classifier_is_no_class(tmp_path: Path) -> None:
    made = helper.make_node(
        "LinearClassifier",
        ["x"],
        ["label", "scores"],
        domain=ML,
        coefficients=[3e38, 0.0, 0.0, 0.0, 0.0, 3e38, 0.0, 0.0],
        intercepts=[0.0, 0.0],
        classlabels_ints=[0, 1],
        post_transform="NONE",
    )
    proto = with_outputs([made], [label(), scores(2, "scores")])
    batch = np.array([[0.5, 0.1, 0, 0], [2, 0.1, 0, 0], [0.1, 2, 0, 0]], np.float32)
    for outputs in (2, 1):
        del proto.graph.output[outputs:]
        assert opened(proto, tmp_path).classify(batch).tolist() == [0, -1, -1]


def test_the_sorted_values_of_a_top_k_are_no_scores(tmp_path: Path) -> None:
    proto = model(top_k(3), [scores(3, "values")])
    batch = rows(64, 4)
    assert opened(proto, tmp_path).num_classes == 5
    expected = ((batch - 0.5) @ W).argmax(axis=1)
    assert opened(proto, tmp_path).classify(batch).tolist() == expected.tolist()
    assert (
        opened(proto, tmp_path, output_name="values").classify(batch).tolist() == expected.tolist()
    )


def test_a_top_k_of_the_smallest_values_alone_is_refused(tmp_path: Path) -> None:
    proto = model(top_k(3, largest=0), [scores(3, "values")])
    with pytest.raises(ModelError, match="'values'"):
        opened(proto, tmp_path)


@pytest.mark.parametrize("least", [-2.0, 2e7, 3e9])
def test_a_label_that_can_be_no_number_of_a_class_is_refused(tmp_path: Path, least: float) -> None:
    """Nothing says which classes floor(s) + least may be."""
    made = [
        node("Floor", ["s"], "floor"),
        node("Add", ["floor", "least"], "moved"),
        node("Cast", ["moved"], "label", to=INT64),
    ]
    proto = model(made, [label(INT64, 1)], {"least": np.full(1, least, np.float32)}, w=ONE)
    with pytest.raises(ModelError, match="'label'") as caught:
        opened(proto, tmp_path)
    assert caught.value.exit_code == 4


def test_large_numbers_of_no_known_class_are_counted_as_they_are(tmp_path: Path) -> None:
    made = [
        node("Cast", ["s"], "floor", to=INT64),
        node("Abs", ["floor"], "size"),
        node("Add", ["size", "least"], "label"),
    ]
    proto = model(made, [label(INT64, 1)], {"least": np.array([50_000])}, w=4 * ONE)
    found = opened(proto, tmp_path)
    batch = rows(64, 4)
    own = [int(np.ravel(value)[0]) for value in original(proto, "label", batch)]
    assert (found.num_classes, found.classify(batch).tolist()) == (None, own)
    assert len(set(own)) > 1


def test_two_labels_of_different_decisions_are_refused(tmp_path: Path) -> None:
    made = [ARGMAX, node("ArgMin", ["s"], "worst", axis=1, keepdims=0)]
    proto = model(made, [label(name="at"), label(name="worst")])
    with pytest.raises(ModelError, match="--output-name"):
        opened(proto, tmp_path)
    assert opened(proto, tmp_path, output_name="worst").num_classes == 5


def test_a_number_beside_scores_that_nothing_decides_is_not_taken_for_the_label(
    tmp_path: Path,
) -> None:
    made = [
        node("ReduceSum", ["c", "axis"], "sum", keepdims=0),
        node("Cast", ["sum"], "length", to=INT64),
    ]
    proto = model(made, [scores(), label(name="length")], {"axis": np.array([1])})
    with pytest.raises(ModelError, match=r"'length' .*--output-name"):
        opened(proto, tmp_path)
    assert opened(proto, tmp_path, output_name="s").num_classes == 5


@pytest.mark.parametrize("weights", [(0.2, 0.9), (0.2, 0.4), (-0.7, 0.9), (0.6, 0.9)])
@pytest.mark.parametrize("with_scores", [True, False])
def test_the_threshold_of_trees_decides_and_not_the_largest_score(
    tmp_path: Path, weights: tuple[float, float], with_scores: bool
) -> None:
    """With positive weights of one class onnxruntime's threshold is .5, else 0."""
    shown = [label(), scores(2, "scores")] if with_scores else [label()]
    proto = with_outputs([stump((7, 9), weights)], shown)
    found = opened(proto, tmp_path)
    batch = rows(64, 4)
    own = [str(value) for value in original(proto, "label", batch)]
    assert [found.class_names[k] for k in found.classify(batch)] == own


def test_a_support_vector_machine_s_vote_wins_over_its_probabilities(tmp_path: Path) -> None:
    """Platt's sigmoid is turned over here, so every probability is the other class's."""
    made = helper.make_node(
        "SVMClassifier",
        ["x"],
        ["label", "scores"],
        domain=ML,
        kernel_type="LINEAR",
        kernel_params=[1.0, 0.0, 3.0],
        classlabels_ints=[5, 3],
        vectors_per_class=[1, 1],
        support_vectors=[1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0],
        coefficients=[1.0, -1.0],
        rho=[0.0],
        prob_a=[4.0],
        prob_b=[0.5],
    )
    proto = with_outputs([made], [label(), scores(2, "scores")])
    batch = rows(64, 4)
    own = original(proto, "label", batch)
    found = opened(proto, tmp_path)
    assert [int(found.class_names[k]) for k in found.classify(batch)] == own
    by_scores = opened(proto, tmp_path, output_name="scores").classify(batch).tolist()
    assert by_scores != found.classify(batch).tolist()
