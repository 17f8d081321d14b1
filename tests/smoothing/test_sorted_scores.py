"""Values that TopK sorted, and numbers of classes, are no scores, whatever is made of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from originals import opened, rows
from scored_models import best, scored

from rsonnx.errors import ModelError

AFTER_SORTING = {
    "nothing": "out = Identity (values)",
    "half precision": "halves = Cast <to = 10> (values) out = Cast <to = 1> (halves)",
    "softmax": "out = Softmax <axis = 1> (values)",
    "log of softmax": "out = LogSoftmax <axis = 1> (values)",
    "percent": "out = Mul (values, f100)",
    "less a number": "out = Sub (values, f100)",
    "scaled, clipped and rounded": "a = Div (values, f100) b = Clip (a) out = Round (b)",
    "less the largest": "t = ReduceMax <axes = [1], keepdims = 1> (values) out = Sub (values, t)",
    "softmax, written out": "e = Exp (values) t = ReduceSum (e, one) out = Div (e, t)",
}


@pytest.mark.parametrize("k", [3, 5])
@pytest.mark.parametrize("after", AFTER_SORTING)
def test_sorted_values_are_no_scores_whatever_is_made_of_them(
    tmp_path: Path, after: str, k: int
) -> None:
    sort = f"values, indices = TopK <axis = 1> (s, k{k})"
    proto, batch = scored(f"float[n, {k}] out", f"{sort} {AFTER_SORTING[after]}"), rows(64, 4)
    for name in (None, "out") if after == "nothing" else (None,):
        base = opened(proto, tmp_path, output_name=name)
        assert base.num_classes == 5
        assert base.classify(batch).tolist() == best(batch)


@pytest.mark.parametrize(
    "after",
    [
        "out = Neg (values)",
        "out = Mul (values, negative_one)",
        "out = Mul (values, mask)",
        "out = Sub (negative_one, values)",
        "out = Concat <axis = 1> (values, values)",
        "out = Mul (values, values)",
    ],
)
def test_sorted_values_out_of_order_are_refused(tmp_path: Path, after: str) -> None:
    width = 6 if "Concat" in after else 3
    proto = scored(f"float[n, {width}] out", f"values, i = TopK <axis = 1> (s, k3) {after}")
    for name in (None, "out"):
        with pytest.raises(ModelError, match="TopK"):
            opened(proto, tmp_path, output_name=name)


@pytest.mark.parametrize(
    ("nodes", "named"),
    [
        ("values, i = TopK <axis = 1> (s, k3) out = Sigmoid (values)", "sigmoid"),
        ("p = Sigmoid (c) out, i = TopK <axis = 1> (p, k3)", "sigmoid"),
        ("out, i = TopK <axis = 1, largest = 0> (s, k3)", "'out'"),
    ],
)
def test_sorting_makes_no_classifier_of_what_is_none(
    tmp_path: Path, nodes: str, named: str
) -> None:
    with pytest.raises(ModelError, match=named):
        opened(scored("float[n, 3] out", nodes), tmp_path)


@pytest.mark.parametrize(
    "nodes",
    [
        "values, i = TopK <axis = 1> (s, k3) least = ReduceMin <axes = [1], keepdims = 1> (values)"
        " low = Less (s, least) out = Where (low, very_low, s)",
        "cells = Unsqueeze (s, two) b, i = TopK <axis = 2> (cells, k1) out = Squeeze (b, two)",
        "at = ArgMax <axis = 1, keepdims = 0> (s) out = Gather (one_hot, at)",
    ],
    ids=["all but the best masked", "the best of each channel", "one-hot rows read at a number"],
)
def test_scores_that_keep_their_places_are_scores(tmp_path: Path, nodes: str) -> None:
    rows_of_one = ", ".join(str(float(i % 6 == 0)) for i in range(25))
    one_hot = f"float[5, 5] one_hot = {{{rows_of_one}}}" if "one_hot" in nodes else ""
    batch = rows(64, 4)
    base = opened(scored("float[n, 5] out", nodes, one_hot), tmp_path)
    assert base.classify(batch).tolist() == best(batch)


@pytest.mark.parametrize("parts", ["number, confidence", "confidence, number"])
@pytest.mark.parametrize(
    "chosen",
    [
        "at = ArgMax <axis = 1, keepdims = 1> (s)",
        "at = ArgMin <axis = 1, keepdims = 1> (s)",
        "values, at = TopK <axis = 1> (s, k1)",
    ],
)
@pytest.mark.parametrize(
    "numbered",
    [
        "id = Cast <to = 1> (at)",
        "id = Add (at, one)",
        "id = Gather (ids, at)",
        "id = Where (known, at, minus)",
        "id = ai.onnx.ml.LabelEncoder <keys_int64s = [0, 1, 2, 3, 4],"
        " values_floats = [7.0, 5.0, 6.0, 8.0, 9.0]> (at)",
    ],
)
def test_the_number_of_a_class_is_no_score(
    tmp_path: Path, numbered: str, chosen: str, parts: str
) -> None:
    proto = scored(
        "float[n, 2] out",
        f"{chosen} confidence = ReduceMax <axes = [1], keepdims = 1> (s)"
        f" known = Greater (confidence, f0) {numbered} number = Cast <to = 1> (id)"
        f" joined = Concat <axis = 1> ({parts}) out = Cast <to = 1> (joined)",
        "int64[5] ids = {10, 11, 12, 13, 14}",
    )
    for name in (None, "out"):
        with pytest.raises(ModelError, match="number of a class"):
            opened(proto, tmp_path, output_name=name)
