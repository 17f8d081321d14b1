"""The class that is counted is the label that plain onnxruntime gives, for every kind of label."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from onnx_models import FLOAT, INT64, ML, stump, tensor, with_outputs
from originals import opened, original, rows
from scored_models import scored

from rsonnx.errors import ModelError

AT = "at = ArgMax <axis = 1, keepdims = 0> (s)"
LABEL = "label = ArgMax <axis = 1, keepdims = 0>"
IS_LOW = "low = Less (s, f0)"
REJECTED = "top = ReduceMax <axes = [1], keepdims = 0> (s) rejected = Less (top, f0)"
ENCODER = "label = ai.onnx.ml.LabelEncoder"
VALUES = 'values_strings = ["v", "w", "x", "y", "z"]'


def top_k(k: int, label: str = "label", **options: int) -> str:
    attributes = "".join(f", {name} = {value}" for name, value in options.items())
    return f"values, {label} = TopK <axis = 1{attributes}> (s, k{k})"


KINDS: dict[str, onnx.ModelProto] = {
    "the best of a TopK beside the second": scored(
        "int64[n] label, int64[n] next",
        f"{top_k(2, 'at')} label = Gather <axis = 1> (at, first)"
        " next = Gather <axis = 1> (at, second)",
    ),
    "the best 3 of a TopK": scored("float[n, 3] values, int64[n, 3] label", top_k(3)),
    "the best of a TopK": scored("float[n, 1] values, int64[n, 1] label", top_k(1)),
    "the smallest of a TopK": scored("float[n, 2] values, int64[n, 2] label", top_k(2, largest=0)),
    "the first column of a TopK": scored(
        "int64[n] label", f"{top_k(3, 'at')} label = Gather <axis = 1> (at, first)"
    ),
    "the best of a TopK, squeezed": scored(
        "int64[n] label", f"{top_k(1, 'at')} label = Squeeze (at, one)"
    ),
    "the best of a TopK, in one row": scored(
        "int64[n] label, float[n] confidence",
        f"{top_k(1, 'at')} label = Reshape (at, minus) confidence = Reshape (values, minus)",
    ),
    "the best of a TopK, split from the next": scored(
        "int64[n, 1] label, int64[n, 1] rest",
        f"{top_k(2, 'at')} label, rest = Split <axis = 1> (at)",
    ),
    "torch.max": scored(
        "float[n] confidence, int64[n] label",
        "p = Softmax <axis = 1> (s) confidence = ReduceMax <axes = [1], keepdims = 0> (p)"
        f" {LABEL} (p)",
    ),
    "the last of the largest": scored(
        "int64[n] label, float[n, 5] r",
        "r = Round (s) label = ArgMax <axis = 1, keepdims = 0, select_last_index = 1> (r)",
    ),
    "the most votes": scored(
        "int64[n] label", f"t = Mul (s, f10) votes = Cast <to = 6> (t) {LABEL} (votes)"
    ),
    "the largest quantised score": scored(
        "int64[n] label, uint8[n, 5] q",
        f"q = QuantizeLinear (s, step, zero8) {LABEL} (q)",
        "float step = {0.2}, uint8 zero8 = {128}",
    ),
    "the nearest prototype": scored(
        "float[n, 5] distances, int64[n] label",
        "distances = Mul (s, s) label = ArgMin <axis = 1, keepdims = 0> (distances)",
    ),
    "features beside": scored(
        "float[n, 4] features, int64[n] label", f"{LABEL} (s) features = Identity (c)"
    ),
    "uint8": scored("uint8[n] label", f"{AT} label = Cast <to = 2> (at)"),
    "int32": scored("int32[n] label, float[n, 5] s", f"{AT} label = Cast <to = 6> (at)"),
    "a float": scored("float[n] label", f"{AT} label = Cast <to = 1> (at)"),
    "-1 and 1 by comparison": scored(
        "int64[n, 1] label, float[n, 1] s", f"{IS_LOW} label = Where (low, minus, one)", scores=1
    ),
    "-1 and 1 by arithmetic": scored(
        "int64[n, 1] label, float[n, 1] s",
        f"{IS_LOW} is_out = Cast <to = 7> (low) step = Mul (is_out, less) label = Add (step, one)",
        "int64[1] less = {-2}",
        scores=1,
    ),
    "-1 for an input of no known class": scored(
        "int64[n] label, float[n, 5] s", f"{REJECTED} {AT} label = Where (rejected, minus, at)"
    ),
    "numbers from 1": scored("int64[n] label", f"{AT} label = Add (at, one)"),
    "a sign": scored(
        "int64[n, 1] label, float[n, 1] s", "sign = Sign (s) label = Cast <to = 7> (sign)", scores=1
    ),
    "a sign that is a float": scored("float[n, 1] label", "label = Sign (s)", scores=1),
    "a threshold": scored(
        "int64[n, 1] label, float[n, 1] p",
        "p = Sigmoid (s) above = Greater (p, half) label = Cast <to = 7> (above)",
        scores=1,
    ),
    "a truth value": scored("bool[n, 1] label", "label = Less (s, f0)", scores=1),
    "numbers above 2^31 and -1": scored(
        "int64[n] label, float[n, 5] s",
        f"{AT} label = Gather (large, at)",
        "int64[5] large = {3000000000, 1099511627776, 7, -1, 12}",
    ),
    "groups of classes": scored(
        "int64[n] label, float[n, 5] s",
        f"{AT} label = Gather (groups, at)",
        "int64[5] groups = {4, 2, 4, 4, 2}",
    ),
    "a column of numbers": scored(
        "int64[n, 1] label",
        f"{AT} label = Gather (column, at)",
        "int64[5, 1] column = {9, 8, 7, 6, 5}",
    ),
    "maps of one pixel": scored(
        "int64[n, 1, 1, 1] label",
        "m = Reshape (s, maps) label = ArgMax <axis = 1, keepdims = 1> (m)",
        "int64[4] maps = {-1, 5, 1, 1}",
    ),
    "gathered texts": scored(
        "string[n] label, float[n, 5] s", f"{AT} label = Gather <axis = 0> (texts, at)"
    ),
    "gathered texts, some alike": scored("string[n] label", f"{AT} label = Gather (alike, at)"),
    "texts of the best 2": scored(
        "string[n, 2] label, float[n, 2] values",
        f"{top_k(2, 'at')} label = Gather <axis = 0> (texts, at)",
    ),
    "texts by GatherND": scored(
        "string[n] label", "at = ArgMax <axis = 1, keepdims = 1> (s) label = GatherND (texts, at)"
    ),
    "texts by GatherElements": scored(
        "string[n] label", f"{AT} label = GatherElements (texts, at)"
    ),
    "one of two texts": scored(
        "string[n, 1] label, float[n, 1] s", f"{IS_LOW} label = Where (low, no, yes)", scores=1
    ),
    "a text for an input of no known class": scored(
        "string[n] label",
        f"{REJECTED} {AT} name = Gather (texts, at) label = Where (rejected, unknown, name)",
    ),
    "texts in a constant of their own": scored(
        "string[n] label, float[n, 5] s",
        f'{AT} own = Constant <value_strings = ["e", "d", "c", "b", "a"]> () same = Identity (own)'
        " label = Gather <axis = 0> (same, at)",
    ),
    "a number and its name": scored(
        "int64[n] at, string[n] label, float[n, 5] s", f"{AT} label = Gather (texts, at)"
    ),
    "encoded texts": scored(
        "string[n] label",
        f"{AT} {ENCODER} <keys_int64s = [0, 1, 2, 3, 4], {VALUES}> (at)",
    ),
    "texts encoded from 1": scored(
        "string[n] label, float[n, 5] s",
        f"{AT} key = Add (at, one) {ENCODER} <keys_int64s = [1, 2, 3, 4, 5], {VALUES}> (key)",
    ),
    "texts encoded in another order": scored(
        "string[n] label",
        f"{AT} {ENCODER} <keys_int64s = [2, 0, 3, 1, 4], {VALUES}> (at)",
    ),
    "texts encoded, but for one": scored(
        "string[n] label",
        f'{AT} {ENCODER} <keys_int64s = [0, 1, 2], values_strings = ["v", "w", "x"],'
        ' default_string = "none"> (at)',
    ),
    "texts of numbered categories": scored(
        "string[n] label",
        f"{AT} key = Add (at, one) label = ai.onnx.ml.CategoryMapper"
        ' <cats_int64s = [5, 4, 3, 2, 1], cats_strings = ["v", "w", "x", "y", "z"]> (key)',
    ),
    "texts encoded from floats": scored(
        "string[n] label",
        f"{AT} real = Cast <to = 1> (at) {ENCODER}"
        f" <keys_floats = [0.0, 1.0, 2.0, 3.0, 4.0], {VALUES}> (real)",
    ),
    "texts encoded from floats that are not all keys": scored(
        "string[n] label",
        f"{AT} real = Cast <to = 1> (at) halves = Mul (real, half) {ENCODER}"
        ' <keys_floats = [0.0, 1.0, 2.0], values_strings = ["v", "w", "x"]> (halves)',
    ),
    "texts encoded from texts": scored(
        "string[n] label",
        f"{AT} name = Gather (texts, at) {ENCODER}"
        f' <keys_strings = ["e", "d", "c", "é", "a"], {VALUES}> (name)',
    ),
}


def as_text(value: Any) -> str:
    first = np.ravel(value)[0]
    return str(first) if isinstance(first, str | bytes) else str(int(first))


@pytest.mark.parametrize("kind", KINDS)
def test_the_counted_class_is_the_file_s_own_label(tmp_path: Path, kind: str) -> None:
    base, batch = opened(KINDS[kind], tmp_path), rows(200, 4)
    own = [as_text(value) for value in original(KINDS[kind], "label", batch)]
    counted = base.classify(batch).tolist()
    names = base.class_names or [str(k) for k in range(5)]
    assert [names[k] for k in counted] == own
    assert min(counted) >= 0  # no label is "no class", whatever its number
    assert base.num_classes == len(names)
    assert len(set(own)) > 1  # else this test would show little


@pytest.mark.parametrize(
    "kind", [k for k in KINDS if k not in {"the most votes", "the largest quantised score"}]
)  # whose scores are whole numbers, which have no NaN
def test_nan_is_no_class_though_a_label_hides_it(tmp_path: Path, kind: str) -> None:
    batch = rows(4, 4)
    batch[2, 1] = np.nan
    labels = opened(KINDS[kind], tmp_path).classify(batch)
    assert (labels == -1).tolist() == [False, False, True, False]


def test_a_constant_list_of_the_classes_beside_a_label_is_no_answer(tmp_path: Path) -> None:
    proto = scored(
        "string[n] label, float[n, 5] s, string[5] list",
        f"{AT} label = Gather (texts, at) list = Identity (texts)",
    )
    batch = rows(32, 4)
    own = [as_text(value) for value in original(proto, "label", batch)]
    base = opened(proto, tmp_path)
    assert [base.class_names[k] for k in base.classify(batch)] == own


@pytest.mark.parametrize("name", ["output_1", "confidence"])
@pytest.mark.parametrize("shape", ["n", "n, 1", "n, 4", "unk__6, 4", ""])
def test_nan_in_any_floats_beside_a_label_is_no_class(
    tmp_path: Path, name: str, shape: str
) -> None:
    """The label hides the NaN in the logarithms of negative numbers."""
    wide = shape.endswith("4")
    last = "Identity" if wide else f"ReduceSum <keepdims = {int(', 1' in shape)}>"
    proto = scored(
        f"int64[n] label, float[{shape or 'n'}] {name}",
        f"logs = Log (x) is_nan = IsNaN (logs) clean = Where (is_nan, f0, logs) {LABEL} (clean)"
        f" {name} = {last} ({'logs' if wide else 'logs, one'})",
    )
    if not shape:
        proto.graph.output[1].type.tensor_type.shape.dim[0].Clear()
    batch = rows(4, 4)
    batch[2, 1] = -1
    assert (opened(proto, tmp_path).classify(batch) == -1).tolist() == [False, False, True, False]


def test_an_infinite_largest_score_beside_a_label_is_no_class(tmp_path: Path) -> None:
    proto = scored(
        "int64[n] label, float[n, 5] scores", f"{LABEL} (s) more = Mul (s, f60) scores = Exp (more)"
    )
    batch = 3 * rows(200, 4)
    shown, own = (np.array(original(proto, name, batch)) for name in ("scores", "label"))
    infinite = np.isinf(shown.max(axis=1))
    assert 0 < infinite.sum() < len(batch)
    assert opened(proto, tmp_path).classify(batch).tolist() == np.where(infinite, -1, own).tolist()


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
    proto = with_outputs([made], PAIR)
    batch = np.array([[0.5, 0.1, 0, 0], [2, 0.1, 0, 0], [0.1, 2, 0, 0]], np.float32)
    for outputs in (2, 1):
        del proto.graph.output[outputs:]
        assert opened(proto, tmp_path).classify(batch).tolist() == [0, -1, -1]


PAIR = [tensor("label", INT64, ["n"]), tensor("scores", FLOAT, ["n", 2])]


@pytest.mark.parametrize("least", ["-2", "2e7", "3e9"])
def test_a_label_that_can_be_no_number_of_a_class_is_refused(tmp_path: Path, least: str) -> None:
    """Nothing says which classes floor(s) + least may be."""
    proto = scored(
        "int64[n, 1] label",
        "floor = Floor (s) moved = Add (floor, least) label = Cast <to = 7> (moved)",
        f"float[1] least = {{{least}}}",
        scores=1,
    )
    with pytest.raises(ModelError, match="'label'"):
        opened(proto, tmp_path)


def test_large_numbers_of_no_known_class_are_counted_as_they_are(tmp_path: Path) -> None:
    proto = scored(
        "int64[n, 1] label",
        "more = Mul (s, f10) floor = Cast <to = 7> (more) size = Abs (floor)"
        " label = Add (size, least)",
        "int64[1] least = {50000}",
        scores=1,
    )
    base, batch = opened(proto, tmp_path), rows(64, 4)
    own = [int(np.ravel(value)[0]) for value in original(proto, "label", batch)]
    assert (base.num_classes, base.classify(batch).tolist()) == (None, own)
    assert len(set(own)) > 1


@pytest.mark.parametrize(
    ("outputs", "nodes", "other"),
    [
        (
            "int64[n] at, int64[n] worst",
            f"{AT} worst = ArgMin <axis = 1, keepdims = 0> (s)",
            "worst",
        ),
        (  # a number that nothing decides is not taken for the label
            "float[n, 5] s, int64[n] length",
            "sum = ReduceSum <keepdims = 0> (c, one) length = Cast <to = 7> (sum)",
            "s",
        ),
    ],
)
def test_what_may_or_may_not_be_the_label_is_asked_for(
    tmp_path: Path, outputs: str, nodes: str, other: str
) -> None:
    proto = scored(outputs, nodes)
    with pytest.raises(ModelError, match="--output-name"):
        opened(proto, tmp_path)
    assert opened(proto, tmp_path, output_name=other).num_classes == 5


@pytest.mark.parametrize("weights", [(0.2, 0.9), (0.2, 0.4), (-0.7, 0.9), (0.6, 0.9)])
@pytest.mark.parametrize("outputs", [1, 2])
def test_the_threshold_of_trees_decides_and_not_the_largest_score(
    tmp_path: Path, weights: tuple[float, float], outputs: int
) -> None:
    """With positive weights of one class onnxruntime's threshold is .5, else 0."""
    proto = with_outputs([stump((7, 9), weights)], PAIR[:outputs])
    base, batch = opened(proto, tmp_path), rows(64, 4)
    own = [str(value) for value in original(proto, "label", batch)]
    assert [base.class_names[k] for k in base.classify(batch)] == own


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
    proto, batch = with_outputs([made], PAIR), rows(64, 4)
    base = opened(proto, tmp_path)
    labels = base.classify(batch).tolist()
    assert [int(base.class_names[k]) for k in labels] == original(proto, "label", batch)
    assert opened(proto, tmp_path, output_name="scores").classify(batch).tolist() != labels
